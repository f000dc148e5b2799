//! The block store against real files and the embedded key-value store.

mod collect;
mod compact;
mod damage;
mod disks;
pub mod faults;
mod kill;
mod model;
mod put;
mod races;
mod remote;
mod rotate;
mod space;
mod torn;

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
            min_replicas: replicas,
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
        Target::new(format!("t{number}"), self.folder_of(number))
    }

    fn folder_of(&self, number: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("t{number}"))
    }

    fn kv(&self) -> Arc<dyn Store> {
        Arc::new(
            LevelDbStore::open(&self.folder.path().join("kv"), leveldb::Options::default())
                .unwrap(),
        )
    }

    fn open(&self) -> BlockStore {
        self.open_on(self.kv(), &self.keys).unwrap()
    }

    fn open_on(&self, kv: Arc<dyn Store>, keys: &Keyring) -> Result<BlockStore> {
        let targets = (0..self.targets)
            .map(|number| self.target(number))
            .collect();
        BlockStore::open(
            kv,
            targets,
            self.options.clone(),
            keys.clone(),
            self.clock.clone(),
        )
    }

    /// Later than every lease and delay.
    fn much_later(&self) -> u64 {
        self.clock.advance_ms(100_000);
        self.now_ms()
    }

    fn now_ms(&self) -> u64 {
        use crate::meta::Clock;
        self.clock.now_ms() as u64
    }
}

impl BlockStore {
    fn refer(&self, hash: &BlockHash, owner: u64) -> Result<()> {
        let owner = Owner::upload(&owner.to_be_bytes());
        self.shared
            .store
            .transact(&mut |txn| reference(txn, hash, &owner))
            .map(|_| ())
    }

    fn unrefer(&self, hash: &BlockHash, owner: u64) {
        let owner = Owner::upload(&owner.to_be_bytes());
        let body = &mut |txn: &mut dyn crate::kv::Transaction| {
            unreference(txn, hash, &owner);
            Ok(())
        };
        self.shared.store.transact(body).unwrap();
    }

    /// Everything that is wrong.
    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        self.verify(&mut |finding| {
            found.push(finding);
            true
        })
        .unwrap();
        found.retain(|finding| !matches!(finding, Finding::Progress { .. }));
        found
    }

    fn place(&self, hash: &BlockHash) -> row::Location {
        self.shared.row(hash).unwrap().unwrap().location
    }

    fn disk(&self, number: usize) -> Arc<Disk> {
        self.shared.all_disks()[number].clone()
    }

    /// Where a replica's record is.
    fn path(&self, hash: &BlockHash, disk: usize) -> (std::path::PathBuf, u64) {
        let place = self.place(hash);
        (self.disk(disk).path(place.extent), place.offset)
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
