//! The audit log through the real program: what is in it, filters, exports, and that it verifies while people work and after kill -9.

use serde_json::json;

use crate::program::{Server, until};
use crate::session::{Browser, PASSWORD, claim, code, post, sign_in};

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

/// Every kind of event, done by people and administrators as they do it.
#[test]
fn every_kind_of_event_is_written() {
    let server = Server::start(false);
    let (admin, ann, bob) = (server.admin(), server.user("ann"), server.user("bob"));
    // At the door.
    let http = server.http();
    let invited = said(&server, &["account", "invite", "carl@example.org"]);
    let claimed = claim(&http, code(&invited), PASSWORD);
    let browser = Browser::of(&http, &claimed);
    let carl = |route: &str, argument: serde_json::Value| {
        browser.done(&format!("firefly/{route}"), &argument)
    };
    let wrong = sign_in(&http, "carl@example.org", "not the password");
    assert_eq!(wrong.status, 409);
    // The second factor.
    let begun = carl("two_factor/begin", json!({ "password": PASSWORD }));
    let secret = totp_rs::Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let telephone = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let shown = telephone.generate(now.unwrap().as_secs()).to_string();
    let codes = carl("two_factor/confirm", json!({ "code": shown }));
    let codes = codes["recovery_codes"].as_array().unwrap().clone();
    let asked = sign_in(&http, "carl@example.org", PASSWORD);
    let challenge = asked.json()["second_factor"]["challenge"].clone();
    let recovered = json!({ "challenge": challenge, "code": codes[0] });
    let recovered = post(&http, "firefly/session/second_factor", &recovered, &[]);
    assert_eq!(recovered.status, 200);
    carl(
        "two_factor/disable",
        json!({ "password": PASSWORD, "code": codes[1] }),
    );
    carl("session/sign_out", serde_json::Value::Null);
    // Tokens, files, searches.
    let token = ann.call("firefly/token/create", &json!({ "name": "script" }));
    ann.call("firefly/token/revoke", &json!({ "id": token["id"] }));
    ann.put("/plan/a.txt", b"a plan");
    ann.put("/own/b.txt", b"mine");
    ann.call(
        "firefly/search",
        &json!({ "query": "secretword", "options": { "path": "/own" } }),
    );
    ann.download("/own/b.txt");
    let entry = ann.call("files/get_metadata", &json!({ "path": "/own/b.txt" }));
    ann.delete("/own/b.txt");
    let restored = json!({ "path": "/own/b.txt", "rev": entry["rev"] });
    ann.call("files/restore", &restored);
    // Shared folders and their members.
    let shared = ann.share("/plan");
    let of = |more: serde_json::Value| {
        let mut argument = json!({ "shared_folder_id": shared });
        argument
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        argument
    };
    ann.invite(&shared, &bob);
    let bobs = json!({ ".tag": "email", "email": bob.email });
    let viewer = of(json!({ "member": bobs, "access_level": "viewer" }));
    ann.call("sharing/update_folder_member", &viewer);
    ann.call(
        "sharing/update_folder_policy",
        &of(json!({ "acl_update_policy": "editors" })),
    );
    ann.expel(&shared, &bob);
    ann.invite(&shared, &bob);
    let invitation = of(json!({ "email": "dora@example.org", "access_level": "viewer" }));
    let invited = ann.rpc("firefly/invitations/create", &invitation).unwrap();
    assert_eq!(invited.status, 200, "{}", invited.text());
    let id = bob.call("users/get_current_account", &serde_json::Value::Null);
    ann.call(
        "sharing/transfer_folder",
        &of(json!({ "to_dropbox_id": id["account_id"] })),
    );
    bob.call(
        "sharing/unshare_folder",
        &of(json!({ "leave_a_copy": false })),
    );
    // Links.
    let link = ann.call(
        "sharing/create_shared_link_with_settings",
        &json!({ "path": "/own/b.txt" }),
    );
    let path = link["url"]
        .as_str()
        .unwrap()
        .split_once("/s/")
        .unwrap()
        .1
        .to_owned();
    let opened = server
        .http()
        .request("GET", &format!("/s/{path}"), &[], b"");
    assert_eq!(opened.unwrap().status, 200);
    let changed = json!({ "url": link["url"], "settings": { "link_password": "open sesame 7" } });
    ann.call("sharing/modify_shared_link_settings", &changed);
    ann.call("sharing/revoke_shared_link", &json!({ "url": link["url"] }));
    // Administration.
    said(&server, &["account", "quota", "bob@example.org", "50"]);
    said(&server, &["retention", "--days", "90"]);
    let group = admin.call("firefly/groups/create", &json!({ "name": "Planners" }));
    let member = json!({ "group_id": group["group_id"], "email": bob.email });
    admin.call("firefly/groups/add", &member);
    admin.call("firefly/groups/remove", &member);

    let wanted = [
        "sign_in",
        "sign_in_failed",
        "sign_out",
        "account_created",
        "password_set",
        "token_created",
        "token_revoked",
        "search",
        "download",
        "deleted",
        "restored",
        "folder_shared",
        "folder_unshared",
        "member_added",
        "member_changed",
        "member_removed",
        "owner_changed",
        "policy_changed",
        "link_created",
        "link_opened",
        "link_changed",
        "link_revoked",
        "admin",
        "second_factor_set",
        "second_factor_removed",
        "recovery_code_used",
        "group_changed",
        "group_member_added",
        "group_member_removed",
        "invitation_created",
    ];
    let mut log = String::new();
    let missing = || {
        log = said(&server, &["audit", "list"]);
        let is_missing = |action: &&&str| !log.contains(&format!("\t{action}\t"));
        let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
        eprintln!("not in the log: {missing:?}");
        missing.is_empty().then_some(())
    };
    until("every kind of event", 30, missing);
    let search = log
        .lines()
        .find(|line| line.contains("\tsearch\t"))
        .unwrap();
    assert!(
        search.contains("/own") && search.contains("ann@example.org"),
        "{search}"
    );
    assert!(!log.contains("secretword"), "words are nobody's business");
    said(&server, &["audit", "verify"]);
}
