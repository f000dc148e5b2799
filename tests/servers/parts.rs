//! A hit says in which part of its file the words are.

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::program::{Server, until};
use crate::user::User;

/// Words are found by then, seconds.
const LIMIT_S: u64 = 60;

fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        let options = SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// What the only hit of the words says under `key`.
fn said(user: &User, words: &str, key: &str) -> Value {
    until(words, LIMIT_S, || {
        let answer = user.search(words);
        let said = answer["hits"].get(0)?[key].clone();
        said.is_object().then_some(said)
    })
}

#[test]
fn hits_name_the_message_the_member_and_the_sheet() {
    let server = Server::shared(false);
    let user = server.user("archivist");
    let mailbox = "From a@b Mon\nFrom: a@b\nSubject: The harbour\n\ncormorants\n\n\
                   From c@d Tue\nFrom: c@d\nSubject: The quay\n\nturnstones\n";
    user.put("/old.mbox", mailbox.as_bytes());
    let members = [("read me.txt", "curlews"), ("notes/plan.txt", "sandpipers")];
    user.put("/notes.zip", &archive(&members));
    let sheet = "<o><table:table table:name='Autumn'><text:p>dunlins</text:p></table:table>\
                 <table:table table:name='Winter'><text:p>knots</text:p></table:table></o>";
    let mimetype = "application/vnd.oasis.opendocument.spreadsheet";
    let sheets = [("mimetype", mimetype), ("content.xml", sheet)];
    user.put("/counts.ods", &archive(&sheets));
    for (words, kind, name, path, file) in [
        ("turnstones ", "message", "The quay", "2", "/old.mbox"),
        (
            "sandpipers ",
            "member",
            "plan.txt",
            "notes/plan.txt",
            "/notes.zip",
        ),
    ] {
        let member = said(&user, words, "member");
        let told = (&member["kind"], &member["name"], &member["path"]);
        assert_eq!(told, (&json!(kind), &json!(name), &json!(path)), "{words}");
        let argument = json!({ "path": file, "member": member["path"] });
        let text = user.call("firefly/text", &argument);
        let text = text["text"].as_str().unwrap();
        assert!(text.contains(words.trim()), "{words}: {text}");
    }
    let mut spot = said(&user, "knots ", "spot");
    spot.as_object_mut().unwrap().remove("range");
    assert_eq!(spot, json!({ "sheet": 2, "label": "Winter" }));
}

#[test]
fn members_are_opened_by_who_may_read_their_file() {
    let server = Server::shared(false);
    let (user, friend, other) = (
        server.user("keeper"),
        server.user("friend"),
        server.user("other"),
    );
    let members = [
        ("notes/plan.txt", "whimbrels rest here"),
        ("sound.bin", "\u{1}\u{2}"),
    ];
    user.call("files/create_folder_v2", &json!({ "path": "/estuary" }));
    user.put("/estuary/notes.zip", &archive(&members));
    let mail = "From: a@b.example\r\nSubject: Counts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n\
                --x\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--x\r\nContent-Type: text/plain\r\n\
                Content-Disposition: attachment; filename=\"list.txt\"\r\n\r\ngodwits and redshanks\r\n--x--\r\n";
    user.put("/estuary/counts.eml", mail.as_bytes());
    let of = |path: &str, member: &Value| json!({ "path": path, "member": member });
    let in_archive = of(
        "/estuary/notes.zip",
        &said(&user, "whimbrels ", "member")["path"],
    );
    let attached = of(
        "/estuary/counts.eml",
        &said(&user, "godwits ", "member")["path"],
    );
    let get = |who: &User, what: &str, argument: &Value| {
        let route = format!("firefly/member/{what}");
        who.content(&route, argument, b"").unwrap()
    };
    for (argument, content) in [
        (&in_archive, "whimbrels rest here"),
        (&attached, "godwits and redshanks"),
    ] {
        let shown = get(&user, "preview", argument);
        assert_eq!((shown.status, shown.text().trim()), (200, content));
        let policy = shown.header("content-security-policy").unwrap();
        assert!(
            policy.contains("sandbox") && policy.contains("default-src 'none'"),
            "{policy}"
        );
        assert_eq!(
            shown.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        let saved = get(&user, "download", argument);
        assert_eq!((saved.status, saved.text().trim()), (200, content));
        assert_eq!(
            saved.header("content-type"),
            Some("application/octet-stream")
        );
        // Nobody else learns more than that there is nothing.
        for what in ["preview", "download"] {
            let refused = get(&other, what, argument);
            assert_eq!(
                (refused.status, refused.refusal().as_str()),
                (409, "path/not_found")
            );
        }
        assert_eq!(other.refused("firefly/text", argument), "path/not_found");
    }
    let binary = of("/estuary/notes.zip", &json!("sound.bin"));
    assert_eq!(get(&user, "preview", &binary).status, 415);
    assert_eq!(get(&user, "download", &binary).body, [1, 2]);
    let missing = of("/estuary/notes.zip", &json!("nothing.txt"));
    assert_eq!(get(&user, "download", &missing).refusal(), "path/not_found");
    // By its file's id too, as long as the folder is shared with one.
    let shared = user.share("/estuary");
    user.invite(&shared, &friend);
    assert_eq!(
        get(&friend, "download", &in_archive).text(),
        "whimbrels rest here"
    );
    user.expel(&shared, &friend);
    assert_eq!(
        get(&friend, "download", &in_archive).refusal(),
        "path/not_found"
    );
    assert!(friend.found("whimbrels ").is_empty());
}
