//! Disk drills through the real program: a target that goes while people write, flipped bits, a disk that is added and one drained.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::program::{Server, said, succeeds, until};
use crate::user::User;

/// How long copies may take, seconds.
const COPIED_LIMIT_S: u64 = 90;

fn status(server: &Server) -> Value {
    server
        .admin()
        .call("firefly/admin/storage/status", &json!({}))
}

/// A server with two copies of everything, on folders of their own.
fn two_disks() -> (Server, [PathBuf; 2]) {
    let mut server = Server::start(false);
    server.kill9();
    let disks = ["one", "two"].map(|name| server.folder().join(name));
    let targets = disks
        .each_ref()
        .map(|disk| disk.display().to_string())
        .join(",");
    // What the first start stored lies in `blocks`: it stays a target.
    let settings = format!("targets = \"blocks,{targets}\"\nreplicas = 2\n");
    std::fs::write(server.data().join("firefly.toml"), settings).unwrap();
    server.start_again();
    succeeds(&server, &["storage", "drain", "blocks"]);
    (server, disks)
}

fn write(user: &User, from: usize) -> Vec<(String, String)> {
    let files =
        (from..from + 30).map(|n| (format!("/{n}.txt"), format!("content {n} ").repeat(500)));
    let files: Vec<_> = files.collect();
    for (path, content) in &files {
        user.put(path, content.as_bytes());
    }
    files
}

fn all_there(user: &User, files: &[(String, String)]) {
    for (path, content) in files {
        assert_eq!(user.download(path).text(), *content, "{path}");
    }
}

fn until_whole(server: &Server) {
    until("every block has its copies", COPIED_LIMIT_S, || {
        let status = status(server);
        (status["short_extents"] == 0 && status["draining_extents"] == 0).then_some(())
    });
}

/// Flips a bit in the middle of the longest extent of a disk.
fn flip(disk: &Path) {
    let extents = std::fs::read_dir(disk)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let longest = extents
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&longest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(longest, bytes).unwrap();
}

#[test]
fn a_disk_goes_while_people_write_and_comes_back() {
    let (mut server, [one, two]) = two_disks();
    let user = server.user("ann");
    let mut files = write(&user, 0);
    let away = server.folder().join("away");
    std::fs::rename(&two, &away).unwrap();
    files.extend(write(&user, 100));
    all_there(&user, &files);
    let now = status(&server);
    assert_eq!(now["replicas"], 2, "{now}");

    std::fs::rename(&away, &two).unwrap();
    until("the disk is used again", COPIED_LIMIT_S, || {
        (status(&server)["replicas_now"] == 2).then_some(())
    });
    user.put("/nudge.txt", b"seals what has one copy");
    until_whole(&server);
    let stated = succeeds(&server, &["storage", "status"]);
    assert!(stated.contains("all extents have their copies"), "{stated}");
    server.check();

    // Bits flip on one disk; the other goes for good after they are mended.
    flip(&one);
    let checked = server.command(&["check"]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked));
    let mended = succeeds(&server, &["check", "--repair"]);
    assert!(
        mended.contains("1 damaged copies were rewritten"),
        "{mended}"
    );
    server.check();
    assert_eq!(server.stop(), 0);
    std::fs::remove_dir_all(&two).unwrap();
    server.start_again();
    all_there(&user, &files);
}

#[test]
fn a_disk_is_replaced_while_people_write() {
    let (server, [one, _]) = two_disks();
    let user = server.user("ann");
    let mut files = write(&user, 0);
    let three = server.folder().join("three").display().to_string();
    let one = one.display().to_string();
    succeeds(&server, &["storage", "replace", &one, &three]);
    files.extend(write(&user, 100));
    until_whole(&server);
    let gone = status(&server);
    let old = gone["targets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|target| target["name"] == one.as_str());
    assert_eq!(old.unwrap()["extents"], 0, "{gone}");
    std::fs::remove_dir_all(&one).unwrap();
    all_there(&user, &files);
    server.check();
    let verified = user.call("firefly/verified", &json!({ "path": "/0.txt" }));
    assert_eq!(
        (&verified["copies"], &verified["wanted_copies"]),
        (&json!(2), &json!(2))
    );
}

#[test]
fn a_disk_that_is_full_and_then_read_only_is_caught_up() {
    let (mut server, [_, two]) = two_disks();
    let user = server.user("ann");
    assert_eq!(server.stop(), 0);
    let mount = |options: &[&str]| {
        let mut command = std::process::Command::new("mount");
        command.args(options).arg(&two);
        command.output().is_ok_and(|done| done.status.success())
    };
    // A file system of 48 MB in the disk's place; only root may do that, elsewhere the storage crate's own tests stand for it.
    if !mount(&["-t", "tmpfs", "-o", "size=48m", "none"]) {
        return;
    }
    server.start_again();
    let adopted = server.command(&["storage", "adopt", &two.display().to_string()]);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        assert!(adopted.status.success(), "{}", said(&adopted));
        let mut files = Vec::new();
        for n in 0..20u64 {
            // Does not compress.
            let mut state = n + 1;
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) as u8
            })
            .take(4_000_000)
            .collect();
            user.put(&format!("/{n}.bin"), &bytes);
            files.push((format!("/{n}.bin"), bytes));
        }
        let full = status(&server);
        assert_eq!(full["replicas_now"], 1, "{full}");
        assert!(mount(&["-o", "remount,size=400m"]));
        until("there is room again", COPIED_LIMIT_S, || {
            (status(&server)["replicas_now"] == 2).then_some(())
        });
        user.put("/nudge.txt", b"seals what has one copy");
        until_whole(&server);
        assert_eq!(server.stop(), 0);
        assert!(mount(&["-o", "remount,ro"]));
        server.start_again();
        user.put("/late.bin", b"acknowledged with one copy");
        files.push((
            "/late.bin".to_owned(),
            b"acknowledged with one copy".to_vec(),
        ));
        assert_eq!(status(&server)["replicas_now"], 1);
        assert!(mount(&["-o", "remount,rw"]));
        until("the disk can be written again", COPIED_LIMIT_S, || {
            (status(&server)["replicas_now"] == 2).then_some(())
        });
        user.put("/nudge.txt", b"seals what has one copy again");
        until_whole(&server);
        for (path, content) in &files {
            assert!(user.download(path).body == *content, "{path}");
        }
        server.check();
    }));
    drop(server);
    let unmounted = std::process::Command::new("umount")
        .arg("-l")
        .arg(&two)
        .status();
    assert!(unmounted.is_ok_and(|done| done.success()));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
