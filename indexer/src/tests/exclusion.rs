//! Gone means gone at once, and no longer. // I5 I6

use std::time::Instant;

use storage::meta::MemberPolicy;

use super::{World, at};

/// A world with `/f/doc.txt` and `/g/other.txt`, extracted and committed.
fn world() -> (World, storage::meta::Account) {
    let mut world = World::new(1);
    let account = world.account("a@example.com");
    world.put(&account, "/f/deep/doc.txt", 1).expect("a file");
    world.put(&account, "/g/other.txt", 2).expect("a file");
    world.extract(10);
    world.settle();
    assert_eq!(world.found(account.root, "unique1").len(), 1);
    assert_eq!(world.found(account.root, "common").len(), 2);
    (world, account)
}

#[test]
fn i6_a_deleted_file_is_gone_before_any_commit() {
    let (mut world, account) = world();
    let meta = world.sources.meta.clone();
    meta.delete(account.actor(), &at("/f/deep/doc.txt"), None)
        .expect("deleted");
    assert!(world.found(account.root, "unique1").is_empty());
    assert_eq!(world.found(account.root, "common").len(), 1);
    world.settle();
    assert!(world.view(account.root).exclusions.is_empty());
    assert!(world.found(account.root, "unique1").is_empty());
}

#[test]
fn i6_a_deleted_folder_takes_everything_below_it() {
    let (world, account) = world();
    world
        .sources
        .meta
        .delete(account.actor(), &at("/f"), None)
        .expect("deleted");
    assert!(world.found(account.root, "unique1").is_empty());
    assert_eq!(world.found(account.root, "common").len(), 1);
}

#[test]
fn i6_what_was_restored_is_back_after_the_commit() {
    let (mut world, account) = world();
    let meta = world.sources.meta.clone();
    let place = meta
        .delete(account.actor(), &at("/f"), None)
        .expect("deleted");
    world.settle();
    meta.undelete(account.actor(), place.node.id)
        .expect("restored");
    assert!(world.found(account.root, "unique1").is_empty());
    world.settle();
    assert_eq!(world.found(account.root, "unique1").len(), 1);
}

#[test]
fn i6_a_folder_that_became_a_namespace_is_found_there_only() {
    let (mut world, account) = world();
    let meta = world.sources.meta.clone();
    let shared = meta
        .share_folder(account.actor(), &at("/f"), MemberPolicy::default())
        .expect("shared");
    assert!(world.found(account.root, "unique1").is_empty());
    world.settle();
    assert!(world.found(account.root, "unique1").is_empty());
    assert_eq!(world.found(shared, "unique1").len(), 1);
}

#[test]
fn a_new_version_hides_the_old_words_at_once() {
    let (mut world, account) = world();
    world.put(&account, "/g/other.txt", 3).expect("a version");
    assert!(world.found(account.root, "unique2").is_empty());
    world.extract(10);
    world.settle();
    assert!(world.found(account.root, "unique2").is_empty());
    assert_eq!(world.found(account.root, "unique3").len(), 1);
}

#[test]
fn a_rename_keeps_its_document_and_a_move_out_and_in_again_too() {
    let (mut world, account) = world();
    let meta = world.sources.meta.clone();
    let step = |from: &str, to: &str| {
        meta.relocate(account.actor(), &at(from), &at(to), false)
            .expect("moved")
    };
    step("/f", "/h");
    assert_eq!(world.found(account.root, "unique1").len(), 1);
    step("/h/deep", "/deep");
    step("/deep", "/h/deep");
    assert_eq!(world.found(account.root, "unique1").len(), 1);
    world.settle();
    assert_eq!(world.found(account.root, "unique1").len(), 1);
    assert_eq!(world.truth(), world.index());
}

#[test]
fn a_file_moved_into_a_folder_that_is_then_deleted_is_gone() {
    let (world, account) = world();
    let meta = &world.sources.meta;
    meta.relocate(account.actor(), &at("/g"), &at("/f/g"), false)
        .expect("moved");
    meta.delete(account.actor(), &at("/f"), None)
        .expect("deleted");
    assert!(world.found(account.root, "common").is_empty());
}

#[test]
fn what_was_not_looked_at_in_time_is_partial() {
    let (world, account) = world();
    world
        .sources
        .meta
        .delete(account.actor(), &at("/f"), None)
        .expect("deleted");
    let late = world.index.shards()[0]
        .view(&[account.root], Instant::now())
        .expect("a commit");
    assert!(!late.complete);
    assert!(world.view(account.root).complete);
}

#[test]
fn a_deleted_file_is_found_among_the_deleted() {
    let (mut world, account) = world();
    world
        .sources
        .meta
        .delete(account.actor(), &at("/g/other.txt"), None)
        .expect("deleted");
    world.settle();
    let rows: Vec<_> = world
        .index()
        .into_values()
        .filter(|row| row.deleted)
        .collect();
    assert_eq!(
        rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
        ["other.txt"]
    );
}

#[test]
fn what_was_cut_off_the_log_makes_an_answer_partial() {
    let (world, account) = world();
    let meta = &world.sources.meta;
    for path in ["/f/deep/doc.txt", "/g/other.txt"] {
        meta.delete(account.actor(), &at(path), None)
            .expect("deleted");
    }
    let journal = &world.sources.journal;
    let partition = storage::journal::route(account.root, storage::meta::FileId(0));
    let head = journal.partition_head(partition).expect("a head");
    journal.cut(partition, head).expect("cut");
    assert!(!world.view(account.root).complete);
}

#[test]
fn i6_the_next_commit_goes_on_with_what_is_behind_its_checkpoint() {
    let (mut world, account) = world();
    for file in 0..8 {
        let path = format!("/g/new {file}.txt");
        world.put(&account, &path, 3).expect("a file"); // as many as one unit takes
    }
    world
        .put(&account, "/f/deep/doc.txt", 4)
        .expect("a new version");
    world
        .sources
        .meta
        .delete(account.actor(), &at("/g/other.txt"), None)
        .expect("deleted");
    let is_hidden = |world: &World| {
        let found = |word| world.found(account.root, word).len();
        assert_eq!((found("unique1"), found("unique2")), (0, 0));
    };
    is_hidden(&world);
    for _ in 0..3 {
        world.step();
        world.commit();
        is_hidden(&world);
    }
    world.extract(20);
    world.settle();
    is_hidden(&world);
    assert_eq!(world.found(account.root, "unique4").len(), 1);
    assert_eq!(world.found(account.root, "common").len(), 9);
}
