//! Where the key ring is kept.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::document::Document;
use crate::error::{Error, Result};

/// Where the key ring is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A file with mode 0600 (`DIR/keys/kek.json` by default).
    File(PathBuf),
    /// The environment variable with this name holds the document, or one bare key.
    Environment(String),
    /// The standard output of this command (run by `/bin/sh -c`) is the document, or one bare key.
    Command(String),
    /// Nowhere: tests and measurements.
    Memory,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File(path) => write!(f, "the key ring {}", path.display()),
            Source::Environment(variable) => write!(f, "the key ring in ${variable}"),
            Source::Command(command) => write!(f, "the key ring printed by `{command}`"),
            Source::Memory => f.write_str("the key ring in memory"),
        }
    }
}

impl Source {
    /// False when a key ring could still be created here.
    pub(super) fn exists(&self) -> bool {
        !matches!(self, Source::File(path) if matches!(path.try_exists(), Ok(false)))
    }

    pub(super) fn read(&self) -> Result<Document> {
        let text = self.text()?;
        Document::parse(&text).map_err(|error| match error {
            Error::Key(detail) => Error::Key(format!("{self}: {detail}")),
            other => other,
        })
    }

    fn text(&self) -> Result<Zeroizing<String>> {
        let text = match self {
            Source::File(path) => read_file(path, self)?,
            Source::Environment(variable) => std::env::var(variable)
                .map_err(|_| Error::Key(format!("{self}: the variable is not set")))?,
            Source::Command(command) => output(command, self)?,
            Source::Memory => return Err(Error::Key(format!("{self} cannot be loaded again"))),
        };
        Ok(Zeroizing::new(text))
    }

    pub(super) fn create(&self, document: &Document) -> Result<()> {
        let path = self.file("created")?;
        let folder = folder(path);
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder);
        made.map_err(|error| Error::io(format!("making {}", folder.display()), error))?;
        let temporary = write_temporary(path, document)?;
        // A link, not a rename: an existing ring is never replaced by a new one.
        let linked = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary)
            .map_err(|error| Error::io(format!("removing {}", temporary.display()), error))?;
        linked.map_err(|error| Error::io(format!("creating {self}"), error))?;
        sync_folder(folder)
    }

    pub(super) fn replace(&self, document: &Document) -> Result<()> {
        if matches!(self, Source::Memory) {
            return Ok(());
        }
        let path = self.file("changed")?;
        let temporary = write_temporary(path, document)?;
        fs::rename(&temporary, path)
            .map_err(|error| Error::io(format!("replacing {self}"), error))?;
        sync_folder(folder(path))
    }

    fn file(&self, verb: &str) -> Result<&Path> {
        match self {
            Source::File(path) => Ok(path),
            _ => Err(Error::Key(format!(
                "{self} is not {verb} by Firefly: do it where it is kept"
            ))),
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn read_file(path: &Path, source: &Source) -> Result<String> {
    let text = fs::read_to_string(path)
        .map_err(|error| Error::Key(format!("{source} cannot be read: {error}")))?;
    let mode = fs::metadata(path)
        .map(|metadata| metadata.permissions().mode())
        .unwrap_or(0);
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777), "others may read the key ring: chmod 600 it");
    }
    Ok(text)
}

fn output(command: &str, source: &Source) -> Result<String> {
    let run = std::process::Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(std::process::Stdio::null())
        .output();
    let run = run.map_err(|error| Error::Key(format!("{source}: {error}")))?;
    if !run.status.success() {
        return Err(Error::Key(format!("{source}: {}", run.status)));
    }
    String::from_utf8(run.stdout).map_err(|_| Error::Key(format!("{source}: not UTF-8")))
}

fn write_temporary(path: &Path, document: &Document) -> Result<PathBuf> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    let wrote = write_synced(&temporary, document.text()?.as_bytes());
    wrote.map_err(|error| Error::io(format!("writing {}", temporary.display()), error))?;
    Ok(temporary)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| Error::io(format!("syncing {}", folder.display()), error))
}
