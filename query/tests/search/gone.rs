//! What is gone is no hit, no count and no facet on the very next search, without a commit in between. // I5 I6

use crate::bench::{Bench, NOW_MS, asked, deleted};

fn filled() -> (Bench, storage::meta::Account) {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/a/one.txt", "apple");
    bench.put(&ann, "/a/b/two.txt", "apple");
    bench.put(&ann, "/three.txt", "apple");
    bench.settle();
    assert_eq!(
        bench.found(&ann, "apple "),
        "/a/b/two.txt /a/one.txt /three.txt"
    );
    (bench, ann)
}

#[test]
fn deleted_files_and_folders_are_gone_and_come_back() {
    let (bench, ann) = filled();
    let file = bench.delete(&ann, "/three.txt");
    assert_eq!(bench.found(&ann, "apple "), "/a/b/two.txt /a/one.txt");
    let folder = bench.delete(&ann, "/a");
    assert_eq!(bench.found(&ann, "apple "), "");
    assert_eq!(bench.found(&ann, ""), "");
    bench
        .meta
        .undelete(ann.actor(), folder.node.id)
        .expect("back");
    assert_eq!(bench.found(&ann, "apple "), "/a/b/two.txt /a/one.txt");
    bench
        .meta
        .undelete(ann.actor(), file.node.id)
        .expect("back");
    bench.settle();
    assert_eq!(
        bench.found(&ann, "apple "),
        "/a/b/two.txt /a/one.txt /three.txt"
    );
    assert_eq!(bench.found_by(&ann, &deleted("")), "");
}

#[test]
fn deleted_ones_that_come_back_are_no_deleted_hits() {
    let (bench, ann) = filled();
    let folder = bench.delete(&ann, "/a");
    bench.settle();
    assert_eq!(
        bench.found_by(&ann, &deleted("")),
        "/a /a/b /a/b/two.txt /a/one.txt"
    );
    bench
        .meta
        .undelete(ann.actor(), folder.node.id)
        .expect("back");
    assert_eq!(bench.found_by(&ann, &deleted("")), "");
    bench.settle();
    assert_eq!(
        bench.found(&ann, "apple "),
        "/a/b/two.txt /a/one.txt /three.txt"
    );
}

#[test]
fn overwritten_words_are_gone() {
    let (bench, ann) = filled();
    bench.put(&ann, "/three.txt", "pear");
    assert_eq!(bench.found(&ann, "apple "), "/a/b/two.txt /a/one.txt");
    bench.settle();
    assert_eq!(bench.found(&ann, "pear "), "/three.txt");
}

#[test]
fn what_was_moved_is_found_in_its_new_place_only() {
    let (bench, ann) = filled();
    bench.relocate(&ann, "/three.txt", "/a/four.txt");
    bench.relocate(&ann, "/a/b", "/c");
    // Its words are found under the new paths, and the folders it left do not have it.
    assert_eq!(
        bench.found(&ann, "apple "),
        "/a/four.txt /a/one.txt /c/two.txt"
    );
    assert_eq!(bench.found(&ann, "apple in:/a "), "/a/one.txt");
    assert_eq!(bench.found(&ann, "apple in:/c "), "/c/two.txt");
    bench.settle();
    assert_eq!(bench.found(&ann, "apple in:/a "), "/a/four.txt /a/one.txt");
    assert_eq!(bench.found(&ann, "three "), "");
}

#[test]
fn members_who_leave_see_nothing_at_once() {
    let bench = Bench::new();
    let (ann, bob, cyd) = (
        bench.account("ann"),
        bench.account("bob"),
        bench.account("cyd"),
    );
    bench.put(&ann, "/shared/one.txt", "apple");
    let ns = bench.share(&ann, "/shared", &[&bob, &cyd]);
    bench.settle();
    for by in [&ann, &bob, &cyd] {
        assert_eq!(bench.found(by, "apple "), "/shared/one.txt");
        assert_eq!(bench.found(by, "shared "), "/shared /shared/one.txt");
    }
    bench
        .meta
        .remove_member(ann.actor(), ns, bob.id)
        .expect("removed");
    assert_eq!(bench.found(&bob, ""), "");
    bench.meta.unmount(cyd.actor(), ns).expect("unmounted");
    assert_eq!(bench.found(&cyd, ""), "");
    bench.meta.mount(cyd.actor(), ns).expect("mounted");
    assert_eq!(bench.found(&cyd, "apple "), "/shared/one.txt");
    bench.meta.unshare(ann.actor(), ns).expect("unshared");
    assert_eq!(bench.found(&cyd, ""), "");
    assert_eq!(bench.found(&ann, "apple "), "/shared/one.txt");
}

#[test]
fn before_the_first_commit_answers_are_partial() {
    let bench = Bench::unindexed(3);
    let ann = bench.account("ann");
    bench.put(&ann, "/one.txt", "apple");
    let answer = bench.ask(&ann, &asked("apple ")).expect("an answer");
    assert!(answer.partial && answer.hits.is_empty());
    bench.open_index();
    bench.settle();
    assert_eq!(bench.found(&ann, "apple "), "/one.txt");
}

#[test]
fn names_are_found_before_texts() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put_at(&ann, "/apple.txt", "pear", NOW_MS);
    bench.index();
    assert_eq!(bench.found(&ann, "apple "), "/apple.txt");
    assert_eq!(bench.found(&ann, "pear "), "");
    bench.settle();
    assert_eq!(bench.found(&ann, "pear "), "/apple.txt");
}

#[test]
fn what_is_deleted_or_anothers_is_in_no_count_of_a_range() {
    let bench = Bench::new();
    let (own, other) = (bench.account("own"), bench.account("other"));
    bench.put(&own, "/kept.txt", "some words");
    bench.put(&own, "/gone.txt", "other words");
    bench.put(&other, "/secret.txt", "secret words");
    bench.delete(&own, "/gone.txt");
    bench.settle();
    for query in [
        "size:>1b",
        "modified:2023",
        "-secret size:>1b",
        "size:>1b OR secret",
        "-size:<1b",
    ] {
        assert_eq!(bench.found(&own, query), "/kept.txt", "{query}");
    }
    assert_eq!(bench.found(&own, "is:deleted size:>1b"), "/gone.txt");
    assert_eq!(bench.found(&own, "is:deleted -size:<1b"), "/gone.txt");
}
