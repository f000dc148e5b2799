//! Garbage goes late, and never while somebody needs it (I7).

use super::*;

fn collect(store: &BlockStore, now_ms: u64) -> GcReport {
    store.collect(now_ms, 1_000_000, &NoHolds).unwrap()
}

#[test]
fn garbage_is_marked_then_dropped_after_the_delay() {
    let bench = Bench::new(1);
    let store = bench.open();
    let (gone, kept) = (store.put(&block(1)).unwrap(), store.put(&block(2)).unwrap());
    store.refer(&kept, 1).unwrap();
    assert_eq!(
        (
            collect(&store, bench.now_ms() + 20_000).marked,
            collect(&store, bench.now_ms() + 20_001).marked
        ),
        (0, 1)
    );
    let marked_ms = bench.now_ms() + 20_001;
    assert_eq!(collect(&store, marked_ms + 10_000).collected, 0);
    let report = collect(&store, marked_ms + 10_001);
    assert_eq!(
        (report.collected, report.examined, report.is_round_complete),
        (1, 2, true)
    );
    assert!(matches!(store.get(&gone), Err(Error::BlockMissing(_))));
    assert_eq!(store.get(&kept).unwrap(), block(2));
    let dead = store
        .shared
        .store
        .counter(&row::dead_key(store.place(&kept).extent))
        .unwrap();
    assert_eq!(dead as u64, report.dead_bytes);
    store.put(&block(1)).unwrap();
    assert_eq!(store.get(&gone).unwrap(), block(1));
}

#[test]
fn storing_referring_or_holding_stops_a_marked_block_from_going() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hashes: Vec<_> = (0..4)
        .map(|number| store.put(&block(number)).unwrap())
        .collect();
    assert_eq!(collect(&store, bench.much_later()).marked, 4);
    store.put(&block(0)).unwrap();
    store.refer(&hashes[1], 1).unwrap();
    store.unrefer(&hashes[1], 1);
    let held = hashes[2];
    let holds = move |_: &dyn crate::kv::Snapshot, hash: &BlockHash| Ok(*hash == held);
    let report = store.collect(bench.now_ms() + 15_000, 100, &holds).unwrap();
    assert_eq!((report.collected, report.held, report.marked), (1, 1, 1));
    assert!(
        hashes[..3]
            .iter()
            .all(|hash| store.is_stored(hash).unwrap())
    );
}

#[test]
fn a_budget_is_kept_and_the_next_call_goes_on() {
    let bench = Bench::new(1);
    let store = bench.open();
    for number in 0..10 {
        store.put(&block(number)).unwrap();
    }
    let now_ms = bench.much_later();
    let reports: Vec<_> = (0..4)
        .map(|_| store.collect(now_ms, 3, &NoHolds).unwrap())
        .collect();
    assert_eq!(
        reports
            .iter()
            .map(|report| report.marked)
            .collect::<Vec<_>>(),
        [3, 3, 3, 1]
    );
    assert!(reports[3].is_round_complete && !reports[2].is_round_complete);
}

#[test]
fn a_block_with_two_owners_stays_until_both_are_gone() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    for owner in [1, 2, 2] {
        store.refer(&hash, owner).unwrap();
    }
    store.unrefer(&hash, 1);
    for _ in 0..3 {
        assert_eq!(collect(&store, bench.much_later()).marked, 0);
    }
    store.unrefer(&hash, 2);
    collect(&store, bench.much_later());
    assert_eq!(collect(&store, bench.much_later()).collected, 1);
}
