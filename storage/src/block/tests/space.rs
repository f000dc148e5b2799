//! Full and failing disks.

use super::*;

#[test]
fn a_full_disk_refuses_hurts_nothing_and_recovers() {
    let bench = Bench::new(2);
    let store = bench.open();
    let kept: Vec<_> = (0..10)
        .map(|number| store.put(&block(number)).unwrap())
        .collect();
    let (path, _) = store.path(&kept[0], 1);
    let before = std::fs::read(&path).unwrap();
    for room in [0, 10] {
        store.disk(1).faults.set_room(room);
        assert!(matches!(store.put(&block(100)), Err(Error::NoSpace(_))));
        assert_eq!(
            std::fs::read(&path).unwrap(),
            before,
            "the half-written tail is gone"
        );
        assert_eq!(std::fs::read(store.path(&kept[0], 0).0).unwrap(), before);
    }
    assert!(matches!(
        store.get(&BlockHash::of(&block(100))),
        Err(Error::BlockMissing(_))
    ));
    store.disk(1).faults.set_room(i64::MAX);
    let hash = store.put(&block(100)).unwrap();
    assert_eq!(
        store.place(&hash).extent,
        store.place(&kept[0]).extent,
        "the extent goes on"
    );
    assert_eq!(store.findings(), []);
    drop(store);
    assert_eq!(bench.open().findings(), []);
}

#[test]
fn a_full_disk_also_refuses_to_begin_an_extent() {
    let bench = Bench::new(1);
    let store = bench.open();
    store.disk(0).faults.set_room(0);
    for _ in 0..3 {
        assert!(matches!(store.put(&block(1)), Err(Error::NoSpace(_))));
    }
    store.disk(0).faults.set_room(i64::MAX);
    store.put(&block(1)).unwrap();
    assert_eq!(store.findings(), []);
    assert_eq!(store.extents().unwrap().len(), 1);
}

#[test]
fn another_target_takes_the_place_of_a_full_one() {
    let mut bench = Bench::new(2);
    bench.targets = 3;
    let store = bench.open();
    let first = store.put(&block(1)).unwrap();
    let full = store.extents().unwrap()[0].1.targets[1].clone();
    store.shared.disk(&full).unwrap().faults.set_room(0);
    let second = store.put(&block(2)).unwrap();
    let extents = store.extents().unwrap();
    assert_eq!(extents.len(), 2);
    assert_eq!(
        (extents[0].1.state, extents[1].1.state),
        (State::Sealed, State::Open)
    );
    assert!(!extents[1].1.targets.contains(&full));
    assert_eq!(
        (store.get(&first).unwrap(), store.get(&second).unwrap()),
        (block(1), block(2))
    );
    assert_eq!(store.findings(), []);
}

#[test]
fn a_failed_fsync_abandons_the_extent() {
    let bench = Bench::new(2);
    let store = bench.open();
    let first = store.put(&block(1)).unwrap();
    store.disk(0).faults.set_fails_sync(true);
    assert!(matches!(store.put(&block(2)), Err(Error::Io { .. })));
    store.disk(0).faults.set_fails_sync(false);
    assert!(matches!(
        store.get(&BlockHash::of(&block(2))),
        Err(Error::BlockMissing(_))
    ));
    let again = store.put(&block(2)).unwrap();
    assert_ne!(store.place(&again).extent, store.place(&first).extent);
    assert_eq!(store.extents().unwrap()[0].1.state, State::Sealed);
    assert_eq!(store.findings(), []);
    drop(store);
    assert_eq!(bench.open().findings(), []);
}

#[test]
fn replicas_go_to_different_zones() {
    let bench = Bench::new(2);
    let zones = ["a", "a", "b"];
    let targets = zones.iter().enumerate().map(|(number, zone)| Target {
        zone: (*zone).into(),
        ..bench.target(number)
    });
    let store = BlockStore::open(
        bench.kv(),
        targets.collect(),
        bench.options.clone(),
        bench.keys.clone(),
        bench.clock.clone(),
    );
    let store = store.unwrap();
    for number in 0..6 {
        store.put(&noise(number, 50_000)).unwrap();
    }
    let extents = store.extents().unwrap();
    assert!(extents.len() > 3);
    assert!(
        extents
            .iter()
            .all(|(_, extent)| extent.targets.contains(&"t2".to_owned()))
    );
}
