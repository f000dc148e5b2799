//! The restore drill: the original is destroyed under load, and everything comes back: hashes, versions, shares, links, search.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::program::{Server, said, succeeds, until};
use crate::user::User;

/// Files that each of two people has.
const FILES: usize = 60;
/// How long a word may take to be found, seconds.
const FOUND_LIMIT_S: u64 = 60;

/// The content of every version that an account sees, by revision.
fn versions(user: &User) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in user.files().keys() {
        let asked = json!({ "path": path, "limit": 10 });
        let revisions = user.call("files/list_revisions", &asked)["entries"].clone();
        for revision in revisions.as_array().unwrap() {
            let rev = revision["rev"].as_str().unwrap();
            let asked = json!({ "path": format!("rev:{rev}") });
            let content = user.content("files/download", &asked, b"").unwrap();
            assert_eq!(content.status, 200, "{path} {rev}");
            found.insert(rev.to_owned(), content.body);
        }
    }
    found
}

/// All that an account can see that must be the same after a restore.
fn everything(user: &User) -> Value {
    let files = user.files();
    let revisions = files.keys().map(|path| {
        let asked = json!({ "path": path, "limit": 10 });
        user.call("files/list_revisions", &asked)["entries"].clone()
    });
    let folders = user.call("sharing/list_folders", &json!({}));
    let folders = folders["entries"].as_array().unwrap().iter().map(|folder| {
        let asked = json!({ "shared_folder_id": folder["shared_folder_id"] });
        json!([
            folder,
            user.call("sharing/list_folder_members", &asked)["users"]
        ])
    });
    json!({
        "revisions": revisions.collect::<Vec<_>>(),
        "shared": folders.collect::<Vec<_>>(),
        "links": user.call("sharing/list_shared_links", &json!({})),
        "space": user.call("users/get_space_usage", &Value::Null)["used"],
        "files": files,
    })
}

#[test]
fn what_was_destroyed_under_load_comes_back() {
    let mut server = Server::start(false);
    let depot = server.folder().join("backups").display().to_string();
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    for n in 0..FILES {
        ann.put(
            &format!("/work/{n}.txt"),
            format!("anntext{n} about rivers\n")
                .repeat(n + 1)
                .as_bytes(),
        );
        bob.put(
            &format!("/{n}.txt"),
            format!("bobtext{n} about hills").as_bytes(),
        );
    }
    ann.put("/work/3.txt", b"annsecond version of the third");
    ann.put("/film.bin", &vec![7; 9_000_000]);
    ann.delete("/work/4.txt");
    let shared = ann.share("/work");
    ann.invite(&shared, &bob);
    let link = ann.call(
        "sharing/create_shared_link_with_settings",
        &json!({ "path": "/work/5.txt" }),
    );
    let first = succeeds(&server, &["backup", &depot]);
    assert!(first.contains("NOT in it"), "{first}");

    // People write while the second backup is taken; it holds what was acknowledged before it began.
    let (done, written) = (AtomicBool::new(false), Mutex::new(0));
    let (before, second) = std::thread::scope(|scope| {
        let carol = server.user("carol");
        let before = (everything(&ann), everything(&bob), versions(&ann));
        scope.spawn(|| {
            let carol = carol;
            while !done.load(Ordering::Relaxed) {
                let mut n = written.lock().unwrap();
                carol.put(&format!("/{n}.txt"), format!("carol {n}").as_bytes());
                *n += 1;
            }
        });
        let second = succeeds(&server, &["backup", &depot, "--with-keys"]);
        done.store(true, Ordering::Relaxed);
        (before, second)
    });
    assert!(
        second.contains("whoever has this backup can read"),
        "{second}"
    );
    let word = second.split_whitespace().nth(1).unwrap().to_owned();
    let listed = succeeds(&server, &["backup", "list", &depot]);
    assert!(
        listed.contains("2 points") && listed.contains(&word),
        "{listed}"
    );
    let verified = succeeds(&server, &["backup", "verify", &depot]);
    assert!(
        verified.contains("decrypted and hashed: all is well"),
        "{verified}"
    );

    // Destroyed while it serves.
    let data = server.data();
    std::fs::remove_dir_all(data.join("blocks")).unwrap();
    server.kill9();
    std::fs::remove_dir_all(&data).unwrap();

    let restored = succeeds(&server, &["restore", &depot]);
    assert!(restored.contains("is as it was at"), "{restored}");
    server.start_again();
    assert_eq!((everything(&ann), everything(&bob), versions(&ann)), before);
    for n in (0..FILES).filter(|n| ![3, 4].contains(n)) {
        for (user, word, path) in [
            (&ann, format!("anntext{n}"), format!("/work/{n}.txt")),
            (&bob, format!("anntext{n}"), format!("/work/{n}.txt")),
            (&bob, format!("bobtext{n}"), format!("/{n}.txt")),
        ] {
            until(&format!("{word} of {}", user.email), FOUND_LIMIT_S, || {
                (user.found(&format!("\"{word}\"")) == [path.as_str()]).then_some(())
            });
        }
        let others = ann.found(&format!("\"bobtext{n}\""));
        assert_eq!(others, Vec::<String>::new(), "bob's own"); // I6
    }
    for (word, found) in [
        ("\"annsecond\"", 1),
        ("\"anntext3\"", 0),
        ("\"anntext4\"", 0),
    ] {
        assert_eq!(ann.found(word).len(), found, "{word}");
    }
    let opened = json!({ "url": link["url"] });
    assert_eq!(
        ann.call("sharing/get_shared_link_metadata", &opened)["name"],
        "5.txt"
    );
    bob.put("/work/after.txt", b"a restored store goes on");
    assert_eq!(
        ann.download("/work/after.txt").text(),
        "a restored store goes on"
    );
    server.check();
    let third = succeeds(&server, &["backup", &depot]);
    assert!(third.contains("holds"), "{third}");
    let pruned = succeeds(&server, &["backup", "prune", &depot, "--keep-last", "1"]);
    assert!(pruned.contains("1 points are left"), "{pruned}");
}

#[test]
fn a_backup_whose_server_is_killed_goes_on() {
    let mut server = Server::start(false);
    let depot = server.folder().join("backups").display().to_string();
    let ann = server.user("ann");
    for n in 0..12u8 {
        // Blocks that do not compress, so that there are several segments.
        let content: Vec<u8> = (0..4_000_000u32)
            .map(|at| (at.wrapping_mul(2_654_435_761).rotate_left(u32::from(n)) >> 13) as u8 ^ n)
            .collect();
        ann.put(&format!("/{n}.bin"), &content);
    }
    let begun = server.admin().call(
        "firefly/admin/backup/start",
        &json!({ "destination": depot }),
    );
    until("blocks are copied", 60, || {
        let asked = json!({ "task": begun["task"] });
        let status = server.admin().call("firefly/admin/task/status", &asked);
        (status["progress"]["blocks"].as_u64() > Some(2) || !status["answer"].is_null())
            .then_some(())
    });
    server.kill9();
    server.start_again();
    succeeds(&server, &["backup", &depot]);
    assert_eq!(server.stop(), 0);
    let verified = succeeds(&server, &["backup", "verify", &depot]);
    assert!(
        verified.contains("decrypted and hashed: all is well"),
        "{verified}"
    );
}

#[test]
fn a_backup_of_a_database_comes_back_into_a_database() {
    let mut server = Server::start_on_database();
    let depot = server.folder().join("backups").display().to_string();
    let ann = server.user("ann");
    for n in 0..FILES {
        ann.put(
            &format!("/work/{n}.txt"),
            format!("anntext{n} about rivers").as_bytes(),
        );
    }
    ann.put("/work/3.txt", b"annsecond version of the third");
    ann.delete("/work/4.txt");
    let before = everything(&ann);
    succeeds(&server, &["backup", &depot, "--with-keys"]);
    ann.put("/work/later.txt", b"after the backup");
    server.kill9();

    // Not over what is there.
    let refused = server.command(&["restore", &depot]);
    assert!(
        said(&refused).contains("has a store already"),
        "{}",
        said(&refused)
    );
    server.use_new_database();
    server.use_data("restored");
    // Killed while it brings blocks, and begun again.
    let mut killed = server.program();
    let quiet = killed.args(["restore", &depot]).stdout(Stdio::null());
    let mut killed = quiet.stderr(Stdio::null()).spawn().unwrap();
    let mark = server.data().join("restoring");
    until("a restore is begun", 60, || {
        (mark.exists() || killed.try_wait().unwrap().is_some()).then_some(())
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    if mark.exists() {
        let early = server.command(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(said(&early).contains("was interrupted"), "{}", said(&early));
        let restored = succeeds(&server, &["restore", &depot]);
        assert!(restored.contains("is as it was at"), "{restored}");
    }
    assert!(!server.data().join("meta").exists());
    server.start_again();
    assert_eq!(everything(&ann), before);
    until("a word of a restored file", FOUND_LIMIT_S, || {
        (ann.found("anntext7") == ["/work/7.txt"]).then_some(())
    });
    ann.put("/work/after.txt", b"a restored store goes on");
    server.check();
    let verified = succeeds(&server, &["backup", "verify", &depot]);
    assert!(verified.contains("all is well"), "{verified}");
}
