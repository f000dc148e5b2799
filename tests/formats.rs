//! What earlier releases stored stays readable: `fixtures/store-X` is the data folder of a stopped server of release X. Needs no
//! server.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a surprise is the test's failure"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::Indexer;
use query::hit::Sources;
use query::{Engine, Hit, Request};
use storage::block::{BlockStore, Target};
use storage::extraction::{Extractions, Job, Scope};
use storage::journal::Journal;
use storage::key::{Keyring, Source};
use storage::kv::Store;
use storage::kv::leveldb::{LevelDbStore, Options};
use storage::meta::{Account, AccountId, Address, Env, FileId, Meta, NamespaceId, Place, Rev};
use storage::{row, trace};

/// Every index is opened or made again by then.
const LIMIT: Duration = Duration::from_secs(60);

/// A fixture's copy, opened.
struct Opened {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    blocks: BlockStore,
    meta: Meta,
}

impl Opened {
    fn of(fixture: &str) -> Opened {
        let folder = copy(fixture);
        let data = folder.path();
        let store: Arc<dyn Store> =
            Arc::new(LevelDbStore::open(&data.join("meta"), Options::default()).unwrap());
        let keys = Keyring::open(Source::File(data.join("keys/kek.json")), true).unwrap();
        let env = Env::system();
        let target = Target::new("blocks", data.join("blocks"));
        let clock = env.clock.clone();
        let blocks = BlockStore::open(store.clone(), vec![target], Default::default(), keys, clock);
        Opened {
            meta: Meta::open(store.clone(), env).unwrap(),
            blocks: blocks.unwrap(),
            store,
            folder,
        }
    }

    fn account(&self, email: &str) -> Account {
        self.meta.account_by_email(email).unwrap().unwrap()
    }

    fn place(&self, account: &Account, path: &str) -> Place {
        let view = self.meta.view(account.id).unwrap();
        let at = Address::parse(path).unwrap();
        view.resolve(account.root, &at).unwrap()
    }

    fn read(&self, account: &Account, path: &str) -> Vec<u8> {
        let place = self.place(account, path);
        let blocks = &place.node.head().unwrap().blocks;
        let parts = blocks.iter().map(|hash| self.blocks.get(hash).unwrap());
        parts.flatten().collect()
    }

    /// What a search finds in the fixture's own index.
    fn search(&self, account: &Account, query: &str) -> Vec<Hit> {
        let (journal, extractions) = (
            Journal::new(self.store.clone()),
            Extractions::new(self.store.clone()),
        );
        let options = indexer::Options {
            shards: 1,
            ..indexer::Options::default()
        };
        let indexer = Indexer::start(
            self.meta.clone(),
            journal,
            extractions.clone(),
            self.blocks.clone(),
            &self.folder.path().join("index"),
            options,
        );
        let (indexer, sources) = (
            indexer.unwrap(),
            Sources {
                meta: self.meta.clone(),
                extractions,
                blocks: self.blocks.clone(),
            },
        );
        let shards = indexer.shards().to_vec();
        let engine = Engine::new(move || shards.clone(), sources, &*self.store).unwrap();
        let begun = Instant::now();
        while engine.coverage(account.actor()).unwrap().waiting > 0 {
            assert!(begun.elapsed() < LIMIT, "the index is not there");
            std::thread::yield_now();
        }
        let request = Request {
            query: query.into(),
            ..Request::default()
        };
        let answer = engine.search(account.actor(), &request, time::OffsetDateTime::UNIX_EPOCH);
        drop(engine);
        indexer.stop();
        answer.unwrap().hits
    }
}

#[test]
fn a_store_of_0_1_is_whole() {
    let folder = copy("store-0.1");
    let checked = check(folder.path());
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(checked.status.success(), "{said}");
    assert!(said.contains("all is well"), "{said}");
}

#[test]
fn files_of_0_1_are_read() {
    let opened = Opened::of("store-0.1");
    let (admin, reader) = (
        opened.account("admin@localhost"),
        opened.account("reader@example.org"),
    );
    assert_eq!(
        opened.read(&admin, "/fixture/versions.txt"),
        b"the second version"
    );
    // A member who has not mounted the folder reads it by its number.
    let shared = opened.place(&admin, "/shared").shared_folder.unwrap();
    assert_eq!(
        opened.read(&reader, &format!("ns:{shared}/plan.txt")),
        b"a plan that two people read"
    );
}

#[test]
fn the_index_of_0_1_answers() {
    let opened = Opened::of("store-0.1");
    let hits = opened.search(&opened.account("admin@localhost"), "northern transects");
    let paths: Vec<_> = hits.iter().map(|hit| &*hit.place.path_display).collect();
    assert_eq!(paths, ["/fixture/survey.pdf"]);
}

#[test]
fn a_newer_store_is_refused_in_clear_words() {
    let folder = copy("store-newer");
    let refused = check(folder.path());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert!(
        said.contains("has format 1000, this release reads up to"),
        "{said}"
    );
}

/// `firefly check` on a stopped store.
fn check(data: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firefly"));
    let ours = |name: &std::ffi::OsString| name.to_string_lossy().starts_with("FIREFLY_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
        .arg("check")
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

#[test]
fn a_row_of_the_extraction_queue_may_end_before_its_request() {
    let known = Job {
        account: AccountId(1),
        ns: NamespaceId(2),
        file: FileId(3),
        rev: Rev(4),
        name: "a.txt".into(),
        size: 5,
        content_hash: [6; 32],
        blocks: Vec::new(),
        scope: Scope::Account(AccountId(1)),
        request: trace::Id::read("one.1"),
    };
    let unknown = Job {
        request: None,
        ..known.clone()
    };
    let read = |row: &[u8]| row::decode::<Job>("an extraction job", row).unwrap();
    let [long, short] = [&known, &unknown].map(|job| row::encode(job).unwrap());
    assert_eq!((read(&long), read(&short)), (known, unknown.clone()));
    assert_eq!(read(&short[..short.len() - 1]), unknown);
}

/// A copy that may be written: opening a store changes it.
fn copy(fixture: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(fixture);
    copy_folder(&from, folder.path());
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
