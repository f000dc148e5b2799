//! The verifier that runs all the time: every extent is read on a schedule, young ones more often, and it is noted when.

use super::extent::{self, Extent, State};
use super::row::{self, ExtentId};
use super::{BlockStore, Shared, VerifyReport};
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, prefix_end};

/// `EXTENT 5 extent`: when it was read (ms), up to which byte, and how many of its blocks no replica had; u64 each.
const TABLE: [u8; 2] = [keyspace::EXTENT, 5];
/// Extents are young for so long, milliseconds.
const YOUNG_MS: u64 = 7 * DAY_MS;
/// How often young extents are read, milliseconds.
const YOUNG_EVERY_MS: u64 = DAY_MS;
/// How often all others are read, milliseconds.
const OLD_EVERY_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 3_600_000;
/// Rows of an extent's table read at a time.
const PAGE: usize = 256;

/// How much one call reads at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScrubBudget {
    /// Blocks.
    pub blocks: u64,
    /// Bytes, all replicas.
    pub bytes: u64,
}

/// An extent that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubPosition {
    extent: ExtentId,
    offset: u64,
    /// When this reading began, and how long the extent was then.
    began_ms: u64,
    length: u64,
    lost: u64,
}

/// What one call of [`BlockStore::scrub`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Blocks looked at.
    pub examined: u64,
    /// Replicas rewritten from good ones.
    pub repaired: u64,
    /// Blocks of which no replica is in order, or whose row is bad.
    pub lost: u64,
    /// Where the next call goes on; `None` when nothing is due.
    pub position: Option<ScrubPosition>,
}

/// When an extent was read last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Verified {
    at_ms: u64,
    length: u64,
    lost: u64,
}

/// How well a file's blocks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// When all of them were last known to be good on every replica, milliseconds since 1970; none when some were not read yet,
    /// or not found in order.
    pub verified_ms: Option<u64>,
    /// Copies that each has at least.
    pub copies: usize,
    /// Copies that each should have.
    pub wanted: usize,
}

impl BlockStore {
    /// One unit: goes on with the extent at `position`, or begins the one that is due longest. Repairs what it can.
    pub fn scrub(
        &self,
        now_ms: u64,
        position: Option<ScrubPosition>,
        budget: ScrubBudget,
    ) -> Result<ScrubReport> {
        let mut report = ScrubReport::default();
        let mut read = VerifyReport::default();
        let mut position = position;
        while report.examined < budget.blocks && read.bytes < budget.bytes {
            let mut at = match position.take() {
                Some(at) => at,
                None => match self.shared.due(now_ms)? {
                    Some(at) => at,
                    None => break,
                },
            };
            let is_through = self.scrub_extent(&mut at, budget, &mut report, &mut read)?;
            match is_through {
                true => self.shared.note_verified(&at)?,
                false => position = Some(at),
            }
        }
        report.position = position;
        Ok(report)
    }

    fn scrub_extent(
        &self,
        at: &mut ScrubPosition,
        budget: ScrubBudget,
        report: &mut ScrubReport,
        read: &mut VerifyReport,
    ) -> Result<bool> {
        let table = row::content_prefix(at.extent);
        loop {
            let start = [&table[..], &at.offset.to_be_bytes()].concat();
            let page = self.shared.store.snapshot()?;
            let page = page.range(&start, &prefix_end(&table), false, PAGE)?;
            if page.is_empty() {
                return Ok(true);
            }
            for (key, value) in &page {
                let (_, offset, hash) = super::archive::content(key, value)?;
                if offset >= at.length {
                    return Ok(true);
                }
                if report.examined >= budget.blocks || read.bytes >= budget.bytes {
                    return Ok(false);
                }
                at.offset = offset + 1;
                let lost = self.scrub_block(&hash, report, read)?;
                at.lost += u64::from(lost);
            }
        }
    }

    /// True when no replica of the block is in order.
    fn scrub_block(
        &self,
        hash: &BlockHash,
        report: &mut ScrubReport,
        read: &mut VerifyReport,
    ) -> Result<bool> {
        report.examined += 1;
        if self.shared.verify_block(hash, read)?.is_empty() {
            return Ok(false);
        }
        match self.repair(hash) {
            Ok(targets) => report.repaired += targets.len() as u64,
            Err(error) => {
                tracing::error!(%hash, %error, "a block could not be repaired");
                report.lost += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// When the blocks were last read and found good, and on how many targets they are.
    pub fn kept(&self, blocks: &[BlockHash]) -> Result<Kept> {
        let rows = self.shared.store.snapshot()?;
        let mut kept = Kept {
            verified_ms: Some(u64::MAX),
            copies: usize::MAX,
            wanted: self.shared.options.replicas,
        };
        for hash in blocks {
            let Some(block) = row::read(&*rows, hash)? else {
                return Ok(Kept {
                    verified_ms: None,
                    copies: 0,
                    ..kept
                });
            };
            let verified = verified(&*rows, block.location.extent)?
                .filter(|v| v.lost == 0 && block.location.offset < v.length)
                .map(|v| v.at_ms);
            kept.verified_ms = kept.verified_ms.zip(verified).map(|(a, b)| a.min(b));
            let extent = self.shared.extent(block.location.extent);
            let copies = extent.map_or(0, |extent| {
                self.shared.good_copies(block.location.extent, &extent)
            });
            kept.copies = kept.copies.min(copies);
        }
        if blocks.is_empty() {
            kept.copies = kept.wanted;
        }
        kept.verified_ms = kept.verified_ms.filter(|at| *at != u64::MAX);
        Ok(kept)
    }
}

impl Shared {
    /// The extent that is due longest.
    fn due(&self, now_ms: u64) -> Result<Option<ScrubPosition>> {
        let rows = self.store.snapshot()?;
        let mut longest: Option<(u64, ExtentId, u64)> = None;
        for (id, extent) in extent::read_all(&*rows)? {
            if extent.state == State::Dropped || extent.length <= extent::HEADER_BYTES {
                continue;
            }
            let due_ms = due_ms(&extent, verified(&*rows, id)?, now_ms);
            if due_ms <= now_ms && longest.is_none_or(|(first, _, _)| due_ms < first) {
                longest = Some((due_ms, id, extent.length));
            }
        }
        Ok(longest.map(|(_, extent, length)| ScrubPosition {
            extent,
            offset: 0,
            began_ms: now_ms,
            length,
            lost: 0,
        }))
    }

    fn note_verified(&self, at: &ScrubPosition) -> Result<()> {
        let row = [at.began_ms, at.length, at.lost]
            .map(u64::to_be_bytes)
            .concat();
        self.store.transact(&mut |txn| {
            // Gone meanwhile: nothing is left to say about it.
            if extent::read(txn, at.extent)?.is_some() {
                txn.put(verified_key(at.extent), row.clone().into());
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// When an extent is to be read next. What was never read is due at once; young ones daily, so that a bad disk shows early.
fn due_ms(extent: &Extent, verified: Option<Verified>, now_ms: u64) -> u64 {
    let Some(verified) = verified else {
        return extent.created_ms;
    };
    let is_young = now_ms.saturating_sub(extent.created_ms) < YOUNG_MS;
    verified.at_ms
        + if is_young {
            YOUNG_EVERY_MS
        } else {
            OLD_EVERY_MS
        }
}

fn verified(rows: &dyn Snapshot, extent: ExtentId) -> Result<Option<Verified>> {
    let Some(row) = rows.get(&verified_key(extent))? else {
        return Ok(None);
    };
    let number = |at| crate::row::u64_at("verification of an extent", &row, at);
    Ok(Some(Verified {
        at_ms: number(0)?,
        length: number(8)?,
        lost: number(16)?,
    }))
}

/// The key of when an extent was read.
pub(super) fn verified_key(extent: ExtentId) -> Vec<u8> {
    [&TABLE[..], &extent.0.to_be_bytes()].concat()
}
