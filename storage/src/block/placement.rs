//! Which targets there are and what is to become of them: those of the configuration, and what an operator has said since.

use serde::{Deserialize, Serialize};

use super::extent::State;
use super::target::{Disk, Place, Target};
use super::{BlockStore, Shared, identity};
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Snapshot, Store, Transaction, prefix_end};
use std::sync::{Arc, PoisonError};

/// `EXTENT 4 name`: what an operator has said about a target.
const TABLE: [u8; 2] = [keyspace::EXTENT, 4];

/// What an operator has said about a target. One that is not mentioned is in use as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TargetRow {
    /// Or a URL.
    pub folder: String,
    pub zone: String,
    /// Its extents go to others, and nothing new comes to it.
    pub draining: bool,
}

/// A target as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// Its folder, or its URL without options.
    pub folder: String,
    /// What fails together with it.
    pub zone: String,
    /// Whether its folder is there and is this store's.
    pub online: bool,
    /// Whether its last write failed: it is full, read-only or broken.
    pub failing: bool,
    /// Why, as far as is known.
    pub reason: Option<String>,
    /// Whether it is being emptied.
    pub draining: bool,
    /// Extents that are, or should be, on it.
    pub extents: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Room left on its disk, bytes; none where that cannot be asked.
    pub free_bytes: Option<u64>,
}

/// How well all blocks are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StorageStatus {
    /// The targets.
    pub targets: Vec<TargetStatus>,
    /// Copies that every block should have.
    pub replicas: usize,
    /// Copies with which a write is acknowledged at least.
    pub min_replicas: usize,
    /// Copies that a write gets at present.
    pub replicas_now: usize,
    /// Extents with fewer copies than there should be.
    pub short_extents: u64,
    /// Their bytes.
    pub short_bytes: u64,
    /// Extents that are on a target that is being emptied.
    pub draining_extents: u64,
    /// Bytes copied for that since the start.
    pub copied_bytes: u64,
}

impl BlockStore {
    /// Uses another folder for new extents, and for copies that are missing; also one that was drained. It is in use at once, and
    /// after a restart.
    pub fn add_target(&self, target: Target) -> Result<()> {
        let shared = &self.shared;
        let name = target.name.clone();
        match shared.disk(&name) {
            Some(disk) => {
                if !disk.is_online() {
                    disk.adopt()?;
                }
                disk.set_draining(false);
            }
            None => {
                let identity = identity::read(&*shared.store.snapshot()?)?;
                let identity = identity
                    .ok_or_else(|| Error::Engine("the block store has no identity".into()))?;
                let disk = Disk::open(target, identity.store, false, shared.is_shared())?;
                shared
                    .disks
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(disk);
            }
        }
        shared.note_target(&name)
    }

    /// Empties a target: nothing new comes to it, and [`BlockStore::heal`] moves its extents to others. Refused when fewer targets
    /// than there should be copies would be left.
    pub fn drain_target(&self, name: &str) -> Result<()> {
        let shared = &self.shared;
        let disk = shared.known(name)?;
        let left = shared.all_disks();
        let left = left
            .iter()
            .filter(|other| other.target.name != name && other.is_usable());
        if left.count() < shared.options.replicas {
            return Err(Error::Engine(format!(
                "{name} cannot be drained: too few other targets are online; add one first"
            )));
        }
        disk.set_draining(true);
        shared.note_target(name)
    }

    /// How the targets and the extents on them are.
    pub fn storage_status(&self) -> Result<StorageStatus> {
        let shared = &self.shared;
        let extents = self.extents()?;
        let disks = shared.all_disks();
        let mut status = StorageStatus {
            targets: disks.iter().map(|disk| disk.status()).collect(),
            replicas: shared.options.replicas,
            min_replicas: shared.options.min_replicas,
            replicas_now: shared.wanted_replicas(),
            short_extents: 0,
            short_bytes: 0,
            draining_extents: 0,
            copied_bytes: shared
                .copied_bytes
                .load(std::sync::atomic::Ordering::Relaxed),
        };
        for (id, extent) in extents
            .iter()
            .filter(|(_, extent)| extent.state != State::Dropped)
        {
            for target in &mut status.targets {
                if extent.targets.contains(&target.name) {
                    target.extents += 1;
                    target.bytes += extent.length;
                    status.draining_extents += u64::from(target.draining);
                }
            }
            if shared.good_copies(*id, extent) < shared.options.replicas {
                status.short_extents += 1;
                status.short_bytes += extent.length;
            }
        }
        Ok(status)
    }
}

impl Shared {
    pub(super) fn known(&self, name: &str) -> Result<Arc<Disk>> {
        let found = self.disk(name);
        found.ok_or_else(|| Error::Engine(format!("no block target is called {name}")))
    }

    /// Notes what holds for a target, for the next start.
    fn note_target(&self, name: &str) -> Result<()> {
        let disk = self.known(name)?;
        let row = TargetRow {
            folder: disk.target.place.to_string(),
            zone: disk.target.zone.clone(),
            draining: disk.is_draining(),
        };
        let row = crate::row::encode(&row)?;
        self.store.transact(&mut |txn| {
            txn.put([&TABLE[..], name.as_bytes()].concat(), row.clone().into());
            Ok(())
        })?;
        self.queue.nudge();
        Ok(())
    }

    /// Copies that a write gets at present: fewer than there should be while targets are away or fail, never fewer than the least.
    pub(super) fn wanted_replicas(&self) -> usize {
        let disks = self.all_disks();
        let healthy = disks.iter().filter(|disk| disk.is_healthy());
        let (least, most) = (self.options.min_replicas, self.options.replicas);
        healthy.count().clamp(least, most.max(least))
    }
}

/// What operators have said about targets, by name.
pub(super) fn rows(from: &dyn Snapshot) -> Result<Vec<(String, TargetRow)>> {
    let mut rows = Vec::new();
    from.scan(&TABLE, &prefix_end(&TABLE), &mut |key, value| {
        let name = String::from_utf8_lossy(&key[TABLE.len()..]).into_owned();
        rows.push((name, crate::row::decode("row of a block target", value)?));
        Ok(true)
    })?;
    Ok(rows)
}

/// Forgets what operators have said about these targets.
pub(super) fn forget(txn: &mut dyn Transaction, names: &[String]) {
    for name in names {
        txn.delete([&TABLE[..], name.as_bytes()].concat());
    }
}

/// The targets of a store: the configuration's, and those that operators have added since.
pub fn known(store: &dyn Store, configured: Vec<Target>) -> Result<Vec<Target>> {
    Ok(all(configured, &rows(&*store.snapshot()?)?))
}

/// The configuration's targets, and those that were added since.
pub(super) fn all(configured: Vec<Target>, rows: &[(String, TargetRow)]) -> Vec<Target> {
    let mut all = configured;
    for (name, row) in rows {
        if !all.iter().any(|target| target.name == *name) {
            all.push(Target {
                name: name.clone(),
                place: Place::parse(&row.folder),
                zone: row.zone.clone(),
            });
        }
    }
    all
}
