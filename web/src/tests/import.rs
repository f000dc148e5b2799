//! Importing folders of the server.

use std::os::unix::fs::symlink;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};

use crate::testing::{Bench, Seen};

/// A service beside a folder `files` that may be imported.
fn bench() -> Bench {
    let bench = Bench::new();
    let files = bench.folder().join("files");
    std::fs::create_dir_all(files.join("2024")).expect("a folder");
    for name in ["plan.txt", "Thumbs.db", "draft.bak", "2024/report.txt"] {
        std::fs::write(files.join(name), name).expect("a file");
    }
    symlink("/etc", files.join("etc")).expect("a link");
    bench
}

async fn refused(bench: &Bench, token: &str, route: &str, argument: Value) -> String {
    let seen = bench.rpc(token, route, argument).await;
    assert_eq!(seen.status, 409, "{}", seen.text());
    seen.json()["error"][".tag"]
        .as_str()
        .unwrap_or("")
        .to_owned()
}

async fn ended(bench: &Bench, token: &str, id: &Value) -> Value {
    loop {
        let seen = bench.rpc(token, "firefly/import/status", json!({ "id": id }));
        let import = seen.await.json()["import"].clone();
        if import["state"] != "running" {
            return import;
        }
        tokio::task::yield_now().await;
    }
}

async fn report(bench: &Bench, token: &str, argument: &str) -> Seen {
    let argument: String = argument.bytes().map(|b| format!("%{b:02X}")).collect();
    let uri = format!("/2/firefly/import/report?arg={argument}");
    let request = Request::get(uri).header(header::AUTHORIZATION, format!("Bearer {token}"));
    let request = request.body(Body::empty()).expect("a request");
    bench.send(request).await
}

#[tokio::test]
async fn an_admin_imports_a_folder_of_the_server_into_their_own_files() {
    let bench = bench();
    let (_, token) = bench.account("admin@example.org", true);
    let root = bench.folder().display().to_string();
    let seen = bench.rpc(&token, "firefly/import/roots", Value::Null).await;
    assert_eq!(seen.json()["roots"], json!([root]));
    let shown = bench
        .rpc(
            &token,
            "firefly/import/browse",
            json!({ "root": root, "path": "files" }),
        )
        .await;
    assert_eq!(
        shown.json(),
        json!({ "folders": ["2024"], "files": 3, "more": false })
    );
    let wanted = json!({ "root": root, "path": "files", "exclude": ["*.bak"] });
    let begun = bench
        .rpc(&token, "firefly/import/start", wanted)
        .await
        .json();
    let import = ended(&bench, &token, &begun["import"]["id"]).await;
    assert_eq!(
        [
            &import["state"],
            &import["into"],
            &import["imported"],
            &import["excluded"]
        ],
        [&json!("done"), &json!("/files"), &json!(2), &json!(2)]
    );
    assert_eq!(
        import["sample"][0]["reason"],
        "a symbolic link (links are not followed)"
    );
    let found = bench
        .rpc(
            &token,
            "files/get_metadata",
            json!({ "path": "/files/2024/report.txt" }),
        )
        .await;
    assert_eq!(found.status, 200);
    let csv = report(&bench, &token, "{\"id\":1,\"format\":\"csv\"}").await;
    assert!(csv.header("content-disposition").contains("import-1.csv"));
    let lines = csv.text();
    let lines: Vec<_> = lines.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "path,outcome,reason"));
    assert!(lines[1].contains("etc\",refused,"), "{}", lines[1]);
    let json = report(&bench, &token, "{\"id\":1,\"format\":\"json\"}").await;
    assert_eq!(json.json()["excluded"][1]["reason"], "*.bak");
    let all = bench.rpc(&token, "firefly/import/list", Value::Null).await;
    assert_eq!(all.json()["imports"][0]["id"], 1);
}

#[tokio::test]
async fn nothing_else_is_within_reach() {
    let bench = bench();
    let (_, token) = bench.account("admin@example.org", true);
    let root = bench.folder().display().to_string();
    for (root, path, tag) in [
        ("/etc", "", "not_allowed"),
        (&root, "..", "not_allowed"),
        (&root, "files/../..", "not_allowed"),
        (&root, "/etc", "not_allowed"),
        (&root, "files/etc", "not_allowed"),
        (&root, "files/plan.txt", "not_allowed"),
        (&root, "kv", "not_allowed"),
        (&root, "blocks", "not_allowed"),
        (&root, "missing", "not_found"),
    ] {
        for route in ["firefly/import/browse", "firefly/import/start"] {
            let argument = json!({ "root": root, "path": path });
            assert_eq!(
                refused(&bench, &token, route, argument).await,
                tag,
                "{root} {path}"
            );
        }
    }
    let start = "firefly/import/start";
    let bad = json!({ "root": root, "path": "files", "exclude": ["a[b"] });
    assert_eq!(refused(&bench, &token, start, bad).await, "bad_pattern");
    let bad = json!({ "root": root, "path": "files", "into": "a//b" });
    assert_eq!(refused(&bench, &token, start, bad).await, "malformed_path");
    // The root itself may be imported; what is Firefly's own in it stays.
    let begun = bench
        .rpc(&token, start, json!({ "root": root, "into": "/all" }))
        .await;
    let import = ended(&bench, &token, &begun.json()["import"]["id"]).await;
    let reasons: Vec<_> = import["sample"].as_array().into_iter().flatten().collect();
    let own = reasons
        .iter()
        .filter(|r| r["reason"] == "Firefly's own data are not imported");
    assert_eq!(own.count(), 2, "{import}");
}

#[tokio::test]
async fn it_is_for_administrators_and_each_sees_their_own() {
    let bench = bench();
    let (_, admin) = bench.account("admin@example.org", true);
    let (_, other) = bench.account("other@example.org", true);
    let (_, user) = bench.account("user@example.org", false);
    let root = bench.folder().display().to_string();
    let folder = json!({ "root": root, "path": "files" });
    for (route, argument) in [
        ("roots", Value::Null),
        ("browse", folder.clone()),
        ("start", folder.clone()),
        ("list", Value::Null),
        ("status", json!({ "id": 1 })),
        ("cancel", json!({ "id": 1 })),
    ] {
        let route = format!("firefly/import/{route}");
        assert_eq!(
            refused(&bench, &user, &route, argument).await,
            "no_permission"
        );
    }
    let begun = bench
        .rpc(&admin, "firefly/import/start", folder)
        .await
        .json();
    let id = begun["import"]["id"].clone();
    ended(&bench, &admin, &id).await;
    for route in ["status", "cancel"] {
        let route = format!("firefly/import/{route}");
        let refused = refused(&bench, &other, &route, json!({ "id": id })).await;
        assert_eq!(refused, "not_found");
    }
    assert_eq!(report(&bench, &other, "{\"id\":1}").await.status, 409);
    let none = bench.rpc(&other, "firefly/import/list", Value::Null).await;
    assert_eq!(none.json()["imports"], json!([]));
}
