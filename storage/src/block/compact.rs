//! Compaction: live blocks leave a sealed extent, then its files go, and with them the ciphertext of what was dropped.

use std::sync::PoisonError;
use std::sync::mpsc::sync_channel;

use super::extent::{self, Extent, State};
use super::queue::{Job, Origin};
use super::row::{self, BlockRow, ExtentId};
use super::{BlockStore, Shared, put};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::kv::prefix_end;

/// Blocks on their way at the same time, and read at once from the extent's table.
const MAX_MOVING: usize = 64;

/// What compacting one extent did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Blocks that were still alive and moved.
    pub moved: u64,
    /// Their bytes.
    pub moved_bytes: u64,
    /// Bytes the extent had on each of its targets.
    pub freed_bytes: u64,
}

impl BlockStore {
    /// Sealed extents of which more than `percent` is dead, the deadest first. None while a backup or a copy keeps extents.
    pub fn compactable(&self, percent: u64) -> Result<Vec<ExtentId>> {
        if self.shared.is_pinned() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for (id, row) in self.extents()? {
            let dead = u64::try_from(self.shared.store.counter(&row::dead_key(id))?).unwrap_or(0);
            let share = dead.saturating_mul(100) / row.length.max(1);
            if row.state == State::Sealed && share > percent {
                found.push((share, id));
            }
        }
        found.sort_unstable_by_key(|(share, id)| (std::cmp::Reverse(*share), *id));
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    /// Moves what lives in a sealed extent to the open one and removes its files. A block that no replica has in order
    /// is an error, and the extent stays.
    pub fn compact(&self, extent: ExtentId) -> Result<CompactReport> {
        let row = extent::read(&*self.shared.store.snapshot()?, extent)?;
        let Some(row) = row.filter(|row| row.state == State::Sealed) else {
            return Err(Error::Engine(format!("extent {extent} is not sealed")));
        };
        let mut report = CompactReport {
            freed_bytes: row.length,
            ..CompactReport::default()
        };
        loop {
            let blocks = self
                .shared
                .content(extent, row::content_prefix(extent), MAX_MOVING)?;
            if blocks.is_empty() {
                break;
            }
            self.shared.move_away(&blocks, &mut report)?;
        }
        self.shared.drop_extent(extent, row)?;
        Ok(report)
    }
}

impl Shared {
    /// The blocks in an extent from key `start` on, in the order of their places, with their rows.
    pub(super) fn content(
        &self,
        extent: ExtentId,
        start: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<(BlockHash, BlockRow)>> {
        let end = prefix_end(&row::content_prefix(extent));
        let snapshot = self.store.snapshot()?;
        let places = snapshot.range(&start, &end, false, limit)?;
        let mut blocks = Vec::with_capacity(places.len());
        for (key, value) in places {
            let hash = row::hash_at(&value, 0)?;
            let row =
                row::read(&*snapshot, &hash)?.filter(|row| row::content_key(row.location) == key);
            let row = row.ok_or_else(|| Error::Corrupt {
                what: format!("extent {extent}"),
                detail: format!(
                    "its table names block {hash}, whose index row is elsewhere or missing"
                ),
            })?;
            blocks.push((hash, row));
        }
        Ok(blocks)
    }

    fn move_away(
        &self,
        blocks: &[(BlockHash, BlockRow)],
        report: &mut CompactReport,
    ) -> Result<()> {
        let mut moving = Vec::with_capacity(blocks.len());
        for (hash, row) in blocks {
            let key = self.keys.unwrap(&row.key, hash)?;
            let readings = self.read_replicas(hash, row, &key, false);
            let Some((record, _)) = readings.good else {
                if self.has_moved(hash, row)? {
                    continue;
                }
                return Err(super::read::lost(hash, readings.faults));
            };
            report.moved += 1;
            report.moved_bytes += record.len() as u64;
            let (done, pending) = sync_channel(1);
            let origin = Origin::Move { from: row.location };
            self.queue.push(Job {
                hash: *hash,
                codec: row.codec,
                plain_len: row.plain_len,
                record,
                origin,
                done,
            })?;
            moving.push(pending);
        }
        moving
            .into_iter()
            .try_for_each(|pending| put::wait(Some(pending)))
    }

    /// Removes an extent in which nothing lives: first the decision is committed, then the files go.
    fn drop_extent(&self, id: ExtentId, row: Extent) -> Result<()> {
        let _alone = self.removal.write().unwrap_or_else(PoisonError::into_inner);
        if self.is_pinned() {
            return Err(Error::Engine(format!(
                "extent {id} is empty, but a backup or a copy keeps it for now"
            ))); // the next compaction takes it up again
        }
        let row = Extent {
            state: State::Dropped,
            ..row
        };
        let prefix = row::content_prefix(id);
        self.store.transact(&mut |txn| {
            if !txn
                .range(&prefix, &prefix_end(&prefix), false, 1)?
                .is_empty()
            {
                return Err(Error::Engine(format!("extent {id} still has blocks")));
            }
            extent::write(txn, id, &row)
        })?;
        self.remember(id, &row);
        self.finish_removal(id, &row)
    }
}
