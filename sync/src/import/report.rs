//! How an import ended, for people, spreadsheets and programs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize, Serializer};

use crate::csv::quoted;

/// Things of each kind that a report names; the rest is counted.
pub const MAX_LISTED: usize = 100_000;

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
    /// Files and folders left out by a pattern.
    pub excluded: AtomicU64,
    /// Files deleted in Firefly because they are gone from the folder.
    pub deleted: AtomicU64,
    /// The walk has found all there is.
    pub walked: AtomicBool,
    cancelled: AtomicBool,
}

impl Progress {
    /// Ends the import after the files at hand; what is stored stays.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
    }

    /// Whether the import is to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }
}

/// How an import ended.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// Files stored.
    pub imported: u64,
    /// Bytes stored.
    pub bytes: u64,
    /// Files that were there already, unchanged.
    pub unchanged: u64,
    /// Files deleted in Firefly because they are gone from the folder.
    pub deleted: u64,
    /// What was refused, with the reason.
    pub refused: Vec<Refused>,
    /// What was left out, with the pattern.
    pub excluded: Vec<Refused>,
    /// Things refused or left out that are not listed, because there are too many.
    pub unlisted: u64,
    /// It was cancelled before its end.
    pub cancelled: bool,
    /// Refused things that may go when they are tried again.
    #[serde(skip)]
    pub passing: u64,
}

/// One thing that was not imported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Refused {
    /// The local path; what of it is no UTF-8 is written down as U+FFFD.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Why, in words for a person.
    pub reason: String,
}

impl Report {
    pub(super) fn refuse(&mut self, refused: Refused) {
        list(&mut self.refused, refused, &mut self.unlisted);
    }

    pub(super) fn exclude(&mut self, excluded: Refused) {
        list(&mut self.excluded, excluded, &mut self.unlisted);
    }

    pub(super) fn sort(&mut self) {
        self.refused.sort_by(|a, b| a.path.cmp(&b.path));
        self.excluded.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Whether it tells of anything but files that are as they were.
    pub fn is_news(&self) -> bool {
        self.imported > 0 || self.deleted > 0 || !self.refused.is_empty()
    }

    /// What was refused or left out, and why, as CSV with a line of titles.
    pub fn csv(&self) -> String {
        let mut text = String::from("path,outcome,reason\r\n");
        let refused = self.refused.iter().map(|entry| (entry, "refused"));
        let excluded = self.excluded.iter().map(|entry| (entry, "left out"));
        for (entry, outcome) in refused.chain(excluded) {
            let (path, reason) = (quoted(&entry.path.to_string_lossy()), quoted(&entry.reason));
            text.push_str(&format!("{path},{outcome},{reason}\r\n"));
        }
        text
    }
}

fn lossy<S: Serializer>(path: &Path, into: S) -> Result<S::Ok, S::Error> {
    into.serialize_str(&path.to_string_lossy())
}

fn list(to: &mut Vec<Refused>, entry: Refused, unlisted: &mut u64) {
    if to.len() < MAX_LISTED {
        to.push(entry);
    } else {
        *unlisted += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table() {
        let mut report = Report::default();
        let entry = |path: &str, reason: &str| Refused {
            path: path.into(),
            reason: reason.into(),
        };
        report.refuse(entry("/a \"b\"", "a symbolic link"));
        report.exclude(entry("/Thumbs.db", "=Thumbs.db"));
        let wanted = "path,outcome,reason\r\n\"/a \"\"b\"\"\",refused,\"a symbolic link\"\r\n\"/Thumbs.db\",left out,\"'=Thumbs.db\"\r\n";
        assert_eq!(report.csv(), wanted);
    }

    #[test]
    #[cfg(unix)]
    fn a_report_tells_of_names_that_are_no_utf_8() {
        use std::os::unix::ffi::OsStringExt;
        let mut report = Report::default();
        let path = std::ffi::OsString::from_vec(b"/in/bad\xffname".to_vec());
        report.refuse(Refused {
            path: path.into(),
            reason: "the name is not UTF-8".into(),
        });
        let written = serde_json::to_string(&report).unwrap();
        let read: Report = serde_json::from_str(&written).unwrap();
        assert_eq!(read.refused[0].path, Path::new("/in/bad\u{fffd}name"));
    }
}
