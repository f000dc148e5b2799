//! Which versions an import has brought, so that what is deleted from the folder later can be deleted in Firefly too, and nothing else.
//!
//! A file of lines, one JSON object each: `{"p": path, "r": revision}` was brought, `{"p": path}` is no longer ours. It is
//! written anew when it is opened, and appended to after each file. A line that a power cut has lost costs a deletion that is not
//! made, never one that should not be.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What an import has brought from one folder to one place.
#[derive(Debug)]
pub struct Ledger {
    lines: File,
    brought: HashMap<String, Brought>,
    pass: u32,
    _lock: File,
}

#[derive(Debug)]
struct Brought {
    rev: String,
    seen: u32,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    p: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
}

impl Ledger {
    /// The ledger in `folder` of imports of `source` to `into` of an account. An error when another import has it.
    pub fn open(folder: &Path, source: &Path, account: &str, into: &str) -> Result<Ledger> {
        let key = [
            source.as_os_str().as_encoded_bytes(),
            account.as_bytes(),
            into.as_bytes(),
        ];
        let name = hex::encode(&Sha256::digest(key.join(&0))[..16]);
        let path = folder.join(format!("{name}.ledger"));
        let io = |source| Error::Io {
            what: format!("the import's ledger {}", path.display()),
            source,
        };
        std::fs::create_dir_all(folder).map_err(io)?;
        Self::open_file(&path).map_err(io)
    }

    fn open_file(path: &Path) -> io::Result<Ledger> {
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.with_extension("lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("this folder is being imported already"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let brought = match File::open(path) {
            Ok(file) => read(file)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => HashMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Ledger {
            lines: write(path, &brought)?,
            brought,
            pass: 0,
            _lock: lock,
        })
    }

    /// A new look at the whole folder begins: nothing has been seen yet.
    pub(super) fn begin(&mut self) {
        self.pass += 1;
    }

    /// The file at `path` is there; where it was brought, or is the same there, by this revision.
    pub(super) fn seen(&mut self, path: &str, rev: Option<&str>) -> io::Result<()> {
        let pass = self.pass;
        if let Some(known) = self.brought.get_mut(path) {
            known.seen = pass;
            if rev.is_none_or(|rev| rev == known.rev) {
                return Ok(());
            }
        }
        let Some(rev) = rev else {
            return Ok(());
        };
        append(&mut self.lines, path, Some(rev))?;
        let brought = Brought {
            rev: rev.to_owned(),
            seen: pass,
        };
        self.brought.insert(path.to_owned(), brought);
        Ok(())
    }

    /// The file at `path` is ours no more.
    pub(super) fn forget(&mut self, path: &str) -> io::Result<()> {
        match self.brought.remove(path) {
            Some(_) => append(&mut self.lines, path, None),
            None => Ok(()),
        }
    }

    /// Paths and revisions that this look at the whole folder has not seen.
    pub(super) fn unseen(&self) -> Vec<(String, String)> {
        self.list(|_, brought| brought.seen != self.pass)
    }

    /// Paths and revisions at `path` and below it.
    pub(super) fn below(&self, path: &str) -> Vec<(String, String)> {
        self.list(|key, _| {
            let rest = key.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn list(&self, wanted: impl Fn(&str, &Brought) -> bool) -> Vec<(String, String)> {
        let found = self
            .brought
            .iter()
            .filter(|(key, value)| wanted(key, value));
        let mut found: Vec<_> = found
            .map(|(path, brought)| (path.clone(), brought.rev.clone()))
            .collect();
        found.sort();
        found
    }
}

/// Lines up to the first that is not whole, as a kill leaves it.
fn read(file: File) -> io::Result<HashMap<String, Brought>> {
    let mut brought = HashMap::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line?;
        let Ok(Line { p, r }) = serde_json::from_slice(&line) else {
            break;
        };
        match r {
            Some(rev) => drop(brought.insert(p.into_owned(), Brought { rev, seen: 0 })),
            None => drop(brought.remove(&*p)),
        }
    }
    Ok(brought)
}

/// Writes it anew, whole or not at all; the file that is appended to from now on.
fn write(path: &Path, brought: &HashMap<String, Brought>) -> io::Result<File> {
    let temporary: PathBuf = path.with_extension("new");
    let mut lines = BufWriter::new(File::create(&temporary)?);
    for (path, entry) in brought {
        append(&mut lines, path, Some(&entry.rev))?;
    }
    let file = lines.into_inner().map_err(|error| error.into_error())?;
    file.sync_all()?;
    std::fs::rename(temporary, path)?;
    Ok(file)
}

fn append(lines: &mut impl Write, path: &str, rev: Option<&str>) -> io::Result<()> {
    let line = Line {
        p: path.into(),
        r: rev.map(str::to_owned),
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    lines.write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(found: Vec<(String, String)>) -> Vec<String> {
        found.into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn what_was_brought_is_known_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Ledger::open(folder.path(), Path::new("/srv/a"), "dbid:1", "/a");
        let mut ledger = open().unwrap();
        ledger.begin();
        for (path, rev) in [("x/one", "1"), ("x/two", "2"), ("xy", "3")] {
            ledger.seen(path, Some(rev)).unwrap();
        }
        ledger.seen("x/two", Some("4")).unwrap();
        ledger.seen("refused", None).unwrap();
        ledger.forget("xy").unwrap();
        assert!(open().is_err(), "one at a time");
        drop(ledger);
        // The last line was being written.
        let name = std::fs::read_dir(folder.path()).unwrap();
        let names = name.map(|entry| entry.unwrap().path());
        let path = names
            .into_iter()
            .find(|p| p.extension().unwrap() == "ledger");
        let path = path.unwrap();
        let mut lines = File::options().append(true).open(&path).unwrap();
        lines.write_all(b"{\"p\":\"x/thr").unwrap();
        let mut ledger = open().unwrap();
        ledger.begin();
        assert_eq!(paths(ledger.unseen()), ["x/one", "x/two"]);
        ledger.seen("x/one", None).unwrap();
        assert_eq!(ledger.unseen(), [("x/two".to_owned(), "4".to_owned())]);
        assert_eq!(paths(ledger.below("x")), ["x/one", "x/two"]);
        assert_eq!(paths(ledger.below("x/o")), [""; 0]);
    }
}
