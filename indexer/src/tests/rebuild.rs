//! A new generation beside the searched one: it goes on after a restart, and rests when it is told to.

use storage::meta::Account;

use super::{World, at};
use crate::status::ShardStatus;

/// Files and folders of [`filled`].
const NODES: u64 = 40 + 5 + 15;

/// A world with some files in folders, all indexed.
fn filled() -> (World, Account) {
    let mut world = World::new(2);
    let account = world.account("ann@example.com");
    for number in 0..40 {
        let path = format!("/f{}/g{}/{number}.txt", number % 5, number % 3);
        world.put(&account, &path, number % 8).expect("a file");
    }
    world.extract(100);
    world.settle();
    assert_eq!(world.truth(), world.index());
    (world, account)
}

fn made(world: &World) -> u64 {
    let shards = world.index.shards().iter();
    shards.map(|shard| shard.status().rebuilt_documents).sum()
}

fn any(world: &World, is: impl Fn(&ShardStatus) -> bool) -> bool {
    world.index.shards().iter().any(|shard| is(&shard.status()))
}

#[test]
fn a_rebuild_goes_on_after_a_restart() {
    let (mut world, account) = filled();
    world.index.rebuild();
    for _ in 0..8 {
        world.step();
    }
    world.index.commit_new().expect("a commit");
    let begun = made(&world);
    assert!(begun > 0 && begun < NODES, "{begun} of the documents");
    world.put(&account, "/f1/new.txt", 3).expect("a file");
    world.reopen();
    world.index.commit_new().expect("nothing new");
    assert_eq!(made(&world), begun, "what was made is kept");
    world.settle();
    assert_eq!(world.truth(), world.index());
    assert!(any(&world, |shard| shard.generation > 1));
    assert!(!any(&world, |shard| shard.rebuilding));
    world.reopen();
    assert_eq!(world.truth(), world.index(), "and stays");
}

#[test]
fn a_rebuild_that_rests_follows_changes_and_goes_on_later() {
    let (mut world, account) = filled();
    world.index.rebuild();
    world.step();
    world.index.pause(true).expect("a pause");
    for _ in 0..50 {
        world.step();
    }
    world.index.commit_new().expect("a commit");
    let rests = |shard: &ShardStatus| shard.rebuilding && shard.paused;
    assert!(any(&world, rests));
    let begun = made(&world);
    assert!(begun < NODES, "{begun} documents while it rests");
    world.reopen();
    world.step();
    assert!(any(&world, rests), "also after a restart");
    world.put(&account, "/f2/late.txt", 5).expect("a file");
    let meta = &world.sources.meta;
    meta.delete(account.actor(), &at("/f3"), None)
        .expect("gone");
    for _ in 0..20 {
        world.step();
    }
    world.commit();
    assert_eq!(world.truth(), world.index());
    assert!(any(&world, rests));
    world.index.pause(false).expect("no pause");
    world.settle();
    assert_eq!(world.truth(), world.index());
    assert!(!any(&world, |shard| shard.rebuilding || shard.paused));
}

#[test]
fn a_first_scan_goes_on_after_a_kill() {
    let (mut world, _) = filled();
    let documents = |world: &World| -> u64 {
        let shards = world.index.shards().iter();
        shards.map(|shard| shard.status().documents).sum()
    };
    world.index.close();
    for shard in ["shard-00", "shard-01"] {
        std::fs::remove_dir_all(world.dir.path().join(shard)).expect("an index");
    }
    world.reopen();
    for _ in 0..6 {
        world.step();
    }
    world.commit();
    let begun = documents(&world);
    assert!(begun > 0 && begun < NODES, "{begun} of the documents");
    world.step();
    world.reopen();
    assert_eq!(documents(&world), begun);
    world.settle();
    assert_eq!(world.truth(), world.index());
}
