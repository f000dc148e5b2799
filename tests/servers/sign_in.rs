//! Signing in: the first-run link, sessions and their CSRF secret, limits on guessing, suspension, who is an admin.

use serde_json::{Value, json};

use crate::program::Server;
use crate::session::{Browser, PASSWORD, claim, code, post, sign_in};

#[test]
fn the_first_link_sets_the_password_once() {
    let server = Server::start(false);
    let http = server.http();
    let code = code(server.greeting());
    assert_eq!(claim(&http, code, "short").refusal(), "weak_password");
    assert_eq!(claim(&http, "ff_guess", PASSWORD).refusal(), "invalid_code");
    let browser = Browser::of(&http, &claim(&http, code, PASSWORD));
    assert_eq!(claim(&http, code, PASSWORD).refusal(), "invalid_code");
    let current = browser.call("firefly/session/current", &Value::Null).json();
    assert_eq!(current["account"]["is_admin"], true);
    let email = current["account"]["email"].as_str().unwrap();
    Browser::of(&http, &sign_in(&http, email, PASSWORD));
    assert_eq!(
        post(
            &http,
            "files/list_folder",
            &json!({ "path": "" }),
            &[("Authorization", &format!("Bearer {code}"))]
        )
        .status,
        401
    );
}

#[test]
fn a_session_needs_its_csrf_secret() {
    let server = Server::start(false);
    let http = server.http();
    let browser = Browser::of(&http, &claim(&http, code(server.greeting()), PASSWORD));
    let (route, root) = ("files/list_folder", json!({ "path": "" }));
    assert_eq!(browser.call(route, &root).status, 200);
    assert_eq!(browser.post(route, &root, &[]).status, 403);
    assert_eq!(
        browser
            .post(route, &root, &[("X-Firefly-Csrf", "guess")])
            .status,
        403
    );
    let secret = browser.cookie.split_once('=').unwrap().1;
    let as_bearer = format!("Bearer {secret}");
    assert_eq!(
        post(&http, route, &root, &[("Authorization", &as_bearer)]).status,
        401
    );
    let as_cookie = format!("firefly_session={}", server.admin_token());
    assert_eq!(
        post(&http, route, &root, &[("Cookie", &as_cookie)]).status,
        401
    );
    server.admin().put("/seen.txt", b"seen");
    let address = "/2/files/download?arg=%7B%22path%22%3A%22%2Fseen.txt%22%7D";
    let cookie = [("Cookie", browser.cookie.as_str())];
    assert_eq!(
        http.request("GET", address, &cookie, b"").unwrap().body,
        b"seen"
    );
    assert_eq!(
        browser
            .call("firefly/session/sign_out", &Value::Null)
            .status,
        200
    );
    assert_eq!(browser.call(route, &root).status, 401);
    assert_eq!(
        http.request("GET", address, &cookie, b"").unwrap().status,
        401
    );
}

#[test]
fn guessing_is_slowed_down_and_tells_nothing() {
    let server = Server::start(false);
    let (http, admin) = (server.http(), server.admin());
    let made = admin.call(
        "firefly/account/create",
        &json!({ "email": "ann@example.org" }),
    );
    let link = made["invite_url"].as_str().unwrap();
    Browser::of(&http, &claim(&http, code(link), PASSWORD));
    let (wrong, nobody) = (
        sign_in(&http, "ann@example.org", "wrong wrong 1"),
        sign_in(&http, "nobody@example.org", "wrong wrong 1"),
    );
    assert_eq!(
        (wrong.status, wrong.refusal().as_str()),
        (409, "invalid_credentials")
    );
    assert_eq!(
        wrong.body, nobody.body,
        "an unknown address is answered alike"
    );
    let refused = (0..20)
        .map(|_| sign_in(&http, "ann@example.org", "wrong wrong 1"))
        .find(|answer| answer.status == 429)
        .expect("guesses are limited");
    let wait_s: u32 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!(wait_s >= 1 && refused.json()["error"]["retry_after"] == wait_s);
    assert_eq!(
        sign_in(&http, "ann@example.org", PASSWORD).status,
        429,
        "nor is the right one heard"
    );
    let invited = server.command(&["account", "invite", "ann@example.org"]);
    let invited = String::from_utf8(invited.stdout).unwrap();
    Browser::of(&http, &claim(&http, code(&invited), "another password 3"));
}

#[test]
fn nobody_is_signed_in_from_another_site() {
    let server = Server::shared(false);
    let argument = json!({ "email": "a@example.org", "password": PASSWORD });
    for route in ["sign_in", "claim"] {
        let route = format!("firefly/session/{route}");
        let answer = post(
            &server.http(),
            &route,
            &argument,
            &[("Sec-Fetch-Site", "cross-site")],
        );
        assert_eq!(answer.status, 403, "{route}");
    }
}

#[test]
fn a_suspended_account_is_shut_out_and_let_in_again() {
    let server = Server::shared(false);
    let user = server.user("suspended");
    assert!(
        server
            .command(&["account", "suspend", &user.email])
            .status
            .success()
    );
    let answer = user.rpc("users/get_current_account", &Value::Null).unwrap();
    assert_eq!(
        (answer.status, answer.refusal().as_str()),
        (401, "user_suspended")
    );
    assert!(
        server
            .command(&["account", "resume", &user.email])
            .status
            .success()
    );
    user.call("users/get_current_account", &Value::Null);
}

#[test]
fn only_admins_administer() {
    let server = Server::shared(false);
    let user = server.user("ordinary");
    let new = json!({ "email": "made-by-ordinary@example.org" });
    assert_eq!(
        user.refused("firefly/account/create", &new),
        "no_permission"
    );
    for operation in [
        "account/create",
        "account/list",
        "account/suspend",
        "check",
        "nonsense",
    ] {
        let route = format!("firefly/admin/{operation}");
        assert_eq!(user.refused(&route, &new), "no_permission", "{operation}");
    }
    let listed = server
        .admin()
        .call("firefly/admin/account/list", &json!({}));
    assert!(!listed.to_string().contains("made-by-ordinary"));
}

#[test]
fn over_https_the_session_is_this_hosts_alone() {
    let mut server = Server::stopped(false);
    server.start_with(&["--public-url", "https://files.example.org"]);
    let http = server.http();
    let answer = claim(&http, code(server.greeting()), PASSWORD);
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-firefly_session="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && !cookie.contains("Domain"),
        "{cookie}"
    );
    assert!(answer.header("strict-transport-security").is_some());
    let browser = Browser::of(&http, &answer);
    let current = browser.call("firefly/session/current", &Value::Null);
    assert_eq!(current.status, 200);
    let plain = browser.cookie.replacen("__Host-", "", 1);
    let other = [("Cookie", plain.as_str())];
    let address = "/2/firefly/session/current";
    let nobody = http.request("GET", address, &other, b"").unwrap();
    assert_eq!((nobody.status, nobody.json()), (200, Value::Null));
}
