//! Follows a folder: the kernel tells which names change, and a look at the whole folder makes up for what it could not tell.
//!
//! The kernel's own interface is used rather than a crate over it: a watch is set on the opened folder, before it is read, only on
//! folders that are imported, and without asking for every file that is opened, which reading the folder would drown in.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use super::folder::Folder;

/// A name is looked at when it has not changed for this long,
const QUIET: Duration = Duration::from_secs(1);
/// or has been changing for this long.
const LONGEST: Duration = Duration::from_secs(30);
/// More changed names than these are a look at the whole folder.
const MAX_DIRTY: usize = 50_000;
/// Bytes of events that are read at once.
const READ_BYTES: usize = 64 << 10;

/// What is watched, in every folder;
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::ONLYDIR);
/// in the top folder also whether it is still that.
const TOP: WatchFlags = CHANGES
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// The watched folders of one import.
pub(super) struct Watches {
    events: AsyncFd<OwnedFd>,
    folders: Mutex<HashMap<i32, String>>,
    missing: AtomicBool,
}

/// What became of the events that were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// All changes are known.
    All,
    /// Some are not: everything is to be looked at.
    NotAll,
}

impl Watches {
    /// Nothing is watched yet. Errors when the system has no more room for who watches.
    #[allow(
        deprecated,
        reason = "what replaces it is unsafe; a descriptor that is owned, and never changed, is what it asks for"
    )]
    pub fn new() -> io::Result<Watches> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Watches {
            events: AsyncFd::new(events)?,
            folders: Mutex::default(),
            missing: AtomicBool::new(false),
        })
    }

    /// Watches this folder, which is at `relative`.
    pub fn add(&self, folder: &Folder, relative: &str) {
        let what = if relative.is_empty() { TOP } else { CHANGES };
        let mut folders = self.lock();
        match inotify::add_watch(&self.events, folder.by_number(), what) {
            Ok(number) => drop(folders.insert(number, relative.to_owned())),
            // It is gone again.
            Err(Errno::NOENT | Errno::NOTDIR) => {}
            Err(error) => {
                if !self.missing.swap(true, Ordering::SeqCst) {
                    tracing::warn!(
                        folder = %folder.path().display(), %error,
                        "not every folder can be watched (fs.inotify.max_user_watches): the whole folder is looked at every minute"
                    );
                }
            }
        }
    }

    /// Whether a folder could not be watched.
    pub fn is_missing_some(&self) -> bool {
        self.missing.load(Ordering::SeqCst)
    }

    /// Waits for changes and notes them.
    pub async fn listen(&self, dirty: &mut Dirty) -> io::Result<Heard> {
        loop {
            let mut ready = self.events.readable().await?;
            match ready.try_io(|events| self.read(events.get_ref(), dirty)) {
                Ok(heard) => return heard,
                Err(_not_ready) => {}
            }
        }
    }

    /// Reads all there is; `WouldBlock` when there is nothing.
    fn read(&self, events: &OwnedFd, dirty: &mut Dirty) -> io::Result<Heard> {
        let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
        let mut reader = inotify::Reader::new(events, &mut buffer);
        let mut some = false;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) if some => return Ok(Heard::All),
                Err(error) => return Err(error.into()),
            };
            some = true;
            let name = event.file_name().map(|name| name.to_bytes());
            if !self.note(event.wd(), event.events(), name, dirty) {
                return Ok(Heard::NotAll);
            }
        }
    }

    /// False when more has changed than this event tells.
    fn note(&self, number: i32, what: ReadFlags, name: Option<&[u8]>, dirty: &mut Dirty) -> bool {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return false;
        }
        let mut folders = self.lock();
        if what.contains(ReadFlags::IGNORED) {
            folders.remove(&number);
            return true;
        }
        let Some(above) = folders.get(&number) else {
            return true;
        };
        let Some(name) = name else {
            return !what
                .intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF | ReadFlags::UNMOUNT);
        };
        // A name that is no text is told of by every look at the whole folder.
        let Ok(name) = std::str::from_utf8(name) else {
            return true;
        };
        let is_folder = what.contains(ReadFlags::ISDIR);
        let moved =
            ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO;
        if is_folder && !what.intersects(moved) {
            return true;
        }
        let path = match above.as_str() {
            "" => name.to_owned(),
            _ => format!("{above}/{name}"),
        };
        if is_folder && what.contains(ReadFlags::MOVED_FROM) {
            self.leave(&mut folders, &path);
        }
        dirty.add(path, Instant::now())
    }

    /// Watches nothing at `path` and below any more: it has moved, and is watched anew where it comes to.
    fn leave(&self, folders: &mut HashMap<i32, String>, path: &str) {
        folders.retain(|&number, at| {
            let rest = at.strip_prefix(path);
            let stays = rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('/'));
            if !stays {
                // Refused when the folder is gone already, and with it the watch.
                let _gone = inotify::remove_watch(&self.events, number);
            }
            stays
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i32, String>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names that have changed, and since when.
#[derive(Debug, Default)]
pub(super) struct Dirty(BTreeMap<String, Since>);

#[derive(Debug)]
struct Since {
    first: Instant,
    last: Instant,
}

impl Dirty {
    /// Notes a change; false when there are too many.
    fn add(&mut self, path: String, now: Instant) -> bool {
        let since = self.0.entry(path);
        since.and_modify(|since| since.last = now).or_insert(Since {
            first: now,
            last: now,
        });
        self.0.len() <= MAX_DIRTY
    }

    /// When the next name is due; none while nothing has changed.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().map(Since::due).min()
    }

    /// Takes the names that are due; of a folder and what is in it, only the folder.
    pub fn take_due(&mut self, now: Instant) -> Vec<String> {
        let mut due: Vec<String> = Vec::new();
        let mut later = BTreeMap::new();
        for (path, since) in std::mem::take(&mut self.0) {
            if since.due() <= now {
                due.push(path);
            } else {
                later.insert(path, since);
            }
        }
        self.0 = later;
        let all: std::collections::HashSet<String> = due.iter().cloned().collect();
        due.retain(|path| {
            let mut above = path.as_str();
            std::iter::from_fn(|| {
                above = above.rsplit_once('/')?.0;
                Some(above)
            })
            .all(|above| !all.contains(above))
        });
        due
    }
}

impl Since {
    fn due(&self) -> Instant {
        (self.last + QUIET).min(self.first + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_due_when_it_is_quiet_or_has_changed_for_long() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut dirty = Dirty::default();
        dirty.add("log".into(), at(0));
        dirty.add("a".into(), at(0));
        dirty.add("a/b/c".into(), at(100));
        dirty.add("ab".into(), at(0));
        assert_eq!(dirty.take_due(at(900)), [""; 0]);
        assert_eq!(dirty.next(), Some(at(1_000)));
        for ms in (500..40_000).step_by(500) {
            dirty.add("log".into(), at(ms));
            if ms == 1_500 {
                assert_eq!(dirty.take_due(at(ms)), ["a", "ab"]);
            }
            if ms == 29_500 {
                assert_eq!(dirty.take_due(at(ms)), [""; 0]);
            }
        }
        assert_eq!(dirty.take_due(at(30_000)), ["log"]);
        assert_eq!(dirty.next(), None);
    }

    #[test]
    fn too_many_names_are_too_many() {
        let mut dirty = Dirty::default();
        let now = Instant::now();
        let fits = (0..=MAX_DIRTY).filter(|n| dirty.add(n.to_string(), now));
        assert_eq!(fits.count(), MAX_DIRTY);
    }

    #[tokio::test]
    async fn what_changes_in_a_watched_tree_is_heard() {
        let top = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(top.path().join("a/b")).unwrap();
        let folder = Folder::open(top.path()).unwrap();
        let watches = Watches::new().unwrap();
        for relative in ["", "a", "a/b"] {
            let below = folder.below(std::path::Path::new(relative)).unwrap();
            watches.add(&below, relative);
        }
        std::fs::write(top.path().join("a/b/new"), "x").unwrap();
        std::fs::read(top.path().join("a/b/new")).unwrap();
        std::fs::rename(top.path().join("a"), top.path().join("moved")).unwrap();
        let mut dirty = Dirty::default();
        assert_eq!(watches.listen(&mut dirty).await.unwrap(), Heard::All);
        let changed: Vec<_> = dirty.0.keys().map(String::as_str).collect();
        assert_eq!(changed, ["a", "a/b/new", "moved"]);
        // What moved is watched where it comes to, when it is looked at.
        assert_eq!(watches.lock().values().collect::<Vec<_>>(), [""]);
        // The top is no longer where it was.
        let gone = top.path().with_extension("gone");
        std::fs::rename(top.path(), &gone).unwrap();
        assert_eq!(watches.listen(&mut dirty).await.unwrap(), Heard::NotAll);
        std::fs::remove_dir_all(gone).unwrap();
    }

    #[tokio::test]
    async fn more_changes_than_the_kernel_keeps_are_told_of() {
        let most = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let top = tempfile::tempdir().unwrap();
        let watches = Watches::new().unwrap();
        watches.add(&Folder::open(top.path()).unwrap(), "");
        // A name that comes and one that goes are an event each, and no two of them are the same.
        for n in 0..=most.trim().parse::<u32>().unwrap() / 2 {
            let path = top.path().join(n.to_string());
            std::fs::create_dir(&path).unwrap();
            std::fs::remove_dir(&path).unwrap();
        }
        let mut dirty = Dirty::default();
        assert_eq!(watches.listen(&mut dirty).await.unwrap(), Heard::NotAll);
    }
}
