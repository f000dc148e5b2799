//! I7 under seeded interleavings: in the middle of one side's transaction, just before its commit, the other side acts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::kv::{Batch, Commit, Snapshot, Transaction};

type Action = Box<dyn FnOnce() + Send>;

/// Runs an action between the reads and the commit of the next transaction.
struct Interleaving {
    inner: Arc<dyn Store>,
    action: Mutex<Option<Action>>,
}

impl Store for Interleaving {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        self.inner.snapshot()
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        self.inner.transact(&mut |txn| {
            let done = body(txn);
            let action = self.action.lock().unwrap().take();
            if let Some(action) = action {
                std::thread::spawn(action).join().unwrap();
            }
            done
        })
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        self.inner.head(log)
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        self.inner.counter(counter)
    }

    fn load(&self, batch: &Batch) -> Result<()> {
        self.inner.load(batch)
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.inner.wait(seen, timeout)
    }
}

/// What must hold: who refers to what, and until when a stored block is leased.
#[derive(Default)]
struct Model {
    owners: BTreeMap<u64, BTreeSet<u64>>,
    leased_until_ms: BTreeMap<u64, u64>,
}

impl Model {
    fn refer(&mut self, store: &BlockStore, number: u64, owner: u64, now_ms: u64) {
        let referred = store.refer(&BlockHash::of(&block(number)), owner);
        let must = self.must_be_there(number, now_ms);
        match referred {
            Ok(()) => drop(self.owners.entry(number).or_default().insert(owner)),
            Err(Error::BlockMissing(_)) => assert!(!must, "block {number} went too early"),
            Err(error) => panic!("{error}"),
        }
    }

    fn must_be_there(&self, number: u64, now_ms: u64) -> bool {
        let is_referenced = self
            .owners
            .get(&number)
            .is_some_and(|owners| !owners.is_empty());
        is_referenced
            || self
                .leased_until_ms
                .get(&number)
                .is_some_and(|until_ms| now_ms <= *until_ms)
    }

    fn step(&mut self, store: &BlockStore, choice: u32, number: u64, owner: u64, now_ms: u64) {
        match choice {
            0 => {
                store.put(&block(number)).unwrap();
                self.leased_until_ms.insert(number, now_ms + 15_000);
            }
            1 => self.refer(store, number, owner, now_ms),
            2 => {
                store.unrefer(&BlockHash::of(&block(number)), owner);
                self.owners.entry(number).or_default().remove(&owner);
            }
            _ => assert!(store.collect(now_ms, 100, &NoHolds).is_ok()),
        }
    }
}

fn simulate(seed: u64, steps: usize) {
    const BLOCKS: u64 = 4;
    let mut random = StdRng::seed_from_u64(seed);
    let mut bench = Bench::new(1);
    bench.options.extent_bytes = 2_000;
    let kv = Arc::new(Interleaving {
        inner: bench.kv(),
        action: Mutex::default(),
    });
    let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    let model = Arc::new(Mutex::new(Model::default()));
    for _ in 0..steps {
        bench.clock.advance_ms(random.random_range(0..8_000));
        let now_ms = bench.now_ms();
        // Inside the collector's transaction somebody stores, refers or unrefers; inside theirs, the collector runs.
        let is_collecting = random.random_bool(0.5);
        let outer = if is_collecting {
            3
        } else {
            random.random_range(0..3)
        };
        let inner = if is_collecting {
            random.random_range(0..3)
        } else {
            3
        };
        let (number, owner) = (random.random_range(0..BLOCKS), random.random_range(0..2));
        let (other, other_owner) = (random.random_range(0..BLOCKS), random.random_range(0..2));
        let (inside, shared) = (store.clone(), model.clone());
        if random.random_bool(0.8) {
            let act = move || match inner {
                3 => assert!(inside.collect(now_ms, 100, &NoHolds).is_ok()),
                choice => shared
                    .lock()
                    .unwrap()
                    .step(&inside, choice, other, other_owner, now_ms),
            };
            *kv.action.lock().unwrap() = Some(Box::new(act));
        }
        match outer {
            3 => assert!(store.collect(now_ms, 100, &NoHolds).is_ok()),
            choice => model
                .lock()
                .unwrap()
                .step(&store, choice, number, owner, now_ms),
        }
        drop(kv.action.lock().unwrap().take());
        if random.random_bool(0.1) {
            for extent in store.compactable(30).unwrap() {
                store.compact(extent).unwrap();
            }
        }
        for number in 0..BLOCKS {
            if model.lock().unwrap().must_be_there(number, now_ms) {
                assert_eq!(
                    store.get(&BlockHash::of(&block(number))).unwrap(),
                    block(number),
                    "seed {seed}"
                );
            }
        }
    }
    assert_eq!(store.findings(), []);
}

#[test]
fn nothing_referenced_or_leased_is_ever_collected() {
    for seed in 0..8 {
        simulate(seed, 150);
    }
}

/// Real threads: writers store and refer, a collector with no patience runs beside them.
#[test]
fn writers_and_the_collector_at_full_speed() {
    let bench = Bench::new(1);
    let store = bench.open();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                // Leases are over at once: only references keep a block, and only transactions keep it right.
                store
                    .collect(bench.now_ms() + 1_000_000, 1_000, &NoHolds)
                    .unwrap();
                store
                    .collect(bench.now_ms() + 2_000_000, 1_000, &NoHolds)
                    .unwrap();
            }
        });
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for round in 0..60 {
                        let number = (round * 5 + writer) % 7;
                        let hash = store.put(&block(number)).unwrap();
                        match store.refer(&hash, writer) {
                            Ok(()) => assert_eq!(store.get(&hash).unwrap(), block(number)),
                            Err(Error::BlockMissing(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                        store.unrefer(&hash, writer);
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        collector.join().unwrap();
    });
    assert_eq!(store.findings(), []);
}
