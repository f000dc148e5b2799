//! Properties, facets and orders.

use query::{Order, Request};

use crate::bench::{Bench, NOW_MS, asked, at, deleted};

const DAY_MS: i64 = 86_400_000;

fn filled() -> (Bench, storage::meta::Account) {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put_at(&ann, "/a/one.pdf", "word", NOW_MS - 1000);
    bench.put_at(&ann, "/a/b/two.docx", "word word", NOW_MS - 3 * DAY_MS);
    bench.put_at(
        &ann,
        "/a/three.rs",
        &format!("word {}", "x".repeat(3000)),
        NOW_MS - 20 * DAY_MS,
    );
    bench.put_at(&ann, "/four.txt", "word", NOW_MS - 200 * DAY_MS);
    bench.put_at(
        &ann,
        "/five",
        &format!("word {}", "x".repeat(1500)),
        NOW_MS - 500 * DAY_MS,
    );
    bench.settle();
    (bench, ann)
}

#[test]
fn properties_narrow() {
    let (bench, ann) = filled();
    bench.table(
        &ann,
        &[
            ("type:document ", "/a/b/two.docx"),
            ("type:folder ", "/a /a/b"),
            ("is:folder ", "/a /a/b"),
            (
                "-type:folder word ",
                "/a/b/two.docx /a/one.pdf /a/three.rs /five /four.txt",
            ),
            ("type:code,document ", "/a/b/two.docx /a/three.rs"),
            ("ext:pdf ", "/a/one.pdf"),
            ("ext:.PDF,txt ", "/a/one.pdf /four.txt"),
            ("in:/a word ", "/a/b/two.docx /a/one.pdf /a/three.rs"),
            ("in:a/b ", "/a/b/two.docx"),
            ("in:/A/B/ ", "/a/b/two.docx"),
            ("in:/a -in:/a/b word ", "/a/one.pdf /a/three.rs"),
            ("in:/ ext:txt ", "/four.txt"),
            ("in:/nowhere word ", ""),
            ("word modified:today ", "/a/one.pdf"),
            ("word modified:7d ", "/a/b/two.docx /a/one.pdf"),
            ("word modified:2023-11 ", "/a/b/two.docx /a/one.pdf"),
            ("word modified:2022 ", "/five"),
            ("word modified:<2023 ", "/five"),
            (
                "word modified:>2022 ",
                "/a/b/two.docx /a/one.pdf /a/three.rs /four.txt",
            ),
            ("word modified:2023-01..2023-10 ", "/a/three.rs /four.txt"),
            ("size:>2kb ", "/a/three.rs"),
            ("size:1kb ", "/five"),
            ("size:4 ", "/a/one.pdf /four.txt"),
            // A folder has no size.
            ("size:<=4 ", "/a/one.pdf /four.txt"),
            ("is:folder -size:<=4 ", "/a /a/b"),
            ("size:1kb..1mb ", "/a/three.rs /five"),
            ("word size:<1kb ", "/a/b/two.docx /a/one.pdf /four.txt"),
            ("name:one ", "/a/one.pdf"),
            ("name:word ", ""),
        ],
    );
    let warned = bench
        .ask(&ann, &asked("in:/nowhere word "))
        .expect("an answer");
    assert_eq!(warned.warnings, ["there is no folder /nowhere"]);
}

#[test]
fn options_narrow_as_fields_do() {
    let (bench, ann) = filled();
    let word = asked("word ");
    let below = |path: &str| Request {
        below: Some(at(path)),
        ..word.clone()
    };
    assert_eq!(bench.found_by(&ann, &below("/a/b")), "/a/b/two.docx");
    assert_eq!(bench.found_by(&ann, &below("")), bench.found(&ann, "word "));
    let missing = bench.ask(&ann, &below("/nowhere")).expect_err("no folder");
    assert_eq!(missing.to_string(), "not found");
    let file = bench.ask(&ann, &below("/four.txt")).expect_err("a file");
    assert_eq!(
        file.to_string(),
        storage::meta::Refusal::NotFolder.to_string()
    );
    let extensions = Request {
        extensions: vec!["txt".into(), "rs".into()],
        ..word.clone()
    };
    assert_eq!(bench.found_by(&ann, &extensions), "/a/three.rs /four.txt");
    let categories = Request {
        categories: vec!["document".into()],
        ..word.clone()
    };
    assert_eq!(bench.found_by(&ann, &categories), "/a/b/two.docx");
    let names = |query: &str| Request {
        filename_only: true,
        ..asked(query)
    };
    assert_eq!(bench.found_by(&ann, &names("word ")), "");
    assert_eq!(bench.found_by(&ann, &names("two ")), "/a/b/two.docx");
    assert_eq!(bench.found_by(&ann, &names("a ")), "/a"); // folder names count for nothing below
}

#[test]
fn hits_are_ordered() {
    let (bench, ann) = filled();
    let by = |order| {
        bench.paths(
            &ann,
            &Request {
                order,
                ..asked("word ")
            },
        )
    };
    assert_eq!(
        by(Order::Modified),
        [
            "/a/one.pdf",
            "/a/b/two.docx",
            "/a/three.rs",
            "/four.txt",
            "/five"
        ]
    );
    assert_eq!(
        by(Order::Name),
        [
            "/five",
            "/four.txt",
            "/a/one.pdf",
            "/a/three.rs",
            "/a/b/two.docx"
        ]
    );
    let sizes = by(Order::Size);
    assert_eq!(sizes[..3], ["/a/three.rs", "/five", "/a/b/two.docx"]);
    assert_eq!(by(Order::Relevance)[0], "/a/b/two.docx"); // twice in a short text
}

#[test]
fn facets_count_every_hit_once() {
    let (bench, ann) = filled();
    let answer = bench
        .ask(
            &ann,
            &Request {
                max_results: 1,
                ..asked("word ")
            },
        )
        .expect("an answer");
    let facets = answer.facets.expect("facets");
    let shown = |counts: &[(String, u64)]| {
        let shown: Vec<_> = counts
            .iter()
            .map(|(value, n)| format!("{value} {n}"))
            .collect();
        shown.join(", ")
    };
    assert_eq!(
        shown(&facets.modified),
        "today 1, week 1, month 1, year 1, older 1"
    );
    assert_eq!(shown(&facets.extension), "docx 1, pdf 1, rs 1, txt 1");
    assert_eq!(answer.total, 5);
    let unasked = Request {
        facets: false,
        ..asked("word ")
    };
    assert!(
        bench
            .ask(&ann, &unasked)
            .expect("an answer")
            .facets
            .is_none()
    );
}

#[test]
fn deleted_files_are_found_by_name_where_they_were() {
    let (bench, ann) = filled();
    bench.put(&ann, "/a/late.txt", "word");
    bench.settle();
    bench.delete(&ann, "/four.txt");
    bench.clock.advance_ms(1000);
    bench.delete(&ann, "/a/b");
    bench.clock.advance_ms(1000);
    bench.delete(&ann, "/a/late.txt");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("word ", "/a/one.pdf /a/three.rs /five"),
            ("is:deleted ", "/a/b /a/b/two.docx /a/late.txt /four.txt"),
            ("two is:deleted ", "/a/b/two.docx"),
            ("is:deleted word ", ""),
            ("is:deleted one ", ""),
            ("is:deleted ext:txt ", "/a/late.txt /four.txt"),
            ("is:deleted type:document ", "/a/b/two.docx"),
            ("is:deleted type:folder ", "/a/b"),
            ("is:deleted -ext:txt ", "/a/b /a/b/two.docx"),
            ("is:deleted in:/a ", "/a/b /a/b/two.docx /a/late.txt"),
            ("is:deleted in:/a/b ", "/a/b/two.docx"),
            ("is:deleted b ", "/a/b /a/b/two.docx"), // a deleted folder's name counts for what was in it
            ("is:deleted fo", "/four.txt"),
            (
                "is:deleted modified:today ",
                "/a/b /a/b/two.docx /a/late.txt /four.txt",
            ),
        ],
    );
    let below = Request {
        below: Some(at("/a/b")),
        ..deleted("")
    };
    assert_eq!(bench.found_by(&ann, &below), "/a/b/two.docx");
    let newest = Request {
        order: Order::Modified,
        ..deleted("ext:txt ")
    };
    assert_eq!(bench.paths(&ann, &newest), ["/a/late.txt", "/four.txt"]);
    let names = Request {
        order: Order::Name,
        ..deleted("")
    };
    assert_eq!(
        bench.paths(&ann, &names),
        ["/a/b", "/four.txt", "/a/late.txt", "/a/b/two.docx"]
    );
    let sizes = Request {
        order: Order::Size,
        ..deleted("-type:folder ")
    };
    assert_eq!(bench.paths(&ann, &sizes)[0], "/a/b/two.docx");
}
