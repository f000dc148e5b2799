//! The example configurations of docs/operations, with the real proxies in front of the real program.

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::http::{Answer, Http};
use crate::program::Server;
use crate::user::User;

/// Larger than what nginx takes by itself, and than one block.
const LARGE: usize = 12 << 20;

/// A server behind a proxy of this kind that comes from this address, and the proxy.
fn behind(kind: &'static str, from: &str) -> (Server, Engine) {
    let mut server = Server::start(false);
    let proxy = Engine::start_with(kind, &[("UPSTREAM", server.listen().to_owned())]);
    assert_eq!(server.stop(), 0);
    let url = format!("http://127.0.0.1:{}", proxy.port());
    server.start_with(&["--public-url", &url, "--trusted-proxies", from]);
    (server, proxy)
}

fn passes_everything(kind: &'static str, from: &str) {
    let (server, proxy) = behind(kind, from);
    let http = Http::new(&format!("127.0.0.1:{}", proxy.port()));
    let direct = server.user("ann");
    let user = User::new(http.clone(), &direct.token);
    content_passes_whole_and_in_part(&user);
    a_longpoll_hears_at_once(&user, &direct);
    guesses_count_for_the_address_that_the_proxy_saw(&http);
}

fn content_passes_whole_and_in_part(user: &User) {
    let content: Vec<u8> = (0..LARGE).map(|at| (at * 31 % 251) as u8).collect();
    user.put("/large.bin", &content);
    assert!(
        user.download("/large.bin").body == content,
        "it came back changed"
    );
    let bearer = format!("Bearer {}", user.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Range", "bytes=5000000-5000099"),
        ("Dropbox-API-Arg", r#"{"path":"/large.bin"}"#),
    ];
    let part = user
        .http
        .request("POST", "/2/files/download", &headers, b"");
    let part = part.unwrap();
    assert_eq!(part.status, 206, "{}", part.text());
    assert_eq!(part.body, content[5_000_000..5_000_100]);
}

fn a_longpoll_hears_at_once(user: &User, other: &User) {
    let cursor = user.call("files/list_folder", &json!({"path": ""}))["cursor"].clone();
    let argument = json!({"cursor": cursor, "timeout": 60});
    let http = user.http.clone();
    let waiting =
        std::thread::spawn(move || post(&http, "files/list_folder/longpoll", &argument, &[]));
    other.put("/news.txt", b"news");
    let heard = waiting.join().unwrap();
    assert_eq!(heard.json()["changes"], json!(true), "{}", heard.text());
}

/// The proxy writes the address it sees behind what the client claims: claiming another one each time does not help.
fn guesses_count_for_the_address_that_the_proxy_saw(http: &Http) {
    let guess = |claimed: u32| {
        let argument =
            json!({"email": format!("nobody{claimed}@example.org"), "password": "wrong"});
        let claimed = format!("203.0.113.{claimed}");
        post(
            http,
            "firefly/session/sign_in",
            &argument,
            &[("X-Forwarded-For", &claimed)],
        )
        .status
    };
    let statuses: Vec<u16> = (0..60).map(guess).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
}

fn post(http: &Http, route: &str, argument: &Value, more: &[(&str, &str)]) -> Answer {
    let headers = [&[("Content-Type", "application/json")], more].concat();
    let body = argument.to_string();
    http.request("POST", &format!("/2/{route}"), &headers, body.as_bytes())
        .unwrap()
}

#[test]
fn nginx_as_the_example_has_it() {
    // `tests/engine` lets it come from there: it passes on what a client claims with the client's address behind it, and the
    // test's own address must not be trusted with the test's claims.
    passes_everything("nginx", "127.0.0.9");
}

#[test]
fn caddy_as_the_example_has_it() {
    // It drops what a client claims.
    passes_everything("caddy", "127.0.0.1");
}

#[test]
fn haproxy_as_the_example_has_it() {
    // As nginx; and the other server of the example is down.
    passes_everything("haproxy", "127.0.0.9");
}
