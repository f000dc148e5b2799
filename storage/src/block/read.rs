//! Reading a block: any replica will do; one that fails is reported and repaired from one that does not.

use std::sync::PoisonError;

use super::event::{Event, EventKind};
use super::extent::State;
use super::queue::{Job, Origin};
use super::row::BlockRow;
use super::{BlockStore, Shared, record};
use crate::chunk::{BLOCK_BYTES, BlockHash};
use crate::error::{Error, Result};
use crate::key::BlockKey;

/// How often a block that moves while it is read is looked up again.
const ATTEMPTS: usize = 4;
/// Faults remembered so that they are not reported on every read.
const MAX_KNOWN_FAULTS: usize = 10_000;
/// Compression and encryption never add more than this to a block, bytes.
const MAX_OVERHEAD_BYTES: usize = 64 * 1024;

/// A replica that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub target: String,
    pub error: Error,
}

/// What reading the replicas gave.
pub(super) struct Readings {
    /// A good record and the block in it.
    pub good: Option<(Vec<u8>, Vec<u8>)>,
    /// The replicas that failed before it, or all of those looked at.
    pub faults: Vec<Fault>,
}

impl BlockStore {
    /// The block's bytes, checked against its name. Repairs replicas that fail on the way.
    ///
    /// [`Error::BlockMissing`] when it is not indexed or no replica has it, [`Error::Corrupt`] when all have it damaged,
    /// [`Error::Key`] when its key does not unwrap.
    pub fn get(&self, hash: &BlockHash) -> Result<Vec<u8>> {
        self.shared.get(hash)
    }

    /// Reads every replica of the block and rewrites the bad ones from a good one; returns the targets repaired.
    pub fn repair(&self, hash: &BlockHash) -> Result<Vec<String>> {
        let row = self.shared.row(hash)?.ok_or(Error::BlockMissing(*hash))?;
        let key = self.shared.keys.unwrap(&row.key, hash)?;
        let readings = self.shared.read_replicas(hash, &row, &key, true);
        let Some((record, _)) = readings.good else {
            return Err(lost(hash, readings.faults));
        };
        let mut repaired = Vec::new();
        for fault in readings.faults {
            self.shared.mend(hash, &row, &record, &fault)?;
            repaired.push(fault.target);
        }
        Ok(repaired)
    }
}

impl Shared {
    fn get(&self, hash: &BlockHash) -> Result<Vec<u8>> {
        let mut last = Error::BlockMissing(*hash);
        for _ in 0..ATTEMPTS {
            // The row comes before the cache: a block whose row is gone is gone.
            let row = self.row(hash)?.ok_or(Error::BlockMissing(*hash))?;
            if let Some(plain) = self.cache.get(hash) {
                return Ok(plain);
            }
            let key = self.keys.unwrap(&row.key, hash)?;
            let Readings { good, faults } = self.read_replicas(hash, &row, &key, false);
            // Where the extent is gone already, there are no replicas that could fail.
            let has_moved = (good.is_none() || !faults.is_empty()) && self.has_moved(hash, &row)?;
            if !has_moved {
                self.handle(
                    hash,
                    &row,
                    good.as_ref().map(|(record, _)| record.as_slice()),
                    &faults,
                );
            }
            if let Some((_, plain)) = good {
                self.cache.put(hash, &plain);
                return Ok(plain);
            }
            last = lost(hash, faults);
            if !has_moved {
                break;
            }
        }
        Err(last)
    }

    /// True when the block no longer lies where `row` says, so that failing to read it there means nothing.
    pub(super) fn has_moved(&self, hash: &BlockHash, row: &BlockRow) -> Result<bool> {
        Ok(self
            .row(hash)?
            .is_none_or(|present| present.location != row.location))
    }

    /// Reads replicas until one is good, or all of them.
    pub(super) fn read_replicas(
        &self,
        hash: &BlockHash,
        row: &BlockRow,
        key: &BlockKey,
        all: bool,
    ) -> Readings {
        let mut readings = Readings {
            good: None,
            faults: Vec::new(),
        };
        for target in self.targets(row) {
            match self.read_replica(&target, hash, row, key) {
                Ok(good) => readings.good = readings.good.or(Some(good)),
                Err(error) => readings.faults.push(Fault { target, error }),
            }
            if readings.good.is_some() && !all {
                break;
            }
        }
        readings
    }

    fn read_replica(
        &self,
        target: &str,
        hash: &BlockHash,
        row: &BlockRow,
        key: &BlockKey,
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let record = self.read_record(target, hash, row)?;
        let plain = self
            .sealer
            .open(record::payload(&record, hash, row)?, hash, row, key)?;
        Ok((record, plain))
    }

    /// A replica's record, its checksum verified.
    fn read_record(&self, target: &str, hash: &BlockHash, row: &BlockRow) -> Result<Vec<u8>> {
        let disk = self
            .disk(target)
            .ok_or_else(|| Error::Engine(format!("no block target is called {target}")))?;
        if row.stored_len as usize > BLOCK_BYTES + MAX_OVERHEAD_BYTES {
            return Err(Error::Corrupt {
                what: format!("index row of block {hash}"),
                detail: "length".into(),
            });
        }
        let record = disk.read(
            row.location.extent,
            row.location.offset,
            row.record_len() as usize,
        )?;
        record::payload(&record, hash, row)?;
        Ok(record)
    }

    /// True when the block is on as many targets as blocks are at least, one of them has it undamaged, and its key unwraps.
    pub(super) fn is_readable(&self, hash: &BlockHash, row: &BlockRow) -> bool {
        let targets = self.targets(row);
        targets.len() >= self.options.min_replicas
            && self.keys.unwrap(&row.key, hash).is_ok()
            && targets
                .iter()
                .any(|target| self.read_record(target, hash, row).is_ok())
    }

    /// The targets that should have the block: those that answer first, and among them those of this machine.
    pub(super) fn targets(&self, row: &BlockRow) -> Vec<String> {
        let extent = self.extent(row.location.extent);
        let mut targets = extent.map(|extent| extent.targets).unwrap_or_default();
        targets.sort_by_key(|name| {
            let disk = self.disk(name);
            disk.map(|disk| (disk.is_remote() && disk.is_suspect(), disk.is_remote()))
        });
        targets
    }

    /// Reports faults and repairs them where there is a good record; a fault that stays is reported once.
    fn handle(&self, hash: &BlockHash, row: &BlockRow, record: Option<&[u8]>, faults: &[Fault]) {
        for fault in faults {
            // A machine that does not answer has lost nothing yet; its target says so.
            if matches!(fault.error, Error::Unavailable(_)) || !self.note(hash, fault) {
                continue;
            }
            tracing::error!(%hash, target = fault.target, error = %fault.error, "a replica of a block is bad");
            self.report(
                hash,
                &fault.target,
                EventKind::Lost {
                    reason: fault.error.to_string(),
                },
            );
            if let Some(Err(error)) = record.map(|record| self.mend(hash, row, record, fault)) {
                tracing::error!(%hash, target = fault.target, %error, "a replica of a block could not be repaired");
            }
        }
    }

    /// Rewrites the replica from a good record.
    pub(super) fn mend(
        &self,
        hash: &BlockHash,
        row: &BlockRow,
        record: &[u8],
        fault: &Fault,
    ) -> Result<()> {
        let disk = self
            .disk(&fault.target)
            .ok_or_else(|| Error::Engine(format!("no block target is called {}", fault.target)))?;
        let extent = row.location.extent;
        let is_mended = {
            let _stays = self.removal.read().unwrap_or_else(PoisonError::into_inner);
            if self
                .extent(extent)
                .is_none_or(|extent| extent.state == State::Dropped)
            {
                return Ok(());
            }
            disk.mend(extent, row.location.offset, record)?
        };
        if !is_mended {
            self.move_record(hash, row, record)?;
        }
        self.known_faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(*hash, fault.target.clone()));
        self.report(hash, &fault.target, EventKind::Repaired);
        Ok(())
    }

    /// Objects are not changed: a good record takes the block to the extent that grows.
    fn move_record(&self, hash: &BlockHash, row: &BlockRow, record: &[u8]) -> Result<()> {
        let (done, pending) = std::sync::mpsc::sync_channel(1);
        self.queue.push(Job {
            hash: *hash,
            codec: row.codec,
            plain_len: row.plain_len,
            record: record.to_vec(),
            origin: Origin::Move { from: row.location },
            done,
        })?;
        super::put::wait(Some(pending))
    }

    /// Remembers a fault; false when it is known.
    fn note(&self, hash: &BlockHash, fault: &Fault) -> bool {
        let mut known = self
            .known_faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_KNOWN_FAULTS {
            known.clear();
        }
        known.insert((*hash, fault.target.clone()))
    }

    /// Writes an event; a log that fails must not fail a read that succeeded.
    fn report(&self, hash: &BlockHash, target: &str, kind: EventKind) {
        let event = Event {
            at_ms: self.now_ms(),
            hash: *hash,
            target: target.to_owned(),
            kind,
        };
        if let Err(error) = super::event::append(&*self.store, &event) {
            tracing::error!(%hash, target, %error, "a block event was not written");
        }
    }
}

/// Why a block cannot be had: it is on a machine that does not answer now, damaged where any replica is there at all, else missing.
pub(super) fn lost(hash: &BlockHash, faults: Vec<Fault>) -> Error {
    let mut said = Error::BlockMissing(*hash);
    for fault in faults {
        match fault.error {
            away @ Error::Unavailable(_) => return away,
            damaged @ Error::Corrupt { .. } => said = damaged,
            _ => {}
        }
    }
    said
}
