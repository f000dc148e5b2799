//! Damage is reported, whatever part of it is read; a batch that a power cut left half written is none.

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

/// A store whose log holds three batches: a short one, one of several blocks, one of `last` bytes. Returns the log.
fn logged(dir: &tempfile::TempDir, last: usize) -> PathBuf {
    let store = open(dir);
    let mut random = StdRng::seed_from_u64(2);
    for (key, len) in [(b"1", 100), (b"2", 100_000), (b"3", last)] {
        let mut value = vec![0; len];
        random.fill_bytes(&mut value);
        put(&store, key, &value);
    }
    drop(store);
    let files = std::fs::read_dir(dir.path().join("kv"))
        .unwrap()
        .map(|file| file.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|ext| ext == "log"))
        .max()
        .unwrap()
}

fn zero(path: &Path, range: std::ops::Range<usize>) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[range].fill(0);
    std::fs::write(path, bytes).unwrap();
}

fn keys(dir: &tempfile::TempDir) -> Vec<u8> {
    let pairs = open(dir)
        .snapshot()
        .unwrap()
        .range(b"", &[0xff; 8], false, 9)
        .unwrap();
    pairs.into_iter().map(|(key, _)| key[0]).collect()
}

#[test]
fn a_half_written_last_batch_is_cut_off() {
    for (last, lost) in [
        (2_000, 600..1_800),
        (2_000, 0..1_300),
        (90_000, 40_000..60_000),
        (90_000, 100..89_000),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let log = logged(&dir, last);
        let len = std::fs::metadata(&log).unwrap().len() as usize;
        zero(&log, len - lost.end..len - lost.start);
        assert_eq!(keys(&dir), b"12", "{last} {lost:?}");
        put(&open(&dir), b"4", b"");
        assert_eq!(keys(&dir), b"124", "and what comes after is kept");
    }
}

#[test]
fn a_log_that_just_ends_opens() {
    for short in [1, 700, 1_999, 2_020] {
        let dir = tempfile::tempdir().unwrap();
        let log = logged(&dir, 2_000);
        let bytes = std::fs::read(&log).unwrap();
        std::fs::write(&log, &bytes[..bytes.len() - short]).unwrap();
        assert_eq!(keys(&dir), b"12", "{short}");
    }
}

#[test]
fn damage_in_acknowledged_batches_is_refused() {
    let damage: [fn(&Path, usize); 3] = [
        |log, _| zero(log, 1_000..3_000), // in the second batch: the third follows
        |log, _| flip(log, 50),           // in the first
        |log, len| flip(log, len - 1_000), // in the last, but no sector is missing
    ];
    for damage in damage {
        let dir = tempfile::tempdir().unwrap();
        let log = logged(&dir, 2_000);
        damage(&log, std::fs::metadata(&log).unwrap().len() as usize);
        assert!(is_corrupt(LevelDbStore::open(
            &dir.path().join("kv"),
            Options::default()
        )));
    }
}
