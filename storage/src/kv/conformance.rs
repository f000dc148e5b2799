//! What every engine promises, as one suite. An engine's tests call [`run`]; a broken promise panics.
#![allow(clippy::unwrap_used)] // a test suite: panics are its verdicts

mod conflicts;
mod history;
mod reads;
mod sequences;
mod strong;

use std::time::Duration;

pub use self::history::concurrent_histories_are_serializable;
pub use self::strong::strong_reads;

use super::{Batch, Commit, Number, Pair, Store, Transaction};
use crate::error::{Error, Result};

/// Long enough for any machine; only a broken engine waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs all checks, each on an empty store of its own that `make` returns.
pub fn run(make: &dyn Fn() -> Box<dyn Store>) {
    let checks: &[fn(&dyn Store)] = &[
        reads::points_and_deletes,
        reads::ranges_in_both_directions,
        reads::own_writes_lie_over_the_snapshot,
        reads::snapshots_do_not_move,
        aborts_leave_nothing,
        waiting_sees_commits,
        conflicts::changed_reads_run_again,
        conflicts::write_skew_is_refused,
        conflicts::blind_writes_do_not_run_again,
        sequences::appends_are_gap_free_and_ordered,
        sequences::readers_never_see_a_gap,
        sequences::holes_carry_sequences,
        sequences::counters_keep_their_bounds,
        sequences::a_refused_counter_takes_no_sequence,
        history::concurrent_histories_are_serializable,
        strong::reads_see_what_was_acknowledged,
        what_is_loaded_goes_on_from_there,
    ];
    checks.iter().for_each(|check| check(&*make()));
}

fn aborts_leave_nothing(store: &dyn Store) {
    let aborted = store.transact(&mut |txn| {
        txn.put(b"a".to_vec(), b"1".to_vec().into());
        txn.append(b"log", b"1".to_vec().into());
        txn.add(b"n", 1, None);
        Err(Error::Engine("mine".into()))
    });
    assert!(
        matches!(aborted, Err(Error::Engine(text)) if text == "mine"),
        "the body's error comes back"
    );
    assert_eq!(all(store), []);
    assert_eq!(
        (store.head(b"log").unwrap(), store.counter(b"n").unwrap()),
        (0, 0)
    );
}

fn waiting_sees_commits(store: &dyn Store) {
    let before = store.wait(u64::MAX, Duration::ZERO);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| store.wait(before, PATIENCE));
        put(store, b"a", b"1");
        assert!(waiter.join().unwrap() > before, "a commit wakes");
    });
    let after = store.wait(before, Duration::ZERO);
    assert!(after > before, "what is over needs no waiting");
    store.transact(&mut |txn| txn.get(b"a").map(drop)).unwrap();
    assert_eq!(
        store.wait(after, Duration::ZERO),
        after,
        "reading is no commit"
    );
}

fn what_is_loaded_goes_on_from_there(store: &dyn Store) {
    let batch = Batch {
        pairs: vec![pair("a", "1"), pair("log\0\0\0\0\0\0\0\u{7}", "x")],
        heads: vec![(b"log".to_vec(), 7)],
        counters: vec![(b"n".to_vec(), -3)],
    };
    store.load(&batch).unwrap();
    store.load(&batch).unwrap();
    assert_eq!(all(store), batch.pairs);
    let commit = write(store, &mut |txn| {
        txn.append(b"log", b"y".to_vec().into());
        txn.add(b"n", 1, None);
    });
    assert_eq!(
        (commit.sequences, store.counter(b"n").unwrap()),
        (vec![8], -2)
    );
    let mut numbers = Vec::new();
    let snapshot = store.snapshot().unwrap();
    write(store, &mut |txn| txn.add(b"n", 10, None));
    let read = snapshot.numbers(&mut |number, value| {
        numbers.push(match number {
            Number::Head(log) => (log.to_vec(), value.cast_signed()),
            Number::Counter(counter) => (counter.to_vec(), value.cast_signed()),
        });
        Ok(())
    });
    read.unwrap();
    assert_eq!(numbers, [(b"n".to_vec(), -2), (b"log".to_vec(), 8)]);
    assert!(store.load(&batch).is_err(), "only before the first commit");
}

fn put(store: &dyn Store, key: &[u8], value: &[u8]) -> Commit {
    write(store, &mut |txn| {
        txn.put(key.to_vec(), value.to_vec().into())
    })
}

fn delete(store: &dyn Store, key: &[u8]) -> Commit {
    write(store, &mut |txn| txn.delete(key.to_vec()))
}

fn write(store: &dyn Store, body: &mut dyn FnMut(&mut dyn Transaction)) -> Commit {
    let commit = store.transact(&mut |txn| {
        body(txn);
        Ok(())
    });
    commit.unwrap()
}

fn all(store: &dyn Store) -> Vec<Pair> {
    store
        .snapshot()
        .unwrap()
        .range(b"", &[0xff; 8], false, usize::MAX)
        .unwrap()
}

fn pair(key: &str, value: &str) -> Pair {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// Runs `read`, lets `other` commit from another thread (the first time only), then `write`; returns how often it ran.
fn interrupted(
    store: &dyn Store,
    read: &dyn Fn(&dyn Transaction) -> Result<()>,
    other: &(dyn Fn() + Sync),
    write: &dyn Fn(&mut dyn Transaction),
) -> u32 {
    let mut runs = 0;
    let committed = store.transact(&mut |txn| {
        runs += 1;
        read(txn)?;
        if runs == 1 {
            std::thread::scope(|scope| scope.spawn(other).join().unwrap());
        }
        write(txn);
        Ok(())
    });
    committed.unwrap();
    runs
}
