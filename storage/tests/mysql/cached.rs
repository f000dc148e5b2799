//! memcached in front: no read is ever stale, whatever happens to it and whatever it says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use storage::kv::Store;
use storage::kv::conformance::{run, strong_reads};
use storage::kv::mysql::{MySqlStore, Options};

use super::faults::EndOnDrop;
use super::mariadb::PASSWORD;
use super::memcached::{Lie, Memcached, liar};
use super::several::Several;
use super::{put, shared};

/// A store whose every row may be cached.
fn open(url: &str, cache: &str) -> MySqlStore {
    let mut options = Options::new(url, Some(PASSWORD)).unwrap();
    options.cache = Some((cache.parse().unwrap(), |_| true));
    MySqlStore::open(options).unwrap()
}

fn get(store: &dyn Store, key: &[u8]) -> Option<Vec<u8>> {
    store.snapshot().unwrap().get(key).unwrap()
}

#[test]
fn three_processes_with_one_cache_conform() {
    let (server, cache) = (shared(), Memcached::start());
    run(&|| {
        let url = server.new_database();
        let stores = (0..3).map(|_| open(&url, &cache.url())).collect();
        Box::new(Several::new(stores))
    });
    assert!(cache.counted("get_hits") > 0);
}

#[test]
fn what_one_process_read_another_need_not_ask_for() {
    let (server, cache) = (shared(), Memcached::start());
    let url = server.new_database();
    let (one, other) = (open(&url, &cache.url()), open(&url, &cache.url()));
    put(&one, b"a", b"1");
    for store in [&one, &other] {
        assert_eq!(
            (get(store, b"a"), get(store, b"none")),
            (Some(b"1".to_vec()), None)
        );
    }
    assert_eq!(cache.counted("cmd_set"), 2);
    // Behind the store's back: who reads the old value has not asked the database.
    let name = url.rsplit_once('/').unwrap().1;
    server.sql(&format!("UPDATE {name}.firefly_rows SET v = '2'"));
    assert_eq!(get(&other, b"a"), Some(b"1".to_vec()));
    put(&one, b"a", b"3");
    for store in [&one, &other] {
        assert_eq!(get(store, b"a"), Some(b"3".to_vec()));
    }
    // A process that starts believes nothing that was stored before it looked.
    put(&one, b"b", b"1");
    assert_eq!(get(&open(&url, &cache.url()), b"a"), Some(b"3".to_vec()));
}

#[test]
fn a_cache_that_dies_or_stands_still_makes_no_read_stale() {
    let (server, mut cache) = (shared(), Memcached::start());
    let url = server.new_database();
    let stores = (0..3).map(|_| open(&url, &cache.url())).collect();
    let (store, done) = (Several::new(stores), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let _end = EndOnDrop(&done);
            strong_reads(&store, 300)
        });
        // How long each state lasts: nothing is waited for, and the number of reads says when it is over.
        while !done.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(300));
            cache.kill9();
            std::thread::sleep(Duration::from_millis(50));
            cache.start_again();
            std::thread::sleep(Duration::from_millis(600));
            cache.signal("STOP"); // what it holds is old when it goes on
            std::thread::sleep(Duration::from_millis(150));
            cache.signal("CONT");
        }
        assert!(reading.join().unwrap() > 0);
    });
}

#[test]
fn a_cache_that_lies_is_not_believed() {
    let server = shared();
    for lie in [
        Lie::Old,
        Lie::Another,
        Lie::Garbled,
        Lie::Endless,
        Lie::Mute,
        Lie::Dripping,
    ] {
        let (url, cache) = (server.new_database(), liar(lie));
        let stores = (0..2).map(|_| open(&url, &cache)).collect();
        assert!(strong_reads(&Several::new(stores), 60) > 0, "{lie:?}");
    }
}

/// As after restoring a backup of the database: what was cached of the lost commits must not come back when their versions do.
#[test]
fn a_database_that_was_set_back_makes_what_was_cached_worthless() {
    let (server, cache) = (shared(), Memcached::start());
    let url = server.new_database();
    let name = url.rsplit_once('/').unwrap().1;
    let (one, other) = (open(&url, &cache.url()), open(&url, &cache.url()));
    put(&one, b"a", b"old");
    let tables = ["rows", "commits", "clock"];
    for table in tables {
        server.sql(&format!(
            "CREATE TABLE {name}.kept_{table} SELECT * FROM {name}.firefly_{table}"
        ));
    }
    put(&one, b"a", b"lost");
    assert_eq!(get(&other, b"a"), Some(b"lost".to_vec()));
    let back = tables.map(|table| {
        format!(
            "DELETE FROM firefly_{table}; INSERT INTO firefly_{table} SELECT * FROM kept_{table};"
        )
    });
    server.sql(&format!(
        "USE {name}; START TRANSACTION; {} COMMIT",
        back.concat()
    ));
    for store in [&one, &other, &open(&url, &cache.url())] {
        assert_eq!(get(store, b"a"), Some(b"old".to_vec()));
    }
    put(&other, b"b", b"in its place");
    for store in [&one, &other, &open(&url, &cache.url())] {
        assert_eq!(get(store, b"a"), Some(b"old".to_vec()));
    }
}

/// Not more than a few calls wait for a server that says nothing.
#[test]
fn a_cache_that_says_nothing_is_left_alone() {
    let server = shared();
    let url = server.new_database();
    let (store, plain) = (open(&url, &liar(Lie::Mute)), super::open(&url));
    put(&store, b"a", b"1");
    let time = |store: &MySqlStore| {
        let began = std::time::Instant::now();
        (0..300).for_each(|_| assert!(get(store, b"a").is_some()));
        began.elapsed()
    };
    let (with, without) = (time(&store), time(&plain));
    assert!(
        with < without * 5 + Duration::from_secs(2),
        "{with:?}, {without:?} without"
    );
}
