use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use storage::meta::second_factor::STEP_S;
use storage::meta::{AccountId, Purpose, TokenKind};
use totp_rs::{Builder, Secret, Totp};

use crate::testing::{Bench, Seen};

const PASSWORD: &str = "correct horse battery";

/// A browser of one person, who has a telephone.
struct Person {
    bench: Bench,
    id: AccountId,
    token: String,
    cookie: String,
    csrf: String,
    telephone: Option<Totp>,
}

/// A telephone that was given the secret, in base32.
fn telephone(secret: &str) -> Totp {
    let secret = Secret::try_from_base32(secret).expect("base32");
    let telephone = Builder::new().with_secret(secret).build();
    telephone.expect("a telephone")
}

impl Person {
    async fn signed_in() -> Person {
        let bench = Bench::new();
        let (account, token) = bench.account("a@example.com", false);
        let set = bench.app.meta().set_password(account.id, PASSWORD);
        set.expect("a password");
        let mut person = Person {
            bench,
            id: account.id,
            token,
            cookie: String::new(),
            csrf: String::new(),
            telephone: None,
        };
        let seen = person.sign_in().await;
        person.take(&seen);
        person
    }

    /// One whose second factor is confirmed; also its recovery codes.
    async fn enrolled() -> (Person, Vec<String>) {
        let mut person = Person::signed_in().await;
        let begun = person
            .call("two_factor/begin", json!({ "password": PASSWORD }))
            .await;
        let secret = begun.json()["secret"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        person.telephone = Some(telephone(&secret));
        let confirmed = person
            .call("two_factor/confirm", json!({ "code": person.code() }))
            .await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text());
        let codes = serde_json::from_value(confirmed.json()["recovery_codes"].take());
        person.pass_step();
        (person, codes.expect("codes"))
    }

    fn take(&mut self, seen: &Seen) {
        assert_eq!(seen.status, 200, "{}", seen.text());
        let cookie = seen.header("set-cookie").split(';').next();
        self.cookie = cookie.unwrap_or_default().to_owned();
        self.csrf = seen.json()["csrf_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert!(!self.cookie.is_empty() && !self.csrf.is_empty());
    }

    /// What the telephone shows now.
    fn code(&self) -> String {
        let now_ms = self.bench.app.meta().env().clock.now_ms();
        let telephone = self.telephone.as_ref().expect("a telephone");
        telephone.generate(now_ms.unsigned_abs() / 1000).to_string()
    }

    fn pass_step(&self) {
        self.bench.clock.advance_ms(STEP_S as i64 * 1000);
    }

    async fn post(&self, route: &str, argument: Value) -> Seen {
        let request = Request::post(format!("/2/firefly/{route}"));
        let request = request.body(Body::from(argument.to_string()));
        self.bench.send(request.unwrap_or_default()).await
    }

    /// Calls as the signed-in browser.
    async fn call(&self, route: &str, argument: Value) -> Seen {
        let request = Request::post(format!("/2/firefly/{route}"))
            .header(header::COOKIE, &self.cookie)
            .header("X-Firefly-Csrf", &self.csrf);
        let request = request.body(Body::from(argument.to_string()));
        self.bench.send(request.unwrap_or_default()).await
    }

    async fn sign_in(&self) -> Seen {
        let argument = json!({ "email": "a@example.com", "password": PASSWORD });
        self.post("session/sign_in", argument).await
    }

    /// A challenge, after the password.
    async fn challenge(&self) -> String {
        let seen = self.sign_in().await;
        assert_eq!(
            (seen.status, seen.header("set-cookie")),
            (200, ""),
            "{}",
            seen.text()
        );
        let answer = seen.json();
        assert_eq!(answer["csrf_token"], Value::Null);
        answer["second_factor"]["challenge"]
            .as_str()
            .expect("a challenge")
            .to_owned()
    }

    async fn second(&self, challenge: &str, code: &str) -> Seen {
        let argument = json!({ "challenge": challenge, "code": code });
        self.post("session/second_factor", argument).await
    }
}

fn refused(tag: &str) -> (u16, String) {
    (409, tag.to_owned())
}

#[tokio::test]
async fn a_password_alone_opens_no_session_and_a_code_is_good_once() {
    let (mut person, _) = Person::enrolled().await;
    let challenge = person.challenge().await;
    let as_bearer = person
        .bench
        .rpc(&challenge, "users/get_current_account", Value::Null)
        .await;
    assert_eq!(as_bearer.status, 401, "a challenge is no token");
    let wrong = person.second(&challenge, "000000").await;
    assert_eq!(wrong.refusal(), refused("invalid_code"));
    let code = person.code();
    let seen = person.second(&challenge, &code).await;
    assert_eq!(seen.json()["account"]["two_factor"], true);
    let again = person.second(&challenge, &code).await;
    assert_eq!(again.refusal(), refused("invalid_code"), "a replay");
    person.take(&seen);
    assert_eq!(
        person.call("session/current", Value::Null).await.status,
        200
    );
    let api = person
        .bench
        .rpc(&person.token, "users/get_current_account", Value::Null)
        .await;
    assert_eq!(api.status, 200, "tokens go on");
}

#[tokio::test]
async fn confirming_signs_other_browsers_out_and_shows_the_secret_once() {
    let mut person = Person::signed_in().await;
    let other = person.sign_in().await;
    let kept = (person.cookie.clone(), person.csrf.clone());
    person.take(&other);
    let other = (person.cookie.clone(), person.csrf.clone());
    (person.cookie, person.csrf) = kept.clone();
    let wrong = person
        .call("two_factor/begin", json!({ "password": "not it at all" }))
        .await;
    assert_eq!(wrong.refusal(), refused("invalid_credentials"));
    let early = person
        .call("two_factor/confirm", json!({ "code": "123456" }))
        .await;
    assert_eq!(early.refusal(), refused("not_begun"));
    let begun = person
        .call("two_factor/begin", json!({ "password": PASSWORD }))
        .await
        .json();
    let uri = begun["uri"].as_str().unwrap_or_default();
    let secret = begun["secret"].as_str().unwrap_or_default();
    assert!(
        uri.starts_with("otpauth://totp/Firefly:a%40example.com?secret="),
        "{uri}"
    );
    assert!(uri.contains(secret) && secret.len() == 32);
    let picture = begun["qr_svg"].as_str().unwrap_or_default();
    assert!(picture.starts_with("<svg ") && !picture.contains(secret));
    let status = person.call("two_factor/status", Value::Null).await.json();
    assert_eq!(status["enabled"], false);
    person.telephone = Some(telephone(secret));
    let confirmed = person
        .call("two_factor/confirm", json!({ "code": person.code() }))
        .await;
    assert_eq!(
        confirmed.json()["recovery_codes"].as_array().map(Vec::len),
        Some(10)
    );
    let status = person.call("two_factor/status", Value::Null).await.json();
    assert_eq!(
        (&status["enabled"], &status["recovery_codes_left"]),
        (&json!(true), &json!(10))
    );
    let again = person
        .call("two_factor/begin", json!({ "password": PASSWORD }))
        .await;
    assert_eq!(again.refusal(), refused("already_enabled"));
    (person.cookie, person.csrf) = other;
    assert_eq!(
        person.call("session/current", Value::Null).await.status,
        401
    );
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_and_with_the_password() {
    let (person, _) = Person::enrolled().await;
    let late = person.challenge().await;
    person.bench.clock.advance_ms(5 * 60 * 1000);
    let seen = person.second(&late, &person.code()).await;
    assert_eq!(seen.refusal(), refused("invalid_challenge"));
    let challenge = person.challenge().await;
    let set = person
        .bench
        .app
        .meta()
        .set_password(person.id, "another password 3");
    set.expect("a password");
    let seen = person.second(&challenge, &person.code()).await;
    assert_eq!(seen.refusal(), refused("invalid_challenge"));
    let forged = person.second("AAAA", &person.code()).await;
    assert_eq!(forged.refusal(), refused("invalid_challenge"));
}

#[tokio::test]
async fn guessing_codes_is_slowed_down() {
    let (person, _) = Person::enrolled().await;
    let challenge = person.challenge().await;
    for _ in 0..5 {
        let seen = person.second(&challenge, "000000").await;
        assert_eq!(seen.refusal(), refused("invalid_code"));
    }
    assert_eq!(person.second(&challenge, &person.code()).await.status, 429);
    let both = json!({ "password": PASSWORD, "code": person.code() });
    assert_eq!(
        person.call("two_factor/disable", both).await.status,
        429,
        "nor elsewhere"
    );
}

#[tokio::test]
async fn recovery_codes_stand_in_once_each() {
    let (person, codes) = Person::enrolled().await;
    let challenge = person.challenge().await;
    assert_eq!(person.second(&challenge, &codes[0]).await.status, 200);
    let challenge = person.challenge().await;
    let again = person.second(&challenge, &codes[0]).await;
    assert_eq!(again.refusal(), refused("invalid_code"));
    let both = json!({ "password": PASSWORD, "code": person.code() });
    let renewed = person.call("two_factor/recovery_codes", both).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let old = person.second(&challenge, &codes[1]).await;
    assert_eq!(old.refusal(), refused("invalid_code"));
    let events = person
        .bench
        .app
        .meta()
        .audit_events(0, 100)
        .expect("events");
    let used = events
        .iter()
        .filter(|(_, event)| event.action.name() == "recovery_code_used");
    assert_eq!(used.count(), 1);
    let all = format!("{events:?}");
    assert!(
        codes.iter().all(|code| !all.contains(code.as_str())),
        "never logged"
    );
}

#[tokio::test]
async fn taking_it_away_needs_password_and_code() {
    let (person, _) = Person::enrolled().await;
    let disable = |password: &str, code: String| {
        person.call(
            "two_factor/disable",
            json!({ "password": password, "code": code }),
        )
    };
    let seen = disable("not it at all", person.code()).await;
    assert_eq!(seen.refusal(), refused("invalid_credentials"));
    let seen = disable(PASSWORD, "000000".into()).await;
    assert_eq!(seen.refusal(), refused("invalid_code"));
    assert_eq!(disable(PASSWORD, person.code()).await.status, 200);
    assert!(!person.sign_in().await.header("set-cookie").is_empty());
    let seen = disable(PASSWORD, person.code()).await;
    assert_eq!(seen.refusal(), refused("not_enabled"));
}

#[tokio::test]
async fn a_one_time_link_and_an_application_need_the_code_too() {
    let (person, _) = Person::enrolled().await;
    let kind = TokenKind::OneTime {
        purpose: Purpose::Claim,
    };
    let link = person
        .bench
        .app
        .meta()
        .create_token(person.id, kind, "reset", None)
        .expect("a code");
    let claim = json!({ "code": link.expose(), "password": "another password 3" });
    let claimed = person.post("session/claim", claim).await;
    assert_eq!((claimed.status, claimed.header("set-cookie")), (200, ""));
    let challenge = claimed.json()["second_factor"]["challenge"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let consent = "/oauth2/authorize?client_id=app&response_type=code";
    let request =
        Request::get(consent).header(header::COOKIE, format!("firefly_session={challenge}"));
    let seen = person
        .bench
        .send(request.body(Body::empty()).unwrap_or_default())
        .await;
    assert_eq!(seen.status, 401, "no session, no consent");
    let seen = person.second(&challenge, &person.code()).await;
    let cookie = seen
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    let request = Request::get(consent).header(header::COOKIE, cookie);
    let seen = person
        .bench
        .send(request.body(Body::empty()).unwrap_or_default())
        .await;
    assert_eq!(seen.status, 200);
}
