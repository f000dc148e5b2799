//! Log heads and counters as the committer knows them: read once, changed in memory, written with each batch.

use std::collections::HashMap;

use super::binding::{Batch, Db};
use super::keys;
use super::transaction::{Add, Writes};
use crate::error::{Error, Result};

/// More known numbers than this are forgotten before a batch and read again.
const MAX_KNOWN: usize = 65_536;

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
    pub fn draft(&mut self, db: &Db, writes: &Writes) -> Result<Draft> {
        let mut draft = Draft {
            changed: HashMap::new(),
            sequences: Vec::with_capacity(writes.appends.len()),
        };
        for (log, _) in &writes.appends {
            let at = keys::head(log);
            let sequence = self.present(db, &draft, &at)? + 1;
            draft.changed.insert(at, sequence);
            draft.sequences.push(sequence);
        }
        for add in &writes.adds {
            let at = keys::counter(&add.counter);
            let value = add.apply(self.present(db, &draft, &at)?.cast_signed())?;
            draft.changed.insert(at, value.cast_unsigned());
        }
        Ok(draft)
    }

    /// Takes a draft's changes over into the batch in the making.
    pub fn accept(&mut self, draft: Draft) -> Vec<u64> {
        self.changed.extend(draft.changed);
        draft.sequences
    }

    /// Writes all accepted changes into `batch`.
    pub fn put_into(&mut self, batch: &mut Batch) {
        for (at, number) in &self.changed {
            batch.put(at, &number.to_be_bytes());
        }
        if self.known.len() + self.changed.len() > MAX_KNOWN {
            self.known.clear();
        }
        self.known.extend(self.changed.drain());
    }

    /// Forgets everything: the batch was not written.
    pub fn forget(&mut self) {
        self.known.clear();
        self.changed.clear();
    }

    fn present(&mut self, db: &Db, draft: &Draft, at: &[u8]) -> Result<u64> {
        let here = draft
            .changed
            .get(at)
            .or_else(|| self.changed.get(at))
            .or_else(|| self.known.get(at));
        if let Some(number) = here {
            return Ok(*number);
        }
        let number = read(db, at)?;
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

/// The number that lies at `at`, 0 when there is none.
pub fn read(db: &Db, at: &[u8]) -> Result<u64> {
    let Some(bytes) = db.get(at)? else {
        return Ok(0);
    };
    let bytes = <[u8; 8]>::try_from(bytes).map_err(|bytes| Error::Corrupt {
        what: format!(
            "{} number {}",
            db.path().display(),
            String::from_utf8_lossy(at)
        ),
        detail: format!("{} bytes instead of 8", bytes.len()),
    })?;
    Ok(u64::from_be_bytes(bytes))
}
