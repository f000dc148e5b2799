//! One attempt of a transaction: reads over own writes, and what is to be committed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::base::{Base, collect};
use super::reads::{ReadSet, after};
use crate::error::{Error, Result};
use crate::kv::{Number, Pair, Snapshot, Ticket, Transaction, Value, Visit};

/// The most bytes of keys and values one transaction may write.
pub const MAX_TRANSACTION_BYTES: usize = 64 * 1024 * 1024;
/// Width of a sequence in a value.
const HOLE_BYTES: usize = 8;

/// A transaction while its body runs.
pub struct Attempt<V> {
    view: V,
    reads: RefCell<ReadSet>,
    writes: Writes,
    lost: Cell<bool>,
}

/// What a transaction writes.
#[derive(Default)]
pub struct Writes {
    /// Puts, and deletes (`None`).
    pub pairs: BTreeMap<Vec<u8>, Option<Value>>,
    /// Log and value, by ticket.
    pub appends: Vec<(Vec<u8>, Value)>,
    /// Counter changes, in order.
    pub adds: Vec<Add>,
}

/// A change of a counter.
pub struct Add {
    /// The counter's name.
    pub counter: Vec<u8>,
    /// What to add.
    pub delta: i64,
    /// What a positive delta may not exceed.
    pub max: Option<i64>,
}

impl<V: Base> Attempt<V> {
    /// Nothing read or written yet; reads see `view`.
    pub fn new(view: V) -> Attempt<V> {
        Attempt {
            view,
            reads: RefCell::default(),
            writes: Writes::default(),
            lost: Cell::new(false),
        }
    }

    /// True when the engine ended the snapshot early, so that this attempt's reads failed.
    pub fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// What was read and is to be written. Fails when a hole does not fit or the whole is above [`MAX_TRANSACTION_BYTES`].
    pub fn finish(self) -> Result<(ReadSet, Writes)> {
        self.writes.check()?;
        Ok((self.reads.into_inner(), self.writes))
    }

    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        expected: usize,
        visit: Visit,
    ) -> Result<()> {
        let mut stopped_at = None;
        let walked = self.merge(start, end, reverse, expected, &mut |key, value| {
            let more = visit(key, value)?;
            if !more {
                stopped_at = Some(key.to_vec());
            }
            Ok(more)
        });
        let (start, end) = match (stopped_at, reverse) {
            (Some(key), false) => (start.to_vec(), after(&key)),
            (Some(key), true) => (key, end.to_vec()),
            (None, _) => (start.to_vec(), end.to_vec()),
        };
        self.reads.borrow_mut().add_range(start, end);
        self.note_loss(walked)
    }

    /// The snapshot's pairs with own writes laid over them.
    fn merge(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        expected: usize,
        visit: Visit,
    ) -> Result<()> {
        let mut own = self.writes.between(start, end, reverse).peekable();
        let mut more = true;
        let mut merge = |key: &[u8], value: &[u8]| {
            while more
                && let Some((k, v)) =
                    own.next_if(|(k, _)| if reverse { &k[..] > key } else { &k[..] < key })
            {
                more = show(k, v, visit)?;
            }
            if more {
                more = match own.next_if(|(k, _)| &k[..] == key) {
                    Some((k, v)) => show(k, v, visit)?,
                    None => visit(key, value)?,
                };
            }
            Ok(more)
        };
        self.view.walk(start, end, reverse, expected, &mut merge)?;
        while more && let Some((k, v)) = own.next() {
            more = show(k, v, visit)?;
        }
        Ok(())
    }

    fn note_loss<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(Error::Conflict { .. }) = result {
            self.lost.set(true);
        }
        result
    }
}

impl<V: Base> Snapshot for Attempt<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if let Some(own) = self.writes.pairs.get(key) {
            return Ok(own.as_ref().map(|value| value.bytes.clone()));
        }
        self.reads.borrow_mut().add_key(key);
        self.note_loss(self.view.get(key))
    }

    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>> {
        collect(limit, |visit| self.walk(start, end, reverse, limit, visit))
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: Visit) -> Result<()> {
        self.walk(start, end, false, usize::MAX, visit)
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        self.note_loss(self.view.numbers(visit))
    }
}

impl<V: Base> Transaction for Attempt<V> {
    fn put(&mut self, key: Vec<u8>, value: Value) {
        self.writes.pairs.insert(key, Some(with_zeros(value)));
    }

    fn delete(&mut self, key: Vec<u8>) {
        self.writes.pairs.insert(key, None);
    }

    fn append(&mut self, log: &[u8], value: Value) -> Ticket {
        self.writes.appends.push((log.to_vec(), value));
        Ticket(self.writes.appends.len() - 1)
    }

    fn add(&mut self, counter: &[u8], delta: i64, max: Option<i64>) {
        self.writes.adds.push(Add {
            counter: counter.to_vec(),
            delta,
            max,
        });
    }
}

impl Writes {
    /// True when there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty() && self.appends.is_empty() && self.adds.is_empty()
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        let value = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.bytes.len());
        let pairs: usize = self.pairs.iter().map(|(key, v)| key.len() + value(v)).sum();
        let appends: usize = self
            .appends
            .iter()
            .map(|(log, value)| log.len() + HOLE_BYTES + value.bytes.len())
            .sum();
        let adds: usize = self
            .adds
            .iter()
            .map(|add| add.counter.len() + HOLE_BYTES)
            .sum();
        pairs + appends + adds
    }

    fn check(&self) -> Result<()> {
        let bytes = self.bytes();
        if bytes > MAX_TRANSACTION_BYTES {
            let text =
                format!("a transaction of {bytes} bytes, {MAX_TRANSACTION_BYTES} are allowed");
            return Err(Error::Engine(text));
        }
        let puts = self.pairs.values().flatten();
        for value in puts.chain(self.appends.iter().map(|(_, value)| value)) {
            let fits = |(at, ticket): &(usize, Ticket)| {
                ticket.0 < self.appends.len()
                    && at
                        .checked_add(HOLE_BYTES)
                        .is_some_and(|end| end <= value.bytes.len())
            };
            if !value.holes.iter().all(fits) {
                return Err(Error::Engine(format!(
                    "a hole outside its value or of an unknown ticket: {:?}",
                    value.holes
                )));
            }
        }
        Ok(())
    }

    fn between(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
    ) -> Box<dyn Iterator<Item = (&Vec<u8>, &Option<Value>)> + '_> {
        if start >= end {
            return Box::new(std::iter::empty());
        }
        let range = self.pairs.range::<[u8], _>((
            std::ops::Bound::Included(start),
            std::ops::Bound::Excluded(end),
        ));
        if reverse {
            Box::new(range.rev())
        } else {
            Box::new(range)
        }
    }
}

impl Value {
    /// The bytes with `sequences` in the holes. The holes must have been checked.
    pub(in crate::kv) fn fill(mut self, sequences: &[u64]) -> Vec<u8> {
        for (at, ticket) in self.holes {
            self.bytes[at..at + HOLE_BYTES].copy_from_slice(&sequences[ticket.0].to_be_bytes());
        }
        self.bytes
    }
}

fn show(key: &[u8], value: &Option<Value>, visit: Visit) -> Result<bool> {
    value
        .as_ref()
        .map_or(Ok(true), |value| visit(key, &value.bytes))
}

fn with_zeros(mut value: Value) -> Value {
    for (at, _) in &value.holes {
        if let Some(hole) = at
            .checked_add(HOLE_BYTES)
            .and_then(|end| value.bytes.get_mut(*at..end))
        {
            hole.fill(0);
        }
    }
    value
}
