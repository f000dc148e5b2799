//! From log entries to documents: whatever an entry says, look at what is there now and make the index agree. // I3
//!
//! Looking twice, late, or in another order gives the same index, so entries may be replayed, doubled and reordered.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use storage::block::BlockStore;
use storage::extraction::{ExtractionRecord, Extractions, Member};
use storage::journal::{Change, Journal, LogEntry, route};
use storage::meta::{FileId, Meta, NamespaceId, Node, Reader, Standing, path};
use tantivy::Searcher;

use crate::analyse::Analyser;
use crate::document::{Extracted, Subject, document};
use crate::error::{self, Error, Result};
use crate::look;
use crate::member;
use crate::payload::{self, Payload};
use crate::schema::Fields;
use crate::text;
use crate::writer::Writer;

/// Log entries taken up in one unit.
const ENTRIES_PER_UNIT: usize = if cfg!(test) { 8 } else { 256 }; // small in tests: units end midway
/// Entries of one partition in a unit while others wait.
const ENTRIES_PER_PARTITION: usize = ENTRIES_PER_UNIT / 4;
/// What a unit's entries may take, so that large texts of one partition do not hold up the others for long.
const UNIT_TIME: Duration = Duration::from_millis(200);
/// Nodes of a subtree looked at in one unit.
const NODES_PER_UNIT: usize = if cfg!(test) { 2 } else { 256 };
/// Children read from metadata at a time.
const PAGE: usize = if cfg!(test) { 2 } else { 256 };
/// Files of one subtree that are known as done; beyond this some may be done twice.
const MAX_SEEN: usize = 2_000_000;
/// Documents of which it is remembered what they were made of.
const MAX_RECENT: usize = 1 << 16;
/// What a document weighs besides its text, bytes.
const DOCUMENT_BYTES: usize = 1024;

/// Where the truth is read.
#[derive(Clone)]
pub struct Sources {
    /// The tree.
    pub meta: Meta,
    /// The logs.
    pub journal: Journal,
    /// What extraction found.
    pub extractions: Extractions,
    /// Texts.
    pub blocks: BlockStore,
}

/// One index being made to agree with its logs.
pub struct Reconciler {
    shard: u16,
    shards: u16,
    fields: Fields,
    /// Per owned partition, the last sequence taken up (done but for open walks).
    taken: Vec<u64>,
    walks: VecDeque<Walk>,
    /// True until the first scan of metadata is through.
    scanning: bool,
    /// The partition to begin with, so that none waits for a busy one.
    turn: usize,
    memory: Memory,
}

/// What is kept from one document to the next.
#[derive(Default)]
struct Memory {
    analyser: Analyser,
    recent: Recent,
}

/// A subtree on its way into the index. The checkpoint waits before `seq` until it is through.
///
/// Searches find what lies below a folder by the folders that the index has (see `exclusion`), also between two commits of
/// one walk. So a folder's document comes before those below it, and goes after them.
struct Walk {
    /// The log entry that asked for it; `None` for the first scan.
    entry: Option<(usize, u64)>,
    folders: Vec<Spot>,
    files: VecDeque<FileId>,
    seen: HashSet<FileId>,
}

/// An open folder of a walk.
struct Spot {
    folder: FileId,
    /// Where its next page starts.
    from: Option<Vec<u8>>,
    entered: bool,
    /// It had a document to stay when it was entered.
    kept: bool,
    listed: bool,
}

/// What a unit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unit {
    /// Entries taken up.
    pub entries: usize,
    /// Nodes looked at.
    pub nodes: usize,
}

impl Reconciler {
    /// Continues an index from its last commit.
    pub fn resume(fields: Fields, payload: &Payload) -> Self {
        Reconciler {
            shard: payload.shard,
            shards: payload.shards,
            fields,
            taken: payload.checkpoint.clone(),
            walks: VecDeque::new(),
            scanning: false,
            turn: 0,
            memory: Memory::default(),
        }
    }

    /// Begins an empty index: the logs from their present heads on, after everything metadata has now.
    pub fn scan(sources: &Sources, fields: Fields, shard: u16, shards: u16) -> Result<Self> {
        let owned: Vec<_> = payload::owned(shard, shards).collect();
        let heads = sources.journal.partition_heads(&owned)?;
        let mut reconciler = Self::resume(fields, &Payload::new(shard, shards, heads));
        let mut walk = Walk::new(None);
        let reader = sources.meta.reader()?; // after the heads: what it does not show comes through the logs
        let mut after = NamespaceId(0);
        loop {
            let page = reader.namespaces(after, PAGE)?;
            let Some(&(last, _)) = page.last() else { break };
            after = last;
            let owned = page
                .into_iter()
                .filter(|&(ns, root)| reconciler.owns(ns, root));
            walk.folders.extend(owned.map(|(_, root)| Spot::at(root)));
        }
        reconciler.scanning = true;
        reconciler.walks.push_back(walk);
        Ok(reconciler)
    }

    /// Log entries that wait.
    pub fn lag(&self, sources: &Sources) -> Result<u64> {
        let owned: Vec<_> = payload::owned(self.shard, self.shards).collect();
        let heads = sources.journal.partition_heads(&owned)?.into_iter();
        Ok(self.waiting(&heads.enumerate().collect::<Vec<_>>()))
    }

    /// Log entries that wait, by `heads` (owned index, head).
    pub fn waiting(&self, heads: &[(usize, u64)]) -> u64 {
        heads
            .iter()
            .map(|&(index, head)| head.saturating_sub(self.taken[index]))
            .sum()
    }

    /// Entries taken up since `committed`.
    pub fn taken_since(&self, committed: &[u64]) -> u64 {
        let since = self.taken.iter().zip(committed);
        since
            .map(|(taken, committed)| taken.saturating_sub(*committed))
            .sum()
    }

    /// True when nearly all entries taken up since `committed` are of one partition, but not all: whoever made the others
    /// must not wait as long as the one that brings so much.
    pub fn is_one_sided(&self, committed: &[u64]) -> bool {
        let since = self.taken.iter().zip(committed);
        let since = since.map(|(taken, committed)| taken.saturating_sub(*committed));
        let (sum, most) = since.fold((0, 0), |(sum, most), n| (sum + n, n.max(most)));
        most < sum && most > sum / 4 * 3
    }

    /// True while the first scan of metadata is not through.
    pub fn is_scanning(&self) -> bool {
        self.scanning
    }

    /// True while a subtree is not through.
    pub fn is_walking(&self) -> bool {
        !self.walks.is_empty()
    }

    /// What a commit now may say of itself. // I4
    pub fn payload(&self) -> Payload {
        let mut payload = Payload::new(self.shard, self.shards, self.taken.clone());
        payload.complete = !self.scanning;
        for (index, seq) in self.walks.iter().filter_map(|walk| walk.entry) {
            let through = &mut payload.checkpoint[index];
            *through = (*through).min(seq - 1);
        }
        payload
    }

    /// One bounded unit: some log entries of the partitions at `heads` (owned index, head), and a piece of an open subtree.
    pub fn unit(
        &mut self,
        sources: &Sources,
        searcher: &Searcher,
        writer: &mut Writer,
        heads: &[(usize, u64)],
    ) -> Result<Unit> {
        let entries = self.gather(sources, heads)?;
        let mut touched = Vec::new();
        let mut known = HashSet::new();
        for (_, entry) in &entries {
            let file = entry.change.file();
            if known.insert(file) {
                touched.push(file);
            }
        }
        let reader = sources.meta.reader()?;
        let mut memory = std::mem::take(&mut self.memory);
        let mut scene = Scene {
            sources,
            searcher,
            writer,
            memory: &mut memory,
            reader,
            fields: self.fields,
            shard: self.shard,
            shards: self.shards,
        };
        let began = Instant::now();
        let mut made = HashMap::new();
        for file in touched {
            if !made.is_empty() && began.elapsed() > UNIT_TIME {
                break;
            }
            made.insert(file, scene.reconcile(file)?);
        }
        let mut unit = Unit {
            entries: 0,
            nodes: made.len(),
        };
        for (index, entry) in entries {
            let file = entry.change.file();
            let Some(what) = made.get(&file) else {
                self.turn = index + 1; // another partition begins next time
                break;
            };
            self.taken[index] = entry.seq;
            unit.entries += 1;
            let walked = match what {
                Made::File => false,
                Made::Folder => moves_subtree(&entry.change),
                Made::Nothing => true,
            };
            if walked {
                self.open_walk(index, entry.seq, file);
            }
        }
        unit.nodes += self.walk(&mut scene)?;
        drop(scene);
        self.memory = memory;
        Ok(unit)
    }

    /// Waiting entries, of each partition in turn.
    fn gather(
        &mut self,
        sources: &Sources,
        heads: &[(usize, u64)],
    ) -> Result<Vec<(usize, LogEntry)>> {
        let mut waiting: Vec<usize> = heads
            .iter()
            .filter(|&&(index, head)| self.taken[index] < head)
            .map(|&(index, _)| index)
            .collect();
        let next = waiting.partition_point(|&index| index < self.turn);
        waiting.rotate_left(next);
        let share = if waiting.len() > 1 {
            ENTRIES_PER_PARTITION
        } else {
            ENTRIES_PER_UNIT
        };
        let mut gathered = Vec::new();
        for index in waiting {
            let limit = share.min(ENTRIES_PER_UNIT - gathered.len());
            if limit == 0 {
                self.turn = index;
                break;
            }
            let Some(partition) = payload::owned(self.shard, self.shards).nth(index) else {
                continue;
            };
            let after = self.taken[index];
            let entries = sources.journal.partition_entries(partition, after, limit)?;
            if entries.first().is_none_or(|first| first.seq != after + 1) {
                return Err(self.rebuild(format!(
                    "log of partition {} was cut past {after}",
                    partition.0
                )));
            }
            gathered.extend(entries.into_iter().map(|entry| (index, entry)));
        }
        Ok(gathered)
    }

    fn rebuild(&self, reason: String) -> Error {
        Error::Rebuild {
            shard: self.shard,
            reason,
        }
    }

    /// One walk for all entries about the same folder that no unit has worked on yet.
    fn open_walk(&mut self, index: usize, seq: u64, folder: FileId) {
        let same =
            |walk: &Walk| walk.entry.is_some_and(|(at, _)| at == index) && walk.is_fresh(folder);
        if !self.walks.iter().any(same) {
            let mut walk = Walk::new(Some((index, seq)));
            walk.folders.push(Spot::at(folder));
            self.walks.push_back(walk);
        }
    }

    /// A piece of the oldest open subtree; returns the nodes looked at.
    fn walk(&mut self, scene: &mut Scene<'_>) -> Result<usize> {
        let mut nodes = 0;
        while nodes < NODES_PER_UNIT {
            let Some(walk) = self.walks.front_mut() else {
                break;
            };
            if !walk.step(scene, &mut nodes)? {
                let through = self.walks.pop_front();
                self.scanning &= through.is_some_and(|walk| walk.entry.is_some());
            }
        }
        Ok(nodes)
    }

    fn owns(&self, ns: NamespaceId, file: FileId) -> bool {
        payload::place(route(ns, file), self.shards).0 == self.shard
    }
}

/// True for changes that concern everything below the node.
fn moves_subtree(change: &Change) -> bool {
    matches!(
        change,
        Change::Appeared { .. } | Change::Gone { .. } | Change::Purged { .. }
    )
}

impl Spot {
    fn at(folder: FileId) -> Self {
        Spot {
            folder,
            from: None,
            entered: false,
            kept: false,
            listed: false,
        }
    }
}

impl Walk {
    fn new(entry: Option<(usize, u64)>) -> Self {
        Walk {
            entry,
            folders: Vec::new(),
            files: VecDeque::new(),
            seen: HashSet::new(),
        }
    }

    /// True when the walk is about `folder` and has not begun.
    fn is_fresh(&self, folder: FileId) -> bool {
        matches!(&self.folders[..], [spot] if spot.folder == folder && !spot.entered)
    }

    /// Does one node, or reads one page of a folder; false when nothing is left.
    fn step(&mut self, scene: &mut Scene<'_>, nodes: &mut usize) -> Result<bool> {
        if let Some(file) = self.files.pop_front() {
            self.settle(scene, file, nodes)?;
            return Ok(true);
        }
        let Some(spot) = self.folders.last_mut() else {
            return Ok(false);
        };
        let folder = spot.folder;
        if !spot.entered {
            spot.entered = true;
            spot.kept = scene.keeps(folder)?;
            if spot.kept {
                self.settle(scene, folder, nodes)?;
            }
        } else if spot.listed {
            // What was kept and has to go by now has a log entry still to come, which reaches those below through it.
            let kept = spot.kept;
            self.folders.pop();
            if !kept {
                self.settle(scene, folder, nodes)?;
            }
        } else {
            let page = scene.reader.below(folder, spot.from.as_deref(), PAGE)?;
            spot.listed = page.next.is_none();
            spot.from = page.next;
            if spot.listed {
                self.index_below(scene, folder)?;
            }
            for (file, may_hold) in page.nodes {
                self.see(file, may_hold);
            }
        }
        Ok(true)
    }

    fn settle(&self, scene: &mut Scene<'_>, file: FileId, nodes: &mut usize) -> Result<()> {
        *nodes += 1;
        if self.entry.is_none() && scene.writer.has_touched(file) {
            return Ok(()); // the first scan enters and leaves; what changes meanwhile comes through the logs
        }
        if !scene.agrees(file)? {
            scene.reconcile(file)?;
        }
        Ok(())
    }

    /// What the index has below the folder, committed or not, though metadata may not have it there any more.
    fn index_below(&mut self, scene: &Scene<'_>, folder: FileId) -> Result<()> {
        if self.entry.is_none() {
            return Ok(()); // the first scan begins with an empty index
        }
        let committed = look::below(scene.searcher, &scene.fields, folder);
        for shown in committed.map_err(error::index(scene.shard))? {
            self.see(shown.file, shown.is_folder);
        }
        for &file in scene.writer.added_below(folder) {
            self.see(file, true);
        }
        Ok(())
    }

    fn see(&mut self, file: FileId, may_hold: bool) {
        if self.seen.len() >= MAX_SEEN {
            self.seen.clear();
        }
        if self.seen.insert(file) {
            if may_hold {
                self.folders.push(Spot::at(file));
            } else {
                self.files.push_back(file);
            }
        }
    }
}

/// What the last documents were made of. A file that waits for its turn while its text is extracted has two entries and one
/// document; so has what is logged twice.
#[derive(Default)]
struct Recent {
    marks: HashMap<FileId, u64>,
    order: VecDeque<FileId>,
}

impl Recent {
    /// False when the last document of `file` is known to be made of the very same.
    fn add(&mut self, file: FileId, made_of: &impl serde::Serialize) -> bool {
        let Ok(bytes) = postcard::to_stdvec(made_of) else {
            self.forget(file);
            return true; // nothing to compare: it is made again
        };
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        match self.marks.insert(file, hasher.finish()) {
            Some(mark) => return mark != hasher.finish(),
            None => self.order.push_back(file),
        }
        if self.order.len() > MAX_RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.marks.remove(&oldest);
        }
        true
    }

    fn forget(&mut self, file: FileId) {
        self.marks.remove(&file);
    }
}

/// What became of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    /// The document of a file.
    File,
    /// The document of a folder or mount (or none, for a namespace's root).
    Folder,
    /// Its document, if there was one, is gone: it is nowhere, or in another shard.
    Nothing,
}

/// What one unit works with: metadata at one snapshot, the last commit, the writer.
struct Scene<'a> {
    sources: &'a Sources,
    searcher: &'a Searcher,
    writer: &'a mut Writer,
    memory: &'a mut Memory,
    reader: Reader<'a>,
    fields: Fields,
    shard: u16,
    shards: u16,
}

impl Scene<'_> {
    /// Makes the index agree about one node.
    fn reconcile(&mut self, file: FileId) -> Result<Made> {
        let looked = self.reader.look(file)?;
        let Some((node, ns, deleted_ms)) =
            looked.and_then(|(node, standing)| self.owned(node, standing))
        else {
            self.memory.recent.forget(file);
            self.writer.remove(file);
            return Ok(Made::Nothing);
        };
        let record = if deleted_ms.is_none() {
            self.record(ns, &node)?
        } else {
            None
        };
        let made = if node.is_file() {
            Made::File
        } else {
            Made::Folder
        };
        if !self
            .memory
            .recent
            .add(file, &(ns, &node, deleted_ms, &record))
        {
            return Ok(made);
        }
        let extraction = match (record, node.head()) {
            (Some(record), Some(head)) => {
                let text = self.text(&record, head, file)?;
                let members = self.members(&record, file)?;
                Some(Extracted {
                    record,
                    text,
                    members,
                })
            }
            _ => None,
        };
        let text_bytes = extraction.as_ref().map_or(0, |found| 2 * found.text.len());
        let subject = Subject {
            ns,
            node,
            deleted_ms,
            extraction,
        };
        let analyser = &mut self.memory.analyser;
        let document = document(&self.fields, &subject, analyser);
        match (document, subject.node.parent) {
            (Some(document), Some(parent)) => {
                let mut documents = vec![document];
                documents.extend(member::documents(&self.fields, &subject, analyser));
                let bytes = documents.len() * DOCUMENT_BYTES + text_bytes;
                self.writer.put(file, parent, documents, bytes)?
            }
            _ => self.writer.remove(file),
        }
        Ok(made)
    }

    /// The node with its namespace and time of deletion, when it belongs into this shard.
    fn owned(&self, node: Node, standing: Standing) -> Option<(Node, NamespaceId, Option<i64>)> {
        let (ns, deleted_ms) = match standing {
            Standing::Absent => return None,
            Standing::Live { ns } => (ns, None),
            Standing::Deleted { ns, at_ms } => (ns, Some(at_ms)),
        };
        let owner = payload::place(route(ns, node.id), self.shards).0;
        (owner == self.shard).then_some((node, ns, deleted_ms))
    }

    /// True when the node has a document in this shard, or should have.
    fn keeps(&mut self, file: FileId) -> Result<bool> {
        let looked = self.reader.look(file)?;
        Ok(looked.is_some_and(|(node, standing)| self.owned(node, standing).is_some()))
    }

    /// True when the last commit already shows where the node stands, and nothing was written about it since: below a renamed
    /// folder nothing is written again. (What changed about a node itself has an entry of its own.)
    fn agrees(&mut self, file: FileId) -> Result<bool> {
        if self.writer.has_touched(file) {
            return Ok(false);
        }
        let shown =
            look::find(self.searcher, &self.fields, file).map_err(error::index(self.shard))?;
        let looked = self.reader.look(file)?;
        Ok(match (shown, looked) {
            (Some(shown), Some((node, standing))) => shown.agrees(&node, standing),
            _ => false,
        })
    }

    /// What extraction found in the file's head; asks for an extraction where there was none.
    fn record(&mut self, ns: NamespaceId, node: &Node) -> Result<Option<ExtractionRecord>> {
        let Some(head) = node.head() else {
            return Ok(None);
        };
        let Some(scope) = self.reader.scope(ns)? else {
            return Ok(None);
        };
        let extension = path::extension(&node.name);
        let extractions = &self.sources.extractions;
        let record = extractions.record(scope, &head.content_hash, &extension)?;
        if record.as_ref().is_none_or(|record| !record.is_current()) {
            extractions.ensure(node.id)?; // an older one is searched until then
        }
        Ok(record)
    }

    /// What is in the file that is found by itself; when their facts are lost it is found as part of the file.
    fn members(&self, record: &ExtractionRecord, file: FileId) -> Result<Vec<Member>> {
        let Some(members) = &record.members else {
            return Ok(Vec::new());
        };
        match members.all(&self.sources.blocks) {
            Err(error @ (storage::Error::BlockMissing(_) | storage::Error::Corrupt { .. })) => {
                tracing::warn!(%file, %error, "indexed as one, without its members");
                Ok(Vec::new())
            }
            members => Ok(members?),
        }
    }

    /// The text; when blocks are lost or damaged the file is found by its name, and the block layer reports the loss.
    fn text(
        &self,
        record: &ExtractionRecord,
        head: &storage::meta::Version,
        file: FileId,
    ) -> Result<String> {
        match text::load(record, &head.blocks, &self.sources.blocks) {
            Err(error @ (storage::Error::BlockMissing(_) | storage::Error::Corrupt { .. })) => {
                tracing::warn!(%file, %error, "indexed without its text");
                Ok(String::new())
            }
            loaded => Ok(loaded?),
        }
    }
}
