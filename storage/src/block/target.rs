//! Where extents' files are: a folder on one disk.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::extent::{self, StoreId};
use super::row::ExtentId;
use crate::error::{Error, Result};

/// A folder for extents. Its name is written into every extent's row: the folder may move, the name must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Unique and permanent.
    pub name: String,
    /// Where the extents' files are.
    pub folder: PathBuf,
    /// What fails together (a disk, a machine, a room); replicas go to different zones where there are enough.
    pub zone: String,
}

impl Target {
    /// A target that is a zone of its own.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        let name = name.into();
        Target {
            zone: name.clone(),
            name,
            folder: folder.into(),
        }
    }
}

/// Files that are kept open for reading, per target.
const MAX_OPEN_FILES: usize = 256;
/// The file in a target's folder that says whose it is.
pub const MARKER: &str = "firefly-target";
/// A target that failed is used again when its disk has so much room, bytes: one group of blocks.
const MIN_FREE_BYTES: u64 = 16 * 1024 * 1024;
/// A target that is away is expected back for so long; then its copies are made elsewhere, milliseconds.
const COMES_BACK_MS: u64 = 15 * 60 * 1000;
/// How often a folder's lock is tried, and how long after each.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);

/// A target in use.
pub struct Disk {
    pub target: Target,
    store: StoreId,
    readers: Mutex<HashMap<ExtentId, Arc<File>>>,
    /// False when the folder does not hold what it should (not mounted, another store's): nothing is written there.
    online: AtomicBool,
    /// Locked, so that nobody else appends to the same files.
    marker: Mutex<Option<File>>,
    /// True after a failed write, until one succeeds: other targets come first.
    suspect: AtomicBool,
    /// True while it is emptied: nothing new comes to it.
    draining: AtomicBool,
    /// Since when it is not there, milliseconds since 1970; 0: it is there, or nobody has looked.
    away_since_ms: AtomicU64,
    /// Why it is not used, for people.
    reason: Mutex<Option<String>>,
    #[cfg(test)]
    pub faults: super::tests::faults::Faults,
}

impl Disk {
    /// Checks the folder's marker; `expected` when extents of the store should already be there.
    pub fn open(target: Target, store: StoreId, expected: bool) -> Result<Self> {
        let marker = mark(&target, store, expected)?;
        if marker.is_none() {
            tracing::error!(target = target.name, folder = %target.folder.display(), "a block target has lost its content (is the disk mounted?)");
        }
        Ok(Disk {
            target,
            store,
            readers: Mutex::default(),
            online: AtomicBool::new(marker.is_some()),
            marker: Mutex::new(marker),
            suspect: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            away_since_ms: AtomicU64::new(0),
            reason: Mutex::default(),
            #[cfg(test)]
            faults: Default::default(),
        })
    }

    /// Takes the empty folder for the store anew; reads and the verifier then fill it from other replicas.
    pub fn adopt(&self) -> Result<()> {
        self.take(false).map(drop)
    }

    /// Locks the marker; true when it is there, or was made (which `expected` forbids).
    fn take(&self, expected: bool) -> Result<bool> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock of what was there before would stand in the way of its own.
        *marker = None;
        *marker = mark(&self.target, self.store, expected)?;
        let is_there = marker.is_some();
        self.online.store(is_there, Ordering::SeqCst);
        if is_there {
            self.away_since_ms.store(0, Ordering::SeqCst);
            self.say(None);
        }
        Ok(is_there)
    }

    /// Looks whether the folder is still this store's, and whether one that failed can be written again.
    pub fn look(&self, now_ms: u64) {
        if !self.has_marker() {
            if self.online.swap(false, Ordering::SeqCst) {
                tracing::error!(target = self.target.name, folder = %self.target.folder.display(), "a block target is gone (is the disk mounted?)");
                self.readers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clear();
                self.say(Some("its folder is not there, or not this store's".into()));
            }
            let _first =
                self.away_since_ms
                    .compare_exchange(0, now_ms, Ordering::SeqCst, Ordering::SeqCst);
            return;
        }
        if !self.is_online() {
            match self.take(true) {
                Ok(_) => tracing::info!(target = self.target.name, "a block target is back"),
                Err(error) => self.say(Some(error.to_string())),
            }
        }
        if self.is_online() && self.is_suspect() {
            match self.probe() {
                Ok(()) => {
                    self.set_suspect(false);
                    self.say(None);
                    tracing::info!(
                        target = self.target.name,
                        "a block target can be written again"
                    );
                }
                Err(error) => self.say(Some(error.to_string())),
            }
        }
    }

    /// True when the folder's marker says that it is this store's.
    fn has_marker(&self) -> bool {
        let found = std::fs::read_to_string(self.target.folder.join(MARKER));
        found.is_ok_and(|found| found.trim() == self.store.to_string())
    }

    /// Writes a small file durably and removes it.
    fn probe(&self) -> std::io::Result<()> {
        #[cfg(test)]
        {
            self.faults.before_write(extent::HEADER_BYTES as usize)?;
            self.faults.before_sync()?;
        }
        if self.free_bytes().is_some_and(|free| free < MIN_FREE_BYTES) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let path = self.target.folder.join("firefly-probe");
        let mut file = File::create(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        std::fs::remove_file(&path)
    }

    /// Room left on the disk, bytes; none where that cannot be asked.
    pub fn free_bytes(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&self.target.folder).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// True when extents may be made there.
    pub fn is_usable(&self) -> bool {
        self.is_online() && !self.is_draining()
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::SeqCst);
    }

    /// True while it is away for so short a time that it may come back by itself.
    pub fn is_expected_back(&self, now_ms: u64) -> bool {
        let since_ms = self.away_since_ms.load(Ordering::SeqCst);
        !self.is_online() && !self.is_draining() && now_ms.saturating_sub(since_ms) < COMES_BACK_MS
    }

    /// True when it has an extent's file, as long as it should be.
    pub fn has(&self, id: ExtentId, row: &extent::Extent) -> bool {
        std::fs::metadata(self.path(id)).is_ok_and(|file| file.len() >= row.length)
    }

    /// As an operator sees it; what lies on it is not counted.
    pub fn status(&self) -> super::TargetStatus {
        super::TargetStatus {
            name: self.target.name.clone(),
            folder: self.target.folder.display().to_string(),
            zone: self.target.zone.clone(),
            online: self.is_online(),
            failing: self.is_suspect(),
            reason: self
                .reason
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            draining: self.is_draining(),
            extents: 0,
            bytes: 0,
            free_bytes: self.free_bytes(),
        }
    }

    fn say(&self, reason: Option<String>) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    pub fn is_online(&self) -> bool {
        self.online.load(Ordering::SeqCst)
    }

    pub fn is_suspect(&self) -> bool {
        self.suspect.load(Ordering::SeqCst)
    }

    pub fn set_suspect(&self, suspect: bool) {
        self.suspect.store(suspect, Ordering::SeqCst);
    }

    /// Creates an extent's file with its header, durably. Fails when it exists.
    pub fn create(&self, extent: ExtentId) -> Result<File> {
        if !self.has_marker() {
            let name = &self.target.name;
            return Err(Error::Unavailable(format!("block target {name} is gone")));
        }
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path(extent));
        let mut file = created.map_err(|error| self.failed("creating", extent, error))?;
        if let Err(error) = self.start(extent, &mut file) {
            self.remove(extent)?;
            return Err(self.failed("creating", extent, error));
        }
        Ok(file)
    }

    /// A file for a copy of an extent, with its header; it counts once [`Disk::end_copy`] has put it in its place.
    pub fn begin_copy(&self, extent: ExtentId) -> Result<File> {
        if !self.has_marker() {
            let name = &self.target.name;
            return Err(Error::Unavailable(format!("block target {name} is gone")));
        }
        let begun = File::create(self.copy_path(extent)).and_then(|mut file| {
            self.start(extent, &mut file)?;
            Ok(file)
        });
        begun.map_err(|error| self.failed("copying", extent, error))
    }

    /// Puts a copy, which was synced, in the place of what was there.
    pub fn end_copy(&self, extent: ExtentId) -> Result<()> {
        self.forget(extent);
        let renamed = std::fs::rename(self.copy_path(extent), self.path(extent))
            .and_then(|()| File::open(&self.target.folder)?.sync_all());
        renamed.map_err(|error| self.failed("copying", extent, error))
    }

    /// Removes a copy that was not ended.
    pub fn drop_copy(&self, extent: ExtentId) -> Result<()> {
        std::fs::remove_file(self.copy_path(extent))
            .map_err(|error| self.failed("removing a copy of", extent, error))
    }

    fn copy_path(&self, extent: ExtentId) -> PathBuf {
        self.target.folder.join(format!("{extent}.copy"))
    }

    fn start(&self, extent: ExtentId, file: &mut File) -> std::io::Result<()> {
        #[cfg(test)]
        self.faults.before_write(extent::HEADER_BYTES as usize)?;
        file.write_all(&extent::header(self.store, extent))?;
        file.sync_all()?;
        File::open(&self.target.folder)?.sync_all()
    }

    /// Opens an extent's file for writing; its header is checked.
    pub fn open_to_write(&self, extent: ExtentId) -> Result<File> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(extent));
        let file = opened.map_err(|error| self.failed("opening", extent, error))?;
        let mut header = vec![0; extent::HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0)
            .map_err(|error| self.failed("reading", extent, error))?;
        if header != extent::header(self.store, extent) {
            return Err(Error::Corrupt {
                what: self.path(extent).display().to_string(),
                detail: "header".into(),
            });
        }
        Ok(file)
    }

    /// Writes `bytes` at `offset`; not durable before [`Disk::sync`].
    pub fn write(&self, extent: ExtentId, file: &File, bytes: &[u8], offset: u64) -> Result<()> {
        #[cfg(test)]
        if let Err(error) = self.faults.before_write(bytes.len()) {
            let _ = file.write_all_at(&bytes[..bytes.len() / 2], offset);
            return Err(self.failed("writing", extent, error));
        }
        file.write_all_at(bytes, offset)
            .map_err(|error| self.failed("writing", extent, error))
    }

    /// Makes what was written durable. After an error the same pages must never be synced again: the system may have
    /// dropped them and would report success.
    pub fn sync(&self, extent: ExtentId, file: &File) -> Result<()> {
        #[cfg(test)]
        self.faults
            .before_sync()
            .map_err(|error| self.failed("syncing", extent, error))?;
        file.sync_data()
            .map_err(|error| self.failed("syncing", extent, error))
    }

    /// Writes one record over what is there, in a file that may be missing or damaged, durably.
    pub fn mend(&self, extent: ExtentId, offset: u64, record: &[u8]) -> Result<()> {
        // A disk that was unmounted leaves an empty folder behind: nothing may be written there.
        if !self.is_online() || !self.has_marker() {
            return Err(Error::Engine(format!(
                "block target {} is offline",
                self.target.name
            )));
        }
        self.forget(extent);
        let mended = self.mend_file(extent, offset, record);
        mended.map_err(|error| self.failed("repairing", extent, error))
    }

    fn mend_file(&self, extent: ExtentId, offset: u64, record: &[u8]) -> std::io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path(extent))?;
        file.write_all_at(&extent::header(self.store, extent), 0)?;
        file.write_all_at(record, offset)?;
        file.sync_all()?;
        File::open(&self.target.folder)?.sync_all()
    }

    /// Cuts the file to `length` bytes.
    pub fn cut(&self, extent: ExtentId, file: &File, length: u64) -> Result<()> {
        file.set_len(length)
            .map_err(|error| self.failed("cutting", extent, error))
    }

    /// Reads `length` bytes at `offset`.
    pub fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        if !self.is_online() {
            return Err(Error::Engine(format!(
                "block target {} is offline",
                self.target.name
            )));
        }
        let mut bytes = vec![0; length];
        let read = self
            .reader(extent)
            .and_then(|file| file.read_exact_at(&mut bytes, offset));
        read.map_err(|error| self.failed("reading", extent, error))?;
        Ok(bytes)
    }

    /// Removes an extent's file; one that is not there is fine.
    pub fn remove(&self, extent: ExtentId) -> Result<()> {
        self.forget(extent);
        match std::fs::remove_file(self.path(extent)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.failed("removing", extent, error))
            }
            _ => Ok(()),
        }
    }

    /// Closes the extent's file for reading.
    pub fn forget(&self, extent: ExtentId) {
        self.readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&extent);
    }

    /// Where an extent's file is.
    pub fn path(&self, extent: ExtentId) -> PathBuf {
        self.target.folder.join(format!("{extent}.extent"))
    }

    fn reader(&self, extent: ExtentId) -> std::io::Result<Arc<File>> {
        if let Some(file) = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&extent)
        {
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(self.path(extent))?);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() >= MAX_OPEN_FILES {
            readers.clear();
        }
        readers.insert(extent, file.clone());
        Ok(file)
    }

    fn failed(&self, doing: &str, extent: ExtentId, error: std::io::Error) -> Error {
        Error::io(format!("{doing} {}", self.path(extent).display()), error)
    }
}

/// Writes or checks the folder's marker and locks it; `None`: it should be there and is not.
fn mark(target: &Target, store: StoreId, expected: bool) -> Result<Option<File>> {
    let path = target.folder.join(MARKER);
    let failed = |error| Error::io(format!("marking {}", path.display()), error);
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() == store.to_string() => {}
        Ok(found) => {
            let detail = format!("it belongs to the store {:?}, not to {store}", found.trim());
            let what = target.folder.display().to_string();
            return Err(Error::Corrupt { what, detail });
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) if expected => return Ok(None),
        Err(_) => {
            std::fs::create_dir_all(&target.folder).map_err(failed)?;
            write_marker(&path, &target.folder, store).map_err(failed)?;
        }
    }
    let marker = File::open(&path).map_err(failed)?;
    for attempt in 1.. {
        match marker.try_lock() {
            Ok(()) => break,
            // A child process holds every open file for a moment, until it becomes another program.
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                std::thread::sleep(LOCK_AGAIN_AFTER);
            }
            Err(TryLockError::WouldBlock) => {
                let folder = target.folder.display();
                return Err(Error::Engine(format!(
                    "{folder} is in use by another block store"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Ok(Some(marker))
}

fn write_marker(path: &Path, folder: &Path, store: StoreId) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{store}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}
