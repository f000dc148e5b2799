//! The open database, exchanged in place after a failed write.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Options;
use super::binding::{Batch, Db};
use super::log_tail;
use crate::error::{Error, Result};

/// How long a reopening waits for running reads, and how long new reads wait for a reopening.
const REOPEN_WAIT: Duration = Duration::from_secs(5);
/// How often a reopening looks whether the last read is done.
const REOPEN_POLL: Duration = Duration::from_millis(1);
/// What a reopening needs on the disk above one write buffer, bytes.
const REOPEN_ROOM_BYTES: usize = 1024 * 1024;

/// The database of a store.
pub struct Handle {
    path: PathBuf,
    options: Options,
    state: Mutex<State>,
    reopened: Condvar,
}

enum State {
    /// In use.
    Open(Arc<Db>),
    /// A write failed: still read from, opened anew before the next write.
    Failed(Arc<Db>),
    /// Being exchanged.
    Reopening,
    /// Could not be opened again; the next write tries once more.
    Closed(String),
}

/// What [`Handle::for_write`] found.
pub struct Writable {
    /// The database to write to.
    pub db: Arc<Db>,
    /// True when it was opened anew, so that nothing remembered about it counts.
    pub reopened: bool,
}

impl Handle {
    /// Opens the database.
    pub fn open(path: &Path, options: Options) -> Result<Handle> {
        let db = Arc::new(open_or_mend(path, &options)?);
        Ok(Handle {
            path: path.to_owned(),
            options,
            state: Mutex::new(State::Open(db)),
            reopened: Condvar::new(),
        })
    }

    /// The database to read from. Waits while it is being opened anew.
    pub fn for_read(&self) -> Result<Arc<Db>> {
        let state = self.lock();
        let reopening = |state: &mut State| matches!(state, State::Reopening);
        let waited = self
            .reopened
            .wait_timeout_while(state, REOPEN_WAIT, reopening);
        match &*waited.unwrap_or_else(PoisonError::into_inner).0 {
            State::Open(db) | State::Failed(db) => Ok(db.clone()),
            State::Reopening => Err(Error::Engine(format!(
                "{} is being reopened",
                self.path.display()
            ))),
            State::Closed(reason) => Err(Error::Engine(format!(
                "{} is closed: {reason}",
                self.path.display()
            ))),
        }
    }

    /// The database to write to, opened anew when the last write failed. For the one writer.
    pub fn for_write(&self) -> Result<Writable> {
        if let State::Open(db) = &*self.lock() {
            return Ok(Writable {
                db: db.clone(),
                reopened: false,
            });
        }
        self.check_room()?;
        let db = self.reopen()?;
        tracing::info!(path = %self.path.display(), "reopened after a failed write");
        Ok(Writable { db, reopened: true })
    }

    /// Writes `batch` durably. After an error nothing more is written before the database was opened anew.
    pub fn write(&self, db: &Arc<Db>, batch: &Batch) -> Result<()> {
        db.write(batch).inspect_err(|error| {
            tracing::error!(path = %self.path.display(), %error, "a write failed");
            *self.lock() = State::Failed(db.clone());
        })
    }

    /// Closes, then opens; LevelDB does not allow two handles on one folder.
    fn reopen(&self) -> Result<Arc<Db>> {
        let before = std::mem::replace(&mut *self.lock(), State::Reopening);
        if let State::Open(db) | State::Failed(db) = before
            && let Err(busy) = close(db)
        {
            self.set(State::Failed(busy));
            return Err(Error::Engine(format!(
                "{} cannot be reopened: it is being read",
                self.path.display()
            )));
        }
        match open_or_mend(&self.path, &self.options) {
            Ok(db) => {
                let db = Arc::new(db);
                self.set(State::Open(db.clone()));
                Ok(db)
            }
            Err(error) => {
                self.set(State::Closed(error.to_string()));
                Err(error)
            }
        }
    }

    /// Refuses to close a readable database that could not be opened again: recovery writes up to one write buffer.
    fn check_room(&self) -> Result<()> {
        let probe = self.path.join("room.probe");
        let what = || format!("{}", self.path.display());
        let written = write_zeros(&probe, self.options.write_buffer_bytes + REOPEN_ROOM_BYTES);
        let removed = std::fs::remove_file(&probe);
        written.and(removed).map_err(|source| match source.kind() {
            std::io::ErrorKind::QuotaExceeded | std::io::ErrorKind::FileTooLarge => {
                Error::NoSpace(what())
            }
            _ => Error::io(what(), source),
        })
    }

    fn set(&self, state: State) {
        *self.lock() = state;
        self.reopened.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens; when that fails for damage, looks whether it is only a batch that a power cut left half written.
fn open_or_mend(path: &Path, options: &Options) -> Result<Db> {
    match Db::open(path, options) {
        Err(Error::Corrupt { .. }) if log_tail::cut(path)? => Db::open(path, options),
        opened => opened,
    }
}

/// Closes once the running reads are done; gives the database back when they take too long.
fn close(mut db: Arc<Db>) -> std::result::Result<(), Arc<Db>> {
    db.start_closing();
    let deadline = Instant::now() + REOPEN_WAIT;
    loop {
        db = match Arc::try_unwrap(db) {
            Ok(_closed) => return Ok(()),
            Err(shared) => shared,
        };
        if Instant::now() > deadline {
            db.keep_open();
            return Err(db);
        }
        std::thread::sleep(REOPEN_POLL);
    }
}

fn write_zeros(path: &Path, bytes: usize) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(&vec![0; bytes])?;
    file.sync_data()
}
