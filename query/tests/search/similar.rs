//! Typos, starts of words, and what answers say about themselves.

use std::collections::BTreeSet;

use query::{LatelyWeights, Leaf, Marks, Request};

use crate::bench::{Bench, asked};

#[test]
fn typos_are_forgiven_where_nothing_has_the_word() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/march.txt", "an invoice for the spectroscopy");
    bench.put(&ann, "/Quarterly.txt", "invoices of spring 20231");
    bench.put(&ann, "/other.txt", "invoke the fire");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("invioce ", "/Quarterly.txt /march.txt"),
            ("invioce spectroscpoy ", "/march.txt"),
            ("spectrosopi ", "/march.txt"),
            ("quaterly ", "/Quarterly.txt"),
            ("quartelry", "/Quarterly.txt"), // still being typed
            ("invioc", "/Quarterly.txt /march.txt"),
            ("\"invioce\"", ""), // quoted is meant
            ("20232 ", ""),      // so are numbers
            ("fier ", ""),       // and short words
            ("invke ", "/other.txt"),
            ("-invioce fire ", "/other.txt"),
            ("nivoice ", "/Quarterly.txt /march.txt"),
            ("apectroscopy ", "/march.txt"),
            ("name:quaterly ", "/Quarterly.txt"),
        ],
    );
    let said = |query: &str| {
        bench
            .ask(&ann, &asked(query))
            .expect("an answer")
            .did_you_mean
    };
    assert_eq!(said("Invioce for "), Some("invoice for ".into()));
    assert_eq!(said("invoice for "), None);
    assert_eq!(said("invioce absent "), None);
    // Marked as what it stands for.
    let answer = bench.ask(&ann, &asked("spectroscpoy ")).expect("an answer");
    assert_eq!(answer.hits[0].snippet.highlights.len(), 1);
}

#[test]
fn a_typo_never_stands_in_place_of_the_word_itself() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    bench.put(&ann, "/exact.txt", "invioce");
    bench.put(&ann, "/near.txt", "invoice");
    bench.put(&bob, "/secret.txt", "plutonium invoise");
    bench.settle();
    bench.table(&ann, &[("invioce ", "/exact.txt"), ("plutonuim ", "")]);
    bench.table(&bob, &[("plutonuim ", "/secret.txt"), ("invioce ", "")]);
    let answer = bench.ask(&ann, &asked("plutonuim ")).expect("an answer");
    assert_eq!(answer.did_you_mean, None);
    // What was deleted a moment ago is not suggested either.
    bench.delete(&bob, "/secret.txt");
    let answer = bench.ask(&bob, &asked("plutonuim ")).expect("an answer");
    assert_eq!((answer.did_you_mean, answer.total), (None, 0));
}

#[test]
fn pages_of_a_typo_go_on_when_the_word_itself_comes() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    for number in 0..6 {
        bench.put(&ann, &format!("/{number}.txt"), "invoice");
    }
    bench.settle();
    let request = Request {
        max_results: 2,
        ..asked("invioce ")
    };
    let paths = bench.pages(&ann, &request, |page| {
        if page == 0 {
            bench.put(&ann, "/later.txt", "invioce");
            bench.settle();
        }
    });
    let found: BTreeSet<_> = paths.iter().filter(|path| *path != "/later.txt").collect();
    assert_eq!(found.len(), 6, "{paths:?}");
    assert!(paths.len() <= 7, "{paths:?}");
}

#[test]
fn starts_count_every_file() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    for number in 0..120 {
        let path = format!("/w{number:03} x.txt");
        bench.put(&ann, &path, &format!("abc{number:03} common"));
    }
    bench.put(&bob, "/w999.txt", "abc999");
    bench.settle();
    for (typed, total) in [
        ("w", 120),
        ("w0", 100),
        ("w01", 10),
        ("abc", 120),
        ("x w", 120),
    ] {
        let request = Request {
            max_results: 7,
            ..asked(typed)
        };
        let answer = bench.ask(&ann, &request).expect("an answer");
        assert_eq!((answer.total, answer.estimated), (total, false), "{typed}");
        let paths = bench.pages(&ann, &request, |_| {});
        let distinct: BTreeSet<_> = paths.iter().collect();
        assert_eq!(
            (paths.len(), distinct.len()),
            (total as usize, total as usize),
            "{typed}"
        );
    }
    assert_eq!(bench.found(&bob, "w"), "/w999.txt");
}

#[test]
fn counts_by_size_folder_and_owner() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    bench.put(&ann, "/a/one.txt", "fire");
    bench.put(&ann, "/a/two.txt", &"fire ".repeat(4000));
    bench.put(&bob, "/team/three.txt", "fire");
    bench.share(&bob, "/team", &[&ann]);
    bench.settle();
    let request = Request {
        places: true,
        ..asked("fire ")
    };
    let facets = bench.ask(&ann, &request).expect("an answer").facets;
    let facets = facets.expect("facets");
    let counts = |counts: &[(&str, u64)]| -> Vec<(String, u64)> {
        counts
            .iter()
            .map(|(name, n)| ((*name).to_owned(), *n))
            .collect()
    };
    assert_eq!(facets.size, counts(&[("10kb", 2), ("100kb", 1)]));
    assert_eq!(facets.folder, counts(&[("/a", 2), ("/team", 1)]));
    assert_eq!(
        facets.owner,
        counts(&[("ann@example.org", 2), ("bob@example.org", 1)])
    );
    // As `size:` reads them: steps of 1,024, and folders have none.
    bench.put(&ann, "/fire/ember.txt", &"e".repeat(10 << 10));
    bench.settle();
    let facets = bench.ask(&ann, &asked("fire ")).expect("an answer").facets;
    let facets = facets.expect("facets");
    assert_eq!(facets.size, counts(&[("10kb", 3), ("100kb", 1)]));
    assert_eq!(
        bench.found(&ann, "in:/fire size:<=10kb "),
        "/fire/ember.txt"
    );
}

#[test]
fn hits_say_where_and_why() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/slides.pptx", "öne\u{c}twö fire\u{c}three");
    bench.put(&ann, "/fire.txt", "a fire");
    bench.settle();
    let request = Request {
        why: true,
        lately: LatelyWeights {
            recent: 0.1,
            own: 0.1,
        },
        ..asked("fire ")
    };
    let answer = bench.ask(&ann, &request).expect("an answer");
    let hit = |path: &str| {
        let mut hits = answer.hits.iter();
        hits.find(|hit| hit.place.path_display.as_str() == path)
            .expect("a hit")
    };
    let spot = hit("/slides.pptx").spot.clone().expect("a spot");
    assert_eq!((spot.range, spot.page), ((8, 12), Some((Leaf::Slide, 2))));
    assert_eq!(
        hit("/fire.txt").spot.clone().map(|spot| spot.range),
        Some((2, 6))
    );
    let why = hit("/fire.txt").why.clone().expect("why");
    let parts: Vec<_> = why.of.iter().map(|part| part.what.as_str()).collect();
    let (beside, words) = parts.split_last().expect("parts");
    assert_eq!(words, ["fire in name", "fire in body", "fire in stem"]);
    assert!(beside.contains("lately"), "{beside}");
    let sum: f32 = why.of.iter().map(|part| part.score).sum();
    assert!((sum - why.score).abs() < 1e-3, "{why:?}");
    let plain = Request {
        marks: Marks::Kind,
        ..asked("fire ")
    };
    let answer = bench.ask(&ann, &plain).expect("an answer");
    assert!(
        answer
            .hits
            .iter()
            .all(|hit| hit.spot.is_none() && hit.why.is_none())
    );
}
