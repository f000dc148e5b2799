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

/// The part of the only file that has the words, without its range.
fn part(user: &User, words: &str) -> Value {
    until(words, LIMIT_S, || {
        let answer = user.search(words);
        let mut spot = answer["hits"].get(0)?["spot"].clone();
        spot.as_object_mut()?.remove("range")?;
        Some(spot)
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
    for (words, wanted) in [
        ("turnstones ", json!({ "message": 2, "label": "The quay" })),
        (
            "sandpipers ",
            json!({ "member": 2, "label": "notes/plan.txt" }),
        ),
        ("knots ", json!({ "sheet": 2, "label": "Winter" })),
    ] {
        assert_eq!(part(&user, words), wanted, "{words}");
    }
}
