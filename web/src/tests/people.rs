use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::testing::{Bench, Seen};

/// What is to end within a second has failed when it goes on for so long.
const LIMIT: Duration = Duration::from_secs(20);

async fn admin(bench: &Bench, token: &str, operation: &str, argument: Value) -> Seen {
    bench
        .rpc(token, &format!("firefly/admin/{operation}"), argument)
        .await
}

fn refused(tag: &str) -> (u16, String) {
    (409, tag.to_owned())
}

fn get(token: &str, address: &str) -> Request<Body> {
    let request = Request::get(address).header(header::AUTHORIZATION, format!("Bearer {token}"));
    request.body(Body::empty()).unwrap_or_default()
}

/// Waits for a stream's end, whatever it still has; whether it broke off.
async fn breaks_off(mut stream: axum::body::BodyDataStream) -> bool {
    let end = async {
        loop {
            match stream.next().await {
                Some(Ok(_)) => {}
                Some(Err(_)) => return true,
                None => return false,
            }
        }
    };
    tokio::time::timeout(LIMIT, end).await.expect("an end")
}

#[tokio::test]
async fn suspending_ends_streams_and_waiting_requests() {
    let bench = Bench::new();
    let (_, root) = bench.account("root@example.com", true);
    let (_, token) = bench.account("a@example.com", false);
    let content = vec![7; 12 << 20];
    let kept = bench
        .content(
            &token,
            "files/upload",
            json!({ "path": "/large" }),
            &content,
        )
        .await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    let cursor = bench
        .rpc(
            &token,
            "files/list_folder/get_latest_cursor",
            json!({ "path": "" }),
        )
        .await;
    let cursor = cursor.json()["cursor"].clone();

    let events = bench.stream(get(&token, "/2/firefly/events")).await;
    let address = "/2/files/download?arg=%7B%22path%22%3A%22%2Flarge%22%7D";
    let mut download = bench.stream(get(&token, address)).await;
    assert!(matches!(download.next().await, Some(Ok(_))), "it began");
    let waiting = bench.rpc(
        &token,
        "files/list_folder/longpoll",
        json!({ "cursor": cursor, "timeout": 480 }),
    );
    let suspend = async {
        let done = admin(
            &bench,
            &root,
            "account/suspend",
            json!({ "email": "a@example.com", "suspended": true }),
        )
        .await;
        assert_eq!(done.status, 200, "{}", done.text());
    };
    let (waited, ()) = tokio::join!(tokio::time::timeout(LIMIT, waiting), suspend);
    let waited = waited.expect("an answer");
    let reset = waited.status == 409 && waited.refusal().1 == "reset";
    assert!(
        reset || waited.refusal() == (401, "user_suspended".into()),
        "{}",
        waited.text()
    );
    breaks_off(events).await; // or ends in order, with a last word
    tokio::time::sleep(Duration::from_secs(1)).await; // its client reads slowly
    assert!(breaks_off(download).await);
    let after = bench
        .rpc(&token, "users/get_current_account", Value::Null)
        .await;
    assert_eq!(after.refusal(), (401, "user_suspended".into()));
}

#[tokio::test]
async fn revoking_a_token_ends_its_streams_and_no_others() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    let other =
        bench
            .app
            .meta()
            .create_token(account.id, storage::meta::TokenKind::Bearer, "other", None);
    let other = other.expect("a token").into_string();
    let ended = bench.stream(get(&token, "/2/firefly/events")).await;
    let mut kept = bench.stream(get(&other, "/2/firefly/events")).await;
    assert!(matches!(kept.next().await, Some(Ok(_))), "ready");
    bench.rpc(&token, "auth/token/revoke", Value::Null).await;
    breaks_off(ended).await;
    let put = bench
        .content(&other, "files/upload", json!({ "path": "/new" }), b"new")
        .await;
    assert_eq!(put.status, 200);
    assert!(
        matches!(kept.next().await, Some(Ok(_))),
        "it hears of the change"
    );
}

#[tokio::test]
async fn administrators_see_people_and_no_content() {
    let bench = Bench::new();
    let (_, root) = bench.account("root@example.com", true);
    let (account, token) = bench.account("a@example.com", false);
    let set = bench
        .app
        .meta()
        .set_password(account.id, "correct horse battery");
    set.expect("a password");
    bench
        .content(
            &token,
            "files/upload",
            json!({ "path": "/secret-name.txt" }),
            b"12345",
        )
        .await;
    bench.app.meta().save_token_uses().expect("uses");
    let invited = admin(
        &bench,
        &root,
        "account/invite",
        json!({ "email": "New@Example.com", "quota": 1000 }),
    )
    .await;
    assert!(
        invited.json()["invite_url"]
            .as_str()
            .unwrap_or_default()
            .starts_with("http://firefly.test/welcome#")
    );
    let listed = admin(&bench, &root, "account/list", json!({ "query": "EXAMPLE" })).await;
    assert!(!listed.text().contains("secret-name"));
    let listed = listed.json();
    let of = |email: &str| {
        let all = listed["accounts"].as_array().expect("accounts");
        all.iter()
            .find(|one| one["email"] == email)
            .expect("the account")
            .clone()
    };
    let (a, new) = (of("a@example.com"), of("New@Example.com"));
    assert_eq!(
        (&a["state"], &a["used"], &a["two_factor"]),
        (&json!("active"), &json!(5), &json!(false))
    );
    assert!(a["last_seen"].is_string() && a["invitation"].is_null());
    assert_eq!(
        (&new["state"], &new["quota"], &new["last_seen"]),
        (&json!("invited"), &json!(1000), &Value::Null)
    );
    assert!(new["invitation"]["expires"].is_string());
    let one = admin(&bench, &root, "account/list", json!({ "limit": 1 }))
        .await
        .json();
    assert_eq!(one["accounts"].as_array().map(Vec::len), Some(1));
    assert!(one["cursor"].is_string());
}

#[tokio::test]
async fn a_new_link_ends_the_old_one_and_an_invitation_can_be_taken_back() {
    let bench = Bench::new();
    let (_, root) = bench.account("root@example.com", true);
    let email = json!({ "email": "new@example.com" });
    let code = |seen: &Seen| {
        let url = seen.json()["invite_url"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        url.split_once('#')
            .map(|(_, code)| code.to_owned())
            .unwrap_or_default()
    };
    let first = code(&admin(&bench, &root, "account/invite", email.clone()).await);
    let second = code(&admin(&bench, &root, "account/invite", email.clone()).await);
    let claim = |code: String| {
        let argument = json!({ "code": code, "password": "correct horse battery" });
        let request = Request::post("/2/firefly/session/claim");
        bench.send(
            request
                .body(Body::from(argument.to_string()))
                .unwrap_or_default(),
        )
    };
    assert_eq!(claim(first).await.refusal(), refused("invalid_code"));
    let withdrawn = admin(&bench, &root, "account/withdraw", email.clone()).await;
    assert_eq!(withdrawn.status, 200, "{}", withdrawn.text());
    assert_eq!(claim(second).await.refusal(), refused("invalid_code"));
    let third = code(&admin(&bench, &root, "account/invite", email.clone()).await);
    assert_eq!(claim(third).await.status, 200);
    let late = admin(&bench, &root, "account/withdraw", email.clone()).await;
    assert_eq!(late.refusal(), refused("not_invited"));
    let reset = code(&admin(&bench, &root, "account/reset_password", email).await);
    assert_eq!(claim(reset).await.status, 200);
}

#[tokio::test]
async fn what_is_refused_to_administrators_and_to_everybody_else() {
    let bench = Bench::new();
    let (_, root) = bench.account("root@example.com", true);
    let (_, token) = bench.account("a@example.com", false);
    bench
        .content(&token, "files/upload", json!({ "path": "/mine" }), b"12345")
        .await;
    let a = || json!({ "email": "a@example.com" });
    let with = |key: &str, value: Value| {
        let mut argument = a();
        argument[key] = value;
        argument
    };
    for (operation, argument, expected) in [
        ("account/delete", a(), "not_suspended"),
        (
            "account/hand_over",
            with("to", json!("root@example.com")),
            "not_suspended",
        ),
        ("account/reset_two_factor", a(), "not_enabled"),
        (
            "account/delete",
            json!({ "email": "nobody@example.com" }),
            "not_found",
        ),
        (
            "account/set_admin",
            json!({ "email": "root@example.com", "is_admin": false }),
            "last_admin",
        ),
        (
            "account/suspend",
            json!({ "email": "root@example.com", "suspended": true }),
            "last_admin",
        ),
        (
            "account/invite",
            json!({ "email": "none" }),
            "invalid_email",
        ),
    ] {
        assert_eq!(
            admin(&bench, &root, operation, argument.clone())
                .await
                .refusal(),
            refused(expected),
            "{operation}"
        );
        assert_eq!(
            admin(&bench, &token, operation, argument).await.refusal(),
            refused("no_permission"),
            "{operation}"
        );
    }
    admin(
        &bench,
        &root,
        "account/suspend",
        with("suspended", json!(true)),
    )
    .await;
    assert_eq!(
        admin(&bench, &root, "account/invite", a()).await.refusal(),
        refused("suspended")
    );
    assert_eq!(
        admin(&bench, &root, "account/delete", a()).await.refusal(),
        refused("has_files")
    );
    admin(
        &bench,
        &root,
        "account/set_quota",
        json!({ "email": "root@example.com", "quota": 4 }),
    )
    .await;
    let to = with("to", json!("root@example.com"));
    let full = admin(&bench, &root, "account/hand_over", to.clone()).await;
    assert_eq!(full.refusal(), refused("insufficient_space"));
    admin(
        &bench,
        &root,
        "account/set_quota",
        json!({ "email": "root@example.com", "quota": 5 }),
    )
    .await;
    let done = admin(&bench, &root, "account/hand_over", to).await.json();
    assert_eq!(
        (&done["folder"], &done["bytes"]),
        (&json!("Files of A Person"), &json!(5))
    );
    assert_eq!(
        admin(&bench, &root, "account/delete", a()).await.status,
        200
    );
    let read = bench
        .content(
            &root,
            "files/download",
            json!({ "path": "/Files of A Person/mine" }),
            b"",
        )
        .await;
    assert_eq!(read.body, b"12345");
}

#[tokio::test]
async fn groups_are_members_of_folders_in_the_official_shape() {
    let bench = Bench::new();
    let (_, root) = bench.account("root@example.com", true);
    let (ann, owner) = bench.account("ann@example.com", false);
    let (bob, token) = bench.account("bob@example.com", false);
    let own = |route: &str| format!("firefly/groups/{route}");
    let made = bench
        .rpc(&root, &own("create"), json!({ "name": "Sales" }))
        .await
        .json();
    let id = made["group_id"].as_str().unwrap_or_default().to_owned();
    assert!(id.starts_with("g:") && id.len() == 34, "{id}");
    let by_others = bench
        .rpc(&owner, &own("create"), json!({ "name": "Mine" }))
        .await;
    assert_eq!(by_others.refusal(), refused("no_permission"));
    let taken = bench
        .rpc(&root, &own("create"), json!({ "name": "SALES" }))
        .await;
    assert_eq!(taken.refusal(), refused("name_taken"));

    bench
        .content(
            &owner,
            "files/upload",
            json!({ "path": "/plans/one.txt" }),
            b"12345",
        )
        .await;
    let shared = bench
        .rpc(&owner, "sharing/share_folder", json!({ "path": "/plans" }))
        .await
        .json();
    let folder = shared["shared_folder_id"].clone();
    let group = json!({ ".tag": "dropbox_id", "dropbox_id": id });
    let add = json!({ "shared_folder_id": folder, "members": [{ "member": group, "access_level": { ".tag": "editor" } }] });
    assert_eq!(
        bench
            .rpc(&owner, "sharing/add_folder_member", add)
            .await
            .status,
        200
    );
    let whom = |email: &str| json!({ "group_id": id, "email": email });
    let read = || {
        bench.content(
            &token,
            "files/download",
            json!({ "path": "/plans/one.txt" }),
            b"",
        )
    };
    assert_eq!(read().await.status, 409, "not yet");
    let stranger = bench
        .rpc(&token, &own("add"), whom("bob@example.com"))
        .await;
    assert_eq!(stranger.refusal(), refused("no_permission"));
    assert_eq!(
        bench
            .rpc(&root, &own("add"), whom("bob@example.com"))
            .await
            .status,
        200
    );
    assert_eq!(read().await.body, b"12345", "at once");

    let listed = bench
        .rpc(
            &owner,
            "sharing/list_folder_members",
            json!({ "shared_folder_id": folder }),
        )
        .await
        .json();
    let users = listed["users"].as_array().expect("users");
    assert_eq!(
        (users.len(), &users[0]["user"]["account_id"]),
        (1, &json!(ann.id.to_string()))
    );
    let shown = &listed["groups"][0];
    assert_eq!(shown["access_type"][".tag"], "editor");
    assert_eq!(
        (
            &shown["group"]["group_name"],
            &shown["group"]["member_count"]
        ),
        (&json!("Sales"), &json!(1))
    );
    assert_eq!(shown["group"]["group_type"][".tag"], "team");
    let inside = bench
        .rpc(&token, &own("members"), json!({ "group_id": id }))
        .await
        .json();
    assert_eq!(inside["members"][0]["account_id"], bob.id.to_string());
    let left = bench
        .rpc(
            &token,
            "sharing/relinquish_folder_membership",
            json!({ "shared_folder_id": folder }),
        )
        .await;
    assert_eq!(left.refusal(), refused("group_access"));

    assert_eq!(
        bench
            .rpc(&root, &own("remove"), whom("bob@example.com"))
            .await
            .status,
        200
    );
    assert_eq!(read().await.status, 409, "gone at once"); // I6
    let again = bench
        .rpc(&root, &own("remove"), whom("bob@example.com"))
        .await;
    assert_eq!(again.refusal(), refused("not_a_member"));
    assert_eq!(
        bench
            .rpc(&root, &own("delete"), json!({ "group_id": id }))
            .await
            .status,
        200
    );
    let none = bench
        .rpc(&owner, &own("members"), json!({ "group_id": id }))
        .await;
    assert_eq!(none.refusal(), refused("group_not_found"));
}
