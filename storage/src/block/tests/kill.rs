//! A process that is killed while it writes has everything it acknowledged.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::key::Source;

const FOLDER: &str = "FIREFLY_TEST_KILLED_FOLDER";

fn open(folder: &std::path::Path) -> BlockStore {
    let kv = LevelDbStore::open(&folder.join("kv"), leveldb::Options::default()).unwrap();
    let keys = Keyring::open(
        Source::File(folder.join("kek.json")),
        holds_data(&kv).unwrap(),
    )
    .unwrap();
    let targets = vec![
        Target::new("a", folder.join("a")),
        Target::new("b", folder.join("b")),
    ];
    let options = Options {
        replicas: 2,
        min_replicas: 2,
        extent_bytes: 100_000,
        ..Options::default()
    };
    BlockStore::open(Arc::new(kv), targets, options, keys, Env::system().clock).unwrap()
}

/// The child's part: does nothing unless the parent asks.
#[test]
fn child_writes_until_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let store = open(std::path::Path::new(&folder));
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for number in 0.. {
                    let seed = writer * 1_000_000 + number;
                    store
                        .put(&noise(seed, 500 + (seed % 1_500) as usize))
                        .unwrap();
                    println!("\nstored {seed}");
                }
            });
        }
    });
}

#[test]
fn what_was_acknowledged_before_kill_9_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for (round, lines) in [7, 60, 200].into_iter().enumerate() {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "block::tests::kill::child_writes_until_killed",
                "--nocapture",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let stored = output
            .lines()
            .map_while(std::result::Result::ok)
            .filter_map(|line| {
                line.strip_prefix("stored ")
                    .and_then(|seed| seed.parse::<u64>().ok())
            });
        let mut stored = stored.fuse();
        acknowledged.extend(stored.by_ref().take(lines));
        child.kill().unwrap();
        child.wait().unwrap();
        acknowledged.extend(stored);
        let store = open(folder.path());
        assert!(acknowledged.len() >= lines, "round {round}");
        for seed in &acknowledged {
            let bytes = noise(*seed, 500 + (seed % 1_500) as usize);
            assert_eq!(store.get(&BlockHash::of(&bytes)).unwrap(), bytes);
        }
        assert_eq!(store.findings(), []);
    }
}
