//! Random histories against a map.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

#[test]
fn any_history_leaves_what_a_map_would() {
    for seed in 0..6 {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut bench = Bench::new(1 + seed as usize % 2);
    bench.options.extent_bytes = 4_000;
    let kv = bench.kv();
    let mut store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    let mut kept: BTreeMap<u64, BlockHash> = BTreeMap::new();
    for _ in 0..120 {
        bench.clock.advance_ms(random.random_range(0..5_000));
        let number = random.random_range(0..25);
        match random.random_range(0..10) {
            0..5 => {
                let hash = store.put(&sized(number)).unwrap();
                store.refer(&hash, 1).unwrap();
                kept.insert(number, hash);
            }
            5 | 6 => {
                if let Some(hash) = kept.remove(&number) {
                    store.unrefer(&hash, 1);
                }
            }
            7 => assert!(store.collect(bench.now_ms(), 1_000, &NoHolds).is_ok()),
            8 => {
                for extent in store.compactable(20).unwrap() {
                    store.compact(extent).unwrap();
                }
            }
            _ => {
                drop(store);
                store = bench.open_on(kv.clone(), &bench.keys).unwrap();
            }
        }
        for (number, hash) in &kept {
            assert_eq!(store.get(hash).unwrap(), sized(*number), "seed {seed}");
        }
    }
    assert_eq!(store.findings(), []);
    dead_bytes_add_up(&store);
}

/// In every extent: header, live records and dead bytes are all there is.
fn dead_bytes_add_up(store: &BlockStore) {
    for (id, extent) in store.extents().unwrap() {
        let content = store
            .shared
            .content(id, row::content_prefix(id), 10_000)
            .unwrap();
        let live: u64 = content.iter().map(|(_, row)| row.record_len()).sum();
        let dead = store.shared.store.counter(&row::dead_key(id)).unwrap() as u64;
        assert_eq!(
            extent::HEADER_BYTES + live + dead,
            extent.length,
            "extent {id}"
        );
    }
}

fn sized(number: u64) -> Vec<u8> {
    noise(number, (number * number * 3) as usize)
}
