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
