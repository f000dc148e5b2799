//! Compaction frees room and shreds, and loses nothing.

use super::*;

/// Two extents, the first of which is mostly dead.
fn mostly_dead(bench: &Bench) -> (BlockStore, BlockHash, ExtentId) {
    let store = bench.open();
    let kept = store.put(&noise(0, 10_000)).unwrap();
    store.refer(&kept, 1).unwrap();
    for number in 1..8 {
        store.put(&noise(number, 10_000)).unwrap();
    }
    for _ in 0..2 {
        store.collect(bench.much_later(), 100, &NoHolds).unwrap();
    }
    let extent = store.place(&kept).extent;
    (store, kept, extent)
}

#[test]
fn live_blocks_move_and_the_files_go() {
    let bench = Bench::new(2);
    let (store, kept, extent) = mostly_dead(&bench);
    assert_eq!(store.compactable(50).unwrap(), [extent]);
    let path = store.path(&kept, 1).0;
    let report = store.compact(extent).unwrap();
    assert_eq!(report.moved, 1);
    assert!(!path.exists());
    assert_ne!(store.place(&kept).extent, extent);
    assert_eq!(store.get(&kept).unwrap(), noise(0, 10_000));
    assert_eq!(
        store.shared.store.counter(&row::dead_key(extent)).unwrap(),
        0
    );
    assert_eq!(store.findings(), []);
    assert!(store.compact(extent).is_err());
    drop(store);
    let store = bench.open();
    assert_eq!(store.get(&kept).unwrap(), noise(0, 10_000));
    assert!(store.extents().unwrap().iter().all(|(id, _)| *id != extent));
}

#[test]
fn a_half_removed_extent_goes_at_the_next_start() {
    let bench = Bench::new(2);
    let (store, kept, extent) = mostly_dead(&bench);
    let paths = [store.path(&kept, 0).0, store.path(&kept, 1).0];
    store.compact(extent).unwrap();
    let row = Extent {
        state: State::Dropped,
        length: 64,
        targets: vec!["t0".into(), "t1".into()],
        created_ms: 0,
    };
    store
        .shared
        .store
        .transact(&mut |txn| extent::write(txn, extent, &row))
        .unwrap();
    std::fs::write(&paths[1], b"left over").unwrap();
    drop(store);
    let store = bench.open();
    assert!(!paths[1].exists());
    assert!(store.extents().unwrap().iter().all(|(id, _)| *id != extent));
}

#[test]
fn an_extent_with_a_lost_block_is_kept() {
    let bench = Bench::new(1);
    let (store, kept, extent) = mostly_dead(&bench);
    let (path, offset) = store.path(&kept, 0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[offset as usize + 100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(store.compact(extent), Err(Error::Corrupt { .. })));
    assert!(path.exists());
}

#[test]
fn readers_and_writers_go_on_while_extents_are_compacted() {
    let bench = Bench::new(1);
    let store = bench.open();
    let blocks: Vec<_> = (0..30).map(|number| noise(number, 6_000)).collect();
    let hashes: Vec<_> = blocks
        .iter()
        .map(|block| store.put(block).unwrap())
        .collect();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|reader| {
                let (store, hashes, blocks) = (&store, &hashes, &blocks);
                scope.spawn(move || {
                    for round in 0..200 {
                        let number = (round * 7 + reader * 11) % 30;
                        assert_eq!(store.get(&hashes[number]).unwrap(), blocks[number]);
                        assert_eq!(store.put(&blocks[number]).unwrap(), hashes[number]);
                    }
                })
            })
            .collect();
        for _ in 0..6 {
            let sealed: Vec<_> = store
                .extents()
                .unwrap()
                .into_iter()
                .filter(|(_, row)| row.state == State::Sealed)
                .collect();
            sealed
                .iter()
                .for_each(|(id, _)| assert!(store.compact(*id).is_ok()));
        }
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(store.findings(), []);
    assert_eq!(store.events(0, 10).unwrap(), [], "moving is no fault");
}
