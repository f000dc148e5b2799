//! Upgrades: the program serves what each released format has stored, and refuses what a newer one has.

use std::path::Path;

use serde_json::json;

use crate::program::{Server, said, succeeds, until};
use crate::user::User;

/// Stores of releases: data folders of stopped servers.
const RELEASES: [&str; 1] = ["store-0.1"];

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// A server on a fixture's copy that was not started yet.
fn server_on(fixture: &str) -> Server {
    let server = Server::stopped_embedded();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    copy(&from.join(fixture), &server.data());
    server
}

#[test]
fn what_every_release_has_stored_is_served() {
    for release in RELEASES {
        let mut server = server_on(release);
        server.start_again();
        let admin = server.admin();
        assert_eq!(
            admin.download("/fixture/versions.txt").text(),
            "the second version"
        );
        let versions = json!({ "path": "/fixture/versions.txt" });
        let versions = admin.call("files/list_revisions", &versions)["entries"].clone();
        let first = json!({ "path": format!("rev:{}", versions[1]["rev"].as_str().unwrap()) });
        let first = admin.content("files/download", &first, b"").unwrap();
        assert_eq!(first.text(), "the first version", "{release}");
        let links = admin.call("sharing/list_shared_links", &json!({}));
        assert_eq!(links["links"].as_array().unwrap().len(), 1, "{release}");
        until("the index is made anew", 60, || {
            (admin.found("northern transects") == ["/fixture/survey.pdf"]).then_some(())
        });
        let invited = succeeds(&server, &["account", "create", "new@example.org"]);
        let token = invited.lines().last().unwrap();
        let new = User::new(server.http(), token);
        new.put("/new.txt", b"written by this release");
        succeeds(&server, &["audit", "verify"]);
        let verified = admin.call("firefly/admin/index/verify", &json!({}));
        assert_eq!(verified["is_right"], true, "{verified}");
        let depot = server.folder().join("backups").display().to_string();
        succeeds(&server, &["backup", &depot, "--with-keys"]);
        succeeds(&server, &["backup", "verify", &depot]);
        assert_eq!(server.stop(), 0);
        server.check();
        server.start_again();
        assert_eq!(new.download("/new.txt").text(), "written by this release");
    }
}

#[test]
fn what_a_newer_release_has_stored_is_not_touched() {
    let server = server_on("store-newer");
    let refused = server.command(&["serve", "--listen", "127.0.0.1:0"]);
    let words = said(&refused);
    assert!(!refused.status.success(), "{words}");
    assert!(
        words.contains("has format 1000, this release reads up to"),
        "{words}"
    );
}
