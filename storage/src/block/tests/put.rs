//! Storing and reading back.

use super::*;
use crate::chunk::BLOCK_BYTES;

#[test]
fn what_was_put_is_got_also_after_reopening() {
    let bench = Bench::new(2);
    let blocks: Vec<Vec<u8>> = vec![
        vec![],
        b"x".to_vec(),
        block(1),
        vec![0; BLOCK_BYTES],
        noise(1, BLOCK_BYTES),
        noise(2, 5_000),
    ];
    let store = bench.open();
    let hashes: Vec<_> = blocks
        .iter()
        .map(|block| store.put(block).unwrap())
        .collect();
    for (hash, block) in hashes.iter().zip(&blocks) {
        assert_eq!(*hash, BlockHash::of(block));
        assert_eq!(store.get(hash).unwrap(), *block);
    }
    drop(store);
    let store = bench.open();
    for (hash, block) in hashes.iter().zip(&blocks) {
        assert_eq!(store.get(hash).unwrap(), *block);
    }
    assert!(matches!(
        store.get(&BlockHash::of(b"never")),
        Err(Error::BlockMissing(_))
    ));
    assert!(store.put(&vec![0; BLOCK_BYTES + 1]).is_err());
    assert!(store.extents().unwrap().len() > 1, "extents roll");
    assert_eq!(store.findings(), []);
}

#[test]
fn the_same_bytes_are_stored_once_and_nothing_is_readable_on_disk() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    let place = store.place(&hash);
    assert_eq!(
        store
            .put_many(&[&block(1), &block(2), &block(2), &block(1)])
            .unwrap()[0],
        hash
    );
    assert_eq!(store.place(&hash), place);
    let file = std::fs::read(store.path(&hash, 0).0).unwrap();
    assert!(!file.windows(6).any(|window| window == b"block "));
    let count = file.windows(4).filter(|window| window == b"FFBK").count();
    assert_eq!(count, 2);
}

#[test]
fn many_writers_of_overlapping_blocks_share_commits() {
    let bench = Bench::new(2);
    let store = bench.open();
    std::thread::scope(|scope| {
        for thread in 0..16u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..40 {
                    let bytes = block((thread * 7 + number * 3) % 97);
                    let hash = store.put(&bytes).unwrap();
                    assert_eq!(store.get(&hash).unwrap(), bytes);
                }
            });
        }
    });
    assert_eq!(store.findings(), []);
    let report = store.verify(&mut |_| true).unwrap();
    assert_eq!(report.blocks, 97);
}

#[test]
fn a_dedup_hit_renews_an_old_lease_and_leaves_a_young_one() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    let leased = || store.shared.row(&hash).unwrap().unwrap().leased_at_ms;
    let first = leased();
    bench.clock.advance_ms(1_000);
    store.put(&block(1)).unwrap();
    assert_eq!(leased(), first);
    bench.clock.advance_ms(9_000);
    store.put(&block(1)).unwrap();
    assert_eq!(leased(), first + 10_000);
}

#[test]
fn small_blocks_are_cached_but_not_beyond_their_row() {
    let mut bench = Bench::new(1);
    bench.options.cache_bytes = 10_000;
    let store = bench.open();
    let hashes: Vec<_> = (0..60)
        .map(|number| store.put(&block(number)).unwrap())
        .collect();
    for _ in 0..2 {
        for (number, hash) in hashes.iter().enumerate() {
            assert_eq!(store.get(hash).unwrap(), block(number as u64));
        }
    }
    for _ in 0..2 {
        let now_ms = bench.much_later();
        store.collect(now_ms, 1_000, &NoHolds).unwrap();
    }
    assert!(
        hashes
            .iter()
            .all(|hash| matches!(store.get(hash), Err(Error::BlockMissing(_))))
    );
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let mut bench = Bench::new(1);
    bench.options.replicas = 2;
    assert!(bench.open_on(bench.kv(), &bench.keys).is_err());
    bench.options.replicas = 1;
    bench.options.lease_ms = bench.options.delay_ms;
    assert!(bench.open_on(bench.kv(), &bench.keys).is_err());
}
