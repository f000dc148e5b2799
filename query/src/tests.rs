//! Searches over a real index and real metadata.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::Indexer;
use storage::block::{self, BlockStore, Target};
use storage::chunk::content_hash;
use storage::extraction::{EXTRACTOR_VERSION, ExtractionRecord, Extractions, Outcome, TextSource};
use storage::journal::Journal;
use storage::key::Keyring;
use storage::kv::memory::MemoryStore;
use storage::meta::{Account, Address, Env, Meta, NewFile, WriteMode};
use time::OffsetDateTime;

use crate::hit::Sources;
use crate::{Answer, Engine, Request};

/// How long the index may take to follow.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    engine: Engine,
    meta: Meta,
    blocks: BlockStore,
    extractions: Extractions,
    _indexer: Indexer,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(MemoryStore::default());
        let (env, _) = Env::seeded(7, 1_700_000_000_000);
        let targets = vec![Target::new("disk", dir.path().join("blocks"))];
        let keys = Keyring::in_memory().expect("keys");
        let options = block::Options::default();
        let blocks = BlockStore::open(store.clone(), targets, options, keys, env.clock.clone());
        let blocks = blocks.expect("blocks");
        let meta = Meta::open(store.clone(), env).expect("metadata");
        let extractions = Extractions::new(store.clone());
        let options = indexer::Options {
            shards: 1,
            memory_bytes: 15_000_000,
            ..indexer::Options::default()
        };
        let indexer = Indexer::start(
            meta.clone(),
            Journal::new(store.clone()),
            extractions.clone(),
            blocks.clone(),
            &dir.path().join("index"),
            options,
        );
        let indexer = indexer.expect("an index");
        let sources = Sources {
            meta: meta.clone(),
            extractions: extractions.clone(),
            blocks: blocks.clone(),
        };
        let shards = indexer.shards().to_vec();
        let engine = Engine::new(move || shards.clone(), sources, &*store).expect("an engine");
        World {
            engine,
            meta,
            blocks,
            extractions,
            _indexer: indexer,
            _dir: dir,
        }
    }

    fn account(&self, email: &str) -> Account {
        let made = self.meta.create_account(email, email, false);
        made.expect("an account")
    }

    /// Stores a text file, extracted.
    fn put(&self, account: &Account, path: &str, text: &str) {
        let hash = self.blocks.put(text.as_bytes()).expect("a block");
        let file = NewFile {
            blocks: vec![hash],
            size: text.len() as u64,
            content_hash: content_hash(&[hash]),
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        let made = self.meta.commit_file(account.actor(), &at(path), &file);
        made.expect("a file");
        for job in self.extractions.next_jobs(None, 100, 100).expect("jobs") {
            let done = self.extractions.finish(&job, &text_record());
            done.expect("a record");
        }
    }

    /// Waits until everything the account can read is in the index.
    fn settle(&self, account: &Account) {
        let until = Instant::now() + PATIENCE;
        while self
            .engine
            .coverage(account.actor())
            .expect("coverage")
            .waiting
            > 0
        {
            assert!(Instant::now() < until, "the index does not follow");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn search(&self, account: &Account, query: &str) -> Answer {
        let request = Request {
            query: query.into(),
            ..Request::default()
        };
        let now = OffsetDateTime::from_unix_timestamp(1_700_000_000).expect("a time");
        let answer = self.engine.search(account.actor(), &request, now);
        answer.expect("an answer")
    }
}

fn text_record() -> ExtractionRecord {
    ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: Outcome::Text,
        file_type: "text".into(),
        category: "text".into(),
        title: None,
        author: None,
        language: None,
        pages: Vec::new(),
        text: TextSource::Content,
        words: 3,
    }
}

fn at(path: &str) -> Address {
    Address::parse(path).expect("a path")
}

fn names(answer: &Answer) -> Vec<&str> {
    let names = answer.hits.iter().map(|hit| hit.place.node.name.as_str());
    names.collect()
}

#[test]
fn i6_what_is_deleted_or_another_s_is_in_no_count_of_a_range() {
    let world = World::new();
    let (own, other) = (
        world.account("a@example.com"),
        world.account("b@example.com"),
    );
    world.put(&own, "/kept.txt", "some words");
    world.put(&own, "/gone.txt", "other words");
    world.put(&other, "/secret.txt", "secret words");
    let gone = world.meta.delete(own.actor(), &at("/gone.txt"), None);
    gone.expect("deleted");
    world.settle(&own);
    world.settle(&other);
    for query in [
        "size:>1b",
        "modified:2023",
        "-secret size:>1b",
        "size:>1b OR secret",
    ] {
        let answer = world.search(&own, query);
        assert_eq!(
            (names(&answer), answer.total),
            (vec!["kept.txt"], 1),
            "{query}"
        );
        let facets = answer.facets.expect("facets");
        assert_eq!(facets.category, [("text".to_owned(), 1)], "{query}");
        assert_eq!(facets.extension, [("txt".to_owned(), 1)], "{query}");
    }
    let deleted = world.search(&own, "is:deleted size:>1b");
    assert_eq!((names(&deleted), deleted.total), (vec!["gone.txt"], 1));
}

#[test]
fn a_question_of_stop_words_alone_is_found() {
    let world = World::new();
    let own = world.account("a@example.com");
    world.put(&own, "/hamlet.txt", "To be or not to be");
    world.put(&own, "/macbeth.txt", "Out out brief candle");
    world.settle(&own);
    let answer = world.search(&own, "to be not to be ");
    assert_eq!((names(&answer), answer.total), (vec!["hamlet.txt"], 1));
}
