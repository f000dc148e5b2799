//! People: the second factor, leavers and groups, with the real program and its command line.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::program::{Server, until};
use crate::session::{self, Browser, PASSWORD, claim};

fn code(telephone: &Totp, steps: u64) -> String {
    let now_s = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    telephone.generate(now_s + steps * 30).to_string()
}

#[test]
fn a_second_factor_is_asked_for_and_an_administrator_takes_it_away() {
    let server = Server::start(false);
    let http = server.http();
    let invited = server.command(&["account", "invite", "ann@example.org"]);
    let invited = String::from_utf8(invited.stdout).unwrap();
    let ann = Browser::of(&http, &claim(&http, session::code(&invited), PASSWORD));
    let call = |route: &str, argument: Value| ann.done(&format!("firefly/{route}"), &argument);
    let begun = call("two_factor/begin", json!({ "password": PASSWORD }));
    let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let telephone = Builder::new().with_secret(secret).build().unwrap();
    call("two_factor/confirm", json!({ "code": code(&telephone, 0) }));
    let sign_in = || session::sign_in(&http, "ann@example.org", PASSWORD);
    let asked = sign_in();
    assert_eq!(asked.header("set-cookie"), None);
    let challenge = asked.json()["second_factor"]["challenge"].clone();
    let second = |code: String| {
        let argument = json!({ "challenge": challenge, "code": code });
        session::post(&http, "firefly/session/second_factor", &argument, &[])
    };
    assert_eq!(second("000000".into()).refusal(), "invalid_code");
    let fresh = code(&telephone, 1);
    assert!(second(fresh.clone()).header("set-cookie").is_some());
    assert_eq!(second(fresh).refusal(), "invalid_code", "a replay");
    assert!(server.command(&["keys", "rotate"]).status.success());
    let listed = String::from_utf8(server.command(&["account", "list"]).stdout).unwrap();
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with("ann@example.org\t") && line.contains("two-factor")),
        "{listed}"
    );
    assert!(
        server
            .command(&["account", "reset-two-factor", "ann@example.org"])
            .status
            .success()
    );
    assert!(sign_in().header("set-cookie").is_some());
}

#[test]
fn groups_and_leavers_change_what_is_found_at_once() {
    let server = Server::start(false);
    let (admin, ann, bob) = (server.admin(), server.user("ann"), server.user("bob"));
    ann.put("/plans/one.txt", b"a plan about heliotropes");
    ann.put("/own/two.txt", b"heliotropes of my own");
    let shared = ann.share("/plans");
    until("everything to be found", 60, || {
        (ann.found("heliotropes ").len() == 2).then_some(())
    });
    let group = admin.call("firefly/groups/create", &json!({ "name": "Planners" }));
    let id = group["group_id"].clone();
    let selector = json!({ ".tag": "dropbox_id", "dropbox_id": id });
    let members = json!([{ "member": selector, "access_level": { ".tag": "viewer" } }]);
    ann.call(
        "sharing/add_folder_member",
        &json!({ "shared_folder_id": shared, "members": members }),
    );
    assert_eq!(bob.found("heliotropes "), Vec::<String>::new());
    let bobs = json!({ "group_id": id, "email": bob.email });
    admin.call("firefly/groups/add", &bobs);
    until("what the group has", 60, || {
        (bob.found("heliotropes ").len() == 1).then_some(())
    });
    admin.call("firefly/groups/remove", &bobs);
    assert_eq!(
        bob.found("heliotropes "),
        Vec::<String>::new(),
        "gone with the next request"
    ); // I6

    assert!(
        !server
            .command(&["account", "hand-over", &ann.email, &bob.email])
            .status
            .success(),
        "not suspended"
    );
    assert!(
        server
            .command(&["account", "suspend", &ann.email])
            .status
            .success()
    );
    let over = server.command(&[
        "account",
        "hand-over",
        &ann.email,
        &bob.email,
        "--folder",
        "From Ann",
        "--delete",
    ]);
    assert!(
        over.status.success(),
        "{}",
        String::from_utf8_lossy(&over.stderr)
    );
    until("what was handed over", 60, || {
        (bob.found("heliotropes ").len() == 2).then_some(())
    });
    assert_eq!(
        bob.download("/From Ann/own/two.txt").body,
        b"heliotropes of my own"
    );
    let listed = String::from_utf8(server.command(&["account", "list"]).stdout).unwrap();
    assert!(!listed.contains(&ann.email), "{listed}");
    server.check();
    let verified = admin.call("firefly/admin/index/verify", &json!({}));
    assert_eq!(verified["is_right"], true, "{verified}");
}
