//! Logs, holes and counters.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{all, write};
use crate::error::Error;
use crate::kv::{Commit, Store, Value};

const THREADS: u64 = 4;
const EACH: u64 = 25;

pub fn appends_are_gap_free_and_ordered(store: &dyn Store) {
    let mut given: Vec<u64> = append_from_threads(store);
    given.sort_unstable();
    assert_eq!(given, (1..=THREADS * EACH).collect::<Vec<_>>());
    assert_eq!(store.head(b"log").unwrap(), THREADS * EACH);
    let entries = entries(store);
    assert_eq!(
        entries, given,
        "each entry lies under the sequence that was returned"
    );
    let two = write(store, &mut |txn| {
        txn.append(b"log", vec![].into());
        txn.append(b"other", vec![].into());
        txn.append(b"log", vec![].into());
    });
    assert_eq!(two.sequences, [THREADS * EACH + 1, 1, THREADS * EACH + 2]);
}

/// Returns all sequences; asserts that each thread's own rise.
fn append_from_threads(store: &dyn Store) -> Vec<u64> {
    let run = || {
        let append =
            |_| write(store, &mut |txn| _ = txn.append(b"log", vec![1].into())).sequences[0];
        let mine: Vec<u64> = (0..EACH).map(append).collect();
        assert!(
            mine.is_sorted_by(|a, b| a < b),
            "a later commit has a later sequence"
        );
        mine
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

pub fn readers_never_see_a_gap(store: &dyn Store) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::SeqCst) {
                let entries = entries(store);
                assert!(
                    entries.iter().copied().eq(1..=entries.len() as u64),
                    "a prefix of the log"
                );
                assert!(entries.len() >= seen, "which only grows");
                seen = entries.len();
            }
        });
        append_from_threads(store);
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
}

fn entries(store: &dyn Store) -> Vec<u64> {
    let pairs = store
        .snapshot()
        .unwrap()
        .range(b"log", b"loh", false, usize::MAX)
        .unwrap();
    pairs
        .iter()
        .map(|(key, _)| u64::from_be_bytes(key[3..].try_into().unwrap()))
        .collect()
}

pub fn holes_carry_sequences(store: &dyn Store) {
    write(store, &mut |txn| _ = txn.append(b"a", vec![].into()));
    let body = &mut |txn: &mut dyn crate::kv::Transaction| {
        let first = txn.append(b"a", vec![].into());
        let second = txn.append(
            b"b",
            Value {
                bytes: vec![9; 10],
                holes: vec![(1, first)],
            },
        );
        txn.put(
            b"p".to_vec(),
            Value {
                bytes: vec![9; 16],
                holes: vec![(0, second), (8, first)],
            },
        );
        assert_eq!(txn.get(b"p")?, Some(vec![0; 16]), "zeros until the commit");
        Ok(())
    };
    assert_eq!(store.transact(body).unwrap().sequences, [2, 1]);
    let get = |key: &[u8]| store.snapshot().unwrap().get(key).unwrap().unwrap();
    assert_eq!(get(b"p"), [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    assert_eq!(get(b"b\0\0\0\0\0\0\0\x01"), [9, 0, 0, 0, 0, 0, 0, 0, 2, 9]);
}

pub fn counters_keep_their_bounds(store: &dyn Store) {
    let take = || add(store, 1, Some(50));
    let run = || (0..EACH).filter(|_| take().is_ok()).count();
    let taken: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!((taken, store.counter(b"n").unwrap()), (50, 50));
    write(store, &mut |txn| txn.add(b"n", 10, None));
    write(store, &mut |txn| txn.add(b"n", -5, Some(50)));
    assert_eq!(
        store.counter(b"n").unwrap(),
        55,
        "no bound, and going down is always allowed"
    );
    write(store, &mut |txn| {
        txn.add(b"n", -10, None);
        txn.add(b"n", 5, Some(50));
    });
    assert_eq!(store.counter(b"n").unwrap(), 50, "one after the other");
    write(store, &mut |txn| txn.add(b"m", -7, None));
    assert_eq!(store.counter(b"m").unwrap(), -7);
    let overflow = add(store, i64::MAX, None);
    assert!(matches!(overflow, Err(Error::CounterBound { .. })));
}

fn add(store: &dyn Store, delta: i64, max: Option<i64>) -> crate::Result<Commit> {
    store.transact(&mut |txn| {
        txn.add(b"n", delta, max);
        Ok(())
    })
}

pub fn a_refused_counter_takes_no_sequence(store: &dyn Store) {
    let refused = store.transact(&mut |txn| {
        txn.append(b"log", vec![].into());
        txn.put(b"a".to_vec(), vec![].into());
        txn.add(b"other", 1, None);
        txn.add(b"n", 11, Some(10));
        Ok(())
    });
    assert!(matches!(refused, Err(Error::CounterBound { counter, bound: 10 }) if counter == "n"));
    assert_eq!(all(store), []);
    assert_eq!(
        (
            store.head(b"log").unwrap(),
            store.counter(b"other").unwrap()
        ),
        (0, 0)
    );
    let next = write(store, &mut |txn| _ = txn.append(b"log", vec![].into()));
    assert_eq!(next.sequences, [1]);
}
