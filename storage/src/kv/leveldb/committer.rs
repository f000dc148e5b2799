//! The one thread that commits: validates, assigns sequences, writes many transactions with one fsync, answers.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::binding::{Batch, Db};
use super::handle::Handle;
use super::keys;
use super::numbers::Numbers;
use super::queue::{Answer, Queue, Request};
use super::recent::Recent;
use super::transaction::Writes;
use super::versions::Versions;
use crate::error::{Error, Result};
use crate::kv::Commit;

/// The committer's state. All of it is derived from the database and may be forgotten.
pub struct Committer {
    handle: Arc<Handle>,
    versions: Arc<Versions>,
    queue: Arc<Queue>,
    recent: Recent,
    numbers: Numbers,
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
            recent: Recent::default(),
            numbers: Numbers::default(),
        }
    }

    /// Commits batches until the queue is closed and empty.
    pub fn run(mut self) {
        let _abandon = AbandonOnExit(self.queue.clone());
        while let Some(requests) = self.queue.take() {
            self.commit(requests);
            self.recent.prune(self.versions.oldest_active());
        }
    }

    fn commit(&mut self, requests: Vec<Request>) {
        let db = match self.writable() {
            Ok(db) => db,
            Err(error) => return fail(requests.into_iter().map(|request| request.answer), &error),
        };
        let mut staged = self.stage(&db, requests);
        if staged.writes {
            self.numbers.put_into(&mut staged.batch);
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
            self.numbers.forget();
            self.recent.forget_before(version);
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
        for Request {
            version,
            reads,
            writes,
            answer,
        } in requests
        {
            let outcome = match self.recent.allows(&reads, version) {
                true => self.accept(db, writes, &mut staged).map(Some),
                false => Ok(None),
            };
            staged.answers.push((answer, outcome));
        }
        staged
    }

    /// Adds a valid transaction to the batch. Nothing of it is added when its counters refuse.
    fn accept(&mut self, db: &Db, writes: Writes, staged: &mut Staged) -> Result<Commit> {
        let draft = self.numbers.draft(db, &writes)?;
        let sequences = self.numbers.accept(draft);
        staged.version += 1;
        staged.writes = true;
        for (key, value) in writes.pairs {
            self.recent.add(&key, staged.version);
            match value {
                Some(value) => staged.batch.put(&keys::data(&key), &value.fill(&sequences)),
                None => staged.batch.delete(&keys::data(&key)),
            }
        }
        for ((log, value), sequence) in writes.appends.into_iter().zip(&sequences) {
            let key = keys::entry(&log, *sequence);
            self.recent.add(&key, staged.version);
            staged.batch.put(&keys::data(&key), &value.fill(&sequences));
        }
        Ok(Commit { sequences })
    }
}

/// Callers get an error rather than wait for ever when the committer ends, whatever ended it.
struct AbandonOnExit(Arc<Queue>);

impl Drop for AbandonOnExit {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// Answers everybody with the same error.
fn fail(waiting: impl Iterator<Item = SyncSender<Answer>>, error: &Error) {
    for to in waiting {
        let _gone = to.send(Err(copy(error)));
    }
}

fn copy(error: &Error) -> Error {
    match error {
        Error::NoSpace(what) => Error::NoSpace(what.clone()),
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
