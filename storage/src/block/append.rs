//! The one thread that appends: a group of records, one write and fsync on every replica, one transaction.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Shared;
use super::extent::{self, Extent, State};
use super::medium::Handle;
use super::queue::{Job, Origin};
use super::row::{ExtentId, Location};
use super::target::Disk;
use crate::error::{Error, Result};

/// How often a group is tried, on an extent of its own each, before its writers get an error.
const ATTEMPTS: usize = 3;
/// How many extents are tried in a row when their files cannot be created.
const MAX_ROLLS: usize = 16;

/// An extent on another machine is sealed after so many groups, and so many bytes: each group is an object of its own until then.
const MAX_GROUPS: u32 = 2_048;
const MAX_REMOTE_BYTES: u64 = 256 * 1024 * 1024;

/// The appending thread's state.
pub struct Appender {
    shared: Arc<Shared>,
    open: Option<OpenExtent>,
}

/// The extent that grows.
pub struct OpenExtent {
    pub id: ExtentId,
    pub row: Extent,
    pub files: Vec<(Arc<Disk>, Handle)>,
    /// Groups that were appended in this run.
    pub groups: u32,
    /// Bytes inside that no row will ever point to, not counted as dead yet.
    pub uncounted_bytes: u64,
}

/// Jobs without duplicates, and their bytes in a row.
struct Group {
    jobs: Vec<Job>,
    /// Further writers of blocks that are among the jobs.
    followers: Vec<Job>,
    bytes: Vec<u8>,
}

/// A failed write on one replica.
struct Failure {
    error: Error,
    /// The file's state is unknown: nothing may be appended to it, nor synced again.
    is_poisoned: bool,
}

impl Appender {
    pub fn new(shared: Arc<Shared>, open: Option<OpenExtent>) -> Self {
        Appender { shared, open }
    }

    /// Appends until the queue is closed.
    pub fn run(mut self) {
        while let Some(jobs) = self.shared.queue.pop() {
            self.tidy();
            if jobs.is_empty() {
                continue;
            }
            let group = Group::new(jobs);
            let stored = self.store(&group);
            group.answer(&stored);
        }
    }

    /// Seals the open extent when its targets are no longer those that they should be.
    fn tidy(&mut self) {
        if !self.shared.roll_wanted.swap(false, Ordering::SeqCst) {
            return;
        }
        let shared = self.shared.clone();
        let misplaced = |open: &mut OpenExtent| shared.is_misplaced(&open.row.targets);
        if let Some(open) = self.open.take_if(misplaced)
            && let Err(error) = self.shared.seal(open)
        {
            tracing::error!(%error, "an extent could not be sealed");
        }
    }

    /// Makes the group durable (I1): bytes on all replicas first, then the rows that name them.
    fn store(&mut self, group: &Group) -> Result<()> {
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.append(&group.bytes) {
                Ok(place) => return self.index(group, place),
                Err(error) => last = Some(error),
            }
            if !self.shared.has_healthy_targets() {
                break;
            }
        }
        Err(last.unwrap_or_else(|| Error::Engine("nothing was appended".into())))
    }

    /// Writes and syncs `bytes` at the end of the open extent, on every replica.
    fn append(&mut self, bytes: &[u8]) -> Result<Location> {
        let limit = self.shared.options.extent_bytes;
        let open = match self.open.take() {
            Some(open)
                if open.has_room(bytes.len(), limit)
                    && !self.shared.is_misplaced(&open.row.targets) =>
            {
                open
            }
            full => self.shared.roll(full)?,
        };
        let open = self.open.insert(open);
        let place = Location {
            extent: open.id,
            offset: open.row.length,
        };
        let failures = open.write(bytes);
        if failures.is_empty() {
            open.row.length += bytes.len() as u64;
            open.groups += 1;
            return Ok(place);
        }
        let is_poisoned = failures.iter().any(|failure| failure.is_poisoned);
        // Without replicas elsewhere a full disk keeps its extent: there may be room again soon.
        if !open.cut_back() || is_poisoned || self.shared.has_healthy_targets() {
            self.abandon();
        }
        let mut errors = failures.into_iter().map(|failure| failure.error);
        Err(errors
            .next()
            .unwrap_or_else(|| Error::Engine("a replica failed".into())))
    }

    /// Commits the rows of a group that is durable at `place`.
    fn index(&mut self, group: &Group, place: Location) -> Result<()> {
        let Some(open) = self.open.as_mut() else {
            return Err(Error::Engine("no extent is open".into()));
        };
        match self
            .shared
            .index(&group.jobs, place, &open.row, open.uncounted_bytes)
        {
            Ok(()) => {
                open.uncounted_bytes = 0;
                self.shared.remember(open.id, &open.row);
                Ok(())
            }
            Err(error) => {
                // The commit may have happened all the same, so these bytes are never written again.
                open.uncounted_bytes += group.bytes.len() as u64;
                if self.shared.is_shared() {
                    self.abandon(); // another process may have sealed it
                }
                Err(error)
            }
        }
    }

    /// Seals the open extent at its durable length and leaves it.
    fn abandon(&mut self) {
        let Some(open) = self.open.take() else { return };
        let (id, length) = (open.id, open.row.length);
        tracing::warn!(extent = %id, length, "an extent is abandoned after a failed write");
        if let Err(error) = self.shared.seal(open) {
            tracing::error!(extent = %id, %error, "an abandoned extent could not be sealed");
        }
    }
}

impl Shared {
    /// Seals `full` and opens a new extent on targets that work.
    fn roll(&self, full: Option<OpenExtent>) -> Result<OpenExtent> {
        if let Some(full) = full {
            self.seal(full)?;
        }
        let mut last = None;
        for _ in 0..MAX_ROLLS {
            let disks = self.choose()?;
            let (id, row) = self.allocate(&disks)?;
            match self.create_files(id, &disks) {
                Ok(files) => {
                    return Ok(OpenExtent {
                        id,
                        row,
                        files,
                        groups: 0,
                        uncounted_bytes: 0,
                    });
                }
                Err(error) => last = Some(error),
            }
            self.discard(id)?;
            if !self.has_healthy_targets() {
                break;
            }
        }
        Err(last.unwrap_or_else(|| Error::Engine("no extent was opened".into())))
    }

    /// Creates the extent's files; where one fails, the others are removed.
    fn create_files(&self, id: ExtentId, disks: &[Arc<Disk>]) -> Result<Vec<(Arc<Disk>, Handle)>> {
        let mut files: Vec<(Arc<Disk>, Handle)> = Vec::with_capacity(disks.len());
        for disk in disks {
            match disk.create(id) {
                Ok(file) => files.push((disk.clone(), file)),
                Err(error) => {
                    disk.set_suspect(!is_taken(&error));
                    for (disk, _) in &files {
                        // What stays is found by nobody: the extent's row goes, and its number is not used again.
                        if let Err(error) = disk.remove(id) {
                            tracing::warn!(extent = %id, target = disk.target.name, %error, "an extent that was not begun stays behind");
                        }
                    }
                    return Err(error);
                }
            }
        }
        Ok(files)
    }

    /// Forgets an extent that never got its files.
    fn discard(&self, id: ExtentId) -> Result<()> {
        self.store.transact(&mut |txn| {
            txn.delete(super::row::extent_key(id));
            Ok(())
        })?;
        self.forget(id);
        Ok(())
    }

    fn allocate(&self, disks: &[Arc<Disk>]) -> Result<(ExtentId, Extent)> {
        let row = Extent {
            state: State::Open,
            length: extent::HEADER_BYTES,
            targets: disks.iter().map(|disk| disk.target.name.clone()).collect(),
            created_ms: self.now_ms(),
        };
        let mut id = ExtentId(0);
        self.store.transact(&mut |txn| {
            id = extent::next_id(txn)?;
            self.sign(txn, id);
            extent::write(txn, id, &row)
        })?;
        self.remember(id, &row);
        Ok((id, row))
    }

    /// Marks an extent as unchanging at its present length.
    pub(super) fn seal(&self, open: OpenExtent) -> Result<()> {
        let row = Extent {
            state: State::Sealed,
            ..open.row
        };
        self.store.transact(&mut |txn| {
            if !self.is_still_open(txn, open.id)? {
                return Ok(());
            }
            super::writers::unsign(txn, open.id);
            if open.uncounted_bytes > 0 {
                txn.add(
                    &super::row::dead_key(open.id),
                    open.uncounted_bytes.cast_signed(),
                    None,
                );
            }
            extent::write(txn, open.id, &row)
        })?;
        self.remember(open.id, &row);
        Ok(())
    }

    /// Targets for a new extent: those that work first, in zones that differ where possible. As many as there should be copies; while
    /// fewer work, those, but never fewer than the least. One on other machines that works is always among them.
    fn choose(&self) -> Result<Vec<Arc<Disk>>> {
        let wanted = self.wanted_replicas();
        let disks = self.all_disks();
        let mut candidates: Vec<_> = disks.iter().filter(|disk| disk.is_usable()).collect();
        if candidates.len() < wanted {
            return Err(Error::Unavailable(format!(
                "{} block targets are there, and {wanted} are needed",
                candidates.len()
            )));
        }
        if wanted < self.options.replicas {
            tracing::warn!(
                copies = wanted,
                wanted = self.options.replicas,
                "blocks are stored with fewer copies than there should be"
            );
        }
        let turn = self.extent_count() % candidates.len();
        candidates.rotate_left(turn);
        candidates.sort_by_key(|disk| disk.is_suspect());
        let mut chosen: Vec<Arc<Disk>> = Vec::with_capacity(wanted);
        let remote = candidates
            .iter()
            .find(|disk| disk.keeps_copies() && !disk.is_suspect());
        chosen.extend(remote.map(|disk| (*disk).clone()));
        for distinct in [true, false] {
            for disk in &candidates {
                let name = &disk.target.name;
                let clashes = chosen.iter().any(|other| {
                    other.target.name == *name
                        || (distinct && other.target.zone == disk.target.zone)
                });
                let avoid = distinct && disk.is_suspect();
                if chosen.len() < wanted && !clashes && !avoid {
                    chosen.push((*disk).clone());
                }
            }
        }
        Ok(chosen)
    }

    /// True when enough targets have had no failure since their last success.
    fn has_healthy_targets(&self) -> bool {
        let healthy = self
            .all_disks()
            .into_iter()
            .filter(|disk| disk.is_healthy());
        healthy.count() >= self.options.min_replicas
    }
}

impl OpenExtent {
    fn has_room(&self, bytes: usize, limit: u64) -> bool {
        let is_remote = self.files.iter().any(|(disk, _)| disk.keeps_copies());
        let limit = if is_remote {
            limit.min(MAX_REMOTE_BYTES)
        } else {
            limit
        };
        if is_remote && self.groups >= MAX_GROUPS {
            return false;
        }
        self.row.length == extent::HEADER_BYTES || self.row.length + bytes as u64 <= limit
    }

    /// Writes and syncs all replicas at once.
    fn write(&self, bytes: &[u8]) -> Vec<Failure> {
        let (id, offset) = (self.id, self.row.length);
        let Some(((disk, file), others)) = self.files.split_first() else {
            return Vec::new();
        };
        std::thread::scope(|scope| {
            let threads: Vec<_> = others
                .iter()
                .map(|(disk, file)| scope.spawn(move || write(disk, id, file, bytes, offset)))
                .collect();
            let first = write(disk, id, file, bytes, offset);
            let others = threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(Failure::panicked())));
            std::iter::once(first)
                .chain(others)
                .filter_map(|written| written.err())
                .collect()
        })
    }

    /// Cuts half-written bytes off; false when a file would not be cut.
    fn cut_back(&self) -> bool {
        let cut =
            |(disk, file): &(Arc<Disk>, Handle)| disk.cut(self.id, file, self.row.length).is_ok();
        self.files.iter().filter(|file| !cut(file)).count() == 0
    }
}

/// True when another extent's file has this name: a store that was set back to an older state finds newer files.
fn is_taken(error: &Error) -> bool {
    matches!(error, Error::Io { source, .. } if source.kind() == std::io::ErrorKind::AlreadyExists)
}

fn write(
    disk: &Disk,
    id: ExtentId,
    file: &Handle,
    bytes: &[u8],
    offset: u64,
) -> std::result::Result<(), Failure> {
    let wrote = disk.write(id, file, bytes, offset).map_err(|error| {
        let is_poisoned = !matches!(error, Error::NoSpace(_));
        Failure { error, is_poisoned }
    });
    let synced = wrote.and_then(|()| {
        disk.sync(id, file).map_err(|error| Failure {
            error,
            is_poisoned: true,
        })
    });
    disk.set_suspect(synced.is_err());
    synced
}

impl Failure {
    fn panicked() -> Self {
        Failure {
            error: Error::Engine("a replica's writer panicked".into()),
            is_poisoned: true,
        }
    }
}

impl Group {
    fn new(all: Vec<Job>) -> Self {
        let mut positions = HashMap::new();
        let (mut jobs, mut followers, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for job in all {
            let is_new = matches!(job.origin, Origin::Put { replaces: None, .. });
            match positions.entry(job.hash) {
                Entry::Occupied(_) if is_new => followers.push(job),
                entry => {
                    if is_new {
                        entry.or_insert(());
                    }
                    bytes.extend_from_slice(&job.record);
                    jobs.push(job);
                }
            }
        }
        Group {
            jobs,
            followers,
            bytes,
        }
    }

    /// Tells every writer how it went; one that has gone away does not matter.
    fn answer(self, stored: &Result<()>) {
        for job in self.jobs.into_iter().chain(self.followers) {
            let _ = job.done.send(stored.as_ref().map(|_| ()).map_err(again));
        }
    }
}

/// The same error for one more writer.
fn again(error: &Error) -> Error {
    match error {
        Error::NoSpace(what) => Error::NoSpace(what.clone()),
        Error::Conflict { attempts } => Error::Conflict {
            attempts: *attempts,
        },
        Error::Key(what) => Error::Key(what.clone()),
        Error::Unavailable(what) => Error::Unavailable(what.clone()),
        Error::Io { what, source } => Error::Io {
            what: what.clone(),
            source: std::io::Error::new(source.kind(), source.to_string()),
        },
        other => Error::Engine(other.to_string()),
    }
}
