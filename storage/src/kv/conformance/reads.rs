//! Reads: points, ranges, overlay, snapshots.

use super::{all, delete, pair, put, write};
use crate::kv::{Pair, Snapshot, Store};

pub fn points_and_deletes(store: &dyn Store) {
    let get = |key: &[u8]| store.snapshot().unwrap().get(key).unwrap();
    assert_eq!(get(b"a"), None);
    put(store, b"a", b"1");
    put(store, b"empty", b"");
    put(store, b"\0\xff", &[0, 255, 0]);
    assert_eq!(
        get(b"a"),
        Some(b"1".to_vec()),
        "a commit is visible when it returns"
    );
    assert_eq!(get(b"empty"), Some(vec![]), "empty is not absent");
    assert_eq!(get(b"\0\xff"), Some(vec![0, 255, 0]));
    assert_eq!(get(b"A"), None, "keys are bytes, not text");
    put(store, b"a", b"2");
    assert_eq!(get(b"a"), Some(b"2".to_vec()));
    delete(store, b"a");
    delete(store, b"never there");
    assert_eq!(get(b"a"), None);
}

pub fn ranges_in_both_directions(store: &dyn Store) {
    write(store, &mut |txn| {
        for key in ["a", "b", "b\0", "ba", "c", "\u{10ffff}"] {
            txn.put(key.into(), key.as_bytes().to_vec().into());
        }
        txn.put(vec![0xff, 0xff], b"last".to_vec().into());
    });
    let snapshot = store.snapshot().unwrap();
    check_ranges(&*snapshot);
    write(store, &mut |txn| check_ranges(txn));
}

fn check_ranges<S: Snapshot + ?Sized>(reads: &S) {
    let keys = |start: &[u8], end: &[u8], reverse, limit| -> Vec<Vec<u8>> {
        let pairs = reads.range(start, end, reverse, limit).unwrap();
        pairs.into_iter().map(|(key, _)| key).collect()
    };
    assert_eq!(
        keys(b"b", b"c", false, 9),
        [&b"b"[..], b"b\0", b"ba"],
        "the start is in, the end is not"
    );
    assert_eq!(keys(b"b", b"c", true, 9), [&b"ba"[..], b"b\0", b"b"]);
    assert_eq!(keys(b"a", b"c", false, 2), [b"a", b"b"]);
    assert_eq!(keys(b"a", b"c", true, 2), [&b"ba"[..], b"b\0"]);
    assert_eq!(keys(b"a", b"c", false, 0), [[0u8; 0]; 0]);
    assert_eq!(
        keys(b"c", b"a", false, 9),
        [[0u8; 0]; 0],
        "an empty range is no error"
    );
    assert_eq!(keys(b"b", b"b", true, 9), [[0u8; 0]; 0]);
    assert_eq!(keys(b"d", &[0xff; 8], true, 1), [[0xff, 0xff]]);
    assert_eq!(keys(b"d", b"e", true, 9), [[0u8; 0]; 0]);
    assert_eq!(keys(b"", &[0xff; 8], false, usize::MAX).len(), 7);
    let mut seen = Vec::new();
    let scanned = reads.scan(b"a", b"c", &mut |key, value| {
        seen.push((key.to_vec(), value.to_vec()));
        Ok(key != b"b\0")
    });
    scanned.unwrap();
    assert_eq!(
        seen,
        [pair("a", "a"), pair("b", "b"), pair("b\0", "b\0")],
        "a scan stops when told"
    );
    let failed = reads.scan(b"a", b"c", &mut |_, _| {
        Err(crate::Error::Engine("mine".into()))
    });
    assert_eq!(
        failed.unwrap_err().to_string(),
        "mine",
        "a visitor's error comes back"
    );
}

pub fn own_writes_lie_over_the_snapshot(store: &dyn Store) {
    write(store, &mut |txn| {
        "bdf"
            .chars()
            .for_each(|c| txn.put(vec![c as u8], b"old".to_vec().into()))
    });
    let body = &mut |txn: &mut dyn crate::kv::Transaction| {
        txn.put(b"a".to_vec(), b"new".to_vec().into());
        txn.put(b"d".to_vec(), b"new".to_vec().into());
        txn.put(b"e".to_vec(), b"gone".to_vec().into());
        txn.put(b"g".to_vec(), b"new".to_vec().into());
        txn.delete(b"e".to_vec());
        txn.delete(b"f".to_vec());
        assert_eq!(
            (txn.get(b"d")?, txn.get(b"f")?, txn.get(b"e")?),
            (Some(b"new".to_vec()), None, None)
        );
        let expected = [
            pair("a", "new"),
            pair("b", "old"),
            pair("d", "new"),
            pair("g", "new"),
        ];
        let backwards: Vec<Pair> = expected.iter().rev().cloned().collect();
        assert_eq!(txn.range(b"a", b"z", false, 9)?, expected);
        assert_eq!(txn.range(b"a", b"z", true, 9)?, backwards);
        assert_eq!(txn.range(b"a", b"z", false, 3)?, expected[..3]);
        assert_eq!(txn.range(b"a", b"z", true, 3)?, backwards[..3]);
        assert_eq!(txn.range(b"e", b"g", false, 9)?, []);
        let mut scanned = Vec::new();
        txn.scan(b"a", b"z", &mut |key, value| {
            scanned.push((key.to_vec(), value.to_vec()));
            Ok(key != b"d")
        })?;
        assert_eq!(scanned, expected[..3]);
        Ok(())
    };
    store.transact(body).unwrap();
    assert_eq!(
        all(store),
        [
            pair("a", "new"),
            pair("b", "old"),
            pair("d", "new"),
            pair("g", "new")
        ]
    );
}

pub fn snapshots_do_not_move(store: &dyn Store) {
    write(store, &mut |txn| {
        "abc"
            .chars()
            .for_each(|c| txn.put(vec![c as u8], b"old".to_vec().into()))
    });
    let snapshot = store.snapshot().unwrap();
    write(store, &mut |txn| {
        txn.put(b"a".to_vec(), b"new".to_vec().into());
        txn.delete(b"b".to_vec());
        txn.put(b"bb".to_vec(), b"new".to_vec().into());
    });
    let old = [pair("a", "old"), pair("b", "old"), pair("c", "old")];
    assert_eq!(snapshot.range(b"a", b"z", false, 9).unwrap(), old);
    assert_eq!(snapshot.get(b"b").unwrap(), Some(b"old".to_vec()));
    assert_eq!(snapshot.get(b"bb").unwrap(), None);
    drop(snapshot);
    assert_eq!(
        all(store),
        [pair("a", "new"), pair("bb", "new"), pair("c", "old")]
    );
}
