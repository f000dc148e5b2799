//! A [`Store`] in memory, for tests and tools: serializable because one transaction runs at a time, durable not at all.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::{Batch, Commit, Number, Pair, Snapshot, Store, Ticket, Transaction, Value};
use crate::error::{Error, Result};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The store.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    turn: Mutex<()>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    rows: Arc<Rows>,
    heads: Arc<BTreeMap<Vec<u8>, u64>>,
    counters: Arc<BTreeMap<Vec<u8>, i64>>,
    version: u64,
}

#[derive(Clone)]
struct View {
    rows: Arc<Rows>,
    heads: Arc<BTreeMap<Vec<u8>, u64>>,
    counters: Arc<BTreeMap<Vec<u8>, i64>>,
}

struct Attempt {
    view: View,
    writes: BTreeMap<Vec<u8>, Option<Value>>,
    appends: Vec<(Vec<u8>, Value)>,
    adds: Vec<(Vec<u8>, i64, Option<i64>)>,
    merged: RefCell<Option<Rows>>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(self.state().view()))
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = Attempt {
            view: self.state().view(),
            writes: BTreeMap::new(),
            appends: Vec::new(),
            adds: Vec::new(),
            merged: RefCell::new(None),
        };
        body(&mut attempt)?;
        let commit = self.state().apply(attempt)?;
        self.changed.notify_all();
        Ok(commit)
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        Ok(self.state().heads.get(log).copied().unwrap_or(0))
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        Ok(self.state().counters.get(counter).copied().unwrap_or(0))
    }

    fn load(&self, batch: &Batch) -> Result<()> {
        let mut state = self.state();
        if state.version > 0 {
            return Err(Error::Engine(
                "rows are loaded only into a store that was just opened".into(),
            ));
        }
        Arc::make_mut(&mut state.rows).extend(batch.pairs.iter().cloned());
        Arc::make_mut(&mut state.heads).extend(batch.heads.iter().cloned());
        Arc::make_mut(&mut state.counters).extend(batch.counters.iter().cloned());
        Ok(())
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let waited = self
            .changed
            .wait_timeout_while(self.state(), timeout, |s| s.version <= seen);
        waited.unwrap_or_else(PoisonError::into_inner).0.version
    }
}

impl State {
    fn view(&self) -> View {
        View {
            rows: self.rows.clone(),
            heads: self.heads.clone(),
            counters: self.counters.clone(),
        }
    }

    fn apply(&mut self, attempt: Attempt) -> Result<Commit> {
        let Attempt {
            view,
            writes,
            appends,
            adds,
            ..
        } = attempt;
        drop(view);
        for (counter, delta, max) in &adds {
            let next = self.counters.get(counter).copied().unwrap_or(0) + delta;
            if let Some(bound) = max.filter(|&max| *delta > 0 && next > max) {
                return Err(Error::CounterBound {
                    counter: hex::encode(counter),
                    bound,
                });
            }
        }
        for (counter, delta, _) in adds {
            *Arc::make_mut(&mut self.counters)
                .entry(counter)
                .or_default() += delta;
        }
        let mut sequences = Vec::with_capacity(appends.len());
        for (log, _) in &appends {
            let heads = Arc::make_mut(&mut self.heads);
            let head = heads.entry(log.clone()).or_default();
            *head += 1;
            sequences.push(*head);
        }
        let rows = Arc::make_mut(&mut self.rows);
        for (key, value) in writes {
            match value {
                Some(value) => rows.insert(key, fill(value, &sequences)),
                None => rows.remove(&key),
            };
        }
        for ((log, value), sequence) in appends.into_iter().zip(&sequences) {
            let key = [&log[..], &sequence.to_be_bytes()].concat();
            rows.insert(key, fill(value, &sequences));
        }
        self.version += 1;
        Ok(Commit { sequences })
    }
}

/// The value with its holes filled.
fn fill(value: Value, sequences: &[u64]) -> Vec<u8> {
    let mut bytes = value.bytes;
    for (offset, Ticket(ticket)) in value.holes {
        bytes[offset..offset + 8].copy_from_slice(&sequences[ticket].to_be_bytes());
    }
    bytes
}

impl Snapshot for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.get(key).cloned())
    }

    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>> {
        Ok(range(&self.rows, start, end, reverse, limit))
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        scan(&self.rows, start, end, visit)
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        for (counter, value) in &*self.counters {
            visit(Number::Counter(counter), value.cast_unsigned())?;
        }
        self.heads
            .iter()
            .try_for_each(|(log, head)| visit(Number::Head(log), *head))
    }
}

impl Attempt {
    /// Calls `read` with the rows as the transaction sees them.
    fn with<T>(&self, read: impl FnOnce(&Rows) -> T) -> T {
        if self.writes.is_empty() {
            return read(&self.view.rows);
        }
        let mut merged = self.merged.borrow_mut();
        let rows = merged.get_or_insert_with(|| {
            let mut rows = (*self.view.rows).clone();
            for (key, value) in &self.writes {
                match value {
                    Some(value) => rows.insert(key.clone(), value.bytes.clone()),
                    None => rows.remove(key),
                };
            }
            rows
        });
        read(rows)
    }
}

impl Snapshot for Attempt {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(match self.writes.get(key) {
            Some(value) => value.as_ref().map(|v| v.bytes.clone()),
            None => self.view.rows.get(key).cloned(),
        })
    }

    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>> {
        Ok(self.with(|rows| range(rows, start, end, reverse, limit)))
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>,
    ) -> Result<()> {
        self.with(|rows| scan(rows, start, end, visit))
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        self.view.numbers(visit)
    }
}

impl Transaction for Attempt {
    fn put(&mut self, key: Vec<u8>, value: Value) {
        self.merged.replace(None);
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: Vec<u8>) {
        self.merged.replace(None);
        self.writes.insert(key, None);
    }

    fn append(&mut self, log: &[u8], value: Value) -> Ticket {
        self.appends.push((log.to_vec(), value));
        Ticket(self.appends.len() - 1)
    }

    fn add(&mut self, counter: &[u8], delta: i64, max: Option<i64>) {
        self.adds.push((counter.to_vec(), delta, max));
    }
}

fn between<'r>(
    rows: &'r Rows,
    start: &[u8],
    end: &[u8],
) -> impl DoubleEndedIterator<Item = (&'r Vec<u8>, &'r Vec<u8>)> {
    let end = end.max(start);
    rows.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)))
}

fn range(rows: &Rows, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Vec<Pair> {
    let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
    if start >= end {
        Vec::new()
    } else if reverse {
        between(rows, start, end)
            .rev()
            .take(limit)
            .map(pair)
            .collect()
    } else {
        between(rows, start, end).take(limit).map(pair).collect()
    }
}

#[allow(clippy::type_complexity)] // as in the trait
fn scan(
    rows: &Rows,
    start: &[u8],
    end: &[u8],
    visit: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>,
) -> Result<()> {
    if start < end {
        for (key, value) in between(rows, start, end) {
            if !visit(key, value)? {
                break;
            }
        }
    }
    Ok(())
}
