//! One file: whether it is there, unchanged or newer, and bringing it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::{Destination, Existing, Refused, Source, local};
use crate::error::{Error, Result};

/// Tries of one file whose error says that it may succeed later;
const TRIES: u32 = 4;
/// the pause before the second, which doubles.
const PAUSE: Duration = Duration::from_millis(200);

/// What the destination has.
pub(super) enum There {
    /// All of it, by lower-case path.
    All(HashMap<String, Existing>),
    /// It is asked about each file.
    Each,
}

/// What became of one thing that was found.
pub(super) enum Step {
    Imported {
        bytes: u64,
        rev: String,
    },
    Unchanged {
        rev: String,
    },
    Folder,
    Gone,
    Excluded(Refused),
    /// And whether it may go when it is tried again.
    Refused(Refused, bool),
}

impl Step {
    pub fn refused(path: &Path, error: &Error) -> Step {
        let reason = match error {
            Error::Io { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        let path = path.to_owned();
        Step::Refused(Refused { path, reason }, error.is_retryable())
    }
}

/// Brings a file to `path`, unless it is there.
pub(super) async fn bring(
    destination: &dyn Destination,
    there: &There,
    path: &str,
    source: &Source,
    size: u64,
    modified_s: i64,
) -> Step {
    let present = match there {
        There::All(all) => Ok(all.get(&storage::meta::path::fold(path)).cloned()),
        There::Each => destination.look(path).await,
    };
    let present = match present {
        Ok(present) => present,
        Err(error) => return Step::refused(&source.path(), &error),
    };
    if let Some(present) = present {
        if present.size == size
            && (present.modified_s == modified_s || same_content(source, &present).await)
        {
            return Step::Unchanged { rev: present.rev };
        }
        // Changed since in Firefly: the same import, run at every start, must not take that back.
        if present.modified_s > modified_s {
            let reason = "the file in Firefly is newer and stays".to_owned();
            let path = source.path();
            return Step::Refused(Refused { path, reason }, false);
        }
    }
    match put(destination, path, source, modified_s).await {
        Ok(rev) => Step::Imported { bytes: size, rev },
        Err(error) => Step::refused(&source.path(), &error),
    }
}

async fn put(
    destination: &dyn Destination,
    path: &str,
    source: &Source,
    modified_s: i64,
) -> Result<String> {
    let mut tries = 1;
    let mut pause = PAUSE;
    loop {
        match destination.put(path, source, modified_s).await {
            Err(error) if error.is_retryable() && tries < TRIES => {
                tokio::time::sleep(pause).await;
                tries += 1;
                pause *= 2;
            }
            done => return done,
        }
    }
}

/// True when the local file has the content the destination has. An unreadable file is not the same: storing it says why.
async fn same_content(source: &Source, there: &Existing) -> bool {
    let (source, wanted) = (source.clone(), there.content_hash.clone());
    let hashed = tokio::task::spawn_blocking(move || local::content_hash_of(&source)).await;
    matches!(hashed, Ok(Ok(hash)) if hash == wanted)
}
