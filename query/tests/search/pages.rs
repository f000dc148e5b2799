//! Pages: nothing twice, nothing left out, whatever is written between them.

use std::collections::HashSet;

use query::{Order, Request};

use crate::bench::{Bench, NOW_MS, asked};

const ORDERS: [Order; 4] = [Order::Relevance, Order::Modified, Order::Name, Order::Size];

#[test]
fn pages_go_on_while_files_come_and_go() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    for number in 0..40 {
        let text = format!(
            "apple {} {}",
            "apple ".repeat(number % 7),
            "pear ".repeat(number % 5)
        );
        bench.put_at(
            &ann,
            &format!("/f{number:02}.txt"),
            &text,
            NOW_MS - number as i64 % 9 * 1000,
        );
    }
    bench.settle();
    for (round, order) in ORDERS.into_iter().enumerate() {
        let request = Request {
            order,
            max_results: 7,
            ..asked("apple f")
        };
        let whole = bench.paths(&ann, &request);
        let mut gone = HashSet::new();
        let seen = bench.pages(&ann, &request, |page| {
            bench.put(
                &ann,
                &format!("/f-new {round} {page}.txt"),
                "apple apple pear fig",
            );
            let victim = format!("/f{:02}.txt", 39 - round * 8 - page);
            bench.delete(&ann, &victim);
            gone.insert(victim);
            if page % 2 == 1 {
                bench.settle();
            }
        });
        let unique: HashSet<_> = seen.iter().collect();
        assert_eq!(
            unique.len(),
            seen.len(),
            "{order:?}: a hit came twice: {seen:?}"
        );
        let old: Vec<_> = seen.iter().filter(|path| whole.contains(path)).collect();
        let kept: Vec<_> = whole.iter().filter(|path| unique.contains(path)).collect();
        assert_eq!(old, kept, "{order:?}: the order changed");
        for path in &whole {
            assert!(
                unique.contains(path) || gone.contains(path),
                "{order:?}: {path} was left out"
            );
        }
        bench.settle();
    }
}

#[test]
fn totals_stay_and_facets_come_once() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    for number in 0..5 {
        bench.put(&ann, &format!("/{number}.txt"), "apple");
    }
    bench.settle();
    let request = Request {
        max_results: 2,
        ..asked("apple ")
    };
    let first = bench.ask(&ann, &request).expect("a page");
    let cursor = first.cursor.expect("more");
    let next = bench.engine.resume(ann.actor(), &cursor).expect("a page");
    assert_eq!((first.total, next.total, next.hits.len()), (5, 5, 2));
    assert!(first.facets.is_some() && next.facets.is_none());
    assert_eq!((next.status, next.marks), (first.status, first.marks));
    let again = bench
        .engine
        .resume(ann.actor(), &cursor)
        .expect("the same page");
    let ids = |answer: &query::Answer| {
        answer
            .hits
            .iter()
            .map(|hit| hit.place.node.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&next), ids(&again));
}

#[test]
fn cursors_are_bounded_and_say_what_they_are_of() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    for number in 0..300 {
        let long = format!("{}{number:03}", "a".repeat(58));
        bench.put(&ann, &format!("/{long}.txt"), &format!("{long} 日本語"));
    }
    bench.settle();
    let wide = "日本語".repeat(300);
    for query in [
        format!("a{} aaaaaa", "日本".repeat(0)),
        format!("-{wide} aaa"),
        format!("(aaaaaa OR {wide}) a"),
    ] {
        let request = Request {
            max_results: 2,
            extensions: vec!["txt".into(); 5000],
            ..asked(&query)
        };
        let answer = bench.ask(&ann, &request).expect("an answer");
        if let Some(cursor) = answer.cursor {
            assert!(cursor.len() <= 48 * 1024, "{} characters", cursor.len());
            bench.engine.resume(ann.actor(), &cursor).expect("a page");
        }
    }
    bench.delete(&ann, &format!("/{}000.txt", "a".repeat(58)));
    bench.delete(&ann, &format!("/{}001.txt", "a".repeat(58)));
    bench.settle();
    let request = Request {
        max_results: 1,
        ..asked("is:deleted ")
    };
    let cursor = bench
        .ask(&ann, &request)
        .expect("an answer")
        .cursor
        .expect("more");
    let next = bench.engine.resume(ann.actor(), &cursor).expect("a page");
    assert_eq!((next.status, next.hits.len()), (query::Status::Deleted, 1));
}
