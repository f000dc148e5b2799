use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::testing::Bench;

async fn put(bench: &Bench, token: &str, path: &str, body: &[u8]) -> Value {
    bench
        .content(token, "files/upload", json!({ "path": path }), body)
        .await
        .json()
}

#[tokio::test]
async fn a_folder_is_shared_mounted_and_taken_away() {
    let bench = Bench::new();
    let (_, owner) = bench.account("owner@example.com", false);
    let (guest_account, guest) = bench.account("guest@example.com", false);
    put(&bench, &owner, "/Team/a.txt", b"hello").await;
    let shared = bench
        .rpc(&owner, "sharing/share_folder", json!({ "path": "/Team" }))
        .await
        .json();
    assert_eq!(
        (shared[".tag"].as_str(), shared["name"].as_str()),
        (Some("complete"), Some("Team"))
    );
    let id = shared["shared_folder_id"].clone();
    let again = bench
        .rpc(&owner, "sharing/share_folder", json!({ "path": "/Team" }))
        .await
        .json();
    assert_eq!(again["error"]["bad_path"][".tag"], "already_shared");
    assert_eq!(again["error"]["bad_path"]["shared_folder_id"], id);

    let member = json!({ "member": { ".tag": "email", "email": "guest@example.com" }, "access_level": "viewer" });
    let add = json!({ "shared_folder_id": id, "members": [member] });
    assert_eq!(
        bench
            .rpc(&owner, "sharing/add_folder_member", add)
            .await
            .text(),
        "null"
    );
    let nobody = json!({ "member": { ".tag": "email", "email": "nobody@example.com" } });
    let add = json!({ "shared_folder_id": id, "members": [nobody] });
    let refused = bench
        .rpc(&owner, "sharing/add_folder_member", add)
        .await
        .json();
    assert_eq!(refused["error_summary"], "bad_member/invalid_email/..");

    let mountable = bench
        .rpc(&guest, "sharing/list_mountable_folders", json!({}))
        .await
        .json();
    assert_eq!(mountable["entries"][0]["shared_folder_id"], id);
    let mounted = bench
        .rpc(
            &guest,
            "sharing/mount_folder",
            json!({ "shared_folder_id": id }),
        )
        .await
        .json();
    assert_eq!(mounted["path_lower"], "/team");
    let seen = bench
        .content(
            &guest,
            "files/download",
            json!({ "path": "/team/a.txt" }),
            b"",
        )
        .await;
    assert_eq!(seen.text(), "hello");
    let refused = bench
        .content(
            &guest,
            "files/upload",
            json!({ "path": "/Team/b.txt" }),
            b"x",
        )
        .await;
    assert_eq!(
        refused.json()["error_summary"],
        "path/no_write_permission/.."
    );
    let members = bench
        .rpc(
            &guest,
            "sharing/list_folder_members",
            json!({ "shared_folder_id": id }),
        )
        .await
        .json();
    assert_eq!(members["users"].as_array().map(Vec::len), Some(2));
    let first = json!({ "shared_folder_id": id, "limit": 1 });
    let first = bench
        .rpc(&guest, "sharing/list_folder_members", first)
        .await
        .json();
    let rest = json!({ "cursor": first["cursor"] });
    let rest = bench
        .rpc(&guest, "sharing/list_folder_members/continue", rest)
        .await
        .json();
    assert_eq!(
        (rest["users"].as_array().map(Vec::len), rest.get("cursor")),
        (Some(1), None)
    );

    // Paths start in the shared folder when the request says so.
    let request =
        Request::post("/2/files/list_folder").header("Authorization", format!("Bearer {guest}"));
    let request = request.header(
        "Dropbox-API-Path-Root",
        json!({ ".tag": "namespace_id", "namespace_id": id }).to_string(),
    );
    let listed = bench
        .send(
            request
                .body(Body::from(r#"{"path":""}"#))
                .unwrap_or_default(),
        )
        .await
        .json();
    assert_eq!(listed["entries"][0]["path_lower"], "/a.txt");

    let who = json!({ ".tag": "dropbox_id", "dropbox_id": guest_account.id.to_string() });
    let remove = json!({ "shared_folder_id": id, "member": who, "leave_a_copy": false });
    let job = bench
        .rpc(&owner, "sharing/remove_folder_member", remove)
        .await
        .json();
    let ask = json!({ "async_job_id": job["async_job_id"] });
    let done = bench
        .rpc(&owner, "sharing/check_remove_member_job_status", ask)
        .await
        .json();
    assert_eq!(done[".tag"], "complete");
    let gone = bench
        .rpc(
            &guest,
            "files/get_metadata",
            json!({ "path": "/Team/a.txt" }),
        )
        .await; // I6
    assert_eq!(gone.json()["error_summary"], "path/not_found/..");
    let stranger = bench
        .rpc(
            &guest,
            "sharing/get_folder_metadata",
            json!({ "shared_folder_id": id }),
        )
        .await
        .json();
    assert_eq!(stranger["error_summary"], "invalid_id/..");
    let ended = bench
        .rpc(
            &owner,
            "sharing/unshare_folder",
            json!({ "shared_folder_id": id }),
        )
        .await
        .json();
    assert_eq!(ended[".tag"], "complete");
}

#[tokio::test]
async fn a_link_opens_until_it_is_revoked() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    put(&bench, &token, "/a <b>.txt", b"linked").await;
    let path = json!({ "path": "/a <b>.txt" });
    let made = bench
        .rpc(
            &token,
            "sharing/create_shared_link_with_settings",
            path.clone(),
        )
        .await
        .json();
    let url = made["url"].as_str().unwrap_or("").to_owned();
    let page = url
        .strip_prefix("http://firefly.test")
        .unwrap_or("")
        .to_owned();
    let again = bench
        .rpc(
            &token,
            "sharing/create_shared_link_with_settings",
            path.clone(),
        )
        .await
        .json();
    assert_eq!(
        again["error"]["shared_link_already_exists"]["metadata"]["url"],
        url
    );
    let listed = bench
        .rpc(&token, "sharing/list_shared_links", path)
        .await
        .json();
    assert_eq!(listed["links"][0]["url"], url);
    let shown = bench.get(&page).await;
    assert_eq!(shown.status, 200);
    assert!(
        shown.text().contains("a &lt;b&gt;.txt") && !shown.text().contains("a <b>.txt"),
        "{}",
        shown.text()
    );
    let bytes = bench.get(&format!("{page}?dl=1")).await;
    assert_eq!((bytes.status, bytes.text().as_str()), (200, "linked"));
    assert!(
        bytes
            .header("content-disposition")
            .starts_with("attachment")
    );
    let (_, other) = bench.account("b@example.com", false);
    let refused = bench
        .rpc(&other, "sharing/revoke_shared_link", json!({ "url": url }))
        .await;
    assert_eq!(
        (refused.status, refused.json()["error"][".tag"].as_str()),
        (409, Some("shared_link_access_denied"))
    );
    let file = bench
        .content(
            &other,
            "sharing/get_shared_link_file",
            json!({ "url": url }),
            b"",
        )
        .await;
    assert_eq!(file.text(), "linked");
    assert_eq!(
        bench
            .rpc(&token, "sharing/revoke_shared_link", json!({ "url": url }))
            .await
            .status,
        200
    );
    assert_eq!(bench.get(&format!("{page}?dl=1")).await.status, 404);
    assert_eq!(bench.get("/s/AAAAAAAAAAAAAAAAAAAAAA").await.status, 404);
}

#[tokio::test]
async fn a_links_password_is_asked_for_once() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    put(&bench, &token, "/dir/a.txt", b"secret").await;
    let settings = json!({ "requested_visibility": "password", "link_password": "open sesame" });
    let made = json!({ "path": "/dir", "settings": settings });
    let made = bench
        .rpc(&token, "sharing/create_shared_link_with_settings", made)
        .await
        .json();
    assert_eq!(
        made["link_permissions"]["resolved_visibility"][".tag"],
        "password"
    );
    let page = made["url"]
        .as_str()
        .and_then(|url| url.strip_prefix("http://firefly.test"))
        .unwrap_or("")
        .to_owned();
    let asked = bench.get(&format!("{page}?dl=1")).await;
    assert!(asked.status == 401 && asked.text().contains("type=\"password\""));
    let unlock = async |password: &str| {
        let request =
            Request::post(&page).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        bench
            .send(
                request
                    .body(Body::from(format!("password={password}")))
                    .unwrap_or_default(),
            )
            .await
    };
    assert_eq!(unlock("wrong").await.status, 401);
    let right = unlock("open+sesame").await;
    let cookie = right
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or("")
        .to_owned();
    assert_eq!(right.status, 303);
    let open = async |more: &str| {
        let request = Request::get(format!("{page}{more}")).header(header::COOKIE, &cookie);
        bench
            .send(request.body(Body::empty()).unwrap_or_default())
            .await
    };
    assert!(open("").await.text().contains("a.txt"));
    assert_eq!(open("?path=/a.txt&raw=1").await.text(), "secret");
    assert_eq!(open("?path=/../a.txt").await.status, 404);
    assert_eq!(
        open("?dl=1").await.header("content-type"),
        "application/zip"
    );
    let settings = json!({ "link_password": "another one" });
    let change = json!({ "url": made["url"], "settings": settings });
    let changed = bench
        .rpc(&token, "sharing/modify_shared_link_settings", change)
        .await;
    assert_eq!(changed.status, 200);
    assert_eq!(open("").await.status, 401);
}

#[tokio::test]
async fn refusals_are_in_each_routes_own_words() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    put(&bench, &token, "/file.txt", b"x").await;
    for (route, argument, refusal) in [
        (
            "sharing/share_folder",
            json!({ "path": "/file.txt/below" }),
            "bad_path/invalid_path/..",
        ),
        (
            "sharing/list_folder_members",
            json!({ "shared_folder_id": "999" }),
            "invalid_id/..",
        ),
        (
            "sharing/list_folder_members/continue",
            json!({ "cursor": "999.1.1" }),
            "access_error/invalid_id/..",
        ),
    ] {
        let refused = bench.rpc(&token, route, argument).await;
        assert_eq!(refused.json()["error_summary"], refusal, "{route}");
    }
    let features = [
        "file_locking",
        "team_shared_dropbox",
        "distinct_member_home",
    ];
    let features = features.map(|tag| json!({ ".tag": tag }));
    let values = bench
        .rpc(
            &token,
            "users/features/get_values",
            json!({ "features": features }),
        )
        .await
        .json();
    for value in values["values"].as_array().into_iter().flatten() {
        let feature = value[".tag"].as_str().unwrap_or("");
        assert_eq!(
            value[feature],
            json!({ ".tag": "enabled", "enabled": false })
        );
    }
}

#[tokio::test]
async fn who_leaves_may_keep_a_copy() {
    let bench = Bench::new();
    let (_, owner) = bench.account("owner@example.com", false);
    let (_, guest) = bench.account("guest@example.com", false);
    let (_, third) = bench.account("third@example.com", false);
    put(&bench, &owner, "/Team/a.txt", b"hello").await;
    let shared = json!({ "path": "/Team" });
    let shared = bench.rpc(&owner, "sharing/share_folder", shared).await;
    let id = shared.json()["shared_folder_id"].clone();
    let selector = |name: &str| json!({ ".tag": "email", "email": format!("{name}@example.com") });
    let join = async |name: &str, token: &str| {
        let members = [json!({ "member": selector(name), "access_level": "viewer" })];
        let add = json!({ "shared_folder_id": id, "members": members });
        bench.rpc(&owner, "sharing/add_folder_member", add).await;
        let mount = json!({ "shared_folder_id": id });
        bench.rpc(token, "sharing/mount_folder", mount).await;
    };
    let read = async |token: &str, path: &str| {
        let arg = json!({ "path": path });
        let read = bench.content(token, "files/download", arg, b"").await;
        (read.status, read.text())
    };
    join("guest", &guest).await;
    let leave = json!({ "shared_folder_id": id, "leave_a_copy": true });
    let left = bench
        .rpc(&guest, "sharing/relinquish_folder_membership", leave)
        .await;
    assert_eq!(left.json(), json!({ ".tag": "complete" }));
    assert_eq!(read(&guest, "/Team/a.txt").await, (200, "hello".into()));
    let file = json!({ "path": "/Team/a.txt" });
    let seen = bench.rpc(&guest, "files/get_metadata", file).await.json();
    assert_eq!(seen.get("sharing_info"), None);
    let room = bench
        .rpc(&guest, "users/get_space_usage", Value::Null)
        .await;
    assert_eq!(room.json()["used"], 5);

    // Whom the owner removes keeps one too, under its own name beside the first; a job says that it is done.
    join("guest", &guest).await;
    put(&bench, &owner, "/Team/b.txt", b"later").await;
    let remove = |more: Value| {
        let mut remove = json!({ "shared_folder_id": id, "member": selector("guest") });
        if let (Some(into), Some(more)) = (remove.as_object_mut(), more.as_object()) {
            into.extend(more.clone());
        }
        bench.rpc(&owner, "sharing/remove_folder_member", remove)
    };
    let job = remove(json!({ "leave_a_copy": true })).await.json();
    let ask = json!({ "async_job_id": job["async_job_id"] });
    for check in ["check_remove_member_job_status", "check_job_status"] {
        let done = bench
            .rpc(&owner, &format!("sharing/{check}"), ask.clone())
            .await;
        assert_eq!(done.json(), json!({ ".tag": "complete" }), "{check}");
    }
    assert_eq!(read(&guest, "/Team/b.txt").await.0, 409);
    assert_eq!(read(&guest, "/Team (1)/b.txt").await, (200, "later".into()));
    let again = remove(json!({ "leave_a_copy": true })).await.json();
    assert_eq!(again["error_summary"], "member_error/not_a_member/..");

    join("third", &third).await;
    let end = json!({ "shared_folder_id": id, "leave_a_copy": true });
    let foreign = bench
        .rpc(&guest, "sharing/unshare_folder", end.clone())
        .await;
    assert_eq!(
        foreign.json()["error_summary"],
        "access_error/invalid_id/.."
    );
    let ended = bench.rpc(&owner, "sharing/unshare_folder", end).await;
    assert_eq!(ended.json(), json!({ ".tag": "complete" }));
    put(&bench, &owner, "/Team/a.txt", b"changed").await;
    assert_eq!(read(&third, "/Team/a.txt").await, (200, "hello".into()));
}

#[tokio::test]
async fn a_links_folder_is_listed_without_its_makers_paths() {
    let bench = Bench::new();
    let (_, ann) = bench.account("ann@example.com", false);
    let (_, bob) = bench.account("bob@example.com", false);
    for path in [
        "/secret/open/a.txt",
        "/secret/open/b/c.txt",
        "/secret/d.txt",
    ] {
        put(&bench, &ann, path, b"x").await;
    }
    let settings = json!({ "requested_visibility": "password", "link_password": "open sesame" });
    let make = json!({ "path": "/secret/open", "settings": settings });
    let made = bench.rpc(&ann, "sharing/create_shared_link_with_settings", make);
    let url = made.await.json()["url"].clone();
    let list = async |token: &str, path: &str, more: Value| {
        let link = json!({ "url": url, "password": "open sesame" });
        let mut arg = json!({ "path": path, "shared_link": link });
        for (name, value) in more.as_object().into_iter().flatten() {
            arg[name] = value.clone();
        }
        bench.rpc(token, "files/list_folder", arg).await
    };
    let first = list(&bob, "", json!({ "limit": 1 })).await.json();
    let entry = &first["entries"][0];
    assert_eq!(
        (&entry[".tag"], &entry["name"], &entry["size"]),
        (&json!("file"), &json!("a.txt"), &json!(1))
    );
    assert!(!first.to_string().contains("secret"), "{first}");
    assert_eq!(first["has_more"], true);
    let go_on = json!({ "cursor": first["cursor"] });
    let rest = bench
        .rpc(&bob, "files/list_folder/continue", go_on.clone())
        .await
        .json();
    assert_eq!(
        (&rest["entries"][0]["name"], &rest["has_more"]),
        (&json!("b"), &json!(false))
    );
    let below = list(&bob, "/b", json!({})).await.json();
    assert_eq!(below["entries"][0]["name"], "c.txt");

    let refused = async |path: &str, more: Value| {
        let refused = list(&bob, path, more).await.json();
        refused["error_summary"].clone()
    };
    assert_eq!(refused("/../d.txt", json!({})).await, "path/not_found/..");
    assert_eq!(refused("/none", json!({})).await, "path/not_found/..");
    assert_eq!(refused("/a.txt", json!({})).await, "path/not_folder/..");
    let wrong = json!({ "shared_link": { "url": url, "password": "guessed" } });
    assert_eq!(refused("", wrong).await, "path/restricted_content/..");
    let unknown = json!({ "shared_link": { "url": "https://x/s/AAAA" } });
    assert_eq!(refused("", unknown).await, "path/not_found/..");
    assert_eq!(
        list(&bob, "", json!({ "recursive": true })).await.status,
        400
    );
    // A cursor is its caller's, and ends with the link.
    let stolen = bench
        .rpc(&ann, "files/list_folder/continue", go_on.clone())
        .await;
    assert_eq!(stolen.refusal(), (409, "reset".into()));
    bench
        .rpc(&ann, "sharing/revoke_shared_link", json!({ "url": url }))
        .await;
    let ended = bench.rpc(&bob, "files/list_folder/continue", go_on).await;
    assert_eq!(ended.json()["error_summary"], "path/not_found/..");
}
