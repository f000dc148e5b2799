//! Extents in a folder on one disk: a file each.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::extent::{self, StoreId};
use super::medium::{Handle, Medium};
use super::row::ExtentId;
use super::target::MARKER;
use crate::error::{Error, Result};

/// Files that are kept open for reading.
const MAX_OPEN_FILES: usize = 256;
/// A disk that failed is used again when it has so much room, bytes: one group of blocks.
const MIN_FREE_BYTES: u64 = 16 * 1024 * 1024;
/// How often a folder's lock is tried, and how long after each.
const LOCK_ATTEMPTS: u32 = 20;
const LOCK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(10);

/// The folder.
pub struct Folder {
    path: PathBuf,
    store: StoreId,
    /// Other processes of the same cluster append here, too; nobody else.
    is_shared: bool,
    readers: Mutex<HashMap<ExtentId, Arc<File>>>,
    /// Locked, so that nobody else appends to the same files.
    marker: Mutex<Option<File>>,
    #[cfg(test)]
    faults: Arc<super::tests::faults::Faults>,
}

impl Folder {
    /// Names the folder; [`Medium::take`] locks it.
    pub fn new(
        path: PathBuf,
        store: StoreId,
        is_shared: bool,
        #[cfg(test)] faults: Arc<super::tests::faults::Faults>,
    ) -> Self {
        Folder {
            path,
            store,
            is_shared,
            readers: Mutex::default(),
            marker: Mutex::default(),
            #[cfg(test)]
            faults,
        }
    }

    /// Where an extent's file is.
    pub fn file(&self, extent: ExtentId) -> PathBuf {
        self.path.join(format!("{extent}.extent"))
    }

    /// The length of an extent's file, bytes.
    pub fn length(&self, extent: ExtentId) -> Result<u64> {
        let file = std::fs::metadata(self.file(extent));
        let file = file.map_err(|error| self.failed("looking at", extent, error))?;
        Ok(file.len())
    }

    /// The extents after one and their lengths, in order, so many at most.
    pub fn extents(&self, after: ExtentId, limit: usize) -> Result<Vec<(ExtentId, u64)>> {
        let failed = |error| Error::io(format!("listing {}", self.path.display()), error);
        let mut found = BTreeSet::new();
        for file in std::fs::read_dir(&self.path).map_err(failed)? {
            let name = file.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".extent"));
            let number = number.and_then(|number| u64::from_str_radix(number, 16).ok());
            found.extend(number.map(ExtentId).filter(|extent| *extent > after));
        }
        let first = found.into_iter().take(limit);
        first
            .map(|extent| Ok((extent, self.length(extent)?)))
            .collect()
    }

    fn copy(&self, extent: ExtentId) -> PathBuf {
        self.path.join(format!("{extent}.copy"))
    }

    /// A disk that was unmounted leaves an empty folder behind: nothing may be written there.
    fn check_marker(&self) -> Result<()> {
        match self.is_marked()? {
            true => Ok(()),
            false => Err(Error::Unavailable(format!(
                "the block folder {} is gone",
                self.path.display()
            ))),
        }
    }

    fn start(&self, extent: ExtentId, file: &mut File) -> std::io::Result<()> {
        #[cfg(test)]
        self.faults.before_write(extent::HEADER_BYTES as usize)?;
        file.write_all(&extent::header(self.store, extent))?;
        file.sync_all()?;
        File::open(&self.path)?.sync_all()
    }

    fn check_header(&self, extent: ExtentId, file: &File) -> Result<()> {
        let mut header = vec![0; extent::HEADER_BYTES as usize];
        file.read_exact_at(&mut header, 0)
            .map_err(|error| self.failed("reading", extent, error))?;
        match header == extent::header(self.store, extent) {
            true => Ok(()),
            false => Err(self.corrupt(extent, "header".into())),
        }
    }

    fn mend_file(&self, extent: ExtentId, offset: u64, record: &[u8]) -> std::io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.file(extent))?;
        file.write_all_at(&extent::header(self.store, extent), 0)?;
        file.write_all_at(record, offset)?;
        file.sync_all()?;
        File::open(&self.path)?.sync_all()
    }

    fn write_probe(&self) -> std::io::Result<()> {
        #[cfg(test)]
        {
            self.faults.before_write(extent::HEADER_BYTES as usize)?;
            self.faults.before_sync()?;
        }
        if self.free_bytes().is_some_and(|free| free < MIN_FREE_BYTES) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let path = self.path.join("firefly-probe");
        let mut file = File::create(&path)?;
        file.write_all(&[0; 4096])?;
        file.sync_all()?;
        std::fs::remove_file(&path)
    }

    fn reader(&self, extent: ExtentId) -> std::io::Result<Arc<File>> {
        if let Some(file) = self.lock_readers().get(&extent) {
            return Ok(file.clone());
        }
        let file = Arc::new(File::open(self.file(extent))?);
        let mut readers = self.lock_readers();
        if readers.len() >= MAX_OPEN_FILES {
            readers.clear();
        }
        readers.insert(extent, file.clone());
        Ok(file)
    }

    fn forget(&self, extent: ExtentId) {
        self.lock_readers().remove(&extent);
    }

    fn lock_readers(&self) -> std::sync::MutexGuard<'_, HashMap<ExtentId, Arc<File>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, extent: ExtentId, error: std::io::Error) -> Error {
        Error::io(format!("{doing} {}", self.file(extent).display()), error)
    }

    fn corrupt(&self, extent: ExtentId, detail: String) -> Error {
        Error::Corrupt {
            what: self.file(extent).display().to_string(),
            detail,
        }
    }
}

impl Medium for Folder {
    fn is_marked(&self) -> Result<bool> {
        let found = std::fs::read_to_string(self.path.join(MARKER));
        Ok(found.is_ok_and(|found| found.trim() == self.store.to_string()))
    }

    fn take(&self, expected: bool) -> Result<bool> {
        let mut marker = self.marker.lock().unwrap_or_else(PoisonError::into_inner);
        // The lock of what was there before would stand in the way of its own.
        *marker = None;
        *marker = mark(&self.path, self.store, expected, self.is_shared)?;
        Ok(marker.is_some())
    }

    fn close(&self) {
        self.lock_readers().clear();
    }

    fn probe(&self) -> Result<()> {
        let what = || format!("writing to {}", self.path.display());
        self.write_probe().map_err(|error| Error::io(what(), error))
    }

    fn free_bytes(&self) -> Option<u64> {
        let room = rustix::fs::statvfs(&self.path).ok()?;
        Some(room.f_bavail.saturating_mul(room.f_frsize))
    }

    fn has(&self, extent: ExtentId, length: u64) -> bool {
        std::fs::metadata(self.file(extent)).is_ok_and(|file| file.len() >= length)
    }

    fn is_whole(&self, _: ExtentId) -> bool {
        true
    }

    fn create(&self, extent: ExtentId) -> Result<Handle> {
        self.check_marker()?;
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.file(extent));
        let mut file = created.map_err(|error| self.failed("creating", extent, error))?;
        if let Err(error) = self.start(extent, &mut file) {
            self.remove(extent)?;
            return Err(self.failed("creating", extent, error));
        }
        Ok(Handle::File(file))
    }

    fn reopen(&self, extent: ExtentId, length: u64) -> Result<Handle> {
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.file(extent));
        let file = opened.map_err(|error| self.failed("opening", extent, error))?;
        self.check_header(extent, &file)?;
        let found = file.metadata();
        let found = found.map_err(|error| self.failed("looking at", extent, error))?;
        if found.len() < length {
            return Err(self.corrupt(extent, format!("{} bytes of {length}", found.len())));
        }
        let handle = Handle::File(file);
        if found.len() > length {
            let (folder, bytes) = (self.path.display(), found.len() - length);
            tracing::info!(%extent, %folder, bytes, "cutting off what was never acknowledged");
            self.cut(extent, &handle, length)?;
            self.sync(extent, &handle)?;
        }
        Ok(handle)
    }

    fn begin_copy(&self, extent: ExtentId) -> Result<Handle> {
        self.check_marker()?;
        let begun = File::create(self.copy(extent)).and_then(|mut file| {
            self.start(extent, &mut file)?;
            Ok(file)
        });
        begun
            .map(Handle::File)
            .map_err(|error| self.failed("copying", extent, error))
    }

    fn end_copy(&self, extent: ExtentId, _: Handle) -> Result<()> {
        self.forget(extent);
        let renamed = std::fs::rename(self.copy(extent), self.file(extent))
            .and_then(|()| File::open(&self.path)?.sync_all());
        renamed.map_err(|error| self.failed("copying", extent, error))
    }

    fn drop_copy(&self, extent: ExtentId, _: Handle) -> Result<()> {
        std::fs::remove_file(self.copy(extent))
            .map_err(|error| self.failed("removing a copy of", extent, error))
    }

    fn write(&self, extent: ExtentId, handle: &Handle, bytes: &[u8], offset: u64) -> Result<()> {
        let file = file(handle)?;
        #[cfg(test)]
        if let Err(error) = self.faults.before_write(bytes.len()) {
            let _ = file.write_all_at(&bytes[..bytes.len() / 2], offset);
            return Err(self.failed("writing", extent, error));
        }
        file.write_all_at(bytes, offset)
            .map_err(|error| self.failed("writing", extent, error))
    }

    fn sync(&self, extent: ExtentId, handle: &Handle) -> Result<()> {
        #[cfg(test)]
        self.faults
            .before_sync()
            .map_err(|error| self.failed("syncing", extent, error))?;
        file(handle)?
            .sync_data()
            .map_err(|error| self.failed("syncing", extent, error))
    }

    fn cut(&self, extent: ExtentId, handle: &Handle, length: u64) -> Result<()> {
        file(handle)?
            .set_len(length)
            .map_err(|error| self.failed("cutting", extent, error))
    }

    fn mend(&self, extent: ExtentId, offset: u64, record: &[u8]) -> Result<bool> {
        self.check_marker()?;
        self.forget(extent);
        let mended = self.mend_file(extent, offset, record);
        mended.map_err(|error| self.failed("repairing", extent, error))?;
        Ok(true)
    }

    fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = self
            .reader(extent)
            .and_then(|file| file.read_exact_at(&mut bytes, offset));
        read.map_err(|error| self.failed("reading", extent, error))?;
        Ok(bytes)
    }

    fn remove(&self, extent: ExtentId) -> Result<()> {
        self.forget(extent);
        match std::fs::remove_file(self.file(extent)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.failed("removing", extent, error))
            }
            _ => Ok(()),
        }
    }
}

fn file(handle: &Handle) -> Result<&File> {
    match handle {
        Handle::File(file) => Ok(file),
        _ => Err(Error::Engine("this extent is in no folder".into())),
    }
}

/// Writes or checks the folder's marker and locks it; `None`: it should be there and is not.
fn mark(folder: &Path, store: StoreId, expected: bool, is_shared: bool) -> Result<Option<File>> {
    let path = folder.join(MARKER);
    let failed = |error| Error::io(format!("marking {}", path.display()), error);
    match std::fs::read_to_string(&path) {
        Ok(found) if found.trim() == store.to_string() => {}
        Ok(found) => {
            let detail = format!("it belongs to the store {:?}, not to {store}", found.trim());
            let what = folder.display().to_string();
            return Err(Error::Corrupt { what, detail });
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Err(_) if expected => return Ok(None),
        Err(_) => {
            std::fs::create_dir_all(folder).map_err(failed)?;
            write_marker(&path, folder, store).map_err(failed)?;
        }
    }
    let marker = File::open(&path).map_err(failed)?;
    for attempt in 1.. {
        let locked = match is_shared {
            true => marker.try_lock_shared(),
            false => marker.try_lock(),
        };
        match locked {
            Ok(()) => break,
            // A child process holds every open file for a moment, until it becomes another program: tried for a fifth of a second.
            Err(TryLockError::WouldBlock) if attempt < LOCK_ATTEMPTS => {
                std::thread::sleep(LOCK_AGAIN_AFTER);
            }
            Err(TryLockError::WouldBlock) => {
                let folder = folder.display();
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
