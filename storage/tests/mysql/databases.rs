//! One store over two servers: the same promises, with keys of every check on both; a server that is away; slots that move.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use storage::Error;
use storage::kv::Store;
use storage::kv::conformance::{concurrent_histories_are_serializable, strong_reads};
use storage::kv::mysql::{MySqlStore, Options, Placement, Span};

use super::faults::EndOnDrop;
use super::mariadb::{MariaDb, PASSWORD};
use super::several::Several;
use super::{put, shared};

/// By the sum of the key's bytes, so that neighbours lie apart.
struct Scattered;
const SLOTS: u16 = 8;
/// The slots that lie on the second server.
const AWAY: [u16; 4] = [1, 3, 5, 7];

impl Placement for Scattered {
    fn slot(&self, key: &[u8]) -> Option<u16> {
        Some(key.iter().map(|byte| u16::from(*byte)).sum::<u16>() % SLOTS)
    }

    fn span(&self, _: &[u8], _: &[u8]) -> Span {
        Span::Any
    }

    fn next(&self, _: u16, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let end = vec![0xff; 64];
        (key < &end[..]).then(|| (key.to_vec(), end))
    }
}

fn open(url: &str) -> MySqlStore {
    let mut options = Options::new(url, Some(PASSWORD)).unwrap();
    options.placement = &Scattered;
    MySqlStore::open(options).unwrap()
}

fn move_all(store: &MySqlStore, slots: &[u16], to: u32) {
    store.move_slots(slots, to, &mut |_| true).unwrap();
}

/// A store whose odd slots lie on another server.
fn spread(first: &str, second: &str) -> MySqlStore {
    let store = open(first);
    let id = store.add_database(second).unwrap();
    assert_eq!(id, 1);
    move_all(&store, &AWAY, id);
    store
}

/// How many rows a database holds.
fn rows(server: &MariaDb, url: &str) -> u64 {
    let name = url.rsplit_once('/').unwrap().1;
    let counted = server.sql(&format!("SELECT COUNT(*) FROM {name}.firefly_rows"));
    counted.trim().parse().unwrap()
}

fn soon(mut is_so: impl FnMut() -> bool, what: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn conforms_over_two_servers() {
    let (first, second) = (shared(), MariaDb::start());
    storage::kv::conformance::run(&|| {
        Box::new(spread(&first.new_database(), &second.new_database()))
    });
}

#[test]
fn three_processes_over_two_servers_conform() {
    let (first, second) = (shared(), MariaDb::start());
    storage::kv::conformance::run(&|| {
        let url = first.new_database();
        let one = spread(&url, &second.new_database());
        let others = (0..2).map(|_| open(&url));
        Box::new(Several::new(std::iter::once(one).chain(others).collect()))
    });
}

#[test]
fn rows_lie_where_the_map_says() {
    let (first, second) = (shared(), MariaDb::start());
    let (here, there) = (first.new_database(), second.new_database());
    let store = open(&here);
    (0..100).for_each(|n| put(&store, &[n], &[n; 2_000]));
    assert!(store.databases().unwrap().is_empty());
    let id = store.add_database(&there).unwrap();
    let again = store.add_database(&there).unwrap_err().to_string();
    assert!(again.contains("is database server 1 already"), "{again}");
    let own = store.add_database(&here).unwrap_err().to_string();
    assert!(own.contains("a store of its own"), "{own}");
    let moved = store.move_slots(&[3], id, &mut |_| true).unwrap();
    assert_eq!((moved.rows, moved.removed), (13, 13));
    soon(|| rows(&second, &there) == 13, "they are there");
    assert_eq!(rows(&first, &here), 87);
    let all = store
        .snapshot()
        .unwrap()
        .range(&[0], &[200], true, usize::MAX)
        .unwrap();
    assert_eq!(all.len(), 100);
    assert!(all.is_sorted_by(|a, b| a.0 > b.0));
    let ten = store
        .snapshot()
        .unwrap()
        .range(&[20], &[200], false, 10)
        .unwrap();
    assert!(ten.iter().map(|(key, _)| key[0]).eq(20..30));
    assert!(
        store
            .remove_database(id)
            .unwrap_err()
            .to_string()
            .contains("drain it first")
    );
    let listed = store.databases().unwrap();
    assert_eq!((listed[0].slots, listed[0].away.clone()), (1, None));
    // Interrupted half way, then somebody changes their mind.
    let interrupted = store.move_slots(&[5], id, &mut |_| false).unwrap_err();
    assert!(
        interrupted.to_string().contains("interrupted"),
        "{interrupted}"
    );
    put(&store, &[5], b"to both");
    assert_eq!(store.databases().unwrap()[0].arriving, 1);
    soon(|| rows(&second, &there) > 13, "it is written there, too");
    assert_eq!(store.get(&[5]).unwrap(), Some(b"to both".to_vec()));
    move_all(&store, &[5], 0);
    assert_eq!((rows(&first, &here), rows(&second, &there)), (87, 13));
    assert!(store.move_slots(&[5], 9, &mut |_| true).is_err());
    move_all(&store, &store.slots_on(id).unwrap(), 0);
    assert_eq!((rows(&first, &here), rows(&second, &there)), (100, 0));
    store.remove_database(id).unwrap();
    put(&store, &[3], b"as before");
    assert!(store.databases().unwrap().is_empty());
}

#[test]
fn what_was_decided_is_written_after_its_process_has_ended() {
    let (first, second) = (shared(), MariaDb::start());
    let (here, there) = (first.new_database(), second.new_database());
    let store = spread(&here, &there);
    let name = there.rsplit_once('/').unwrap().1;
    std::thread::scope(|scope| {
        // Nobody can write there meanwhile.
        let holding = scope.spawn(|| {
            second.sql(&format!(
                "START TRANSACTION; SELECT * FROM {name}.firefly_applied FOR UPDATE; DO SLEEP(2); ROLLBACK"
            ))
        });
        soon(
            || {
                second.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'DO SLEEP(2)'").trim() == "1"
            },
            "it is held",
        );
        for n in 0..50 {
            put(&store, &[n], &[n]);
            assert_eq!(
                store.get(&[n]).unwrap(),
                Some(vec![n]),
                "decided is visible"
            );
        }
        assert_eq!(rows(&second, &there), 0);
        drop(store);
        holding.join().unwrap();
    });
    let store = open(&here);
    let all = store
        .snapshot()
        .unwrap()
        .range(&[0], &[200], false, usize::MAX)
        .unwrap();
    assert_eq!(all.len(), 50);
    soon(
        || rows(&second, &there) == 25,
        "the next process writes them",
    );
}

#[test]
fn a_server_that_is_away_fails_its_own_reads_and_comes_back() {
    let (first, mut second) = (shared(), MariaDb::start());
    let (here, there) = (first.new_database(), second.new_database());
    let store = spread(&here, &there);
    (0..10).for_each(|n| put(&store, &[n], b"before"));
    let held = store.snapshot().unwrap();
    second.kill9();
    soon(|| store.get(&[1]).is_err(), "its reads fail");
    let error = store.get(&[1]).unwrap_err();
    assert!(
        matches!(&error, Error::Unavailable(text) if text.contains("database server 1") && text.contains(&there)),
        "{error}"
    );
    assert!(!store.away_databases().is_empty() && store.databases().unwrap()[0].away.is_some());
    assert!(held.get(&[1]).is_err());
    assert_eq!(
        store.get(&[2]).unwrap(),
        Some(b"before".to_vec()),
        "the rest goes on"
    );
    (0..10).for_each(|n| put(&store, &[n], b"after"));
    let other = open(&here);
    assert_eq!(
        other.get(&[2]).unwrap(),
        Some(b"after".to_vec()),
        "one starts without it"
    );
    assert!(other.get(&[1]).is_err());
    second.start_again();
    for store in [&store, &other] {
        soon(|| store.get(&[1]).is_ok(), "it is back");
        (0..10).for_each(|n| assert_eq!(store.get(&[n]).unwrap(), Some(b"after".to_vec())));
        assert!(store.away_databases().is_empty());
    }
}

#[test]
fn one_that_stands_still_is_waited_for_once() {
    let (first, second) = (shared(), MariaDb::start());
    let store = spread(&first.new_database(), &second.new_database());
    (0..10).for_each(|n| put(&store, &[n], b"before"));
    second.signal("STOP");
    let error = store.get(&[1]).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    let begun = Instant::now();
    (0..10).for_each(|n| put(&store, &[n], b"after"));
    assert!(store.get(&[1]).is_err());
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "nobody waits for it again"
    );
    second.signal("CONT");
    soon(|| store.get(&[1]).is_ok(), "it goes on");
    (0..10).for_each(|n| assert_eq!(store.get(&[n]).unwrap(), Some(b"after".to_vec())));
}

#[test]
fn a_server_that_was_set_back_is_not_believed() {
    let (first, second) = (shared(), MariaDb::start());
    let (here, there) = (first.new_database(), second.new_database());
    let store = spread(&here, &there);
    put(&store, &[1], b"x");
    let name = here.rsplit_once('/').unwrap().1;
    first.sql(&format!(
        "UPDATE {name}.firefly_servers SET removed = 1 << 40"
    ));
    let error = store.get(&[1]).unwrap_err().to_string();
    assert!(error.contains("it was set back"), "{error}");
    first.sql(&format!(
        "UPDATE {name}.firefly_servers SET removed = 0; UPDATE {name}.firefly_commits SET batch = REPEAT('x', 16)"
    ));
    let error = store.get(&[1]).unwrap_err().to_string();
    assert!(error.contains("the primary has not"), "{error}");
    assert_eq!(store.get(&[2]).unwrap(), None, "the rest goes on");
}

/// Moves slots to and fro until `done`; returns how often.
fn move_until(store: &MySqlStore, done: &AtomicBool) -> u32 {
    let mut moves = 0;
    while !done.load(Ordering::SeqCst) {
        for to in [0, 1] {
            move_all(store, &(0..SLOTS).collect::<Vec<_>>(), to);
            moves += 1;
        }
    }
    moves
}

#[test]
fn slots_move_to_and_fro_under_readers_and_writers() {
    let (first, second) = (shared(), MariaDb::start());
    let url = first.new_database();
    let mover = spread(&url, &second.new_database());
    let stores: Vec<_> = (0..3).map(|_| open(&url)).collect();
    let stores = Arc::new(Several::new(stores));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = EndOnDrop(&done);
        let moving = scope.spawn(|| move_until(&mover, &done));
        strong_reads(&*stores, 150);
        let empty = &mut |txn: &mut dyn storage::kv::Transaction| {
            (0..20).for_each(|key| txn.delete(vec![key]));
            Ok(())
        };
        stores.transact(empty).unwrap();
        concurrent_histories_are_serializable(&*stores);
        done.store(true, Ordering::SeqCst);
        assert!(moving.join().unwrap() >= 4, "it did move");
    });
}
