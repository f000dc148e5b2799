//! Snippets, marks, and what is said to have matched.

use query::highlight::Marked;
use query::{Hit, Marks, Matched, Request};

use crate::bench::{Bench, asked, unmarked};

/// The text with its marks in [brackets].
fn shown(text: &str, highlights: &[(usize, usize)]) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if highlights.iter().any(|(start, _)| *start == at) {
            out.push('[');
        }
        out.push(c);
        if highlights.iter().any(|(_, end)| *end == at + 1) {
            out.push(']');
        }
    }
    out
}

fn line(hit: &Hit) -> String {
    let Marked {
        text, highlights, ..
    } = &hit.snippet;
    let name = shown(&hit.place.node.name, &hit.name_highlights);
    format!("{:?} {name}: {}", hit.matched, shown(text, highlights))
}

#[test]
fn hits_say_what_matched() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/apple.txt", "an apple a day");
    bench.put(&ann, "/pear.txt", "one apple and a pear");
    bench.put(&ann, "/fooBar.txt", "words");
    bench.put(&ann, "/fruit/list.txt", "only plums");
    bench.put(&ann, "/titled.txt", "title: The Lantern Book\nplain body");
    let deep = format!("{} needle", "hay ".repeat(400_000));
    bench.put(&ann, "/deep.txt", &deep);
    bench.settle();
    for (query, wanted) in [
        ("apple -pear ", "Both [apple].txt: an [apple] a day"),
        ("name:pear ", "Both [pear].txt: one apple and a [pear]"),
        ("apple pear ", "Both [pear].txt: one [apple] and a [pear]"),
        ("foo-bar ", "Name [fooBar].txt: words"),
        ("fooba", "Name [fooBar].txt: words"),
        ("fruit ext:txt ", "Name list.txt: only plums"),
        ("fruit plums ", "Content list.txt: only [plums]"),
        ("lantern ", "Content titled.txt: The [Lantern] Book"),
        ("in:/fruit ", "Name list.txt: only plums"),
    ] {
        let answer = bench.ask(&ann, &asked(query)).expect("an answer");
        let lines: Vec<_> = answer.hits.iter().map(line).collect();
        assert_eq!(lines, [wanted], "{query:?}");
    }
    // Behind what snippets are made of.
    let answer = bench.ask(&ann, &asked("needle ")).expect("an answer");
    assert_eq!(answer.hits.len(), 1);
    assert_eq!(answer.hits[0].matched, Matched::Content);
}

#[test]
fn marks_are_made_as_asked() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/apple.txt", "an apple a day");
    bench.settle();
    let kind = Request {
        marks: Marks::Kind,
        ..asked("apple ")
    };
    let answer = bench.ask(&ann, &kind).expect("an answer");
    assert_eq!(line(&answer.hits[0]), "Both apple.txt: ");
    let answer = bench.ask(&ann, &unmarked("apple ")).expect("an answer");
    assert_eq!(line(&answer.hits[0]), "Name apple.txt: ");
}
