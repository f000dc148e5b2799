//! Settings: flags, then the environment (`FIREFLY_…`), then `firefly.toml`, then the defaults. Unknown keys are errors.
//!
//! `settings` is what may be set, `parts` what that means where it is more than a value.

mod parts;
mod settings;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use indexer::late::HelperOptions;
use ipnet::IpNet;
use storage::block::Place;
use storage::kv::mysql::CacheAddress;
use sync::bus::amqp::AmqpBus;

use crate::cluster::role::Roles;
use crate::node;
use parts::{
    BLOCK_SERVER, broker, cluster, helpers, import_roots, log, metadata, networks, public_url,
    sessions, shard_memory_bytes, tls,
};
pub use settings::Settings;
use settings::{read, read_if_there, refuse_unknown_variables};

/// Name of the settings file in the data folder.
const FILE_NAME: &str = "firefly.toml";

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
            public_url: set.public_url.as_deref().map(public_url).transpose()?,
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
            quota_bytes: set
                .quota_gib
                .unwrap_or(2048)
                .saturating_mul(1 << 30)
                .min(i64::MAX.unsigned_abs()),
            kek_command: set.kek_command,
            broker: broker(set.broker, set.broker_secret, set.broker_ca)?,
            data,
        })
    }
}
