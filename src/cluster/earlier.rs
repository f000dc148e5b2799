//! Releases that cannot encrypt their calls. While a process of one is in the cluster, which is while releases are exchanged, calls in clear are
//! answered, and afterwards no more: nobody has to say that it is over.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use storage::lease::Leases;

use super::note::{Note, PROCESSES};

/// How long a look at the leases counts.
const LOOK_LASTS: Duration = Duration::from_secs(1);

/// Knows whether such a process is there.
pub struct Earlier {
    leases: Leases,
    looked: Mutex<Option<(Instant, bool)>>,
}

impl Earlier {
    /// Looks at the processes that `leases` tell of.
    pub fn new(leases: Leases) -> Self {
        let looked = Mutex::default();
        Earlier { leases, looked }
    }

    /// True when one is there, a second ago at most. False when that cannot be found out. Blocks.
    pub fn is_there(&self) -> bool {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let known = looked.filter(|(at, _)| at.elapsed() < LOOK_LASTS);
        if let Some((_, is_there)) = known {
            return is_there;
        }
        let is_there = self.look().unwrap_or_else(|error| {
            tracing::warn!(error = format!("{error:#}"), "leases cannot be read");
            false
        });
        if is_there && !looked.is_some_and(|(_, before)| before) {
            tracing::warn!(
                "a process of an earlier release is in the cluster: what it asks and hears is not encrypted"
            );
        }
        *looked = Some((Instant::now(), is_there));
        is_there
    }

    fn look(&self) -> Result<bool> {
        let alive = self.leases.alive(PROCESSES)?;
        let mut notes = alive
            .iter()
            .filter_map(|(_, lease)| Note::read(&lease.note));
        Ok(notes.any(|note| !note.tls))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::kv::Store;
    use storage::kv::memory::MemoryStore;
    use storage::lease::Terms;

    use super::super::note::process_lease;
    use super::*;

    #[test]
    fn calls_in_clear_are_answered_while_somebody_cannot_encrypt() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let process = |me: u64, note: &str| {
            let leases = Leases::new(store.clone(), me, note.to_owned(), Terms::default());
            let held = leases.take(&process_lease(me)).unwrap().unwrap();
            (leases, held)
        };
        let (own, _) = process(1, r#"{"url":"http://a","roles":["web"],"tls":true}"#);
        let is_there = || Earlier::new(own.clone()).is_there();
        assert!(!is_there());
        let (old, held) = process(2, r#"{"url":"http://b","roles":["shard"],"shards":8}"#);
        assert!(is_there());
        old.release(&held).unwrap();
        assert!(!is_there());
    }
}
