//! Damaged tables are reported, whatever part of them is read.

use std::path::PathBuf;

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::*;

const PAIRS: u32 = 2_000;

fn filled(dir: &tempfile::TempDir) {
    let store = open(dir);
    let mut random = StdRng::seed_from_u64(1);
    let body = &mut |txn: &mut dyn Transaction| {
        for i in 0..PAIRS {
            let mut value = vec![0; 100];
            random.fill_bytes(&mut value);
            txn.put(i.to_be_bytes().to_vec(), value.into());
        }
        Ok(())
    };
    store.transact(body).unwrap();
    store.compact().unwrap();
}

fn table(dir: &tempfile::TempDir) -> PathBuf {
    let files = std::fs::read_dir(dir.path().join("kv"))
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut tables: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|ext| ext == "ldb"))
        .collect();
    assert_eq!(tables.len(), 1);
    tables.remove(0)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0x40;
    std::fs::write(path, bytes).unwrap();
}

fn is_corrupt<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt { .. }))
}

#[test]
fn no_scan_is_cut_short_by_a_damaged_block() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    let path = table(&dir);
    let len = std::fs::metadata(&path).unwrap().len() as usize;
    for part in [1, 3, 5, 7] {
        flip(&path, len * part / 8);
        check_damaged(&dir);
        flip(&path, len * part / 8);
    }
    let whole = open(&dir)
        .snapshot()
        .unwrap()
        .range(b"", &[0xff; 8], false, usize::MAX)
        .unwrap()
        .len();
    assert_eq!(whole, PAIRS as usize, "and it is whole again");
}

fn check_damaged(dir: &tempfile::TempDir) {
    let store = open(dir);
    let snapshot = store.snapshot().unwrap();
    assert!(is_corrupt(snapshot.range(
        b"",
        &[0xff; 8],
        false,
        usize::MAX
    )));
    assert!(is_corrupt(snapshot.range(
        b"",
        &[0xff; 8],
        true,
        usize::MAX
    )));
    assert!(is_corrupt(
        snapshot.scan(b"", &[0xff; 8], &mut |_, _| Ok(true))
    ));
    assert!(is_corrupt(store.transact(&mut |txn| txn.scan(
        b"",
        &[0xff; 8],
        &mut |_, _| Ok(true)
    ))));
    let mut gets = (0..PAIRS).map(|i| snapshot.get(&i.to_be_bytes()));
    assert!(
        gets.all(|got| !matches!(got, Ok(None))),
        "damage never looks like absence"
    );
    assert!((0..PAIRS).any(|i| is_corrupt(snapshot.get(&i.to_be_bytes()))));
}

#[test]
fn a_limited_range_over_damage_fails_too() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    let path = table(&dir);
    flip(&path, 100);
    let store = open(&dir);
    let snapshot = store.snapshot().unwrap();
    assert!(
        is_corrupt(snapshot.range(b"", &[0xff; 8], false, 1)),
        "the first block is skipped, not the error"
    );
    assert_eq!(
        snapshot.range(b"", &[0xff; 8], true, 5).unwrap().len(),
        5,
        "what lies apart can be read"
    );
}

#[test]
fn a_damaged_index_and_a_missing_table_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    filled(&dir);
    let path = table(&dir);
    let len = std::fs::metadata(&path).unwrap().len() as usize;
    flip(&path, len - 1);
    assert!(is_corrupt(LevelDbStore::open(
        &dir.path().join("kv"),
        Options::default()
    )));
    std::fs::remove_file(&path).unwrap();
    assert!(is_corrupt(LevelDbStore::open(
        &dir.path().join("kv"),
        Options::default()
    )));
}
