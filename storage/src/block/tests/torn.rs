//! What a crash in the middle of an append leaves.

use super::*;

/// The last record, written but never acknowledged: every prefix of it, and garbage of that length.
#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let bench = Bench::new(2);
    let kv = bench.kv();
    let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    let first = store.put(&block(1)).unwrap();
    let (path, _) = store.path(&first, 0);
    let (other, _) = store.path(&first, 1);
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let record = &whole[extent::HEADER_BYTES as usize..];
    for length in 0..=record.len() {
        let garbage = noise(length as u64, length);
        std::fs::write(&path, [&whole[..], &record[..length]].concat()).unwrap();
        std::fs::write(&other, [&whole[..], &garbage].concat()).unwrap();
        let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(std::fs::read(&other).unwrap(), whole);
        drop(store);
    }
    let store = bench.open_on(kv, &bench.keys).unwrap();
    let second = store.put(&block(2)).unwrap();
    assert_eq!(store.place(&second).extent, store.place(&first).extent);
    assert_eq!(
        (store.get(&first).unwrap(), store.get(&second).unwrap()),
        (block(1), block(2))
    );
    assert_eq!(store.findings(), []);
}

/// A replica that lost acknowledged bytes at any point: the extent is sealed, the other replica answers and heals it.
#[test]
fn an_acknowledged_tail_that_is_missing_comes_from_the_other_replica() {
    let bench = Bench::new(2);
    let kv = bench.kv();
    let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    let first = store.put(&block(1)).unwrap();
    let mut last = store.put(&block(2)).unwrap();
    drop(store);
    for cut in (1..100).step_by(7) {
        let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
        let (path, _) = store.path(&last, 0);
        drop(store);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
        store.get(&last).unwrap();
        store.repair(&last).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        let next = store.put(&block(cut as u64 + 10)).unwrap();
        assert_ne!(store.place(&next).extent, store.place(&last).extent);
        assert_eq!(store.get(&first).unwrap(), block(1));
        last = next;
    }
}
