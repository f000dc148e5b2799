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
    lively: Mutex<Vec<Partition>>,
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
        let all: Vec<_> = (0..PARTITIONS).map(Partition).collect();
        let grown = self.look_at(journal, &all)?;
        let moved = self.shards_of(&grown);
        let lively = grown.into_iter().take(MAX_LIVELY).collect();
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
        Ok(self.shards_of(&self.look_at(journal, &lively)?))
    }

    /// Those of `partitions` whose logs grew since they were last looked at.
    fn look_at(
        &self,
        journal: &Journal,
        partitions: &[Partition],
    ) -> storage::Result<Vec<Partition>> {
        let heads = journal.partition_heads(partitions)?;
        let looked = partitions.iter().copied().zip(heads);
        let grown = looked.filter(|(partition, head)| {
            *head > self.seen[partition.0 as usize].fetch_max(*head, Ordering::AcqRel)
        });
        Ok(grown.map(|(partition, _)| partition).collect())
    }

    fn shards_of(&self, partitions: &[Partition]) -> HashSet<u16> {
        let shard = |partition: &Partition| payload::place(*partition, self.shards).0;
        partitions.iter().map(shard).collect()
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
