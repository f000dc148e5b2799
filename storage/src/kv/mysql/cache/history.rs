//! What a process knows of the database's history: its newest commits by name, and when each row was last written, or a row
//! that shares its place in a table of fixed size.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use crate::kv::mysql::group::{ROW, read_written};

/// Places that rows are told apart by; 8 bytes each.
const PLACES: usize = 1 << 20;
/// Commits that are known by name. Entries that are older do not hold.
const COMMITS: usize = 65_536;

/// A commit, and the state of the database after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Point {
    /// The clock's version with it.
    pub version: u64,
    /// Its random name. After the database was set back, another commit has the same version.
    pub id: [u8; 16],
}

/// Everything that happened from some point on.
pub struct History {
    /// The newest version that wrote a row of the place; what was before the history's beginning counts as written by it.
    written: Box<[AtomicU64]>,
    hasher: RandomState,
    /// Oldest first, without gaps. What they wrote is in `written` before they are here.
    commits: RwLock<VecDeque<Point>>,
}

impl History {
    /// A history that begins with `start`.
    pub fn new(start: Point) -> History {
        History {
            written: (0..PLACES).map(|_| start.version.into()).collect(),
            hasher: RandomState::new(),
            commits: RwLock::new(VecDeque::from([start])),
        }
    }

    /// The newest commit that is known.
    pub fn tip(&self) -> Point {
        let commits = self.commits.read().unwrap_or_else(PoisonError::into_inner);
        commits.back().copied().unwrap_or_default()
    }

    /// Notes what the commit of `version` wrote, by its list; `None` is everything.
    pub fn write(&self, version: u64, list: Option<&[u8]>) {
        let note = |place: &AtomicU64| {
            place.fetch_max(version, Ordering::Relaxed);
        };
        match list.and_then(read_written) {
            Some(keys) => keys
                .iter()
                .filter(|(tag, _)| *tag == ROW)
                .for_each(|(_, key)| note(self.place(&key[1..]))),
            None => self.written.iter().for_each(note),
        }
    }

    /// Makes commits known whose writes were noted: all between the tip, as it was or is, and the last of them.
    pub fn publish(&self, points: &[Point]) {
        let mut commits = self.commits.write().unwrap_or_else(PoisonError::into_inner);
        for point in points {
            if commits.back().is_none_or(|tip| tip.version < point.version) {
                commits.push_back(*point);
            }
        }
        while commits.len() > COMMITS {
            commits.pop_front();
        }
    }

    /// True when the row was the same at both points, as far as is known.
    pub fn holds(&self, key: &[u8], one: &Point, other: &Point) -> bool {
        // Known first: then everything that was written up to there is noted.
        self.knows(one)
            && self.knows(other)
            && self.place(key).load(Ordering::Relaxed) <= one.version.min(other.version)
    }

    fn knows(&self, point: &Point) -> bool {
        let commits = self.commits.read().unwrap_or_else(PoisonError::into_inner);
        let at = commits.binary_search_by_key(&point.version, |commit| commit.version);
        at.is_ok_and(|at| commits[at] == *point)
    }

    fn place(&self, key: &[u8]) -> &AtomicU64 {
        &self.written[self.hasher.hash_one(key) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(version: u64) -> Point {
        Point {
            version,
            id: [version as u8; 16],
        }
    }

    fn list(key: &[u8]) -> Vec<u8> {
        let len = (key.len() as u16 + 1).to_be_bytes();
        [&len, &[ROW][..], key].concat()
    }

    #[test]
    fn a_row_holds_between_two_writes() {
        let history = History::new(point(1));
        history.write(3, Some(&list(b"a")));
        history.publish(&[point(2), point(3), point(5)]);
        assert!(history.holds(b"a", &point(3), &point(5)));
        assert!(history.holds(b"a", &point(5), &point(3)));
        assert!(history.holds(b"b", &point(1), &point(5)));
        assert!(!history.holds(b"a", &point(2), &point(5)), "written since");
        assert!(
            !history.holds(b"a", &point(3), &point(2)),
            "not yet written"
        );
        assert!(!history.holds(b"b", &point(5), &point(6)), "not yet known");
        assert!(!history.holds(b"b", &point(4), &point(5)), "no such commit");
        assert!(
            !history.holds(b"b", &point(0), &point(5)),
            "before the beginning"
        );
    }

    #[test]
    fn commits_of_another_history_are_not_known() {
        let history = History::new(point(1));
        history.publish(&[point(2)]);
        let lost = Point {
            id: [99; 16],
            ..point(2)
        };
        assert!(!history.holds(b"a", &lost, &point(2)));
    }

    #[test]
    fn a_commit_without_a_list_wrote_everything() {
        let history = History::new(point(1));
        history.write(2, None);
        history.publish(&[point(2)]);
        assert!(!history.holds(b"a", &point(1), &point(2)));
        assert!(history.holds(b"a", &point(2), &point(2)));
    }

    #[test]
    fn memory_is_bounded() {
        let history = History::new(point(1));
        let points: Vec<_> = (2..COMMITS as u64 + 10).map(point).collect();
        history.publish(&points);
        history.publish(&points[..3]);
        assert_eq!(history.commits.read().unwrap().len(), COMMITS);
        assert!(!history.knows(&point(2)));
        assert!(history.knows(&points[points.len() - 1]));
    }
}
