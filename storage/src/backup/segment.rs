//! Segments: the blocks' records that lay between two places of an extent.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::corrupt;
use super::depot::Depot;
use super::point::Copied;
use crate::block::ExtentId;
use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = b"FFSG";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 32;
const HASH_BYTES: usize = 32;
/// A segment ends when it has so much, bytes. (One more record of up to 4 MiB may be in it.)
pub(super) const FULL_BYTES: usize = 32 * 1024 * 1024;

/// A segment in the making.
pub(super) struct Writer {
    extent: ExtentId,
    start: u64,
    records: Vec<u8>,
}

impl Writer {
    pub fn new(extent: ExtentId, start: u64) -> Writer {
        Writer {
            extent,
            start,
            records: Vec::new(),
        }
    }

    pub fn push(&mut self, offset: u64, record: &[u8]) {
        self.records.extend(offset.to_be_bytes());
        self.records.extend((record.len() as u32).to_be_bytes());
        self.records.extend(record);
    }

    pub fn is_full(&self) -> bool {
        self.records.len() >= FULL_BYTES
    }

    /// Stores the segment, which has all records before `end`; returns its place and its bytes.
    pub fn store(self, depot: &Depot, line: &str, end: u64) -> Result<((u64, u64), u64)> {
        let mut object = Vec::with_capacity(HEADER_BYTES + self.records.len() + HASH_BYTES);
        object.extend(MAGIC);
        object.extend([VERSION, 0, 0, 0]);
        object.extend(self.extent.0.to_be_bytes());
        object.extend(self.start.to_be_bytes());
        object.extend(end.to_be_bytes());
        object.extend(self.records);
        let hash = Sha256::digest(&object);
        object.extend(hash);
        let bytes = object.len() as u64;
        depot.put(&name(line, self.extent, (self.start, end)), object)?;
        Ok(((self.start, end), bytes))
    }
}

/// Visits the records of a segment with their offsets, after its hash was checked.
pub(super) fn read(
    depot: &Depot,
    line: &str,
    extent: ExtentId,
    place: (u64, u64),
    visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let name = name(line, extent, place);
    records(&name, &depot.need(&name)?, extent, place, visit)
}

/// Visits the records in an object.
pub(super) fn records(
    name: &str,
    object: &[u8],
    extent: ExtentId,
    place: (u64, u64),
    visit: &mut dyn FnMut(u64, &[u8]) -> Result<()>,
) -> Result<()> {
    let damaged = |detail: &str| corrupt(format!("backup object {name}"), detail);
    let split = object
        .len()
        .checked_sub(HASH_BYTES)
        .filter(|at| *at >= HEADER_BYTES);
    let split = split.ok_or_else(|| damaged("it is too short"))?;
    let (body, hash) = object.split_at(split);
    if Sha256::digest(body)[..] != *hash {
        return Err(damaged("its hash is another"));
    }
    if body[..4] != *MAGIC {
        return Err(damaged("it is no segment"));
    }
    if body[4] > VERSION {
        return Err(Error::NewerFormat {
            what: name.to_owned(),
            found: u32::from(body[4]),
            supported: u32::from(VERSION),
        });
    }
    let wanted = [extent.0, place.0, place.1].map(u64::to_be_bytes).concat();
    if body[8..HEADER_BYTES] != wanted {
        return Err(damaged("it is another segment"));
    }
    let mut rest = &body[HEADER_BYTES..];
    while !rest.is_empty() {
        let record = rest.split_at_checked(12).and_then(|(head, after)| {
            let offset = u64::from_be_bytes(head[..8].try_into().ok()?);
            let length = u32::from_be_bytes(head[8..].try_into().ok()?) as usize;
            let (record, after) = after.split_at_checked(length)?;
            Some((offset, record, after))
        });
        let (offset, record, after) = record.ok_or_else(|| damaged("a record is cut"))?;
        visit(offset, record)?;
        rest = after;
    }
    Ok(())
}

/// The folder of a line's segments.
pub(super) fn folder(line: &str) -> String {
    format!("segments/{line}")
}

/// The object of a segment.
pub(super) fn name(line: &str, extent: ExtentId, (start, end): (u64, u64)) -> String {
    format!("{}/{extent}/{start:016x}-{end:016x}", folder(line))
}

/// Extent, start and end in a segment's name.
pub(super) fn parse(name: &str) -> Option<(ExtentId, (u64, u64))> {
    let mut parts = name.rsplit('/');
    let (start, end) = parts.next()?.split_once('-')?;
    let extent = u64::from_str_radix(parts.next()?, 16).ok()?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    Some((ExtentId(extent), (number(start)?, number(end)?)))
}

/// The unbroken rows of segments from each extent's start that a line has stored, also in a backup that was killed.
pub(super) fn stored(depot: &Depot, line: &str) -> Result<BTreeMap<ExtentId, Copied>> {
    let mut all: BTreeMap<ExtentId, Copied> = BTreeMap::new();
    depot.each(&folder(line), &mut |object| {
        let Some((extent, (start, end))) = parse(&object.name) else {
            return Ok(());
        };
        let copied = all.entry(extent).or_default();
        match copied.segments.last_mut() {
            // Written again, longer, because something in it could not be read before.
            Some(last) if last.0 == start => *last = (start, end.max(last.1)),
            Some(last) if last.1 != start => return Ok(()),
            None if start != 0 => return Ok(()),
            _ => copied.segments.push((start, end)),
        }
        copied.length = copied.segments.last().map_or(0, |(_, end)| *end);
        Ok(())
    })?;
    Ok(all)
}
