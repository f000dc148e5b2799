//! Published snapshots of shards: which objects one is made of, and how far it has read the logs. The row is written under the shard's
//! lease, so that an owner of an older epoch cannot put an older snapshot in a newer one's place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kv::{Store, prefix_end};
use crate::lease::{self, Held};
use crate::{keyspace, row};

/// The last published snapshot of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// How many shards there are.
    pub shards: u16,
    /// Under which epoch it was published.
    pub epoch: u64,
    /// For each owned partition, the sequence up to which it has everything.
    pub checkpoint: Vec<u64>,
    /// What the index says about itself.
    pub meta: String,
    /// Its files, with their lengths in bytes.
    pub files: Vec<(String, u64)>,
}

/// The snapshots of a store.
#[derive(Clone)]
pub struct Snapshots {
    store: Arc<dyn Store>,
}

impl Snapshots {
    /// The snapshots of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Snapshots { store }
    }

    /// The last one of a shard.
    pub fn get(&self, shard: u16) -> Result<Option<Snapshot>> {
        let found = self.store.snapshot()?.get(&key(shard))?;
        found.map(|found| decode(shard, &found)).transpose()
    }

    /// The last ones of all shards.
    pub fn all(&self) -> Result<Vec<(u16, Snapshot)>> {
        let prefix = [keyspace::SNAPSHOT];
        let end = prefix_end(&prefix);
        let rows = self
            .store
            .snapshot()?
            .range(&prefix, &end, false, usize::from(u16::MAX))?;
        rows.iter()
            .filter_map(|(key, value)| Some((u16::from_be_bytes(key[1..].try_into().ok()?), value)))
            .map(|(shard, value)| Ok((shard, decode(shard, value)?)))
            .collect()
    }

    /// Makes `snapshot` the last one. Refused when `held` is not the present lease of the shard. // fenced by epoch
    pub fn put(&self, held: &Held, shard: u16, snapshot: &Snapshot) -> Result<()> {
        let value = row::encode(snapshot)?;
        self.store.transact(&mut |txn| {
            lease::require(txn, held)?;
            txn.put(key(shard), value.clone().into());
            Ok(())
        })?;
        Ok(())
    }
}

fn decode(shard: u16, value: &[u8]) -> Result<Snapshot> {
    let what = format!("snapshot of shard {shard}");
    let snapshot: Snapshot = row::decode(&what, value)?;
    match snapshot.files.iter().find(|(file, _)| !is_plain(file)) {
        Some((file, _)) => Err(Error::Corrupt {
            what,
            detail: format!("{file:?} is no file of an index"),
        }),
        None => Ok(snapshot),
    }
}

/// A name within the folder of the index, and none that the engine or the file system understands otherwise.
fn is_plain(file: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !file.starts_with('.') && !file.is_empty() && file.chars().all(is_known)
}

/// `SNAPSHOT shard`.
fn key(shard: u16) -> Vec<u8> {
    [&[keyspace::SNAPSHOT][..], &shard.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;
    use crate::lease::{Leases, Terms};

    #[test]
    fn an_owner_of_an_older_epoch_publishes_nothing() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let leases = Leases::new(store.clone(), 1, String::new(), Terms::default());
        let snapshots = Snapshots::new(store);
        let of = |held: &Held| Snapshot {
            shards: 8,
            epoch: held.epoch,
            checkpoint: vec![held.epoch; 128],
            meta: "{}".into(),
            files: vec![("a.idx".into(), 7)],
        };
        let old = leases.take("shard/0003").unwrap().unwrap();
        snapshots.put(&old, 3, &of(&old)).unwrap();
        let new = leases.take("shard/0003").unwrap().unwrap();
        snapshots.put(&new, 3, &of(&new)).unwrap();
        assert!(snapshots.put(&old, 3, &of(&old)).is_err());
        assert_eq!(snapshots.all().unwrap(), [(3, of(&new))]);
        assert_eq!(snapshots.get(2).unwrap(), None);
    }

    #[test]
    fn files_elsewhere_are_no_files_of_a_snapshot() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let leases = Leases::new(store.clone(), 1, String::new(), Terms::default());
        let held = leases.take("shard/0003").unwrap().unwrap();
        let snapshots = Snapshots::new(store);
        for file in ["../kek.json", "/etc/passwd", "a/b.idx", "", ".managed.json"] {
            let snapshot = Snapshot {
                shards: 8,
                epoch: 1,
                checkpoint: Vec::new(),
                meta: "{}".into(),
                files: vec![(file.into(), 7)],
            };
            snapshots.put(&held, 3, &snapshot).unwrap();
            let read = snapshots.get(3);
            assert!(matches!(read, Err(Error::Corrupt { .. })), "{file}");
        }
    }
}
