//! Writing to HDFS: a file is written beside its place, synced to the datanodes' disks, closed, and renamed. When a datanode dies
//! on the way, the whole file is written again by who wanted it: an open write does not outlive it for some seconds.

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use hdfs_native_object_store::HdfsObjectStore;

use crate::error::{Error, Result};

/// A multiple of what is written between two syncs, so that no block is left before it is synced.
const BLOCK_BYTES: u64 = 16 * super::upload::PART_BYTES as u64;

/// A folder of HDFS.
#[derive(Debug, Clone)]
pub struct Hdfs {
    client: Client,
    folder: String,
}

/// A file that has no name yet.
pub struct Draft {
    client: Client,
    file: FileWriter,
    temporary: String,
    path: String,
}

impl Hdfs {
    /// Names the folder; nothing is asked of the namenode.
    pub fn new(url: &str, folder: &str) -> Result<Self> {
        let client = ClientBuilder::new()
            .with_url(url)
            .build()
            .map_err(|error| failed("opening", url, error))?;
        let folder = match folder {
            "" => String::new(),
            folder => format!("/{folder}"),
        };
        Ok(Hdfs { client, folder })
    }

    /// The same as a store of objects, for everything but writing.
    pub fn store(&self) -> HdfsObjectStore {
        HdfsObjectStore::new(self.client.clone())
    }

    /// Stores a file; false when there is one of that name and it is not to be replaced.
    pub async fn put(&self, name: &str, bytes: Bytes, replace: bool) -> Result<bool> {
        let path = format!("{}/{name}", self.folder);
        if !replace && self.client.get_file_info(&path).await.is_ok() {
            return Ok(false);
        }
        let mut draft = self.draft(name).await?;
        if let Err(error) = draft.write(bytes).await {
            // The error that is returned tells what happened; what is left of the file is never listed.
            let _left_behind = draft.abort().await;
            return Err(error);
        }
        match draft.finish(replace).await {
            Ok(()) => Ok(true),
            Err(_) if !replace && self.client.get_file_info(&path).await.is_ok() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins a file.
    pub async fn draft(&self, name: &str) -> Result<Draft> {
        let path = format!("{}/{name}", self.folder);
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", &path));
        // As the library's own temporary files are named, which listings leave out.
        let temporary = format!("{folder}/.{file}.tmp.{:016x}", rand::random::<u64>());
        let options = WriteOptions::default().block_size(BLOCK_BYTES);
        let creating = self.client.create(&temporary, options);
        let file = creating
            .await
            .map_err(|error| failed("creating", &path, error))?;
        Ok(Draft {
            client: self.client.clone(),
            file,
            temporary,
            path,
        })
    }

    /// Removes a folder with all that is in it; one that is not there is fine.
    pub async fn delete_below(&self, name: &str) -> Result<()> {
        let path = format!("{}/{name}", self.folder);
        match self.client.delete(&path, true).await {
            Ok(_) | Err(HdfsError::FileNotFound(_)) => Ok(()),
            Err(error) => Err(failed("removing", &path, error)),
        }
    }
}

impl Draft {
    /// Appends, and waits until it is on the datanodes' disks.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        let written = self.file.write_bytes(bytes).await;
        written.map_err(|error| failed("writing", &self.path, error))?;
        let synced = self.file.hsync().await;
        synced.map_err(|error| failed("syncing", &self.path, error))
    }

    /// Gives the file its name.
    pub async fn finish(mut self, replace: bool) -> Result<()> {
        let closed = self.file.close().await;
        closed.map_err(|error| failed("closing", &self.path, error))?;
        let renaming = self.client.rename(&self.temporary, &self.path, replace);
        if let Err(error) = renaming.await {
            // As above.
            let _left_behind = self.client.delete(&self.temporary, false).await;
            return Err(failed("renaming", &self.path, error));
        }
        Ok(())
    }

    /// Removes what was written.
    pub async fn abort(self) -> Result<()> {
        let removed = self.client.delete(&self.temporary, false).await;
        removed
            .map(drop)
            .map_err(|error| failed("removing", &self.temporary, error))
    }
}

fn failed(doing: &str, path: &str, error: HdfsError) -> Error {
    Error::Engine(format!("{doing} {path} on HDFS: {error}"))
}
