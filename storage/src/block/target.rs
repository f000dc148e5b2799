//! Targets: where extents are, and how each of them is at present.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::extent::{Extent, StoreId};
use super::folder::Folder;
use super::medium::{Handle, Medium};
use super::remote::Remote;
use super::row::ExtentId;
use super::served::{self, Served};
use crate::error::{Error, Result};
use crate::object;

/// The file or object that says whose a target is.
pub const MARKER: &str = "firefly-target";

/// A place for extents. Its name is written into every extent's row: the place may move, the name must not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Unique and permanent.
    pub name: String,
    /// Where the extents are.
    pub place: Place,
    /// What fails together (a disk, a machine, a room); replicas go to different zones where there are enough.
    pub zone: String,
}

/// Where extents may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Files in a local folder.
    Folder(PathBuf),
    /// On other machines: a block server, `block://HOST:PORT?key=FILE`, which keeps one copy as a folder does, or objects, as
    /// [`crate::object::Objects::open`] names them; such a place keeps copies by itself.
    Url(String),
}

impl Place {
    /// A folder's path, or a URL.
    pub fn parse(place: &str) -> Place {
        match object::is_url(place) {
            true => Place::Url(place.to_owned()),
            false => Place::Folder(place.into()),
        }
    }

    /// True for the folder of a block server.
    pub fn is_block_server(&self) -> bool {
        matches!(self, Place::Url(url) if url.starts_with(served::SCHEME))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Folder(folder) => folder.display().fmt(f),
            Place::Url(url) => f.write_str(url),
        }
    }
}

impl Target {
    /// A folder that is a zone of its own.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        Target::at(name, Place::Folder(folder.into()))
    }

    /// A target that is a zone of its own.
    pub fn at(name: impl Into<String>, place: Place) -> Self {
        let name = name.into();
        Target {
            zone: name.clone(),
            name,
            place,
        }
    }

    /// True when any store's extents are there.
    pub fn holds_extents(&self) -> Result<bool> {
        match &self.place {
            Place::Url(url) if self.place.is_block_server() => served::is_taken(url),
            Place::Url(url) => super::remote::holds_extents(url),
            Place::Folder(folder) => {
                let Ok(files) = std::fs::read_dir(folder) else {
                    return Ok(false);
                };
                let mut names = files.filter_map(|file| Some(file.ok()?.file_name()));
                Ok(names.any(|name| name.to_string_lossy().ends_with(".extent")))
            }
        }
    }

    /// The folder, where it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.place {
            Place::Folder(folder) => Some(folder),
            Place::Url(_) => None,
        }
    }
}

/// A target in use.
pub struct Disk {
    pub target: Target,
    medium: Box<dyn Medium>,
    /// False when it does not hold what it should (not mounted, another store's, does not answer): nothing is written there.
    online: AtomicBool,
    /// True after a failed write, until one succeeds: other targets come first.
    suspect: AtomicBool,
    /// True while it is emptied: nothing new comes to it.
    draining: AtomicBool,
    /// Since when it is not there, milliseconds since 1970; 0: it is there, or nobody has looked.
    away_since_ms: AtomicU64,
    /// Why it is not used, for people.
    reason: Mutex<Option<String>>,
    #[cfg(test)]
    pub faults: Arc<super::tests::faults::Faults>,
}

impl Disk {
    /// Checks whose it is; `expected` when extents of the store should already be there, `is_shared` when other processes write there
    /// too.
    pub fn open(
        target: Target,
        store: StoreId,
        expected: bool,
        is_shared: bool,
    ) -> Result<Arc<Self>> {
        #[cfg(test)]
        let faults = Arc::<super::tests::faults::Faults>::default();
        let medium: Box<dyn Medium> = match &target.place {
            Place::Folder(folder) => Box::new(Folder::new(
                folder.clone(),
                store,
                is_shared,
                #[cfg(test)]
                faults.clone(),
            )),
            Place::Url(url) if target.place.is_block_server() => Box::new(Served::new(url, store)?),
            Place::Url(url) => Box::new(Remote::new(url, store)?),
        };
        let disk = Disk {
            target,
            medium,
            online: AtomicBool::new(false),
            suspect: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            away_since_ms: AtomicU64::new(0),
            reason: Mutex::default(),
            #[cfg(test)]
            faults,
        };
        let (name, place) = (&disk.target.name, disk.shown());
        match disk.take(expected) {
            Ok(true) => {}
            Ok(false) => tracing::error!(
                target = name,
                place,
                "a block target has lost its content (is the disk mounted?)"
            ),
            // Another machine that does not answer now may do so in a moment.
            Err(error @ Error::Unavailable(_)) if expected => {
                tracing::error!(target = name, %error, "a block target does not answer");
                disk.say(Some(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        Ok(Arc::new(disk))
    }

    /// Takes the empty target for the store anew; reads and the verifier then fill it from other replicas.
    pub fn adopt(&self) -> Result<()> {
        self.take(false).map(drop)
    }

    /// True when it is this store's, or was made so (which `expected` forbids).
    fn take(&self, expected: bool) -> Result<bool> {
        let is_there = self.medium.take(expected)?;
        self.online.store(is_there, Ordering::SeqCst);
        if is_there {
            self.away_since_ms.store(0, Ordering::SeqCst);
            self.say(None);
        }
        Ok(is_there)
    }

    /// Looks whether it is still this store's, and whether one that failed can be written again.
    pub fn look(&self, now_ms: u64) {
        match self.medium.is_marked() {
            Ok(true) => self.welcome(),
            Ok(false) => self.miss(now_ms, "it is not there, or not this store's".into()),
            Err(error) => self.miss(now_ms, error.to_string()),
        }
    }

    fn miss(&self, now_ms: u64, reason: String) {
        if self.online.swap(false, Ordering::SeqCst) {
            let (name, place) = (&self.target.name, self.shown());
            tracing::error!(
                target = name,
                place,
                reason,
                "a block target is gone (is the disk mounted, does the server answer?)"
            );
            self.medium.close();
        }
        self.say(Some(reason));
        let _first =
            self.away_since_ms
                .compare_exchange(0, now_ms, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn welcome(&self) {
        let name = &self.target.name;
        if !self.is_online() {
            match self.take(true) {
                Ok(_) => tracing::info!(target = name, "a block target is back"),
                Err(error) => self.say(Some(error.to_string())),
            }
        }
        if self.is_online() && self.is_suspect() {
            match self.medium.probe() {
                Ok(()) => {
                    self.set_suspect(false);
                    self.say(None);
                    tracing::info!(target = name, "a block target can be written again");
                }
                Err(error) => self.say(Some(error.to_string())),
            }
        }
    }

    /// True when it is on other machines.
    pub fn is_remote(&self) -> bool {
        self.target.folder().is_none()
    }

    /// True when it is on other machines, which keep copies by themselves: S3 and HDFS.
    pub fn keeps_copies(&self) -> bool {
        self.is_remote() && !self.target.place.is_block_server()
    }

    /// See [`Medium::free_bytes`].
    pub fn free_bytes(&self) -> Option<u64> {
        self.medium.free_bytes()
    }

    /// True when extents may be made there.
    pub fn is_usable(&self) -> bool {
        self.is_online() && !self.is_draining()
    }

    /// True when extents may be made there and the last write there succeeded.
    pub fn is_healthy(&self) -> bool {
        self.is_usable() && !self.is_suspect()
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::SeqCst);
    }

    /// True while it is away for less than `comes_back_ms`: it may come back by itself.
    pub fn is_expected_back(&self, now_ms: u64, comes_back_ms: u64) -> bool {
        let since_ms = self.away_since_ms.load(Ordering::SeqCst);
        !self.is_online() && !self.is_draining() && now_ms.saturating_sub(since_ms) < comes_back_ms
    }

    /// True when it has an extent, as long as it should be.
    pub fn has(&self, id: ExtentId, row: &Extent) -> bool {
        self.medium.has(id, row.length)
    }

    /// See [`Medium::is_whole`].
    pub fn is_whole(&self, id: ExtentId) -> bool {
        self.medium.is_whole(id)
    }

    /// As an operator sees it; what lies on it is not counted.
    pub fn status(&self) -> super::TargetStatus {
        super::TargetStatus {
            name: self.target.name.clone(),
            folder: self.shown(),
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

    /// Where it is, without a URL's options.
    fn shown(&self) -> String {
        match &self.target.place {
            Place::Folder(folder) => folder.display().to_string(),
            Place::Url(url) => object::shown(url).to_owned(),
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

    fn check_online(&self) -> Result<()> {
        let offline = || format!("block target {} is offline", self.target.name);
        match (self.is_online(), self.is_remote()) {
            (true, _) => Ok(()),
            (false, true) => Err(Error::Unavailable(offline())),
            (false, false) => Err(Error::Engine(offline())),
        }
    }

    /// See [`Medium::create`].
    pub fn create(&self, extent: ExtentId) -> Result<Handle> {
        self.medium.create(extent)
    }

    /// See [`Medium::reopen`].
    pub fn reopen(&self, extent: ExtentId, length: u64) -> Result<Handle> {
        self.medium.reopen(extent, length)
    }

    /// See [`Medium::begin_copy`].
    pub fn begin_copy(&self, extent: ExtentId) -> Result<Handle> {
        self.medium.begin_copy(extent)
    }

    /// See [`Medium::end_copy`].
    pub fn end_copy(&self, extent: ExtentId, copy: Handle) -> Result<()> {
        self.medium.end_copy(extent, copy)
    }

    /// See [`Medium::drop_copy`].
    pub fn drop_copy(&self, extent: ExtentId, copy: Handle) -> Result<()> {
        self.medium.drop_copy(extent, copy)
    }

    /// See [`Medium::write`].
    pub fn write(
        &self,
        extent: ExtentId,
        handle: &Handle,
        bytes: &[u8],
        offset: u64,
    ) -> Result<()> {
        self.medium.write(extent, handle, bytes, offset)
    }

    /// See [`Medium::sync`].
    pub fn sync(&self, extent: ExtentId, handle: &Handle) -> Result<()> {
        self.medium.sync(extent, handle)
    }

    /// See [`Medium::cut`].
    pub fn cut(&self, extent: ExtentId, handle: &Handle, length: u64) -> Result<()> {
        self.medium.cut(extent, handle, length)
    }

    /// See [`Medium::mend`].
    pub fn mend(&self, extent: ExtentId, offset: u64, record: &[u8]) -> Result<bool> {
        self.check_online()?;
        self.medium.mend(extent, offset, record)
    }

    /// See [`Medium::read`].
    pub fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.check_online()?;
        let read = self.medium.read(extent, offset, length);
        if self.is_remote() && matches!(read, Err(Error::Unavailable(_))) {
            self.set_suspect(true); // nobody waits for it again before it answers
        }
        read
    }

    /// See [`Medium::remove`].
    pub fn remove(&self, extent: ExtentId) -> Result<()> {
        self.medium.remove(extent)
    }

    /// See [`Medium::close`].
    #[cfg(test)]
    pub fn close(&self) {
        self.medium.close();
    }

    /// Where an extent's file is, of a folder.
    #[cfg(test)]
    pub fn path(&self, extent: ExtentId) -> PathBuf {
        let folder = self.target.folder().unwrap_or(Path::new("/"));
        folder.join(format!("{extent}.extent"))
    }
}
