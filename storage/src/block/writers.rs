//! Several processes that write into the same targets: each into an open extent of its own, whose row says whose it is.
//!
//! An extent whose writer is gone is sealed at its acknowledged length. If the writer was only paused, its next commit finds the extent
//! sealed and fails: nothing is acknowledged that another process does not know of.

use std::sync::PoisonError;

use super::extent::{self, Extent, State};
use super::row::ExtentId;
use super::{BlockStore, Shared};
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Snapshot, Transaction};

/// `EXTENT 6 id`: the writer of an open extent.
const TABLE: [u8; 2] = [keyspace::EXTENT, 6];

impl BlockStore {
    /// Seals open extents whose writers are gone, and ends removals that were begun. Returns how many were sealed.
    pub fn close_abandoned(&self, is_alive: &dyn Fn(u64) -> bool) -> Result<usize> {
        let shared = &self.shared;
        let mut closed = 0;
        let snapshot = shared.store.snapshot()?;
        let extents = extent::read_all(&*snapshot)?;
        let open = extents.iter().filter(|(_, row)| row.state == State::Open);
        let mut abandoned = Vec::new();
        for (id, _) in open {
            match writer(&*snapshot, *id)? {
                Some(writer) if is_alive(writer) => {}
                _ => abandoned.push(*id),
            }
        }
        drop(snapshot);
        for id in abandoned {
            closed += usize::from(shared.close_open(id)?);
        }
        for (id, row) in extents
            .iter()
            .filter(|(_, row)| row.state == State::Dropped)
        {
            shared.finish_removal(*id, row)?;
        }
        Ok(closed)
    }

    /// Looks at the rows of all extents: other processes write them too.
    pub fn look_at_extents(&self) -> Result<()> {
        let rows = extent::read_all(&*self.shared.store.snapshot()?)?;
        let known = self.shared.extents.write();
        *known.unwrap_or_else(PoisonError::into_inner) = rows.into_iter().collect();
        Ok(())
    }
}

impl Shared {
    /// True when other processes write into the same targets.
    pub(super) fn is_shared(&self) -> bool {
        self.options.writer.is_some()
    }

    /// Notes that a new extent is this process's.
    pub(super) fn sign(&self, txn: &mut dyn Transaction, id: ExtentId) {
        if let Some(writer) = self.options.writer {
            txn.put(key(id), writer.to_be_bytes().to_vec().into());
        }
    }

    /// Refuses to write under an extent that another process has sealed. // fenced by its state
    pub(super) fn require_open(&self, txn: &dyn Transaction, id: ExtentId) -> Result<()> {
        match self.is_still_open(txn, id)? {
            true => Ok(()),
            false => Err(Error::Unavailable(format!(
                "extent {id} was sealed by another process"
            ))),
        }
    }

    /// True when no other process has sealed the extent.
    pub(super) fn is_still_open(&self, txn: &dyn Transaction, id: ExtentId) -> Result<bool> {
        let is_open = |row: &Extent| row.state == State::Open;
        Ok(!self.is_shared() || extent::read(txn, id)?.as_ref().is_some_and(is_open))
    }

    /// Seals an open extent at its acknowledged length; an empty one is removed. False when it is not open any more.
    fn close_open(&self, id: ExtentId) -> Result<bool> {
        let mut closed = None;
        self.store.transact(&mut |txn| {
            closed = None;
            let Some(row) = extent::read(txn, id)?.filter(|row| row.state == State::Open) else {
                return Ok(());
            };
            let state = match row.length == extent::HEADER_BYTES {
                true => State::Dropped,
                false => State::Sealed,
            };
            let row = Extent { state, ..row };
            extent::write(txn, id, &row)?;
            txn.delete(key(id));
            closed = Some(row);
            Ok(())
        })?;
        let Some(row) = closed else { return Ok(false) };
        tracing::info!(extent = %id, length = row.length, "an extent whose writer is gone is sealed");
        self.remember(id, &row);
        if row.state == State::Dropped {
            self.finish_removal(id, &row)?;
        }
        Ok(true)
    }
}

/// The extent is sealed: it has no writer any more.
pub(super) fn unsign(txn: &mut dyn Transaction, id: ExtentId) {
    txn.delete(key(id));
}

fn writer(from: &(impl Snapshot + ?Sized), id: ExtentId) -> Result<Option<u64>> {
    let row = from.get(&key(id))?;
    row.map(|row| crate::row::u64_at("writer of an extent", &row, 0))
        .transpose()
}

fn key(id: ExtentId) -> Vec<u8> {
    [&TABLE[..], &id.0.to_be_bytes()].concat()
}
