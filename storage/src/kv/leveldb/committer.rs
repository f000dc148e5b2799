//! The one thread that commits: validates, assigns sequences, writes many transactions with one fsync, answers.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::binding::{Batch, Db};
use super::handle::Handle;
use super::keys;
use crate::error::{Error, Result};
use crate::kv::optimistic::queue::{AbandonOnExit, Answer, Queue, Request, fail};
use crate::kv::optimistic::{Ledger, Sink, Versions};

/// The committer's state. All of it is derived from the database and may be forgotten.
pub struct Committer {
    handle: Arc<Handle>,
    versions: Arc<Versions>,
    queue: Arc<Queue>,
    ledger: Ledger,
}

/// A batch in the making.
struct Staged {
    batch: Batch,
    version: u64,
    writes: bool,
    answers: Vec<(SyncSender<Answer>, Answer)>,
}

impl Committer {
    /// A committer that knows nothing yet.
    pub fn new(handle: Arc<Handle>, versions: Arc<Versions>, queue: Arc<Queue>) -> Committer {
        Committer {
            handle,
            versions,
            queue,
            ledger: Ledger::default(),
        }
    }

    /// Commits batches until the queue is closed and empty.
    pub fn run(mut self) {
        let _abandon = AbandonOnExit(self.queue.clone());
        while let Some(requests) = self.queue.take() {
            self.commit(requests);
            self.ledger.recent.prune(self.versions.oldest_active());
        }
    }

    fn commit(&mut self, requests: Vec<Request>) {
        let db = match self.writable() {
            Ok(db) => db,
            Err(error) => return fail(requests.into_iter().map(|request| request.answer), &error),
        };
        let mut staged = self.stage(&db, requests);
        if staged.writes {
            let Staged { batch, .. } = &mut staged;
            let put = &mut |at: &[u8], number: u64| batch.put(at, &number.to_be_bytes());
            self.ledger.numbers.write(put);
            if let Err(error) = self.handle.write(&db, &staged.batch) {
                return fail(staged.answers.into_iter().map(|(to, _)| to), &error);
            }
            self.versions.publish(staged.version);
        }
        // Losers are answered only now: a snapshot taken before the publication would lose again.
        for (to, answer) in staged.answers {
            let _gone = to.send(answer);
        }
    }

    /// The database; after a reopening, what was remembered is forgotten and running transactions are refused.
    fn writable(&mut self) -> Result<Arc<Db>> {
        let writable = self.handle.for_write()?;
        if writable.reopened {
            let version = self.versions.newest() + 1;
            self.ledger.forget_before(version);
            self.versions.publish(version);
        }
        Ok(writable.db)
    }

    fn stage(&mut self, db: &Db, requests: Vec<Request>) -> Staged {
        let version = self.versions.newest();
        let mut staged = Staged {
            batch: Batch::new(),
            version,
            writes: false,
            answers: Vec::new(),
        };
        for request in requests {
            let accepted = self.ledger.accept(
                request.version,
                &request.reads,
                request.writes,
                staged.version + 1,
                &mut |at| read_number(db, at),
                &mut staged.batch,
            );
            if let Ok(Some(_)) = accepted {
                staged.version += 1;
                staged.writes = true;
            }
            staged.answers.push((request.answer, accepted));
        }
        staged
    }
}

impl Sink for Batch {
    fn put(&mut self, key: &[u8], value: &[u8]) {
        self.put(&keys::data(key), value);
    }

    fn delete(&mut self, key: &[u8]) {
        self.delete(&keys::data(key));
    }
}

/// The number that lies at `at`, 0 when there is none.
pub fn read_number(db: &Db, at: &[u8]) -> Result<u64> {
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
