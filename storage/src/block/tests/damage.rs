//! Damaged and missing replicas.

use super::*;

pub fn flip(path: &std::path::Path, at: u64) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn every_flipped_byte_is_noticed_without_a_second_replica() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    let length = store.shared.row(&hash).unwrap().unwrap().record_len();
    let (path, offset) = store.path(&hash, 0);
    for at in offset..offset + length {
        flip(&path, at);
        assert!(
            matches!(store.get(&hash), Err(Error::Corrupt { .. })),
            "byte {at}"
        );
        flip(&path, at);
    }
    assert_eq!(store.get(&hash).unwrap(), block(1));
}

#[test]
fn every_flipped_byte_is_repaired_from_the_second_replica() {
    let bench = Bench::new(2);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    let length = store.shared.row(&hash).unwrap().unwrap().record_len();
    let (path, offset) = store.path(&hash, 0);
    let good = std::fs::read(&path).unwrap();
    for at in (offset..offset + length).step_by(5) {
        flip(&path, at);
        assert_eq!(store.get(&hash).unwrap(), block(1));
        assert_eq!(std::fs::read(&path).unwrap(), good);
    }
    let events = store.events(0, 2).unwrap();
    assert!(matches!(&events[0].1.kind, EventKind::Lost { .. }));
    assert_eq!(
        (&events[1].1.kind, events[1].1.target.as_str(), events[1].0),
        (&EventKind::Repaired, "t0", 2)
    );
    assert_eq!(store.cut_events(1, 100).unwrap(), 1);
    assert_eq!(store.events(0, 1).unwrap()[0].0, 2);
}

#[test]
fn the_verifier_names_bad_replicas_and_repair_mends_them() {
    let bench = Bench::new(3);
    let store = bench.open();
    let hashes: Vec<_> = (0..20)
        .map(|number| store.put(&block(number)).unwrap())
        .collect();
    let (path, offset) = store.path(&hashes[3], 2);
    flip(&path, offset + 60);
    let (missing, _) = store.path(&hashes[5], 1);
    store.disk(1).close();
    std::fs::remove_file(missing).unwrap();
    let found = store.findings();
    assert_eq!(found.len(), 21);
    let bad = found
        .iter()
        .filter(|finding| matches!(finding, Finding::BadReplica { target, .. } if target == "t2"));
    assert_eq!(bad.count(), 1);
    let budget = ScrubBudget {
        blocks: 15,
        bytes: u64::MAX,
    };
    let first = store.scrub(bench.now_ms(), None, budget).unwrap();
    assert!(first.position.is_some());
    let second = store.scrub(bench.now_ms(), first.position, budget).unwrap();
    assert_eq!(
        (
            first.examined + second.examined,
            first.repaired + second.repaired
        ),
        (20, 21)
    );
    assert_eq!((second.position, first.lost + second.lost), (None, 0));
    assert_eq!(store.findings(), []);
    assert!(store.repair(&hashes[0]).unwrap().is_empty());
}

#[test]
fn storing_a_damaged_block_again_heals_it() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    let (path, offset) = store.path(&hash, 0);
    flip(&path, offset + 70);
    store.put(&block(1)).unwrap();
    assert_eq!(store.get(&hash).unwrap(), block(1));
    assert_eq!(store.findings(), []);
}

#[test]
fn a_target_that_lost_its_content_is_left_alone_until_it_is_adopted() {
    let bench = Bench::new(2);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    drop(store);
    let folder = bench.folder_of(0);
    std::fs::remove_dir_all(&folder).unwrap();
    let store = bench.open();
    assert!(
        !folder.exists(),
        "an unmounted disk's place is not written to"
    );
    assert_eq!(store.get(&hash).unwrap(), block(1));
    assert!(store.put(&block(2)).is_err());
    store.adopt("t0").unwrap();
    store.put(&block(2)).unwrap();
    store.repair(&hash).unwrap();
    assert_eq!(store.findings(), []);
}

#[test]
fn a_folder_of_another_store_is_refused() {
    let bench = Bench::new(1);
    drop(bench.open());
    std::fs::remove_dir_all(bench.folder.path().join("kv")).unwrap();
    assert!(matches!(
        bench.open_on(bench.kv(), &bench.keys),
        Err(Error::Corrupt { .. })
    ));
}

#[test]
fn two_stores_never_write_into_one_folder() {
    let bench = Bench::new(1);
    let kv = bench.kv();
    let store = bench.open_on(kv.clone(), &bench.keys).unwrap();
    assert!(bench.open_on(kv.clone(), &bench.keys).is_err());
    drop(store);
    bench.open_on(kv, &bench.keys).unwrap();
}

#[test]
fn a_reference_to_nothing_is_found() {
    let bench = Bench::new(1);
    let store = bench.open();
    let hash = store.put(&block(1)).unwrap();
    store.refer(&hash, 1).unwrap();
    let key = row::block_key(&hash);
    let body = &mut |txn: &mut dyn crate::kv::Transaction| {
        txn.delete(key.clone());
        Ok(())
    };
    store.shared.store.transact(body).unwrap();
    assert!(matches!(store.findings()[..], [Finding::Dangling { .. }]));
    assert!(matches!(store.refer(&hash, 2), Err(Error::BlockMissing(_))));
}
