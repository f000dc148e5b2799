//! The heads of all partition logs, watched by one thread for all shards.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use storage::journal::{Journal, PARTITIONS, Partition};

use crate::payload;

/// Partitions that moved lately, at most; those are looked at more often.
const MAX_LIVELY: usize = 64;

/// The last sequence seen in every partition log.
pub struct Heads {
    shards: u16,
    seen: Vec<AtomicU64>,
    lively: Mutex<HashSet<Partition>>,
}

impl Heads {
    /// Nothing seen yet.
    pub fn new(shards: u16) -> Self {
        let seen = (0..PARTITIONS).map(|_| AtomicU64::new(0)).collect();
        Heads {
            shards,
            seen,
            lively: Mutex::default(),
        }
    }

    /// Looks at every log; returns the shards whose logs moved.
    pub fn look(&self, journal: &Journal) -> storage::Result<HashSet<u16>> {
        let mut moved = HashSet::new();
        let mut lively = HashSet::new();
        for partition in (0..PARTITIONS).map(Partition) {
            if self.look_at(journal, partition, &mut moved)? && lively.len() < MAX_LIVELY {
                lively.insert(partition);
            }
        }
        *self.lively.lock().unwrap_or_else(PoisonError::into_inner) = lively;
        Ok(moved)
    }

    /// Looks only at the logs that moved at the last full look.
    pub fn look_at_lively(&self, journal: &Journal) -> storage::Result<HashSet<u16>> {
        let lively = self
            .lively
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut moved = HashSet::new();
        for partition in lively {
            self.look_at(journal, partition, &mut moved)?;
        }
        Ok(moved)
    }

    fn look_at(
        &self,
        journal: &Journal,
        partition: Partition,
        moved: &mut HashSet<u16>,
    ) -> storage::Result<bool> {
        let head = journal.partition_head(partition)?;
        let before = self.seen[partition.0 as usize].fetch_max(head, Ordering::AcqRel);
        if head > before {
            moved.insert(payload::place(partition, self.shards).0);
        }
        Ok(head > before)
    }

    /// The heads of a shard's partitions, each with its place in the shard's checkpoint.
    pub fn of(&self, shard: u16) -> Vec<(usize, u64)> {
        let owned = payload::owned(shard, self.shards).enumerate();
        owned
            .map(|(index, partition)| {
                (
                    index,
                    self.seen[partition.0 as usize].load(Ordering::Acquire),
                )
            })
            .collect()
    }
}
