use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::testing::Bench;

#[tokio::test]
async fn who_is_unknown_is_refused_in_json() {
    let bench = Bench::new();
    let seen = bench
        .rpc("x", "files/list_folder", json!({ "path": "" }))
        .await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (401, "application/json")
    );
    assert_eq!(seen.json()["error"][".tag"], "invalid_access_token");
    assert_eq!(seen.json()["error_summary"], "invalid_access_token/..");
}

#[tokio::test]
async fn unknown_routes_and_pages_are_not_found() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    assert_eq!(
        bench
            .rpc(&token, "files/no_such_route", json!({}))
            .await
            .status,
        404
    );
    for uri in [
        "/no/such/page",
        "/assets/none.js",
        "/s0/KEY",
        "/2/firefly/nothing",
    ] {
        assert_eq!(bench.get(uri).await.status, 404, "{uri}");
    }
}

#[tokio::test]
async fn a_bad_request_names_its_function() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let seen = bench
        .rpc(&token, "files/list_folder", json!({ "path": 7 }))
        .await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (400, "text/plain; charset=utf-8")
    );
    let start = "Error in call to API function \"files/list_folder\": request body: ";
    assert!(seen.text().starts_with(start), "{}", seen.text());
    let root = bench
        .rpc(&token, "files/get_metadata", json!({ "path": "" }))
        .await;
    assert_eq!(root.status, 400);
}

#[tokio::test]
async fn every_answer_has_an_id_and_closed_headers() {
    let bench = Bench::new();
    let seen = bench.get("/healthz").await;
    assert_eq!(
        (seen.status, seen.header("content-type")),
        (200, "application/json")
    );
    assert_eq!(seen.header("x-dropbox-request-id").len(), 32);
    assert_eq!(seen.header("x-content-type-options"), "nosniff");
    assert!(
        seen.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
}

#[tokio::test]
async fn the_page_answers_at_its_addresses() {
    let bench = Bench::new();
    for uri in [
        "/",
        "/search",
        "/files",
        "/files/a/b.txt",
        "/welcome",
        "/sign-in",
    ] {
        let seen = bench.get(uri).await;
        assert_eq!(
            (seen.status, seen.header("content-type")),
            (200, "text/html; charset=utf-8"),
            "{uri}"
        );
        assert!(
            seen.header("content-security-policy")
                .contains("script-src 'self'")
        );
    }
}

#[tokio::test]
async fn the_current_account_has_its_root() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    let seen = bench
        .rpc(&token, "users/get_current_account", Value::Null)
        .await;
    assert_eq!(seen.status, 200);
    assert_eq!(seen.json()["account_id"], account.id.to_string());
    assert_eq!(
        seen.json()["root_info"]["root_namespace_id"],
        account.root.to_string()
    );
    let space = bench
        .rpc(&token, "users/get_space_usage", Value::Null)
        .await
        .json();
    assert_eq!(space["used"], 0);
}

#[tokio::test]
async fn another_root_is_refused_with_422() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    let call = async |root: Value| {
        let request = Request::post("/2/users/get_current_account")
            .header("Authorization", format!("Bearer {token}"));
        let request = request.header("Dropbox-API-Path-Root", root.to_string());
        bench
            .send(request.body(Body::from("null")).unwrap_or_default())
            .await
    };
    assert_eq!(call(json!({ ".tag": "home" })).await.status, 200);
    assert_eq!(
        call(json!({ ".tag": "root", "root": account.root.to_string() }))
            .await
            .status,
        200
    );
    let seen = call(json!({ ".tag": "root", "root": "999999" })).await;
    assert_eq!(seen.status, 422);
    assert_eq!(
        seen.json()["error"]["invalid_root"]["root_namespace_id"],
        account.root.to_string()
    );
}

#[tokio::test]
async fn metrics_and_operations_are_for_administrators() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let (_, admin) = bench.account("admin@example.com", true);
    assert_eq!(bench.get("/metrics").await.status, 401);
    assert_eq!(
        bench
            .rpc(&token, "firefly/admin/echo", json!({ "a": 1 }))
            .await
            .status,
        409
    );
    assert_eq!(
        bench
            .rpc(&admin, "firefly/admin/echo", json!({ "a": 1 }))
            .await
            .json(),
        json!({ "a": 1 })
    );
    assert_eq!(
        bench
            .rpc(&admin, "firefly/admin/no/such", json!({}))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let request =
        Request::post("/2/files/upload").header("Authorization", format!("Bearer {token}"));
    let request = request
        .header("Dropbox-API-Arg", r#"{"path":"/a"}"#)
        .header("Content-Length", "157286401");
    let seen = bench
        .send(request.body(Body::empty()).unwrap_or_default())
        .await;
    assert_eq!(
        (seen.status, seen.json()["error"][".tag"].as_str()),
        (409, Some("payload_too_large"))
    );
    let large = json!({ "path": "x".repeat(crate::frame::arg::MAX_JSON_BYTES) });
    assert_eq!(
        bench.rpc(&token, "files/list_folder", large).await.status,
        413
    );
}
