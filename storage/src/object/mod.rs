//! Objects: whole immutable files by name, on a local disk, S3 or HDFS; sealed extents and backups live here.
//!
//! Names are relative paths with `/` between their parts. A put is atomic and durable: readers see all of it or nothing. What another
//! machine refuses is tried again, whole, for some seconds; then the error is [`Error::Unavailable`].

mod blocking;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod hdfs;
mod place;
mod upload;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload,
};

pub(crate) use blocking::wait;
pub use blocking::{BlockingObjects, BlockingUpload};
use hdfs::Hdfs;
pub use place::{is_url, shown, with_folder};
pub use upload::Upload;

use crate::error::{Error, Result};

/// Most objects that one listing returns.
pub const MAX_LISTED: usize = 10_000;
/// What another machine has not done by then is tried again, if it is to be.
const TRY_LIMIT: Duration = Duration::from_secs(60);
/// Before each further try of what another machine refused, milliseconds.
const RESTS_MS: &[u64] = &[100, 300, 1_000, 2_000, 4_000];

/// A place for objects. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    hdfs: Option<Hdfs>,
    url: String,
    is_remote: bool,
    rests_ms: &'static [u64],
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
    /// Opens `file:///absolute/folder`, which is created when missing, `s3://bucket/folder?endpoint=URL&region=NAME&credentials=FILE&ca=FILE`
    /// (without a file: `AWS_ACCESS_KEY_ID` and so on), or `hdfs://namenode:port/folder`. Nothing is asked of another machine yet.
    pub fn open(url: &str) -> Result<Self> {
        let place = place::open(url)?;
        Ok(Objects {
            store: place.store,
            hdfs: place.hdfs,
            url: place.shown,
            is_remote: place.is_remote,
            rests_ms: if place.is_remote { RESTS_MS } else { &[] },
        })
    }

    /// The same place, of which nothing is asked twice: for looking whether it is there.
    pub fn impatient(&self) -> Self {
        Objects {
            rests_ms: &[],
            ..self.clone()
        }
    }

    /// Stores an object, in place of an older one of that name.
    pub async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        self.store_as(name, bytes, PutMode::Overwrite)
            .await
            .map(drop)
    }

    /// Stores an object unless there is one of that name; false when there is.
    pub async fn create(&self, name: &str, bytes: Bytes) -> Result<bool> {
        self.store_as(name, bytes, PutMode::Create).await
    }

    async fn store_as(&self, name: &str, bytes: Bytes, mode: PutMode) -> Result<bool> {
        let path = self.path(name)?;
        self.retried(|| {
            async {
                if let Some(hdfs) = &self.hdfs {
                    let replace = mode == PutMode::Overwrite;
                    return hdfs.put(path.as_ref(), bytes.clone(), replace).await;
                }
                let options = PutOptions {
                    mode: mode.clone(),
                    ..PutOptions::default()
                };
                let payload = PutPayload::from_bytes(bytes.clone());
                match self.store.put_opts(&path, payload, options).await {
                    Ok(_) => Ok(true),
                    Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
                    Err(error) => Err(failed("storing", name, error)),
                }
            }
            .boxed()
        })
        .await
    }

    /// Begins a large object. It is not tried again by itself: who has its bytes begins anew.
    pub async fn upload(&self, name: &str) -> Result<Upload> {
        let path = self.path(name)?;
        let begun = self.retried(|| {
            async {
                match &self.hdfs {
                    Some(hdfs) => hdfs
                        .draft(path.as_ref())
                        .await
                        .map(|draft| upload::Kind::Hdfs(Box::new(draft))),
                    None => {
                        let begun = self.store.put_multipart(&path).await;
                        begun
                            .map(upload::Kind::Parts)
                            .map_err(|error| failed("storing", name, error))
                    }
                }
            }
            .boxed()
        });
        Ok(Upload::new(name, begun.await?, self.is_remote))
    }

    /// Tries again what another machine refused: whole, from the beginning.
    async fn retried<'a, T>(
        &self,
        work: impl Fn() -> BoxFuture<'a, Result<T>> + Send,
    ) -> Result<T> {
        for rest_ms in self.rests_ms {
            match self.timed(work()).await {
                Err(error) if is_passing(&error) => {
                    tracing::debug!(place = self.url, %error, "trying again");
                    tokio::time::sleep(Duration::from_millis(*rest_ms)).await;
                }
                done => return done,
            }
        }
        let last = self.timed(work()).await;
        last.map_err(|error| match self.is_remote {
            true => unavailable(error),
            false => error,
        })
    }

    /// Nobody waits for another machine without end.
    async fn timed<T>(&self, work: BoxFuture<'_, Result<T>>) -> Result<T> {
        if !self.is_remote {
            return work.await;
        }
        let done = tokio::time::timeout(TRY_LIMIT, work).await;
        done.unwrap_or_else(|_| {
            let limit_s = TRY_LIMIT.as_secs();
            Err(Error::Unavailable(format!(
                "{}: no answer within {limit_s} s",
                self.url
            )))
        })
    }

    /// The whole object; `None` when there is none.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>> {
        self.read(name, None).await
    }

    /// The bytes of `range`, cut at the object's end; empty for an empty range or one behind the end; `None` when there is no object.
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>> {
        if !range.is_empty() {
            match self.impatient().read(name, Some(range.clone())).await {
                Err(Error::Key(denied)) => return Err(Error::Key(denied)),
                Err(_) => {} // behind the end, or to be tried again
                found => return found,
            }
        }
        let Some(size) = self.size(name).await? else {
            return Ok(None);
        };
        let range = range.start..range.end.min(size);
        if range.is_empty() {
            return Ok(Some(Bytes::new()));
        }
        self.read(name, Some(range)).await
    }

    async fn read(&self, name: &str, range: Option<Range<u64>>) -> Result<Option<Bytes>> {
        let path = self.path(name)?;
        self.retried(|| {
            async {
                let options = GetOptions {
                    range: range.clone().map(GetRange::Bounded),
                    ..GetOptions::default()
                };
                let Some(found) = present(self.store.get_opts(&path, options).await, name)? else {
                    return Ok(None);
                };
                let read = found.bytes().await;
                read.map(Some)
                    .map_err(|error| failed("reading", name, error))
            }
            .boxed()
        })
        .await
    }

    /// The object's length in bytes; `None` when there is none.
    pub async fn size(&self, name: &str) -> Result<Option<u64>> {
        let path = self.path(name)?;
        let found = self
            .retried(|| async { present(self.store.head(&path).await, name) }.boxed())
            .await;
        Ok(found?.map(|meta| meta.size))
    }

    /// Removes an object; one that is not there is fine.
    pub async fn delete(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        self.retried(|| async { present(self.store.delete(&path).await, name).map(drop) }.boxed())
            .await
    }

    /// Removes all objects below a folder, and what unfinished writers left there.
    pub async fn delete_below(&self, folder: &str) -> Result<()> {
        let path = self.path(folder)?;
        self.retried(|| {
            async {
                if let Some(hdfs) = &self.hdfs {
                    return hdfs.delete_below(path.as_ref()).await;
                }
                let found = self.store.list(Some(&path));
                let names = found.map_ok(|meta| meta.location).boxed();
                let mut removed = self.store.delete_stream(names);
                while let Some(one) = removed.next().await {
                    present(one, folder)?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }

    /// The objects below the folder `prefix` (empty: all) with names after `after`, in the order of their names, at most
    /// `limit` and [`MAX_LISTED`].
    pub async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>> {
        let mut found = std::collections::BTreeMap::new();
        self.each(prefix, after, &mut |listed| {
            // The order of a listing is not promised by object stores, so only the smallest names are kept on the way.
            found.insert(listed.name, listed.size);
            if found.len() > limit.min(MAX_LISTED) {
                found.pop_last();
            }
        })
        .await?;
        Ok(found
            .into_iter()
            .map(|(name, size)| Listed { name, size })
            .collect())
    }

    /// All objects below a folder (empty: all), in no order. For folders of which it is known that they hold few.
    pub async fn list_all(&self, prefix: &str) -> Result<Vec<Listed>> {
        self.retried(|| {
            async {
                let mut all = Vec::new();
                self.each(prefix, "", &mut |listed| all.push(listed))
                    .await?;
                Ok(all)
            }
            .boxed()
        })
        .await
    }

    async fn each(
        &self,
        prefix: &str,
        after: &str,
        visit: &mut (dyn FnMut(Listed) + Send),
    ) -> Result<()> {
        let folder = match prefix {
            "" => None,
            prefix => Some(self.path(prefix)?),
        };
        let mut objects = match after {
            "" => self.store.list(folder.as_ref()),
            after => (self.store).list_with_offset(folder.as_ref(), &self.path(after)?),
        };
        let next = |found: object_store::Result<Option<ObjectMeta>>| {
            found.map_err(|error| failed("listing", prefix, error))
        };
        while let Some(meta) = next(objects.try_next().await)? {
            let name = meta.location.to_string();
            if name.as_str() > after && !is_unfinished(&name) {
                visit(Listed {
                    name,
                    size: meta.size,
                });
            }
        }
        Ok(())
    }

    /// Where the objects are.
    pub fn url(&self) -> &str {
        &self.url
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

/// What a writer to HDFS left behind, or is writing: it has no name yet.
fn is_unfinished(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.starts_with('.') && file.contains(".tmp.")
}

fn present<T>(found: object_store::Result<T>, name: &str) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(failed("reading", name, error)),
    }
}

/// Keeps apart a full disk, wherever in the chain of causes it is said, and what secrets are refused.
fn failed(doing: &str, name: &str, error: object_store::Error) -> Error {
    let what = format!("{doing} object {name}");
    use object_store::Error::{PermissionDenied, Unauthenticated};
    if matches!(error, PermissionDenied { .. } | Unauthenticated { .. }) {
        return Error::Key(format!("{what}: {error}"));
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return Error::io(what, std::io::Error::new(io.kind(), io.to_string()));
        }
        cause = error.source();
    }
    Error::Engine(format!("{what}: {error}"))
}

/// True when the same call may succeed in a moment.
fn is_passing(error: &Error) -> bool {
    !matches!(error, Error::Key(_) | Error::NoSpace(_))
}

/// What another machine did not do.
fn unavailable(error: Error) -> Error {
    match is_passing(&error) {
        true => Error::Unavailable(error.to_string()),
        false => error,
    }
}
