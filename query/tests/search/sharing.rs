//! Shared folders, and accounts that must know nothing of each other.

use base64::Engine as _;
use query::Request;
use storage::meta::LinkSettings;
use time::OffsetDateTime;

use crate::bench::{Bench, NOW_MS, asked, at};

#[test]
fn a_shared_folder_is_found_by_each_member_under_its_own_path() {
    let bench = Bench::new();
    let (ann, bob, cyd) = (
        bench.account("ann"),
        bench.account("bob"),
        bench.account("cyd"),
    );
    bench.put(&ann, "/work/team/sub/plan.txt", "apple");
    bench.put(&ann, "/work/own.txt", "apple");
    bench.put(&bob, "/bob.txt", "apple");
    let ns = bench.share(&ann, "/work/team", &[&bob]);
    bench.settle();
    bench.relocate(&bob, "/team", "/bobs team");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("apple ", "/work/own.txt /work/team/sub/plan.txt"),
            ("apple in:/work ", "/work/own.txt /work/team/sub/plan.txt"),
            ("apple in:/work/team ", "/work/team/sub/plan.txt"),
            ("apple in:/work/team/sub ", "/work/team/sub/plan.txt"),
            ("apple -in:/work/team ", "/work/own.txt"),
            ("team apple ", "/work/team/sub/plan.txt"),
            ("sub apple ", "/work/team/sub/plan.txt"),
            ("work apple ", "/work/own.txt /work/team/sub/plan.txt"),
        ],
    );
    bench.table(
        &bob,
        &[
            ("apple ", "/bob.txt /bobs team/sub/plan.txt"),
            ("apple in:\"/bobs team\" ", "/bobs team/sub/plan.txt"),
            ("bobs apple ", "/bob.txt /bobs team/sub/plan.txt"), // one and many
        ],
    );
    assert_eq!(bench.found(&cyd, "apple "), "");
    // A shared folder alone, as the root of a search.
    let actor = storage::meta::Actor {
        root: ns,
        ..bob.actor()
    };
    let now =
        time::OffsetDateTime::from_unix_timestamp(crate::bench::NOW_MS / 1000).expect("a time");
    let alone = bench
        .engine
        .search(actor, &asked("apple "), now)
        .expect("an answer");
    assert_eq!((alone.total, alone.hits.len()), (1, 1));
    let not_his = storage::meta::Actor {
        root: ns,
        ..cyd.actor()
    };
    let nothing = bench
        .engine
        .search(not_his, &asked("apple "), now)
        .expect("an answer");
    assert_eq!((nothing.total, nothing.hits.len()), (0, 0));
}

#[test]
fn a_deleted_mount_takes_its_folder_out_of_searches() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    bench.put(&ann, "/team/plan.txt", "apple");
    bench.share(&ann, "/team", &[&bob]);
    bench.settle();
    bench.relocate(&bob, "/team", "/in/team");
    assert_eq!(bench.found(&bob, "apple "), "/in/team/plan.txt");
    bench.delete(&bob, "/in");
    assert_eq!(bench.found(&bob, "apple "), "");
    assert_eq!(bench.found(&ann, "apple "), "/team/plan.txt");
}

#[test]
fn files_that_move_between_namespaces_are_found_once() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    bench.put(&ann, "/team/plan.txt", "apple");
    bench.share(&ann, "/team", &[&bob]);
    bench.put(&ann, "/own/a.txt", "apple");
    bench.settle();
    bench.relocate(&ann, "/own/a.txt", "/team/a.txt");
    bench.settle();
    assert_eq!(bench.found(&ann, "apple "), "/team/a.txt /team/plan.txt");
    assert_eq!(bench.found(&bob, "apple "), "/team/a.txt /team/plan.txt");
    bench.relocate(&ann, "/team/plan.txt", "/own/plan.txt");
    assert_eq!(bench.found(&bob, "apple "), "/team/a.txt"); // at once
    bench.settle();
    assert_eq!(bench.found(&ann, "apple "), "/own/plan.txt /team/a.txt");
    assert_eq!(bench.found(&bob, "apple "), "/team/a.txt");
}

#[test]
fn what_others_store_changes_nothing() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    bench.put(&ann, "/a.txt", "apple apple pear");
    bench.put(&ann, "/b.txt", "apple pear pear plum");
    bench.put(
        &ann,
        "/c.txt",
        "pear and some more words in a longer text about plums",
    );
    bench.settle();
    let page = || {
        let request = Request {
            max_results: 1,
            ..asked("apple pear pl")
        };
        bench.ask(&ann, &request).expect("an answer").cursor
    };
    // The cursor holds statistics, expansions and the score of its hit: all of it must stay the same.
    let before = page();
    assert!(before.is_some());
    for number in 0..40 {
        let text = format!(
            "apple pear plum plutonium{number} {}",
            "filler ".repeat(number)
        );
        bench.put(&bob, &format!("/{number}.txt"), &text);
    }
    bench.settle();
    assert_eq!(page(), before);
    assert_eq!(bench.found(&ann, "pluto"), "");
    assert_eq!(bench.found(&ann, "plutonium1 "), "");
}

#[test]
fn another_accounts_cursor_is_refused() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    for number in 0..3 {
        bench.put(&ann, &format!("/{number}.txt"), "apple");
    }
    bench.settle();
    let request = Request {
        max_results: 1,
        ..asked("apple ")
    };
    let cursor = bench
        .ask(&ann, &request)
        .expect("an answer")
        .cursor
        .expect("more");
    assert!(crate::bench::is_reset(
        bench.engine.resume(bob.actor(), &cursor)
    ));
    assert!(crate::bench::is_reset(
        bench.engine.resume(ann.actor(), &cursor[1..])
    ));
    assert!(crate::bench::is_reset(bench.engine.resume(ann.actor(), "")));
    assert_eq!(
        bench
            .engine
            .resume(ann.actor(), &cursor)
            .expect("a page")
            .hits
            .len(),
        1
    );
}

#[test]
fn a_folder_may_be_given_by_id_or_namespace() {
    let bench = Bench::new();
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    for number in 0..3 {
        bench.put(&ann, &format!("/team/sub/{number}.txt"), "apple");
    }
    bench.put(&ann, "/out.txt", "apple");
    let ns = bench.share(&ann, "/team", &[&bob]);
    bench.settle();
    let sub = bench
        .meta
        .view(ann.id)
        .expect("a view")
        .resolve(ann.root, &at("/team/sub"))
        .expect("a folder");
    for below in [
        at(&sub.node.id.to_string()),
        at(&format!("ns:{ns}")),
        at(&format!("ns:{ns}/sub")),
    ] {
        let request = Request {
            below: Some(below),
            max_results: 2,
            ..asked("apple ")
        };
        let mut paths = bench.pages(&ann, &request, |_| {});
        paths.sort();
        assert_eq!(
            paths,
            ["/team/sub/0.txt", "/team/sub/1.txt", "/team/sub/2.txt"]
        );
    }
}

#[test]
fn an_account_of_many_shared_folders_finds_the_same_and_learns_no_others_words() {
    let bench = Bench::with_shards(1);
    let (ann, bob) = (bench.account("ann"), bench.account("bob"));
    // As many as it takes for the fields without namespaces.
    for number in 0..130 {
        bench.put(
            &ann,
            &format!("/s{number}/plan{number}.txt"),
            "apple planes",
        );
        bench.share(&ann, &format!("/s{number}"), &[]);
    }
    bench.put(&ann, "/red/one.txt", "plum");
    bench.put(&bob, "/red/secret.txt", "plutonium plum apple");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("plan3 apple ", "/s3/plan3.txt"),
            ("s3 plane ", "/s3/plan3.txt"), // a folder's name, and a stem
            ("red ", "/red /red/one.txt"),
            ("plu", "/red/one.txt"),
            ("pluto", ""),
            ("\"apple planes\" in:/s7 ", "/s7/plan7.txt"),
            ("apple -plan ", ""),
        ],
    );
    let request = Request {
        max_results: 2,
        ..asked("pl")
    };
    assert_eq!(bench.pages(&ann, &request, |_| {}).len(), 130);
    let request = Request {
        max_results: 2,
        ..asked("apple pla")
    };
    let cursor = bench.ask(&ann, &request).expect("an answer").cursor;
    let words = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor.expect("more"));
    let words = String::from_utf8_lossy(&words.expect("base64")).into_owned();
    assert!(
        words.contains("apple pla") && !words.contains("planes"),
        "{words}"
    );
}

#[test]
fn short_starts_find_the_same_in_few_and_in_many_namespaces() {
    const TEXTS: [(&str, &str); 7] = [
        ("planes.txt", "using their dyed flag"),
        ("plum tree.txt", "flying over plains, trying"),
        ("usage.txt", "theory of flight"),
        ("dying.txt", "skies; then user Ufer"),
        ("thesis 2024.txt", "Größe and 202305 files"),
        ("tree.txt", "into the wild, intoning planes"),
        ("wit.txt", "with within 東京都"),
    ];
    let bench = Bench::with_shards(1);
    let (few, many) = (bench.account("few"), bench.account("many"));
    for number in 0..21 {
        let (name, text) = TEXTS[number % TEXTS.len()];
        bench.put(&few, &format!("/s{number}/{name}"), text);
        bench.put(&many, &format!("/s{number}/{name}"), text);
        bench.share(&many, &format!("/s{number}"), &[]);
    }
    bench.put(&few, "/secret.txt", "theology planning secret");
    bench.settle();
    bench.delete(&few, "/s1/plum tree.txt");
    bench.delete(&many, "/s1/plum tree.txt");
    for start in [
        "pla",
        "plu",
        "usi",
        "use",
        "the",
        "thei",
        "dyi",
        "dye",
        "fly",
        "fla",
        "ski",
        "tre",
        "int",
        "wit",
        "202",
        "gro",
        "ufe",
        "sec",
        "東",
        "s1 the",
        "-the",
        "pla tre",
        "\"over pla",
        "zzz",
    ] {
        let found = |account| {
            let mut paths = bench.paths(account, &asked(start));
            paths.retain(|path| path != "/secret.txt");
            paths.sort();
            paths
        };
        assert_eq!(found(&many), found(&few), "{start}");
    }
    let now = OffsetDateTime::from_unix_timestamp(NOW_MS / 1000).expect("a time");
    let offered = |typed| {
        let offered = bench.engine.suggest(many.actor(), typed, 5, now);
        let words = offered.expect("suggestions").words.into_iter();
        words.map(|(word, _)| word).collect::<Vec<_>>()
    };
    assert_eq!(offered("pla"), ["planes", "plains"]);
    assert_eq!(offered("sec"), [""; 0]);
}

#[test]
fn people_and_sharing_narrow() {
    let bench = Bench::new();
    let (ann, bob, cyd) = (
        bench.account("ann"),
        bench.account("bob"),
        bench.account("cyd"),
    );
    bench.put(&ann, "/own.txt", "apple");
    bench.put(&ann, "/scan.png", "");
    bench.put(&ann, "/team/a.txt", "apple");
    bench.put(&bob, "/bobs/b.txt", "apple");
    bench.put(&bob, "/more/c.txt", "apple");
    bench.put(&cyd, "/cyds.txt", "apple");
    bench.put(&ann, "/alone/pear.txt", "pear");
    bench.share(&ann, "/team", &[&cyd]);
    bench.share(&bob, "/bobs", &[&ann]);
    bench.share(&bob, "/more", &[&ann, &cyd]);
    let settings = LinkSettings::default();
    let linked = bench
        .meta
        .create_link(ann.actor(), &at("/own.txt"), settings);
    linked.expect("a link");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("apple owner:me ", "/own.txt /team/a.txt"),
            ("apple owner:bob ", "/bobs/b.txt /more/c.txt"),
            ("apple owner:BOB@example.org ", "/bobs/b.txt /more/c.txt"),
            ("apple -owner:bo ", "/own.txt /team/a.txt"),
            ("apple owner:cyd ", ""), // a member of two folders, whose own files nobody else sees
            ("apple owner:nobody ", ""),
            ("apple shared:yes ", "/bobs/b.txt /more/c.txt /team/a.txt"),
            ("apple is:shared ", "/bobs/b.txt /more/c.txt /team/a.txt"),
            ("apple shared:no ", "/own.txt"),
            ("apple shared:by-me ", "/team/a.txt"),
            ("apple shared:with-me ", "/bobs/b.txt /more/c.txt"),
            ("apple shared:cyd ", "/more/c.txt /team/a.txt"),
            ("apple shared:cyd owner:me ", "/team/a.txt"),
            ("apple (shared:by-me OR shared:no) ", "/own.txt /team/a.txt"),
            // The folder itself is shared, as what is in it.
            ("is:folder shared:yes ", "/bobs /more /team"),
            ("team is:shared ", "/team /team/a.txt"),
            ("is:folder shared:by-me ", "/team"),
            ("is:folder shared:with-me ", "/bobs /more"),
            ("is:folder shared:cyd ", "/more /team"),
            ("is:folder shared:no ", "/alone"),
            ("is:folder -shared:yes ", "/alone"),
            ("apple by:bob ", "/bobs/b.txt /more/c.txt"),
            ("apple by:me ", "/own.txt /team/a.txt"),
            ("apple -by:me ", "/bobs/b.txt /more/c.txt"),
            ("apple by:nobody ", ""),
            ("apple created:2023-11 -shared:yes ", "/own.txt"),
            ("apple created:2022 ", ""),
            ("has:link ", "/own.txt"),
            ("apple -has:link owner:me ", "/team/a.txt"),
            ("-has:text is:file ", ""), // the test's extraction finds text everywhere, if only an empty one
            ("has:text type:image ", "/scan.png"),
        ],
    );
    let warned = |query: &str| bench.ask(&ann, &asked(query)).expect("an answer").warnings;
    assert_eq!(
        warned("apple owner:nobody "),
        ["nobody called nobody shares a folder with you"]
    );
    // Whom one shares nothing with, one cannot even ask for.
    let other = bench.account("dan");
    bench.put(&other, "/dans.txt", "apple");
    bench.settle();
    assert_eq!(
        warned("owner:dan@example.org "),
        ["nobody called dan@example.org shares a folder with you"]
    );
}
