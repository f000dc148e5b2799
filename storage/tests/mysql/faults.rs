//! Lost connections, a killed server, a process that stands still.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use storage::kv::Store;
use storage::kv::mysql::MySqlStore;

use super::mariadb::MariaDb;
use super::{open, put, shared};

const WRITERS: u64 = 6;

/// What writers were told.
#[derive(Default)]
struct Told {
    stored: Vec<(u64, u64)>,
    unknown: BTreeSet<u64>,
}

/// Ends the writers also when the test fails.
pub struct EndOnDrop<'a>(pub &'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Each writer appends numbers of its own until `done`, and moves its own key forward by reading it.
fn write_until(stores: &[MySqlStore], done: &AtomicBool) -> Told {
    let told = Mutex::new(Told::default());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (store, told) = (&stores[writer as usize % stores.len()], &told);
            scope.spawn(move || {
                let mut n = 0;
                while !done.load(Ordering::SeqCst) {
                    n += 1;
                    write_one(store, writer, n, told);
                }
            });
        }
    });
    told.into_inner().unwrap()
}

fn write_one(store: &MySqlStore, writer: u64, n: u64, told: &Mutex<Told>) {
    let number = writer << 32 | n;
    let committed = store.transact(&mut |txn| {
        txn.get(b"shared")?;
        if n.is_multiple_of(8) {
            txn.put(b"shared".to_vec(), number.to_be_bytes().to_vec().into());
        }
        txn.append(b"log", number.to_be_bytes().to_vec().into());
        txn.add(b"count", 1, None);
        Ok(())
    });
    let mut told = told.lock().unwrap();
    match committed {
        Ok(commit) => told.stored.push((commit.sequences[0], number)),
        Err(_) => drop(told.unknown.insert(number)),
    }
}

/// The log has no gap, holds what was acknowledged where it was said to be, and nothing twice.
fn check(store: &MySqlStore, told: &Told) {
    let entries = store.snapshot().unwrap();
    let entries = entries.range(b"log", b"loh", false, usize::MAX).unwrap();
    let entries: Vec<(u64, u64)> = entries
        .iter()
        .map(|(key, value)| {
            let number = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().unwrap());
            (number(&key[3..]), number(value))
        })
        .collect();
    let sequences = entries.iter().map(|(sequence, _)| *sequence);
    assert!(sequences.eq(1..=entries.len() as u64), "no gap");
    assert_eq!(store.head(b"log").unwrap(), entries.len() as u64);
    assert_eq!(store.counter(b"count").unwrap(), entries.len() as i64);
    for (sequence, number) in &told.stored {
        assert_eq!(entries[*sequence as usize - 1].1, *number, "acknowledged");
    }
    let numbers: BTreeSet<u64> = entries.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers.len(), entries.len(), "nothing twice");
    let more = entries.len() - told.stored.len();
    assert!(more <= told.unknown.len(), "{more} more than was tried");
}

#[test]
fn lost_connections_lose_and_double_nothing() {
    let server = shared();
    let url = server.new_database();
    let name = url.rsplit_once('/').unwrap().1;
    let stores: Vec<_> = (0..3).map(|_| open(&url)).collect();
    let done = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let _end = EndOnDrop(&done);
        let writing = scope.spawn(|| write_until(&stores, &done));
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(25));
            let find = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
            for id in server.sql(&find).lines().step_by(2) {
                server.kill_connection(id);
            }
        }
        done.store(true, Ordering::SeqCst);
        writing.join().unwrap()
    });
    assert!(told.stored.len() > 100, "{} commits", told.stored.len());
    // Tries are bounded: one that loses its connection each time ends with an error.
    let (lost, stored) = (told.unknown.len(), told.stored.len());
    assert!(lost * 10 < stored, "{lost} of {stored} commits gave up");
    check(&stores[0], &told);
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged() {
    let mut server = MariaDb::start();
    let url = server.new_database();
    let stores: Vec<_> = (0..2).map(|_| open(&url)).collect();
    let done = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        let _end = EndOnDrop(&done);
        let writing = scope.spawn(|| write_until(&stores, &done));
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(400));
            server.kill9();
            server.start_again();
        }
        std::thread::sleep(Duration::from_millis(200));
        done.store(true, Ordering::SeqCst);
        writing.join().unwrap()
    });
    assert!(told.stored.len() > 50, "{} commits", told.stored.len());
    check(&stores[0], &told);
    check(&open(&url), &told);
}

#[test]
fn one_who_holds_the_clock_only_delays() {
    let server = shared();
    let url = server.new_database();
    let name = url.rsplit_once('/').unwrap().1;
    let store = open(&url);
    std::thread::scope(|scope| {
        let holding = scope.spawn(|| {
            server.sql(&format!(
                "START TRANSACTION; SELECT * FROM {name}.firefly_clock FOR UPDATE; DO SLEEP(1); ROLLBACK"
            ))
        });
        (0..20).for_each(|n| put(&store, b"a", &[n]));
        holding.join().unwrap();
    });
    put(&store, b"a", b"last");
    assert_eq!(
        store.snapshot().unwrap().get(b"a").unwrap(),
        Some(b"last".to_vec())
    );
}

#[test]
fn another_processs_commits_wake() {
    let server = shared();
    let url = server.new_database();
    let (one, other) = (open(&url), open(&url));
    let seen = one.wait(u64::MAX, Duration::ZERO);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| one.wait(seen, Duration::from_secs(30)));
        put(&other, b"a", b"1");
        assert!(waiting.join().unwrap() > seen);
    });
}
