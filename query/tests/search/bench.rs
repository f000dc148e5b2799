//! A store on disk, an index that the test steps, and an engine over both.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use indexer::extract::{Category, detect};
use indexer::stepped::Stepped;
use query::{Answer, Engine, Error, Hit, Marks, Request, Status};
use storage::block::{self, BlockStore, Target};
use storage::chunk::content_hash;
use storage::extraction::{
    EXTRACTOR_VERSION, ExtractionRecord, Extractions, Job, Outcome, TextSource,
};
use storage::journal::Journal;
use storage::key::Keyring;
use storage::kv::Store;
use storage::kv::leveldb::{self, LevelDbStore};
use storage::meta::env::ManualClock;
use storage::meta::{
    Account, Address, Env, MemberPolicy, Meta, NamespaceId, NewFile, Place, Role, WriteMode,
};
use time::OffsetDateTime;

/// The time of every test: 2023-11-14 22:13:20 UTC.
pub const NOW_MS: i64 = 1_700_000_000_000;

pub struct Bench {
    pub meta: Meta,
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    blocks: BlockStore,
    extractions: Extractions,
    index: RefCell<Stepped>,
    _dir: tempfile::TempDir,
}

impl Bench {
    /// Everything empty, and every shard with its first commit.
    pub fn new() -> Bench {
        Bench::with_shards(3)
    }

    /// The same with another number of shards.
    pub fn with_shards(shards: u16) -> Bench {
        let bench = Bench::unindexed(shards);
        bench.index.borrow_mut().reopen().expect("shards");
        bench.settle();
        bench
    }

    /// Everything empty, and no shard open.
    pub fn unindexed(shards: u16) -> Bench {
        let dir = tempfile::tempdir().expect("a folder");
        let store = LevelDbStore::open(&dir.path().join("kv"), leveldb::Options::default());
        let store: Arc<dyn Store> = Arc::new(store.expect("a store"));
        let (env, clock) = Env::seeded(3, NOW_MS);
        let target = Target::new("disk", dir.path().join("blocks"));
        let blocks = BlockStore::open(
            store.clone(),
            vec![target],
            block::Options::default(),
            Keyring::in_memory().expect("keys"),
            env.clock.clone(),
        );
        let blocks = blocks.expect("blocks");
        let meta = Meta::open(store.clone(), env).expect("metadata");
        let extractions = Extractions::new(store.clone());
        let sources = indexer::Sources {
            meta: meta.clone(),
            journal: Journal::new(store.clone()),
            extractions: extractions.clone(),
            blocks: blocks.clone(),
        };
        let index = Stepped::new(sources, &dir.path().join("index"), shards);
        let shards = index.shards().to_vec();
        let sources = query::hit::Sources {
            meta: meta.clone(),
            extractions: extractions.clone(),
            blocks: blocks.clone(),
        };
        let engine = Engine::new(move || shards.clone(), sources, &*store).expect("an engine");
        Bench {
            meta,
            engine,
            clock,
            blocks,
            extractions,
            index: RefCell::new(index),
            _dir: dir,
        }
    }

    /// Opens the shards of an unindexed bench.
    pub fn open_index(&self) {
        self.index.borrow_mut().reopen().expect("shards");
    }

    pub fn account(&self, name: &str) -> Account {
        let email = format!("{name}@example.org");
        self.meta
            .create_account(&email, name, false)
            .expect("an account")
    }

    /// Uploads a text, modified now.
    pub fn put(&self, by: &Account, path: &str, text: &str) -> Place {
        self.put_at(by, path, text, NOW_MS)
    }

    /// Uploads a text that was modified at a time.
    pub fn put_at(&self, by: &Account, path: &str, text: &str, modified_ms: i64) -> Place {
        self.put_bytes(by, path, text.as_bytes(), modified_ms)
    }

    /// Uploads any bytes.
    pub fn put_bytes(&self, by: &Account, path: &str, bytes: &[u8], modified_ms: i64) -> Place {
        let hash = self.blocks.put(bytes).expect("a block");
        let file = NewFile {
            blocks: vec![hash],
            size: bytes.len() as u64,
            content_hash: content_hash(&[hash]),
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: Some(modified_ms),
        };
        self.meta
            .commit_file(by.actor(), &at(path), &file)
            .expect("a file")
    }

    pub fn delete(&self, by: &Account, path: &str) -> Place {
        self.meta
            .delete(by.actor(), &at(path), None)
            .expect("deleted")
    }

    pub fn relocate(&self, by: &Account, from: &str, to: &str) {
        self.meta
            .relocate(by.actor(), &at(from), &at(to), false)
            .expect("moved");
    }

    /// Shares a folder with others, who get it mounted in their root.
    pub fn share(&self, by: &Account, path: &str, with: &[&Account]) -> NamespaceId {
        let ns = self
            .meta
            .share_folder(by.actor(), &at(path), MemberPolicy::Owner)
            .expect("shared");
        for member in with {
            self.meta
                .add_member(by.actor(), ns, member.id, Role::Editor, true)
                .expect("a member");
        }
        ns
    }

    /// Extracts what waits and indexes everything.
    pub fn settle(&self) {
        self.extract();
        self.index.borrow_mut().settle().expect("an index");
    }

    /// Indexes what is there, without extracting.
    pub fn index(&self) {
        self.index.borrow_mut().settle().expect("an index");
    }

    fn extract(&self) {
        loop {
            let jobs = self.extractions.next_jobs(None, 100, 100).expect("jobs");
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                let record = self.record(&job);
                self.extractions.finish(&job, &record).expect("a record");
            }
        }
    }

    /// What extraction would find: a first line `title: …` is the document's title, `lang: …` its language, the rest its text.
    fn record(&self, job: &Job) -> ExtractionRecord {
        let bytes: Vec<u8> = job
            .blocks
            .iter()
            .flat_map(|hash| self.blocks.get(hash).expect("a block"))
            .collect();
        let detected = detect(&job.name, &bytes);
        if matches!(detected.category(), Category::Mail | Category::Archive) {
            let index = self.index.borrow();
            return index.extracted(&job.name, &bytes).expect("a record");
        }
        let text = String::from_utf8(bytes).expect("text");
        let language = text.strip_prefix("lang: ").map(|rest| rest[..3].to_owned());
        let titled = text
            .strip_prefix("title: ")
            .and_then(|rest| rest.split_once('\n'));
        let pages = pages(&text);
        let source = match titled {
            _ if text.is_empty() => TextSource::None,
            None => TextSource::Content,
            Some((_, body)) => TextSource::Blocks {
                blocks: vec![self.blocks.put(body.as_bytes()).expect("a block")],
                bytes: body.len() as u64,
            },
        };
        let detected = detect(&job.name, b"");
        ExtractionRecord {
            version: EXTRACTOR_VERSION,
            outcome: Outcome::Text,
            file_type: detected.as_str().to_owned(),
            category: detected.category().as_str().to_owned(),
            title: titled.map(|(title, _)| title.to_owned()),
            author: None,
            language,
            pages,
            text: source,
            words: 0,
            ..ExtractionRecord::default()
        }
    }

    pub fn ask(&self, by: &Account, request: &Request) -> query::Result<Answer> {
        let now = OffsetDateTime::from_unix_timestamp(NOW_MS / 1000).expect("a time");
        self.engine.search(by.actor(), request, now)
    }

    /// Paths of all hits in order, `FILE#MEMBER` for what is in a file; totals and facets agree with them, and so do pages of two.
    pub fn paths(&self, by: &Account, request: &Request) -> Vec<String> {
        let whole = Request {
            max_results: 1000,
            ..request.clone()
        };
        let answer = self.ask(by, &whole).expect("an answer");
        let paths: Vec<String> = answer.hits.iter().map(address).collect();
        assert_eq!(
            answer.total,
            paths.len() as u64,
            "total of {:?}: {paths:?}",
            request.query
        );
        assert!(
            answer.cursor.is_none() && !answer.partial,
            "{:?}",
            request.query
        );
        let facets = answer.facets.expect("facets");
        let sum = |counts: &[(String, u64)]| counts.iter().map(|(_, n)| n).sum::<u64>();
        assert_eq!(sum(&facets.category), answer.total, "{:?}", request.query);
        assert_eq!(sum(&facets.modified), answer.total, "{:?}", request.query);
        paths
    }

    /// The sorted paths of what a query finds, in one line.
    pub fn found(&self, by: &Account, query: &str) -> String {
        self.found_by(by, &asked(query))
    }

    pub fn found_by(&self, by: &Account, request: &Request) -> String {
        let paths: BTreeSet<String> = self.paths(by, request).into_iter().collect();
        paths.into_iter().collect::<Vec<_>>().join(" ")
    }

    /// All pages of a search; `between` runs after each.
    pub fn pages(
        &self,
        by: &Account,
        request: &Request,
        mut between: impl FnMut(usize),
    ) -> Vec<String> {
        let mut answer = self.ask(by, request).expect("a page");
        let mut paths = Vec::new();
        for page in 0.. {
            assert!(answer.hits.len() <= request.max_results);
            paths.extend(answer.hits.iter().map(address));
            between(page);
            let Some(cursor) = answer.cursor else { break };
            answer = self.engine.resume(by.actor(), &cursor).expect("a page");
        }
        paths
    }

    /// Checks a table of queries and what they find.
    pub fn table(&self, by: &Account, rows: &[(&str, &str)]) {
        let wrong: Vec<_> = rows
            .iter()
            .map(|(query, wanted)| (query, wanted, self.found(by, query)))
            .filter(|(_, wanted, found)| **wanted != found)
            .map(|(query, wanted, found)| format!("{query:?}\n  wanted {wanted}\n  found  {found}"))
            .collect();
        assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    }
}

/// Where a hit is.
pub fn address(hit: &Hit) -> String {
    let path = &hit.place.path_display;
    match &hit.member {
        Some(member) => format!("{path}#{}", member.path),
        None => path.to_string(),
    }
}

/// Where the pages of a text end, if it has form feeds.
fn pages(text: &str) -> Vec<u32> {
    let mut ends: Vec<u32> = text
        .match_indices('\u{c}')
        .map(|(at, _)| at as u32 + 1)
        .collect();
    if !ends.is_empty() {
        ends.push(text.len() as u32);
    }
    ends
}

pub fn at(path: &str) -> Address {
    Address::parse(path).expect("a path")
}

pub fn asked(query: &str) -> Request {
    Request {
        query: query.into(),
        ..Request::default()
    }
}

pub fn deleted(query: &str) -> Request {
    Request {
        status: Status::Deleted,
        ..asked(query)
    }
}

pub fn is_reset(answer: query::Result<Answer>) -> bool {
    matches!(answer, Err(Error::Reset))
}

pub fn unmarked(query: &str) -> Request {
    Request {
        marks: Marks::None,
        ..asked(query)
    }
}
