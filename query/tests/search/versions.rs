//! Old versions: found when they are asked for, never else, by who may read the file now. // I5 I6

use storage::meta::Account;
use storage::meta::Clock;
use storage::meta::env::ManualClock;

use crate::bench::{Bench, NOW_MS, asked, unmarked};

const DAY_MS: i64 = 86_400_000;

/// `/plan.txt` was `alpha one` for two days, `beta two` for the next two, and is `gamma three`; `/other.txt` never changed.
fn filled() -> (Bench, Account) {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/other.txt", "alpha gamma");
    for (day, text) in [
        (0, "alpha one common"),
        (2, "beta two common"),
        (4, "gamma three common"),
    ] {
        set(&bench.clock, day);
        bench.put(&ann, "/plan.txt", text);
        bench.settle();
    }
    (bench, ann)
}

fn set(clock: &ManualClock, day: i64) {
    clock.advance_ms(NOW_MS + day * DAY_MS - clock.now_ms());
}

#[test]
fn old_versions_are_found_when_they_are_asked_for() {
    let (bench, ann) = filled();
    bench.table(
        &ann,
        &[
            ("alpha ", "/other.txt"),
            ("beta ", ""),
            ("be", ""),
            ("beta common ", ""),
            ("common ", "/plan.txt"),
            ("version:any beta ", "/plan.txt"),
            ("version:any bet", "/plan.txt"),
            ("version:any alpha ", "/other.txt /plan.txt"),
            ("version:any \"alpha one\"", "/plan.txt"),
            ("version:any alpha beta ", ""),
            ("version:any alpha -one", "/other.txt"),
            ("version:any name:plan alpha ", "/plan.txt"),
            ("version:any alpha ext:txt", "/other.txt /plan.txt"),
            ("version:any alpha in:/nowhere", ""),
            ("version:old gamma ", ""),
            ("version:old common ", "/plan.txt"),
            ("version:old", "/plan.txt"),
            ("version:sometimes beta", ""),
        ],
    );
    let answer = bench
        .ask(&ann, &asked("version:any alpha one "))
        .expect("an answer");
    let [hit] = &answer.hits[..] else {
        panic!("one hit")
    };
    assert!(
        hit.is_old && hit.snippet.text.contains("alpha one"),
        "{:?}",
        hit.snippet
    );
    assert!(!answer.warnings.is_empty());
    // Of several versions that have the words, the newest one is the hit.
    let answer = bench
        .ask(&ann, &asked("version:any common "))
        .expect("an answer");
    assert!(answer.total == 1 && !answer.hits[0].is_old);
    let answer = bench
        .ask(&ann, &asked("version:old common "))
        .expect("an answer");
    assert!(answer.hits[0].snippet.text.contains("beta two"));
    // The same without marks, and page by page.
    assert_eq!(
        bench.found_by(&ann, &unmarked("version:any alpha ")),
        "/other.txt /plan.txt"
    );
    let request = query::Request {
        max_results: 1,
        ..asked("version:any alpha ")
    };
    assert_eq!(bench.pages(&ann, &request, |_| ()).len(), 2);
}

#[test]
fn what_files_contained_at_a_date_is_found() {
    let (bench, ann) = filled();
    // The store's days: 2023-11-14, and 16, and 18.
    bench.table(
        &ann,
        &[
            ("asof:2023-11-13 alpha ", ""),
            ("asof:2023-11-14 alpha ", "/other.txt /plan.txt"),
            ("asof:2023-11-15 alpha ", "/other.txt /plan.txt"),
            ("asof:2023-11-15 beta ", ""),
            ("asof:2023-11-16 alpha ", "/other.txt"),
            ("asof:2023-11-16 beta ", "/plan.txt"),
            ("asof:2023-11-17 common ", "/plan.txt"),
            ("asof:2023-11-18 beta ", ""),
            ("asof:2023-11-18 gamma ", "/other.txt /plan.txt"),
            ("asof:2023-11-14 name:plan", "/plan.txt"),
            ("asof:2023-11-13", ""),
            ("asof:2023-11-15", "/other.txt /plan.txt"),
        ],
    );
    let answer = bench
        .ask(&ann, &asked("asof:2023-11-16 common "))
        .expect("an answer");
    assert!(answer.hits[0].snippet.text.contains("beta two"));
}

#[test]
fn old_versions_go_with_their_file_and_with_the_right_to_read_it() {
    let (bench, ann) = filled();
    let bob = bench.account("bob");
    bench.put(&ann, "/shared/notes.txt", "walnut first");
    bench.settle();
    set(&bench.clock, 6);
    bench.put(&ann, "/shared/notes.txt", "second");
    let ns = bench.share(&ann, "/shared", &[&bob]);
    bench.settle();
    let asks = |who: &Account| bench.found(who, "version:any walnut ");
    assert_eq!(
        (asks(&ann), asks(&bob)),
        ("/shared/notes.txt".into(), "/shared/notes.txt".into())
    );
    assert_eq!(bench.found(&bob, "version:any alpha "), "", "ann's own");
    assert_eq!(
        bench.found(&bob, "version:any walnut owner:ann"),
        "/shared/notes.txt"
    );
    let bob_id = bob.id;
    bench
        .meta
        .remove_member(ann.actor(), ns, bob_id)
        .expect("removed");
    assert_eq!(asks(&bob), "");
    bench.relocate(&ann, "/shared/notes.txt", "/notes.txt");
    bench.settle();
    assert_eq!(asks(&ann), "/notes.txt");
    bench.delete(&ann, "/notes.txt");
    assert_eq!(asks(&ann), "", "at once");
    bench.settle();
    assert_eq!(asks(&ann), "");
}

#[test]
fn a_version_that_was_purged_is_found_no_more() {
    let (bench, ann) = filled();
    let until_ms = NOW_MS + 3 * DAY_MS;
    let report = bench.meta.purge(until_ms).expect("purged");
    assert_eq!(report.versions, 1);
    let answer = bench
        .ask(&ann, &asked("version:any \"alpha one\""))
        .expect("an answer");
    assert_eq!(
        (answer.hits.len(), answer.total),
        (0, 0),
        "before the index knows"
    );
    bench.settle();
    assert_eq!(bench.found(&ann, "version:any \"alpha one\""), "");
    assert_eq!(bench.found(&ann, "version:any beta "), "/plan.txt");
}
