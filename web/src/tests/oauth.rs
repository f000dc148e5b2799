use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::testing::{Bench, Seen};

const VERIFIER: &str = "a-verifier-that-is-long-enough-to-be-one-0123456789";

async fn authorize(bench: &Bench, token: &str, more: &str) -> Seen {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let query = format!(
        "client_id=app&response_type=code&code_challenge={challenge}&code_challenge_method=S256{more}"
    );
    let request = Request::get(format!("/oauth2/authorize?{query}"));
    let request = if token.is_empty() {
        request
    } else {
        request.header("Authorization", format!("Bearer {token}"))
    };
    bench
        .send(request.body(Body::empty()).unwrap_or_default())
        .await
}

async fn exchange(bench: &Bench, form: &str) -> Seen {
    let request = Request::post("/oauth2/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    bench
        .send(
            request
                .body(Body::from(form.to_owned()))
                .unwrap_or_default(),
        )
        .await
}

#[tokio::test]
async fn a_code_becomes_tokens_once_and_for_its_verifier_alone() {
    let bench = Bench::new();
    let (account, token) = bench.account("a@example.com", false);
    assert_eq!(authorize(&bench, "", "").await.status, 401);
    let more = "&token_access_type=offline&redirect_uri=http://localhost/back&state=s%20x";
    let seen = authorize(&bench, &token, more).await;
    let location = seen.header("location").to_owned();
    assert!(
        location.starts_with("http://localhost/back?code=ff_")
            && location.ends_with("&state=s%20x"),
        "{location}"
    );
    let code = location
        .split("code=")
        .nth(1)
        .and_then(|rest| rest.split('&').next())
        .unwrap_or("");
    let form = |verifier: &str| {
        let to = "redirect_uri=http%3A%2F%2Flocalhost%2Fback";
        format!(
            "grant_type=authorization_code&code={code}&client_id=app&{to}&code_verifier={verifier}"
        )
    };
    let wrong = exchange(&bench, &form("wrong")).await;
    assert_eq!(
        (wrong.status, wrong.json()["error"].as_str()),
        (400, Some("invalid_grant"))
    );
    let right = exchange(&bench, &form(VERIFIER)).await.json();
    assert_eq!(right["account_id"], account.id.to_string());
    let access = right["access_token"].as_str().unwrap_or("");
    assert_eq!(
        bench
            .rpc(access, "users/get_current_account", Value::Null)
            .await
            .status,
        200
    );
    assert_eq!(exchange(&bench, &form(VERIFIER)).await.status, 400);
    let again = format!(
        "grant_type=refresh_token&refresh_token={}",
        right["refresh_token"].as_str().unwrap_or("")
    );
    let fresh = exchange(&bench, &again).await.json();
    let fresh = fresh["access_token"].as_str().unwrap_or("");
    assert_eq!(
        bench
            .rpc(fresh, "users/get_current_account", Value::Null)
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_code_is_shown_where_there_is_no_way_on() {
    let bench = Bench::new();
    let (_, token) = bench.account("a@example.com", false);
    let seen = authorize(&bench, &token, "").await;
    assert!(
        seen.status == 200 && seen.text().contains("id=\"code\">ff_"),
        "{}",
        seen.text()
    );
    assert_eq!(
        authorize(&bench, &token, "&redirect_uri=javascript:alert(1)")
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn a_signed_in_person_allows_it_by_a_form() {
    let bench = Bench::new();
    let (account, _) = bench.account("a@example.com", false);
    let (token, secret) = bench
        .app
        .meta()
        .create_session(account.id, "browser", i64::MAX)
        .expect("a session");
    let storage::meta::TokenKind::Session { csrf } = token.kind else {
        panic!("no session")
    };
    let allow = async |csrf: &str| {
        let request = Request::post("/oauth2/authorize").header(
            header::COOKIE,
            format!("firefly_session={}", secret.expose()),
        );
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!(
            "csrf={csrf}&client_id=app&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%2Fback"
        );
        bench
            .send(request.body(Body::from(form)).unwrap_or_default())
            .await
    };
    assert_eq!(allow("wrong").await.status, 401);
    let seen = allow(&csrf).await;
    assert!(
        seen.status == 200 && seen.text().contains("http://localhost/back?code=ff_"),
        "{}",
        seen.text()
    );
}
