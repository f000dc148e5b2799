//! The store's version: published after each batch, taken by transactions as they begin, waited for.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The newest committed version and which versions transactions began at.
#[derive(Default)]
pub struct Versions {
    state: Mutex<State>,
    published: Condvar,
}

#[derive(Default)]
struct State {
    newest: u64,
    active: BTreeMap<u64, usize>,
}

impl Versions {
    /// The newest committed version.
    pub fn newest(&self) -> u64 {
        self.lock().newest
    }

    /// Registers a transaction at the newest version; writes after it are remembered until the guard is gone.
    pub fn begin(&self) -> Active<'_> {
        let mut state = self.lock();
        let version = state.newest;
        *state.active.entry(version).or_default() += 1;
        Active {
            versions: self,
            version,
        }
    }

    /// The version of the oldest active transaction, or the newest when there is none.
    pub fn oldest_active(&self) -> u64 {
        let state = self.lock();
        state.active.keys().next().copied().unwrap_or(state.newest)
    }

    /// Makes `version` the newest and wakes those who wait.
    pub fn publish(&self, version: u64) {
        self.lock().newest = version;
        self.published.notify_all();
    }

    /// Waits for a version above `seen`, at most `timeout`; returns the newest.
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        while state.newest <= seen {
            let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            state = self
                .published
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.newest
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transaction that began at `version` and is not answered yet.
pub struct Active<'a> {
    versions: &'a Versions,
    /// Everything committed up to here is seen by the transaction.
    pub version: u64,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let mut state = self.versions.lock();
        if let Some(count) = state.active.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                state.active.remove(&self.version);
            }
        }
    }
}
