//! What waits for the next group commit, bounded in bytes.

use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::row::{Codec, Location};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::BlockKey;

/// Most bytes and blocks of one group: what one fsync carries.
const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;
const MAX_GROUP_BLOCKS: usize = 1_024;

/// A record to append, and who waits for it.
pub struct Job {
    pub hash: BlockHash,
    pub codec: Codec,
    pub plain_len: u32,
    pub record: Vec<u8>,
    pub origin: Origin,
    pub done: SyncSender<Result<()>>,
}

/// Where a record comes from.
pub enum Origin {
    /// A new block with its key; it takes the place of the row at `replaces`, whose record cannot be read.
    Put {
        key: BlockKey,
        replaces: Option<Location>,
    },
    /// A record that leaves its extent; its row keeps everything but the place.
    Move { from: Location },
}

/// A queue of jobs, many producers, one consumer.
pub struct Queue {
    limit_bytes: usize,
    waiting: Mutex<Waiting>,
    ready: Condvar,
    room: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    bytes: usize,
    is_closed: bool,
    /// The consumer is to look around although there are no jobs.
    is_nudged: bool,
}

impl Queue {
    pub fn new(limit_bytes: usize) -> Self {
        Queue {
            limit_bytes,
            waiting: Mutex::default(),
            ready: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Waits for room and adds `job`. One job always fits.
    pub fn push(&self, job: Job) -> Result<()> {
        let mut waiting = self.lock();
        while waiting.bytes > 0
            && waiting.bytes + job.record.len() > self.limit_bytes
            && !waiting.is_closed
        {
            waiting = self
                .room
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.is_closed {
            return Err(Error::Engine("the block store is closing".into()));
        }
        waiting.bytes += job.record.len();
        waiting.jobs.push(job);
        self.ready.notify_one();
        Ok(())
    }

    /// Wakes the consumer with an empty group.
    pub fn nudge(&self) {
        self.lock().is_nudged = true;
        self.ready.notify_one();
    }

    /// Waits for jobs and takes the next group (an empty one after a nudge); `None` when the queue is closed and empty.
    pub fn pop(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.is_closed {
                return None;
            }
            if std::mem::take(&mut waiting.is_nudged) {
                return Some(Vec::new());
            }
            waiting = self
                .ready
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let count = group(&waiting.jobs);
        let group: Vec<Job> = waiting.jobs.drain(..count).collect();
        waiting.bytes -= group.iter().map(|job| job.record.len()).sum::<usize>();
        self.room.notify_all();
        Some(group)
    }

    /// Refuses new jobs; what waits is still done.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.ready.notify_all();
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many of the first jobs go together; at least one.
fn group(jobs: &[Job]) -> usize {
    let mut bytes = 0;
    let fits = jobs.iter().take(MAX_GROUP_BLOCKS).take_while(|job| {
        bytes += job.record.len();
        bytes <= MAX_GROUP_BYTES
    });
    fits.count().max(1)
}
