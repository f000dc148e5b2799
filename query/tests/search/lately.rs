//! Of files that fit as well, those that changed lately, or were in the account's hands, come first; words still count most.

use storage::meta::Opened;

use crate::bench::{Bench, NOW_MS, asked};

const DAY_MS: i64 = 86_400_000;

/// A search in which both count, whatever they count by themselves.
fn weighed(query: &str) -> query::Request {
    query::Request {
        lately: query::LatelyWeights {
            recent: 0.1,
            own: 0.1,
        },
        ..asked(query)
    }
}

#[test]
fn of_equals_the_newer_one_comes_first() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put_at(&ann, "/old.txt", "walnut harvest", NOW_MS - 300 * DAY_MS);
    bench.put_at(&ann, "/new.txt", "walnut harvest", NOW_MS - DAY_MS);
    bench.put_at(&ann, "/older.txt", "walnut harvest", NOW_MS - 600 * DAY_MS);
    // Words count more than dates.
    bench.put_at(
        &ann,
        "/walnut.txt",
        "walnut harvest",
        NOW_MS - 3_000 * DAY_MS,
    );
    bench.settle();
    let paths = bench.paths(&ann, &weighed("walnut harvest "));
    assert_eq!(paths[..2], ["/walnut.txt", "/new.txt"]);
    let why = query::Request {
        why: true,
        ..weighed("walnut harvest ")
    };
    let answer = bench.ask(&ann, &why).expect("an answer");
    let why = answer.hits[1].why.as_ref().expect("told");
    let beside = why.of.last().expect("parts");
    assert!(
        beside.what.contains("modified") && beside.score > 0.0,
        "{why:?}"
    );
    let plain = query::Request {
        lately: query::LatelyWeights {
            recent: 0.0,
            own: 0.0,
        },
        ..weighed("walnut harvest ")
    };
    let scores = |request| -> Vec<String> { bench.paths(&ann, request) };
    assert_eq!(scores(&plain)[0], "/walnut.txt");
}

#[test]
fn what_one_opened_comes_first_for_oneself_alone_and_pages_keep_to_it() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    let texts = (0..6).map(|number| format!("/f/{number}.txt"));
    let places: Vec<_> = texts
        .map(|path| bench.put(&ann, &path, "walnut harvest"))
        .collect();
    bench.share(&ann, "/f", &[&bob]);
    bench.settle();
    let by_bob = || bench.paths(&bob, &weighed("walnut "));
    let before = by_bob();
    let wanted = &places[places.len() / 2];
    let opened = Opened {
        file: wanted.node.id,
        at_ms: NOW_MS - DAY_MS,
    };
    bench.meta.note_opened(bob.id, &[opened]).expect("noted");
    assert_eq!(by_bob()[0], wanted.path_display.to_string());
    assert_eq!(
        bench.paths(&ann, &weighed("walnut ")),
        before,
        "not for others"
    );
    let request = query::Request {
        max_results: 2,
        ..weighed("walnut ")
    };
    let all = by_bob();
    let other = Opened {
        file: places[0].node.id,
        at_ms: NOW_MS,
    };
    let paged = bench.pages(&bob, &request, |_| {
        bench.meta.note_opened(bob.id, &[other]).expect("noted");
    });
    assert_eq!(paged, all, "pages go on as they began");
    let long_ago = Opened {
        file: places[1].node.id,
        at_ms: NOW_MS - 90 * DAY_MS,
    };
    let cleared = bench.meta.clear_recent_searches(bob.id);
    assert!(cleared.expect("cleared").recent.is_empty());
    bench.meta.note_opened(bob.id, &[long_ago]).expect("noted");
    assert_eq!(by_bob(), before);
}
