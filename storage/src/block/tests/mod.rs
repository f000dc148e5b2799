//! The block store against real files and the embedded key-value store.

pub mod faults;
mod put;

use std::sync::Arc;

use super::*;
use crate::kv::leveldb::{self, LevelDbStore};
use crate::meta::env::{Env, ManualClock};

/// A block store in a temporary folder, which can be closed and opened again.
struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    keys: Keyring,
    options: Options,
    targets: usize,
}

impl Bench {
    fn new(replicas: usize) -> Self {
        let options = Options {
            replicas,
            extent_bytes: 64 * 1024,
            lease_ms: 20_000,
            delay_ms: 10_000,
            cache_bytes: 0,
            ..Options::default()
        };
        let (_, clock) = Env::seeded(0, 1_000_000);
        Bench {
            folder: tempfile::tempdir().unwrap(),
            clock,
            keys: Keyring::in_memory().unwrap(),
            options,
            targets: replicas,
        }
    }

    fn target(&self, number: usize) -> Target {
        Target::new(
            format!("t{number}"),
            self.folder.path().join(format!("t{number}")),
        )
    }

    fn kv(&self) -> Arc<dyn Store> {
        Arc::new(
            LevelDbStore::open(&self.folder.path().join("kv"), leveldb::Options::default())
                .unwrap(),
        )
    }

    fn open(&self) -> BlockStore {
        self.open_with(self.keys.clone()).unwrap()
    }

    fn open_with(&self, keys: Keyring) -> Result<BlockStore> {
        let targets = (0..self.targets)
            .map(|number| self.target(number))
            .collect();
        BlockStore::open(
            self.kv(),
            targets,
            self.options.clone(),
            keys,
            self.clock.clone(),
        )
    }
}

/// Bytes that do not compress, the same for the same seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    use rand::{RngCore, SeedableRng};
    let mut bytes = vec![0; length];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

/// A small block for a number.
fn block(number: u64) -> Vec<u8> {
    format!("block {number} ").repeat(20).into_bytes()
}
