//! Walks the source folder on a thread of its own, in name order, without following symbolic links.

use std::fs::{DirEntry, Metadata};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use futures::Stream;
use tokio::sync::mpsc;

use crate::error::{Error, Result};

/// Found entries that wait for the importer.
const QUEUED: usize = 1024;

/// One thing below the source folder.
pub(super) struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path below the source, with `/` between names.
    pub relative: String,
    /// What it is.
    pub kind: Kind,
}

/// What was found.
pub(super) enum Kind {
    /// A regular file: bytes, seconds since 1970.
    File { size: u64, modified_s: i64 },
    /// A folder with nothing in it.
    EmptyFolder,
    /// Not imported, and why.
    Refused(String),
}

/// Starts the walk. Errors when `source` is not a readable folder.
pub(super) fn start(source: &Path) -> Result<impl Stream<Item = Found> + use<>> {
    let io = |source_error| Error::Io {
        what: format!("read folder {}", source.display()),
        source: source_error,
    };
    std::fs::read_dir(source).map_err(io)?;
    let (sender, mut receiver) = mpsc::channel(QUEUED);
    let top = source.to_owned();
    std::thread::Builder::new()
        .name("import-walk".into())
        .spawn(move || walk(&top, "", &sender))
        .map_err(io)?;
    Ok(futures::stream::poll_fn(move |context| {
        receiver.poll_recv(context)
    }))
}

/// Sends everything below `folder`; false when nobody listens any more.
fn walk(folder: &Path, relative: &str, sender: &mpsc::Sender<Found>) -> bool {
    let entries =
        match std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return send(sender, folder, relative, Kind::Refused(error.to_string())),
        };
    if entries.is_empty() && !relative.is_empty() {
        return send(sender, folder, relative, Kind::EmptyFolder);
    }
    let mut entries = entries;
    entries.sort_by_key(DirEntry::file_name);
    entries.iter().all(|entry| visit(entry, relative, sender))
}

fn visit(entry: &DirEntry, relative: &str, sender: &mpsc::Sender<Found>) -> bool {
    let path = entry.path();
    let Ok(name) = entry.file_name().into_string() else {
        let reason = "the name is not UTF-8".into();
        return send(sender, &path, relative, Kind::Refused(reason));
    };
    let below = match relative {
        "" => name,
        _ => format!("{relative}/{name}"),
    };
    // The entry's own metadata: a symbolic link is not followed.
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) => return send(sender, &path, &below, Kind::Refused(error.to_string())),
    };
    if metadata.is_dir() {
        return walk(&path, &below, sender);
    }
    send(sender, &path, &below, kind(&metadata))
}

fn kind(metadata: &Metadata) -> Kind {
    if metadata.is_symlink() {
        return Kind::Refused("a symbolic link (links are not followed)".into());
    }
    if !metadata.is_file() {
        return Kind::Refused("not a regular file".into());
    }
    let modified_s = metadata.modified().map_or(0, seconds_since_1970);
    Kind::File {
        size: metadata.len(),
        modified_s,
    }
}

fn seconds_since_1970(at: std::time::SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

fn send(sender: &mpsc::Sender<Found>, path: &Path, relative: &str, kind: Kind) -> bool {
    let found = Found {
        path: path.to_owned(),
        relative: relative.to_owned(),
        kind,
    };
    sender.blocking_send(found).is_ok()
}
