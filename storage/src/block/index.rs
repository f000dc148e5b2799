//! The rows of a group of records, in one transaction.

use std::collections::BTreeMap;

use super::Shared;
use super::extent::{self, Extent};
use super::identity::{self, Identity};
use super::queue::{Job, Origin};
use super::row::{self, BlockRow, ExtentId, Location};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::{BlockKey, WrappedKey};
use crate::kv::Transaction;

impl Shared {
    /// Points the index to `jobs`, which lie one after the other from `place` on, durable on all replicas; and moves
    /// the extent's acknowledged length past them.
    pub(super) fn index(
        &self,
        jobs: &[Job],
        place: Location,
        extent: &Extent,
        uncounted_bytes: u64,
    ) -> Result<()> {
        self.store.transact(&mut |txn| {
            let mut identity = identity::read(txn)?
                .ok_or_else(|| Error::Engine("the block store has no identity".into()))?;
            self.require_open(txn, place.extent)?;
            let mut dead = Dead::default();
            dead.add(place.extent, uncounted_bytes);
            let mut location = place;
            for job in jobs {
                self.index_job(txn, &mut identity, job, location, &mut dead)?;
                location.offset += job.record.len() as u64;
            }
            dead.count(txn);
            extent::write(txn, place.extent, extent)
        })?;
        Ok(())
    }

    fn index_job(
        &self,
        txn: &mut dyn Transaction,
        identity: &mut Identity,
        job: &Job,
        location: Location,
        dead: &mut Dead,
    ) -> Result<()> {
        let now_ms = self.now_ms();
        let present = row::read(txn, &job.hash)?;
        let length = job.record.len() as u64;
        match (&job.origin, present) {
            (Origin::Move { from }, Some(present)) if present.location == *from => {
                forget_place(txn, &present, dead);
                write(
                    txn,
                    &job.hash,
                    &BlockRow {
                        location,
                        ..present
                    },
                );
            }
            (Origin::Move { .. }, _) => dead.add(location.extent, length),
            // A new lease on what somebody else stored meanwhile.
            (Origin::Put { replaces, .. }, Some(present))
                if *replaces != Some(present.location) =>
            {
                dead.add(location.extent, length);
                write(
                    txn,
                    &job.hash,
                    &BlockRow {
                        leased_at_ms: now_ms,
                        condemned_at_ms: 0,
                        ..present
                    },
                );
            }
            (Origin::Put { key, .. }, unreadable) => {
                if let Some(unreadable) = unreadable {
                    forget_place(txn, &unreadable, dead);
                }
                let key = self.wrap(txn, identity, key, &job.hash)?;
                let stored_len = (job.record.len() - super::record::HEADER_BYTES) as u32;
                let row = BlockRow {
                    location,
                    stored_len,
                    plain_len: job.plain_len,
                    codec: job.codec,
                    key,
                    leased_at_ms: now_ms,
                    condemned_at_ms: 0,
                };
                write(txn, &job.hash, &row);
            }
        }
        Ok(())
    }

    /// Wraps a key under the current version, which the store's row must admit when this transaction commits.
    pub(super) fn wrap(
        &self,
        txn: &mut dyn Transaction,
        identity: &mut Identity,
        key: &BlockKey,
        hash: &BlockHash,
    ) -> Result<WrappedKey> {
        let wrapped = self.keys.wrap(key, hash)?;
        if !identity.admits(wrapped.kek) {
            identity.admit(txn, &self.keys)?;
        }
        if !identity.admits(wrapped.kek) {
            return Err(Error::Key(format!(
                "version {} is being retired",
                wrapped.kek
            )));
        }
        Ok(wrapped)
    }
}

/// Writes a block's row and its extent's.
fn write(txn: &mut dyn Transaction, hash: &BlockHash, row: &BlockRow) {
    txn.put(row::block_key(hash), row.encode().into());
    txn.put(row::content_key(row.location), hash.0.to_vec().into());
}

/// Drops the extent's row of a block that is no longer there.
fn forget_place(txn: &mut dyn Transaction, row: &BlockRow, dead: &mut Dead) {
    txn.delete(row::content_key(row.location));
    dead.add(row.location.extent, row.record_len());
}

/// Bytes that died in this transaction, by extent.
#[derive(Default)]
pub(super) struct Dead(BTreeMap<ExtentId, u64>);

impl Dead {
    pub(super) fn add(&mut self, extent: ExtentId, bytes: u64) {
        *self.0.entry(extent).or_default() += bytes;
    }

    pub(super) fn count(&self, txn: &mut dyn Transaction) {
        for (extent, bytes) in self.0.iter().filter(|(_, bytes)| **bytes > 0) {
            txn.add(&row::dead_key(*extent), bytes.cast_signed(), None);
        }
    }
}
