//! LevelDB's C interface behind safe types: the crate's only unsafe code.
#![allow(unsafe_code)] // LevelDB is C++: every call crosses its C interface, and this small module is the only place that does

use std::ffi::{CStr, CString, c_char};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use cruzbit_leveldb_sys as c;

use super::Options;
use crate::error::{Error, Result};

/// An open database. Closing (drop) ends LevelDB's background work and gives the folder's lock back.
pub struct Db {
    db: *mut c::leveldb_t,
    options: *mut c::leveldb_options_t,
    cache: *mut c::leveldb_cache_t,
    filter: *mut c::leveldb_filterpolicy_t,
    read: *mut c::leveldb_readoptions_t,
    write: *mut c::leveldb_writeoptions_t,
    path: PathBuf,
    closing: AtomicBool,
}

// SAFETY: a leveldb_t may be used from any thread without a lock (LevelDB's documentation, "Concurrency"); the option
// objects, the cache and the filter are only read after `open`.
unsafe impl Send for Db {}
// SAFETY: as above.
unsafe impl Sync for Db {}

impl Db {
    /// Opens the database in the folder `path`, which is created when missing (its parents are not).
    pub fn open(path: &Path, options: &Options) -> Result<Db> {
        let name = CString::new(path.as_os_str().as_bytes())
            .map_err(|_| Error::Engine(format!("{}: a path with a NUL byte", path.display())))?;
        // SAFETY: every object is made here, handed to LevelDB while it lives, and freed once, in `drop`.
        unsafe {
            let mut db = Db {
                db: ptr::null_mut(),
                options: c::leveldb_options_create(),
                cache: c::leveldb_cache_create_lru(options.cache_bytes),
                filter: c::leveldb_filterpolicy_create_bloom(options.bloom_bits_per_key),
                read: c::leveldb_readoptions_create(),
                write: c::leveldb_writeoptions_create(),
                path: path.to_owned(),
                closing: AtomicBool::new(false),
            };
            c::leveldb_options_set_create_if_missing(db.options, 1);
            c::leveldb_options_set_paranoid_checks(db.options, 1);
            c::leveldb_options_set_write_buffer_size(db.options, options.write_buffer_bytes);
            c::leveldb_options_set_max_open_files(db.options, options.max_open_files);
            c::leveldb_options_set_compression(db.options, c::Compression::Snappy);
            c::leveldb_options_set_cache(db.options, db.cache);
            c::leveldb_options_set_filter_policy(db.options, db.filter);
            c::leveldb_readoptions_set_verify_checksums(db.read, 1);
            c::leveldb_writeoptions_set_sync(db.write, 1);
            let mut error = ptr::null_mut();
            let opened = c::leveldb_open(db.options, name.as_ptr(), &mut error);
            db.check(error)?;
            db.db = opened;
            Ok(db)
        }
    }

    /// The newest value of `key`.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.get_with(self.read, key)
    }

    /// Writes the batch and waits until the disk has it. After an error the database must be opened anew: LevelDB's log
    /// may end in half a record.
    pub fn write(&self, batch: &Batch) -> Result<()> {
        let mut error = ptr::null_mut();
        // SAFETY: all pointers are live; LevelDB reads the batch during the call only.
        unsafe { c::leveldb_write(self.db, self.write, batch.0, &mut error) };
        self.check(error)
    }

    /// Rewrites everything stored, which drops what was overwritten and deleted. Reading goes on meanwhile.
    pub fn compact(&self) {
        // SAFETY: null bounds mean the whole key space.
        unsafe { c::leveldb_compact_range(self.db, ptr::null(), 0, ptr::null(), 0) }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Snapshots give no further reads from now on, so that the last user of the handle is soon done.
    pub fn start_closing(&self) {
        self.closing.store(true, Ordering::SeqCst);
    }

    /// Takes [`Db::start_closing`] back.
    pub fn keep_open(&self) {
        self.closing.store(false, Ordering::SeqCst);
    }

    fn get_with(
        &self,
        options: *const c::leveldb_readoptions_t,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>> {
        let (mut error, mut len) = (ptr::null_mut(), 0usize);
        // SAFETY: `value` is null or `len` bytes that malloc gave; it is copied, then freed once.
        unsafe {
            let value = c::leveldb_get(
                self.db,
                options,
                key.as_ptr().cast(),
                key.len(),
                &mut len,
                &mut error,
            );
            self.check(error)?;
            if value.is_null() {
                return Ok(None);
            }
            let copy = std::slice::from_raw_parts(value.cast::<u8>(), len).to_vec();
            c::leveldb_free(value.cast());
            Ok(Some(copy))
        }
    }

    /// Takes over LevelDB's error string, if there is one.
    fn check(&self, error: *mut c_char) -> Result<()> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: LevelDB's errors are NUL-terminated strings from malloc, ours to free.
        let text = unsafe {
            let text = CStr::from_ptr(error).to_string_lossy().into_owned();
            c::leveldb_free(error.cast());
            text
        };
        Err(classify(&self.path, text))
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        // SAFETY: iterators borrow snapshots' handles and `Db` is behind an `Arc` they hold, so none is left. The
        // database goes first, then what it points to.
        unsafe {
            if !self.db.is_null() {
                c::leveldb_close(self.db);
            }
            c::leveldb_readoptions_destroy(self.read);
            c::leveldb_writeoptions_destroy(self.write);
            c::leveldb_options_destroy(self.options);
            c::leveldb_cache_destroy(self.cache);
            c::leveldb_filterpolicy_destroy(self.filter);
        }
    }
}

/// What LevelDB's message means to callers.
fn classify(path: &Path, text: String) -> Error {
    let what = path.display().to_string();
    let has = |words: &str| text.contains(words);
    if text.starts_with("Corruption:") {
        return Error::Corrupt { what, detail: text };
    }
    if has("No space left on device") || has("Disk quota exceeded") || has("File too large") {
        return Error::NoSpace(what);
    }
    if has("/LOCK") {
        return Error::Engine(format!(
            "{what} is open in another process, or twice in this one ({text})"
        ));
    }
    Error::Io {
        what,
        source: std::io::Error::other(text),
    }
}

/// Writes that LevelDB applies as one.
pub struct Batch(*mut c::leveldb_writebatch_t);

impl Batch {
    /// No writes yet.
    pub fn new() -> Batch {
        // SAFETY: freed once, in `drop`.
        Batch(unsafe { c::leveldb_writebatch_create() })
    }

    /// Adds a put.
    pub fn put(&mut self, key: &[u8], value: &[u8]) {
        let (k, v) = (key.as_ptr().cast(), value.as_ptr().cast());
        // SAFETY: LevelDB copies both during the call.
        unsafe { c::leveldb_writebatch_put(self.0, k, key.len(), v, value.len()) }
    }

    /// Adds a delete.
    pub fn delete(&mut self, key: &[u8]) {
        // SAFETY: LevelDB copies the key during the call.
        unsafe { c::leveldb_writebatch_delete(self.0, key.as_ptr().cast(), key.len()) }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: made in `new`, freed only here.
        unsafe { c::leveldb_writebatch_destroy(self.0) }
    }
}

/// A point of the database's history. Does not keep the database open: reads fail with [`Error::Conflict`] after it closed.
pub struct DbSnapshot {
    db: Weak<Db>,
    snapshot: *mut c::leveldb_snapshot_t,
    read: *mut c::leveldb_readoptions_t,
}

// SAFETY: snapshots and read options are plain immutable values to LevelDB and not bound to a thread.
unsafe impl Send for DbSnapshot {}

impl DbSnapshot {
    /// Everything written to `db` so far.
    pub fn new(db: &Arc<Db>) -> DbSnapshot {
        // SAFETY: the options point to the snapshot, and both are freed together in `drop`.
        unsafe {
            let snapshot = c::leveldb_create_snapshot(db.db);
            let read = c::leveldb_readoptions_create();
            c::leveldb_readoptions_set_verify_checksums(read, 1);
            c::leveldb_readoptions_set_snapshot(read, snapshot);
            DbSnapshot {
                db: Arc::downgrade(db),
                snapshot,
                read,
            }
        }
    }

    /// The value of `key` at this point.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.db()?.get_with(self.read, key)
    }

    /// A cursor over the keys at this point, not placed yet.
    pub fn iterate(&self) -> Result<Iter<'_>> {
        let db = self.db()?;
        // SAFETY: the iterator holds the database open and borrows the options; freed once, in `Iter::drop`.
        let iter = unsafe { c::leveldb_create_iterator(db.db, self.read) };
        Ok(Iter {
            iter,
            db,
            snapshot: PhantomData,
        })
    }

    /// True when there is no key at all.
    pub fn is_empty(&self) -> Result<bool> {
        let mut iter = self.iterate()?;
        iter.seek(&[]);
        let empty = iter.pair().is_none();
        iter.finish().map(|()| empty)
    }

    fn db(&self) -> Result<Arc<Db>> {
        let db = self
            .db
            .upgrade()
            .filter(|db| !db.closing.load(Ordering::SeqCst));
        db.ok_or(Error::Conflict { attempts: 0 })
    }
}

impl Drop for DbSnapshot {
    fn drop(&mut self) {
        // SAFETY: the snapshot is released in the database that made it; when that is closed, its list went with it and
        // the few bytes of the handle are given up.
        unsafe {
            c::leveldb_readoptions_destroy(self.read);
            if let Some(db) = self.db.upgrade() {
                c::leveldb_release_snapshot(db.db, self.snapshot);
            }
        }
    }
}

/// A cursor. Its end means nothing before [`Iter::finish`] said that no block failed: LevelDB skips damaged blocks.
pub struct Iter<'s> {
    iter: *mut c::leveldb_iterator_t,
    db: Arc<Db>,
    snapshot: PhantomData<&'s DbSnapshot>,
}

impl Iter<'_> {
    /// Goes to the first key at or after `key`.
    pub fn seek(&mut self, key: &[u8]) {
        // SAFETY: LevelDB copies the key during the call.
        unsafe { c::leveldb_iter_seek(self.iter, key.as_ptr().cast(), key.len()) }
    }

    /// Goes to the last key before `key`.
    pub fn seek_before(&mut self, key: &[u8]) {
        self.seek(key);
        // SAFETY: Prev is allowed on a valid iterator only, which is checked.
        unsafe {
            match c::leveldb_iter_valid(self.iter) {
                0 => c::leveldb_iter_seek_to_last(self.iter),
                _ => c::leveldb_iter_prev(self.iter),
            }
        }
    }

    /// Goes one key on, or back when `reverse`.
    pub fn step(&mut self, reverse: bool) {
        // SAFETY: both need a valid iterator, which is checked.
        unsafe {
            match (c::leveldb_iter_valid(self.iter), reverse) {
                (0, _) => {}
                (_, false) => c::leveldb_iter_next(self.iter),
                (_, true) => c::leveldb_iter_prev(self.iter),
            }
        }
    }

    /// The pair under the cursor, until it moves.
    pub fn pair(&self) -> Option<(&[u8], &[u8])> {
        let (mut key_len, mut value_len) = (0usize, 0usize);
        // SAFETY: key and value of a valid iterator stay in place until it moves, which needs `&mut self`. The lengths are
        // written by C, so they are taken through mutable pointers although the bindings say const.
        unsafe {
            if c::leveldb_iter_valid(self.iter) == 0 {
                return None;
            }
            let key = c::leveldb_iter_key(self.iter, &raw mut key_len);
            let value = c::leveldb_iter_value(self.iter, &raw mut value_len);
            Some((slice(key, key_len), slice(value, value_len)))
        }
    }

    /// Tells whether all that was passed could be read. To be called at the end of every scan, early ends included.
    pub fn finish(self) -> Result<()> {
        let mut error: *mut c_char = ptr::null_mut();
        // SAFETY: C writes through the pointer, which is mutable in truth.
        unsafe { c::leveldb_iter_get_error(self.iter, (&raw mut error).cast()) };
        self.db.check(error)
    }
}

impl Drop for Iter<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `iterate`, freed only here, before the database's handle is let go.
        unsafe { c::leveldb_iter_destroy(self.iter) }
    }
}

/// # Safety
/// `at` must point to `len` readable bytes for the returned lifetime, or `len` be 0.
unsafe fn slice<'a>(at: *const c_char, len: usize) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) }
}
