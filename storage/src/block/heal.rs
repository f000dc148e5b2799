//! Copies that are missing are made, and those on targets that are being emptied are moved: one extent at a time, at the caller's
//! pace. A copy counts once its extent's row names it, which happens after it is durable.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::extent::{self, Extent, State};
use super::row::{self, ExtentId};
use super::target::Disk;
use super::{BlockStore, Shared};
use crate::error::{Error, Result};
use crate::kv::prefix_end;

/// Rows of an extent's table read at a time.
const PAGE: usize = 256;

/// What one call of [`BlockStore::heal`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HealReport {
    /// Copies of extents that were made.
    pub copied: u64,
    /// Their blocks' bytes.
    pub copied_bytes: u64,
    /// Copies that were given up: their target is emptied, or there are enough others.
    pub dropped: u64,
    /// Blocks of copied extents that no replica has: the verifier tells which.
    pub lost: u64,
    /// Extents for which something is to be done but no target can take them at present.
    pub stuck: u64,
    /// True when nothing is left that could be done now.
    pub is_done: bool,
}

/// What an extent needs.
struct Need {
    /// Targets that get a copy.
    gain: Vec<Arc<Disk>>,
    /// Targets that give theirs up once there are enough others.
    lose: Vec<String>,
    /// True when more copies are needed than can be made.
    is_stuck: bool,
}

impl BlockStore {
    /// Looks whether targets are there and can be written again (one that fails is tried with a small file), then does what the
    /// first extent needs that needs anything. `pace` hears of bytes on their way, may wait, and returns false to end.
    pub fn heal(&self, pace: &mut dyn FnMut(u64) -> bool) -> Result<HealReport> {
        let shared = &self.shared;
        shared
            .all_disks()
            .iter()
            .for_each(|disk| disk.look(shared.now_ms()));
        let mut report = HealReport::default();
        if shared.open_extent_is_misplaced()? {
            shared.roll_wanted.store(true, Ordering::SeqCst);
            shared.queue.nudge();
        }
        for (id, extent) in self.extents()? {
            if extent.state == State::Dropped {
                shared.remove_rest(id)?;
            }
            if extent.state != State::Sealed {
                continue;
            }
            let need = shared.need(id, &extent);
            report.stuck += u64::from(need.is_stuck);
            if need.gain.is_empty() && need.lose.is_empty() {
                continue;
            }
            // Nothing may remove the extent while it is copied.
            let _stays = self.pin();
            for disk in need.gain {
                if !shared.copy_extent(id, &extent, &disk, pace, &mut report)? {
                    return Ok(report);
                }
            }
            report.dropped += shared.give_up(id, &need.lose)?;
            return Ok(report);
        }
        report.is_done = true;
        Ok(report)
    }
}

impl Shared {
    /// Copies of an extent that can be counted on: on targets that are online and stay, with a file as long as it should be.
    pub(super) fn good_copies(&self, id: ExtentId, extent: &Extent) -> usize {
        let disks = extent.targets.iter().filter_map(|target| self.disk(target));
        disks
            .filter(|disk| disk.is_usable() && disk.has(id, extent))
            .count()
    }

    fn need(&self, id: ExtentId, extent: &Extent) -> Need {
        let disks = self.all_disks();
        let holds = |disk: &Arc<Disk>| extent.targets.contains(&disk.target.name);
        let wanted = self.options.replicas;
        let good = self.good_copies(id, extent);
        let is_good = |disk: &Arc<Disk>| disk.is_usable() && disk.has(id, extent);
        let remotes = || disks.iter().filter(|disk| disk.keeps_copies());
        // Where there are other machines, one copy at least is there.
        let lacks_remote = remotes().any(|disk| disk.is_healthy())
            && !remotes().any(|disk| holds(disk) && is_good(disk));
        let mut gain: Vec<Arc<Disk>> = Vec::new();
        // In many pieces: a copy of itself is one.
        let in_pieces = |disk: &&Arc<Disk>| {
            holds(disk) && disk.is_healthy() && disk.has(id, extent) && !disk.is_whole(id)
        };
        let in_pieces: Vec<Arc<Disk>> = disks.iter().filter(in_pieces).cloned().collect();
        if lacks_remote && good >= wanted {
            gain.extend(remotes().find(|disk| disk.is_healthy()).cloned());
        }
        if good < wanted {
            // First the targets that should have it; then others, in zones of their own where possible, the emptiest first.
            let able = |disk: &&Arc<Disk>| disk.is_healthy();
            let own = disks
                .iter()
                .filter(able)
                .filter(|disk| holds(disk) && !disk.has(id, extent));
            gain.extend(own.cloned());
            let zones: Vec<&str> = (disks.iter())
                .filter(|disk| holds(disk) && disk.is_usable())
                .map(|disk| disk.target.zone.as_str())
                .collect();
            let mut others: Vec<&Arc<Disk>> = disks
                .iter()
                .filter(able)
                .filter(|disk| !holds(disk))
                .collect();
            // A target that is away for a moment is not replaced at once: it may come back.
            let expected_back = disks.iter().filter(|disk| {
                holds(disk) && disk.is_expected_back(self.now_ms(), self.options.comes_back_ms)
            });
            let missing = wanted.saturating_sub(good + gain.len() + expected_back.count());
            others.sort_by_key(|disk| {
                let free = disk.free_bytes().unwrap_or(u64::MAX);
                (
                    !disk.keeps_copies(),
                    zones.contains(&disk.target.zone.as_str()),
                    std::cmp::Reverse(free),
                )
            });
            gain.extend(others.into_iter().take(missing).cloned());
            gain.truncate(wanted - good);
        }
        let sources = disks
            .iter()
            .filter(|disk| holds(disk) && disk.is_online() && disk.has(id, extent));
        if sources.count() == 0 {
            gain.clear(); // there is nothing to copy from: a copy of nothing must not look like one
        }
        let mut lose = Vec::new();
        if good >= wanted && !lacks_remote {
            let mut kept = 0;
            let locals = disks.iter().filter(|disk| !disk.keeps_copies());
            for disk in remotes().chain(locals).filter(|disk| holds(disk)) {
                kept += usize::from(is_good(disk));
                if !is_good(disk) || kept > wanted {
                    lose.push(disk.target.name.clone());
                }
            }
            let unknown = extent
                .targets
                .iter()
                .filter(|name| self.disk(name).is_none());
            lose.extend(unknown.cloned());
        }
        let is_stuck = good + gain.len() < wanted;
        gain.extend(in_pieces);
        Need {
            is_stuck,
            gain,
            lose,
        }
    }

    /// Writes an extent's live blocks to a target, then names it in the extent's row. False when it was asked to end.
    fn copy_extent(
        &self,
        id: ExtentId,
        extent: &Extent,
        to: &Arc<Disk>,
        pace: &mut dyn FnMut(u64) -> bool,
        report: &mut HealReport,
    ) -> Result<bool> {
        // Beside what is there: that may have the only good copy of some block.
        let file = to.begin_copy(id).inspect_err(|_| to.set_suspect(true))?;
        let table = row::content_prefix(id);
        let (mut start, end) = (table.clone(), prefix_end(&table));
        loop {
            let page = self.store.snapshot()?.range(&start, &end, false, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            start = [&last[..], &[0]].concat();
            for (key, value) in &page {
                let (_, offset, hash) = super::archive::content(key, value)?;
                let record = match self.any_record(id, offset, &hash) {
                    Ok(record) => record,
                    // Not lost: a copy without it must not come to count.
                    Err(away @ Error::Unavailable(_)) => {
                        to.drop_copy(id, file)?;
                        return Err(away);
                    }
                    Err(_) => {
                        report.lost += 1;
                        continue;
                    }
                };
                let written = to.write(id, &file, &record, offset);
                written.inspect_err(|_| to.set_suspect(true))?;
                report.copied_bytes += record.len() as u64;
                self.copied_bytes
                    .fetch_add(record.len() as u64, Ordering::Relaxed);
                if !pace(record.len() as u64) {
                    to.drop_copy(id, file)?;
                    return Ok(false);
                }
            }
        }
        to.cut(id, &file, extent.length)?;
        let ended = to.sync(id, &file).and_then(|()| to.end_copy(id, file));
        ended.inspect_err(|_| to.set_suspect(true))?;
        self.change_targets(id, &mut |targets| {
            if !targets.contains(&to.target.name) {
                targets.push(to.target.name.clone());
            }
        })?;
        report.copied += 1;
        tracing::info!(extent = %id, target = to.target.name, "an extent was copied");
        Ok(true)
    }

    /// Takes targets out of an extent's row, then its files off them. One that is away keeps its file: it is removed when the target is
    /// back and does not name it any more.
    fn give_up(&self, id: ExtentId, names: &[String]) -> Result<u64> {
        if names.is_empty() {
            return Ok(0);
        }
        let wanted = self.options.replicas;
        let changed = self.change_targets(id, &mut |targets| {
            let left = targets.iter().filter(|name| !names.contains(name)).count();
            if left >= wanted {
                targets.retain(|name| !names.contains(name));
            }
        })?;
        if changed.iter().any(|name| names.contains(name)) {
            return Ok(0);
        }
        for disk in names.iter().filter_map(|name| self.disk(name)) {
            if disk.is_online()
                && let Err(error) = disk.remove(id)
            {
                tracing::warn!(extent = %id, target = disk.target.name, %error, "a copy that is not needed any more stays");
            }
        }
        Ok(names.len() as u64)
    }

    /// Changes the targets in a sealed extent's row; returns them as they are then.
    fn change_targets(
        &self,
        id: ExtentId,
        change: &mut dyn FnMut(&mut Vec<String>),
    ) -> Result<Vec<String>> {
        let mut changed = None;
        self.store.transact(&mut |txn| {
            let row = extent::read(txn, id)?.filter(|row| row.state == State::Sealed);
            let mut row =
                row.ok_or_else(|| Error::Engine(format!("extent {id} is not sealed any more")))?;
            change(&mut row.targets);
            extent::write(txn, id, &row)?;
            changed = Some(row);
            Ok(())
        })?;
        let Some(row) = changed else {
            return Ok(Vec::new());
        };
        self.remember(id, &row);
        Ok(row.targets)
    }

    /// Goes on with a removal that a target on other machines did not answer to.
    fn remove_rest(&self, id: ExtentId) -> Result<()> {
        let _alone = self.removal.write().unwrap_or_else(PoisonError::into_inner);
        let row = extent::read(&*self.store.snapshot()?, id)?;
        match row.filter(|row| row.state == State::Dropped) {
            Some(row) if self.is_removable(&row) => self.finish_removal(id, &row),
            _ => Ok(()),
        }
    }

    fn is_removable(&self, row: &Extent) -> bool {
        let is_there = |name: &String| self.disk(name).is_some_and(|disk| disk.is_online());
        row.targets.iter().all(is_there)
    }

    /// True when the extent that grows has too few copies for the targets there are by now, or one on a target that goes.
    fn open_extent_is_misplaced(&self) -> Result<bool> {
        let extents = extent::read_all(&*self.store.snapshot()?)?;
        let open = extents
            .iter()
            .filter(|(_, extent)| extent.state == State::Open);
        Ok(open
            .into_iter()
            .any(|(_, extent)| self.is_misplaced(&extent.targets)))
    }

    /// See [`Shared::open_extent_is_misplaced`].
    pub(super) fn is_misplaced(&self, targets: &[String]) -> bool {
        let leaves = |name: &String| self.disk(name).is_none_or(|disk| !disk.is_usable());
        let is_remote = |name: &String| self.disk(name).is_some_and(|disk| disk.keeps_copies());
        let mut disks = self.all_disks().into_iter();
        targets.len() < self.wanted_replicas()
            || targets.iter().any(leaves)
            || (disks.any(|disk| disk.keeps_copies() && disk.is_healthy())
                && !targets.iter().any(is_remote))
    }
}
