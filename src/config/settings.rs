//! What may be set, and reading it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

/// Variables with our prefix that are not settings of the server.
const OTHER_VARIABLES: [&str; 4] = [
    "FIREFLY_CONFIG",
    "FIREFLY_LOG",
    "FIREFLY_TOKEN",
    "FIREFLY_UI_DIST",
];

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
            pub(super) fn or(self, other: Settings) -> Settings {
                Settings { $($name: self.$name.or(other.$name),)* }
            }
        }

        /// The variables of all of them.
        pub(super) const VARIABLES: &[&str] = &["FIREFLY_DATA", $($env,)*];
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

/// Reads a settings file.
pub(super) fn read(path: &Path) -> Result<Settings> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("settings file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("settings file {}", path.display()))
}

/// The same; nothing is set where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Settings> {
    if path.exists() {
        read(path)
    } else {
        Ok(Settings::default())
    }
}

/// Refuses variables that look like settings and are none.
pub(super) fn refuse_unknown_variables(names: impl Iterator<Item = String>) -> Result<()> {
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
