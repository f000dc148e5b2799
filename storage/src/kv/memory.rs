//! A [`Store`] in memory, for tests and tools: the same transactions as the other engines, durable not at all.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::optimistic::{Attempt, Base, Ledger, Plain, Retries, Sink, Turns, Versions, numbers};
use super::{Batch, Commit, Number, Snapshot, Store, Transaction, Visit};
use crate::error::{Error, Result};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;
type Numbers = BTreeMap<Vec<u8>, u64>;

/// As for LevelDB; nothing can conflict with one that runs alone.
const RETRIES: Retries = Retries {
    together: 10,
    alone: 1,
    max_backoff: Duration::from_millis(2),
};

/// The store.
pub struct MemoryStore {
    state: Mutex<State>,
    versions: Versions,
    turns: Turns,
}

#[derive(Default)]
struct State {
    rows: Arc<Rows>,
    numbers: Arc<Numbers>,
    ledger: Ledger,
}

struct View {
    rows: Arc<Rows>,
    numbers: Arc<Numbers>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore {
            state: Mutex::default(),
            versions: Versions::default(),
            turns: Turns::new(RETRIES),
        }
    }
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> View {
        let state = self.state();
        View {
            rows: state.rows.clone(),
            numbers: state.numbers.clone(),
        }
    }

    fn number(&self, at: &[u8]) -> u64 {
        self.state().numbers.get(at).copied().unwrap_or(0)
    }

    /// One run of `body`; `None` when it conflicted.
    fn attempt(
        &self,
        body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<Option<Commit>> {
        let active = self.versions.begin(); // before the rows are taken: never newer than they are
        let mut attempt = Attempt::new(self.view());
        body(&mut attempt)?;
        let (reads, writes) = attempt.finish()?;
        if writes.is_empty() {
            return Ok(Some(Commit::default()));
        }
        let mut state = self.state();
        let State {
            rows,
            numbers,
            ledger,
        } = &mut *state;
        let version = self.versions.newest() + 1;
        let read = &mut |at: &[u8]| Ok(numbers.get(at).copied().unwrap_or(0));
        let sink = Arc::make_mut(rows);
        let accepted = ledger.accept(active.version, &reads, writes, version, read, sink)?;
        if accepted.is_some() {
            let numbers = Arc::make_mut(numbers);
            ledger.numbers.write(&mut |at, number| {
                numbers.insert(at.to_vec(), number);
            });
            self.versions.publish(version);
        }
        drop(active);
        ledger.recent.prune(self.versions.oldest_active());
        Ok(accepted)
    }
}

impl Store for MemoryStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(Plain(self.view())))
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        self.turns.run(&mut || self.attempt(body))
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        Ok(self.number(&numbers::head(log)))
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        Ok(self.number(&numbers::counter(counter)).cast_signed())
    }

    fn load(&self, batch: &Batch) -> Result<()> {
        if self.versions.newest() > 0 {
            return Err(Error::Engine(
                "rows are loaded only into a store that was just opened".into(),
            ));
        }
        let mut state = self.state();
        Arc::make_mut(&mut state.rows).extend(batch.pairs.iter().cloned());
        Arc::make_mut(&mut state.numbers).extend(numbers::of_batch(batch));
        Ok(())
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.versions.wait(seen, timeout)
    }
}

impl Sink for Rows {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.insert(key.to_vec(), value.to_vec());
    }

    fn delete(&mut self, key: &[u8]) {
        self.remove(key);
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.rows.get(key).cloned())
    }

    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        _expected: usize,
        visit: Visit,
    ) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        let mut pairs = self.rows.range::<[u8], _>(bounds);
        let mut next = || {
            if reverse {
                pairs.next_back()
            } else {
                pairs.next()
            }
        };
        while let Some((key, value)) = next() {
            if !visit(key, value)? {
                break;
            }
        }
        Ok(())
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        let numbers = self.numbers.iter();
        numbers
            .filter_map(|(at, value)| Some((numbers::of(at)?, *value)))
            .try_for_each(|(number, value)| visit(number, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        crate::kv::conformance::run(&|| Box::new(MemoryStore::default()));
    }
}
