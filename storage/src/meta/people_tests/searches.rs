//! Saved and recent searches.

use super::{bench, refusal};
use crate::meta::Refusal;
use crate::meta::searches::{MAX_RECENT, MAX_SAVED, MAX_SEARCH_BYTES};

#[test]
fn searches_are_kept_by_account_and_bounded() {
    let bench = bench();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let kept = bench.meta.save_search(ann.id, " Bills ", "q=bill").unwrap();
    assert_eq!(
        (kept.saved.len(), kept.saved[0].name.as_str()),
        (1, "Bills")
    );
    let again = bench
        .meta
        .save_search(ann.id, "Bills", "q=invoice")
        .unwrap();
    assert_eq!(
        (again.saved.len(), again.saved[0].search.as_str()),
        (1, "q=invoice")
    );
    assert_eq!(bench.meta.searches(bob.id).unwrap().saved, []);
    for n in 1..MAX_SAVED {
        bench
            .meta
            .save_search(ann.id, &n.to_string(), "q=x")
            .unwrap();
    }
    let over = bench.meta.save_search(ann.id, "one more", "q=x");
    assert_eq!(refusal(over), Refusal::TooManyFiles);
    let kept = bench.meta.forget_search(ann.id, again.saved[0].id).unwrap();
    assert_eq!(kept.saved.len(), MAX_SAVED - 1);
    let long = "x".repeat(MAX_SEARCH_BYTES + 1);
    assert!(matches!(
        refusal(bench.meta.save_search(ann.id, "long", &long)),
        Refusal::MalformedPath(_)
    ));
    assert!(matches!(
        refusal(bench.meta.save_search(ann.id, " \n", "q")),
        Refusal::MalformedPath(_)
    ));
}

#[test]
fn recent_searches_are_newest_first_and_once_each() {
    let bench = bench();
    let ann = bench.account("ann");
    for n in 0..=MAX_RECENT {
        bench.meta.note_search(ann.id, &format!("q={n}")).unwrap();
    }
    let kept = bench.meta.note_search(ann.id, "q=5").unwrap();
    assert_eq!(
        (kept.recent.len(), kept.recent[0].search.as_str()),
        (MAX_RECENT, "q=5")
    );
    assert_eq!(kept.recent.iter().filter(|r| r.search == "q=5").count(), 1);
    assert_eq!(bench.meta.clear_recent_searches(ann.id).unwrap().recent, []);
}
