//! Garbage: blocks that nobody refers to, after a delay, checked again in the transaction that drops them (I7).
//!
//! A block goes in two steps. First the collector marks it when its lease is over and it finds no reference; the mark
//! goes when somebody stores the block again. When the mark is older than the delay, and there still is neither
//! reference, lease nor hold, the index row is dropped, and with it the only key to the bytes. Both steps read the
//! block's row and its range of references in the same transaction, so a reference made meanwhile is a conflict.

use std::sync::PoisonError;

use super::index::Dead;
use super::row::{self, BlockRow};
use super::{BlockStore, Shared};
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, Transaction, prefix_end};

/// Rows read at once.
const PAGE_ROWS: usize = 1_000;
/// Candidates decided in one transaction.
const GROUP_BLOCKS: usize = 64;

/// Keeps blocks although nothing refers to them (a legal hold, say).
pub trait Holds {
    /// True when the block must stay. Reads through `from`, so that a hold placed meanwhile is a conflict.
    fn is_held(&self, from: &dyn Snapshot, hash: &BlockHash) -> Result<bool>;
}

/// No block is held.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHolds;

impl Holds for NoHolds {
    fn is_held(&self, _: &dyn Snapshot, _: &BlockHash) -> Result<bool> {
        Ok(false)
    }
}

impl<F: Fn(&dyn Snapshot, &BlockHash) -> Result<bool>> Holds for F {
    fn is_held(&self, from: &dyn Snapshot, hash: &BlockHash) -> Result<bool> {
        self(from, hash)
    }
}

/// What one call of the collector did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Index rows looked at.
    pub examined: u64,
    /// Blocks marked: they go after the delay.
    pub marked: u64,
    /// Blocks dropped; nobody can read them any more.
    pub collected: u64,
    /// Their bytes in extents, freed when those are compacted.
    pub dead_bytes: u64,
    /// Blocks that only a hold keeps.
    pub held: u64,
    /// True when this call came to the end of the index; the next one begins at the start.
    pub is_round_complete: bool,
}

impl BlockStore {
    /// Looks at up to `budget` index rows, from where the last call ended, and marks or drops garbage as of `now_ms`.
    pub fn collect(&self, now_ms: u64, budget: usize, holds: &dyn Holds) -> Result<GcReport> {
        let mut position = self
            .shared
            .collected_to
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut report = GcReport::default();
        while report.examined < budget as u64 {
            let limit = PAGE_ROWS.min(budget - report.examined as usize);
            let rows = self.shared.page(&position, limit)?;
            report.examined += rows.len() as u64;
            let last = rows.last().map(|(hash, _)| *hash);
            let candidates = self.shared.candidates(rows, now_ms)?;
            for group in candidates.chunks(GROUP_BLOCKS) {
                self.shared
                    .collect_group(group, now_ms, holds, &mut report)?;
            }
            match last {
                Some(last) => *position = [&row::block_key(&last)[..], &[0]].concat(),
                None => {
                    position.clear();
                    report.is_round_complete = true;
                    break;
                }
            }
        }
        Ok(report)
    }
}

impl Shared {
    /// The index rows from key `position` on, at most `limit`.
    pub(super) fn page(&self, position: &[u8], limit: usize) -> Result<Vec<(BlockHash, BlockRow)>> {
        let table = [keyspace::BLOCK];
        let start = position.max(&table[..]);
        let rows = self
            .store
            .snapshot()?
            .range(start, &prefix_end(&table), false, limit)?;
        rows.iter()
            .map(|(key, value)| {
                let hash = row::hash_at(key, 1)?;
                Ok((hash, BlockRow::decode(&hash, value)?))
            })
            .collect()
    }

    /// The rows that look like garbage, or are marked, outside any transaction.
    fn candidates(&self, rows: Vec<(BlockHash, BlockRow)>, now_ms: u64) -> Result<Vec<BlockHash>> {
        let snapshot = self.store.snapshot()?;
        let mut found = Vec::new();
        for (hash, row) in rows {
            if self.is_over(&row, now_ms)
                && (row.condemned_at_ms != 0 || !is_referenced(&*snapshot, &hash)?)
            {
                found.push(hash);
            }
        }
        Ok(found)
    }

    fn is_over(&self, row: &BlockRow, now_ms: u64) -> bool {
        row.leased_at_ms.saturating_add(self.options.lease_ms) < now_ms
    }

    fn collect_group(
        &self,
        group: &[BlockHash],
        now_ms: u64,
        holds: &dyn Holds,
        report: &mut GcReport,
    ) -> Result<()> {
        let mut done = *report;
        let mut gone = Vec::new();
        self.store.transact(&mut |txn| {
            (done, gone) = (*report, Vec::new());
            let mut dead = Dead::default();
            for hash in group {
                self.collect_one(txn, hash, now_ms, holds, &mut done, &mut dead, &mut gone)?;
            }
            dead.count(txn);
            Ok(())
        })?;
        gone.iter().for_each(|hash| self.cache.remove(hash));
        *report = done;
        Ok(())
    }

    /// Decides about one block, on what this transaction reads (I7).
    #[allow(clippy::too_many_arguments)] // one decision, its inputs and its outcomes
    fn collect_one(
        &self,
        txn: &mut dyn Transaction,
        hash: &BlockHash,
        now_ms: u64,
        holds: &dyn Holds,
        report: &mut GcReport,
        dead: &mut Dead,
        gone: &mut Vec<BlockHash>,
    ) -> Result<()> {
        let Some(row) = row::read(txn, hash)? else {
            return Ok(());
        };
        if !self.is_over(&row, now_ms) {
            return Ok(());
        }
        if is_referenced(txn, hash)? {
            if row.condemned_at_ms != 0 {
                let row = BlockRow {
                    condemned_at_ms: 0,
                    ..row
                };
                txn.put(row::block_key(hash), row.encode().into());
            }
            return Ok(());
        }
        if holds.is_held(txn, hash)? {
            report.held += 1;
            return Ok(());
        }
        if row.condemned_at_ms == 0 {
            let row = BlockRow {
                condemned_at_ms: now_ms.max(1),
                ..row
            };
            txn.put(row::block_key(hash), row.encode().into());
            report.marked += 1;
        } else if row.condemned_at_ms.saturating_add(self.options.delay_ms) < now_ms {
            txn.delete(row::block_key(hash));
            txn.delete(row::content_key(row.location));
            dead.add(row.location.extent, row.record_len());
            gone.push(*hash);
            report.collected += 1;
            report.dead_bytes += row.record_len();
        }
        Ok(())
    }
}

fn is_referenced(from: &(impl Snapshot + ?Sized), hash: &BlockHash) -> Result<bool> {
    let prefix = row::reference_prefix(hash);
    Ok(!from
        .range(&prefix, &prefix_end(&prefix), false, 1)?
        .is_empty())
}
