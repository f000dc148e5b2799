//! The write-ahead log's end after a power cut.
//!
//! Paranoid checks make LevelDB refuse a log with a bad checksum anywhere. The last batch, though, may have reached the disk
//! in parts only, before its fsync returned and so before anybody was told that it is stored. That one is cut off; all else
//! stays refused. Batches are written and synced one by one, therefore: what is followed by another batch was stored, and
//! damage in it is damage. A last batch without a sector of zeros is taken for damaged too, not for half written.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Records do not cross blocks of this size.
const BLOCK_BYTES: usize = 32 * 1024;
/// Checksum (4, little-endian, masked), length (2), type (1).
const HEADER_BYTES: usize = 7;
/// What a disk writes whole.
const SECTOR_BYTES: usize = 512;
/// Added to checksums in the log.
const MASK: u32 = 0xa282_ead8;
/// A record that is a whole batch.
const FULL: u8 = 1;
/// A batch's first record.
const FIRST: u8 = 2;
/// A batch's last record; 3 lies between.
const LAST: u8 = 4;

/// Cuts a half-written last batch off the newest log in `folder`. Returns whether there was one.
pub fn cut(folder: &Path) -> Result<bool> {
    let Some(log) = newest_log(folder)? else {
        return Ok(false);
    };
    let failed = |error| Error::io(format!("checking {}", log.display()), error);
    let bytes = std::fs::read(&log).map_err(failed)?;
    let Some(start) = torn_batch(&bytes) else {
        return Ok(false);
    };
    tracing::warn!(path = %log.display(), start, len = bytes.len(), "cutting a half-written batch off the log");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&log)
        .map_err(failed)?;
    file.set_len(start as u64)
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    Ok(true)
}

fn newest_log(folder: &Path) -> Result<Option<PathBuf>> {
    let failed = |error| Error::io(format!("listing {}", folder.display()), error);
    let mut newest = None;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let number = path
            .extension()
            .filter(|ext| *ext == "log")
            .and(path.file_stem());
        if let Some(number) = number.and_then(|stem| stem.to_str()?.parse::<u64>().ok()) {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest.map(|(_, path)| path))
}

/// Where the last batch begins, if it was written in part.
pub(crate) fn torn_batch(log: &[u8]) -> Option<usize> {
    let (mut at, mut unfinished) = (0, None);
    loop {
        match record(log, at) {
            Found::End => return None,
            Found::Bad(at) => {
                let torn = !begins_batch_after(log, at) && has_zero_sector(log, at);
                return torn.then_some(unfinished.unwrap_or(at));
            }
            Found::Whole { start, kind, next } => {
                unfinished = match kind {
                    FULL | LAST => None,
                    FIRST => Some(start),
                    _ => unfinished,
                };
                at = next;
            }
        }
    }
}

enum Found {
    /// An intact record.
    Whole { start: usize, kind: u8, next: usize },
    /// Something at this offset that is no record.
    Bad(usize),
    /// The log ends, or ends within a record, which LevelDB drops by itself.
    End,
}

/// What lies at `at`, or in the next block when this one has no room for a header.
fn record(log: &[u8], at: usize) -> Found {
    let left = BLOCK_BYTES - at % BLOCK_BYTES;
    let start = if left < HEADER_BYTES { at + left } else { at };
    let Some((header, rest)) = log
        .get(start..)
        .and_then(|log| log.split_first_chunk::<HEADER_BYTES>())
    else {
        return Found::End;
    };
    let [c0, c1, c2, c3, l0, l1, kind] = *header;
    let len = usize::from(u16::from_le_bytes([l0, l1]));
    if kind == 0 || kind > LAST || start % BLOCK_BYTES + HEADER_BYTES + len > BLOCK_BYTES {
        return Found::Bad(start);
    }
    let Some(payload) = rest.get(..len) else {
        return Found::End;
    };
    let sum = crc32c::crc32c_append(crc32c::crc32c(&[kind]), payload);
    if sum.rotate_right(15).wrapping_add(MASK) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Found::Bad(start);
    }
    Found::Whole {
        start,
        kind,
        next: start + HEADER_BYTES + len,
    }
}

/// True when an intact beginning of a batch lies behind the bad record at `bad`: anywhere in its block, whose record lengths
/// cannot be trusted, or in a row from the start of a later one.
fn begins_batch_after(log: &[u8], bad: usize) -> bool {
    let begins = |at| {
        matches!(
            record(log, at),
            Found::Whole {
                kind: FULL | FIRST,
                ..
            }
        )
    };
    let next_block = (bad / BLOCK_BYTES + 1) * BLOCK_BYTES;
    (bad + 1..next_block.min(log.len())).any(begins)
        || (next_block..log.len())
            .step_by(BLOCK_BYTES)
            .any(|block| begins_batch_in(log, block))
}

fn begins_batch_in(log: &[u8], block: usize) -> bool {
    let mut at = block;
    while let Found::Whole { start, kind, next } = record(log, at)
        && start < block + BLOCK_BYTES
    {
        if matches!(kind, FULL | FIRST) {
            return true;
        }
        at = next;
    }
    false
}

fn has_zero_sector(log: &[u8], from: usize) -> bool {
    let first_end = (from / SECTOR_BYTES + 1) * SECTOR_BYTES;
    let (head, rest) = log[from..].split_at(first_end.min(log.len()) - from);
    std::iter::once(head)
        .chain(rest.chunks(SECTOR_BYTES))
        .any(|sector| sector.iter().all(|byte| *byte == 0))
}
