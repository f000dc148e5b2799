//! Objects for callers that block: the work is done by threads of its own.

use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tokio::runtime::{Handle, Runtime};

use super::{Listed, Objects, Upload};
use crate::error::{Error, Result};

/// Threads that wait for other machines.
const THREADS: usize = 2;

/// The calls of [`Objects`], blocking.
#[derive(Debug, Clone)]
pub struct BlockingObjects {
    objects: Objects,
    runtime: Handle,
}

impl BlockingObjects {
    /// Opens a place, see [`Objects::open`].
    pub fn open(url: &str) -> Result<Self> {
        let runtime = runtime()?;
        let objects = {
            let _inside = runtime.enter();
            Objects::open(url)?
        };
        Ok(BlockingObjects { objects, runtime })
    }

    /// See [`Objects::impatient`].
    pub fn impatient(&self) -> Self {
        BlockingObjects {
            objects: self.objects.impatient(),
            runtime: self.runtime.clone(),
        }
    }

    /// See [`Objects::url`].
    pub fn url(&self) -> &str {
        self.objects.url()
    }

    /// See [`Objects::put`].
    pub fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.put(&name, bytes).await })
    }

    /// See [`Objects::create`].
    pub fn create(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.create(&name, bytes).await })
    }

    /// See [`Objects::get`].
    pub fn get(&self, name: &str) -> Result<Option<Bytes>> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.get(&name).await })
    }

    /// See [`Objects::get_range`].
    pub fn get_range(&self, name: &str, range: Range<u64>) -> Result<Option<Bytes>> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.get_range(&name, range).await })
    }

    /// See [`Objects::size`].
    pub fn size(&self, name: &str) -> Result<Option<u64>> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.size(&name).await })
    }

    /// See [`Objects::delete`].
    pub fn delete(&self, name: &str) -> Result<()> {
        let (objects, name) = (self.objects.clone(), name.to_owned());
        self.wait(async move { objects.delete(&name).await })
    }

    /// See [`Objects::delete_below`].
    pub fn delete_below(&self, folder: &str) -> Result<()> {
        let (objects, folder) = (self.objects.clone(), folder.to_owned());
        self.wait(async move { objects.delete_below(&folder).await })
    }

    /// See [`Objects::list`].
    pub fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Listed>> {
        let (objects, prefix, after) = (self.objects.clone(), prefix.to_owned(), after.to_owned());
        self.wait(async move { objects.list(&prefix, &after, limit).await })
    }

    /// See [`Objects::list_all`].
    pub fn list_all(&self, prefix: &str) -> Result<Vec<Listed>> {
        let (objects, prefix) = (self.objects.clone(), prefix.to_owned());
        self.wait(async move { objects.list_all(&prefix).await })
    }

    /// See [`Objects::upload`].
    pub fn upload(&self, name: &str) -> Result<BlockingUpload> {
        let (objects, own_name) = (self.objects.clone(), name.to_owned());
        let upload = self.wait(async move { objects.upload(&own_name).await })?;
        Ok(BlockingUpload {
            objects: self.clone(),
            upload: Some(upload),
        })
    }

    /// Does it in another thread, so that callers within an asynchronous task may call, too.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        wait_on(&self.runtime, work)
    }
}

/// Does it in one of the threads for other machines.
pub(crate) fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    wait_on(&runtime()?, work)
}

fn wait_on<T: Send + 'static>(
    runtime: &Handle,
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    let (done, result) = sync_channel(1);
    runtime.spawn(async move {
        // Who asked may have gone.
        let _unheard = done.send(work.await);
    });
    result.recv().map_err(|_| stopped())?
}

/// An object in the making. Given up when it is dropped before its end.
pub struct BlockingUpload {
    objects: BlockingObjects,
    upload: Option<Upload>,
}

impl BlockingUpload {
    /// Appends.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let upload = self.upload.as_mut().ok_or_else(ended)?;
            let taken = upload.take(bytes);
            bytes = &bytes[taken..];
            if upload.is_full() {
                self.send()?;
            }
        }
        Ok(())
    }

    fn send(&mut self) -> Result<()> {
        let mut upload = self.upload.take().ok_or_else(ended)?;
        let (upload, sent) = self.objects.wait(async move {
            let sent = upload.send().await;
            Ok((upload, sent))
        })?;
        self.upload = Some(upload);
        sent
    }

    /// See [`Upload::finish`].
    pub fn finish(mut self) -> Result<()> {
        let upload = self.upload.take().ok_or_else(ended)?;
        self.objects.wait(upload.finish())
    }
}

impl Drop for BlockingUpload {
    fn drop(&mut self) {
        if let Some(upload) = self.upload.take()
            && let Err(error) = self.objects.wait(upload.abort())
        {
            tracing::warn!(place = self.objects.url(), %error, "an unfinished object stays behind");
        }
    }
}

fn ended() -> Error {
    Error::Engine("this object was ended".into())
}

fn stopped() -> Error {
    Error::Engine("the threads for objects have stopped".into())
}

/// One set of threads for the whole process.
fn runtime() -> Result<Handle> {
    static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);
    let mut runtime = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    if runtime.is_none() {
        let made = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("objects")
            .enable_all()
            .build();
        *runtime = Some(made.map_err(|error| Error::io("starting threads for objects", error))?);
    }
    Ok(runtime.as_ref().ok_or_else(stopped)?.handle().clone())
}
