//! The text of a group's statements. Keys and values go in as hexadecimal literals, so that nothing needs quoting and a
//! whole group is one round trip.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::intent;
use super::layout::{Layout, PRIMARY};
use super::placement::Placement;
use super::schema::MAX_KEY_BYTES;
use crate::error::{Error, Result};
use crate::kv::Batch;
use crate::kv::optimistic::{Sink, Writes, numbers};

/// A round trip takes no further row above this many bytes of text.
const TRIP_BYTES: usize = 512 * 1024;
/// The list of what a group wrote is left out above this many bytes: others then take everything for written.
pub const MAX_WRITTEN_BYTES: usize = 128 * 1024;
/// Commits that are kept for processes that were away, in versions of the clock.
const COMMITS_KEPT: u64 = 50_000;
/// Versions between two removals of old commits, and how many one removes at most.
const REMOVAL: u64 = 1_024;

/// What a group of transactions writes.
#[derive(Default)]
pub struct Group {
    /// Puts and deletes (`None`); the last one of a key counts.
    pub rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Log heads and counters.
    pub numbers: BTreeMap<Vec<u8>, u64>,
}

/// A key and its value; `None`: to be removed.
pub type Row<'g> = (&'g [u8], Option<&'g [u8]>);

/// Rows by the servers that write them.
#[derive(Default)]
pub struct Split<'g> {
    /// What the primary writes.
    pub here: Vec<Row<'g>>,
    /// What the others are to write.
    pub there: BTreeMap<u32, Vec<Row<'g>>>,
}

/// Where a group stands in history.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The clock before it.
    pub base: u64,
    /// The clock after it.
    pub version: u64,
    /// Its own name, by which it is found again when the answer to COMMIT was lost.
    pub id: [u8; 16],
}

impl From<&Batch> for Group {
    fn from(batch: &Batch) -> Group {
        let rows = batch.pairs.iter();
        Group {
            rows: rows
                .map(|(key, value)| (key.clone(), Some(value.clone())))
                .collect(),
            numbers: numbers::of_batch(batch).collect(),
        }
    }
}

impl Sink for Group {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.rows.insert(key.to_vec(), Some(value.to_vec()));
    }

    fn delete(&mut self, key: &[u8]) {
        self.rows.insert(key.to_vec(), None);
    }
}

/// Refuses what the tables cannot hold, before it takes others down with it.
pub fn check(writes: &Writes, max_statement: usize) -> Result<()> {
    let puts = writes.pairs.iter();
    let puts = puts.map(|(key, value)| (key.len(), value.as_ref().map_or(0, |v| v.bytes.len())));
    let appends = writes.appends.iter();
    let appends = appends.map(|(log, value)| (log.len() + 8, value.bytes.len()));
    let adds = writes.adds.iter().map(|add| (add.counter.len(), 0));
    check_lengths(puts.chain(appends).chain(adds), max_statement)
}

/// The same for what is loaded.
pub fn check_batch(batch: &Batch, max_statement: usize) -> Result<()> {
    let pairs = batch.pairs.iter();
    check_lengths(
        pairs.map(|(key, value)| (key.len(), value.len())),
        max_statement,
    )
}

fn check_lengths(
    mut lengths: impl Iterator<Item = (usize, usize)>,
    max_statement: usize,
) -> Result<()> {
    lengths.try_for_each(|(key, value)| {
        if key > MAX_KEY_BYTES {
            return Err(Error::Engine(format!(
                "a key of {key} bytes, {MAX_KEY_BYTES} are allowed"
            )));
        }
        if 2 * value + 2 * TRIP_BYTES > max_statement {
            return Err(Error::Engine(format!(
                "a value of {value} bytes does not go into one statement of {max_statement}; \
                 raise the database's max_allowed_packet"
            )));
        }
        Ok(())
    })
}

impl Group {
    /// The group's rows by the servers that write them.
    pub fn split(&self, layout: &Layout, placement: &dyn Placement) -> Split<'_> {
        let mut split = Split::default();
        for (key, value) in &self.rows {
            let row = (&key[..], value.as_deref());
            if layout.is_plain() {
                split.here.push(row);
                continue;
            }
            for server in layout.writers(placement.slot(key)) {
                split.add(server, row);
            }
        }
        split
    }

    /// The round trips that write everything, move the clock, leave word for the other processes, and commit.
    pub fn commit(&self, place: Place, split: &Split<'_>) -> Vec<String> {
        let mut trips = Trips::default();
        trips.write(&split.here);
        trips.intents(place, &split.there);
        trips.numbers(&self.numbers);
        trips.last(self.tick(place))
    }

    fn tick(&self, place: Place) -> String {
        let mut text = String::new();
        let Place { base, version, id } = place;
        if version / REMOVAL != base / REMOVAL {
            let before = version.saturating_sub(COMMITS_KEPT);
            let _ = writeln!(
                text,
                "DELETE FROM firefly_commits WHERE version < {before} ORDER BY version LIMIT {};",
                2 * REMOVAL
            );
        }
        let _ = write!(
            text,
            "INSERT INTO firefly_commits VALUES ({version},x'{}',",
            hex::encode(id)
        );
        match self.written() {
            Some(written) => push_hex(&mut text, &written),
            None => text.push_str("NULL"),
        }
        let _ = write!(
            text,
            ");\nUPDATE firefly_clock SET version = {version}, batch = x'{}' WHERE id = 1;\nCOMMIT",
            hex::encode(id)
        );
        text
    }

    /// The keys written, each with its length before it: rows under [`ROW`], numbers under their own tags. `None` when they
    /// are too many.
    fn written(&self) -> Option<Vec<u8>> {
        let mut list = Vec::new();
        let mut push = |tag: Option<u8>, key: &[u8]| {
            let len = u16::try_from(key.len() + usize::from(tag.is_some())).unwrap_or(u16::MAX);
            list.extend_from_slice(&len.to_be_bytes());
            list.extend(tag);
            list.extend_from_slice(key);
            list.len() <= MAX_WRITTEN_BYTES
        };
        let whole = self.rows.keys().all(|key| push(Some(ROW), key))
            && self.numbers.keys().all(|key| push(None, key));
        whole.then_some(list)
    }
}

/// The round trips that write rows and numbers as they are, and then `last`.
pub fn plain(rows: &[Row<'_>], numbers: &BTreeMap<Vec<u8>, u64>, last: String) -> Vec<String> {
    let mut trips = Trips::default();
    trips.write(rows);
    trips.numbers(numbers);
    trips.last(last)
}

impl<'g> Split<'g> {
    /// A row that `server` writes.
    pub fn add(&mut self, server: u32, row: Row<'g>) {
        match server {
            PRIMARY => self.here.push(row),
            other => self.there.entry(other).or_default().push(row),
        }
    }

    /// The servers that get intents.
    pub fn others(&self) -> impl Iterator<Item = u32> {
        self.there.keys().copied()
    }
}

/// The tag of a row's key in a commit's list.
pub const ROW: u8 = b'k';

/// The keys of a commit's list, with their tags. `None` when the list is damaged.
pub fn read_written(mut list: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut keys = Vec::new();
    while !list.is_empty() {
        let (len, rest) = list.split_first_chunk::<2>()?;
        let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        let (tag, _) = key.split_first()?;
        keys.push((*tag, key));
        list = rest;
    }
    Some(keys)
}

/// Reads the numbers that lie at `keys`.
pub fn select_numbers<'k>(keys: impl Iterator<Item = &'k Vec<u8>>) -> String {
    let mut text = "SELECT k, n FROM firefly_numbers WHERE k IN (".to_owned();
    for (index, key) in keys.enumerate() {
        if index > 0 {
            text.push(',');
        }
        push_hex(&mut text, key);
    }
    text.push(')');
    text
}

#[derive(Default)]
struct Trips {
    done: Vec<String>,
    text: String,
}

impl Trips {
    /// Puts, then deletes.
    fn write(&mut self, rows: &[Row<'_>]) {
        let puts = rows
            .iter()
            .filter_map(|(key, value)| Some((*key, (*value)?)));
        self.rows(
            "INSERT INTO firefly_rows VALUES ",
            " ON DUPLICATE KEY UPDATE v = VALUES(v);\n",
            puts,
            |text, (key, value)| {
                text.push('(');
                push_hex(text, key);
                text.push(',');
                push_hex(text, value);
                text.push(')');
            },
        );
        let deletes = rows.iter().filter(|(_, value)| value.is_none());
        self.rows(
            "DELETE FROM firefly_rows WHERE k IN (",
            ");\n",
            deletes,
            |text, (key, _)| {
                push_hex(text, key);
            },
        );
    }

    fn intents(&mut self, place: Place, there: &BTreeMap<u32, Vec<Row<'_>>>) {
        let all = there.iter().flat_map(|(server, rows)| {
            let parts = intent::encode(rows.iter().copied());
            parts
                .into_iter()
                .enumerate()
                .map(|(part, writes)| (*server, part, writes))
        });
        self.rows(
            "INSERT INTO firefly_intents VALUES ",
            ";\n",
            all,
            |text, (server, part, writes)| {
                let position = intent::position(place.version, part);
                // Writing to a String cannot fail.
                let _ = write!(
                    text,
                    "({server},{position},x'{}',{},",
                    hex::encode(place.id),
                    writes.len()
                );
                push_hex(text, &writes);
                text.push(')');
            },
        );
    }

    fn numbers(&mut self, numbers: &BTreeMap<Vec<u8>, u64>) {
        self.rows(
            "INSERT INTO firefly_numbers VALUES ",
            " ON DUPLICATE KEY UPDATE n = VALUES(n);\n",
            numbers.iter(),
            |text, (key, number)| {
                text.push('(');
                push_hex(text, key);
                // Writing to a String cannot fail.
                let _ = write!(text, ",{})", number.cast_signed());
            },
        );
    }

    /// Adds statements `before row,row… after`, cut where a round trip is full.
    fn rows<T>(
        &mut self,
        before: &str,
        after: &str,
        rows: impl Iterator<Item = T>,
        mut push: impl FnMut(&mut String, T),
    ) {
        let mut begun = false;
        for row in rows {
            self.text.push_str(if begun { "," } else { before });
            begun = true;
            push(&mut self.text, row);
            if self.text.len() > TRIP_BYTES {
                self.text.push_str(after);
                self.done.push(std::mem::take(&mut self.text));
                begun = false;
            }
        }
        if begun {
            self.text.push_str(after);
        }
    }

    fn last(mut self, text: String) -> Vec<String> {
        self.text.push_str(&text);
        self.done.push(self.text);
        self.done
    }
}

/// Bytes as a literal.
pub fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    text.reserve(bytes.len() * 2 + 3);
    text.push_str("x'");
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text.push('\'');
}
