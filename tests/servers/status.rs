//! `firefly status` and `/metrics`: a fault planted in one namespace is seen, and where it is.

use serde_json::Value;

use crate::program::{Server, until};

fn status(server: &Server) -> (Value, bool) {
    let output = server.command(&["status", "--json"]);
    let status = serde_json::from_slice(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr).into_owned();
    (status.expect(&complained), output.status.success())
}

#[test]
fn a_fault_in_one_namespace_is_seen() {
    let server = Server::start_embedded();
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    bob.put("/small.txt", b"nothing wrong here");
    let noise: Vec<u8> = (0..900_000_u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 37) as u8)
        .collect();
    ann.put("/large.bin", &noise);
    let before = until("the index has all", 60, || {
        let (status, is_well) = status(&server);
        let waits = &status["waiting_for_extraction"];
        let is_quiet = status["index"]["unindexed"] == 0 && waits == 0;
        (is_well && is_quiet && status["index"]["extracted"] == 2).then_some(status)
    });
    assert_eq!(before["metadata"], "embedded", "{before}");
    assert_eq!(before["namespaces"], serde_json::json!([]), "{before}");
    assert!(before["roles"].as_array().unwrap().len() >= 4, "{before}");

    flip(&server);
    let account = ann.call("users/get_current_account", &Value::Null);
    let damaged = ann.content(
        "files/download",
        &serde_json::json!({"path": "/large.bin"}),
        b"",
    );
    assert!(damaged.is_err() || damaged.unwrap().status != 200);
    let (after, is_well) = status(&server);
    assert!(!is_well, "{after}");
    let named = after["namespaces"].as_array().unwrap();
    let home = &account["root_info"]["home_namespace_id"];
    assert_eq!(named.len(), 1, "{after}");
    assert_eq!(
        (&named[0]["namespace"], &named[0]["bad_copies"]),
        (home, &1.into())
    );

    let shown = server.command(&["status"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("1 bad copies") && shown.contains("extents"),
        "{shown}"
    );
    let admin = format!("Bearer {}", server.admin_token());
    let metrics = server
        .http()
        .request("GET", "/metrics", &[("Authorization", &admin)], b"")
        .unwrap();
    let line = format!(
        "firefly_namespace_bad_copies{{namespace=\"{}\"}} 1",
        home.as_str().unwrap()
    );
    assert!(metrics.text().contains(&line), "{}", metrics.text());
}

/// Flips a bit in the middle of the only extent.
fn flip(server: &Server) {
    let files = std::fs::read_dir(server.data().join("blocks")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    let extents = paths.filter(|path| path.extension().is_some_and(|kind| kind == "extent"));
    let longest = extents
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&longest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(longest, bytes).unwrap();
}
