//! What a committer remembers, and the decision about one transaction.

use super::attempt::Writes;
use super::numbers::{Numbers, Read};
use super::reads::ReadSet;
use super::recent::Recent;
use crate::error::Result;
use crate::kv::Commit;

/// A committer's memory. All of it is derived from the database and may be forgotten.
#[derive(Default)]
pub struct Ledger {
    /// The newest writes.
    pub recent: Recent,
    /// Log heads and counters.
    pub numbers: Numbers,
}

/// Takes the writes of accepted transactions, in order.
pub trait Sink {
    /// Writes `value` under `key`.
    fn put(&mut self, key: &[u8], value: &[u8]);

    /// Removes `key`.
    fn delete(&mut self, key: &[u8]);
}

impl Ledger {
    /// Hands a transaction that began at version `began` to `sink`, to become version `version`. `None` when something that
    /// it read was written since. Nothing of it is handed over when its counters refuse.
    pub fn accept(
        &mut self,
        began: u64,
        reads: &ReadSet,
        writes: Writes,
        version: u64,
        read_number: Read,
        sink: &mut dyn Sink,
    ) -> Result<Option<Commit>> {
        if !self.recent.allows(reads, began) {
            return Ok(None);
        }
        let draft = self.numbers.draft(read_number, &writes)?;
        let sequences = self.numbers.accept(draft);
        for (key, value) in writes.pairs {
            self.recent.add(&key, version);
            match value {
                Some(value) => sink.put(&key, &value.fill(&sequences)),
                None => sink.delete(&key),
            }
        }
        for ((log, value), sequence) in writes.appends.into_iter().zip(&sequences) {
            let key = [&log[..], &sequence.to_be_bytes()].concat();
            self.recent.add(&key, version);
            sink.put(&key, &value.fill(&sequences));
        }
        Ok(Some(Commit { sequences }))
    }

    /// Forgets everything and refuses every transaction begun before `version`.
    pub fn forget_before(&mut self, version: u64) {
        self.numbers.forget();
        self.recent.forget_before(version);
    }
}
