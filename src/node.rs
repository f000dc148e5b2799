//! The parts of one process, opened in the order in which the data flows.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use storage::block::{self, BlockStore, Place, Target};
use storage::extraction::Extractions;
use storage::journal::Journal;
use storage::key::{Keyring, Source};
use storage::kv::Store;
use storage::kv::mysql::MySqlStore;
use storage::meta::{Env, Meta};
use storage::object;

use crate::config::{Config, Metadata};
use crate::metadata;

/// Storage, opened.
#[derive(Clone)]
pub struct Node {
    /// The key-value store under all metadata.
    pub store: Arc<dyn Store>,
    /// The same where it is a database, which may be spread over several servers.
    pub database: Option<Arc<MySqlStore>>,
    /// The blocks.
    pub blocks: BlockStore,
    /// Their keys.
    pub keys: Keyring,
    /// Accounts, the tree, sharing.
    pub meta: Meta,
    /// What changed.
    pub journal: Journal,
    /// What is to be extracted, and what was.
    pub extractions: Extractions,
    /// The data folder: folders for blocks are named from there.
    pub data: std::path::PathBuf,
    /// Where metadata is: `embedded`, or the database's address.
    pub metadata: String,
    /// Days that deleted files and old versions are kept, unless an administrator has set others.
    pub retention_days: u32,
}

impl Node {
    /// Opens storage in the data folder, making what is not there yet.
    pub fn open(config: &Config) -> Result<Node> {
        make_private_folder(&config.data)?;
        if storage::backup::is_unfinished(&config.data) {
            bail!(
                "`firefly restore` into {} was interrupted: run it again",
                config.data.display()
            );
        }
        let metadata::Opened { store, database } = metadata::open(config)?;
        let env = Env::system();
        let keys = Keyring::open(key_source(config), block::holds_data(&*store)?)?;
        let options = block::Options {
            replicas: config.replicas,
            min_replicas: config.min_replicas,
            comes_back_ms: config.comes_back_ms,
            writer: config.cluster.as_ref().map(|cluster| cluster.process),
            ..block::Options::default()
        };
        let blocks = BlockStore::open(
            store.clone(),
            targets(config),
            options,
            keys.clone(),
            env.clock.clone(),
        )?;
        let meta = Meta::open(store.clone(), env)?.with_options(storage::meta::Options {
            default_quota_bytes: config.quota_bytes,
            session_idle_ms: config.sessions.idle_ms,
            ..storage::meta::Options::default()
        });
        Ok(Node {
            journal: Journal::new(store.clone()),
            extractions: Extractions::new(store.clone()),
            store,
            database,
            blocks,
            keys,
            meta,
            data: config.data.clone(),
            metadata: match &config.metadata {
                Metadata::Embedded => "embedded".to_owned(),
                Metadata::Database { url, .. } => url.clone(),
            },
            retention_days: config.retention_days,
        })
    }

    /// Opens the storage of a server that does not run.
    pub fn open_stopped(config: &Config) -> Result<Node> {
        if config.metadata == Metadata::Embedded && !config.data.join("meta").exists() {
            bail!("there is no store in {}", config.data.display());
        }
        Self::open(config)
    }
}

/// The targets of the settings.
pub fn targets(config: &Config) -> Vec<Target> {
    let places = config.targets.iter();
    places.map(|place| target(&config.data, place)).collect()
}

/// A place for blocks as it is written: a folder counted from the data folder, or a URL, whose options may name files there.
pub fn place(data: &Path, written: &str) -> Place {
    match Place::parse(written) {
        Place::Folder(folder) => Place::Folder(data.join(folder)),
        Place::Url(url) => Place::Url(object::with_folder(&url, data)),
    }
}

/// A place for blocks. Its name is stored with every extent and must not change: a folder inside the data folder is named from
/// there, so that the data folder may move; a URL without its options.
pub fn target(data: &Path, place: &Place) -> Target {
    let name = match place {
        Place::Folder(folder) => {
            let name = folder.strip_prefix(data).unwrap_or(folder);
            name.display().to_string()
        }
        Place::Url(url) => object::shown(url).to_owned(),
    };
    Target::at(name, place.clone())
}

/// Where the key-encryption keys are.
pub fn key_source(config: &Config) -> Source {
    match &config.kek_command {
        Some(command) => Source::Command(command.clone()),
        None => Source::File(config.data.join("keys/kek.json")),
    }
}

/// Makes a folder that only its owner can read.
pub fn make_private_folder(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.with_context(|| format!("make the data folder {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_keeps_its_name_when_the_data_folder_moves() {
        let data = Path::new("/data");
        let name = |written: &str| target(data, &place(data, written)).name;
        assert_eq!(name("/data/blocks"), "blocks");
        assert_eq!(name("/mnt/second"), "/mnt/second");
        assert_eq!(name("s3://bucket/f/?endpoint=http://x"), "s3://bucket/f");
    }
}
