use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use storage::meta::{AccountId, Purpose, TokenKind};

use crate::testing::{Bench, Seen};

async fn post(bench: &Bench, route: &str, cookie: &str, csrf: &str, argument: Value) -> Seen {
    let request = Request::post(format!("/2/{route}"))
        .header(header::COOKIE, cookie)
        .header("X-Firefly-Csrf", csrf);
    bench
        .send(
            request
                .body(Body::from(argument.to_string()))
                .unwrap_or_default(),
        )
        .await
}

async fn sign_in(bench: &Bench, password: &str) -> Seen {
    let argument = json!({ "email": "A@Example.com", "password": password });
    post(bench, "firefly/session/sign_in", "", "", argument).await
}

fn cookie(seen: &Seen) -> String {
    seen.header("set-cookie")
        .split(';')
        .next()
        .unwrap_or("")
        .to_owned()
}

fn code(bench: &Bench, account: AccountId) -> String {
    let kind = TokenKind::OneTime {
        purpose: Purpose::Claim,
    };
    bench
        .app
        .meta()
        .create_token(account, kind, "invitation", None)
        .expect("a code")
        .into_string()
}

#[tokio::test]
async fn a_session_needs_its_csrf_secret_to_change_anything() {
    let bench = Bench::new();
    let (account, _) = bench.account("a@example.com", false);
    bench
        .app
        .meta()
        .set_password(account.id, "correct horse battery")
        .expect("a password");
    let seen = sign_in(&bench, "correct horse battery").await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let set = seen.header("set-cookie");
    assert!(
        set.contains("HttpOnly") && set.contains("SameSite=Strict") && !set.contains("Secure"),
        "{set}"
    );
    let (cookie, csrf) = (
        cookie(&seen),
        seen.json()["csrf_token"].as_str().unwrap_or("").to_owned(),
    );
    assert!(!csrf.is_empty());
    let current = post(
        &bench,
        "firefly/session/current",
        &cookie,
        &csrf,
        Value::Null,
    )
    .await;
    assert_eq!(current.json()["account"]["email"], "a@example.com");
    let reloaded = Request::get("/2/firefly/session/current").header(header::COOKIE, &cookie);
    let reloaded = bench
        .send(reloaded.body(Body::empty()).unwrap_or_default())
        .await;
    assert_eq!(reloaded.json()["csrf_token"], csrf, "a page just loaded");
    assert_eq!(
        post(&bench, "firefly/session/current", &cookie, "", Value::Null)
            .await
            .status,
        403
    );
    assert_eq!(
        post(
            &bench,
            "firefly/session/current",
            &cookie,
            "wrong",
            Value::Null
        )
        .await
        .status,
        403
    );
    // A session's secret is no bearer token, and a bearer token is no session.
    let secret = cookie.split('=').nth(1).unwrap_or("");
    assert_eq!(
        bench
            .rpc(secret, "users/get_current_account", Value::Null)
            .await
            .status,
        401
    );
    assert_eq!(
        post(
            &bench,
            "firefly/session/sign_out",
            &cookie,
            &csrf,
            Value::Null
        )
        .await
        .status,
        200
    );
    assert_eq!(
        post(
            &bench,
            "firefly/session/current",
            &cookie,
            &csrf,
            Value::Null
        )
        .await
        .status,
        401
    );
    let nobody = Request::get("/2/firefly/session/current").header(header::COOKIE, &cookie);
    let nobody = bench
        .send(nobody.body(Body::empty()).unwrap_or_default())
        .await;
    assert_eq!((nobody.status, nobody.text().as_str()), (200, "null"));
}

#[tokio::test]
async fn devices_are_listed_by_what_they_are() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    let password = "correct horse battery";
    let set = bench.app.meta().set_password(account.id, password);
    set.expect("a password");
    let argument = json!({ "email": "a@example.com", "password": password });
    let request = Request::post("/2/firefly/session/sign_in").header(
        header::USER_AGENT,
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    );
    let request = request.body(Body::from(argument.to_string()));
    let seen = bench.send(request.unwrap_or_default()).await;
    assert_eq!(seen.status, 200, "{}", seen.text());
    let listed = bench
        .rpc(&token, "firefly/token/list", Value::Null)
        .await
        .json();
    let device = &listed["tokens"][1];
    assert_eq!(
        (&device["name"], &device["kind"]),
        (&json!("Firefox on Linux"), &json!("session"))
    );
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let bench = Bench::new();
    let (account, _) = bench.account("a@example.com", false);
    bench
        .app
        .meta()
        .set_password(account.id, "correct horse battery")
        .expect("a password");
    for _ in 0..10 {
        let seen = sign_in(&bench, "wrong").await;
        assert_eq!(
            (seen.status, seen.json()["error"][".tag"].as_str()),
            (409, Some("invalid_credentials"))
        );
    }
    let seen = sign_in(&bench, "correct horse battery").await;
    assert_eq!(seen.status, 429);
    assert!(!seen.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_code_is_good_for_one_password() {
    let bench = Bench::new();
    let (account, _) = bench.account("a@example.com", false);
    let code = code(&bench, account.id);
    let claim = async |password: &str| {
        post(
            &bench,
            "firefly/session/claim",
            "",
            "",
            json!({ "code": code, "password": password }),
        )
        .await
    };
    assert_eq!(
        claim("short").await.json()["error"][".tag"],
        "weak_password"
    );
    let meta = bench.app.meta();
    let before = meta.create_session(account.id, "elsewhere", i64::MAX);
    let (_, before) = before.expect("a session");
    assert_eq!(claim("correct horse battery").await.status, 200);
    let ended = meta.authenticate(before.expose()).expect("an answer");
    assert_eq!(ended, None, "a new password ends what the old one began");
    assert_eq!(claim(&"x".repeat(20_000)).await.status, 413);
    assert_eq!(
        claim("correct horse battery").await.json()["error"][".tag"],
        "invalid_code"
    );
    assert_eq!(sign_in(&bench, "correct horse battery").await.status, 200);
}

#[tokio::test]
async fn tokens_are_made_listed_and_revoked_at_once() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let made = bench
        .rpc(&token, "firefly/token/create", json!({ "name": "laptop" }))
        .await
        .json();
    let other = made["token"].as_str().unwrap_or("").to_owned();
    assert_eq!(
        bench
            .rpc(&other, "users/get_current_account", Value::Null)
            .await
            .status,
        200
    );
    let listed = bench
        .rpc(&token, "firefly/token/list", Value::Null)
        .await
        .json();
    let names: Vec<_> = listed["tokens"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|t| t["name"].clone())
        .collect();
    assert_eq!(names, ["test", "laptop"]);
    assert_eq!(
        bench
            .rpc(&token, "firefly/token/revoke", json!({ "id": made["id"] }))
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .rpc(&other, "users/get_current_account", Value::Null)
            .await
            .status,
        401
    );
    assert_eq!(
        bench
            .rpc(&token, "auth/token/revoke", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(
        bench
            .rpc(&token, "users/get_current_account", Value::Null)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn an_account_is_made_by_an_administrator() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let (_, admin) = bench.account("admin@example.com", true);
    let argument = json!({ "email": "new@example.com" });
    assert_eq!(
        bench
            .rpc(&token, "firefly/account/create", argument.clone())
            .await
            .json()["error"][".tag"],
        "no_permission"
    );
    let made = bench
        .rpc(&admin, "firefly/account/create", argument.clone())
        .await
        .json();
    let invite = made["invite_url"].as_str().unwrap_or("");
    assert!(invite.starts_with("http://firefly.test/welcome#"), "{made}");
    let new = made["token"].as_str().unwrap_or("");
    assert_eq!(
        bench
            .rpc(new, "check/user", json!({ "query": "hi" }))
            .await
            .json()["result"],
        "hi"
    );
    let again = bench.rpc(&admin, "firefly/account/create", argument).await;
    assert_eq!(again.json()["error"][".tag"], "email_taken");
}

#[tokio::test]
async fn a_session_that_nobody_uses_ends() {
    const DAY_MS: i64 = 24 * 3600 * 1000;
    let bench = Bench::new();
    let (account, _) = bench.account("a@example.com", false);
    let set = bench
        .app
        .meta()
        .set_password(account.id, "correct horse battery");
    set.expect("a password");
    let cookie = cookie(&sign_in(&bench, "correct horse battery").await);
    let is_seen = async || {
        let current = Request::get("/2/firefly/session/current").header(header::COOKIE, &cookie);
        let current = current.body(Body::empty()).unwrap_or_default();
        !bench.send(current).await.json().is_null()
    };
    for _ in 0..2 {
        bench.clock.advance_ms(6 * DAY_MS);
        assert!(is_seen().await, "used within a week");
        bench.app.meta().save_token_uses().expect("uses");
    }
    bench.clock.advance_ms(7 * DAY_MS + 1);
    assert!(!is_seen().await);
}

#[tokio::test]
async fn wrong_passwords_and_codes_are_in_the_audit_log() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    let set = bench
        .app
        .meta()
        .set_password(account.id, "correct horse battery");
    set.expect("a password");
    let nothing = json!({ "code": "ff_guess", "password": "correct horse battery" });
    let refused = post(&bench, "firefly/session/claim", "", "", nothing).await;
    assert_eq!(refused.refusal().1, "invalid_code");
    let change = json!({ "old_password": "wrong wrong 1", "new_password": "lantern gravel nine" });
    let refused = bench
        .rpc(&token, "firefly/account/change_password", change)
        .await;
    assert_eq!(refused.refusal().1, "invalid_credentials");
    let wrong = json!({ "password": "wrong wrong 1" });
    let refused = bench.rpc(&token, "firefly/two_factor/begin", wrong).await;
    assert_eq!(refused.refusal().1, "invalid_credentials");
    bench
        .content(&token, "files/upload", json!({ "path": "/a.txt" }), b"a")
        .await;
    let settings = json!({ "requested_visibility": "password", "link_password": "open sesame" });
    let link = json!({ "path": "/a.txt", "settings": settings });
    let link = bench
        .rpc(&token, "sharing/create_shared_link_with_settings", link)
        .await;
    let url = link.json()["url"].clone();
    for n in 0..70 {
        let open =
            json!({ "url": url, "link_password": if n < 3 { "wrong" } else { "open sesame" } });
        let seen = bench
            .rpc(&token, "sharing/get_shared_link_metadata", open)
            .await;
        // What is right does not count as a guess.
        assert_eq!(
            seen.status,
            if n < 3 { 409 } else { 200 },
            "{}",
            seen.text()
        );
    }
    let found = bench
        .app
        .meta()
        .audit_search(0, &storage::meta::AuditFilter::default(), 100);
    let failed = found.expect("a log").0.into_iter().map(|(_, event)| event);
    let failed = failed.filter(|event| event.action == storage::meta::AuditAction::SignInFailed);
    let subjects: Vec<_> = failed.map(|event| event.subject).collect();
    assert_eq!(
        subjects[..3],
        ["one-time link", "a@example.com", "a@example.com"]
    );
    assert_eq!(subjects.len(), 6, "{subjects:?}");
    assert!(
        subjects[3..]
            .iter()
            .all(|subject| subject.starts_with("shared link "))
    );
}
