//! Transactions on their way to the committer, and their answers back.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::attempt::Writes;
use super::reads::ReadSet;
use crate::error::{Error, Result};
use crate::kv::Commit;

/// At most this many transactions share one write.
const MAX_BATCH: usize = 1_024;
/// A batch takes no further transaction above this many bytes.
const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// A transaction to be committed.
pub struct Request {
    /// The version it began at.
    pub version: u64,
    /// What it read.
    pub reads: ReadSet,
    /// What it writes.
    pub writes: Writes,
    /// Where the answer goes.
    pub answer: SyncSender<Answer>,
}

/// What became of a transaction: `None` means that it conflicted.
pub type Answer = Result<Option<Commit>>;

/// The waiting transactions: at most one for each calling thread, since callers wait for the answer.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Request>,
    closed: bool,
}

impl Queue {
    /// Hands a transaction over; the answer comes on the returned channel.
    pub fn push(&self, version: u64, reads: ReadSet, writes: Writes) -> Result<Receiver<Answer>> {
        let (answer, receiver) = sync_channel(1);
        let mut state = self.lock();
        if state.closed {
            return Err(Error::Engine("the store's committer has stopped".into()));
        }
        state.waiting.push_back(Request {
            version,
            reads,
            writes,
            answer,
        });
        drop(state);
        self.arrived.notify_one();
        Ok(receiver)
    }

    /// Waits for transactions and takes a bounded batch of them; `None` once closed and empty.
    pub fn take(&self) -> Option<Vec<Request>> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state = self
                .arrived
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
            let Some(request) = state.waiting.pop_front() else {
                break;
            };
            bytes += request.writes.bytes();
            batch.push(request);
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Takes no more transactions; those waiting are still committed.
    pub fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Closes and drops what waits, so that its callers get an error instead of waiting for ever.
    pub fn abandon(&self) {
        self.close();
        self.lock().waiting.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callers get an error rather than wait for ever when the committer ends, whatever ended it.
pub struct AbandonOnExit(pub Arc<Queue>);

impl Drop for AbandonOnExit {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Answers everybody with the same error.
pub fn fail(waiting: impl Iterator<Item = SyncSender<Answer>>, error: &Error) {
    for to in waiting {
        let _gone = to.send(Err(copy(error)));
    }
}

fn copy(error: &Error) -> Error {
    match error {
        Error::NoSpace(what) => Error::NoSpace(what.clone()),
        Error::Unavailable(what) => Error::Unavailable(what.clone()),
        Error::Corrupt { what, detail } => Error::Corrupt {
            what: what.clone(),
            detail: detail.clone(),
        },
        Error::Io { what, source } => Error::Io {
            what: what.clone(),
            source: std::io::Error::new(source.kind(), source.to_string()),
        },
        other => Error::Engine(other.to_string()),
    }
}
