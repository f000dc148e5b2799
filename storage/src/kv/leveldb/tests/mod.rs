//! What only this engine promises; the rest is in the conformance suite.

mod crash;
mod damage;
mod model;

use std::cell::Cell;

use super::*;
use crate::kv::Value;

fn open(dir: &tempfile::TempDir) -> LevelDbStore {
    LevelDbStore::open(&dir.path().join("kv"), Options::default()).unwrap()
}

fn put(store: &LevelDbStore, key: &[u8], value: &[u8]) -> Commit {
    let body = &mut |txn: &mut dyn Transaction| {
        txn.put(key.to_vec(), value.to_vec().into());
        Ok(())
    };
    store.transact(body).unwrap()
}

#[test]
fn conforms() {
    let (dir, made) = (tempfile::tempdir().unwrap(), Cell::new(0));
    crate::kv::conformance::run(&|| {
        made.set(made.get() + 1);
        let store =
            LevelDbStore::open(&dir.path().join(made.get().to_string()), Options::default());
        Box::new(store.unwrap())
    });
}

#[test]
fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    put(&store, b"a", b"");
    let commit = store.transact(&mut |txn| {
        let ticket = txn.append(b"log", Value::from(b"x".to_vec()));
        txn.put(
            b"seq".to_vec(),
            Value {
                bytes: vec![7; 9],
                holes: vec![(1, ticket)],
            },
        );
        txn.add(b"n", 5, None);
        Ok(())
    });
    assert_eq!(commit.unwrap().sequences, [1]);
    drop(store);
    let store = open(&dir);
    assert_eq!(
        (store.head(b"log").unwrap(), store.counter(b"n").unwrap()),
        (1, 5)
    );
    let snapshot = store.snapshot().unwrap();
    assert_eq!(snapshot.get(b"a").unwrap(), Some(vec![]));
    assert_eq!(
        snapshot.get(b"seq").unwrap(),
        Some(vec![7, 0, 0, 0, 0, 0, 0, 0, 1])
    );
    assert_eq!(
        snapshot.get(b"log\0\0\0\0\0\0\0\x01").unwrap(),
        Some(b"x".to_vec())
    );
}

#[test]
fn a_second_opening_says_why_it_fails() {
    let dir = tempfile::tempdir().unwrap();
    let _first = open(&dir);
    let Err(error) = LevelDbStore::open(&dir.path().join("kv"), Options::default()) else {
        panic!("opened twice")
    };
    assert!(
        error.to_string().contains("is open in another process"),
        "{error}"
    );
}

#[test]
fn a_newer_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let mut batch = Batch::new();
    batch.put(keys::FORMAT, &(FORMAT + 1).to_be_bytes());
    store.handle.for_write().unwrap().db.write(&batch).unwrap();
    drop(store);
    let Err(error) = LevelDbStore::open(&dir.path().join("kv"), Options::default()) else {
        panic!("opened")
    };
    assert!(
        matches!(
            error,
            Error::NewerFormat {
                found: 2,
                supported: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_transaction_inside_a_transaction_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let nested = store.transact(&mut |_| store.transact(&mut |_| Ok(())).map(drop));
    assert!(
        nested
            .unwrap_err()
            .to_string()
            .contains("inside a transaction")
    );
    put(&store, b"a", b"1");
}

#[test]
fn many_writers_of_one_key_all_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| increment(&store)));
        }
    });
    assert_eq!(
        store.snapshot().unwrap().get(b"n").unwrap(),
        Some(160u64.to_be_bytes().to_vec())
    );
}

fn increment(store: &LevelDbStore) {
    let body = &mut |txn: &mut dyn Transaction| {
        let old = txn
            .get(b"n")?
            .map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().unwrap()));
        txn.put(b"n".to_vec(), (old + 1).to_be_bytes().to_vec().into());
        Ok(())
    };
    store.transact(body).unwrap();
}
