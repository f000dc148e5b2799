//! Extents on other machines: objects of a bucket, or files of HDFS. Of the extent that grows, each group that was acknowledged is
//! an object of its own, and never written twice; once it is sealed, a copy makes one object of them (`heal`), which is read back before
//! the groups go.
//!
//! Objects are not changed: a damaged record is repaired by moving its block to the extent that grows.

mod inventory;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest;
use bytes::Bytes;

use super::extent::{self, StoreId};
use super::medium::{Handle, Medium};
use super::row::ExtentId;
use super::target::MARKER;
use crate::error::{Error, Result};
use crate::object::{BlockingObjects, BlockingUpload};
use inventory::{Inventory, Piece};

/// Where whole extents are.
const WHOLE: &str = "extents";
/// Where the groups of the open extent are.
const OPEN: &str = "open";
/// Written and removed to see whether that works.
const PROBE: &str = "firefly-probe";
/// What is read at a time when a copy is verified, bytes.
const CHUNK_BYTES: u64 = 8 << 20;

/// A place for extents' objects.
pub struct Remote {
    objects: BlockingObjects,
    /// The same, asked once: after a failure nobody waits for further tries until it answers again.
    impatient: BlockingObjects,
    is_failing: AtomicBool,
    store: StoreId,
    /// What is there. Nobody else writes there.
    inventory: Mutex<Inventory>,
}

/// A whole extent on its way.
pub struct Copying {
    upload: BlockingUpload,
    length: u64,
    digest: digest::Context,
}

impl Remote {
    /// Names the place; nothing is asked of it yet.
    pub fn new(url: &str, store: StoreId) -> Result<Self> {
        let objects = BlockingObjects::open(url)?;
        Ok(Remote {
            impatient: objects.impatient(),
            objects,
            is_failing: AtomicBool::new(false),
            store,
            inventory: Mutex::default(),
        })
    }

    /// Asks something of the place.
    fn ask<T>(&self, work: impl FnOnce(&BlockingObjects) -> Result<T>) -> Result<T> {
        let answer = work(match self.is_failing.load(Ordering::SeqCst) {
            true => &self.impatient,
            false => &self.objects,
        });
        let is_failing = matches!(answer, Err(Error::Unavailable(_)));
        self.is_failing.store(is_failing, Ordering::SeqCst);
        answer
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        self.inventory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the marker says that it is this store's; false when there is none.
    fn read_marker(&self, objects: &BlockingObjects) -> Result<bool> {
        let own = self.store.to_string();
        match objects.get(MARKER)? {
            None => Ok(false),
            Some(found) if found.trim_ascii() == own.as_bytes() => Ok(true),
            Some(found) => {
                let found = String::from_utf8_lossy(&found).trim().to_owned();
                Err(Error::Corrupt {
                    what: objects.url().to_owned(),
                    detail: format!("it belongs to the store {found:?}, not to {own}"),
                })
            }
        }
    }

    fn name(&self, extent: ExtentId) -> String {
        format!("{}/{}", self.objects.url(), whole(extent))
    }

    fn failed(&self, extent: ExtentId, doing: &str, kind: std::io::ErrorKind) -> Error {
        Error::io(format!("{doing} {}", self.name(extent)), kind.into())
    }

    /// Reads a whole extent back: what is there has this length and digest.
    fn verify(&self, extent: ExtentId, length: u64, expected: &digest::Digest) -> Result<()> {
        let name = whole(extent);
        let mut found = digest::Context::new(&digest::SHA256);
        let mut offset = 0;
        // One byte more than there should be: a longer object is another one.
        while offset <= length {
            let range = offset..(offset + CHUNK_BYTES).min(length + 1);
            let bytes = self.ask(|objects| objects.get_range(&name, range.clone()))?;
            let bytes = bytes.unwrap_or_default();
            found.update(&bytes);
            offset += bytes.len() as u64;
            if (bytes.len() as u64) < range.end - range.start {
                break;
            }
        }
        if offset == length && found.finish().as_ref() == expected.as_ref() {
            return Ok(());
        }
        self.ask(|objects| objects.delete(&name))?;
        Err(Error::Corrupt {
            what: self.name(extent),
            detail: "a copy came back changed".into(),
        })
    }
}

impl Medium for Remote {
    fn is_marked(&self) -> Result<bool> {
        let found = self.read_marker(&self.impatient);
        if found.is_ok() {
            self.is_failing.store(false, Ordering::SeqCst);
        }
        found
    }

    fn take(&self, expected: bool) -> Result<bool> {
        if !self.ask(|objects| self.read_marker(objects))? {
            if expected {
                return Ok(false);
            }
            let own = Bytes::from(format!("{}\n", self.store));
            self.ask(|objects| objects.put(MARKER, own.clone()))?;
        }
        let wholes = self.ask(|objects| objects.list_all(WHOLE))?;
        let groups = self.ask(|objects| objects.list_all(OPEN))?;
        *self.inventory() = Inventory::new(&wholes, &groups);
        Ok(true)
    }

    fn close(&self) {}

    fn probe(&self) -> Result<()> {
        self.impatient.put(PROBE, Bytes::from_static(b"probe\n"))?;
        self.impatient.delete(PROBE)
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }

    fn has(&self, extent: ExtentId, length: u64) -> bool {
        let is_known = self.inventory().covers(extent, length);
        is_known || (self.look(extent).is_ok() && self.inventory().covers(extent, length))
    }

    fn is_whole(&self, extent: ExtentId) -> bool {
        self.inventory().is_whole(extent)
    }

    fn create(&self, extent: ExtentId) -> Result<Handle> {
        let header = Bytes::from(extent::header(self.store, extent));
        let name = group(extent, 0);
        let is_known = self.inventory().knows(extent);
        let is_taken = is_known || !self.ask(|objects| objects.create(&name, header.clone()))?;
        if is_taken {
            return Err(self.failed(extent, "creating", std::io::ErrorKind::AlreadyExists));
        }
        self.inventory().add_group(extent, 0, extent::HEADER_BYTES);
        Ok(Handle::Groups)
    }

    fn reopen(&self, extent: ExtentId, _: u64) -> Result<Handle> {
        // A write of the earlier run may still be on its way: it must not come to lie over a newer one.
        Err(Error::Engine(format!(
            "{} is not appended to again",
            self.name(extent)
        )))
    }

    fn begin_copy(&self, extent: ExtentId) -> Result<Handle> {
        let upload = self.ask(|objects| objects.upload(&whole(extent)))?;
        let mut copying = Copying {
            upload,
            length: 0,
            digest: digest::Context::new(&digest::SHA256),
        };
        copying.append(&extent::header(self.store, extent))?;
        Ok(Handle::Copying(Mutex::new(Some(Box::new(copying)))))
    }

    fn end_copy(&self, extent: ExtentId, copy: Handle) -> Result<()> {
        let Handle::Copying(copying) = copy else {
            return Err(not_a_copy());
        };
        let copying = copying.into_inner().unwrap_or_else(PoisonError::into_inner);
        let copying = *copying.ok_or_else(not_a_copy)?;
        let length = copying.length;
        let digest = copying.digest.finish();
        self.ask(|_| copying.upload.finish())?;
        self.verify(extent, length, &digest)?;
        self.inventory().add_whole(extent, length);
        // What was copied is there as a whole; its groups go.
        self.ask(|objects| objects.delete_below(&groups(extent)))?;
        self.inventory().drop_groups(extent);
        Ok(())
    }

    fn drop_copy(&self, _: ExtentId, copy: Handle) -> Result<()> {
        drop(copy); // an upload that is not finished is given up
        Ok(())
    }

    fn write(&self, extent: ExtentId, handle: &Handle, bytes: &[u8], offset: u64) -> Result<()> {
        match handle {
            Handle::Groups => {
                let object = Bytes::copy_from_slice(bytes);
                let name = group(extent, offset);
                self.ask(|objects| objects.put(&name, object.clone()))?;
                self.inventory()
                    .add_group(extent, offset, bytes.len() as u64);
                Ok(())
            }
            Handle::Copying(copying) => {
                let mut copying = copying.lock().unwrap_or_else(PoisonError::into_inner);
                let copying = copying.as_mut().ok_or_else(not_a_copy)?;
                copying.pad(offset)?;
                copying.append(bytes)
            }
            Handle::File(_) | Handle::Served { .. } => Err(not_a_copy()),
        }
    }

    /// A stored object is durable; a copy is, once it has ended.
    fn sync(&self, _: ExtentId, _: &Handle) -> Result<()> {
        Ok(())
    }

    fn cut(&self, _: ExtentId, handle: &Handle, length: u64) -> Result<()> {
        match handle {
            // What lies behind the acknowledged length means nothing, and goes with the groups.
            Handle::Groups => Ok(()),
            Handle::Copying(copying) => {
                let mut copying = copying.lock().unwrap_or_else(PoisonError::into_inner);
                copying.as_mut().ok_or_else(not_a_copy)?.pad(length)
            }
            Handle::File(_) | Handle::Served { .. } => Err(not_a_copy()),
        }
    }

    fn mend(&self, _: ExtentId, _: u64, _: &[u8]) -> Result<bool> {
        Ok(false)
    }

    fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        self.read_known(extent, offset, length).or_else(|error| {
            if matches!(error, Error::Unavailable(_)) {
                return Err(error);
            }
            self.look(extent)?; // another process may have written since
            self.read_known(extent, offset, length)
        })
    }

    fn remove(&self, extent: ExtentId) -> Result<()> {
        self.ask(|objects| objects.delete(&whole(extent)))?;
        self.ask(|objects| objects.delete_below(&groups(extent)))?;
        self.inventory().forget(extent);
        Ok(())
    }
}

impl Remote {
    /// Looks what is there of an extent.
    fn look(&self, extent: ExtentId) -> Result<()> {
        let whole = self.ask(|objects| objects.size(&whole(extent)))?;
        let found = self.ask(|objects| objects.list_all(&groups(extent)))?;
        let groups = Inventory::new(&[], &found);
        self.inventory().replace(extent, whole, groups);
        Ok(())
    }

    fn read_known(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        let piece = self.inventory().piece(extent, offset);
        let (name, start) = match piece {
            Some(Piece::Whole) => (whole(extent), 0),
            Some(Piece::Group(start)) => (group(extent, start), start),
            None => return Err(self.failed(extent, "reading", std::io::ErrorKind::NotFound)),
        };
        let range = offset - start..offset - start + length as u64;
        let found = self.ask(|objects| objects.get_range(&name, range.clone()))?;
        let Some(found) = found else {
            self.inventory().forget(extent);
            return Err(self.failed(extent, "reading", std::io::ErrorKind::NotFound));
        };
        match found.len() == length {
            true => Ok(found.into()),
            false => Err(self.failed(extent, "reading", std::io::ErrorKind::UnexpectedEof)),
        }
    }
}

impl Copying {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.upload.write(bytes)?;
        self.digest.update(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Zeros up to an offset: where blocks have died, nothing is copied.
    fn pad(&mut self, offset: u64) -> Result<()> {
        const ZEROS: [u8; 4096] = [0; 4096];
        while self.length < offset {
            let missing = (offset - self.length).min(ZEROS.len() as u64) as usize;
            self.append(&ZEROS[..missing])?;
        }
        match self.length == offset {
            true => Ok(()),
            false => Err(Error::Engine(
                "a copy is written in the order of its bytes".into(),
            )),
        }
    }
}

/// True when any store's extents are there.
pub fn holds_extents(url: &str) -> Result<bool> {
    let objects = BlockingObjects::open(url)?;
    let is_empty = |folder| objects.list(folder, "", 1).map(|found| found.is_empty());
    Ok(!is_empty(WHOLE)? || !is_empty(OPEN)?)
}

fn not_a_copy() -> Error {
    Error::Engine("this extent is not on another machine".into())
}

fn whole(extent: ExtentId) -> String {
    format!("{WHOLE}/{extent}.extent")
}

fn groups(extent: ExtentId) -> String {
    format!("{OPEN}/{extent}")
}

fn group(extent: ExtentId, offset: u64) -> String {
    format!("{OPEN}/{extent}/{offset:016x}")
}
