//! Storing blocks: dedup with a lease, or seal, queue, and wait for the group's fsync.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{Receiver, sync_channel};

use super::queue::{Job, Origin};
use super::row::{self, BlockRow, Location};
use super::{BlockStore, Shared, record};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};

/// How often a block that moves while we look at it is looked at again.
const ATTEMPTS: usize = 8;

/// A write on its way; `None` when the block was there already.
type Pending = Option<Receiver<Result<()>>>;

/// What is to be done for a block that somebody brings.
enum Standing {
    /// It is stored, readable, and leased.
    Leased,
    /// It must be written; its present row, if any, names a record that cannot be read.
    Wanted(Option<Location>),
}

impl BlockStore {
    /// Stores a block of at most 4 MiB and returns its name. When this returns it is on every replica's disk (I1) and
    /// stays at least for most of the lease, so that a version can refer to it.
    ///
    /// [`Error::NoSpace`] when a target is full and no other can take its place: nothing was stored, a later try may work.
    pub fn put(&self, plain: &[u8]) -> Result<BlockHash> {
        let hash = BlockHash::of(plain);
        wait(self.shared.begin(hash, plain)?)?;
        Ok(hash)
    }

    /// Stores several blocks with one wait; returns their names in the same order.
    pub fn put_many(&self, plains: &[&[u8]]) -> Result<Vec<BlockHash>> {
        let mut waiting = HashMap::new();
        let mut hashes = Vec::with_capacity(plains.len());
        for plain in plains {
            let hash = BlockHash::of(plain);
            if let Entry::Vacant(first) = waiting.entry(hash) {
                first.insert(self.shared.begin(hash, plain)?);
            }
            hashes.push(hash);
        }
        waiting.into_values().try_for_each(wait)?;
        Ok(hashes)
    }
}

impl Shared {
    fn begin(&self, hash: BlockHash, plain: &[u8]) -> Result<Pending> {
        let replaces = match self.lease(&hash)? {
            Standing::Leased => return Ok(None),
            Standing::Wanted(replaces) => replaces,
        };
        let sealed = self.sealer.seal(plain, &hash)?;
        let record = record::encode(&hash, sealed.codec, sealed.plain_len, &sealed.payload);
        let origin = Origin::Put {
            key: sealed.key,
            replaces,
        };
        let (done, pending) = sync_channel(1);
        self.queue.push(Job {
            hash,
            codec: sealed.codec,
            plain_len: sealed.plain_len,
            record,
            origin,
            done,
        })?;
        Ok(Some(pending))
    }

    /// Takes a lease on the block if it is there and readable.
    fn lease(&self, hash: &BlockHash) -> Result<Standing> {
        let mut unreadable = None;
        for _ in 0..ATTEMPTS {
            let Some(row) = self.row(hash)? else {
                return Ok(Standing::Wanted(None));
            };
            if unreadable == Some(row.location) {
                break;
            }
            if !self.is_readable(hash, &row) {
                unreadable = Some(row.location);
                continue; // it may have been moved while we read: look once more
            }
            if self.is_fresh(&row) || self.renew(hash)? {
                return Ok(Standing::Leased);
            }
        }
        Ok(Standing::Wanted(unreadable))
    }

    /// True when the lease is young and no collector has marked the block.
    fn is_fresh(&self, row: &BlockRow) -> bool {
        let age_ms = self.now_ms().saturating_sub(row.leased_at_ms);
        row.condemned_at_ms == 0 && age_ms < self.options.lease_ms / 4
    }

    /// Starts the lease anew; false when the block has just gone.
    fn renew(&self, hash: &BlockHash) -> Result<bool> {
        let mut is_there = false;
        self.store.transact(&mut |txn| {
            let present = row::read(txn, hash)?;
            is_there = present.is_some();
            if let Some(present) = present {
                let row = BlockRow {
                    leased_at_ms: self.now_ms(),
                    condemned_at_ms: 0,
                    ..present
                };
                txn.put(row::block_key(hash), row.encode().into());
            }
            Ok(())
        })?;
        Ok(is_there)
    }
}

/// Waits until the block is durable.
pub(super) fn wait(pending: Pending) -> Result<()> {
    let Some(pending) = pending else {
        return Ok(());
    };
    pending
        .recv()
        .map_err(|_| Error::Engine("the appending thread has stopped".into()))?
}
