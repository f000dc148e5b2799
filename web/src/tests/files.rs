use serde_json::{Value, json};

use crate::testing::{Bench, Seen};

async fn upload(bench: &Bench, token: &str, path: &str, body: &[u8]) -> Seen {
    bench
        .content(token, "files/upload", json!({ "path": path }), body)
        .await
}

fn names(page: &Value) -> Vec<String> {
    let entries = page["entries"].as_array().into_iter().flatten();
    entries
        .map(|entry| entry["name"].as_str().unwrap_or("").to_owned())
        .collect()
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_whole_or_in_part() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let up = upload(&bench, &token, "/Ünï/a.txt", b"0123456789").await;
    assert_eq!(up.status, 200, "{}", up.text());
    let made = up.json();
    assert_eq!(
        (
            made["name"].as_str(),
            made["size"].as_u64(),
            made.get(".tag")
        ),
        (Some("a.txt"), Some(10), None)
    );
    let whole = bench
        .content(
            &token,
            "files/download",
            json!({ "path": "/ünÏ/A.txt" }),
            b"",
        )
        .await;
    assert_eq!(
        (whole.status, whole.body.as_slice()),
        (200, &b"0123456789"[..])
    );
    let result: Value =
        serde_json::from_str(whole.header("dropbox-api-result")).unwrap_or_default();
    assert_eq!(result["id"], made["id"]);
    let request = axum::http::Request::post("/2/files/download").header("Range", "bytes=7-50");
    let request = request.header("Authorization", format!("Bearer {token}"));
    let request = request.header("Dropbox-API-Arg", json!({ "path": made["id"] }).to_string());
    let part = bench
        .send(request.body(axum::body::Body::empty()).unwrap_or_default())
        .await;
    assert_eq!((part.status, part.text().as_str()), (206, "789"));
    assert_eq!(part.header("content-range"), "bytes 7-9/10");
}

#[tokio::test]
async fn refusals_of_uploads_are_in_dropboxs_words() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    upload(&bench, &token, "/a.txt", b"one").await;
    let seen = upload(&bench, &token, "/a.txt", b"two").await;
    assert_eq!(
        (seen.status, seen.json()["error_summary"].as_str()),
        (409, Some("path/conflict/file/.."))
    );
    assert_eq!(seen.json()["error"]["upload_session_id"], "");
    assert_eq!(
        upload(&bench, &token, "/a/../b", b"x").await.json()["error_summary"],
        "path/malformed_path/.."
    );
    assert_eq!(upload(&bench, &token, "no-slash", b"x").await.status, 400);
    let argument = json!({ "path": "/b.txt", "content_hash": "0".repeat(64) });
    let seen = bench.content(&token, "files/upload", argument, b"x").await;
    assert_eq!(seen.json()["error"][".tag"], "content_hash_mismatch");
    let seen = bench
        .rpc(&token, "files/get_metadata", json!({ "path": "/b.txt" }))
        .await;
    assert_eq!(seen.json()["error_summary"], "path/not_found/..");
}

#[tokio::test]
async fn a_listing_pages_and_tells_what_changes() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    for i in 0..5 {
        upload(&bench, &token, &format!("/dir/{i}.txt"), b"x").await;
    }
    let mut page = bench
        .rpc(
            &token,
            "files/list_folder",
            json!({ "path": "//dir", "limit": 2 }),
        )
        .await
        .json();
    let mut all = names(&page);
    while page["has_more"] == true {
        page = bench
            .rpc(
                &token,
                "files/list_folder/continue",
                json!({ "cursor": page["cursor"] }),
            )
            .await
            .json();
        all.extend(names(&page));
    }
    assert_eq!(all, ["0.txt", "1.txt", "2.txt", "3.txt", "4.txt"]);
    bench
        .rpc(&token, "files/delete_v2", json!({ "path": "/dir/3.txt" }))
        .await;
    let delta = bench
        .rpc(
            &token,
            "files/list_folder/continue",
            json!({ "cursor": page["cursor"] }),
        )
        .await
        .json();
    assert_eq!(delta["entries"][0][".tag"], "deleted");
    let poll = json!({ "cursor": page["cursor"], "timeout": 30 });
    assert_eq!(
        bench
            .rpc("nobody", "files/list_folder/longpoll", poll)
            .await
            .json(),
        json!({ "changes": true })
    );
    let garbage = bench
        .rpc(
            &token,
            "files/list_folder/continue",
            json!({ "cursor": "garbage" }),
        )
        .await;
    assert_eq!(
        (garbage.status, garbage.json()["error_summary"].as_str()),
        (409, Some("reset/.."))
    );
    let (_, other) = bench.account("b@example.com", false);
    let stolen = bench
        .rpc(
            &other,
            "files/list_folder/continue",
            json!({ "cursor": page["cursor"] }),
        )
        .await;
    assert_eq!(stolen.json()["error_summary"], "reset/..");
}

#[tokio::test]
async fn a_longpoll_ends_when_the_process_does() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let latest = bench
        .rpc(
            &token,
            "files/list_folder/get_latest_cursor",
            json!({ "path": "" }),
        )
        .await
        .json();
    let poll = bench.rpc(
        "",
        "files/list_folder/longpoll",
        json!({ "cursor": latest["cursor"], "timeout": 480 }),
    );
    let stop = async {
        tokio::task::yield_now().await;
        bench.app.stop();
    };
    assert_eq!(
        futures::join!(poll, stop).0.json(),
        json!({ "changes": false })
    );
}

#[tokio::test]
async fn an_upload_session_resumes_at_its_offset() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let id = bench
        .content(&token, "files/upload_session/start", json!({}), b"one ")
        .await
        .json()["session_id"]
        .clone();
    let at = |offset: u64| json!({ "session_id": id, "offset": offset });
    let append = "files/upload_session/append_v2";
    assert_eq!(
        bench
            .content(&token, append, json!({ "cursor": at(4) }), b"two ")
            .await
            .status,
        200
    );
    let wrong = bench
        .content(&token, append, json!({ "cursor": at(5) }), b"zzz")
        .await
        .json();
    assert_eq!(
        wrong["error"],
        json!({ ".tag": "incorrect_offset", "correct_offset": 8 })
    );
    let finish = json!({ "cursor": at(7), "commit": { "path": "/s.txt" } });
    let wrong = bench
        .content(&token, "files/upload_session/finish", finish, b"x")
        .await
        .json();
    assert_eq!(wrong["error"]["lookup_failed"]["correct_offset"], 8);
    let finish = json!({ "cursor": at(8), "commit": { "path": "/s.txt" } });
    let done = bench
        .content(&token, "files/upload_session/finish", finish, b"three")
        .await;
    assert_eq!((done.status, done.json()["size"].as_u64()), (200, Some(13)));
    let down = bench
        .content(&token, "files/download", json!({ "path": "/s.txt" }), b"")
        .await;
    assert_eq!(down.text(), "one two three");
    let unknown = bench
        .content(
            &token,
            append,
            json!({ "cursor": { "session_id": "x", "offset": 0 } }),
            b"x",
        )
        .await;
    assert_eq!(unknown.json()["error_summary"], "not_found/..");
}

#[tokio::test]
async fn a_batch_of_sessions_has_one_result_each() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let mut entries = Vec::new();
    for i in 0..3 {
        let start = bench
            .content(
                &token,
                "files/upload_session/start",
                json!({ "close": true }),
                b"part",
            )
            .await
            .json();
        let cursor = json!({ "session_id": start["session_id"], "offset": 4 });
        entries.push(json!({ "cursor": cursor, "commit": { "path": format!("/{i}.txt") } }));
    }
    let none = json!({ "session_id": "unknown", "offset": 4 });
    entries.push(json!({ "cursor": none, "commit": { "path": "/none.txt" } }));
    let done = bench
        .rpc(
            &token,
            "files/upload_session/finish_batch_v2",
            json!({ "entries": entries }),
        )
        .await
        .json();
    let tags: Vec<_> = done["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| e[".tag"].clone())
        .collect();
    assert_eq!(tags, ["success", "success", "success", "failure"]);
    assert_eq!(done["entries"][1]["path_lower"], "/1.txt");
    assert_eq!(
        done["entries"][3]["failure"]["lookup_failed"][".tag"],
        "not_found"
    );
}

#[tokio::test]
async fn batches_answer_at_once_or_as_a_job() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let made = json!({ "paths": ["/a", "/A", "/b", "bad"] });
    let made = bench
        .rpc(&token, "files/create_folder_batch", made)
        .await
        .json();
    let tags: Vec<_> = made["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| e[".tag"].clone())
        .collect();
    assert_eq!(
        (made[".tag"].as_str(), tags),
        (
            Some("complete"),
            vec![json!("success"), json!("success"), json!("failure")]
        )
    );
    let job = json!({ "paths": ["/c"], "force_async": true });
    let job = bench
        .rpc(&token, "files/create_folder_batch", job)
        .await
        .json();
    let ask = json!({ "async_job_id": job["async_job_id"] });
    let done = loop {
        let state = bench
            .rpc(&token, "files/create_folder_batch/check", ask.clone())
            .await
            .json();
        if state[".tag"] != "in_progress" {
            break state;
        }
    };
    assert_eq!(done["entries"][0]["metadata"]["path_lower"], "/c");
    let (_, other) = bench.account("b@example.com", false);
    let stolen = bench
        .rpc(&other, "files/create_folder_batch/check", ask.clone())
        .await;
    assert_eq!(stolen.json()["error"][".tag"], "invalid_async_job_id");
    // A job is told of by the check of its own kind alone.
    for check in [
        "files/delete_batch/check",
        "files/move_batch/check_v2",
        "files/copy_batch/check_v2",
        "files/upload_session/finish_batch/check",
        "sharing/check_job_status",
        "sharing/check_share_job_status",
        "sharing/check_remove_member_job_status",
    ] {
        let refused = bench.rpc(&token, check, ask.clone()).await.refusal();
        assert_eq!(refused, (409, "invalid_async_job_id".into()), "{check}");
    }
    let gone = json!({ "entries": [{ "path": "/a" }, { "path": "/none" }] });
    let gone = bench.rpc(&token, "files/delete_batch", gone).await.json();
    assert_eq!(
        (
            gone["entries"][0]["metadata"][".tag"].as_str(),
            gone["entries"][1][".tag"].as_str()
        ),
        (Some("folder"), Some("failure"))
    );
}

#[tokio::test]
async fn moves_revisions_and_restores() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let first = upload(&bench, &token, "/a.txt", b"v1").await.json();
    let argument = json!({ "path": "/a.txt", "mode": "overwrite" });
    bench
        .content(&token, "files/upload", argument, b"version2")
        .await;
    let listed = bench
        .rpc(&token, "files/list_revisions", json!({ "path": "/a.txt" }))
        .await
        .json();
    let sizes: Vec<_> = listed["entries"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|e| e["size"].clone())
        .collect();
    assert_eq!(
        (sizes, listed["has_more"].as_bool()),
        (vec![json!(8), json!(2)], Some(false))
    );
    bench
        .rpc(&token, "files/delete_v2", json!({ "path": "/a.txt" }))
        .await;
    let gone = json!({ "path": "/a.txt", "include_deleted": true });
    assert_eq!(
        bench.rpc(&token, "files/get_metadata", gone).await.json()[".tag"],
        "deleted"
    );
    let old = bench
        .content(
            &token,
            "files/download",
            json!({ "path": format!("rev:{}", first["rev"].as_str().unwrap_or("")) }),
            b"",
        )
        .await;
    assert_eq!(old.text(), "v1");
    let back = bench
        .rpc(
            &token,
            "files/restore",
            json!({ "path": "/a.txt", "rev": first["rev"] }),
        )
        .await
        .json();
    assert_eq!(
        (back["size"].as_u64(), &back["id"]),
        (Some(2), &first["id"])
    );
    let bad = bench
        .rpc(
            &token,
            "files/restore",
            json!({ "path": "/a.txt", "rev": "0123456789abcdef" }),
        )
        .await;
    assert_eq!(bad.json()["error_summary"], "invalid_revision/..");
    let moved = json!({ "from_path": "/a.txt", "to_path": "/dir/b.txt" });
    assert_eq!(
        bench.rpc(&token, "files/move_v2", moved).await.json()["metadata"]["path_display"],
        "/dir/b.txt"
    );
    let inner = json!({ "from_path": "/dir", "to_path": "/dir/inner" });
    let refused = bench.rpc(&token, "files/move_v2", inner).await;
    assert_eq!(
        refused.json()["error_summary"],
        "cant_move_folder_into_itself/.."
    );
    let none = json!({ "from_path": "/none", "to_path": "/x" });
    assert_eq!(
        bench.rpc(&token, "files/copy_v2", none).await.json()["error_summary"],
        "from_lookup/not_found/.."
    );
    let nowhere = json!({ "from_path": "/dir/b.txt", "to_path": "ns:999/b.txt" });
    assert_eq!(
        bench.rpc(&token, "files/copy_v2", nowhere).await.json()["error_summary"],
        "to/no_write_permission/.."
    );
}

#[tokio::test]
async fn a_folder_downloads_as_an_archive() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    upload(&bench, &token, "/dir/a.txt", b"hello").await;
    upload(&bench, &token, "/dir/sub/ü.txt", b"there").await;
    let seen = bench
        .content(&token, "files/download_zip", json!({ "path": "/dir" }), b"")
        .await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (200, "application/zip")
    );
    let body = seen.body;
    for part in ["dir/a.txt", "hello", "dir/sub/", "dir/sub/ü.txt", "there"] {
        assert!(
            body.windows(part.len())
                .any(|window| window == part.as_bytes()),
            "{part}"
        );
    }
    assert_eq!(body[body.len() - 22..][..4], *b"PK\x05\x06");
}

#[tokio::test]
async fn a_temporary_link_opens_without_a_token() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    upload(&bench, &token, "/a.txt", b"hello").await;
    let made = bench
        .rpc(
            &token,
            "files/get_temporary_link",
            json!({ "path": "/a.txt" }),
        )
        .await
        .json();
    let link = made["link"]
        .as_str()
        .and_then(|link| link.strip_prefix("http://firefly.test"))
        .unwrap_or("")
        .to_owned();
    assert_eq!(bench.get(&link).await.text(), "hello");
    assert_eq!(bench.get(&format!("{link}x")).await.status, 404);
    bench
        .rpc(&token, "files/delete_v2", json!({ "path": "/a.txt" }))
        .await;
    assert_eq!(bench.get(&link).await.status, 404);
}

#[tokio::test]
async fn searches_are_worded_for_both_apis() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let own = bench
        .rpc(&token, "firefly/search", json!({ "query": "(" }))
        .await;
    assert_eq!(own.status, 200, "{}", own.text());
    assert_eq!(
        (
            own.json()["has_more"].as_bool(),
            own.json()["cursor"].is_null()
        ),
        (Some(false), true)
    );
    let offered = bench
        .rpc(&token, "firefly/search/operators", Value::Null)
        .await
        .json();
    assert_eq!(offered["operators"][0]["name"], "type");
    assert_eq!(offered["operators"][0]["values"][3], "pdf");
    assert_eq!(offered["people"][0]["email"], "a@example.com");
    let found = bench
        .rpc(
            &token,
            "files/search_v2",
            json!({ "query": "x".repeat(1000) }),
        )
        .await;
    assert_eq!(
        (
            found.status,
            found.json()["matches"].as_array().map(Vec::len)
        ),
        (200, Some(0))
    );
    let long = bench
        .rpc(
            &token,
            "files/search_v2",
            json!({ "query": "x".repeat(1001) }),
        )
        .await;
    assert_eq!(long.json()["error"][".tag"], "invalid_argument");
    let none = json!({ "query": "a", "options": { "path": "/none" } });
    assert_eq!(
        bench.rpc(&token, "files/search_v2", none).await.json()["error_summary"],
        "path/not_found/.."
    );
    let cursor = json!({ "cursor": "garbage" });
    assert_eq!(
        bench
            .rpc(&token, "firefly/search/continue", cursor)
            .await
            .json()["error_summary"],
        "reset/.."
    );
}

#[tokio::test]
async fn a_deleted_folder_comes_back_with_all_that_was_in_it() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let inner = upload(&bench, &token, "/a/b/c.txt", b"kept").await.json();
    let gone = bench
        .rpc(&token, "files/delete_v2", json!({ "path": "/a" }))
        .await
        .json();
    let back = bench
        .rpc(&token, "firefly/undelete", json!({ "path": "/A" }))
        .await
        .json();
    assert_eq!(back["metadata"]["id"], gone["metadata"]["id"]);
    assert_eq!(back["metadata"][".tag"], "folder");
    let file = bench
        .rpc(
            &token,
            "files/get_metadata",
            json!({ "path": "/a/b/c.txt" }),
        )
        .await
        .json();
    assert_eq!((&file["id"], &file["rev"]), (&inner["id"], &inner["rev"]));
    bench
        .rpc(&token, "files/delete_v2", json!({ "path": "/a/b/c.txt" }))
        .await;
    let by_id = json!({ "path": inner["id"] });
    let back = bench.rpc(&token, "firefly/undelete", by_id.clone()).await;
    assert_eq!(back.json()["metadata"]["path_display"], "/a/b/c.txt");
    let again = bench.rpc(&token, "firefly/undelete", by_id).await;
    assert_eq!(
        again.json()["error_summary"],
        "path/not_found/..",
        "{}",
        again.text()
    );
}
