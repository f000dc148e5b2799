//! What extraction cannot read itself: pictures of text through Tesseract, rare formats through a Tika server.

use std::path::Path;

use crate::engine::Engine;
use crate::program::{Server, until};
use crate::user::User;

/// A helper has read a small file by then, seconds.
const LIMIT_S: u64 = 120;

fn scan(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scans");
    std::fs::read(folder.join(name)).unwrap()
}

fn outcome(user: &User, path: &str) -> String {
    let status = user.index_status(path);
    status["outcome"].as_str().unwrap().to_owned()
}

/// A search path without Tesseract: an installation that lacks it.
fn without_tesseract(server: &mut Server) {
    let nowhere = server.folder().join("nothing");
    std::fs::create_dir_all(&nowhere).unwrap();
    server.start_with_path(&nowhere.display().to_string(), &[]);
}

#[test]
fn words_in_pictures_are_found_once_tesseract_is_there() {
    let mut server = Server::start(false);
    server.stop();
    without_tesseract(&mut server);
    let user = server.user("keeper");
    user.put("/log/scan.pdf", &scan("scan.pdf"));
    user.put("/log/sign.png", &scan("sign.png"));
    user.put("/log/broken.png", &scan("sign.png")[..80]);
    until("the scan needs reading", LIMIT_S, || {
        (outcome(&user, "/log/scan.pdf") == "needs_ocr").then_some(())
    });
    let detail = user.index_status("/log/scan.pdf")["detail"].to_string();
    assert!(detail.contains("tesseract-ocr"), "{detail}");
    assert!(user.found("lighthouse").is_empty());
    // The scan waits over a restart, and is read when the command is there.
    server.stop();
    server.start_again();
    until("the scan is found", LIMIT_S, || {
        (user.found("lighthouse keeper") == ["/log/scan.pdf", "/log/sign.png"]).then_some(())
    });
    assert_eq!(user.found("puffins"), ["/log/scan.pdf"]);
    assert_eq!(outcome(&user, "/log/scan.pdf"), "text");
    // A copy has the same words at once.
    user.put("/log/again.png", &scan("sign.png"));
    until("the copy is found", LIMIT_S, || {
        user.found("lighthouse")
            .contains(&"/log/again.png".to_owned())
            .then_some(())
    });
    server.check();
}

/// A dBase table with one column: this row, and others, as short files and files of whole characters are taken for texts.
fn table(row: &str) -> Vec<u8> {
    const WIDTH: usize = 40;
    let rows = [row, "", "", "", "", "", "", ""];
    let mut file = vec![3, 126, 1, 2];
    file.extend((rows.len() as u32).to_le_bytes());
    file.extend(65u16.to_le_bytes());
    file.extend((WIDTH as u16 + 1).to_le_bytes());
    file.resize(32, 0);
    file.extend(b"SIGHTING\0\0\0C\0\0\0\0");
    file.push(WIDTH as u8);
    file.resize(64, 0);
    file.push(b'\r');
    for row in rows {
        file.extend(format!(" {row:<WIDTH$}").into_bytes());
    }
    let last = file.len() - 1;
    file[last] = 0xE9; // Latin-1
    file.push(0x1A);
    file
}

#[test]
fn rare_formats_are_read_by_a_tika_server() {
    let mut server = Server::start(false);
    let user = server.user("warden");
    user.put("/birds.dbf", &table("kingfisher at the weir"));
    until("nothing here reads the table", LIMIT_S, || {
        (outcome(&user, "/birds.dbf") == "unsupported").then_some(())
    });
    // The table is asked about when there is a server, also after it was away.
    let mut tika = Engine::start("tika");
    let url = format!("http://127.0.0.1:{}", tika.port());
    server.stop();
    server.start_with(&["--tika-url", &url]);
    until("the table is found", LIMIT_S, || {
        (user.found("kingfisher weir") == ["/birds.dbf"]).then_some(())
    });
    tika.kill9();
    user.put("/otters.dbf", &table("otter tracks in the snow"));
    until("the table waits", LIMIT_S, || {
        (outcome(&user, "/otters.dbf") == "unsupported").then_some(())
    });
    tika.start_again();
    until(
        "the table is found when the server is back",
        LIMIT_S,
        || (user.found("otter snow") == ["/otters.dbf"]).then_some(()),
    );
    server.check();
}
