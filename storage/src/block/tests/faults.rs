//! Disks that fail on request.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// What a disk refuses.
pub struct Faults {
    room_bytes: AtomicI64,
    fails_sync: AtomicBool,
    is_read_only: AtomicBool,
}

impl Default for Faults {
    fn default() -> Self {
        Faults {
            room_bytes: AtomicI64::new(i64::MAX),
            fails_sync: AtomicBool::new(false),
            is_read_only: AtomicBool::new(false),
        }
    }
}

impl Faults {
    /// From now on only so many bytes fit.
    pub fn set_room(&self, bytes: i64) {
        self.room_bytes.store(bytes, Ordering::SeqCst);
    }

    /// Whether fsync fails.
    pub fn set_fails_sync(&self, fails: bool) {
        self.fails_sync.store(fails, Ordering::SeqCst);
    }

    /// Whether every write fails as on a read-only disk.
    pub fn set_read_only(&self, read_only: bool) {
        self.is_read_only.store(read_only, Ordering::SeqCst);
    }

    pub fn before_write(&self, bytes: usize) -> std::io::Result<()> {
        if self.is_read_only.load(Ordering::SeqCst) {
            return Err(std::io::ErrorKind::ReadOnlyFilesystem.into());
        }
        if self.room_bytes.fetch_sub(bytes as i64, Ordering::SeqCst) < bytes as i64 {
            self.room_bytes.store(0, Ordering::SeqCst);
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    pub fn before_sync(&self) -> std::io::Result<()> {
        match self.fails_sync.load(Ordering::SeqCst) {
            true => Err(std::io::Error::other("injected fsync failure")),
            false => Ok(()),
        }
    }
}
