//! Brings a local folder in: keeps modification times, skips what is unchanged, leaves what is newer in Firefly, goes on after
//! a kill, and ends with a list of what was refused and why.
//!
//! Symbolic links are never followed: they are listed as refused. What is not a regular file or folder is refused too.

pub mod local;
mod walk;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::StreamExt;

use crate::error::{Error, Result};
pub use local::LocalDestination;
use walk::{Found, Kind};

/// Files on their way at the same time.
const CONCURRENT_FILES: usize = 48;
/// Tries of one file whose error says that it may succeed later.
const TRIES: u32 = 4;

/// Where an import goes: this process's storage, or a server over HTTP.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Every live file below `folder` by lower-case path; empty when there is no such folder.
    async fn existing(&self, folder: &str) -> Result<HashMap<String, Existing>>;

    /// Makes `path` a file with the content of `source`, replacing what is there.
    async fn put(&self, path: &str, source: &Path, modified_s: i64) -> Result<()>;

    /// Makes sure that there is a folder at `path`.
    async fn folder(&self, path: &str) -> Result<()>;
}

/// What the destination already has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Bytes.
    pub size: u64,
    /// The client's modification time, seconds since 1970.
    pub modified_s: i64,
    /// Dropbox's content_hash, lower-case hex.
    pub content_hash: String,
}

/// Counts that grow while an import runs; shared with whoever shows them.
#[derive(Debug, Default)]
pub struct Progress {
    /// Files found so far by the walk.
    pub found: AtomicU64,
    /// Files stored.
    pub imported: AtomicU64,
    /// Bytes stored.
    pub bytes: AtomicU64,
    /// Files that were there already, unchanged.
    pub unchanged: AtomicU64,
    /// Files refused.
    pub refused: AtomicU64,
}

/// How an import ended.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Report {
    /// Files stored.
    pub imported: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// Files that were there already, unchanged.
    pub unchanged: u64,
    /// What was refused, with the reason.
    pub refused: Vec<Refused>,
}

/// One thing that was not imported.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Refused {
    /// The local path.
    pub path: PathBuf,
    /// Why, in words for a person.
    pub reason: String,
}

enum Step {
    Imported(u64),
    Unchanged,
    Folder,
    Refused(Refused),
}

/// Imports everything below `source` to the folder `into` ("" is the root) of the destination.
///
/// Errors only when the source itself cannot be read or the destination cannot be listed; what concerns one file is in the report.
pub async fn import(
    destination: &dyn Destination,
    source: &Path,
    into: &str,
    progress: &Progress,
) -> Result<Report> {
    let existing = destination.existing(into).await?;
    let found = walk::start(source)?;
    let mut report = Report::default();
    let steps = found
        .map(|found| step(destination, &existing, into, found, progress))
        .buffer_unordered(CONCURRENT_FILES);
    futures::pin_mut!(steps);
    while let Some(step) = steps.next().await {
        match step {
            Step::Imported(bytes) => {
                report.imported += 1;
                report.bytes += bytes;
            }
            Step::Unchanged => report.unchanged += 1,
            Step::Folder => {}
            Step::Refused(refused) => report.refused.push(refused),
        }
    }
    report.refused.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(report)
}

async fn step(
    destination: &dyn Destination,
    existing: &HashMap<String, Existing>,
    into: &str,
    found: Found,
    progress: &Progress,
) -> Step {
    let done = match found.kind {
        Kind::EmptyFolder => destination
            .folder(&join(into, &found.relative))
            .await
            .map(|()| Step::Folder)
            .map_err(|e| e.to_string()),
        Kind::Refused(ref reason) => Err(reason.clone()),
        Kind::File { size, modified_s } => {
            progress.found.fetch_add(1, Ordering::Relaxed);
            let path = join(into, &found.relative);
            file(destination, existing, &path, &found.path, size, modified_s).await
        }
    };
    let step = done.unwrap_or_else(|reason| {
        Step::Refused(Refused {
            path: found.path,
            reason,
        })
    });
    count(&step, progress);
    step
}

fn count(step: &Step, progress: &Progress) {
    match step {
        Step::Imported(bytes) => {
            progress.imported.fetch_add(1, Ordering::Relaxed);
            progress.bytes.fetch_add(*bytes, Ordering::Relaxed);
        }
        Step::Unchanged => drop(progress.unchanged.fetch_add(1, Ordering::Relaxed)),
        Step::Refused(_) => drop(progress.refused.fetch_add(1, Ordering::Relaxed)),
        Step::Folder => {}
    }
}

async fn file(
    destination: &dyn Destination,
    existing: &HashMap<String, Existing>,
    path: &str,
    source: &Path,
    size: u64,
    modified_s: i64,
) -> std::result::Result<Step, String> {
    if let Some(there) = existing.get(&storage::meta::path::fold(path)) {
        if there.size == size
            && (there.modified_s == modified_s || same_content(source, there).await)
        {
            return Ok(Step::Unchanged);
        }
        // Changed since in Firefly: the same import, run at every start, must not take that back.
        if there.modified_s > modified_s {
            return Err("the file in Firefly is newer and stays".into());
        }
    }
    let mut tries = 1;
    loop {
        match destination.put(path, source, modified_s).await {
            Ok(()) => return Ok(Step::Imported(size)),
            Err(error) if error.is_retryable() && tries < TRIES => tries += 1,
            Err(error) => return Err(reason(&error)),
        }
    }
}

/// True when the local file has the content the destination has. An unreadable file is not the same: storing it says why.
async fn same_content(source: &Path, there: &Existing) -> bool {
    let (source, wanted) = (source.to_owned(), there.content_hash.clone());
    let hashed = tokio::task::spawn_blocking(move || local::content_hash_of(&source)).await;
    matches!(hashed, Ok(Ok(hash)) if hash == wanted)
}

fn reason(error: &Error) -> String {
    match error {
        Error::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

fn join(into: &str, relative: &str) -> String {
    format!("{}/{relative}", into.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// Has some files, and notes what is put.
    #[derive(Default)]
    struct Fake {
        there: HashMap<String, Existing>,
        put: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Destination for Fake {
        async fn existing(&self, _: &str) -> Result<HashMap<String, Existing>> {
            Ok(self.there.clone())
        }

        async fn put(&self, path: &str, _: &Path, _: i64) -> Result<()> {
            self.put.lock().expect("a lock").push(path.to_owned());
            Ok(())
        }

        async fn folder(&self, _: &str) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_newer_at_the_destination_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut fake = Fake::default();
        for (name, there_s) in [("older.txt", 1_000), ("newer.txt", 3_000)] {
            let path = folder.path().join(name);
            std::fs::write(&path, "on this disk").expect("a file");
            let file = std::fs::File::options().write(true).open(&path);
            let at = UNIX_EPOCH + Duration::from_secs(2_000);
            file.expect("a file").set_modified(at).expect("a time");
            let existing = Existing {
                size: 3,
                modified_s: there_s,
                content_hash: String::new(),
            };
            fake.there.insert(format!("/in/{name}"), existing);
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let progress = Progress::default();
        let report = runtime
            .block_on(import(&fake, folder.path(), "/in", &progress))
            .expect("a report");
        assert_eq!(*fake.put.lock().expect("a lock"), ["/in/older.txt"]);
        let refused: Vec<_> = report.refused.iter().map(|r| r.path.file_name()).collect();
        assert_eq!(refused, [Some("newer.txt".as_ref())]);
    }
}
