//! Killed at any moment, the store keeps what it acknowledged; a full disk only refuses.
//!
//! Both need a process of their own: the test binary starts itself again with `CHILD_DIR` set.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rand::SeedableRng;
use rand::rngs::StdRng;

use rand::Rng;

use super::*;

const CHILD_DIR: &str = "FIREFLY_KV_TEST_DIR";
const ROUNDS: u64 = 6;
const WRITERS: u64 = 4;

/// Small tables, so that kills hit flushes and compactions too.
fn small() -> Options {
    Options {
        write_buffer_bytes: 64 * 1024,
        ..Options::default()
    }
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIR).map(PathBuf::from)
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    if child_dir().is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let mut acknowledged = BTreeMap::new();
    for _ in 0..ROUNDS {
        kill_after(random.random_range(1..400), dir.path(), &mut acknowledged);
        check_survivors(dir.path(), &acknowledged);
    }
}

/// Lets the child commit until it acknowledged `count` transactions, then kills it; adds all acknowledgements.
fn kill_after(count: usize, dir: &Path, acknowledged: &mut BTreeMap<u64, u64>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "kv::leveldb::tests::crash::child_commits",
        ])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(|line| line.ok());
    let mut seen = 0;
    for (writer, number) in lines.filter_map(|line| parse(&line)) {
        acknowledged
            .entry(writer)
            .and_modify(|last| *last = number.max(*last))
            .or_insert(number);
        seen += 1;
        if seen == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(seen >= count, "the child ended by itself");
}

/// An acknowledgement: `ack WRITER NUMBER`. A line cut by the kill is none.
fn parse(line: &str) -> Option<(u64, u64)> {
    let (writer, number) = line
        .strip_prefix("ack ")?
        .strip_suffix(" .")?
        .split_once(' ')?;
    Some((writer.parse().ok()?, number.parse().ok()?))
}

/// Each writer's transactions 1..=n are there, n at least the last acknowledged, each whole.
fn check_survivors(dir: &Path, acknowledged: &BTreeMap<u64, u64>) {
    let store = LevelDbStore::open(dir, small()).unwrap();
    let snapshot = store.snapshot().unwrap();
    let mut total = 0;
    for writer in 0..WRITERS {
        let pairs = snapshot
            .range(
                &[b'w', writer as u8],
                &[b'w', writer as u8 + 1],
                false,
                usize::MAX,
            )
            .unwrap();
        assert!(
            pairs.len() as u64 >= acknowledged.get(&writer).copied().unwrap_or(0),
            "an acknowledged one is lost"
        );
        for (n, (key, value)) in pairs.iter().enumerate() {
            assert_eq!(key[2..], (n as u64 + 1).to_be_bytes());
            let entry = snapshot.get(&[b"log", &value[..8]].concat()).unwrap();
            assert_eq!(
                entry.as_ref(),
                Some(key),
                "the log entry that the transaction wrote"
            );
        }
        total += pairs.len() as u64;
    }
    assert_eq!(
        snapshot
            .range(b"log", b"loh", false, usize::MAX)
            .unwrap()
            .len() as u64,
        total
    );
    assert_eq!(
        (store.head(b"log").unwrap(), store.counter(b"n").unwrap()),
        (total, total as i64)
    );
}

/// In the child: commits numbered transactions until it is killed.
#[test]
fn child_commits() {
    let Some(dir) = child_dir() else { return };
    let store = LevelDbStore::open(&dir, small()).unwrap();
    std::thread::scope(|scope| {
        (0..WRITERS).for_each(|writer| {
            drop(scope.spawn({
                let store = &store;
                move || commit_for_ever(store, writer)
            }))
        });
    });
}

fn commit_for_ever(store: &LevelDbStore, writer: u64) {
    let prefix = [b'w', writer as u8];
    loop {
        let mut number = 0;
        let body = &mut |txn: &mut dyn Transaction| {
            let last = txn.range(&prefix, &[b'w', writer as u8 + 1], true, 1)?;
            number = last.first().map_or(0, |(key, _)| {
                u64::from_be_bytes(key[2..].try_into().unwrap())
            }) + 1;
            let key = [&prefix[..], &number.to_be_bytes()].concat();
            let ticket = txn.append(b"log", key.clone().into());
            txn.put(
                key,
                Value {
                    bytes: vec![0; 300],
                    holes: vec![(0, ticket)],
                },
            );
            txn.add(b"n", 1, None);
            Ok(())
        };
        store.transact(body).unwrap();
        let line = format!("ack {writer} {number} .\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
    }
}

/// A limit on the size of files stands for the full disk: a write fails in its middle, smaller ones still fit.
#[test]
fn after_a_failed_write_later_ones_work() {
    if child_dir().is_some() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = "trap '' XFSZ; ulimit -f 8192; exec \"$0\" --exact --nocapture \"$1\"";
    let output = Command::new("sh")
        .args(["-c", run])
        .arg(std::env::current_exe().unwrap())
        .arg("kv::leveldb::tests::crash::child_fills_the_disk")
        .env(CHILD_DIR, dir.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let store = LevelDbStore::open(dir.path(), small()).unwrap();
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(b"big").unwrap(), None);
    assert_eq!(snapshot.get(b"after").unwrap(), Some(b"1".to_vec()));
    assert_eq!(store.head(b"log").unwrap(), 2);
}

/// In the child, under the limit.
#[test]
fn child_fills_the_disk() {
    let Some(dir) = child_dir() else { return };
    let store = LevelDbStore::open(&dir, small()).unwrap();
    let append = |key: &[u8], bytes: usize| {
        store.transact(&mut |txn| {
            txn.append(b"log", vec![].into());
            txn.add(b"n", 1, None);
            txn.put(key.to_vec(), vec![b'1'; bytes].into());
            Ok(())
        })
    };
    append(b"before", 1).unwrap();
    let snapshot = store.snapshot().unwrap();
    let seen = store.wait(0, Duration::ZERO);
    let full = append(b"big", 12 * 1024 * 1024);
    assert!(matches!(full, Err(Error::NoSpace(_))), "{full:?}");
    assert_eq!(
        store.wait(seen, Duration::ZERO),
        seen,
        "nothing was published"
    );
    assert_eq!(
        snapshot.get(b"before").unwrap(),
        Some(b"1".to_vec()),
        "reading goes on"
    );
    assert_eq!(store.snapshot().unwrap().get(b"big").unwrap(), None);
    let mut runs = 0;
    let body = &mut |txn: &mut dyn Transaction| {
        runs += 1;
        if runs == 1 {
            let after = || append(b"after", 1).unwrap();
            let commit = std::thread::scope(|scope| scope.spawn(after).join().unwrap());
            assert_eq!(commit.sequences, [2], "no sequence was lost");
        }
        assert_eq!(txn.get(b"after")?, Some(b"1".to_vec()));
        Ok(())
    };
    store.transact(body).unwrap();
    assert_eq!(runs, 2, "it began before the reopening");
    assert!(
        matches!(snapshot.get(b"before"), Err(Error::Conflict { .. })),
        "as did the snapshot"
    );
    assert_eq!(
        (store.head(b"log").unwrap(), store.counter(b"n").unwrap()),
        (2, 2)
    );
}
