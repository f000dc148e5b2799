//! Settings that are more than a value: what goes together, and what cannot hold.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indexer::late::HelperOptions;
use ipnet::IpNet;

use super::{Broker, Cluster, Log, Metadata, Sessions, Settings, TlsMode};
use crate::cluster::role::Roles;
use crate::memory;

/// The role of a process that keeps blocks for servers elsewhere.
pub(super) const BLOCK_SERVER: &str = "block";
/// Processes that hold the same shard, at most.
const MAX_SHARD_REPLICAS: u16 = 8;

pub(super) fn helpers(
    languages: Option<String>,
    tika_url: Option<String>,
) -> Result<HelperOptions> {
    let languages = languages.unwrap_or_else(|| "eng".to_owned());
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+_/".contains(c);
    if languages.starts_with(['+', '/']) || !languages.chars().all(is_name) || languages.is_empty()
    {
        bail!("ocr-languages is `{languages}`; it must be like eng+deu, or off");
    }
    if let Some(url) = &tika_url
        && !url.starts_with("http://")
    {
        bail!("tika-url is `{url}`; it must start with http://");
    }
    Ok(HelperOptions {
        ocr_languages: (languages != "off").then_some(languages),
        tika_url,
    })
}

/// Where links to this server lead: a scheme and a host, to which paths are added.
pub(super) fn public_url(url: &str) -> Result<String> {
    let plain = url.trim_end_matches('/');
    let uri: Option<hyper::Uri> = plain.parse().ok();
    let is_web = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.query().is_none()
    });
    if !is_web || plain.contains('#') {
        bail!("public_url is `{url}`; it must be like https://files.example.org");
    }
    Ok(plain.to_owned())
}

pub(super) fn sessions(set: &Settings) -> Result<Sessions> {
    let (hours, minutes) = (
        set.session_hours.unwrap_or(720),
        set.session_idle_minutes.unwrap_or(7 * 24 * 60),
    );
    if hours == 0 || minutes < 5 {
        bail!("session_hours is {hours} and session_idle_minutes {minutes}; at least 1 and 5");
    }
    Ok(Sessions {
        lifetime_ms: i64::from(hours) * 3_600_000,
        idle_ms: i64::from(minutes) * 60_000,
    })
}

pub(super) fn broker(
    url: Option<String>,
    secret: Option<PathBuf>,
    ca: Option<PathBuf>,
) -> Result<Option<Broker>> {
    match url {
        Some(url) => Ok(Some(Broker { url, secret, ca })),
        None if secret.is_some() || ca.is_some() => {
            bail!("broker_secret and broker_ca go with broker")
        }
        None => Ok(None),
    }
}

pub(super) fn cluster(set: &Settings, data: &Path) -> Result<Option<Cluster>> {
    if set.role.as_deref() == Some(BLOCK_SERVER) {
        return Ok(None);
    }
    let roles = Roles::parse(set.role.as_deref().unwrap_or("all"))?;
    let Some(key) = &set.cluster_key else {
        let of_a_cluster = [&set.cluster_listen, &set.cluster_url, &set.index_snapshots];
        let is_set = of_a_cluster.iter().any(|set| set.is_some()) || set.shard_replicas.is_some();
        if is_set || roles != Roles::all() {
            bail!(
                "role, cluster_listen, cluster_url, shard_replicas and index_snapshots go with cluster_key"
            );
        }
        return Ok(None);
    };
    if matches!(metadata(set, data)?, Metadata::Embedded) {
        bail!(
            "the processes of a cluster share a database: cluster_key goes with metadata = \"mysql://…\""
        );
    }
    if let Some(url) = &set.cluster_url
        && !url.starts_with("http://")
    {
        bail!("cluster_url is `{url}`; it must start with http://");
    }
    let url = set.cluster_url.as_ref();
    let shard_replicas = set.shard_replicas.unwrap_or(1);
    if !(1..=MAX_SHARD_REPLICAS).contains(&shard_replicas) {
        bail!("shard_replicas is {shard_replicas}; it must be 1 to {MAX_SHARD_REPLICAS}");
    }
    Ok(Some(Cluster {
        shard_replicas,
        process: rand::random::<u64>().max(1),
        roles,
        key: data.join(key),
        listen: set
            .cluster_listen
            .clone()
            .unwrap_or_else(|| "127.0.0.1:0".into()),
        url: url.map(|url| url.trim_end_matches('/').to_owned()),
        snapshots: set
            .index_snapshots
            .as_ref()
            .map(|url| storage::object::with_folder(url, data)),
    }))
}

pub(super) fn metadata(set: &Settings, data: &Path) -> Result<Metadata> {
    let of_a_database = [
        (
            "metadata_password_file",
            set.metadata_password_file.is_some(),
        ),
        ("metadata_ca", set.metadata_ca.is_some()),
        ("metadata_connections", set.metadata_connections.is_some()),
        ("cache_url", set.cache_url.is_some()),
    ];
    match set.metadata.as_deref() {
        None | Some("embedded") => match of_a_database.iter().find(|(_, is_set)| *is_set) {
            Some((name, _)) => bail!("{name} goes with metadata = \"mysql://…\""),
            None => Ok(Metadata::Embedded),
        },
        Some(url) if url.starts_with("mysql://") => Ok(Metadata::Database {
            url: url.to_owned(),
            password_file: set
                .metadata_password_file
                .as_ref()
                .map(|file| data.join(file)),
            ca: set.metadata_ca.as_ref().map(|file| data.join(file)),
            connections: set.metadata_connections,
            cache: set.cache_url.as_deref().map(str::parse).transpose()?,
        }),
        Some(_) => bail!("metadata must be embedded or start with mysql://"),
    }
}

/// Networks, and single addresses as networks of one, separated by commas.
pub(super) fn networks(list: &str) -> Result<Vec<IpNet>> {
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let network = |word: &str| {
        let single = word.parse::<IpAddr>().map(IpNet::from);
        let parsed = single.or_else(|_| word.parse());
        parsed.with_context(|| {
            format!("trusted_proxies: `{word}` is neither an address nor a network")
        })
    };
    words.map(network).collect()
}

/// Absolute folders, separated by commas.
pub(super) fn import_roots(list: &str) -> Result<Vec<PathBuf>> {
    let words = list
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty());
    let folder = |word: &str| {
        let folder = PathBuf::from(word);
        if folder.is_relative() {
            bail!("import_roots: `{word}` does not start with /");
        }
        Ok(folder)
    };
    words.map(folder).collect()
}

pub(super) fn log(set: &Settings, data: &Path) -> Result<Log> {
    let json = match set.log_format.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => bail!("log_format is `{other}`; it must be text or json"),
    };
    let keep = set.log_keep.unwrap_or(14);
    if keep == 0 {
        bail!("log_keep is 0; at least the present file is kept");
    }
    let folder = set.log_dir.as_ref().map(|folder| data.join(folder));
    Ok(Log { json, folder, keep })
}

pub(super) fn tls(set: &Settings) -> Result<TlsMode> {
    let files = match (&set.tls_cert, &set.tls_key) {
        (Some(cert), Some(key)) => Some(TlsMode::Files {
            cert: cert.clone(),
            key: key.clone(),
        }),
        (None, None) => None,
        _ => bail!("tls-cert and tls-key go together"),
    };
    match (set.tls.as_deref(), files) {
        (None, files) => Ok(files.unwrap_or(TlsMode::Off)),
        (Some("off"), None) => Ok(TlsMode::Off),
        (Some("self"), None) => Ok(TlsMode::SelfMade),
        (Some("files"), Some(files)) => Ok(files),
        (Some("files"), None) => bail!("tls = files needs tls-cert and tls-key"),
        (Some(mode @ ("off" | "self")), Some(_)) => bail!("tls = {mode} does not go with tls-cert"),
        (Some(mode), _) => bail!("tls is `{mode}`; it must be off, self or files"),
    }
}

/// A shard's part of `index_memory_mib`; big imports write, and merge, fewer segments the more there is.
pub(super) fn shard_memory_bytes(mib: Option<u64>, shards: usize) -> usize {
    let fitting = || {
        memory::total_bytes()
            .map_or(256, |bytes| (bytes >> 20) / 16)
            .clamp(256, 768)
    };
    let bytes = mib.unwrap_or_else(fitting) << 20;
    let each = usize::try_from(bytes).unwrap_or(usize::MAX) / shards;
    each.clamp(*indexer::MEMORY_BYTES.start(), *indexer::MEMORY_BYTES.end())
}
