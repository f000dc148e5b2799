//! Folders and files of this machine, reached name by name from an opened folder, so that a link put in the way leads nowhere.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, open, openat, statat};

/// An opened folder. Clones share it.
#[derive(Debug, Clone)]
pub struct Folder {
    opened: Arc<OwnedFd>,
    path: PathBuf,
}

/// One file's place: its folder, opened, and its name.
#[derive(Debug, Clone)]
pub struct Source {
    folder: Folder,
    name: OsString,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A regular file: bytes, seconds since 1970.
    File { size: u64, modified_s: i64 },
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a socket, a pipe.
    Other,
}

/// Which folder it is, whatever its path: device and inode.
pub(super) type Identity = (u64, u64);

/// How a folder is opened: never through a link, and without waiting for anything.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Folder {
    /// Opens the folder at `path`, which may itself be reached over links: who names it means where it leads.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let opened = open(path, FOLDER.difference(OFlags::NOFOLLOW), Mode::empty())?;
        Ok(Folder {
            opened: Arc::new(opened),
            path: path.to_owned(),
        })
    }

    /// The folder `name` in this one; an error when it is a link.
    pub fn enter(&self, name: &OsStr) -> io::Result<Folder> {
        let opened = openat(&self.opened, name, FOLDER, Mode::empty())?;
        Ok(Folder {
            opened: Arc::new(opened),
            path: self.path.join(name),
        })
    }

    /// The folder at `relative` below this one, entered name by name. Anything but plain names is an error.
    pub fn below(&self, relative: &Path) -> io::Result<Folder> {
        relative
            .components()
            .try_fold(self.clone(), |at, part| match part {
                Component::Normal(name) => at.enter(name),
                _ => Err(io::Error::from(io::ErrorKind::InvalidInput)),
            })
    }

    /// Where it was when it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it, in order of their bytes.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.opened)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        names.sort();
        Ok(names)
    }

    /// What `name` stands for; the error is `NotFound` when it is not there.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Entry> {
        let stat = statat(&self.opened, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Entry::File {
                size: u64::try_from(stat.st_size).unwrap_or(0),
                modified_s: stat.st_mtime,
            },
            FileType::Directory => Entry::Folder,
            FileType::Symlink => Entry::Link,
            _ => Entry::Other,
        })
    }

    pub(super) fn identity(&self) -> io::Result<Identity> {
        let stat = fstat(&self.opened)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// This folder's identity and those of all above it.
    pub(super) fn lineage(&self) -> io::Result<Vec<Identity>> {
        let mut lineage = vec![self.identity()?];
        let mut at = self.clone();
        loop {
            at = at.enter("..".as_ref())?;
            let identity = at.identity()?;
            if lineage.last() == Some(&identity) {
                return Ok(lineage);
            }
            lineage.push(identity);
        }
    }

    /// The file `name` in it.
    pub(super) fn source(&self, name: OsString) -> Source {
        Source {
            folder: self.clone(),
            name,
        }
    }

    /// A path by which this process reaches the opened folder itself, whatever has become of its names.
    pub(super) fn by_number(&self) -> PathBuf {
        use std::os::fd::AsRawFd;
        PathBuf::from(format!("/proc/self/fd/{}", self.opened.as_raw_fd()))
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.as_fd()
    }
}

impl Source {
    /// Opens the file for reading; an error when it is a link now, or no regular file.
    pub fn open(&self) -> io::Result<File> {
        // Not waiting: a pipe that has taken the file's place would never open.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(&self.folder.opened, &self.name, flags, Mode::empty())?;
        match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
            FileType::RegularFile => Ok(File::from(opened)),
            _ => Err(io::Error::other("not a regular file")),
        }
    }

    /// Where it is, for people.
    pub fn path(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }
}

/// The name as text; none when it is not UTF-8.
pub(super) fn text(name: &OsStr) -> Option<&str> {
    std::str::from_utf8(name.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_nowhere_also_when_they_are_put_in_the_way_later() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir(top.path().join("a")).unwrap();
        std::fs::write(top.path().join("a/file"), "f").unwrap();
        let folder = Folder::open(top.path()).unwrap();
        let a = folder.below(Path::new("a")).unwrap();
        let source = a.source("file".into());
        assert!(source.open().is_ok());
        // Whoever owns the folder swaps the file, and then the folder, for links.
        std::fs::remove_file(top.path().join("a/file")).unwrap();
        symlink(outside.path().join("secret"), top.path().join("a/file")).unwrap();
        assert!(source.open().is_err());
        assert_eq!(a.look("file".as_ref()).unwrap(), Entry::Link);
        symlink(outside.path(), top.path().join("b")).unwrap();
        for refused in ["b", "../x", "/etc", "a/.."] {
            assert!(folder.below(Path::new(refused)).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_folder_knows_those_above_it() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        let top = Folder::open(top.path()).unwrap();
        let below = top.below(Path::new("a/b")).unwrap();
        let lineage = below.lineage().unwrap();
        assert!(lineage.contains(&top.identity().unwrap()));
        assert!(!top.lineage().unwrap().contains(&below.identity().unwrap()));
    }
}
