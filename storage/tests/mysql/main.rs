//! The engine for many processes on a real MariaDB. `tests/install test` brings it; `cargo test` without the feature
//! `servers` leaves these out.
#![allow(
    clippy::unwrap_used,
    reason = "in a test, a surprise is the test's failure"
)]

mod cached;
#[path = "../../../tests/servers/certificates.rs"]
mod certificates;
mod databases;
mod faults;
#[path = "../../../tests/servers/mariadb.rs"]
#[allow(dead_code, reason = "shared with the program's tests")]
mod mariadb;
mod memcached;
mod several;
mod tls;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use mariadb::{MariaDb, PASSWORD};
use several::Several;
use storage::Error;
use storage::kv::carry::carry;
use storage::kv::mysql::{MySqlStore, Options};
use storage::kv::{Store, Transaction};

/// A server that the tests share, each with databases of its own.
fn shared() -> Arc<MariaDb> {
    static SHARED: Mutex<Weak<MariaDb>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(MariaDb::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

fn open(url: &str) -> MySqlStore {
    MySqlStore::open(Options::new(url, Some(PASSWORD)).unwrap()).unwrap()
}

fn put(store: &dyn Store, key: &[u8], value: &[u8]) {
    let body = &mut |txn: &mut dyn Transaction| {
        txn.put(key.to_vec(), value.to_vec().into());
        Ok(())
    };
    store.transact(body).unwrap();
}

#[test]
fn conforms() {
    let server = shared();
    storage::kv::conformance::run(&|| Box::new(open(&server.new_database())));
}

#[test]
fn three_processes_on_one_database_conform() {
    let server = shared();
    storage::kv::conformance::run(&|| {
        let url = server.new_database();
        Box::new(Several::new((0..3).map(|_| open(&url)).collect()))
    });
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let server = shared();
    let url = server.new_database();
    let store = open(&url);
    let big: Vec<u8> = (0..3_000_000u32).map(|n| n as u8).collect();
    let commit = store.transact(&mut |txn| {
        txn.put(b"big".to_vec(), big.clone().into());
        for n in 0..3_000u32 {
            txn.put(n.to_be_bytes().to_vec(), vec![7; 500].into());
        }
        txn.append(b"log", b"x".to_vec().into());
        txn.add(b"n", -5, None);
        Ok(())
    });
    assert_eq!(commit.unwrap().sequences, [1]);
    drop(store);
    let store = open(&url);
    assert_eq!(
        store.heads(&[b"other".to_vec(), b"log".to_vec()]).unwrap(),
        [0, 1]
    );
    assert_eq!(store.counter(b"n").unwrap(), -5);
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(b"big").unwrap(), Some(big));
    let all = snapshot.range(&[0], &[1], true, usize::MAX).unwrap();
    assert_eq!(all.len(), 3_000);
    assert!(all.is_sorted_by(|a, b| a.0 > b.0));
}

#[test]
fn what_the_tables_cannot_hold_is_refused() {
    let server = shared();
    let store = open(&server.new_database());
    let long = store.transact(&mut |txn| {
        txn.put(vec![1; 1_025], vec![].into());
        Ok(())
    });
    assert!(long.unwrap_err().to_string().contains("1024 are allowed"));
    let large = store.transact(&mut |txn| {
        txn.put(vec![1], vec![0; 9_000_000].into());
        Ok(())
    });
    assert!(
        large
            .unwrap_err()
            .to_string()
            .contains("max_allowed_packet")
    );
    put(&store, &[1; 1_024], &[0; 6_000_000]);
}

#[test]
fn what_cannot_be_used_says_why() {
    let server = shared();
    let url = server.new_database();
    let wrong = MySqlStore::open(Options::new(&url, Some("wrong one")).unwrap());
    let error = wrong.err().unwrap().to_string();
    assert!(
        error.contains("Access denied") && !error.contains("wrong one"),
        "{error}"
    );
    drop(open(&url));
    let name = url.rsplit_once('/').unwrap().1;
    server.sql(&format!(
        "INSERT INTO {name}.firefly_schema (step) VALUES (99)"
    ));
    let newer = MySqlStore::open(Options::new(&url, Some(PASSWORD)).unwrap());
    assert!(matches!(newer, Err(Error::NewerFormat { found: 99, .. })));
    let careless = MariaDb::start_with("--innodb-flush-log-at-trx-commit=2");
    let opened = MySqlStore::open(Options::new(&careless.new_database(), Some(PASSWORD)).unwrap());
    let error = opened.err().unwrap().to_string();
    assert!(
        error.contains("innodb_flush_log_at_trx_commit is 2"),
        "{error}"
    );
}

#[test]
fn a_store_is_carried_there_and_back() {
    let server = shared();
    let from = storage::kv::memory::MemoryStore::default();
    for n in 0..300u32 {
        put(&from, &n.to_be_bytes(), &[n as u8; 300]);
    }
    let body = &mut |txn: &mut dyn Transaction| {
        txn.append(b"log", b"x".to_vec().into());
        txn.add(b"n", -5, None);
        Ok(())
    };
    from.transact(body).unwrap();
    let database = open(&server.new_database());
    let there = carry(&from, &database, &mut |_| {}).unwrap();
    assert_eq!((there.rows, there.sent, there.numbers), (301, 301, 2));
    let back = storage::kv::memory::MemoryStore::default();
    assert_eq!(carry(&database, &back, &mut |_| {}).unwrap(), there);
    assert_eq!(database.transact(body).unwrap().sequences, [2]);
}

#[test]
fn snapshots_in_snapshots_do_not_wait_for_themselves() {
    let server = shared();
    let url = server.new_database();
    let mut options = Options::new(&url, Some(PASSWORD)).unwrap();
    options.connections = 1;
    let store = MySqlStore::open(options).unwrap();
    put(&store, b"a", b"1");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let outer = store.snapshot().unwrap();
                put(&store, b"a", b"2");
                assert_eq!(store.head(b"none").unwrap(), 0);
                assert!(outer.get(b"a").unwrap().is_some());
            });
        }
    });
}
