//! The embedded engine: LevelDB under optimistic transactions with one committer.
//!
//! A transaction reads from a LevelDB snapshot and remembers what it read. Its commit is checked by the committer against
//! the writes since its version, together with many others, and written with them by one fsync. In reading order:
//! `binding` (LevelDB itself), `log_tail` (after a power cut), `handle` (opening and reopening), `view`, `committer`; what it
//! shares with other engines is in [`super::optimistic`].

mod binding;
mod committer;
mod handle;
mod keys;
mod log_tail;
#[cfg(test)]
mod tests;
mod view;

#[cfg(feature = "fuzz")]
pub(crate) use log_tail::torn_batch;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use self::binding::Batch;
use self::committer::{Committer, read_number};
use self::handle::Handle;
use self::view::View;
use super::optimistic::{Attempt, Plain, Queue, Retries, Turns, Versions, numbers};
use super::{Commit, Snapshot, Store, Transaction};
use crate::error::{Error, Result};

/// The format this release writes, and the newest it reads.
const FORMAT: u32 = 1;
/// How often a transaction is tried. Those that run alone conflict only when the database was reopened meanwhile.
const RETRIES: Retries = Retries {
    together: 10,
    alone: 2,
    max_backoff: Duration::from_millis(2),
};

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
    turns: Turns,
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
            turns: Turns::new(RETRIES),
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
        Ok(Box::new(Plain(View::new(&self.handle.for_read()?))))
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        self.turns.run(&mut || self.attempt(body))
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        read_number(&*self.handle.for_read()?, &numbers::head(log))
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        Ok(read_number(&*self.handle.for_read()?, &numbers::counter(counter))?.cast_signed())
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
        for (at, number) in numbers::of_batch(batch) {
            rows.put(&at, &number.to_be_bytes());
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
