//! Writing to HDFS: a file is written beside its place, synced to the datanodes' disks, closed, and renamed. When a datanode dies
//! on the way, the whole file is written again by who wanted it: an open write does not outlive it for some seconds.

use std::time::Duration;

use bytes::Bytes;
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, ClientBuilder, HdfsError, WriteOptions};
use hdfs_native_object_store::HdfsObjectStore;

use crate::error::{Error, Result};

/// A multiple of what is written between two syncs, so that no block is left before it is synced.
const BLOCK_BYTES: u64 = 16 * super::upload::PART_BYTES as u64;

/// An answer that has not come by then does not come: the library may wait for a dead datanode's without end.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

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
        let file = timed("creating", &path, creating).await?;
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
        timed("writing", &self.path, self.file.write_bytes(bytes)).await?;
        timed("syncing", &self.path, self.file.hsync()).await
    }

    /// Gives the file its name.
    pub async fn finish(mut self, replace: bool) -> Result<()> {
        timed("closing", &self.path, self.file.close()).await?;
        let renaming = self.client.rename(&self.temporary, &self.path, replace);
        if let Err(error) = timed("renaming", &self.path, renaming).await {
            // As above.
            let removing = self.client.delete(&self.temporary, false);
            let _left_behind = timed("removing", &self.temporary, removing).await;
            return Err(error);
        }
        Ok(())
    }

    /// Removes what was written.
    pub async fn abort(self) -> Result<()> {
        let removing = self.client.delete(&self.temporary, false);
        timed("removing", &self.temporary, removing).await.map(drop)
    }
}

async fn timed<T>(
    doing: &str,
    path: &str,
    work: impl Future<Output = Result<T, HdfsError>>,
) -> Result<T> {
    match tokio::time::timeout(ANSWER_LIMIT, work).await {
        Ok(done) => done.map_err(|error| failed(doing, path, error)),
        Err(_) => Err(Error::Engine(format!(
            "{doing} {path} on HDFS: no answer within {} s",
            ANSWER_LIMIT.as_secs()
        ))),
    }
}

fn failed(doing: &str, path: &str, error: HdfsError) -> Error {
    Error::Engine(format!("{doing} {path} on HDFS: {error}"))
}
