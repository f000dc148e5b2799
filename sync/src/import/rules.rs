//! What an import leaves out: patterns as `.gitignore` has them, and Firefly's own folders.

use std::io;
use std::path::{Path, PathBuf};

use super::folder::{Folder, Identity};
use super::pattern::Pattern;
use crate::error::{Error, Result};

/// What nobody means to keep: what systems, office programs and browsers leave lying about. Case does not matter.
pub const DEFAULT_EXCLUDES: [&str; 22] = [
    // macOS
    ".DS_Store",
    "._*",
    "Icon\r",
    ".Spotlight-V100/",
    ".Trashes/",
    ".fseventsd/",
    ".TemporaryItems/",
    // Windows
    "Thumbs.db",
    "desktop.ini",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    // Linux
    ".Trash-*/",
    "/lost+found/",
    ".nfs*",
    // Lock and temporary files of office programs and editors
    "~$*",
    ".~lock.*#",
    "~*.tmp",
    ".*.sw[op]",
    // What a browser has not finished
    "*.crdownload",
    "*.part",
    // Dropbox's own
    ".dropbox",
    ".dropbox.cache/",
];

/// Patterns that an import takes at most.
const MAX_PATTERNS: usize = 1_000;

/// What is left out.
#[derive(Debug)]
pub struct Rules {
    patterns: Vec<Pattern>,
    closed: Vec<Identity>,
}

impl Rules {
    /// `patterns` after the default ones, so that a `!pattern` takes one of those back; `closed` are folders that nothing is
    /// imported from. Errors name the pattern that cannot be read.
    pub fn new(patterns: &[String], with_defaults: bool, closed: &[PathBuf]) -> Result<Rules> {
        let bad = |pattern: &str, why: &str| Error::Pattern(format!("`{pattern}`: {why}"));
        if patterns.len() > MAX_PATTERNS {
            return Err(bad("--exclude", "there are more than a thousand"));
        }
        let defaults = DEFAULT_EXCLUDES.iter().filter(|_| with_defaults);
        let defaults = defaults.map(|pattern| (*pattern, true));
        let given = patterns.iter().map(|pattern| (pattern.as_str(), false));
        let parsed = defaults.chain(given).map(|(pattern, any_case)| {
            Pattern::parse(pattern, any_case).map_err(|why| bad(pattern, why))
        });
        let closed = closed.iter().filter_map(|path| identity(path).transpose());
        Ok(Rules {
            patterns: parsed.collect::<Result<_>>()?,
            closed: closed.collect::<Result<_>>()?,
        })
    }

    /// The pattern that leaves out what is at `relative`, looked at by itself: the walk does not go into what is left out.
    pub(crate) fn excluded(&self, relative: &str, is_folder: bool) -> Option<&str> {
        let mut later_first = self.patterns.iter().rev();
        let last = later_first.find(|pattern| pattern.matches(relative, is_folder));
        last.filter(|pattern| !pattern.is_negated)
            .map(|pattern| pattern.text.as_str())
    }

    /// The same, where a folder above it may be left out too.
    pub(crate) fn excluded_below(&self, relative: &str, is_folder: bool) -> Option<&str> {
        let parents = Path::new(relative).ancestors().skip(1);
        let mut parents = parents.filter_map(|path| path.to_str().filter(|path| !path.is_empty()));
        parents
            .find_map(|parent| self.excluded(parent, true))
            .or_else(|| self.excluded(relative, is_folder))
    }

    /// Whether nothing may be imported from this folder.
    pub(super) fn is_closed(&self, folder: &Folder) -> io::Result<bool> {
        Ok(!self.closed.is_empty() && self.closed.contains(&folder.identity()?))
    }

    /// Whether the folder lies in one that nothing may be imported from.
    pub(super) fn is_below_closed(&self, folder: &Folder) -> io::Result<bool> {
        let lineage = folder.lineage()?;
        Ok(self.closed.iter().any(|closed| lineage.contains(closed)))
    }
}

/// Which folder is at `path`; none when there is none.
fn identity(path: &Path) -> Result<Option<Identity>> {
    match Folder::open(path).and_then(|folder| folder.identity()) {
        Ok(identity) => Ok(Some(identity)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::Io {
            what: format!("look at {}", path.display()),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(patterns: &[&str], with_defaults: bool) -> Rules {
        let patterns: Vec<_> = patterns.iter().map(|p| (*p).to_owned()).collect();
        Rules::new(&patterns, with_defaults, &[]).unwrap()
    }

    #[test]
    fn the_last_pattern_that_fits_counts() {
        let rules = rules(&["*.bak", "/build/", "!keep.bak"], false);
        assert_eq!(rules.excluded("x.bak", false), Some("*.bak"));
        assert_eq!(rules.excluded("keep.bak", false), None);
        assert!(rules.excluded_below("build/deep/in", false).is_some());
        assert!(rules.excluded_below("other/in", false).is_none());
    }

    #[test]
    fn the_default_patterns_hold_whatever_the_case_and_can_be_taken_back() {
        let defaults = rules(&[], true);
        for name in [
            "THUMBS.DB",
            "a/.DS_Store",
            "~$plan.docx",
            ".~lock.plan.odt#",
            "film.mkv.part",
        ] {
            assert!(defaults.excluded(name, false).is_some(), "{name}");
        }
        assert!(defaults.excluded("$Recycle.Bin", true).is_some());
        for kept in [
            "plan.tmp",
            "notes~",
            ".git",
            ".profile",
            "part",
            "a/lost+found",
        ] {
            assert!(defaults.excluded(kept, true).is_none(), "{kept}");
        }
        let back = rules(&["!*.part"], true);
        assert!(back.excluded("film.part", false).is_none());
        assert!(rules(&[], false).excluded("Thumbs.db", false).is_none());
        assert!(Rules::new(&["a[b".to_owned()], true, &[]).is_err());
    }

    #[test]
    fn folders_of_our_own_are_known_by_what_they_are() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("data");
        std::fs::create_dir_all(own.join("blocks")).unwrap();
        let rules = Rules::new(&[], true, &[own.clone(), top.path().join("missing")]).unwrap();
        let open = |path: &Path| Folder::open(path).unwrap();
        assert!(rules.is_closed(&open(&own)).unwrap());
        assert!(rules.is_below_closed(&open(&own.join("blocks"))).unwrap());
        assert!(!rules.is_below_closed(&open(top.path())).unwrap());
    }
}
