//! The embedded engine: LevelDB under optimistic transactions with one committer.
//!
//! A transaction reads from a LevelDB snapshot and remembers what it read. Its commit is checked by the committer against
//! the writes since its version, together with many others, and written with them by one fsync. In reading order:
//! `binding` (LevelDB itself), `log_tail` (after a power cut), `handle` (opening and reopening), `view` and `transaction` (reads and own writes), `versions`,
//! `queue`, `recent`, `numbers`, `committer`.

mod binding;
mod committer;
mod handle;
mod keys;
mod log_tail;
mod numbers;
mod queue;
mod reads;
mod recent;
#[cfg(test)]
mod tests;
mod transaction;
mod versions;
mod view;

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use rand::Rng;

use self::binding::Batch;
use self::committer::Committer;
use self::handle::Handle;
use self::queue::Queue;
use self::transaction::Attempt;
use self::versions::Versions;
use self::view::View;
use super::{Commit, Snapshot, Store, Transaction};
use crate::error::{Error, Result};

/// The format this release writes, and the newest it reads.
const FORMAT: u32 = 1;
/// Optimistic attempts of a transaction before it runs alone.
const ATTEMPTS: u32 = 10;
/// Attempts while no other transaction runs; they conflict only when the database was reopened meanwhile.
const ATTEMPTS_ALONE: u32 = 2;
/// The longest pause between attempts.
const MAX_BACKOFF_US: u64 = 2_000;

/// How LevelDB uses memory and files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Cache of uncompressed blocks, bytes.
    pub cache_bytes: usize,
    /// What is held in memory (and in the write-ahead log) before it becomes a table, bytes. Twice this may be in use.
    pub write_buffer_bytes: usize,
    /// How many tables stay open.
    pub max_open_files: i32,
    /// Size of the bloom filters; 10 bits give about 1% false positives.
    pub bloom_bits_per_key: i32,
}

impl Default for Options {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Options {
            cache_bytes: 64 * mib,
            write_buffer_bytes: 16 * mib,
            max_open_files: 1_000,
            bloom_bits_per_key: 10,
        }
    }
}

/// A [`Store`] in one folder of a local disk, open in one process at a time.
pub struct LevelDbStore {
    handle: Arc<Handle>,
    versions: Arc<Versions>,
    queue: Arc<Queue>,
    /// Shared by optimistic attempts; held alone by a transaction that lost too often.
    turns: RwLock<()>,
    committer: Option<JoinHandle<()>>,
}

impl LevelDbStore {
    /// Opens the store in `path`, creating it when missing.
    ///
    /// Fails with [`Error::NewerFormat`] when a newer release wrote it, [`Error::Corrupt`] when it is damaged, and
    /// [`Error::Engine`] when it is open already.
    pub fn open(path: &Path, options: Options) -> Result<LevelDbStore> {
        std::fs::create_dir_all(path)
            .map_err(|e| Error::io(format!("creating {}", path.display()), e))?;
        let handle = Arc::new(Handle::open(path, options)?);
        check_format(&handle, path)?;
        let (versions, queue) = (Arc::new(Versions::default()), Arc::new(Queue::default()));
        let committer = Committer::new(handle.clone(), versions.clone(), queue.clone());
        let thread = std::thread::Builder::new()
            .name("kv-committer".into())
            .spawn(move || committer.run());
        let committer = Some(thread.map_err(|e| Error::io("starting the committer", e))?);
        Ok(LevelDbStore {
            handle,
            versions,
            queue,
            turns: RwLock::new(()),
            committer,
        })
    }

    /// Rewrites all tables, which frees the room of what was deleted and overwritten. Takes as long as copying the store.
    pub fn compact(&self) -> Result<()> {
        self.handle.for_read()?.compact();
        Ok(())
    }

    /// One run of `body`; `None` when it conflicted.
    fn attempt(
        &self,
        body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<Option<Commit>> {
        // The version is taken before the snapshot, so it is never newer: what the snapshot has beyond it can only cause a
        // needless conflict, never a missed one.
        let active = self.versions.begin();
        let mut attempt = Attempt::new(View::new(&self.handle.for_read()?));
        let done = body(&mut attempt);
        if attempt.is_lost() {
            return Ok(None);
        }
        done?;
        let (reads, writes) = attempt.finish()?;
        if writes.is_empty() {
            return Ok(Some(Commit::default())); // one snapshot is serializable by itself
        }
        let answer = self.queue.push(active.version, reads, writes)?;
        answer
            .recv()
            .map_err(|_| Error::Engine("the store's committer has stopped".into()))?
    }
}

impl Store for LevelDbStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        Ok(Box::new(View::new(&self.handle.for_read()?)))
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        let _running = Running::enter(self)?;
        for attempt in 0..ATTEMPTS {
            let turn = self.turns.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(commit) = self.attempt(body)? {
                return Ok(commit);
            }
            drop(turn);
            back_off(attempt);
        }
        let _alone = self.turns.write().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..ATTEMPTS_ALONE {
            if let Some(commit) = self.attempt(body)? {
                return Ok(commit);
            }
        }
        Err(Error::Conflict {
            attempts: ATTEMPTS + ATTEMPTS_ALONE,
        })
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        numbers::read(&*self.handle.for_read()?, &keys::head(log))
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        Ok(numbers::read(&*self.handle.for_read()?, &keys::counter(counter))?.cast_signed())
    }

    fn load(&self, batch: &super::Batch) -> Result<()> {
        if self.versions.newest() > 0 {
            return Err(Error::Engine(
                "rows are loaded only into a store that was just opened".into(),
            ));
        }
        let db = self.handle.for_write()?.db;
        let mut rows = Batch::new();
        for (key, value) in &batch.pairs {
            rows.put(&keys::data(key), value);
        }
        for (log, head) in &batch.heads {
            rows.put(&keys::head(log), &head.to_be_bytes());
        }
        for (counter, value) in &batch.counters {
            rows.put(&keys::counter(counter), &value.to_be_bytes());
        }
        self.handle.write(&db, &rows)
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.versions.wait(seen, timeout)
    }
}

impl Drop for LevelDbStore {
    fn drop(&mut self) {
        self.queue.close();
        if self
            .committer
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the store's committer had panicked");
        }
    }
}

thread_local! {
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Refuses a transaction inside a transaction of the same store, which would wait for itself.
struct Running(usize);

impl Running {
    fn enter(store: &LevelDbStore) -> Result<Running> {
        let id = std::ptr::from_ref(store).addr();
        RUNNING.with_borrow_mut(|running| {
            if running.contains(&id) {
                return Err(Error::Engine("a transaction inside a transaction".into()));
            }
            running.push(id);
            Ok(Running(id))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.retain(|id| *id != self.0));
    }
}

/// The first retry comes at once: the winner is already visible. Later ones spread out.
fn back_off(attempt: u32) {
    if attempt > 0 {
        let most = (50u64 << attempt.min(10)).min(MAX_BACKOFF_US);
        std::thread::sleep(Duration::from_micros(rand::rng().random_range(0..=most)));
    }
}

/// Writes the format into a new store; refuses one that is newer, or that is no store of ours.
fn check_format(handle: &Handle, path: &Path) -> Result<()> {
    let what = path.display().to_string();
    let db = handle.for_write()?.db;
    if let Some(bytes) = db.get(keys::FORMAT)? {
        let detail = format!("a format of {} bytes", bytes.len());
        let found = <[u8; 4]>::try_from(bytes).map_err(|_| Error::Corrupt {
            what: what.clone(),
            detail,
        })?;
        return match u32::from_be_bytes(found) {
            found if found > FORMAT => Err(Error::NewerFormat {
                what,
                found,
                supported: FORMAT,
            }),
            _ => Ok(()),
        };
    }
    if !binding::DbSnapshot::new(&db).is_empty()? {
        return Err(Error::Corrupt {
            what,
            detail: "it has no format, but is not empty".into(),
        });
    }
    let mut batch = Batch::new();
    batch.put(keys::FORMAT, &FORMAT.to_be_bytes());
    handle.write(&db, &batch)
}
