//! Opens the key-value store that the settings name.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use storage::keyspace::is_hot;
use storage::kv::Store;
use storage::kv::carry;
use storage::kv::leveldb::{self, LevelDbStore};
use storage::kv::mysql::{self, MySqlStore};
use storage::lease::{Leases, Terms};

use crate::cluster::note::PROCESSES;
use crate::config::{Config, Metadata};

/// What one process at a time does on a database: its blocks, its index and its maintenance are its own.
const NODE: &str = "node";

/// The store.
pub struct Opened {
    /// As everything but its own commands sees it.
    pub store: Arc<dyn Store>,
    /// The same where it is a database, which may be spread over several servers.
    pub database: Option<Arc<MySqlStore>>,
}

/// Opens it, making what is not there yet. Fails when another process uses it, and when `migrate` did not finish it.
pub fn open(config: &Config) -> Result<Opened> {
    let opened = open_any(config)?;
    if carry::is_unfinished(&*opened.store)? {
        bail!(
            "`firefly migrate` (or `restore`) into this store was interrupted: run it again, it goes on where it was"
        );
    }
    Ok(opened)
}

/// The same for a store that `migrate` or `restore` fills.
pub fn open_empty(config: &Config) -> Result<Arc<dyn Store>> {
    Ok(open_any(config)?.store)
}

fn open_any(config: &Config) -> Result<Opened> {
    match &config.metadata {
        Metadata::Embedded => {
            let folder = config.data.join("meta");
            let store = LevelDbStore::open(&folder, leveldb::Options::default())?;
            Ok(Opened {
                store: Arc::new(store),
                database: None,
            })
        }
        Metadata::Database {
            url,
            password_file,
            ca,
            connections,
            cache,
        } => {
            let password = password_file.as_deref().map(read_password).transpose()?;
            let mut options = mysql::Options::new(url, password.as_deref())?;
            if let Some(connections) = connections {
                options.connections = *connections;
            }
            if let Some(ca) = ca {
                options.trust(ca)?;
            }
            options.cache = cache.clone().map(|address| (address, is_hot as _));
            let database = Arc::new(MySqlStore::open(options)?);
            let store: Arc<dyn Store> = database.clone();
            match config.cluster {
                None => {
                    database.claim(NODE)?;
                    refuse_cluster(&store)?;
                }
                Some(_) if database.is_claimed(NODE)? => {
                    bail!("a process without a cluster key has the metadata database for itself")
                }
                Some(_) => {}
            }
            Ok(Opened {
                store,
                database: Some(database),
            })
        }
    }
}

/// Refuses while processes of a cluster are there: what was left by one that was killed must stand still for a while first. Nothing
/// tells of a row that does not change, so it is looked at again and again, for as long as leases last at most.
fn refuse_cluster(store: &Arc<dyn Store>) -> Result<()> {
    let leases = Leases::new(
        store.clone(),
        rand::random(),
        String::new(),
        Terms::default(),
    );
    let begun = Instant::now();
    while !leases.alive(PROCESSES)?.is_empty() {
        if begun.elapsed() > Terms::default().lasts + Terms::default().margin {
            bail!("the metadata database is used by a cluster: end its processes first");
        }
        std::thread::sleep(Terms::default().renewed_every / 4);
    }
    Ok(())
}

fn read_password(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("password file {}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
