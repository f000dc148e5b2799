//! Gone means gone at once: which documents of a commit must not be seen any more. // I5 I6
//!
//! A commit is as old as its checkpoint. Before a search, the log entries after it are looked at: each file they touch, and
//! everything that the commit has below a folder they touch, is compared with present metadata. What does not live in the
//! document's namespace now, was deleted or restored since, or has another content (old words must not find it) is
//! excluded by its file id. What was only renamed, or extracted, stays. The set belongs to one commit and only moves on; the
//! next commit's begins with what is still behind its checkpoint, so that a long log is not read again after each commit.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use storage::journal::{Change, Journal, LogEntry, Partition};
use storage::meta::{FileId, Meta, NamespaceId, Reader, Standing};
use tantivy::Searcher;
use tantivy::index::SegmentId;

use crate::error::{self, Result};
use crate::look::{self, Shown};
use crate::payload;
use crate::schema::Fields;

/// Log entries looked at between two looks at the clock.
const CHUNK: usize = 256;
/// Files that one commit's exclusions hand on to the next one's; with more, the log is read again.
const MAX_HANDED_ON: usize = 400_000;

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

    /// The excluded ids.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.gone.iter().copied()
    }

    /// True when the document with this `file` field must be passed over.
    pub fn contains(&self, file: u64) -> bool {
        self.0.gone.contains(&file)
    }

    fn replace(&mut self, sets: Sets) {
        if sets != *self.0 {
            self.0 = Arc::new(sets);
        }
    }

    /// Those of them that are about `files`.
    fn of(&self, files: &HashMap<FileId, Touch>) -> Self {
        let of = |set: &HashSet<u64>| {
            let kept = set
                .iter()
                .filter(|&&file| files.contains_key(&FileId(file)));
            kept.copied().collect()
        };
        Exclusions(Arc::new(Sets {
            gone: of(&self.0.gone),
            moved: of(&self.0.moved),
        }))
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
    /// The commit's checkpoint.
    checkpoint: Vec<u64>,
    /// Per owned partition, the last sequence looked at.
    looked: Vec<u64>,
    /// Files that entries after the checkpoint named.
    touched: HashMap<FileId, Touch>,
    /// Owned partitions in which something moved or went with all below it.
    moved: HashSet<usize>,
    /// Segments whose documents were compared with `touched`; `None`: nothing was handed on, and all of them were.
    compared: Option<HashSet<SegmentId>>,
    excluded: Exclusions,
}

/// The last entry about a file.
#[derive(Debug, Clone, Copy)]
struct Touch {
    index: usize,
    seq: u64,
    ns: NamespaceId,
    /// It is about to come into the index, or to come again.
    comes: bool,
    /// Some entry was about more than its extraction.
    changed: bool,
}

impl ExclusionLog {
    /// Nothing is excluded from a commit at its own checkpoint.
    pub fn new(shard: u16, shards: u16, checkpoint: &[u64]) -> Self {
        let state = State {
            checkpoint: checkpoint.to_vec(),
            looked: checkpoint.to_vec(),
            touched: HashMap::new(),
            moved: HashSet::new(),
            compared: None,
            excluded: Exclusions::default(),
        };
        ExclusionLog {
            shard,
            shards,
            state: Mutex::new(state),
        }
    }

    /// The exclusions of the next commit, at `checkpoint`: what was found behind it in the commit of `searcher` is kept. A
    /// partition in which more than single files changed begins anew.
    pub fn next(&self, searcher: &Searcher, checkpoint: &[u64]) -> Self {
        let next = Self::new(self.shard, self.shards, checkpoint);
        let state = self.lock();
        let went_back = state
            .checkpoint
            .iter()
            .zip(checkpoint)
            .any(|(old, new)| new < old);
        if went_back || state.touched.len() > MAX_HANDED_ON {
            return next;
        }
        let is_kept = |touch: &Touch| {
            touch.seq > checkpoint[touch.index] && !state.moved.contains(&touch.index)
        };
        let kept = state.touched.iter().filter(|(_, touch)| is_kept(touch));
        let touched: HashMap<_, _> = kept.map(|(&file, &touch)| (file, touch)).collect();
        let excluded = state.excluded.of(&touched);
        let looked = state.looked.iter().zip(checkpoint).enumerate();
        let looked = looked.map(|(index, (&looked, &checkpoint))| {
            if state.moved.contains(&index) {
                checkpoint
            } else {
                looked.max(checkpoint)
            }
        });
        let compared = state.compared.clone().unwrap_or_else(|| segments(searcher));
        {
            let mut next = next.lock();
            next.looked = looked.collect();
            next.compared = (!touched.is_empty()).then_some(compared);
            next.touched = touched;
            next.excluded = excluded;
        }
        next
    }

    /// Files of `ns` behind the checkpoint that are about to come into the index, as far as its log was looked at.
    pub fn coming(&self, ns: NamespaceId) -> u64 {
        let state = self.lock();
        let touches = state.touched.values();
        touches
            .filter(|touch| touch.comes && touch.ns == ns)
            .count() as u64
    }

    /// True when an entry behind the checkpoint, as far as the logs were looked at, names the file.
    pub fn names(&self, file: FileId) -> bool {
        self.lock().touched.contains_key(&file)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is excluded as far as the logs were looked at.
    pub fn known(&self) -> Exclusions {
        self.lock().excluded.clone()
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
        self.lock().compare(truth, self.shard)?;
        let owns = |partition: &Partition| payload::place(*partition, self.shards).0 == self.shard;
        let partitions: Vec<_> = partitions.iter().copied().filter(owns).collect();
        let heads = truth.journal.partition_heads(&partitions)?;
        for (partition, head) in partitions.into_iter().zip(heads) {
            let (_, index) = payload::place(partition, self.shards);
            loop {
                let mut state = self.lock();
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
                state.look(truth, &entries, index, self.shard)?;
                state.looked[index] = last;
            }
        }
        let state = self.lock();
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
    /// Compares the documents of segments that are new since the state was handed on with the files that it has.
    fn compare(&mut self, truth: &Truth<'_>, shard: u16) -> Result<()> {
        let Some(compared) = &self.compared else {
            return Ok(());
        };
        let mut excluded = (*self.excluded.0).clone();
        let mut check = Check::new(truth, shard)?;
        for segment in truth.searcher.segment_readers() {
            if compared.contains(&segment.segment_id()) {
                continue;
            }
            let is_touched = |file| is_changed(&self.touched, file);
            let shown = look::of_segment(segment, truth.fields, is_touched);
            for shown in shown.map_err(error::index(shard))? {
                check.file(shown, &mut excluded)?;
            }
        }
        self.excluded.replace(excluded);
        self.compared = None;
        Ok(())
    }

    /// Takes entries of one partition in. What moves or goes with all below it may undo what was found about anything touched
    /// before: then all of that is looked at again.
    fn look(
        &mut self,
        truth: &Truth<'_>,
        entries: &[LogEntry],
        index: usize,
        shard: u16,
    ) -> Result<()> {
        let mut files = Vec::new();
        let mut moved = false;
        for entry in entries {
            let changed = !matches!(entry.change, Change::Extracted { .. });
            let goes = matches!(entry.change, Change::Gone { .. } | Change::Purged { .. });
            moved |= goes || matches!(entry.change, Change::Appeared { .. });
            let touch = Touch {
                index,
                seq: entry.seq,
                ns: entry.ns,
                comes: !goes,
                changed,
            };
            let file = entry.change.file();
            let last = self.touched.entry(file).or_insert(touch);
            if last.index != index {
                self.moved.extend([last.index, index]); // one of them would be forgotten when this is handed on
            }
            *last = Touch {
                changed: changed || last.changed,
                ..touch
            };
            if changed {
                files.push(file);
            }
        }
        let mut check = Check::new(truth, shard)?;
        let mut excluded = (*self.excluded.0).clone();
        if moved {
            self.moved.insert(index);
            let changed = self.touched.iter().filter(|(_, touch)| touch.changed);
            files = changed.map(|(&file, _)| file).collect();
            for &file in &files {
                check.subtree(file, &self.touched, &mut excluded)?;
            }
        }
        for file in files {
            if let Some(shown) = check.find(file)? {
                check.file(shown, &mut excluded)?;
            }
        }
        self.excluded.replace(excluded);
        Ok(())
    }
}

fn segments(searcher: &Searcher) -> HashSet<SegmentId> {
    let segments = searcher.segment_readers().iter();
    segments.map(|segment| segment.segment_id()).collect()
}

/// One comparison of documents with metadata, at one snapshot.
struct Check<'a> {
    truth: &'a Truth<'a>,
    reader: Reader<'a>,
    shard: u16,
}

impl<'a> Check<'a> {
    fn new(truth: &'a Truth<'a>, shard: u16) -> Result<Self> {
        Ok(Check {
            truth,
            reader: truth.meta.reader()?,
            shard,
        })
    }

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
        touched: &HashMap<FileId, Touch>,
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
                if shown.is_deleted || is_changed(touched, shown.file) {
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

fn is_changed(touched: &HashMap<FileId, Touch>, file: FileId) -> bool {
    touched.get(&file).is_some_and(|touch| touch.changed)
}

fn set(excluded: &mut HashSet<u64>, file: FileId, is_excluded: bool) {
    if is_excluded {
        excluded.insert(file.0);
    } else {
        excluded.remove(&file.0);
    }
}
