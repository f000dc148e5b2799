//! What a block store on other machines promises, as one suite for every kind of them. Tests call [`run`]; a broken promise panics.
#![allow(
    clippy::unwrap_used,
    reason = "in a suite for tests, a surprise is the test's failure"
)]

use std::sync::Arc;

use rand::{RngCore, SeedableRng};

use super::{
    BlockStore, Finding, NoHolds, Options, Owner, Place, State, TARGET_MARKER, Target, reference,
};
use crate::chunk::BlockHash;
use crate::error::Error;
use crate::key::Keyring;
use crate::kv::Store;
use crate::kv::memory::MemoryStore;
use crate::meta::env::{Env, ManualClock};
use crate::object::BlockingObjects;

/// A place on other machines, a folder of this one, and what opens them again.
struct Suite {
    url: String,
    folder: std::path::PathBuf,
    kv: Arc<dyn Store>,
    keys: Keyring,
    clock: Arc<ManualClock>,
}

/// Runs all checks, each on an empty place of its own, whose URL `place` returns, and on a folder inside `scratch`.
pub fn run(scratch: &std::path::Path, place: &dyn Fn(&str) -> String) {
    type Check = fn(&Suite);
    let checks: [(&str, Check); 4] = [
        ("groups", Suite::groups_are_there_and_become_one_object),
        ("there", Suite::extents_move_there_and_back),
        ("one", Suite::one_copy_at_least_is_there),
        ("garbage", Suite::garbage_goes),
    ];
    for (name, check) in checks {
        let (_, clock) = Env::seeded(0, 1_000_000);
        check(&Suite {
            url: place(name),
            folder: scratch.join(name),
            kv: Arc::new(MemoryStore::default()),
            keys: Keyring::in_memory().unwrap(),
            clock,
        });
    }
}

impl Suite {
    fn open(&self, targets: Vec<Target>) -> BlockStore {
        let options = Options {
            extent_bytes: 64 * 1024,
            lease_ms: 20_000,
            delay_ms: 10_000,
            cache_bytes: 0,
            ..Options::default()
        };
        let (keys, clock) = (self.keys.clone(), self.clock.clone());
        BlockStore::open(self.kv.clone(), targets, options, keys, clock).unwrap()
    }

    fn remote(&self) -> Target {
        Target::at("remote", Place::Url(self.url.clone()))
    }

    fn local(&self) -> Target {
        Target::new("local", &self.folder)
    }

    /// The names of all objects in a folder.
    fn listed(&self, folder: &str) -> Vec<String> {
        let objects = BlockingObjects::open(&self.url).unwrap();
        let found = objects.list(folder, "", 1000).unwrap();
        found.into_iter().map(|found| found.name).collect()
    }

    fn groups_are_there_and_become_one_object(&self) {
        let store = self.open(vec![self.remote()]);
        let blocks = fill(&store, 0..20);
        assert!(self.listed("open").len() >= 20, "a group is an object");
        all_there(&store, &blocks);
        settle(&store);
        assert_eq!(self.listed("extents").len(), sealed(&store));
        let open = self.listed("open");
        let first = open.first().and_then(|name| name.rsplit_once('/'));
        let extent = first.map(|(extent, _)| extent.to_owned()).unwrap();
        let is_of_it = |name: &String| name.starts_with(&extent);
        assert!(open.iter().all(is_of_it), "others are whole: {open:?}");
        all_there(&store, &blocks);

        drop(store);
        let store = self.open(vec![self.remote()]);
        all_there(&store, &blocks);
        let is_open = |store: &BlockStore| {
            let mut extents = store.extents().unwrap().into_iter();
            extents.any(|(_, extent)| extent.state == State::Open)
        };
        assert!(!is_open(&store), "no run goes on where another wrote");
        let before = self.listed("open");
        store.put(&noise(0)).unwrap();
        assert_eq!(self.listed("open"), before, "what is known is not stored");
    }

    fn extents_move_there_and_back(&self) {
        let store = self.open(vec![self.local()]);
        let blocks = fill(&store, 0..20);
        store.add_target(self.remote()).unwrap();
        store.drain_target("local").unwrap();
        settle(&store);
        all_there(&store, &blocks);
        assert_eq!(targets(&store), [["remote"]]);
        let files = std::fs::read_dir(&self.folder).unwrap();
        let files = files.filter(|file| file.as_ref().unwrap().file_name() != TARGET_MARKER);
        assert_eq!(files.count(), 0, "local files are gone");

        store.add_target(self.local()).unwrap();
        store.drain_target("remote").unwrap();
        settle(&store);
        all_there(&store, &blocks);
        assert_eq!(targets(&store), [["local"]]);
        assert_eq!(self.listed(""), [TARGET_MARKER]);
    }

    fn one_copy_at_least_is_there(&self) {
        let store = self.open(vec![self.local()]);
        let mut blocks = fill(&store, 0..12);
        drop(store);
        let store = self.open(vec![self.local(), self.remote()]);
        settle(&store);
        blocks.extend(fill(&store, 100..112));
        settle(&store);
        assert_eq!(targets(&store), [["remote"]]);
        all_there(&store, &blocks);
    }

    fn garbage_goes(&self) {
        let store = self.open(vec![self.remote()]);
        let blocks = fill(&store, 0..20);
        let (kept, gone) = (blocks[3].0, blocks[4].0);
        let owner = Owner::upload(&[1]);
        let refer = self.kv.transact(&mut |txn| reference(txn, &kept, &owner));
        refer.unwrap();
        settle(&store);
        for _ in 0..2 {
            self.clock.advance_ms(100_000);
            let now_ms = crate::meta::Clock::now_ms(&*self.clock) as u64;
            store.collect(now_ms, 1000, &NoHolds).unwrap();
        }
        for extent in store.compactable(40).unwrap() {
            store.compact(extent).unwrap();
        }
        assert_eq!(store.get(&kept).unwrap(), noise(3));
        assert!(matches!(store.get(&gone), Err(Error::BlockMissing(_))));
        assert_eq!(self.listed("extents"), Vec::<String>::new());
        all_there(&store, &[]);
    }
}

/// Heals until nothing is left to be done; the writes between seal what should be elsewhere.
fn settle(store: &BlockStore) {
    for turn in 0..200 {
        let report = store.heal(&mut |_| true).unwrap();
        assert_eq!(report.lost, 0);
        store.put(&noise(50_000 + turn)[..100]).unwrap();
        let status = store.storage_status().unwrap();
        if report.is_done && status.draining_extents == 0 && status.short_extents == 0 {
            return;
        }
    }
    panic!("it does not settle: {:?}", store.storage_status().unwrap());
}

fn fill(store: &BlockStore, numbers: std::ops::Range<u64>) -> Vec<(BlockHash, u64)> {
    numbers
        .map(|n| (store.put(&noise(n)).unwrap(), n))
        .collect()
}

/// Every block is the same, and the verifier finds nothing wrong.
fn all_there(store: &BlockStore, blocks: &[(BlockHash, u64)]) {
    for (hash, n) in blocks {
        assert!(store.get(hash).unwrap() == noise(*n), "block {n}");
    }
    let mut found = Vec::new();
    let mut visit = |finding| {
        found.push(finding);
        true
    };
    store.verify(&mut visit).unwrap();
    found.retain(|finding| !matches!(finding, Finding::Progress { .. }));
    assert_eq!(found, []);
}

fn sealed(store: &BlockStore) -> usize {
    let extents = store.extents().unwrap().into_iter();
    let sealed = extents.filter(|(_, extent)| extent.state == State::Sealed);
    sealed.count()
}

/// Where sealed extents are, each place once.
fn targets(store: &BlockStore) -> Vec<Vec<String>> {
    let extents = store.extents().unwrap().into_iter();
    let sealed = extents.filter(|(_, extent)| extent.state == State::Sealed);
    let mut targets: Vec<_> = sealed.map(|(_, extent)| extent.targets).collect();
    targets.sort();
    targets.dedup();
    targets
}

fn noise(seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; 9_000];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}
