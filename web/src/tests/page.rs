//! The routes that the page alone uses: each answers its caller, and nobody else.

use std::io::Cursor;

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::testing::{Bench, Seen};

async fn get(bench: &Bench, token: &str, uri: &str) -> Seen {
    let request = Request::get(uri).header(header::AUTHORIZATION, format!("Bearer {token}"));
    bench
        .send(request.body(Body::empty()).expect("a request"))
        .await
}

fn arg(route: &str, argument: &Value) -> String {
    let argument = argument.to_string();
    let encoded: String = argument.bytes().map(|b| format!("%{b:02X}")).collect();
    format!("/2/{route}?arg={encoded}")
}

async fn upload(bench: &Bench, token: &str, path: &str, bytes: &[u8]) {
    let argument = json!({ "path": path, "mode": "overwrite" });
    let seen = bench.content(token, "files/upload", argument, bytes).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
}

fn png() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let picture = image::DynamicImage::new_rgb8(300, 150);
    picture
        .write_to(&mut out, image::ImageFormat::Png)
        .expect("a picture");
    out.into_inner()
}

#[tokio::test]
async fn searches_are_kept_for_their_owner() {
    let bench = Bench::new();
    let ((_, ann), (_, bob)) = (
        bench.account("a@x.org", false),
        bench.account("b@x.org", false),
    );
    let saved = bench
        .rpc(
            &ann,
            "firefly/searches/save",
            json!({ "name": "Bills", "search": "q=bill" }),
        )
        .await;
    assert_eq!(saved.json()["saved"][0]["name"], "Bills");
    let noted = bench
        .rpc(&ann, "firefly/searches/note", json!({ "search": "q=x" }))
        .await;
    assert_eq!(noted.json()["recent"][0]["search"], "q=x");
    let others = bench.rpc(&bob, "firefly/searches/list", Value::Null).await;
    assert_eq!(others.json(), json!({ "saved": [], "recent": [] }));
    let id = saved.json()["saved"][0]["id"].clone();
    bench
        .rpc(&bob, "firefly/searches/forget", json!({ "id": id }))
        .await;
    let kept = bench.rpc(&ann, "firefly/searches/list", Value::Null).await;
    assert_eq!(kept.json()["saved"][0]["search"], "q=bill");
    let refused = bench
        .rpc(&ann, "firefly/searches/note", json!({ "search": "" }))
        .await;
    assert_eq!(
        (refused.status, &refused.json()["error"][".tag"]),
        (409, &json!("invalid_search"))
    );
}

#[tokio::test]
async fn the_trash_lists_what_was_deleted_itself_newest_first() {
    let bench = Bench::new();
    let ((_, ann), (_, bob)) = (
        bench.account("a@x.org", false),
        bench.account("b@x.org", false),
    );
    for path in ["/Trips/one.txt", "/Trips/two.txt", "/note.txt", "/kept.txt"] {
        upload(&bench, &ann, path, b"x").await;
    }
    for path in ["/note.txt", "/Trips"] {
        bench
            .rpc(&ann, "files/delete_v2", json!({ "path": path }))
            .await;
    }
    let moved = json!({ "from_path": "/kept.txt", "to_path": "/moved.txt" });
    bench.rpc(&ann, "files/move_v2", moved).await;
    let trash = bench.rpc(&ann, "firefly/trash", json!({})).await.json();
    let names: Vec<_> = trash["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|e| &e["name"])
        .collect();
    assert_eq!(names.len(), 2, "{trash}");
    assert!(names.contains(&&json!("Trips")) && names.contains(&&json!("note.txt")));
    assert_eq!(trash["has_more"], false);
    let id = trash["entries"][0]["id"].clone();
    let back = bench
        .rpc(&ann, "firefly/undelete", json!({ "path": id }))
        .await;
    assert_eq!(back.status, 200, "{}", back.text());
    let trash = bench.rpc(&ann, "firefly/trash", json!({})).await.json();
    assert_eq!(trash["entries"].as_array().map(Vec::len), Some(1));
    let others = bench.rpc(&bob, "firefly/trash", json!({})).await.json();
    assert_eq!(others["entries"], json!([]));
}

#[tokio::test]
async fn pictures_have_thumbnails_for_who_may_see_them() {
    let bench = Bench::new();
    let ((_, ann), (_, bob)) = (
        bench.account("a@x.org", false),
        bench.account("b@x.org", false),
    );
    upload(&bench, &ann, "/wide.png", &png()).await;
    upload(&bench, &ann, "/broken.png", b"no picture").await;
    upload(&bench, &ann, "/note.txt", b"x").await;
    let own = arg("firefly/thumbnail", &json!({ "path": "/wide.png" }));
    let seen = get(&bench, &ann, &own).await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (200, "image/jpeg")
    );
    let small = image::load_from_memory(&seen.body).expect("a picture");
    assert_eq!((small.width(), small.height()), (256, 128));
    assert_eq!(get(&bench, &bob, &own).await.status, 409);
    for path in ["/broken.png", "/note.txt"] {
        let seen = get(
            &bench,
            &ann,
            &arg("firefly/thumbnail", &json!({ "path": path })),
        )
        .await;
        assert_eq!(seen.status, 415, "{path}");
    }
    let v2 = json!({ "resource": { ".tag": "path", "path": "/wide.png" }, "size": "w64h64", "format": "png" });
    let seen = bench.content(&ann, "files/get_thumbnail_v2", v2, b"").await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (200, "image/png"),
        "{}",
        seen.text()
    );
    let result: Value = serde_json::from_str(seen.header("dropbox-api-result")).expect("metadata");
    assert_eq!(result["file_metadata"]["name"], "wide.png");
    let v1 = bench
        .content(
            &ann,
            "files/get_thumbnail",
            json!({ "path": "/note.txt" }),
            b"",
        )
        .await;
    assert_eq!(v1.json()["error"][".tag"], "unsupported_extension");

    let entries = ["/wide.png", "/note.txt", "/broken.png", "/none.png"];
    let batch = json!({ "entries": entries.map(|path| json!({ "path": path })) });
    let route = "files/get_thumbnail_batch";
    let made = bench.rpc(&ann, route, batch.clone()).await.json();
    let first = &made["entries"][0];
    let encoded = first["thumbnail"].as_str().unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded);
    let small = image::load_from_memory(&bytes.expect("base64")).expect("a picture");
    assert_eq!((small.width(), small.height()), (64, 32));
    assert_eq!(
        (&first[".tag"], &first["metadata"]["path_lower"]),
        (&json!("success"), &json!("/wide.png"))
    );
    for (entry, tag) in [
        (1, "unsupported_extension"),
        (2, "unsupported_image"),
        (3, "path"),
    ] {
        let entry = &made["entries"][entry];
        assert_eq!(
            (&entry[".tag"], &entry["failure"][".tag"]),
            (&json!("failure"), &json!(tag))
        );
    }
    // I6: nothing of another account's.
    let strange = bench.rpc(&bob, route, batch).await.json();
    assert_eq!(
        strange["entries"][0]["failure"]["path"][".tag"],
        "not_found"
    );
    let many = json!({ "entries": vec![json!({ "path": "/wide.png" }); 26] });
    let refused = bench.rpc(&ann, route, many).await.refusal();
    assert_eq!(refused, (409, "too_many_files".into()));
}

#[tokio::test]
async fn several_things_go_into_one_archive() {
    let bench = Bench::new();
    let ((_, ann), (_, bob)) = (
        bench.account("a@x.org", false),
        bench.account("b@x.org", false),
    );
    for path in ["/A/same.txt", "/B/same.txt", "/B/deep/er.txt"] {
        upload(&bench, &ann, path, path.as_bytes()).await;
    }
    let wanted = arg(
        "firefly/zip",
        &json!({ "paths": ["/A/same.txt", "/B/same.txt", "/B"], "name": "two" }),
    );
    let seen = get(&bench, &ann, &wanted).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    assert!(seen.header("content-disposition").contains("two.zip"));
    for name in ["same.txt", "same.txt_", "B/same.txt", "B/deep/er.txt"] {
        let found = seen
            .body
            .windows(name.len())
            .any(|bytes| bytes == name.as_bytes());
        assert!(found, "{name}");
    }
    assert_eq!(get(&bench, &bob, &wanted).await.status, 409);
    assert_eq!(
        get(&bench, &ann, &arg("firefly/zip", &json!({ "paths": [] })))
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_the_old_one() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@x.org", false);
    let meta = bench.app.meta();
    meta.set_password(account.id, "correct horse battery")
        .expect("a password");
    meta.create_session(account.id, "browser", i64::MAX)
        .expect("a session");
    let change = |old: &str, new: &str| {
        let argument = json!({ "old_password": old, "new_password": new });
        bench.rpc(&token, "firefly/account/change_password", argument)
    };
    let wrong = change("wrong", "another horse battery").await;
    assert_eq!(wrong.json()["error"][".tag"], "invalid_credentials");
    let weak = change("correct horse battery", "short").await;
    assert_eq!(weak.json()["error"][".tag"], "weak_password");
    assert_eq!(
        change("correct horse battery", "another horse battery")
            .await
            .status,
        200
    );
    let verified = meta.verify_password("a@x.org", "another horse battery");
    assert!(verified.expect("an answer").is_some());
    assert_eq!(
        meta.tokens(account.id).expect("tokens").len(),
        1,
        "other browsers are out"
    );
}

#[tokio::test]
async fn changes_are_told_as_they_happen_and_only_to_whom_they_concern() {
    let bench = Bench::new();
    let ((_, ann), (_, bob)) = (
        bench.account("a@x.org", false),
        bench.account("b@x.org", false),
    );
    let open = |token: &str| {
        Request::get("/2/firefly/events")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::empty())
            .expect("a request")
    };
    let mut hers = bench.stream(open(&ann)).await;
    let mut his = bench.stream(open(&bob)).await;
    for events in [&mut hers, &mut his] {
        let first = events.next().await.expect("an event").expect("bytes");
        assert!(first.starts_with(b"event: ready"), "{first:?}");
    }
    upload(&bench, &ann, "/secret.txt", b"x").await;
    let told = hers.next().await.expect("an event").expect("bytes");
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.contains("event: change") && told.contains("/secret.txt"),
        "{told}"
    );
    upload(&bench, &bob, "/own.txt", b"x").await;
    let told = his.next().await.expect("an event").expect("bytes");
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.contains("/own.txt") && !told.contains("secret"),
        "{told}"
    );
    bench.app.stop();
    while hers.next().await.is_some() {}
}
