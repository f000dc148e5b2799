//! Disks that come, go, fill up and are emptied.

use super::*;

impl Bench {
    /// Two copies where there can be, one at least, on `targets` targets.
    fn degradable(targets: usize) -> Bench {
        let mut bench = Bench::new(2);
        bench.targets = targets;
        bench.options.min_replicas = 1;
        bench
    }
}

impl BlockStore {
    /// Heals until nothing is left to do.
    fn heal_all(&self) -> HealReport {
        let mut sum = HealReport::default();
        loop {
            let report = self.heal(&mut |_| true).unwrap();
            sum.copied += report.copied;
            sum.dropped += report.dropped;
            sum.lost += report.lost;
            // A nudged appender seals the open extent; a put comes after that.
            self.put(&block(1_000_000 + sum.copied)).unwrap();
            if report.is_done && self.storage_status().unwrap().draining_extents == 0 {
                sum.stuck = report.stuck;
                return sum;
            }
        }
    }
}

fn fill(store: &BlockStore, from: u64) -> Vec<(BlockHash, Vec<u8>)> {
    (from..from + 12)
        .map(|seed| noise(seed, 20_000))
        .map(|bytes| (store.put(&bytes).unwrap(), bytes))
        .collect()
}

fn all_there(store: &BlockStore, blocks: &[(BlockHash, Vec<u8>)]) {
    for (hash, bytes) in blocks {
        assert_eq!(store.get(hash).unwrap(), *bytes);
    }
}

#[test]
fn a_target_that_goes_while_writing_costs_a_copy_and_nothing_else() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let mut blocks = fill(&store, 0);
    let folder = bench.folder_of(1);
    let away = bench.folder.path().join("away");
    std::fs::rename(&folder, &away).unwrap();
    std::fs::create_dir(&folder).unwrap(); // an empty mount point
    store.heal(&mut |_| true).unwrap();
    blocks.extend(fill(&store, 100));
    all_there(&store, &blocks);
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        0,
        "nothing is written there"
    );
    let status = store.storage_status().unwrap();
    assert_eq!((status.replicas_now, status.targets[1].online), (1, false));
    assert!(status.short_extents > 0);

    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&away, &folder).unwrap();
    store.heal_all();
    let status = store.storage_status().unwrap();
    assert_eq!((status.replicas_now, status.short_extents), (2, 0));
    all_there(&store, &blocks);
    assert_eq!(store.findings(), []);

    // Now the other one may go.
    drop(store);
    std::fs::remove_dir_all(bench.folder_of(0)).unwrap();
    all_there(&bench.open(), &blocks);
}

#[test]
fn with_too_few_targets_a_write_is_refused_clearly_and_works_again() {
    let mut bench = Bench::degradable(2);
    bench.options.min_replicas = 2;
    let store = bench.open();
    fill(&store, 0);
    let (folder, away) = (bench.folder_of(1), bench.folder.path().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    store.heal(&mut |_| true).unwrap();
    let refused = store.put(&noise(77, 1000));
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    std::fs::rename(&away, &folder).unwrap();
    store.heal(&mut |_| true).unwrap();
    store.put(&noise(77, 1000)).unwrap();
    assert_eq!(store.findings(), []);
}

#[test]
fn a_full_target_is_passed_over_and_caught_up() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let mut blocks = fill(&store, 0);
    store.disk(1).faults.set_room(0);
    blocks.extend(fill(&store, 100));
    assert!(store.storage_status().unwrap().targets[1].failing);
    let report = store.heal(&mut |_| true).unwrap();
    assert!(report.stuck > 0 && report.copied == 0, "{report:?}");
    store.disk(1).faults.set_room(i64::MAX);
    assert_eq!(store.heal_all().stuck, 0);
    let status = store.storage_status().unwrap();
    assert_eq!(
        (status.short_extents, status.targets[1].failing),
        (0, false)
    );
    all_there(&store, &blocks);
    assert_eq!(store.findings(), []);
}

#[test]
fn an_emptied_disk_is_adopted_and_filled_from_the_other() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let blocks = fill(&store, 0);
    drop(store);
    std::fs::remove_dir_all(bench.folder_of(0)).unwrap();
    let store = bench.open();
    all_there(&store, &blocks);
    let report = store.heal(&mut |_| true).unwrap();
    assert!(report.stuck > 0, "it is not taken without being told");
    store.adopt("t0").unwrap();
    let report = store.heal_all();
    assert!(report.copied > 0 && report.lost == 0, "{report:?}");
    assert_eq!(store.findings(), []);
    drop(store);
    std::fs::remove_dir_all(bench.folder_of(1)).unwrap();
    all_there(&bench.open(), &blocks);
}

#[test]
fn a_target_is_added_and_another_drained() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let blocks = fill(&store, 0);
    let refused = store.drain_target("t0");
    assert!(refused.is_err(), "two copies need two targets");
    store.add_target(bench.target(2)).unwrap();
    store.drain_target("t0").unwrap();
    let mut first = 0;
    let stopped = store.heal(&mut |bytes| {
        first += bytes;
        first < 30_000
    });
    assert_eq!(
        stopped.unwrap().copied,
        0,
        "ended in the middle of an extent"
    );
    let report = store.heal_all();
    assert!(report.copied > 2 && report.dropped > 2, "{report:?}");
    let status = store.storage_status().unwrap();
    assert_eq!(
        (status.targets[0].extents, status.targets[0].draining),
        (0, true)
    );
    let left = std::fs::read_dir(bench.folder_of(0)).unwrap();
    assert_eq!(left.count(), 1, "the marker alone");
    drop(store);
    std::fs::remove_dir_all(bench.folder_of(0)).unwrap();
    // The configuration names two; what was said since is remembered.
    let store = bench.open();
    all_there(&store, &blocks);
    let more = fill(&store, 200);
    for (_, extent) in store.extents().unwrap() {
        assert!(!extent.targets.contains(&"t0".to_owned()));
    }
    all_there(&store, &more);
    assert_eq!(store.findings(), []);
}

#[test]
fn a_dead_disk_is_replaced_after_a_while() {
    let bench = Bench::degradable(3);
    let store = bench.open();
    let blocks = fill(&store, 0);
    std::fs::remove_dir_all(bench.folder_of(2)).unwrap();
    store.heal(&mut |_| true).unwrap();
    assert!(
        store.storage_status().unwrap().short_extents > 0,
        "it may come back"
    );
    bench.clock.advance_ms(3_600_000);
    let report = store.heal_all();
    assert!(report.copied > 0, "{report:?}");
    assert_eq!(store.storage_status().unwrap().short_extents, 0);
    all_there(&store, &blocks);
    assert_eq!(store.findings(), []);
}

#[test]
fn every_file_can_say_when_it_was_verified() {
    let bench = Bench::new(2);
    let store = bench.open();
    let (hash, _) = fill(&store, 0).remove(0);
    let never = store.kept(&[hash]).unwrap();
    assert_eq!(
        (never.verified_ms, never.copies, never.wanted),
        (None, 2, 2)
    );
    let budget = ScrubBudget {
        blocks: 5,
        bytes: u64::MAX,
    };
    let (first_ms, mut position) = (bench.now_ms(), None);
    let mut examined = 0;
    loop {
        let report = store.scrub(first_ms, position, budget).unwrap();
        examined += report.examined;
        position = report.position;
        if report.examined == 0 {
            break;
        }
    }
    assert_eq!(examined, 12);
    assert_eq!(store.kept(&[hash]).unwrap().verified_ms, Some(first_ms));
    let late = store.put(&noise(500, 10)).unwrap();
    assert_eq!(
        store.kept(&[hash, late]).unwrap().verified_ms,
        None,
        "written since"
    );

    let due = |store: &BlockStore| {
        let all = ScrubBudget {
            blocks: 1000,
            bytes: u64::MAX,
        };
        store.scrub(bench.now_ms(), None, all).unwrap().examined
    };
    let day = 24 * 3_600_000;
    bench.clock.advance_ms(day + 1);
    assert_eq!(due(&store), 13, "young ones daily");
    bench.clock.advance_ms(day);
    assert_eq!(due(&store), 13);
    bench.clock.advance_ms(8 * day);
    assert_eq!(due(&store), 0, "old ones monthly");
    bench.clock.advance_ms(30 * day);
    let (path, offset) = store.path(&hash, 0);
    damage::flip(&path, offset + 60);
    let (path, offset) = store.path(&late, 0);
    damage::flip(&path, offset + 60);
    let (path, offset) = store.path(&late, 1);
    damage::flip(&path, offset + 60);
    let all = ScrubBudget {
        blocks: 1000,
        bytes: u64::MAX,
    };
    let report = store.scrub(bench.now_ms(), None, all).unwrap();
    assert_eq!((report.repaired, report.lost), (1, 1));
    assert_eq!(store.kept(&[late]).unwrap().verified_ms, None, "lost");
}

#[test]
fn a_read_only_disk_is_passed_over_or_refuses_clearly() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let mut blocks = fill(&store, 0);
    store.disk(0).faults.set_read_only(true);
    blocks.extend(fill(&store, 100));
    all_there(&store, &blocks);
    store.disk(1).faults.set_read_only(true);
    let refused = store.put(&noise(900, 1000));
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    all_there(&store, &blocks);
    store.disk(0).faults.set_read_only(false);
    store.disk(1).faults.set_read_only(false);
    store.heal_all();
    assert_eq!(store.storage_status().unwrap().short_extents, 0);
    assert_eq!(store.findings(), []);
}

#[test]
fn the_only_good_copy_of_a_block_survives_copying() {
    let bench = Bench::degradable(2);
    let store = bench.open();
    let blocks = fill(&store, 0);
    let place = store.place(&blocks[0].0);
    assert_eq!(store.extents().unwrap()[0].1.state, State::Sealed);
    // On one disk the extent is cut, on the other its first block is damaged.
    let (path, offset) = store.path(&blocks[0].0, 0);
    damage::flip(&path, offset + 60);
    let cut = store.disk(1).path(place.extent);
    let length = std::fs::metadata(&cut).unwrap().len();
    let file = std::fs::File::options().write(true).open(&cut).unwrap();
    file.set_len(length - 100).unwrap();
    store.disk(1).close();
    let report = store.heal_all();
    assert_eq!((report.copied, report.lost), (1, 0));
    all_there(&store, &blocks);
    store.repair(&blocks[0].0).unwrap();
    assert_eq!(store.findings(), []);
}
