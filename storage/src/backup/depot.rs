//! Where a backup's objects are, for callers that block; and the lock that lets one writer at a time in.

use std::os::unix::fs::DirBuilderExt;

use serde::{Deserialize, Serialize};

use super::corrupt;
use crate::error::{Error, Result};
use crate::object::{BlockingObjects, Listed, MAX_LISTED};

/// Says that a folder is a backup's.
const LOCK: &str = "writer.json";
/// A writer that has said nothing for so long was killed, milliseconds.
const STALE_MS: i64 = 10 * 60 * 1000;
/// How often a writer says that it lives, milliseconds.
const RENEW_MS: i64 = 60 * 1000;

/// A place for backups. Calls block.
pub struct Depot {
    objects: BlockingObjects,
}

#[derive(Serialize, Deserialize)]
struct Writer {
    holder: String,
    renewed_ms: i64,
}

/// The right to write into a depot, until it is dropped.
pub(super) struct Lock<'d> {
    depot: &'d Depot,
    holder: String,
    renewed_ms: i64,
}

impl Depot {
    /// Opens a folder's path, or a URL of a place for objects. A folder is made when it is missing.
    pub fn open(place: &str) -> Result<Depot> {
        let url = match place.contains("://") {
            true => place.to_owned(),
            false => {
                let folder = std::path::absolute(place).map_err(|e| Error::io(place, e))?;
                format!("file://{}", folder.display())
            }
        };
        if let Some(folder) = url.strip_prefix("file://") {
            // Nobody else on this machine reads what is in it: hashes of passwords, links, the keys where they were asked for.
            let made = std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder);
            made.map_err(|error| Error::io(format!("making {folder}"), error))?;
        }
        let objects = BlockingObjects::open(&url)?;
        Ok(Depot { objects })
    }

    /// The place's URL.
    pub fn url(&self) -> &str {
        self.objects.url()
    }

    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) -> Result<()> {
        self.objects.put(name, bytes.into())
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.objects.get(name)?;
        Ok(found.map(|bytes| bytes.to_vec()))
    }

    /// An object that must be there.
    pub(super) fn need(&self, name: &str) -> Result<Vec<u8>> {
        let missing = || corrupt(format!("backup object {name}"), "it is missing");
        self.get(name)?.ok_or_else(missing)
    }

    pub(super) fn has(&self, name: &str) -> Result<bool> {
        Ok(self.objects.size(name)?.is_some())
    }

    pub(super) fn delete(&self, name: &str) -> Result<()> {
        self.objects.delete(name)
    }

    /// Visits all objects below `folder`, in the order of their names.
    pub(super) fn each(
        &self,
        folder: &str,
        visit: &mut dyn FnMut(&Listed) -> Result<()>,
    ) -> Result<()> {
        let mut after = String::new();
        loop {
            let page = self.objects.list(folder, &after, MAX_LISTED)?;
            page.iter().try_for_each(&mut *visit)?;
            match page.last().filter(|_| page.len() == MAX_LISTED) {
                Some(last) => after.clone_from(&last.name),
                None => return Ok(()),
            }
        }
    }

    /// Takes the right to write; refused while somebody else has it. The same holder, and whoever comes after one that was
    /// killed, takes it over.
    pub(super) fn lock(&self, holder: &str, now_ms: i64) -> Result<Lock<'_>> {
        let lock = Lock {
            depot: self,
            holder: holder.to_owned(),
            renewed_ms: now_ms,
        };
        let text = lock.text()?;
        let created = self.objects.create(LOCK, text.clone().into())?;
        if !created {
            let other = self.get(LOCK)?.unwrap_or_default();
            let other: Option<Writer> = serde_json::from_slice(&other).ok();
            if let Some(other) = other
                && other.holder != holder
                && now_ms - other.renewed_ms < STALE_MS
            {
                // Dropping it would take the other's lock away.
                std::mem::forget(lock);
                return Err(Error::Engine(format!(
                    "something else is writing to {}; if it was killed, try again in {} minutes",
                    self.url(),
                    STALE_MS / 60_000
                )));
            }
            self.put(LOCK, text)?;
        }
        Ok(lock)
    }
}

impl Lock<'_> {
    /// Says that this writer lives.
    pub(super) fn renew(&mut self, now_ms: i64) -> Result<()> {
        if now_ms - self.renewed_ms < RENEW_MS {
            return Ok(());
        }
        self.renewed_ms = now_ms;
        self.depot.put(LOCK, self.text()?)
    }

    fn text(&self) -> Result<Vec<u8>> {
        let writer = Writer {
            holder: self.holder.clone(),
            renewed_ms: self.renewed_ms,
        };
        serde_json::to_vec(&writer).map_err(|e| Error::Engine(e.to_string()))
    }
}

impl Drop for Lock<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.depot.delete(LOCK) {
            tracing::warn!(%error, "a backup's lock stays; it is taken over later");
        }
    }
}
