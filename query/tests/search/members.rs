//! What is in a file is a hit of its own, and comes and goes with its file. // I5 I6

use std::io::{Cursor, Write};

use query::{Members, Order, Request};
use storage::meta::Account;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::bench::{Bench, NOW_MS, address, asked};

const MAILBOX: &str = "From ann Mon\nFrom: Ann Lee <ann@example.org>\nTo: bob@example.org\nSubject: Spring budget\n\
    Date: Wed, 31 Jan 2024 10:30:00 +0000\n\nThe apples are ripe.\n\n\
    From bob Tue\nFrom: bob@example.org\nTo: ann@example.org\nCc: Carl <carl@example.org>\nSubject: Re: Spring budget\n\
    Date: Thu, 1 Feb 2024 09:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
    --b\nContent-Type: text/plain\n\nThe pears are not.\n--b\nContent-Type: text/plain; name=\"orchard.txt\"\n\
    Content-Disposition: attachment; filename=\"orchard.txt\"\n\napples and quinces\n--b--\n";

const MAIL: &str = "From: Dora <dora@example.net>\nTo: ann@example.org\nSubject: Cherries\n\
    Date: Fri, 2 Feb 2024 09:00:00 +0000\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=c\n\n\
    --c\nContent-Type: text/plain\n\nPlease see below.\n--c\nContent-Type: text/plain; name=\"list.txt\"\n\
    Content-Disposition: attachment; filename=\"list.txt\"\n\napples, cherries\n--c--\n";

fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in members {
        zip.start_file(*name, SimpleFileOptions::default())
            .expect("a member");
        zip.write_all(text.as_bytes()).expect("bytes");
    }
    zip.finish().expect("an archive").into_inner()
}

fn filled() -> (Bench, Account) {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/mail/all.mbox", MAILBOX);
    bench.put(&ann, "/mail/one.eml", MAIL);
    let zip = archive(&[
        ("fruit/apples.txt", "apples of autumn"),
        ("fruit/notes.md", "nothing here"),
    ]);
    bench.put_bytes(&ann, "/box.zip", &zip, NOW_MS);
    bench.put(&ann, "/plain.txt", "apples");
    bench.settle();
    (bench, ann)
}

#[test]
fn messages_attachments_and_members_of_archives_are_hits_of_their_own() {
    let (bench, ann) = filled();
    let rows = [
        (
            "apples ",
            "/box.zip#fruit/apples.txt /mail/all.mbox#1 /mail/all.mbox#2/orchard.txt /mail/one.eml#list.txt /plain.txt",
        ),
        ("pears ", "/mail/all.mbox#2"),
        ("below ", "/mail/one.eml"),
        ("autumn ", "/box.zip#fruit/apples.txt"),
        ("box.zip ", "/box.zip"),
        ("notes.md ", "/box.zip#fruit/notes.md"),
        (
            "apples type:text ",
            "/box.zip#fruit/apples.txt /mail/all.mbox#2/orchard.txt /mail/one.eml#list.txt /plain.txt",
        ),
        (
            "apples ext:txt in:/mail ",
            "/mail/all.mbox#2/orchard.txt /mail/one.eml#list.txt",
        ),
        ("apples -autumn -in:/mail ", "/plain.txt"),
        // Without words only files are listed.
        ("type:text ", "/plain.txt"),
        ("in:/mail is:file ", "/mail/all.mbox /mail/one.eml"),
        ("", "/box.zip /mail /mail/all.mbox /mail/one.eml /plain.txt"),
    ];
    bench.table(&ann, &rows);
}

#[test]
fn messages_are_found_by_their_heads() {
    let (bench, ann) = filled();
    let rows = [
        ("from:ann ", "/mail/all.mbox#1"),
        ("from:ann@example.org ", "/mail/all.mbox#1"),
        ("from:\"Ann Lee\" ", "/mail/all.mbox#1"),
        ("from:ann,dora ", "/mail/all.mbox#1 /mail/one.eml"),
        ("from:do", "/mail/one.eml"),
        ("from:nobody ", ""),
        ("to:carl ", "/mail/all.mbox#2"),
        ("to:ann ", "/mail/all.mbox#2 /mail/one.eml"),
        ("subject:budget ", "/mail/all.mbox#1 /mail/all.mbox#2"),
        ("subject:budget -from:ann ", "/mail/all.mbox#2"),
        ("subject:bud", "/mail/all.mbox#1 /mail/all.mbox#2"),
        ("sent:2024-01 ", "/mail/all.mbox#1"),
        ("sent:>2024-01-31 ", "/mail/all.mbox#2 /mail/one.eml"),
        ("sent:2024 apples ", "/mail/all.mbox#1"),
        ("from:bob pears ", "/mail/all.mbox#2"),
        ("from: apples.txt ", "/box.zip#fruit/apples.txt"),
    ];
    bench.table(&ann, &rows);
}

#[test]
fn members_tell_what_they_are_and_where_they_match() {
    let (bench, ann) = filled();
    let answer = bench.ask(&ann, &asked("quinces ")).expect("an answer");
    let [hit] = &answer.hits[..] else {
        panic!("{:?}", answer.hits)
    };
    let member = hit.member.as_ref().expect("a member");
    assert_eq!(
        (member.name.as_str(), hit.snippet.text.trim()),
        ("orchard.txt", "orchard.txt apples and quinces")
    );
    // In characters of the member's own text.
    assert_eq!(hit.spot.as_ref().map(|spot| spot.range), Some((23, 30)));
    let answer = bench.ask(&ann, &asked("pears ")).expect("an answer");
    let letter = answer.hits[0]
        .member
        .as_ref()
        .and_then(|member| member.letter.clone())
        .expect("a letter");
    assert_eq!(
        (letter.from.as_str(), letter.sent_ms),
        ("bob@example.org", Some(1_706_778_000_000))
    );
    let answer = bench.ask(&ann, &asked("below ")).expect("an answer");
    assert_eq!(
        answer.hits[0].letter.as_ref().map(|l| l.subject.as_str()),
        Some("Cherries")
    );
    let why = Request {
        why: true,
        ..asked("autumn ")
    };
    let answer = bench.ask(&ann, &why).expect("an answer");
    assert!(
        answer.hits[0]
            .why
            .as_ref()
            .is_some_and(|why| why.score > 0.0)
    );
}

#[test]
fn files_stand_once_for_their_members_where_that_is_asked() {
    let (bench, ann) = filled();
    let grouped = Request {
        members: Members::File,
        ..asked("apples ")
    };
    assert_eq!(
        bench.found_by(&ann, &grouped),
        "/box.zip /mail/all.mbox /mail/one.eml /plain.txt"
    );
    let newest = Request {
        order: Order::Name,
        max_results: 1,
        ..grouped.clone()
    };
    let names = ["/mail/all.mbox", "/box.zip", "/mail/one.eml", "/plain.txt"];
    assert_eq!(bench.pages(&ann, &newest, |_| ()), names);
    let names = Request {
        filename_only: true,
        ..asked("apples ")
    };
    assert_eq!(bench.found_by(&ann, &names), "");
}

#[test]
fn members_go_move_and_change_with_their_file() {
    let (bench, ann) = filled();
    bench.delete(&ann, "/mail/all.mbox");
    assert_eq!(
        bench.found(&ann, "apples in:/mail "),
        "/mail/one.eml#list.txt"
    );
    let zip = archive(&[("later.txt", "medlars")]);
    bench.put_bytes(&ann, "/box.zip", &zip, NOW_MS);
    assert_eq!(bench.found(&ann, "autumn "), "");
    bench.settle();
    assert_eq!(bench.found(&ann, "medlars "), "/box.zip#later.txt");
    bench.relocate(&ann, "/box.zip", "/mail/box.zip");
    bench.settle();
    assert_eq!(
        bench.found(&ann, "medlars in:/mail "),
        "/mail/box.zip#later.txt"
    );
    bench.delete(&ann, "/mail");
    assert_eq!(bench.found(&ann, "medlars OR cherries "), "");
}

#[test]
fn every_answer_says_how_much_was_searchable() {
    let (bench, ann) = filled();
    let bob = bench.account("bob");
    let told = |by: &Account| {
        let answer = bench.ask(by, &asked("apples ")).expect("an answer");
        let covered = answer.coverage.expect("a first page");
        (covered.searchable, covered.files)
    };
    assert_eq!((told(&ann), told(&bob)), ((4, 4), (0, 0)));
    bench.put(&ann, "/new.txt", "more apples");
    bench.index();
    assert_eq!(told(&ann), (4, 5));
    bench.delete(&ann, "/mail");
    assert_eq!(told(&ann), (2, 3));
    bench.settle();
    assert_eq!(told(&ann), (3, 3));
}

#[test]
fn pages_of_members_go_on_where_they_ended() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    let names: Vec<String> = (0..150)
        .map(|number| format!("part {number:03}.txt"))
        .collect();
    let members: Vec<_> = names.iter().map(|name| (name.as_str(), "plums")).collect();
    bench.put_bytes(&ann, "/many.zip", &archive(&members), NOW_MS);
    bench.settle();
    let paged = Request {
        max_results: 40,
        ..asked("plums ")
    };
    let mut found = bench.pages(&ann, &paged, |_| ());
    found.sort();
    let all: Vec<_> = names
        .iter()
        .map(|name| format!("/many.zip#{name}"))
        .collect();
    assert_eq!(found, all);
    let answer = bench.ask(&ann, &paged).expect("an answer");
    assert_eq!(
        (
            answer.total,
            address(&answer.hits[0]).starts_with("/many.zip#part ")
        ),
        (150, true)
    );
}
