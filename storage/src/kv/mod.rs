//! The transactional, ordered key-value store under all metadata.
//!
//! One small object-safe trait, [`Store`], with serializable transactions. Values that must contain a sequence
//! number which only the commit knows carry *holes* ([`Value`]): the committer fills them in.

pub mod carry;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod leveldb;
pub mod memory;
pub mod mysql;
mod optimistic;

use crate::error::Result;

/// A key-value pair.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Called with a key and its value; answers whether to go on.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> Result<bool>;

/// An ordered, transactional store. Calls block; use them from a blocking thread.
pub trait Store: Send + Sync {
    /// A consistent view of everything committed so far. Old versions are kept while it lives: do not hold it for long.
    ///
    /// Its reads fail with [`crate::Error::Conflict`] when the engine had to end it early; take a new one then.
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>>;

    /// The value of `key`, at least as new as all that was committed before the call: a snapshot for one row.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.snapshot()?.get(key)
    }

    /// Runs `body` with serializable isolation and commits it durably (fsync) before returning.
    ///
    /// `body` runs again on a conflict, so it must have no effects but those on the transaction, and must not start or
    /// wait for another transaction of the same store. An error from `body` aborts and is returned unchanged.
    ///
    /// [`crate::Error::CounterBound`]: a bounded counter refused, nothing was written. [`crate::Error::Conflict`]: lost too
    /// often. [`crate::Error::NoSpace`] and other failures of the disk: everything written so far is still there and
    /// readable, later commits work again once the cause is gone; of this one it is unknown whether it was stored.
    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit>;

    /// The last sequence that was given out in `log` (0 when it is empty). Reads committed state.
    fn head(&self, log: &[u8]) -> Result<u64>;

    /// The heads of several logs, in their order; at least as new as all that was committed before the call.
    fn heads(&self, logs: &[Vec<u8>]) -> Result<Vec<u64>> {
        logs.iter().map(|log| self.head(log)).collect()
    }

    /// The present value of `counter` (0 when it was never touched). Reads committed state.
    fn counter(&self, counter: &[u8]) -> Result<i64>;

    /// Writes rows and numbers as they are, durably, into a store to which nothing was committed since it was opened: what a
    /// restore does. A batch is at most [`MAX_LOAD_BYTES`]; it may be sent again.
    fn load(&self, batch: &Batch) -> Result<()>;

    /// Waits until anything was committed after version `seen` or the timeout is over; returns the newest version.
    /// The version grows by at least one with every commit that wrote something; it is not kept over a restart.
    fn wait(&self, seen: u64, timeout: std::time::Duration) -> u64;
}

/// Reads at one point of the store's history.
pub trait Snapshot: Send {
    /// The value of `key`, if there is one.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// The pairs with `start <= key < end`, in key order (descending when `reverse`), at most `limit`.
    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>>;

    /// Calls `visit` with every pair with `start <= key < end` in key order until it returns false.
    ///
    /// Fails when anything on the way could not be read, even if `visit` was called with what lies behind it.
    fn scan(&self, start: &[u8], end: &[u8], visit: Visit) -> Result<()>;

    /// Calls `visit` with every log's head and every counter that was ever touched, as of this snapshot, in an order that is the
    /// same each time. In a transaction they are not part of what is validated.
    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()>;
}

/// What the committer counts beside the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number<'a> {
    /// The last sequence of a log.
    Head(&'a [u8]),
    /// A counter; its value is an `i64` in the bits of a `u64`.
    Counter(&'a [u8]),
}

/// Most bytes of one [`Store::load`].
pub const MAX_LOAD_BYTES: usize = 16 * 1024 * 1024;

/// What [`Store::load`] writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Rows.
    pub pairs: Vec<Pair>,
    /// Logs' heads.
    pub heads: Vec<(Vec<u8>, u64)>,
    /// Counters.
    pub counters: Vec<(Vec<u8>, i64)>,
}

/// One transaction: reads see the snapshot plus its own puts and deletes; everything read is validated at commit,
/// absent keys and ranges included.
pub trait Transaction: Snapshot {
    /// Writes `value` under `key`. A value with holes reads back with zeros in them until commit.
    fn put(&mut self, key: Vec<u8>, value: Value);

    /// Removes `key`.
    fn delete(&mut self, key: Vec<u8>);

    /// Appends to `log`: the committer assigns the next gap-free sequence (from 1) and writes `value` under
    /// `log ++ big-endian u64 sequence`. Outside the read set: appenders never conflict with each other.
    fn append(&mut self, log: &[u8], value: Value) -> Ticket;

    /// Adds `delta` to `counter` at commit time, outside the read set. With `max`, a positive `delta` that would raise the counter
    /// above it aborts the transaction with [`crate::Error::CounterBound`].
    fn add(&mut self, counter: &[u8], delta: i64, max: Option<i64>);
}

/// Stands for a sequence number until the commit assigns it. Indexes [`Commit::sequences`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(pub usize);

/// Bytes with holes: at each `(offset, ticket)` eight bytes are replaced by the ticket's sequence, big-endian.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    /// The bytes, with eight placeholder bytes for each hole.
    pub bytes: Vec<u8>,
    /// Where sequences go.
    pub holes: Vec<(usize, Ticket)>,
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Value {
            bytes,
            holes: Vec::new(),
        }
    }
}

/// What a commit returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The sequences assigned to the transaction's appends, by [`Ticket`].
    pub sequences: Vec<u64>,
}

/// The smallest key greater than every key that starts with `prefix` (the end of a prefix range).
pub fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    vec![0xff; 64]
}
