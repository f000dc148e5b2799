//! Blocks: immutable, named by their plaintext's SHA-256, stored once, encrypted, on every replica's disk before a write
//! returns (I1), and collected only when nothing refers to them (I7).
//!
//! In reading order: `row` and `extent` (what the index says), `record` and `seal` (a block's bytes), `target` and its `medium` (a `folder`, that of a block server: `served`, or `remote` objects),
//! `identity` (whose store, which keys), `queue`, `append` and `index` (group commit), `read` (with failover and repair),
//! `placement` (targets that come and go), `heal` and `scrub` (copies that are missing or bad), `reference`, `collect` and `compact` (how blocks go), `rewrap` (key rotation), `recover` and `verify`, `writers` (several processes), `archive` (for backups) and `carry` (for other targets).

mod append;
pub(crate) mod archive;
mod cache;
mod carry;
mod collect;
mod compact;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod event;
mod extent;
mod folder;
#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod heal;
mod identity;
mod index;
mod medium;
mod placement;
mod put;
mod queue;
mod read;
mod record;
mod recover;
mod reference;
mod remote;
mod rewrap;
mod row;
mod scrub;
mod seal;
pub mod served;
mod target;
mod verify;
mod writers;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

pub use archive::Pin;
pub use carry::{Carried, carry};
pub use collect::{GcReport, Holds, NoHolds};
pub use compact::CompactReport;
pub use event::{Event, EventKind};
pub use extent::{Extent, State, StoreId};
pub use heal::HealReport;
pub use identity::holds_data;
pub use placement::{StorageStatus, TargetStatus, known as known_targets};
pub use reference::{Owner, is_referenced, reference, require, unreference};
pub use rewrap::RewrapReport;
pub use row::ExtentId;
pub use scrub::{Kept, ScrubBudget, ScrubPosition, ScrubReport};
pub use target::{MARKER as TARGET_MARKER, Place, Target};
pub use verify::{Finding, VerifyReport};

use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::kv::Store;
use crate::meta::Clock;
use append::Appender;
use cache::Cache;
use queue::Queue;
use row::BlockRow;
use seal::Sealer;
use target::Disk;

/// How a block store works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// On how many targets every block is.
    pub replicas: usize,
    /// On how many targets a block is at least before a write returns, while fewer than `replicas` can be written.
    pub min_replicas: usize,
    /// A target that is away is expected back for so long; then its copies are made elsewhere, milliseconds.
    pub comes_back_ms: u64,
    /// An extent that would grow beyond this is sealed, bytes.
    pub extent_bytes: u64,
    /// How long a stored block stays although nothing refers to it yet, milliseconds. At least three quarters of it are
    /// left when a write returns.
    pub lease_ms: u64,
    /// How long a block stays after the collector first found it without a reference, milliseconds. Shorter than the lease.
    pub delay_ms: u64,
    /// zstd's level.
    pub zstd_level: i32,
    /// Decrypted small blocks kept in memory, bytes; 0 keeps none.
    pub cache_bytes: usize,
    /// Encrypted blocks waiting to be written, bytes; writers wait for room.
    pub queue_bytes: usize,
    /// This process's number where several write into the same targets; it is theirs as long as it is alive ([`BlockStore::close_abandoned`]).
    pub writer: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Options {
            replicas: 1,
            min_replicas: 1,
            comes_back_ms: 15 * 60 * 1000,
            extent_bytes: 1024 * mib as u64,
            lease_ms: 2 * 3_600_000,
            delay_ms: 3_600_000,
            zstd_level: 1,
            cache_bytes: 32 * mib,
            queue_bytes: 64 * mib,
            writer: None,
        }
    }
}

/// The block store. Calls block; clones are cheap and share everything.
#[derive(Clone)]
pub struct BlockStore {
    shared: Arc<Shared>,
    /// Dropped with the last clone: the appending thread ends.
    _appending: Arc<Appending>,
}

/// What all clones and the appending thread share.
struct Shared {
    store: Arc<dyn Store>,
    disks: RwLock<Vec<Arc<Disk>>>,
    options: Options,
    keys: Keyring,
    clock: Arc<dyn Clock>,
    sealer: Sealer,
    queue: Queue,
    cache: Cache,
    extents: RwLock<HashMap<ExtentId, Extent>>,
    /// Faults that are reported and could not be repaired yet.
    known_faults: Mutex<std::collections::HashSet<(BlockHash, String)>>,
    /// Where the collector goes on: a key of the index.
    collected_to: Mutex<Vec<u8>>,
    /// Shared by whoever writes into old extents, held alone by whoever removes one.
    removal: RwLock<()>,
    /// Backups and copies that read extents; while there are any, none is removed.
    pins: AtomicUsize,
    /// True when the open extent is to be sealed: its targets are not those that they should be.
    roll_wanted: AtomicBool,
    /// Bytes that were copied to make copies that were missing.
    copied_bytes: AtomicU64,
}

/// The appending thread.
struct Appending {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl BlockStore {
    /// Opens the blocks indexed in `store`, whose extents are on `targets`. Cuts off what a crash left half-written.
    ///
    /// Fails with [`Error::Key`] when `keys` is not the ring that the blocks need, and with [`Error::Corrupt`] when a
    /// target's folder belongs to another store. A target that lost its content is left alone until it is adopted.
    pub fn open(
        store: Arc<dyn Store>,
        targets: Vec<Target>,
        options: Options,
        keys: Keyring,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let said = placement::rows(&*store.snapshot()?)?;
        let targets = placement::all(targets, &said);
        check(&targets, &options)?;
        let identity = identity::Identity::open(&*store, &keys)?;
        let extents: HashMap<_, _> = extent::read_all(&*store.snapshot()?)?.into_iter().collect();
        let disks = targets.into_iter().map(|target| {
            let expected = extents
                .values()
                .any(|extent| extent.targets.contains(&target.name));
            let is_said =
                |(name, row): &(String, placement::TargetRow)| *name == target.name && row.draining;
            let draining = said.iter().any(is_said);
            let disk = Disk::open(target, identity.store, expected, options.writer.is_some())?;
            disk.set_draining(draining);
            Ok(disk)
        });
        let disks = disks.collect::<Result<_>>()?;
        let shared = Arc::new(Shared {
            store,
            disks: RwLock::new(disks),
            sealer: Sealer::new(options.zstd_level),
            queue: Queue::new(options.queue_bytes),
            cache: Cache::new(options.cache_bytes),
            options,
            keys,
            clock,
            extents: RwLock::new(extents),
            known_faults: Mutex::default(),
            collected_to: Mutex::default(),
            removal: RwLock::default(),
            pins: AtomicUsize::new(0),
            roll_wanted: AtomicBool::new(false),
            copied_bytes: AtomicU64::new(0),
        });
        let open = match shared.is_shared() {
            true => None, // what is open is another process's, or closed by the upkeep
            false => shared.recover()?,
        };
        let appender = Appender::new(shared.clone(), open);
        let thread = std::thread::Builder::new()
            .name("block-append".into())
            .spawn(move || appender.run());
        let thread =
            Some(thread.map_err(|error| Error::io("starting the appending thread", error))?);
        let appending = Arc::new(Appending {
            shared: shared.clone(),
            thread,
        });
        Ok(BlockStore {
            shared,
            _appending: appending,
        })
    }

    /// True when the block is stored. Never to be shown to a client: a hash is not a key to somebody's bytes.
    pub fn is_stored(&self, hash: &BlockHash) -> Result<bool> {
        Ok(self.shared.row(hash)?.is_some())
    }

    /// Takes a target whose folder was replaced by an empty one: [`BlockStore::heal`] fills it from other replicas.
    pub fn adopt(&self, target: &str) -> Result<()> {
        self.shared.known(target)?.adopt()
    }

    /// Every extent with its row, by id.
    pub fn extents(&self) -> Result<Vec<(ExtentId, Extent)>> {
        extent::read_all(&*self.shared.store.snapshot()?)
    }
}

impl Shared {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0)
    }

    fn row(&self, hash: &BlockHash) -> Result<Option<BlockRow>> {
        let row = self.store.get(&row::block_key(hash))?;
        row.map(|row| BlockRow::decode(hash, &row)).transpose()
    }

    /// The targets, in the order in which they were told.
    fn all_disks(&self) -> Vec<Arc<Disk>> {
        self.disks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn disk(&self, name: &str) -> Option<Arc<Disk>> {
        let disks = self.disks.read().unwrap_or_else(PoisonError::into_inner);
        disks.iter().find(|disk| disk.target.name == name).cloned()
    }

    fn extent(&self, id: ExtentId) -> Option<Extent> {
        let known = {
            let extents = self.extents.read().unwrap_or_else(PoisonError::into_inner);
            extents.get(&id).cloned() // not held any longer: what is not known is remembered below
        };
        if known.is_some() || !self.is_shared() {
            return known;
        }
        // Another process has just made it.
        let read = self
            .store
            .snapshot()
            .and_then(|snapshot| extent::read(&*snapshot, id));
        let row = read.inspect_err(
            |error| tracing::warn!(extent = %id, %error, "an extent's row cannot be read"),
        );
        let row = row.ok().flatten()?;
        self.remember(id, &row);
        Some(row)
    }

    fn extent_count(&self) -> usize {
        self.extents
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn remember(&self, id: ExtentId, row: &Extent) {
        self.extents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, row.clone());
    }

    fn forget(&self, id: ExtentId) {
        self.extents
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        self.shared.queue.close();
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the appending thread had panicked");
        }
    }
}

fn check(targets: &[Target], options: &Options) -> Result<()> {
    let names: std::collections::HashSet<_> = targets.iter().map(|target| &target.name).collect();
    let refused = if names.len() != targets.len() {
        "two block targets have the same name"
    } else if options.replicas == 0 || targets.len() < options.replicas {
        "there are fewer block targets than replicas"
    } else if options.min_replicas == 0 || options.min_replicas > options.replicas {
        "the least number of copies is from 1 to the number of replicas"
    } else if options.lease_ms <= options.delay_ms {
        "the lease of a block must be longer than the collector's delay"
    } else {
        return Ok(());
    };
    Err(Error::Engine(refused.into()))
}
