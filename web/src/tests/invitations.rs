use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::{Bench, Seen};

const PASSWORD: &str = "correct horse battery";

/// Ann, who shares a folder; an administrator; and what strangers may call.
struct World {
    bench: Bench,
    root: String,
    ann: String,
    folder: Value,
}

impl World {
    async fn new(policy: &str) -> World {
        let bench = Bench::new();
        let (_, root) = bench.account("root@example.com", true);
        let (_, ann) = bench.account("ann@example.com", false);
        bench
            .content(
                &ann,
                "files/upload",
                json!({ "path": "/plans/one.txt" }),
                b"12345",
            )
            .await;
        let shared = bench
            .rpc(&ann, "sharing/share_folder", json!({ "path": "/plans" }))
            .await
            .json();
        let folder = shared["shared_folder_id"].clone();
        let world = World {
            bench,
            root,
            ann,
            folder,
        };
        let set = world
            .admin("team/set", json!({ "invitations": policy }))
            .await;
        assert_eq!(set.json()["invitations"], policy, "{}", set.text());
        world
    }

    async fn admin(&self, operation: &str, argument: Value) -> Seen {
        self.bench
            .rpc(&self.root, &format!("firefly/admin/{operation}"), argument)
            .await
    }

    async fn own(&self, token: &str, route: &str, argument: Value) -> Seen {
        self.bench
            .rpc(token, &format!("firefly/invitations/{route}"), argument)
            .await
    }

    async fn stranger(&self, route: &str, argument: Value) -> Seen {
        let request = Request::post(format!("/2/firefly/invitations/{route}"));
        let request = request.body(Body::from(argument.to_string()));
        self.bench.send(request.unwrap_or_default()).await
    }

    async fn invite(&self, email: &str) -> (Value, String) {
        let argument = json!({ "shared_folder_id": self.folder, "email": email, "access_level": { ".tag": "editor" } });
        let made = self.own(&self.ann, "create", argument).await;
        assert_eq!(made.status, 200, "{}", made.text());
        let made = made.json();
        let url = made["url"].as_str().unwrap_or_default();
        let code = url
            .strip_prefix("http://firefly.test/invitation#")
            .unwrap_or_default();
        (made.clone(), code.to_owned())
    }
}

fn refused(tag: &str) -> (u16, String) {
    (409, tag.to_owned())
}

#[tokio::test]
async fn a_stranger_joins_by_a_link_and_is_signed_in() {
    let world = World::new("everybody").await;
    let (made, code) = world.invite("new@example.com").await;
    assert_eq!(
        (&made["state"], &made["invitation"]["email"]),
        (&json!("pending"), &json!("new@example.com"))
    );
    let members = json!({ "shared_folder_id": world.folder });
    let listed = world
        .bench
        .rpc(&world.ann, "sharing/list_folder_members", members)
        .await
        .json();
    assert_eq!(
        listed["invitees"][0]["invitee"],
        json!({ ".tag": "email", "email": "new@example.com" })
    );
    let seen = world.stranger("look", json!({ "code": code })).await.json();
    assert_eq!(
        (&seen["folder"], &seen["has_account"]),
        (&json!("plans"), &json!(false))
    );
    let weak = world
        .stranger("claim", json!({ "code": code, "password": "x" }))
        .await;
    assert_eq!(weak.refusal(), refused("weak_password"));
    let claim = json!({ "code": code, "password": PASSWORD, "name": "New Person" });
    let claimed = world.stranger("claim", claim.clone()).await;
    assert_eq!(
        claimed.json()["account"]["name"],
        "New Person",
        "{}",
        claimed.text()
    );
    assert!(claimed.header("set-cookie").starts_with("firefly_session="));
    assert_eq!(
        world.stranger("claim", claim).await.refusal(),
        refused("invalid_code")
    );
    assert_eq!(
        world
            .stranger("look", json!({ "code": code }))
            .await
            .refusal(),
        refused("invalid_code")
    );
}

#[tokio::test]
async fn an_account_accepts_what_an_administrator_approved() {
    let world = World::new("approval").await;
    let (_, bob) = world.bench.account("bob@example.com", false);
    let (made, code) = world.invite("other@example.com").await;
    assert_eq!(made["state"], "awaiting_approval");
    let accept = || world.own(&bob, "accept", json!({ "code": code }));
    assert_eq!(accept().await.refusal(), refused("awaiting_approval"));
    let waiting = world.admin("invitations/list", json!({})).await;
    assert!(!waiting.text().contains("plans"), "no folder's name");
    let id = waiting.json()["invitations"][0]["invitation_id"].clone();
    let which = json!({ "invitation_id": id });
    let by_bob = world
        .bench
        .rpc(&bob, "firefly/admin/invitations/approve", which.clone())
        .await;
    assert_eq!(by_bob.refusal(), refused("no_permission"));
    assert_eq!(world.admin("invitations/approve", which).await.status, 200);
    let accepted = accept().await;
    assert_eq!(
        accepted.json()["path_display"],
        "/plans",
        "{}",
        accepted.text()
    );
    let read = world
        .bench
        .content(
            &bob,
            "files/download",
            json!({ "path": "/plans/one.txt" }),
            b"",
        )
        .await;
    assert_eq!(read.body, b"12345");
}

#[tokio::test]
async fn who_may_invite_list_and_withdraw() {
    let world = World::new("everybody").await;
    let (_, bob) = world.bench.account("bob@example.com", false);
    let folder = json!({ "shared_folder_id": world.folder });
    let of = |email: &str| json!({ "shared_folder_id": world.folder, "email": email, "access_level": { ".tag": "viewer" } });
    let stranger = world.own(&bob, "create", of("x@example.com")).await;
    assert_eq!(stranger.refusal(), refused("access_error"));
    assert_eq!(
        world.own(&bob, "list", folder.clone()).await.refusal(),
        refused("access_error")
    );
    let (made, code) = world.invite("x@example.com").await;
    let which = json!({ "invitation_id": made["invitation"]["invitation_id"] });
    let hidden = world.own(&bob, "withdraw", which.clone()).await;
    assert_eq!(
        hidden.refusal(),
        refused("not_found"),
        "of folders that it does not see"
    );
    let member = world
        .own(&world.ann, "create", of("bob@example.com"))
        .await
        .json();
    assert_eq!(member["state"], "member");
    assert_eq!(
        world.own(&bob, "list", folder.clone()).await.json()["invitations"]
            .as_array()
            .map(Vec::len),
        Some(1)
    );
    assert_eq!(
        world.own(&bob, "withdraw", which.clone()).await.refusal(),
        refused("no_permission")
    );
    assert_eq!(world.own(&world.ann, "withdraw", which).await.status, 200);
    assert_eq!(
        world
            .stranger("look", json!({ "code": code }))
            .await
            .refusal(),
        refused("invalid_code")
    );
    world
        .admin("team/set", json!({ "invitations": "admins" }))
        .await;
    let refusal = world.own(&world.ann, "create", of("x@example.com")).await;
    assert_eq!(refusal.refusal(), refused("admins_only"));
    let policy = world
        .bench
        .rpc(&bob, "firefly/team", Value::Null)
        .await
        .json();
    assert_eq!(policy["invitations"], "admins");
    let bad = world
        .admin("team/set", json!({ "invitations": "nobody" }))
        .await;
    assert_eq!(bad.status, 400);
}
