//! The audit log through the real program: what is in it, filters, exports, and that it verifies while people work and after kill -9.

use serde_json::json;

use crate::program::{Server, until};

fn said(server: &Server, arguments: &[&str]) -> String {
    let output = server.command(arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{arguments:?}: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

#[test]
fn what_people_do_is_logged_exported_and_verified() {
    let mut server = Server::start(false);
    let (ann, bob) = (server.user("ann"), server.user("bob"));
    ann.put("/plan/=cmd.txt", b"a plan");
    let shared = ann.share("/plan");
    ann.invite(&shared, &bob);
    assert_eq!(bob.download("/plan/=cmd.txt").text(), "a plan");
    bob.search("plan");
    bob.delete("/plan/=cmd.txt");
    let wrong = json!({ "email": "ann@example.org", "password": "not the password" });
    let refused = server.http().request(
        "POST",
        "/2/firefly/session/sign_in",
        &[("Content-Type", "application/json")],
        wrong.to_string().as_bytes(),
    );
    assert_eq!(refused.unwrap().status, 409);

    let listed = until("the last deletion is written", 30, || {
        let listed = said(&server, &["audit", "list"]);
        listed.contains("\tdeleted\t").then_some(listed)
    });
    for action in [
        "folder_shared",
        "member_added",
        "download",
        "search",
        "deleted",
        "sign_in_failed",
        "account_created",
    ] {
        assert!(
            listed.contains(&format!("\t{action}\t")),
            "{action}: {listed}"
        );
    }
    let filtered = said(
        &server,
        &[
            "audit",
            "list",
            "--actor",
            "bob@example.org",
            "--action",
            "download",
        ],
    );
    assert_eq!(filtered.lines().count(), 1, "{filtered}");
    assert!(filtered.contains("127.0.0.1"), "{filtered}");
    let csv = said(
        &server,
        &["audit", "export", "--format", "csv", "--since", "1h"],
    );
    assert!(
        csv.starts_with("sequence,at,actor,action,subject,address\r\n"),
        "{csv}"
    );
    let lines = said(&server, &["audit", "export"]);
    for line in lines.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["sequence"].as_u64() > Some(0), "{line}");
    }

    let verified = said(&server, &["audit", "verify"]);
    let anchor = verified
        .lines()
        .last()
        .unwrap()
        .strip_prefix("anchor: ")
        .unwrap()
        .to_owned();
    server.kill9();
    let verified = said(&server, &["audit", "verify", "--anchor", &anchor]);
    assert!(verified.contains("as they were written"), "{verified}");
    let (sequence, hash) = anchor.split_once(':').unwrap();
    let flipped = if hash.starts_with('0') { "1" } else { "0" };
    let other = format!("{sequence}:{flipped}{}", &hash[1..]);
    let verified = server.command(&["audit", "verify", "--anchor", &other]);
    assert_eq!(verified.status.code(), Some(1));
    server.start_again();
    server.check();
}
