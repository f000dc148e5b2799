//! Objects: whole immutable files by name, on a local disk today; sealed extents and index snapshots live here.
//!
//! Names are relative paths with `/` between their parts. A put is atomic and durable: readers see all of it or nothing.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};

use crate::error::{Error, Result};

/// Most objects that one listing returns.
pub const MAX_LISTED: usize = 10_000;

/// A place for objects. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    url: String,
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its length, bytes.
    pub size: u64,
}

impl Objects {
    /// Opens `file:///absolute/folder`, which is created when missing. Other schemes are refused.
    pub fn open(url: &str) -> Result<Self> {
        let folder = url
            .strip_prefix("file://")
            .filter(|folder| folder.starts_with('/'));
        let folder = folder.ok_or_else(|| {
            Error::Engine(format!("objects live at file:///folder, not at {url}"))
        })?;
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::io(format!("making {folder}"), error))?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|error| failed("opening", url, error))?;
        Ok(Objects {
            store: Arc::new(store.with_fsync(true)),
            url: url.to_owned(),
        })
    }

    /// Stores an object, in place of an older one of that name.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let stored = self
            .store
            .put(&self.path(name)?, PutPayload::from_bytes(bytes))
            .await;
        stored
            .map(|_| ())
            .map_err(|error| failed("storing", name, error))
    }

    /// Stores an object unless there is one of that name; false when there is.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&self.path(name)?, PutPayload::from_bytes(bytes), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(failed("storing", name, error)),
        }
    }

    /// The whole object; `None` when there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.read(name, None).await
    }

    /// The bytes of `range`, cut at the object's end; empty for an empty range or one behind the end; `None` when there is no object.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>> {
        let Some(size) = self.size(name).await? else {
            return Ok(None);
        };
        let range = range.start..range.end.min(size);
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        self.read(name, Some(GetRange::Bounded(range))).await
    }

    /// The object's length in bytes; `None` when there is none.
    pub async fn size(&self, name: &str) -> Result<Option<u64>> {
        let found = self.store.head(&self.path(name)?).await;
        Ok(present(found, name)?.map(|meta| meta.size))
    }

    /// Removes an object; one that is not there is fine.
    pub async fn delete(&self, name: &str) -> Result<()> {
        present(self.store.delete(&self.path(name)?).await, name).map(|_| ())
    }

    /// The objects below the folder `prefix` (empty: all) with names after `after`, in the order of their names, at most
    /// `limit` and [`MAX_LISTED`].
    pub async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>> {
        let folder = if prefix.is_empty() {
            None
        } else {
            Some(self.path(prefix)?)
        };
        let mut found = std::collections::BTreeMap::new();
        let mut objects = self.store.list(folder.as_ref());
        // The order of a listing is not promised by object stores, so only the smallest names are kept on the way.
        while let Some(meta) = objects
            .try_next()
            .await
            .map_err(|error| failed("listing", prefix, error))?
        {
            let name = meta.location.to_string();
            if name.as_str() > after {
                found.insert(name, meta.size);
            }
            if found.len() > limit.min(MAX_LISTED) {
                found.pop_last();
            }
        }
        Ok(found
            .into_iter()
            .map(|(name, size)| Listed { name, size })
            .collect())
    }

    /// Where the objects are.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn read(&self, name: &str, range: Option<GetRange>) -> Result<Option<Bytes>> {
        let options = GetOptions {
            range,
            ..GetOptions::default()
        };
        let Some(found) = present(self.store.get_opts(&self.path(name)?, options).await, name)?
        else {
            return Ok(None);
        };
        found
            .bytes()
            .await
            .map(Some)
            .map_err(|error| failed("reading", name, error))
    }

    fn path(&self, name: &str) -> Result<Path> {
        let path = Path::parse(name)
            .map_err(|error| Error::Engine(format!("object name {name:?}: {error}")))?;
        if path.as_ref().is_empty() {
            return Err(Error::Engine("an object without a name".into()));
        }
        Ok(path)
    }
}

fn present<T>(found: object_store::Result<T>, name: &str) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed("reading", name, error)),
    }
}

/// Keeps a full disk apart, wherever in the chain of causes it is said.
fn failed(doing: &str, name: &str, error: object_store::Error) -> Error {
    let what = format!("{doing} object {name}");
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Error::io(what, std::io::Error::new(io.kind(), io.to_string()));
        }
        cause = error.source();
    }
    Error::Engine(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
