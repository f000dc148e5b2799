//! From log entries to documents: whatever an entry says, look at what is there now and make the index agree. // I3
//!
//! Looking twice, late, or in another order gives the same index, so entries may be replayed, doubled and reordered.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::time::{Duration, Instant};

use storage::block::BlockStore;
use storage::extraction::{ExtractionRecord, Extractions, Member};
use storage::journal::{Change, Journal, LogEntry, route};
use storage::meta::{FileId, Meta, NamespaceId, Node, Reader, Standing, Version, path};
use tantivy::Searcher;

use crate::analyse::Analyser;
use crate::document::{Extracted, Subject, document};
use crate::error::{self, Error, Result};
use crate::look;
use crate::member;
use crate::past::{self, PastVersion};
use crate::payload::{self, Payload};
use crate::schema::Fields;
use crate::text;
use crate::walk::Walk;
use crate::writer::Writer;

/// Log entries taken up in one unit.
const ENTRIES_PER_UNIT: usize = if cfg!(test) { 8 } else { 256 }; // small in tests: units end midway
/// Entries of one partition in a unit while others wait.
const ENTRIES_PER_PARTITION: usize = ENTRIES_PER_UNIT / 4;
/// What a unit's entries may take, so that large texts of one partition do not hold up the others for long.
const UNIT_TIME: Duration = Duration::from_millis(200);
/// Nodes of a subtree looked at in one unit.
const NODES_PER_UNIT: usize = if cfg!(test) { 2 } else { 256 };
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
    /// The first scan of metadata until it is through; it waits for the other walks.
    scan: Option<Walk>,
    is_paused: bool,
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

/// What a unit did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unit {
    /// Entries taken up.
    pub entries: usize,
    /// Nodes looked at.
    pub nodes: usize,
}

impl Reconciler {
    /// Continues an index from its last commit, and its scan where that stopped.
    pub fn resume(fields: Fields, payload: &Payload) -> Self {
        let scan = payload.scan.clone().map(Walk::scan);
        Reconciler {
            shard: payload.shard,
            shards: payload.shards,
            fields,
            taken: payload.checkpoint.clone(),
            walks: VecDeque::new(),
            scan,
            is_paused: false,
            turn: 0,
            memory: Memory::default(),
        }
    }

    /// Begins an empty index: the logs from their present heads on, after everything metadata has now.
    pub fn scan(sources: &Sources, fields: Fields, shard: u16, shards: u16) -> Result<Self> {
        let owned: Vec<_> = payload::owned(shard, shards).collect();
        // Before the scan reads anything: what it does not show comes through the logs.
        let heads = sources.journal.partition_heads(&owned)?;
        Ok(Self::resume(fields, &Payload::new(shard, shards, heads)))
    }

    /// Has the scan of metadata rest, or go on. The logs are followed in any case.
    pub fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
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
        self.scan.is_some()
    }

    /// True while a subtree is not through.
    pub fn is_walking(&self) -> bool {
        !self.walks.is_empty() || self.scan.is_some()
    }

    /// What a commit now may say of itself. // I4
    pub fn payload(&self) -> Payload {
        let mut payload = Payload::new(self.shard, self.shards, self.taken.clone());
        payload.scan = self.scan.as_ref().map(|walk| walk.place().clone());
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
            self.walks.push_back(Walk::below(folder, (index, seq)));
        }
    }

    /// A piece of the oldest open subtree, or of the scan; returns the nodes looked at.
    fn walk(&mut self, scene: &mut Scene<'_>) -> Result<usize> {
        let mut nodes = 0;
        while nodes < NODES_PER_UNIT {
            if let Some(walk) = self.walks.front_mut() {
                if !walk.step(scene, &mut nodes)? {
                    self.walks.pop_front();
                }
                continue;
            }
            let Some(scan) = self.scan.as_mut().filter(|_| !self.is_paused) else {
                break;
            };
            if !scan.step(scene, &mut nodes)? {
                self.scan = None;
            }
        }
        Ok(nodes)
    }
}

/// True for changes that concern everything below the node.
fn moves_subtree(change: &Change) -> bool {
    matches!(
        change,
        Change::Appeared { .. } | Change::Gone { .. } | Change::Purged { .. }
    )
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
pub enum Made {
    /// The document of a file.
    File,
    /// The document of a folder or mount (or none, for a namespace's root).
    Folder,
    /// Its document, if there was one, is gone: it is nowhere, or in another shard.
    Nothing,
}

/// What one unit works with: metadata at one snapshot, the last commit, the writer.
pub struct Scene<'a> {
    sources: &'a Sources,
    /// The last commit.
    pub searcher: &'a Searcher,
    /// What is being written.
    pub writer: &'a mut Writer,
    memory: &'a mut Memory,
    /// Metadata.
    pub reader: Reader<'a>,
    /// The index's fields.
    pub fields: Fields,
    /// The shard.
    pub shard: u16,
    shards: u16,
}

impl Scene<'_> {
    /// Makes the index agree about one node.
    pub fn reconcile(&mut self, file: FileId) -> Result<Made> {
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
        let past = match deleted_ms {
            None => self.past(ns, &node)?,
            Some(_) => Vec::new(),
        };
        let made = if node.is_file() {
            Made::File
        } else {
            Made::Folder
        };
        if !self
            .memory
            .recent
            .add(file, &(ns, &node, deleted_ms, &record, &past))
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
        let past = self.with_texts(past, file)?;
        let analyser = &mut self.memory.analyser;
        let document = document(&self.fields, &subject, analyser);
        match (document, subject.node.parent) {
            (Some(document), Some(parent)) => {
                let mut documents = vec![document];
                documents.extend(member::documents(&self.fields, &subject, analyser));
                let behind = documents.len() - 1;
                let at = (ns, &subject.node);
                documents.extend(past::documents(&self.fields, at, behind, &past, analyser));
                let past_bytes: usize = past.iter().map(|past| 2 * past.text.len()).sum();
                let bytes = documents.len() * DOCUMENT_BYTES + text_bytes + past_bytes;
                self.writer.put(file, parent, documents, bytes)?
            }
            _ => self.writer.remove(file),
        }
        Ok(made)
    }

    /// True when files of the namespace are in this shard.
    pub fn owns(&self, ns: NamespaceId, file: FileId) -> bool {
        payload::place(route(ns, file), self.shards).0 == self.shard
    }

    /// The node with its namespace and time of deletion, when it belongs into this shard.
    fn owned(&self, node: Node, standing: Standing) -> Option<(Node, NamespaceId, Option<i64>)> {
        let (ns, deleted_ms) = match standing {
            Standing::Absent => return None,
            Standing::Live { ns } => (ns, None),
            Standing::Deleted { ns, at_ms } => (ns, Some(at_ms)),
        };
        self.owns(ns, node.id).then_some((node, ns, deleted_ms))
    }

    /// True when the node has a document in this shard, or should have.
    pub fn keeps(&mut self, file: FileId) -> Result<bool> {
        let looked = self.reader.look(file)?;
        Ok(looked.is_some_and(|(node, standing)| self.owned(node, standing).is_some()))
    }

    /// True when the last commit already shows where the node stands, and nothing was written about it since: below a renamed
    /// folder nothing is written again. (What changed about a node itself has an entry of its own.)
    pub fn agrees(&mut self, file: FileId) -> Result<bool> {
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

    /// The old versions of a live file that are indexed, without their texts.
    fn past(&mut self, ns: NamespaceId, node: &Node) -> Result<Vec<PastVersion>> {
        let is_changed = |head: &&Version| head.server_modified_ms > node.created_ms;
        let (Some(_), Some(scope)) = (node.head().filter(is_changed), self.reader.scope(ns)?)
        else {
            return Ok(Vec::new());
        };
        let versions = self.reader.past_versions(node.id, past::MAX_LOOKED_AT)?;
        let extension = path::extension(&node.name);
        let extractions = &self.sources.extractions;
        let found = |(version, until_ms): (Version, i64)| {
            let record = extractions.record(scope, &version.content_hash, &extension)?;
            Ok(PastVersion {
                version,
                until_ms,
                record,
                text: String::new(),
            })
        };
        past::chosen(versions).into_iter().map(found).collect()
    }

    /// The same with their texts, as far as they may be.
    fn with_texts(&self, mut past: Vec<PastVersion>, file: FileId) -> Result<Vec<PastVersion>> {
        let mut bytes = 0;
        for old in &mut past {
            if let Some(record) = &old.record {
                let text = self.text(record, &old.version, file)?;
                if bytes + text.len() <= past::MAX_TEXT_BYTES {
                    bytes += text.len();
                    old.text = text;
                }
            }
        }
        Ok(past)
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
    fn text(&self, record: &ExtractionRecord, head: &Version, file: FileId) -> Result<String> {
        match text::load(record, &head.blocks, &self.sources.blocks) {
            Err(error @ (storage::Error::BlockMissing(_) | storage::Error::Corrupt { .. })) => {
                tracing::warn!(%file, %error, "indexed without its text");
                Ok(String::new())
            }
            loaded => Ok(loaded?),
        }
    }
}
