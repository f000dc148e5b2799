//! Key rotation and the wrong keys.

use super::*;

#[test]
fn rotation_rewraps_rows_and_moves_no_data() {
    let bench = Bench::new(1);
    let store = bench.open();
    let old: Vec<_> = (0..10)
        .map(|number| store.put(&block(number)).unwrap())
        .collect();
    let places: Vec<_> = old.iter().map(|hash| store.place(hash)).collect();
    assert_eq!(store.rotate_key().unwrap(), 2);
    let new = store.put(&block(100)).unwrap();
    assert_eq!(store.shared.row(&new).unwrap().unwrap().key.kek, 2);
    let error = store.retire_key(1).unwrap_err().to_string();
    assert!(error.contains("10 blocks"), "{error}");
    let wrapped = store.blocks_by_version().unwrap();
    assert_eq!(wrapped, [(1, 10), (2, 1)].into());
    let (mut position, mut rewrapped) = (Vec::new(), 0);
    loop {
        let report = store.rewrap(&position, 4).unwrap();
        rewrapped += report.rewrapped;
        match report.position {
            Some(next) => position = next,
            None => break,
        }
    }
    assert_eq!(rewrapped, 10);
    store.retire_key(1).unwrap();
    assert_eq!(bench.keys.versions(), [2]);
    assert!(store.retire_key(2).is_err());
    assert_eq!(
        old.iter().map(|hash| store.place(hash)).collect::<Vec<_>>(),
        places
    );
    assert_eq!(store.findings(), []);
    drop(store);
    assert_eq!(bench.open().get(&old[3]).unwrap(), block(3));
}

#[test]
fn writers_go_on_while_keys_rotate_and_retire() {
    let bench = Bench::new(1);
    let store = bench.open();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..120 {
                store.put(&block(number)).unwrap();
            }
        });
        for version in 1..4 {
            store.rotate_key().unwrap();
            while store.retire_key(version).is_err() {
                store.rewrap(&[], 10_000).unwrap();
            }
        }
        writer.join().unwrap();
    });
    assert_eq!(bench.keys.versions(), [4]);
    assert_eq!(store.findings(), []);
}

#[test]
fn another_ring_is_refused_before_anything_is_written() {
    let bench = Bench::new(1);
    let kv = bench.kv();
    assert!(!holds_data(&*kv).unwrap());
    let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    store.put(&block(1)).unwrap();
    drop(store);
    assert!(holds_data(&*kv).unwrap());
    let error = bench
        .open_on(kv.clone(), &Keyring::in_memory().unwrap())
        .err()
        .unwrap();
    assert!(matches!(error, Error::Key(_)), "{error}");
    bench.open_on(kv, &bench.keys).unwrap();
}
