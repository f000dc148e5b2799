//! Targets on other machines, here objects in a folder: what all of them promise, and what becomes of damaged and lost objects.

use super::*;

impl Bench {
    /// Folders, and places for objects after them.
    fn open_remote(&self, folders: usize, remotes: usize) -> BlockStore {
        let mut targets: Vec<_> = (0..folders).map(|number| self.target(number)).collect();
        targets.extend((0..remotes).map(|number| self.remote(number)));
        BlockStore::open(
            self.kv(),
            targets,
            self.options.clone(),
            self.keys.clone(),
            self.clock.clone(),
        )
        .unwrap()
    }

    fn remote(&self, number: usize) -> Target {
        Target::at(format!("r{number}"), Place::Url(self.url(number)))
    }

    fn url(&self, number: usize) -> String {
        format!("file://{}", self.objects(number).display())
    }

    fn objects(&self, number: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("objects{number}"))
    }
}

impl BlockStore {
    /// Heals until nothing is left to be done, and seals what should be elsewhere on the way.
    fn settle(&self) {
        for turn in 0..200 {
            let report = self.heal(&mut |_| true).unwrap();
            assert_eq!(report.lost, 0);
            self.put(&noise(50_000 + turn, 100)).unwrap();
            let status = self.storage_status().unwrap();
            if report.is_done && status.draining_extents == 0 && status.short_extents == 0 {
                return;
            }
        }
        panic!("it does not settle: {:?}", self.storage_status().unwrap());
    }
}

fn fill(store: &BlockStore, numbers: std::ops::Range<u64>) -> Vec<(BlockHash, u64)> {
    numbers
        .map(|n| (store.put(&noise(n, 9_000)).unwrap(), n))
        .collect()
}

fn all_there(store: &BlockStore, blocks: &[(BlockHash, u64)]) {
    for (hash, n) in blocks {
        assert_eq!(store.get(hash).unwrap(), noise(*n, 9_000));
    }
    assert_eq!(store.findings(), []);
}

#[test]
fn objects_in_a_folder_conform() {
    let folder = tempfile::tempdir().unwrap();
    let scratch = folder.path();
    conformance::run(scratch, &|name| {
        format!("file://{}/objects/{name}", scratch.display())
    });
}

#[test]
fn what_is_acknowledged_survives_the_folder() {
    let mut bench = Bench::new(2);
    bench.options.min_replicas = 1;
    let store = bench.open_remote(1, 1);
    let blocks = fill(&store, 0..12);
    drop(store);
    std::fs::remove_dir_all(bench.folder.path().join("t0")).unwrap();
    let store = bench.open_remote(1, 1);
    for (hash, n) in &blocks {
        assert_eq!(store.get(hash).unwrap(), noise(*n, 9_000));
    }
    store.adopt("t0").unwrap();
    store.settle();
    all_there(&store, &blocks);
    assert_eq!(store.storage_status().unwrap().short_extents, 0);
}

#[test]
fn a_damaged_object_is_repaired_from_another_place() {
    let bench = Bench::new(2);
    let store = bench.open_remote(0, 2);
    let blocks = fill(&store, 0..20);
    store.settle();
    let location = store.place(&blocks[0].0);
    let path = bench
        .objects(0)
        .join(format!("extents/{}.extent", location.extent));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[location.offset as usize + 500] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(store.findings().len(), 1);
    assert_eq!(store.repair(&blocks[0].0).unwrap(), ["r0"]);
    all_there(&store, &blocks);
    assert_ne!(store.place(&blocks[0].0), location, "it has moved");
}

#[test]
fn an_object_that_is_gone_is_made_again() {
    let bench = Bench::new(2);
    let store = bench.open_remote(1, 1);
    let blocks = fill(&store, 0..20);
    store.settle();
    std::fs::remove_dir_all(bench.objects(0).join("extents")).unwrap();
    assert!(!store.findings().is_empty());
    store.settle();
    all_there(&store, &blocks);
}

#[test]
fn a_place_of_another_store_is_refused() {
    let (bench, other) = (Bench::new(1), Bench::new(1));
    drop(bench.open_remote(0, 1));
    let opened = BlockStore::open(
        other.kv(),
        vec![bench.remote(0)],
        other.options.clone(),
        other.keys.clone(),
        other.clock.clone(),
    );
    assert!(matches!(opened.err(), Some(Error::Corrupt { .. })));
}
