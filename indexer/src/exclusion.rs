//! Gone means gone at once: which documents of a commit must not be seen any more. // I5 I6
//!
//! A commit is as old as its checkpoint. Before a search, the log entries after it are looked at: each file they touch, and
//! everything that the commit has below a folder they touch, is compared with present metadata. What does not live in the
//! document's namespace now, was deleted or restored since, or has another content (old words must not find it) is
//! excluded by its file id. What was only renamed, or extracted, stays. The set belongs to one commit and only moves on.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use storage::journal::{Change, Journal, LogEntry, Partition};
use storage::meta::{FileId, Meta, Reader, Standing};
use tantivy::Searcher;

use crate::error::{self, Result};
use crate::look::{self, Shown};
use crate::payload;
use crate::schema::Fields;

/// Log entries looked at between two looks at the clock.
const CHUNK: usize = 256;

/// File ids that searches of one commit pass over. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Exclusions(Arc<Sets>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Sets {
    gone: HashSet<u64>,
    moved: HashSet<u64>,
}

impl Exclusions {
    /// True when nothing is excluded.
    pub fn is_empty(&self) -> bool {
        self.0.gone.is_empty()
    }

    /// How many files are excluded (not all of them match a given query).
    pub fn len(&self) -> usize {
        self.0.gone.len()
    }

    /// True when the document with this `file` field must be passed over.
    pub fn contains(&self, file: u64) -> bool {
        self.0.gone.contains(&file)
    }

    /// True when the document is right but for the folder it lies in: a search below a folder must pass over it.
    pub fn is_moved(&self, file: u64) -> bool {
        self.0.moved.contains(&file)
    }
}

/// The exclusions of one commit, moved on as the logs grow.
#[derive(Debug)]
pub struct ExclusionLog {
    shard: u16,
    shards: u16,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Per owned partition, the last sequence looked at.
    looked: Vec<u64>,
    /// Files that entries named.
    touched: HashSet<FileId>,
    excluded: Exclusions,
}

impl ExclusionLog {
    /// Nothing is excluded from a commit at its own checkpoint.
    pub fn new(shard: u16, shards: u16, checkpoint: &[u64]) -> Self {
        let state = State {
            looked: checkpoint.to_vec(),
            touched: HashSet::new(),
            excluded: Exclusions::default(),
        };
        ExclusionLog {
            shard,
            shards,
            state: Mutex::new(state),
        }
    }

    /// What is excluded as far as the logs were looked at.
    pub fn known(&self) -> Exclusions {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .excluded
            .clone()
    }

    /// Moves on to the heads that the logs of `partitions` have now. Returns the exclusions, and false when the deadline
    /// came first, or the log no longer begins where it was left: then some that are gone may still be found, and the answer
    /// is partial.
    pub fn advance(
        &self,
        truth: &Truth<'_>,
        partitions: &[Partition],
        deadline: Instant,
    ) -> Result<(Exclusions, bool)> {
        for &partition in partitions {
            let (owner, index) = payload::place(partition, self.shards);
            if owner != self.shard {
                continue;
            }
            let head = truth.journal.partition_head(partition)?;
            loop {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.looked[index] >= head {
                    break;
                }
                if Instant::now() >= deadline {
                    return Ok((state.excluded.clone(), false));
                }
                let entries =
                    truth
                        .journal
                        .partition_entries(partition, state.looked[index], CHUNK)?;
                let follows = |entry: &LogEntry| entry.seq == state.looked[index] + 1;
                let last = entries.last().map(|entry| entry.seq);
                let Some(last) = last.filter(|_| entries.first().is_some_and(follows)) else {
                    return Ok((state.excluded.clone(), false)); // cut: a newer commit is there, or the owner rebuilds
                };
                state.look(truth, &entries, self.shard)?;
                state.looked[index] = last;
            }
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((state.excluded.clone(), true))
    }
}

/// What documents are compared with, and the commit they are in.
pub struct Truth<'a> {
    /// The logs.
    pub journal: &'a Journal,
    /// Present metadata.
    pub meta: &'a Meta,
    /// The commit.
    pub searcher: &'a Searcher,
    /// Its fields.
    pub fields: &'a Fields,
}

impl State {
    /// Takes entries in. What moves or goes with all below it may undo what was found about anything touched before: then
    /// all of that is looked at again.
    fn look(&mut self, truth: &Truth<'_>, entries: &[LogEntry], shard: u16) -> Result<()> {
        let mut files = HashSet::new();
        let mut moved = false;
        for entry in entries {
            match &entry.change {
                Change::Extracted { .. } => continue,
                Change::Upsert { .. } => {}
                Change::Appeared { .. } | Change::Gone { .. } | Change::Purged { .. } => {
                    moved = true
                }
            }
            files.insert(entry.change.file());
        }
        self.touched.extend(files.iter().copied());
        let files = if moved { &self.touched } else { &files };
        let mut check = Check {
            truth,
            reader: truth.meta.reader()?,
            shard,
        };
        let mut excluded = (*self.excluded.0).clone();
        for &file in files {
            check.subtree(file, &self.touched, &mut excluded)?;
        }
        for &file in files {
            if let Some(shown) = check.find(file)? {
                check.file(shown, &mut excluded)?;
            }
        }
        if excluded != *self.excluded.0 {
            self.excluded = Exclusions(Arc::new(excluded));
        }
        Ok(())
    }
}

/// One comparison of documents with metadata, at one snapshot.
struct Check<'a> {
    truth: &'a Truth<'a>,
    reader: Reader<'a>,
    shard: u16,
}

impl Check<'_> {
    fn find(&self, file: FileId) -> Result<Option<Shown>> {
        look::find(self.truth.searcher, self.truth.fields, file).map_err(error::index(self.shard))
    }

    /// Excludes the document unless it shows what is there now.
    fn file(&mut self, shown: Shown, excluded: &mut Sets) -> Result<()> {
        let looked = self.reader.look(shown.file)?;
        let (mut agrees, mut moved) = (false, false);
        if let Some((node, standing)) = looked {
            agrees = shown.agrees(&node, standing);
            moved = node.parent != Some(shown.parent);
        }
        set(&mut excluded.gone, shown.file, !agrees);
        set(&mut excluded.moved, shown.file, moved);
        Ok(())
    }

    /// Looks at everything the commit has below `folder`. What no entry touched has not changed itself: a living document
    /// stands as its folder does, so that a big folder costs one look for each folder in it, not for each file.
    fn subtree(
        &mut self,
        folder: FileId,
        touched: &HashSet<FileId>,
        excluded: &mut Sets,
    ) -> Result<()> {
        let mut seen = HashSet::from([folder]);
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let below = look::below(self.truth.searcher, self.truth.fields, folder);
            let below = below.map_err(error::index(self.shard))?;
            if below.is_empty() {
                continue;
            }
            let standing = self.reader.folder(folder)?;
            for shown in below {
                if shown.is_folder && seen.insert(shown.file) {
                    folders.push(shown.file);
                }
                if shown.is_deleted || touched.contains(&shown.file) {
                    self.file(shown, excluded)?;
                } else {
                    set(
                        &mut excluded.gone,
                        shown.file,
                        standing != Standing::Live { ns: shown.ns },
                    );
                }
            }
        }
        Ok(())
    }
}

fn set(excluded: &mut HashSet<u64>, file: FileId, is_excluded: bool) {
    if is_excluded {
        excluded.insert(file.0);
    } else {
        excluded.remove(&file.0);
    }
}
