//! What a crash left behind: half-written tails are cut, half-removed extents removed.
//!
//! The extent's row knows the acknowledged length, written in the same transaction as the index rows. Whatever a file
//! holds beyond it was never acknowledged; whole records among it are cut too, since the only copy of their keys would
//! have been in the index.

use std::sync::Arc;

use super::Shared;
use super::append::OpenExtent;
use super::extent::{self, Extent, State};
use super::medium::Handle;
use super::row::ExtentId;
use super::target::Disk;
use crate::error::{Error, Result};

impl Shared {
    /// Returns the extent to go on with, if there is one in order.
    pub(super) fn recover(&self) -> Result<Option<OpenExtent>> {
        let mut open: Option<OpenExtent> = None;
        for (id, row) in extent::read_all(&*self.store.snapshot()?)? {
            match row.state {
                State::Sealed => {}
                State::Dropped => self.finish_removal(id, &row)?,
                State::Open => {
                    if let Some(older) = open.take() {
                        self.seal(older)?;
                    }
                    open = match self.is_in_objects(&row) {
                        true => self.close(id, row)?,
                        false => self.reopen(id, row)?,
                    };
                }
            }
        }
        Ok(open)
    }

    fn is_in_objects(&self, row: &Extent) -> bool {
        let mut disks = row.targets.iter().filter_map(|target| self.disk(target));
        disks.any(|disk| disk.keeps_copies())
    }

    /// Seals an open extent on other machines: a write of the earlier run may still be on its way there, and comes to lie behind the
    /// acknowledged length, where it means nothing. One without any block is removed.
    fn close(&self, id: ExtentId, row: Extent) -> Result<Option<OpenExtent>> {
        let is_empty = row.length == extent::HEADER_BYTES;
        let state = if is_empty {
            State::Dropped
        } else {
            State::Sealed
        };
        let row = Extent { state, ..row };
        self.store
            .transact(&mut |txn| extent::write(txn, id, &row))?;
        self.remember(id, &row);
        if is_empty {
            self.finish_removal(id, &row)?;
        }
        Ok(None)
    }

    /// Cuts an open extent's tails; seals it instead when a replica is not whole.
    fn reopen(&self, id: ExtentId, row: Extent) -> Result<Option<OpenExtent>> {
        let replicas: Vec<_> = row
            .targets
            .iter()
            .map(|target| self.reopen_replica(id, &row, target))
            .collect();
        let is_whole =
            replicas.iter().all(Result::is_ok) && replicas.len() >= self.options.replicas;
        for (error, target) in replicas
            .iter()
            .zip(&row.targets)
            .filter_map(|(replica, target)| Some((replica.as_ref().err()?, target)))
        {
            tracing::warn!(extent = %id, target, %error, "a replica of the open extent is not whole");
        }
        let files = replicas.into_iter().filter_map(Result::ok).collect();
        let open = OpenExtent {
            id,
            row,
            files,
            groups: 0,
            uncounted_bytes: 0,
        };
        if is_whole {
            return Ok(Some(open));
        }
        self.seal(open)?;
        Ok(None)
    }

    fn reopen_replica(
        &self,
        id: ExtentId,
        row: &Extent,
        target: &str,
    ) -> Result<(Arc<Disk>, Handle)> {
        let disk = self.disk(target).filter(|disk| disk.is_usable());
        let disk =
            disk.ok_or_else(|| Error::Engine(format!("block target {target} is not there")))?;
        let file = disk.reopen(id, row.length)?;
        Ok((disk, file))
    }

    /// Removes the files of an extent that is marked as dropped, then its row. Targets that are away keep the row.
    pub(super) fn finish_removal(&self, id: ExtentId, row: &Extent) -> Result<()> {
        let mut is_complete = true;
        for target in &row.targets {
            match self.disk(target).filter(|disk| disk.is_online()) {
                Some(disk) if disk.is_remote() => {
                    if let Err(error) = disk.remove(id) {
                        tracing::warn!(extent = %id, %target, %error, "an extent is removed later");
                        is_complete = false;
                    }
                }
                Some(disk) => disk.remove(id)?,
                None => is_complete = false,
            }
        }
        if !is_complete {
            return Ok(());
        }
        let dead_key = super::row::dead_key(id);
        let dead = self.store.counter(&dead_key)?;
        self.store.transact(&mut |txn| {
            txn.delete(super::row::extent_key(id));
            txn.delete(super::scrub::verified_key(id));
            txn.add(&dead_key, -dead, None);
            Ok(())
        })?;
        self.forget(id);
        Ok(())
    }
}
