//! Backups of a store on real files, and what is made of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::Error;
use crate::block::{BlockStore, Options, Target};
use crate::chunk::{BlockHash, content_hash};
use crate::key::{Keyring, Source as KeySource};
use crate::kv::Store;
use crate::kv::leveldb::{self, LevelDbStore};
use crate::meta::env::ManualClock;
use crate::meta::{Account, Address, Entry, Env, Meta, NewFile, WriteMode};

/// A store in a folder, opened.
struct Bench {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    blocks: BlockStore,
    keys: Keyring,
    meta: Meta,
}

const EMAIL: &str = "ann@example.org";

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeySource::File(folder.path().join("kek.json"));
        Bench::open(folder, Keyring::open(keys, false).unwrap())
    }

    fn open(folder: tempfile::TempDir, keys: Keyring) -> Bench {
        let store = LevelDbStore::open(&folder.path().join("meta"), leveldb::Options::default());
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let (env, clock) = Env::seeded(7, 1_800_000_000_000);
        let options = Options {
            extent_bytes: 256 * 1024,
            cache_bytes: 0,
            ..Options::default()
        };
        let target = Target::new("blocks", folder.path().join("blocks"));
        let opened = BlockStore::open(
            store.clone(),
            vec![target],
            options,
            keys.clone(),
            env.clock.clone(),
        );
        Bench {
            meta: Meta::open(store.clone(), env).unwrap(),
            blocks: opened.unwrap(),
            folder,
            clock,
            store,
            keys,
        }
    }

    fn account(&self) -> Account {
        match self.meta.account_by_email(EMAIL).unwrap() {
            Some(account) => account,
            None => self.meta.create_account(EMAIL, "Ann", false).unwrap(),
        }
    }

    fn write(&self, path: &str, content: &[u8]) {
        let blocks: Vec<BlockHash> = content
            .chunks(100_000)
            .map(|part| self.blocks.put(part).unwrap())
            .collect();
        let file = NewFile {
            size: content.len() as u64,
            content_hash: content_hash(&blocks),
            blocks,
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        let at = Address::parse(path).unwrap();
        self.meta
            .commit_file(self.account().actor(), &at, &file)
            .unwrap();
    }

    /// Every path with its content.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let view = self.meta.view(self.account().id).unwrap();
        let root = view.resolve(self.account().root, &Address::Path(Vec::new()));
        let mut found = BTreeMap::new();
        view.walk(&root.unwrap(), None, false, &mut |entry| {
            if let Entry::Live(place) = entry
                && let Some(head) = place.node.head()
            {
                let parts = head
                    .blocks
                    .iter()
                    .map(|hash| self.blocks.get(hash).unwrap());
                found.insert(place.path_display.clone(), parts.flatten().collect());
            }
            Ok(true)
        })
        .unwrap();
        found
    }

    fn take_telling(&self, depot: &Depot, with: &WithKeys, tell: Tell<'_>) -> crate::Result<Point> {
        self.clock.advance_ms(60_000);
        let source = Source {
            store: &*self.store,
            blocks: &self.blocks,
            keys: &self.keys,
            clock: &*self.clock,
        };
        take(&source, depot, with, tell)
    }

    fn take(&self, depot: &Depot, with: &WithKeys) -> Point {
        self.take_telling(depot, with, &mut |_| true).unwrap()
    }

    /// Everything that is wrong with the store.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.meta.check(100, &mut |_| {}).unwrap();
        let report = self.blocks.verify(&mut |finding| {
            problems.push(format!("{finding:?}"));
            true
        });
        let faults = report.unwrap().faults;
        problems.retain(|problem| !problem.starts_with("Progress"));
        assert_eq!(faults as usize, problems.len());
        problems
    }
}

fn depot() -> (tempfile::TempDir, Depot) {
    let folder = tempfile::tempdir().unwrap();
    let depot = Depot::open(&folder.path().display().to_string()).unwrap();
    (folder, depot)
}

fn restored(depot: &Depot, point: &Point, passphrase: Option<&Passphrase>) -> crate::Result<Bench> {
    let folder = tempfile::tempdir().unwrap();
    let into = Destination {
        database: None,
        data: folder.path(),
        keys: KeySource::File(folder.path().join("kek.json")),
        targets: vec![Target::new("blocks", folder.path().join("blocks"))],
        replicas: 1,
    };
    let keys = restore(depot, point, passphrase, &into, &mut |_| true)?;
    Ok(Bench::open(folder, keys))
}

fn verified(depot: &Depot, point: &Point, keys: Option<Keyring>) -> VerifyReport {
    let scratch = tempfile::tempdir().unwrap();
    verify(depot, point, keys, None, scratch.path(), &mut |_| true).unwrap()
}

/// Bytes that do not compress.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    use rand::{RngCore, SeedableRng};
    let mut bytes = vec![0; length];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[test]
fn a_later_point_stores_only_what_is_new_and_each_comes_back() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    for n in 0..20 {
        bench.write(&format!("/a/{n}.bin"), &noise(n, 150_000));
    }
    let (first, before) = (bench.take(&depot, &WithKeys::Plain), bench.files());
    bench.write("/a/3.bin", &noise(99, 10_000));
    let account = bench.account();
    let at = Address::parse("/a/5.bin").unwrap();
    bench.meta.delete(account.actor(), &at, None).unwrap();
    let (second, after) = (bench.take(&depot, &WithKeys::Plain), bench.files());
    assert!(first.new_bytes > 3_000_000, "{}", first.new_bytes);
    assert!(second.new_bytes < 100_000, "{}", second.new_bytes);
    for (point, wanted) in [(&first, before), (&second, after)] {
        let report = verified(&depot, point, None);
        assert_eq!(report.problems, [""; 0]);
        assert!(report.decrypted && report.blocks >= 40);
        let copy = restored(&depot, point, None).unwrap();
        assert_eq!(copy.files(), wanted);
        assert_eq!(copy.problems(), [""; 0]);
        copy.write("/new", b"a restored store goes on");
        assert_eq!(copy.files()["/new"], b"a restored store goes on");
    }
    assert_eq!(choose(&depot, None, None).unwrap(), second);
    assert_eq!(choose(&depot, None, Some(second.at_ms - 1)).unwrap(), first);
    assert!(choose(&depot, None, Some(first.at_ms - 1)).is_err());
}

#[test]
fn one_that_was_ended_goes_on_where_it_was() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    for n in 0..20 {
        bench.write(&format!("/{n}.bin"), &noise(n, 150_000));
    }
    let mut stop = |progress: &Progress| progress.blocks < 25;
    assert!(
        bench
            .take_telling(&depot, &WithKeys::No, &mut stop)
            .is_err()
    );
    assert!(points(&depot).unwrap().is_empty(), "it does not count");
    let point = bench.take(&depot, &WithKeys::No);
    assert!(
        point.new_bytes < 2_500_000,
        "the rest alone: {}",
        point.new_bytes
    );
    let report = verified(&depot, &point, Some(bench.keys.clone()));
    assert_eq!((report.problems.len(), report.decrypted), (0, true));
}

#[test]
fn what_dies_and_moves_meanwhile_is_in_the_backup() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    for n in 0..10 {
        bench.write(&format!("/{n}.bin"), &noise(n, 90_000));
    }
    let wanted = bench.files();
    let mut begun = false;
    let point = bench.take_telling(&depot, &WithKeys::Plain, &mut |progress| {
        if progress.phase == "blocks" && !begun {
            begun = true;
            for n in 0..9 {
                let at = Address::parse(&format!("/{n}.bin")).unwrap();
                bench
                    .meta
                    .delete(bench.account().actor(), &at, None)
                    .unwrap();
            }
            bench.clock.advance_ms(100 * 24 * 3_600_000);
            while bench.meta.purge(bench.clock_ms()).unwrap().more {}
            for _ in 0..3 {
                bench.clock.advance_ms(10 * 3_600_000);
                let now_ms = bench.clock_ms() as u64;
                bench
                    .blocks
                    .collect(now_ms, 1000, &crate::block::NoHolds)
                    .unwrap();
            }
            assert!(bench.blocks.compactable(10).unwrap().is_empty(), "pinned");
            for (id, extent) in bench.blocks.extents().unwrap() {
                if extent.state == crate::block::State::Sealed {
                    assert!(bench.blocks.compact(id).is_err(), "its files stay");
                }
            }
        }
        true
    });
    assert!(begun);
    let copy = restored(&depot, &point.unwrap(), None).unwrap();
    assert_eq!(copy.files(), wanted);
    assert_eq!(copy.problems(), [""; 0]);
    assert!(
        !bench.blocks.compactable(10).unwrap().is_empty(),
        "the pin is gone"
    );
}

impl Bench {
    fn clock_ms(&self) -> i64 {
        use crate::meta::Clock;
        self.clock.now_ms()
    }
}

#[test]
fn without_the_right_keys_nothing_is_pretended() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    bench.write("/a", b"secret");
    let bare = bench.take(&depot, &WithKeys::No);
    assert_eq!(
        (bare.keys, &bare.key_versions[..]),
        (KeysIncluded::No, &[1][..])
    );
    let report = verified(&depot, &bare, None);
    assert!(!report.decrypted && report.problems.is_empty());
    assert!(matches!(restored(&depot, &bare, None), Err(Error::Key(_))));
    let other = Keyring::in_memory().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let wrong = verify(
        &depot,
        &bare,
        Some(other),
        None,
        scratch.path(),
        &mut |_| true,
    );
    assert!(matches!(wrong, Err(Error::Key(_))), "{wrong:?}");

    let passphrase = Passphrase::new("correct horse battery\n").unwrap();
    let sealed = bench.take(&depot, &WithKeys::Sealed(passphrase.clone()));
    assert!(matches!(
        restored(&depot, &sealed, None),
        Err(Error::Key(_))
    ));
    let guess = Passphrase::new("correct horse batterie").unwrap();
    assert!(matches!(
        restored(&depot, &sealed, Some(&guess)),
        Err(Error::Key(_))
    ));
    let copy = restored(&depot, &sealed, Some(&passphrase)).unwrap();
    assert_eq!(copy.files()["/a"], b"secret");
    assert!(Passphrase::new("short").is_err());
}

#[test]
fn damage_in_a_backup_is_found() {
    let (bench, (folder, depot)) = (Bench::new(), depot());
    for n in 0..5 {
        bench.write(&format!("/{n}"), &noise(n, 50_000));
    }
    let point = bench.take(&depot, &WithKeys::Plain);
    let mut objects = Vec::new();
    for of in ["rows", "segments"] {
        depot
            .each(of, &mut |object| {
                objects.push(object.name.clone());
                Ok(())
            })
            .unwrap();
    }
    assert!(objects.len() >= 3);
    for name in objects {
        let path = folder.path().join(&name);
        let good = std::fs::read(&path).unwrap();
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        for damaged in [Some(bad), Some(good[..middle].to_vec()), None] {
            match damaged {
                Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                None => std::fs::remove_file(&path).unwrap(),
            }
            let scratch = tempfile::tempdir().unwrap();
            let report = verify(&depot, &point, None, None, scratch.path(), &mut |_| true);
            assert!(
                report.is_err() || !report.unwrap().problems.is_empty(),
                "{name}"
            );
            assert!(restored(&depot, &point, None).is_err(), "{name}");
        }
        std::fs::write(&path, good).unwrap();
    }
    let manifest = folder.path().join(super::point::object(&point.name));
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"format\": 1", "\"format\": 2")).unwrap();
    assert!(
        matches!(points(&depot), Err(Error::Corrupt { .. })),
        "edited"
    );
}

#[test]
fn a_lost_block_is_named_and_taken_when_it_is_back() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    bench.write("/a", &noise(1, 50_000));
    bench.write("/b", &noise(2, 50_000));
    let path = bench.folder.path().join("blocks/0000000000000001.extent");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    bad[30_000] ^= 1;
    std::fs::write(&path, bad).unwrap();
    let point = bench.take(&depot, &WithKeys::Plain);
    assert_eq!(point.lost.len(), 1);
    let report = verified(&depot, &point, None);
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    std::fs::write(&path, good).unwrap();
    let point = bench.take(&depot, &WithKeys::Plain);
    assert_eq!(point.lost, []);
    assert_eq!(verified(&depot, &point, None).problems, [""; 0]);
    assert_eq!(
        restored(&depot, &point, None).unwrap().files(),
        bench.files()
    );
}

#[test]
fn pruning_leaves_what_the_kept_points_need() {
    let (bench, (folder, depot)) = (Bench::new(), depot());
    bench.write("/a", &noise(1, 300_000));
    let first = bench.take(&depot, &WithKeys::Plain);
    bench.write("/b", &noise(2, 300_000));
    let second = bench.take(&depot, &WithKeys::Plain);
    let keep = Keep {
        last: 1,
        since_ms: None,
    };
    let held = depot.lock("somebody else", bench.clock_ms()).unwrap();
    assert!(
        prune(&depot, keep, bench.clock_ms()).is_err(),
        "one writer at a time"
    );
    drop(held);
    let report = prune(&depot, keep, bench.clock_ms()).unwrap();
    assert_eq!((report.removed, report.kept), (vec![first.name.clone()], 1));
    assert!(report.objects > 0);
    assert_eq!(verified(&depot, &second, None).problems, [""; 0]);
    assert_eq!(
        restored(&depot, &second, None).unwrap().files(),
        bench.files()
    );
    let again = prune(&depot, Keep::default(), bench.clock_ms()).unwrap();
    assert_eq!((again.kept, again.objects), (1, 0), "the newest stays");
    assert!(!folder.path().join("writer.json").exists());
}

#[test]
fn a_restore_takes_empty_folders_only_and_can_be_begun_again() {
    let (bench, (_folder, depot)) = (Bench::new(), depot());
    bench.write("/a", &noise(1, 300_000));
    let point = bench.take(&depot, &WithKeys::Plain);
    let folder = tempfile::tempdir().unwrap();
    let into = Destination {
        database: None,
        data: folder.path(),
        keys: KeySource::File(folder.path().join("kek.json")),
        targets: vec![Target::new("blocks", folder.path().join("blocks"))],
        replicas: 1,
    };
    let killed = restore(&depot, &point, None, &into, &mut |progress| {
        progress.blocks == 0
    });
    assert!(killed.is_err() && !folder.path().join("meta").exists());
    restore(&depot, &point, None, &into, &mut |_| true).unwrap();
    assert!(
        restore(&depot, &point, None, &into, &mut |_| true).is_err(),
        "a store is there"
    );
    std::fs::remove_dir_all(folder.path().join("meta")).unwrap();
    assert!(
        restore(&depot, &point, None, &into, &mut |_| true).is_err(),
        "its blocks are there"
    );
}
