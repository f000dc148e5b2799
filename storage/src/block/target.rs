//! Where extents' files are: a folder on one disk.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
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
            #[cfg(test)]
            faults: Default::default(),
        })
    }

    /// Takes the empty folder for the store anew; reads and the verifier then fill it from other replicas.
    pub fn adopt(&self) -> Result<()> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        if marker.is_none() {
            *marker = mark(&self.target, self.store, false)?;
        }
        self.online.store(true, Ordering::SeqCst);
        Ok(())
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
        if !self.is_online() {
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
    match marker.try_lock() {
        Ok(()) => Ok(Some(marker)),
        Err(TryLockError::WouldBlock) => {
            let folder = target.folder.display();
            Err(Error::Engine(format!(
                "{folder} is in use by another block store"
            )))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn write_marker(path: &Path, folder: &Path, store: StoreId) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    writeln!(file, "{store}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    File::open(folder)?.sync_all()
}
