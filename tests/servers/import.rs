//! Folders that are followed, and folders of the server that are imported from the page.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::program::{Server, until};
use crate::user::User;

/// A change has arrived by then, seconds.
const LIMIT_S: u64 = 90;

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Follows the folder until it is killed.
fn follow(server: &Server, folder: &Path) -> Child {
    let mut command = server.program();
    command.arg("import").arg(folder);
    command.args(["--watch", "--delete", "--exclude", "*.bak"]);
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    quiet.spawn().unwrap()
}

fn until_files(user: &User, wanted: &[&str]) {
    until(&format!("{wanted:?}"), LIMIT_S, || {
        let files = user.files();
        files.keys().eq(wanted).then_some(())
    });
}

#[test]
fn a_followed_folder_survives_kills() {
    let mut server = Server::start(false);
    let admin = server.admin();
    let folder = server.folder().join("box");
    write(&folder, "a.txt", "the first apricot");
    write(&folder, "deep/b.txt", "b");
    write(&folder, "c.bak", "left out");
    write(&folder, "Thumbs.db", "left out");
    let mut import = follow(&server, &folder);
    until_files(&admin, &["/box/a.txt", "/box/deep/b.txt"]);
    admin.put("/box/theirs.txt", b"put there by somebody else");
    write(&folder, "new/c.txt", "a second plumtree");
    std::fs::remove_file(folder.join("a.txt")).unwrap();
    until_files(
        &admin,
        &["/box/deep/b.txt", "/box/new/c.txt", "/box/theirs.txt"],
    );
    until("the new word", LIMIT_S, || {
        (admin.found("plumtree") == ["/box/new/c.txt"]).then_some(())
    });
    // Who follows is killed, and the folder changes meanwhile.
    import.kill().unwrap();
    import.wait().unwrap();
    std::fs::remove_dir_all(folder.join("deep")).unwrap();
    write(&folder, "d.txt", "d");
    let mut import = follow(&server, &folder);
    until_files(&admin, &["/box/d.txt", "/box/new/c.txt", "/box/theirs.txt"]);
    // The server is killed; who follows brings what it missed.
    server.kill9();
    write(&folder, "e.txt", "e");
    server.start_again();
    until_files(
        &server.admin(),
        &[
            "/box/d.txt",
            "/box/e.txt",
            "/box/new/c.txt",
            "/box/theirs.txt",
        ],
    );
    import.kill().unwrap();
    import.wait().unwrap();
    server.check();
}

#[test]
fn serve_follows_a_folder_and_says_what_it_refuses() {
    let mut server = Server::start(false);
    assert_eq!(server.stop(), 0);
    let folder = server.folder().join("letters");
    write(&folder, "one.txt", "about gooseberries");
    let path = folder.to_str().unwrap().to_owned();
    server.start_with(&["--import", &path, "--watch"]);
    let admin = server.admin();
    until_files(&admin, &["/letters/one.txt"]);
    write(&folder, "two.txt", "about medlars");
    until_files(&admin, &["/letters/one.txt", "/letters/two.txt"]);
    assert_eq!(server.stop(), 0);
    server.start_again();
    // The data folder is not imported, from wherever.
    let whole = server.folder().display().to_string();
    let report = server.folder().join("report.json");
    let done = server.command(&[
        "import",
        &whole,
        "--into",
        "/all",
        "--report",
        report.to_str().unwrap(),
    ]);
    assert!(done.status.success());
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let refused = report["refused"].as_array().unwrap();
    let own = json!({ "path": server.data(), "reason": "Firefly's own data are not imported" });
    assert!(refused.contains(&own), "{report}");
    assert!(
        !server
            .admin()
            .files()
            .keys()
            .any(|path| path.contains("admin.token"))
    );
}

#[test]
fn a_server_killed_during_an_import_says_so() {
    let mut server = Server::stopped(false);
    let folder = server.folder().join("many");
    for n in 0..2_000 {
        write(&folder, &format!("{n}.txt"), &format!("file {n}"));
    }
    let root = folder.to_str().unwrap().to_owned();
    server.start_with(&["--import-roots", &root]);
    let admin = server.admin();
    let start = json!({ "root": root, "into": "/m" });
    let begun = admin.call("firefly/import/start", &start);
    assert_eq!(admin.refused("firefly/import/start", &start), "busy");
    until("some files", LIMIT_S, || {
        let import = admin.call(
            "firefly/import/status",
            &json!({ "id": begun["import"]["id"] }),
        );
        (import["import"]["imported"].as_u64().unwrap() > 20).then_some(())
    });
    server.kill9();
    server.start_with(&["--import-roots", &root]);
    let all = admin.call("firefly/import/list", &json!(null));
    assert_eq!(all["imports"][0]["state"], "interrupted", "{all}");
    let begun = admin.call("firefly/import/start", &start);
    let which = json!({ "id": begun["import"]["id"] });
    let done = until("the import is through", LIMIT_S, || {
        let import = admin.call("firefly/import/status", &which)["import"].clone();
        (import["state"] != "running").then_some(import)
    });
    let count = |key: &str| done[key].as_u64().unwrap();
    assert_eq!(count("imported") + count("unchanged"), 2_000, "{done}");
    assert!(count("unchanged") >= 20, "{done}");
    assert_eq!(done["state"], "done");
    assert_eq!(admin.files().len(), 2_000);
}
