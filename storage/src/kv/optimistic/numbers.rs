//! Log heads and counters as the committer knows them: read once, changed in memory, written with each batch. Each lies under
//! one tag byte and its name.

use std::collections::{BTreeSet, HashMap};

use super::attempt::{Add, Writes};
use crate::error::{Error, Result};
use crate::kv::{Batch, Number};

/// The last sequence of each log.
pub const HEAD: u8 = b'h';
/// Counters.
pub const COUNTER: u8 = b'c';
/// More known numbers than this are forgotten before a batch and read again.
const MAX_KNOWN: usize = 65_536;

/// Reads a number that lies in the database, 0 when there is none.
pub type Read<'a> = &'a mut dyn FnMut(&[u8]) -> Result<u64>;

/// Numbers by where they lie in the database.
#[derive(Default)]
pub struct Numbers {
    known: HashMap<Vec<u8>, u64>,
    changed: HashMap<Vec<u8>, u64>,
}

/// What one transaction changes, applied by [`Numbers::accept`].
pub struct Draft {
    changed: HashMap<Vec<u8>, u64>,
    /// The sequences of the transaction's appends, by ticket.
    pub sequences: Vec<u64>,
}

impl Numbers {
    /// Assigns sequences and applies counters. Fails with [`Error::CounterBound`]; nothing is changed until accepted.
    pub fn draft(&mut self, read: Read, writes: &Writes) -> Result<Draft> {
        let mut draft = Draft {
            changed: HashMap::new(),
            sequences: Vec::with_capacity(writes.appends.len()),
        };
        for (log, _) in &writes.appends {
            let at = head(log);
            let sequence = self.present(read, &draft, &at)? + 1;
            draft.changed.insert(at, sequence);
            draft.sequences.push(sequence);
        }
        for add in &writes.adds {
            let at = counter(&add.counter);
            let value = add.apply(self.present(read, &draft, &at)?.cast_signed())?;
            draft.changed.insert(at, value.cast_unsigned());
        }
        Ok(draft)
    }

    /// Takes a draft's changes over into the batch in the making.
    pub fn accept(&mut self, draft: Draft) -> Vec<u64> {
        self.changed.extend(draft.changed);
        draft.sequences
    }

    /// Hands all accepted changes to `put`, to be written with the batch.
    pub fn write(&mut self, put: &mut dyn FnMut(&[u8], u64)) {
        for (at, number) in &self.changed {
            put(at, *number);
        }
        if self.known.len() + self.changed.len() > MAX_KNOWN {
            self.known.clear();
        }
        self.known.extend(self.changed.drain());
    }

    /// Where the numbers lie that `writes` needs and that are not known, so that an engine can read them all at once.
    pub fn unknown<'w>(&self, writes: impl Iterator<Item = &'w Writes>) -> BTreeSet<Vec<u8>> {
        let all = writes.flat_map(|writes| {
            let heads = writes.appends.iter().map(|(log, _)| head(log));
            heads.chain(writes.adds.iter().map(|add| counter(&add.counter)))
        });
        all.filter(|at| !self.known.contains_key(at)).collect()
    }

    /// Takes over a number that was read.
    pub fn learn(&mut self, at: Vec<u8>, number: u64) {
        self.known.insert(at, number);
    }

    /// Forgets one number: somebody else changed it.
    pub fn forget_one(&mut self, at: &[u8]) {
        self.known.remove(at);
    }

    /// Forgets everything: the batch was not written.
    pub fn forget(&mut self) {
        self.known.clear();
        self.changed.clear();
    }

    fn present(&mut self, read: Read, draft: &Draft, at: &[u8]) -> Result<u64> {
        let here = draft
            .changed
            .get(at)
            .or_else(|| self.changed.get(at))
            .or_else(|| self.known.get(at));
        if let Some(number) = here {
            return Ok(*number);
        }
        let number = read(at)?;
        if self.known.len() < MAX_KNOWN {
            self.known.insert(at.to_vec(), number);
        }
        Ok(number)
    }
}

impl Add {
    fn apply(&self, present: i64) -> Result<i64> {
        let bound = |bound| Error::CounterBound {
            counter: String::from_utf8_lossy(&self.counter).into_owned(),
            bound,
        };
        let edge = if self.delta > 0 { i64::MAX } else { i64::MIN };
        let value = present.checked_add(self.delta).ok_or_else(|| bound(edge))?;
        match self.max {
            Some(max) if self.delta > 0 && value > max => Err(bound(max)),
            _ => Ok(value),
        }
    }
}

/// Where the head of `log` lies (u64).
pub fn head(log: &[u8]) -> Vec<u8> {
    tagged(HEAD, log)
}

/// Where a counter lies (i64).
pub fn counter(name: &[u8]) -> Vec<u8> {
    tagged(COUNTER, name)
}

/// The numbers of a batch to load, with where they lie.
pub fn of_batch(batch: &Batch) -> impl Iterator<Item = (Vec<u8>, u64)> {
    let heads = batch.heads.iter().map(|(log, value)| (head(log), *value));
    let counters = batch.counters.iter();
    heads.chain(counters.map(|(name, value)| (counter(name), value.cast_unsigned())))
}

/// Which number lies at `at`.
pub fn of(at: &[u8]) -> Option<Number<'_>> {
    match at.split_first()? {
        (&HEAD, log) => Some(Number::Head(log)),
        (&COUNTER, counter) => Some(Number::Counter(counter)),
        _ => None,
    }
}

fn tagged(tag: u8, name: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(name.len() + 1);
    tagged.push(tag);
    tagged.extend_from_slice(name);
    tagged
}
