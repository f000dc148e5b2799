//! The pipeline against real metadata, without threads: tests step it.

mod damage;
mod exclusion;
mod model;
mod rebuild;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::block::{self, BlockStore, Target};
use storage::chunk::{BlockHash, content_hash};
use storage::extraction::{EXTRACTOR_VERSION, ExtractionRecord, Extractions, Outcome, TextSource};
use storage::journal::Journal;
use storage::key::Keyring;
use storage::kv::memory::MemoryStore;
use storage::meta::{
    Account, Address, Env, FileId, Meta, NamespaceId, NewFile, Node, NodeKind, Place, Standing,
    WriteMode,
};
use tantivy::Searcher;
use tantivy::collector::DocSetCollector;
use tantivy::query::{AllQuery, TermQuery};
use tantivy::schema::IndexRecordOption;

use crate::reconcile::Sources;
use crate::schema::{FLAG_DELETED, FLAG_PAST, Fields};
use crate::shard::ShardView;
use crate::stepped::Stepped;
use crate::term::Terms;

/// Everything a test needs; shards are stepped by hand.
pub(super) struct World {
    pub sources: Sources,
    index: Stepped,
    dir: tempfile::TempDir,
    contents: Vec<(BlockHash, u64)>,
}

/// What a document should show, or shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    ns: u64,
    parent: u64,
    rev: u64,
    deleted: bool,
    name: String,
    extracted: bool,
}

impl World {
    pub fn new(shards: u16) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::default());
        let (env, _) = Env::seeded(7, 1_700_000_000_000);
        let target = Target::new("disk", dir.path().join("blocks"));
        let blocks = BlockStore::open(
            store.clone(),
            vec![target],
            block::Options::default(),
            Keyring::in_memory().expect("keys"),
            env.clock.clone(),
        );
        let blocks = blocks.expect("blocks");
        let contents = (0..8)
            .map(text_of)
            .map(|text| {
                (
                    blocks.put(text.as_bytes()).expect("a block"),
                    text.len() as u64,
                )
            })
            .collect();
        let sources = Sources {
            meta: Meta::open(store.clone(), env).expect("metadata"),
            journal: Journal::new(store.clone()),
            extractions: Extractions::new(store),
            blocks,
        };
        let mut world = World {
            index: Stepped::new(sources.clone(), dir.path(), shards),
            sources,
            dir,
            contents,
        };
        world.reopen();
        world
    }

    /// Drops every writer without a commit, and opens the shards again: what a kill leaves.
    pub fn reopen(&mut self) {
        self.index.reopen().expect("an index");
    }

    /// Asks for new generations, which `settle` makes.
    pub fn rebuild(&mut self) {
        self.index.rebuild();
    }

    /// One unit of each shard, without a commit.
    pub fn step(&mut self) {
        self.index.step().expect("a unit");
    }

    pub fn commit(&mut self) {
        self.index.commit().expect("a commit");
    }

    /// Follows the logs to their ends and commits.
    pub fn settle(&mut self) {
        self.index.settle().expect("units");
    }

    /// Finishes at most `limit` waiting extractions.
    pub fn extract(&self, limit: usize) {
        for job in self
            .sources
            .extractions
            .next_jobs(None, limit, limit)
            .expect("jobs")
        {
            let record = ExtractionRecord {
                version: EXTRACTOR_VERSION,
                outcome: Outcome::Text,
                file_type: "text".into(),
                category: "text".into(),
                text: TextSource::Content,
                words: 3,
                ..ExtractionRecord::default()
            };
            self.sources
                .extractions
                .finish(&job, &record)
                .expect("a record");
        }
    }

    pub fn account(&self, email: &str) -> Account {
        self.sources
            .meta
            .create_account(email, email, false)
            .expect("an account")
    }

    pub fn put(&self, account: &Account, path: &str, content: usize) -> storage::Result<Place> {
        let (hash, size) = self.contents[content];
        let file = NewFile {
            blocks: vec![hash],
            size,
            content_hash: content_hash(&[hash]),
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        self.sources
            .meta
            .commit_file(account.actor(), &at(path), &file)
    }

    pub fn view(&self, ns: NamespaceId) -> ShardView {
        let shard = self
            .index
            .shards()
            .iter()
            .find(|shard| shard.owns(ns))
            .expect("a shard");
        shard
            .view(&[ns], Instant::now() + Duration::from_secs(60))
            .expect("a commit")
    }

    /// Ids of the live documents that the namespace's searches may see with this word in the body.
    pub fn found(&self, ns: NamespaceId, word: &str) -> BTreeSet<u64> {
        let view = self.view(ns);
        let term = Terms::of(&view.fields, ns).word(word);
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let docs = view
            .searcher
            .search(&query, &DocSetCollector)
            .expect("a search");
        let files = docs
            .into_iter()
            .map(|doc| column(&view.searcher, "file", doc));
        files
            .filter(|&file| !view.exclusions.contains(file))
            .collect()
    }

    /// What the index should hold.
    pub fn truth(&self) -> BTreeMap<u64, Row> {
        let mut reader = self.sources.meta.reader().expect("a reader");
        let mut folders: Vec<FileId> = Vec::new();
        let namespaces = reader
            .namespaces(NamespaceId(0), 10_000)
            .expect("namespaces");
        folders.extend(namespaces.into_iter().map(|(_, root)| root));
        let mut rows = BTreeMap::new();
        let mut seen = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            let mut from = None;
            loop {
                let page = reader.below(folder, from.as_deref(), 3).expect("a page");
                for (file, _) in page.nodes {
                    if seen.insert(file) {
                        let (node, standing) = reader.look(file).expect("a look").expect("a node");
                        rows.extend(self.row(&node, standing).map(|row| (file.0, row)));
                        folders.push(file);
                    }
                }
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
        }
        rows
    }

    fn row(&self, node: &Node, standing: Standing) -> Option<Row> {
        let (ns, deleted) = match standing {
            Standing::Absent => return None,
            Standing::Live { ns } => (ns, false),
            Standing::Deleted { ns, .. } => (ns, true),
        };
        if matches!(node.kind, NodeKind::Root { .. }) {
            return None;
        }
        let mut reader = self.sources.meta.reader().expect("a reader");
        let scope = reader.scope(ns).expect("a scope").expect("a namespace");
        let extension = storage::meta::path::extension(&node.name);
        let record = node.head().and_then(|head| {
            self.sources
                .extractions
                .record(scope, &head.content_hash, &extension)
                .expect("a record")
        });
        Some(Row {
            ns: ns.0,
            parent: node.parent?.0,
            rev: node.head().map_or(0, |head| head.rev.0),
            deleted,
            name: storage::meta::path::fold(&node.name),
            extracted: !deleted && record.is_some(),
        })
    }

    /// What the committed indexes hold.
    pub fn index(&self) -> BTreeMap<u64, Row> {
        let mut rows = BTreeMap::new();
        for shard in self.index.shards() {
            let ns = NamespaceId(1);
            let view = shard.view(&[ns], Instant::now()).expect("a commit");
            for (file, row) in dump(&view.searcher, &view.fields) {
                assert!(rows.insert(file, row).is_none(), "two documents of {file}");
            }
        }
        rows
    }
}

/// All live documents of a commit.
pub(super) fn dump(searcher: &Searcher, fields: &Fields) -> Vec<(u64, Row)> {
    let docs = searcher
        .search(&AllQuery, &DocSetCollector)
        .expect("a search");
    let schema = searcher.schema();
    let name = |field| schema.get_field_name(field);
    let is_old = |doc| column(searcher, "flags", doc) & FLAG_PAST != 0;
    let rows = docs.into_iter().filter(|doc| !is_old(*doc)).map(|doc| {
        let segment = searcher.segment_reader(doc.segment_ord);
        let names = segment
            .fast_fields()
            .str(name(fields.sort_name))
            .expect("names")
            .expect("a column");
        let mut shown = String::new();
        let ord = names.term_ords(doc.doc_id).next().expect("a name");
        names.ord_to_str(ord, &mut shown).expect("a name");
        let row = Row {
            ns: column(searcher, "namespace", doc),
            parent: column(searcher, "below", doc),
            rev: column(searcher, "rev", doc),
            deleted: column(searcher, "flags", doc) & FLAG_DELETED != 0,
            name: shown,
            extracted: column(searcher, "outcome", doc) != 0,
        };
        (column(searcher, "file", doc), row)
    });
    rows.collect()
}

fn column(searcher: &Searcher, name: &str, doc: tantivy::DocAddress) -> u64 {
    let segment = searcher.segment_reader(doc.segment_ord);
    let column = segment.fast_fields().u64(name).expect("a column");
    column.first(doc.doc_id).expect("a value")
}

pub(super) fn text_of(content: usize) -> String {
    format!("Common words and Unique{content} word")
}

pub(super) fn at(path: &str) -> Address {
    Address::parse(path).expect("a path")
}

#[test]
fn a_file_whose_text_came_before_its_turn_is_written_once() {
    let mut world = World::new(1);
    let account = world.account("a@example.com");
    for file in 0..20 {
        let path = format!("/{file}.txt");
        world.put(&account, &path, file % 8).expect("a file");
    }
    world.extract(20);
    world.settle();
    let view = world.view(account.root);
    let written = view.searcher.segment_readers().iter();
    let written: u32 = written.map(|segment| segment.max_doc()).sum();
    assert_eq!((view.searcher.num_docs(), written), (20, 20));
    assert_eq!(world.found(account.root, "common").len(), 20);
}

#[test]
fn a_quiet_shard_has_few_segments() {
    let mut world = World::new(1);
    let account = world.account("quiet@example.com");
    for content in 0..6 {
        world
            .put(&account, &format!("/{content}.txt"), content)
            .unwrap();
        world.settle();
    }
    let segments = |world: &World| {
        let view = world.view(account.root);
        view.searcher.segment_readers().len()
    };
    assert!(segments(&world) > 2, "each commit left one");
    let before = world.index();
    world.index.rest_long().unwrap();
    assert_eq!(segments(&world), 1);
    assert_eq!(world.index(), before);
    world.put(&account, "/later.txt", 7).unwrap();
    world.settle();
    assert_eq!(world.index().len(), before.len() + 1, "it is written on");
}

#[test]
fn the_index_is_compared_with_metadata() {
    use crate::verify::{Verified, namespace};
    let mut world = World::new(1);
    let account = world.account("a@example.com");
    for file in 0..5 {
        let path = format!("/f/{file}.txt");
        world.put(&account, &path, file).expect("a file");
    }
    world.extract(9);
    world.settle();
    let verify = |world: &World| {
        let mut verified = Verified::default();
        let reader = world.sources.meta.reader().expect("a reader");
        for at in reader.namespaces(NamespaceId(0), 9).expect("namespaces") {
            namespace(&world.index.shards()[0], &world.sources, at, &mut verified).expect("found");
        }
        verified
    };
    let right = verify(&world);
    assert!(right.is_right(), "{right:?}");
    assert_eq!((right.namespaces, right.nodes, right.waiting), (1, 6, 0));
    world.put(&account, "/f/0.txt", 6).expect("a new version");
    let waits = verify(&world);
    assert!(waits.is_right() && waits.waiting == 1, "{waits:?}");
    // What a commit says it has, and has not: the log is cut as if it had been taken up.
    world.settle();
    let shard = &world.index.shards()[0];
    let view = world.view(account.root);
    let empty = tantivy::Index::create_in_ram(view.searcher.schema().clone());
    let empty = empty.reader().expect("a reader").searcher();
    shard.publish(empty, view.fields, &shard.committed(), true);
    let wrong = verify(&world);
    assert_eq!((wrong.missing.len(), wrong.extra.len()), (6, 0));
}
