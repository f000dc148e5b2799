//! Settings: flags, then the environment (`FIREFLY_…`), then `firefly.toml`, then the defaults. Unknown keys are errors.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use indexer::late::HelperOptions;
use ipnet::IpNet;
use serde::Deserialize;
use storage::block::Place;
use storage::kv::mysql::CacheAddress;
use sync::bus::amqp::AmqpBus;

use crate::cluster::role::Roles;
use crate::{memory, node};

/// Name of the settings file in the data folder.
const FILE_NAME: &str = "firefly.toml";
/// The role of a process that keeps blocks for servers elsewhere.
const BLOCK_SERVER: &str = "block";
/// Processes that hold the same shard, at most.
const MAX_SHARD_REPLICAS: u16 = 8;
/// Variables with our prefix that are not settings of the server.
const OTHER_VARIABLES: [&str; 4] = [
    "FIREFLY_CONFIG",
    "FIREFLY_LOG",
    "FIREFLY_TOKEN",
    "FIREFLY_UI_DIST",
];

/// Where the data folder is; every command takes it.
#[derive(Debug, Clone, Args)]
pub struct DataArg {
    /// The data folder
    #[arg(
        long,
        value_name = "DIR",
        env = "FIREFLY_DATA",
        default_value = "firefly-data",
        global = true
    )]
    pub data: PathBuf,
}

macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $long:literal, $env:literal, $value:literal;)*) => {
        /// What a person may have set, from one source.
        #[derive(Debug, Clone, Default, Args, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Settings {
            $($(#[$doc])* #[arg(long = $long, value_name = $value, env = $env)] pub $name: Option<$type>,)*
        }

        impl Settings {
            /// These settings, with `other`'s where these have none.
            fn or(self, other: Settings) -> Settings {
                Settings { $($name: self.$name.or(other.$name),)* }
            }
        }

        const VARIABLES: &[&str] = &["FIREFLY_DATA", $($env,)*];
    };
}

settings! {
    /// Address to listen on [default: 127.0.0.1:8080]
    listen: String, "listen", "FIREFLY_LISTEN", "ADDR";
    /// TLS: `off`, `self` (a certificate made here; its CA is DIR/tls/ca.pem), or `files` [default: off, or files when --tls-cert is given]
    tls: String, "tls", "FIREFLY_TLS", "MODE";
    /// Certificate chain, PEM
    tls_cert: PathBuf, "tls-cert", "FIREFLY_TLS_CERT", "FILE";
    /// Private key, PEM
    tls_key: PathBuf, "tls-key", "FIREFLY_TLS_KEY", "FILE";
    /// Address that links to this server start with [default: from --listen]
    public_url: String, "public-url", "FIREFLY_PUBLIC_URL", "URL";
    /// Where blocks are, separated by commas: folders (relative ones are below DIR), s3://BUCKET/FOLDER?endpoint=URL&credentials=FILE, hdfs://HOST:PORT/FOLDER [default: blocks]
    targets: String, "targets", "FIREFLY_TARGETS", "PLACES";
    /// Where metadata is: `embedded` (in DIR/meta), or a database, mysql://USER@HOST[:PORT]/DATABASE [default: embedded]
    metadata: String, "metadata", "FIREFLY_METADATA", "URL";
    /// File that holds that database's password
    metadata_password_file: PathBuf, "metadata-password-file", "FIREFLY_METADATA_PASSWORD_FILE", "FILE";
    /// Certificates to trust for that database, PEM; its name is verified then, and nothing goes there unencrypted
    metadata_ca: PathBuf, "metadata-ca", "FIREFLY_METADATA_CA", "FILE";
    /// Connections to that database that reads may use at once [default: 48]
    metadata_connections: usize, "metadata-connections", "FIREFLY_METADATA_CONNECTIONS", "N";
    /// memcached in front of that database, memcache://HOST[:PORT] [default: none]
    cache_url: String, "cache-url", "FIREFLY_CACHE_URL", "URL";
    /// On how many targets each block is before it is acknowledged [default: 1]
    replicas: usize, "replicas", "FIREFLY_REPLICAS", "N";
    /// On how many targets each block is at least, while fewer than --replicas can be written [default: the larger half of --replicas]
    min_replicas: usize, "min-replicas", "FIREFLY_MIN_REPLICAS", "N";
    /// Days that deleted files and old versions are kept [default: 30]
    retention_days: u32, "retention-days", "FIREFLY_RETENTION_DAYS", "DAYS";
    /// Hours after which a browser signs in again [default: 720]
    session_hours: u32, "session-hours", "FIREFLY_SESSION_HOURS", "HOURS";
    /// Minutes without a request after which a browser signs in again; at least 5 [default: 10080, seven days]
    session_idle_minutes: u32, "session-idle-minutes", "FIREFLY_SESSION_IDLE_MINUTES", "MINUTES";
    /// Index shards; another number rebuilds the index [default: 8]
    shards: usize, "shards", "FIREFLY_SHARDS", "N";
    /// MiB that all shards together may fill before they write segments [default: a sixteenth of the memory, 256 to 768]
    index_memory_mib: u64, "index-memory-mib", "FIREFLY_INDEX_MEMORY_MIB", "MIB";
    /// Processes that extract text [default: one per core]
    extract_workers: usize, "extract-workers", "FIREFLY_EXTRACT_WORKERS", "N";
    /// Languages of text in pictures and scans, as Tesseract names them (`eng+deu`), or `off` [default: eng]
    ocr_languages: String, "ocr-languages", "FIREFLY_OCR_LANGUAGES", "LANGUAGES";
    /// Tika server that is asked about formats without a reader, `http://HOST:PORT` [default: none]
    tika_url: String, "tika-url", "FIREFLY_TIKA_URL", "URL";
    /// Space of a new account, GiB [default: 2048]
    quota_gib: u64, "quota-gib", "FIREFLY_QUOTA_GIB", "GIB";
    /// Seconds that a place for blocks may be away before its copies are made elsewhere [default: 900]
    replace_after_s: u64, "replace-after-s", "FIREFLY_REPLACE_AFTER_S", "S";
    /// Command that prints the key-encryption keys, instead of DIR/keys/kek.json
    kek_command: String, "kek-command", "FIREFLY_KEK_COMMAND", "COMMAND";
    /// RabbitMQ, amqp://USER@HOST:PORT/VHOST or amqps://… [default: none, changes stay within this process]
    broker: String, "broker", "FIREFLY_BROKER", "URL";
    /// File with the password of the broker's user
    broker_secret: PathBuf, "broker-secret", "FIREFLY_BROKER_SECRET", "FILE";
    /// Certificates to trust for amqps beside the system's, PEM
    broker_ca: PathBuf, "broker-ca", "FIREFLY_BROKER_CA", "FILE";
    /// What this process does: `all`; some of web, shard, extract, relay and upkeep, separated by commas; or `block`: it keeps blocks for
    /// servers elsewhere, in one folder, and nothing else [default: all]
    role: String, "role", "FIREFLY_ROLE", "ROLES";
    /// File with the key that all processes of a cluster share, block servers too; with it several run on one database
    cluster_key: PathBuf, "cluster-key", "FIREFLY_CLUSTER_KEY", "FILE";
    /// Address for calls of the cluster's other processes, and for /healthz, /readyz and /metrics of this one [default: 127.0.0.1:0]
    cluster_listen: String, "cluster-listen", "FIREFLY_CLUSTER_LISTEN", "ADDR";
    /// Where the others reach that address, http://HOST:PORT [default: from --cluster-listen]
    cluster_url: String, "cluster-url", "FIREFLY_CLUSTER_URL", "URL";
    /// Processes of a cluster that hold each shard, as far as there are so many: searches go on without one [default: 1]
    shard_replicas: u16, "shard-replicas", "FIREFLY_SHARD_REPLICAS", "N";
    /// Where a cluster keeps snapshots of its index: file:///FOLDER, s3://… or hdfs://… [default: none, a shard that moves is made anew]
    index_snapshots: String, "index-snapshots", "FIREFLY_INDEX_SNAPSHOTS", "URL";
    /// Proxies of yours, whose X-Forwarded-For is believed: addresses or networks (10.0.0.0/8), separated by commas [default: none]
    trusted_proxies: String, "trusted-proxies", "FIREFLY_TRUSTED_PROXIES", "NETS";
    /// Folders of this machine that administrators may import from the page, with all below them, separated by commas [default: none]
    import_roots: String, "import-roots", "FIREFLY_IMPORT_ROOTS", "DIRS";
    /// How log lines are written: `text` or `json` [default: text]
    #[arg(alias = "log")]
    log_format: String, "log-format", "FIREFLY_LOG_FORMAT", "FORMAT";
    /// Folder for log files, a new one every day; relative ones are below DIR [default: standard error]
    log_dir: PathBuf, "log-dir", "FIREFLY_LOG_DIR", "LOGS";
    /// Log files that are kept [default: 14]
    log_keep: usize, "log-keep", "FIREFLY_LOG_KEEP", "N";
}

/// The settings that hold, with every default filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// The address to listen on.
    pub listen: String,
    /// How TLS is done.
    pub tls: TlsMode,
    /// Start of links to this server.
    pub public_url: Option<String>,
    /// Where metadata is.
    pub metadata: Metadata,
    /// Where blocks are.
    pub targets: Vec<Place>,
    /// Copies of each block.
    pub replicas: usize,
    /// Copies with which a write is acknowledged at least.
    pub min_replicas: usize,
    /// Milliseconds that a place for blocks may be away before its copies are made elsewhere.
    pub comes_back_ms: u64,
    /// True for a process that keeps blocks for servers elsewhere and does nothing else.
    pub is_block_server: bool,
    /// File with the key of the cluster.
    pub cluster_key: Option<PathBuf>,
    /// Days that deleted files and old versions are kept.
    pub retention_days: u32,
    /// How long browsers stay signed in.
    pub sessions: Sessions,
    /// Index shards.
    pub shards: usize,
    /// Bytes that one of them may fill before it writes a segment.
    pub shard_memory_bytes: usize,
    /// Extraction processes.
    pub extract_workers: usize,
    /// Who reads what extraction cannot.
    pub helpers: HelperOptions,
    /// Bytes a new account may store.
    pub quota_bytes: u64,
    /// Command that prints the keys.
    pub kek_command: Option<String>,
    /// RabbitMQ.
    pub broker: Option<Broker>,
    /// The cluster that this process is one of.
    pub cluster: Option<Cluster>,
    /// Proxies whose word on a caller's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Folders that administrators may import from the page.
    pub import_roots: Vec<PathBuf>,
    /// Where log lines go, and how.
    pub log: Log,
}

/// How long browsers stay signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sessions {
    /// Since signing in, milliseconds.
    pub lifetime_ms: i64,
    /// Without a request, milliseconds.
    pub idle_ms: i64,
}

/// A process's place in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// This process's number, random.
    pub process: u64,
    /// What it does.
    pub roles: Roles,
    /// The file with the cluster's key.
    pub key: PathBuf,
    /// Where it listens for the others.
    pub listen: String,
    /// Where the others reach it; none: there.
    pub url: Option<String>,
    /// How many processes hold each shard.
    pub shard_replicas: u16,
    /// Where snapshots of the index are.
    pub snapshots: Option<String>,
}

/// Where log lines go, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// One JSON object a line, rather than text.
    pub json: bool,
    /// The folder of the log's files; none is standard error.
    pub folder: Option<PathBuf>,
    /// Files that are kept.
    pub keep: usize,
}

/// Where RabbitMQ is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its URL, without a password.
    pub url: String,
    /// File with the password.
    pub secret: Option<PathBuf>,
    /// Certificates to trust, PEM.
    pub ca: Option<PathBuf>,
}

/// Where metadata is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Metadata {
    /// In the data folder.
    Embedded,
    /// In a database that speaks the MySQL protocol.
    Database {
        /// Its address, without a password.
        url: String,
        /// The file with the password.
        password_file: Option<PathBuf>,
        /// Certificates to trust, PEM.
        ca: Option<PathBuf>,
        /// Connections for reads.
        connections: Option<usize>,
        /// memcached in front of it.
        cache: Option<CacheAddress>,
    },
}

/// How TLS is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsMode {
    /// Plain HTTP.
    Off,
    /// A certificate made here.
    SelfMade,
    /// A certificate of the operator's.
    Files {
        /// Certificate chain, PEM.
        cert: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
    },
}

impl Config {
    /// Resolves flags and environment (already in `flags`) over the settings file over the defaults.
    pub fn load(data: &DataArg, file: Option<&Path>, flags: Settings) -> Result<Config> {
        refuse_unknown_variables(
            std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()),
        )?;
        let data = std::path::absolute(&data.data).context("data folder")?;
        let from_file = match file {
            Some(path) => read(path)?,
            None => read_if_there(&data.join(FILE_NAME))?,
        };
        Self::resolve(data, flags.or(from_file))
    }

    /// The settings of a command that takes no flags of the server: environment and settings file.
    pub fn without_flags(data: &DataArg) -> Result<Config> {
        #[derive(clap::Parser)]
        struct Environment {
            #[command(flatten)]
            settings: Settings,
        }
        let environment = <Environment as clap::Parser>::try_parse_from(["firefly"])?;
        Self::load(data, None, environment.settings)
    }

    /// The bus over the broker, if there is one; connects later.
    pub fn bus(&self) -> Result<Option<AmqpBus>> {
        let bus = self.broker.as_ref().map(|broker| {
            AmqpBus::new(&broker.url, broker.secret.as_deref(), broker.ca.as_deref())
        });
        Ok(bus.transpose()?)
    }

    fn resolve(data: PathBuf, set: Settings) -> Result<Config> {
        let targets = match &set.targets {
            Some(list) => list
                .split(',')
                .map(|place| node::place(&data, place.trim()))
                .collect(),
            None => vec![node::place(&data, "blocks")],
        };
        let replicas = set.replicas.unwrap_or(1);
        if replicas == 0 {
            bail!("replicas is 0; every block is somewhere");
        }
        let min_replicas = set.min_replicas.unwrap_or(replicas - replicas / 2);
        if min_replicas == 0 || min_replicas > replicas {
            bail!("min_replicas is {min_replicas}; it must be 1 to replicas, which is {replicas}");
        }
        let shards = set.shards.unwrap_or(8);
        if !(1..=1024).contains(&shards) {
            bail!("shards is {shards}; it must be 1 to 1024");
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Config {
            tls: tls(&set)?,
            metadata: metadata(&set, &data)?,
            cluster: cluster(&set, &data)?,
            trusted_proxies: networks(set.trusted_proxies.as_deref().unwrap_or_default())?,
            import_roots: import_roots(set.import_roots.as_deref().unwrap_or_default())?,
            log: log(&set, &data)?,
            sessions: sessions(&set)?,
            listen: set.listen.unwrap_or_else(|| "127.0.0.1:8080".into()),
            public_url: set
                .public_url
                .map(|url| url.trim_end_matches('/').to_owned()),
            targets,
            replicas,
            min_replicas,
            comes_back_ms: set.replace_after_s.unwrap_or(900).saturating_mul(1000),
            is_block_server: set.role.as_deref() == Some(BLOCK_SERVER),
            cluster_key: set.cluster_key.map(|file| data.join(file)),
            retention_days: set.retention_days.unwrap_or(30),
            shards,
            shard_memory_bytes: shard_memory_bytes(set.index_memory_mib, shards),
            extract_workers: set.extract_workers.unwrap_or(cores).max(1),
            helpers: helpers(set.ocr_languages, set.tika_url)?,
            quota_bytes: set.quota_gib.unwrap_or(2048) << 30,
            kek_command: set.kek_command,
            broker: broker(set.broker, set.broker_secret, set.broker_ca)?,
            data,
        })
    }
}

fn helpers(languages: Option<String>, tika_url: Option<String>) -> Result<HelperOptions> {
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

fn sessions(set: &Settings) -> Result<Sessions> {
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

fn broker(
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

fn cluster(set: &Settings, data: &Path) -> Result<Option<Cluster>> {
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

fn metadata(set: &Settings, data: &Path) -> Result<Metadata> {
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
fn networks(list: &str) -> Result<Vec<IpNet>> {
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
fn import_roots(list: &str) -> Result<Vec<PathBuf>> {
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

fn log(set: &Settings, data: &Path) -> Result<Log> {
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

fn tls(set: &Settings) -> Result<TlsMode> {
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

fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("settings file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("settings file {}", path.display()))
}

fn read_if_there(path: &Path) -> Result<Settings> {
    if path.exists() {
        read(path)
    } else {
        Ok(Settings::default())
    }
}

fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<()> {
    for name in names {
        let ours = name.starts_with("FIREFLY_");
        if ours && !VARIABLES.contains(&name.as_str()) && !OTHER_VARIABLES.contains(&name.as_str())
        {
            bail!(
                "unknown environment variable {name}; known: {}",
                VARIABLES.join(", ")
            );
        }
    }
    Ok(())
}

/// A shard's part of `index_memory_mib`; big imports write, and merge, fewer segments the more there is.
fn shard_memory_bytes(mib: Option<u64>, shards: usize) -> usize {
    let fitting = || {
        memory::total_bytes()
            .map_or(256, |bytes| (bytes >> 20) / 16)
            .clamp(256, 768)
    };
    let bytes = mib.unwrap_or_else(fitting) << 20;
    let each = usize::try_from(bytes).unwrap_or(usize::MAX) / shards;
    each.clamp(*indexer::MEMORY_BYTES.start(), *indexer::MEMORY_BYTES.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Config> {
        Config::resolve("/data".into(), toml::from_str(text)?)
    }

    #[test]
    fn nothing_has_to_be_set() {
        let config = resolve("").unwrap();
        assert_eq!(config.listen, "127.0.0.1:8080");
        assert_eq!(config.targets, [Place::Folder("/data/blocks".into())]);
        assert_eq!((config.tls, config.replicas), (TlsMode::Off, 1));
        assert_eq!(config.helpers.ocr_languages.as_deref(), Some("eng"));
        let off = resolve("ocr_languages = \"off\"").unwrap();
        assert_eq!(off.helpers, HelperOptions::default());
    }

    #[test]
    fn blocks_are_in_folders_and_on_other_machines() {
        let text = "targets = \"a, /b, s3://bucket/f?credentials=s3.secret, hdfs://host:1/f\"";
        let expected = [
            Place::Folder("/data/a".into()),
            Place::Folder("/b".into()),
            Place::Url("s3://bucket/f?credentials=/data/s3.secret".into()),
            Place::Url("hdfs://host:1/f".into()),
        ];
        assert_eq!(resolve(text).unwrap().targets, expected);
    }

    #[test]
    fn what_cannot_hold_is_refused() {
        for (text, part) in [
            ("colour = 1", "unknown field"),
            ("replicas = 0", "every block is somewhere"),
            ("replicas = 2\nmin_replicas = 3", "1 to replicas"),
            ("shards = 0", "1 to 1024"),
            ("tls = \"maybe\"", "off, self or files"),
            ("tls_cert = \"a\"", "go together"),
            ("ocr_languages = \"-eng\"", "like eng+deu"),
            ("tika_url = \"ftp://a\"", "http://"),
            ("broker_ca = \"a\"", "go with broker"),
            ("metadata = \"oracle://a\"", "start with mysql://"),
            ("metadata_connections = 3", "goes with metadata"),
            (
                "cache_url = \"memcache://a\"",
                "cache_url goes with metadata",
            ),
            (
                "metadata = \"mysql://a@b/c\"\ncache_url = \"redis://a\"",
                "not memcache://",
            ),
            (
                "trusted_proxies = \"10.0.0.0/8, proxy\"",
                "`proxy` is neither",
            ),
            ("import_roots = \"files\"", "does not start with /"),
            ("log_format = \"xml\"", "text or json"),
            ("log_keep = 0", "at least"),
        ] {
            let error = format!("{:#}", resolve(text).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn flags_win_over_the_file() {
        let flags = Settings {
            listen: Some("a:1".into()),
            ..Settings::default()
        };
        let file = Settings {
            listen: Some("b:2".into()),
            shards: Some(3),
            ..Settings::default()
        };
        let both = flags.or(file);
        assert_eq!(
            (both.listen.as_deref(), both.shards),
            (Some("a:1"), Some(3))
        );
    }

    #[test]
    fn unknown_variables_are_refused() {
        let names = |name: &str| std::iter::once(name.to_owned());
        assert!(refuse_unknown_variables(names("FIREFLY_LISTEN")).is_ok());
        assert!(refuse_unknown_variables(names("PATH")).is_ok());
        assert!(refuse_unknown_variables(names("FIREFLY_COLOUR")).is_err());
    }

    #[test]
    fn the_readme_names_every_setting() {
        let readme = include_str!("../README.md");
        for variable in VARIABLES {
            let name = variable.trim_start_matches("FIREFLY_").to_lowercase();
            let flag = format!("`--{} ", name.replace('_', "-"));
            let variable = format!("| `{variable}` |");
            assert!(readme.contains(&flag), "{flag}");
            assert!(readme.contains(&variable), "{variable}");
        }
    }
}
