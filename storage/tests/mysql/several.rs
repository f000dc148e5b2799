//! Several stores on one database taken for one: each call goes to the next, as requests do to several processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use storage::Result;
use storage::kv::mysql::MySqlStore;
use storage::kv::{Batch, Commit, Snapshot, Store, Transaction};

/// The stores.
pub struct Several {
    stores: Vec<MySqlStore>,
    calls: AtomicUsize,
}

impl Several {
    pub fn new(stores: Vec<MySqlStore>) -> Several {
        Several {
            stores,
            calls: AtomicUsize::new(0),
        }
    }

    fn next(&self) -> &MySqlStore {
        &self.stores[self.calls.fetch_add(1, Ordering::Relaxed) % self.stores.len()]
    }
}

impl Store for Several {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        self.next().snapshot()
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        self.next().transact(body)
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        self.next().head(log)
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        self.next().counter(counter)
    }

    fn load(&self, batch: &Batch) -> Result<()> {
        self.next().load(batch)
    }

    /// Versions are a process's own; another process's commits come a moment later.
    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let timeout = timeout.max(Duration::from_millis(500));
        self.stores[0].wait(seen, timeout)
    }
}
