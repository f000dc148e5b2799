//! Walks the source folder on a thread of its own, in name order, without following symbolic links.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::Stream;
use tokio::sync::mpsc;

use super::folder::{Entry, Folder, Source, text};
use super::follow::Watches;
use super::rules::Rules;
use crate::error::{Error, Result};

/// Found entries that wait for the importer. Each may hold a folder open.
const QUEUED: usize = 128;
/// Folders below each other that are gone into; Firefly's own paths are not longer. One is open on each level.
const MAX_DEPTH: usize = storage::meta::path::PATH_SEGMENTS;

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
    File {
        source: Source,
        size: u64,
        modified_s: i64,
    },
    /// A folder with nothing in it.
    EmptyFolder,
    /// Nothing is there, or no longer.
    Gone,
    /// Left out, by this pattern.
    Excluded(String),
    /// Not imported, and why.
    Refused(String),
}

/// Where to look.
pub(super) struct Walk {
    pub top: Folder,
    pub rules: Arc<Rules>,
    /// Told of every folder before it is read.
    pub watches: Option<Arc<Watches>>,
}

impl Walk {
    /// Starts at these paths below the top ("" is the top itself).
    pub fn start(self, at: Vec<String>) -> Result<impl Stream<Item = Found> + use<>> {
        let (sender, mut receiver) = mpsc::channel(QUEUED);
        let what = format!("read folder {}", self.top.path().display());
        let walker = Walker { walk: self, sender };
        std::thread::Builder::new()
            .name("import-walk".into())
            .spawn(move || at.iter().all(|relative| walker.from(relative)))
            .map_err(|source| Error::Io { what, source })?;
        Ok(futures::stream::poll_fn(move |context| {
            receiver.poll_recv(context)
        }))
    }
}

struct Walker {
    walk: Walk,
    sender: mpsc::Sender<Found>,
}

/// Methods return false when nobody listens any more.
impl Walker {
    /// Sends what is at `relative`, and everything below it.
    fn from(&self, relative: &str) -> bool {
        if relative.is_empty() {
            return self.folder(&self.walk.top, relative);
        }
        let path = Path::new(relative);
        let (Some(name), parent) = (path.file_name(), path.parent().unwrap_or(Path::new("")))
        else {
            return true;
        };
        let names = self.walk.top.below(parent).and_then(|folder| {
            let names = folder.names()?;
            Ok((folder, names))
        });
        let (folder, names) = match names {
            Ok(found) => found,
            Err(error) if is_gone(&error) => {
                return self.send(self.walk.top.path().join(path), relative, Kind::Gone);
            }
            // Its folder is looked at as well, and says why.
            Err(_) => return true,
        };
        let above = parent.to_str().unwrap_or_default();
        let is_folder = matches!(folder.look(name), Ok(Entry::Folder));
        if let Some(pattern) = self.walk.rules.excluded_below(relative, is_folder) {
            let kind = Kind::Excluded(pattern.to_owned());
            return self.send(folder.path().join(name), relative, kind);
        }
        let twins = twins(&names);
        self.visit(&folder, above, name.to_owned(), &twins)
    }

    /// Sends everything below `folder`.
    fn folder(&self, folder: &Folder, relative: &str) -> bool {
        let names = self.open(folder, relative);
        let names = match names {
            Ok(names) => names,
            Err(reason) => {
                return self.send(folder.path().to_owned(), relative, Kind::Refused(reason));
            }
        };
        if names.is_empty() && !relative.is_empty() {
            return self.send(folder.path().to_owned(), relative, Kind::EmptyFolder);
        }
        let twins = twins(&names);
        names
            .into_iter()
            .all(|name| self.visit(folder, relative, name, &twins))
    }

    /// The names in a folder, watched from before they are read.
    fn open(&self, folder: &Folder, relative: &str) -> std::result::Result<Vec<OsString>, String> {
        if self.walk.rules.is_closed(folder).map_err(words)? {
            return Err("Firefly's own data are not imported".into());
        }
        if relative.split('/').count() > MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} folders in each other"));
        }
        if let Some(watches) = &self.walk.watches {
            watches.add(folder, relative);
        }
        folder.names().map_err(words)
    }

    fn visit(
        &self,
        folder: &Folder,
        above: &str,
        name: OsString,
        twins: &HashMap<String, OsString>,
    ) -> bool {
        let path = folder.path().join(&name);
        let refused = |below: &str, reason: &str| {
            self.send(path.clone(), below, Kind::Refused(reason.to_owned()))
        };
        let Some(own) = text(&name) else {
            return refused(above, "the name is not UTF-8");
        };
        let below = match above {
            "" => own.to_owned(),
            _ => format!("{above}/{own}"),
        };
        // The entry itself: a symbolic link is not followed.
        let entry = match folder.look(&name) {
            Ok(entry) => entry,
            Err(error) if is_gone(&error) => return self.send(path, &below, Kind::Gone),
            Err(error) => return refused(&below, &error.to_string()),
        };
        if let Some(pattern) = self.walk.rules.excluded(&below, entry == Entry::Folder) {
            return self.send(path, &below, Kind::Excluded(pattern.to_owned()));
        }
        if let Some(twin) = twins.get(&storage::meta::path::fold(own))
            && *twin != name
        {
            let twin = twin.to_string_lossy();
            return refused(&below, &format!("only its case tells it from {twin}"));
        }
        match entry {
            Entry::Folder => match folder.enter(&name) {
                Ok(folder) => self.folder(&folder, &below),
                Err(error) => refused(&below, &error.to_string()),
            },
            Entry::Link => refused(&below, "a symbolic link (links are not followed)"),
            Entry::Other => refused(&below, "not a regular file"),
            Entry::File { size, modified_s } => {
                let kind = Kind::File {
                    source: folder.source(name),
                    size,
                    modified_s,
                };
                self.send(path, &below, kind)
            }
        }
    }

    fn send(&self, path: PathBuf, relative: &str, kind: Kind) -> bool {
        let found = Found {
            path,
            relative: relative.to_owned(),
            kind,
        };
        self.sender.blocking_send(found).is_ok()
    }
}

/// Of names that Firefly takes for one, the first, which it gets; other names are not in it.
fn twins(names: &[OsString]) -> HashMap<String, OsString> {
    let mut first: HashMap<String, (&OsString, bool)> = HashMap::new();
    for name in names {
        if let Some(own) = text(name) {
            let again = first.entry(storage::meta::path::fold(own));
            again
                .and_modify(|(_, twice)| *twice = true)
                .or_insert((name, false));
        }
    }
    let twice = first.into_iter().filter(|(_, (_, twice))| *twice);
    twice
        .map(|(folded, (name, _))| (folded, name.clone()))
        .collect()
}

fn is_gone(error: &io::Error) -> bool {
    // A folder above has become something else.
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn words(error: io::Error) -> String {
    error.to_string()
}
