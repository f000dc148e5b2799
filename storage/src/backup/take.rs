//! Taking a backup: every row of one snapshot, then the blocks that it names and that are not there yet, then the manifest.

use std::collections::BTreeMap;

use super::depot::{Depot, Lock};
use super::point::{Copied, KeysIncluded, Lost, Point};
use super::seal::{self, Passphrase};
use super::{FORMAT, Progress, Tell, open, rows, segment, stopped};
use crate::block::{BlockStore, ExtentId, archive};
use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::keyspace;
use crate::kv::{Number, Snapshot, Store, prefix_end};
use crate::meta::Clock;

/// Rows read from the store at a time.
const PAGE_ROWS: usize = 1_000;

/// What is backed up. It may be in use.
pub struct Source<'s> {
    /// The rows.
    pub store: &'s dyn Store,
    /// The blocks.
    pub blocks: &'s BlockStore,
    /// Their keys.
    pub keys: &'s Keyring,
    /// The time.
    pub clock: &'s dyn Clock,
}

/// Whether the key ring goes into the backup.
#[derive(Clone)]
pub enum WithKeys {
    /// No: the backup cannot be read without a copy of the ring.
    No,
    /// As it is: who has the backup can read every file.
    Plain,
    /// Sealed.
    Sealed(Passphrase),
}

/// The rows of a snapshot, stored, and what it says of extents.
struct Dumped {
    name: String,
    at_ms: i64,
    store: String,
    key_versions: Vec<u32>,
    rows: Vec<super::point::Chunk>,
    numbers: Vec<super::point::Chunk>,
    row_count: u64,
    new_bytes: u64,
    lengths: Vec<(ExtentId, u64)>,
}

/// One backup on its way.
struct Run<'r> {
    source: &'r Source<'r>,
    depot: &'r Depot,
    line: String,
    lock: Lock<'r>,
    progress: Progress,
    tell: Tell<'r>,
}

/// Stores a point that holds everything committed so far. Uploads and searches go on meanwhile; no extent is removed. // I7
///
/// A backup that ends early leaves what it has stored, and the next one goes on from there. Blocks that no replica has undamaged
/// are named in the point, which is stored all the same.
pub fn take(source: &Source<'_>, depot: &Depot, with: &WithKeys, tell: Tell<'_>) -> Result<Point> {
    let line = line_of(source.store)?;
    let lock = depot.lock(&line, source.clock.now_ms())?;
    let mut run = Run {
        source,
        depot,
        line,
        lock,
        progress: Progress::default(),
        tell,
    };
    let _extents_stay = source.blocks.pin();
    let dumped = run.dump()?;
    let mut new_bytes = dumped.new_bytes;
    let (extents, lost) = run.copy(&dumped, &mut new_bytes)?;
    let keys = match with {
        WithKeys::No => KeysIncluded::No,
        WithKeys::Plain => seal::put(depot, &dumped.name, source.keys, None)?,
        WithKeys::Sealed(passphrase) => {
            seal::put(depot, &dumped.name, source.keys, Some(passphrase))?
        }
    };
    let point = Point {
        format: FORMAT,
        name: dumped.name,
        at_ms: dumped.at_ms,
        ended_ms: source.clock.now_ms(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        store: dumped.store,
        line: run.line.clone(),
        rows: dumped.rows,
        numbers: dumped.numbers,
        extents,
        row_count: dumped.row_count,
        new_bytes,
        lost,
        key_versions: dumped.key_versions,
        keys,
    };
    point.write(depot)?;
    Ok(point)
}

impl Run<'_> {
    fn step(&mut self, phase: &'static str) -> Result<()> {
        self.progress.phase = phase;
        self.lock.renew(self.source.clock.now_ms())?;
        match (self.tell)(&self.progress) {
            true => Ok(()),
            false => Err(stopped()),
        }
    }

    /// Stores all rows of one snapshot.
    fn dump(&mut self) -> Result<Dumped> {
        let snapshot = self.source.store.snapshot()?;
        let at_ms = self.source.clock.now_ms();
        let mut writer = rows::Writer::new(self.depot);
        let mut next = Vec::new();
        loop {
            let page = snapshot.range(&next, &[0xff; 16], false, PAGE_ROWS)?;
            for (key, value) in &page {
                writer.push(key, value)?;
            }
            self.progress.rows += page.len() as u64;
            self.step("rows")?;
            match page.last() {
                Some((last, _)) => next = [&last[..], &[0]].concat(),
                None => break,
            }
        }
        writer.cut()?;
        let numbers = self.dump_numbers(&*snapshot)?;
        Ok(Dumped {
            name: name(at_ms)?,
            at_ms,
            store: archive::store_name(&*snapshot)?
                .map(|name| name.to_string())
                .unwrap_or_default(),
            key_versions: archive::key_versions(&*snapshot, None)?,
            lengths: archive::lengths(&*snapshot)?,
            rows: writer.chunks,
            numbers: numbers.chunks,
            row_count: self.progress.rows,
            new_bytes: writer.new_bytes + numbers.new_bytes,
        })
    }

    fn dump_numbers(&self, snapshot: &dyn Snapshot) -> Result<rows::Writer<'_>> {
        let mut all = Vec::new();
        snapshot.numbers(&mut |number, value| {
            let (kind, name) = match number {
                Number::Counter(name) => (COUNTER, name),
                Number::Head(name) => (HEAD, name),
            };
            all.push(([&[kind], name].concat(), value));
            Ok(())
        })?;
        let mut writer = rows::Writer::new(self.depot);
        for (key, value) in all {
            writer.push(&key, &value.to_be_bytes())?;
        }
        writer.cut()?;
        Ok(writer)
    }

    /// Stores the blocks that the snapshot names and that no segment has.
    fn copy(
        &mut self,
        dumped: &Dumped,
        new_bytes: &mut u64,
    ) -> Result<(BTreeMap<String, Copied>, Vec<Lost>)> {
        let mut stored = segment::stored(self.depot, &self.line)?;
        self.doubt_what_was_lost(&mut stored)?;
        let left = |id: &ExtentId, length: u64| {
            length.saturating_sub(stored.get(id).map_or(0, |copied| copied.length))
        };
        let lengths = dumped.lengths.iter();
        self.progress.bytes_total = lengths.map(|(id, length)| left(id, *length)).sum();
        let mut reader = rows::Reader::new(self.depot, &dumped.rows)?;
        let (mut extents, mut lost) = (BTreeMap::new(), Vec::new());
        for (id, length) in &dumped.lengths {
            let mut copied = stored.remove(id).unwrap_or_default();
            let before = copied.length;
            if before < *length {
                *new_bytes +=
                    self.copy_extent(&mut reader, (*id, *length), &mut copied, &mut lost)?;
            }
            copied.segments.retain(|(start, _)| start < length);
            copied.length = *length;
            extents.insert(id.to_string(), copied);
        }
        self.step("blocks")?;
        Ok((extents, lost))
    }

    /// What a segment misses because it could not be read is tried again: the segments from there on do not count.
    fn doubt_what_was_lost(&self, stored: &mut BTreeMap<ExtentId, Copied>) -> Result<()> {
        let points = open::points(self.depot)?;
        let newest = points.into_iter().rev().find(|p| p.line == self.line);
        for lost in newest.map(|point| point.lost).unwrap_or_default() {
            let Ok(extent) = u64::from_str_radix(&lost.extent, 16) else {
                continue;
            };
            if let Some(copied) = stored.get_mut(&ExtentId(extent)) {
                copied.segments.retain(|(_, end)| *end <= lost.offset);
                copied.length = copied.segments.last().map_or(0, |(_, end)| *end);
            }
        }
        Ok(())
    }

    fn copy_extent(
        &mut self,
        reader: &mut rows::Reader<'_>,
        (id, length): (ExtentId, u64),
        copied: &mut Copied,
        lost: &mut Vec<Lost>,
    ) -> Result<u64> {
        let table = [&archive::CONTENT[..], &id.0.to_be_bytes()].concat();
        let start = [&table[..], &copied.length.to_be_bytes()].concat();
        let mut new_bytes = 0;
        let mut writer = segment::Writer::new(id, copied.length);
        let mut wrote = false;
        reader.scan(&start, &prefix_end(&table), &mut |key, value| {
            let (_, offset, hash) = archive::content(key, value)?;
            if writer.is_full() {
                let full = std::mem::replace(&mut writer, segment::Writer::new(id, offset));
                let (place, bytes) = full.store(self.depot, &self.line, offset)?;
                copied.segments.push(place);
                new_bytes += bytes;
            }
            match self.source.blocks.record(id, offset, &hash) {
                Ok(record) => {
                    writer.push(offset, &record);
                    wrote = true;
                    self.progress.bytes += record.len() as u64;
                }
                // It is not lost: the backup is gone on with when that machine answers.
                Err(away @ Error::Unavailable(_)) => return Err(away),
                Err(error) => {
                    tracing::error!(%hash, %error, "a block is not in the backup: no replica has it undamaged");
                    lost.push(Lost {
                        block: hash.to_string(),
                        extent: id.to_string(),
                        offset,
                    });
                }
            }
            self.progress.blocks += 1;
            self.step("blocks")
        })?;
        if wrote {
            let (place, bytes) = writer.store(self.depot, &self.line, length)?;
            copied.segments.push(place);
            new_bytes += bytes;
        }
        Ok(new_bytes)
    }
}

/// Tag of a counter in a chunk of numbers.
pub(super) const COUNTER: u8 = b'c';
/// Tag of a log's head in a chunk of numbers.
pub(super) const HEAD: u8 = b'h';

/// The row that names the store's present life. A restore leaves it out, so that two copies of a store never take each other's
/// segments for their own.
pub(super) fn line_key() -> Vec<u8> {
    [&[keyspace::SYSTEM], &b"backup-line"[..]].concat()
}

fn line_of(store: &dyn Store) -> Result<String> {
    let fresh: [u8; 16] = rand::random();
    let mut line = Vec::new();
    store.transact(&mut |txn| {
        line = match txn.get(&line_key())? {
            Some(line) => line,
            None => {
                txn.put(line_key(), fresh.to_vec().into());
                fresh.to_vec()
            }
        };
        Ok(())
    })?;
    Ok(hex::encode(line))
}

/// A point's name: the moment, and a random end for two in one second.
fn name(at_ms: i64) -> Result<String> {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = time::OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000));
    let text = at.ok().and_then(|at| at.format(&format).ok());
    let text = text.ok_or_else(|| Error::Engine(format!("the clock says {at_ms} ms")))?;
    Ok(format!("{text}-{:06x}", rand::random::<u32>() >> 8))
}
