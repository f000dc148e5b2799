//! The parts of one process, opened in the order in which the data flows.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use storage::block::{self, BlockStore, Target};
use storage::extraction::Extractions;
use storage::journal::Journal;
use storage::key::{Keyring, Source};
use storage::kv::Store;
use storage::meta::{Env, Meta};

use crate::config::{Config, Metadata};
use crate::metadata;

/// Storage, opened.
#[derive(Clone)]
pub struct Node {
    /// The key-value store under all metadata.
    pub store: Arc<dyn Store>,
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
        let store = metadata::open(config)?;
        let env = Env::system();
        let keys = Keyring::open(key_source(config), block::holds_data(&*store)?)?;
        let targets = config
            .targets
            .iter()
            .map(|folder| target(&config.data, folder));
        let options = block::Options {
            replicas: config.replicas,
            min_replicas: config.min_replicas,
            ..block::Options::default()
        };
        let blocks = BlockStore::open(
            store.clone(),
            targets.collect(),
            options,
            keys.clone(),
            env.clock.clone(),
        )?;
        let meta = Meta::open(store.clone(), env)?.with_options(storage::meta::Options {
            default_quota_bytes: config.quota_bytes,
            ..storage::meta::Options::default()
        });
        Ok(Node {
            journal: Journal::new(store.clone()),
            extractions: Extractions::new(store.clone()),
            store,
            blocks,
            keys,
            meta,
            data: config.data.clone(),
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

/// A folder for blocks. Its name is stored with every extent and must not change: one inside the data folder is named from
/// there, so that the data folder may move.
pub fn target(data: &Path, folder: &Path) -> Target {
    Target::new(target_name(data, folder), folder)
}

/// The name of a folder for blocks.
pub fn target_name(data: &Path, folder: &Path) -> String {
    let name = folder.strip_prefix(data).unwrap_or(folder);
    name.display().to_string()
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
        let name = |folder: &str| target(Path::new("/data"), Path::new(folder)).name;
        assert_eq!(name("/data/blocks"), "blocks");
        assert_eq!(name("/mnt/second"), "/mnt/second");
    }
}
