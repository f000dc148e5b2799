//! What is malformed gets exactly its status, and harms nobody.

use serde_json::json;

use crate::http::Answer;
use crate::program::Server;
use crate::user::User;

/// A call with any headers and body; `Authorization` is added.
fn send(user: &User, route: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let bearer = format!("Bearer {}", user.token);
    let headers = [&[("Authorization", bearer.as_str())], headers].concat();
    let path = format!("/2/{route}");
    user.http.request("POST", &path, &headers, body).unwrap()
}

#[test]
fn json_bodies() {
    let server = Server::shared(false);
    let user = server.user("json");
    let json = [("Content-Type", "application/json")];
    let deep = format!("{{\"path\":{}", "[".repeat(50_000));
    let long = format!("{{\"path\":\"/{}\"}}", "a".repeat(3 << 20));
    let cases: [(&[u8], u16); 12] = [
        (b"{", 400),
        (b"[]", 400),
        (b"\"/\"", 400),
        (b"7", 400),
        (b"{\"path\":7}", 400),
        (b"{\"path\":null}", 400),
        (b"{\"path\":\"\"} trailing", 400),
        (b"{\"path\":\"\xff\"}", 400),
        (b"{\"path\":\"\\ud800\"}", 400),
        (b"{\"limit\":3}", 400),
        (deep.as_bytes(), 400),
        (long.as_bytes(), 413),
    ];
    for (body, status) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let answer = send(&user, "files/list_folder", &json, body);
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        assert!(
            answer
                .header("content-type")
                .unwrap()
                .starts_with("text/plain"),
            "{shown}"
        );
    }
    assert_eq!(
        send(&user, "users/get_current_account", &json, b"").status,
        200
    );
    assert_eq!(
        send(&user, "users/get_current_account", &json, b"null").status,
        200
    );
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(
        send(&user, "files/list_folder", &form, b"{\"path\":\"\"}").status,
        400
    );
}

#[test]
fn argument_headers() {
    let server = Server::shared(false);
    let user = server.user("headers");
    for argument in [
        "{",
        "",
        "[]",
        "{\"path\":1}",
        "{\"path\":\"/a\",\"mode\":\"sideways\"}",
    ] {
        let headers = [("Dropbox-API-Arg", argument)];
        let answer = send(&user, "files/upload", &headers, b"x");
        assert_eq!(answer.status, 400, "{argument}: {}", answer.text());
    }
    assert_eq!(send(&user, "files/upload", &[], b"x").status, 400);
    assert_eq!(
        send(
            &user,
            "files/download",
            &[("Dropbox-API-Arg", "{\"path\":\"no slash\"}")],
            b""
        )
        .status,
        400
    );
    for (name, value) in [
        ("Dropbox-API-Path-Root", "{"),
        ("Dropbox-API-Path-Root", "{\".tag\":\"up\"}"),
        ("Dropbox-API-Select-User", "dbmid:x"),
    ] {
        let answer = send(
            &user,
            "users/get_current_account",
            &[(name, value)],
            b"null",
        );
        assert_eq!(answer.status, 400, "{name}: {value}: {}", answer.text());
    }
    let foreign = "{\".tag\":\"namespace_id\",\"namespace_id\":\"1\"}";
    assert_eq!(
        send(
            &user,
            "users/get_current_account",
            &[("Dropbox-API-Path-Root", foreign)],
            b"null"
        )
        .status,
        422
    );
    assert!(user.files().is_empty());
}

#[test]
fn tokens() {
    let server = Server::shared(false);
    let user = server.user("tokens");
    let long = format!("Bearer {}", "x".repeat(6000));
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer ff_",
        "Basic YTpi",
        "Bearer \u{e9}",
        &user.token,
        &long,
    ] {
        let headers = [
            ("Authorization", value),
            ("Content-Type", "application/json"),
        ];
        let answer = user
            .http
            .request("POST", "/2/users/get_current_account", &headers, b"null")
            .unwrap();
        assert_eq!(answer.status, 401, "{value:.40}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[test]
fn cursors_ids_and_jobs() {
    let server = Server::shared(false);
    let user = server.user("cursors");
    for cursor in ["", "garbage", "%00", "AAAA\u{1F525}", &"z".repeat(20_000)] {
        let argument = json!({ "cursor": cursor });
        assert_eq!(
            user.refused("files/list_folder/continue", &argument),
            "reset",
            "{cursor:.30}"
        );
        assert_eq!(
            user.refused("files/list_folder/longpoll", &argument),
            "reset",
            "{cursor:.30}"
        );
        assert_eq!(
            user.refused("files/search/continue_v2", &argument),
            "invalid_argument",
            "{cursor:.30}"
        );
        assert_eq!(
            user.refused("sharing/list_folders/continue", &argument),
            "invalid_cursor",
            "{cursor:.30}"
        );
        let job = json!({ "async_job_id": cursor });
        for route in [
            "files/delete_batch/check",
            "files/move_batch/check_v2",
            "sharing/check_job_status",
        ] {
            assert_eq!(
                user.refused(route, &job),
                "invalid_async_job_id",
                "{route} {cursor:.30}"
            );
        }
    }
    for path in [
        "id:",
        "id:!!!",
        "rev:",
        "rev:zz",
        "ns:",
        "ns:99999999999999999999/a",
        "id:AAAA/../b",
    ] {
        let answer = user
            .rpc("files/get_metadata", &json!({ "path": path }))
            .unwrap();
        assert!(
            [400, 409].contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
}

#[test]
fn ranges() {
    let server = Server::shared(false);
    let user = server.user("ranges");
    user.put("/r.bin", b"0123456789");
    user.put("/empty.bin", b"");
    let get = |path: &str, range: &str| {
        let argument = json!({ "path": path }).to_string();
        send(
            &user,
            "files/download",
            &[("Dropbox-API-Arg", &argument), ("Range", range)],
            b"",
        )
    };
    for (range, status, body) in [
        ("bytes=2-4", 206, "234"),
        ("bytes=-3", 206, "789"),
        ("bytes=8-99", 206, "89"),
        ("bytes=10-", 416, ""),
        ("bytes=-0", 416, ""),
        ("bytes=99999999999999999999-", 200, "0123456789"),
        ("bytes=4-2", 200, "0123456789"),
        ("bytes", 200, "0123456789"),
        ("items=1-2", 200, "0123456789"),
    ] {
        let answer = get("/r.bin", range);
        assert_eq!(answer.status, status, "{range}");
        assert!(
            status == 416 || answer.text() == body,
            "{range}: {}",
            answer.text()
        );
    }
    assert_eq!(get("/empty.bin", "bytes=0-").status, 416);
    assert_eq!(get("/empty.bin", "").status, 200);
}

#[test]
fn routes_and_methods() {
    let server = Server::shared(false);
    let user = server.user("routes");
    assert_eq!(send(&user, "files/no_such_route", &[], b"{}").status, 404);
    let get = |path: &str| server.http().request("GET", path, &[], b"").unwrap();
    for path in [
        "/no/such/page",
        "/2/",
        "/assets/nothing.js",
        "/assets/../index.html",
        "/assets/%2e%2e/%2e%2e/etc/passwd",
        "/s/",
        "/t/x",
        "/.git/config",
    ] {
        assert_eq!(get(path).status, 404, "{path}");
    }
    assert_eq!(get("/2/files/list_folder").status, 405);
    assert_eq!(get("/healthz").status, 200);
    assert_eq!(get("/").status, 200);
}

#[test]
fn broken_requests_do_not_hurt_the_next() {
    let server = Server::shared(false);
    for request in [
        &b"GET / HTTP/9.9\r\n\r\n"[..],
        b"\x00\x01\x02\x03\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /2/files/list_folder HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /2/files/list_folder HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST /2/files/list_folder HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        if let Ok(answer) = server.http().raw(request) {
            assert!((400..500).contains(&answer.status), "{}: {}", String::from_utf8_lossy(request), answer.status);
        }
        assert_eq!(server.http().request("GET", "/healthz", &[], b"").unwrap().status, 200);
    }
}

#[test]
fn arguments_out_of_bounds() {
    let server = Server::shared(false);
    let user = server.user("bounds");
    let many: Vec<_> = (0..1001)
        .map(|n| json!({ "path": format!("/{n}") }))
        .collect();
    assert_eq!(
        user.rpc("files/delete_batch", &json!({ "entries": many }))
            .unwrap()
            .status,
        400
    );
    assert_eq!(
        user.refused("files/search_v2", &json!({ "query": "ü".repeat(1001) })),
        "invalid_argument"
    );
    let paths = format!("/{}", "a/".repeat(3000));
    assert_eq!(
        user.refused("files/create_folder_v2", &json!({ "path": paths })),
        "path/malformed_path"
    );
    for wrong in [
        json!({ "query": "x", "options": { "max_results": 100_000 } }),
        json!({ "query": 7 }),
        json!({ "query": "x", "options": [] }),
    ] {
        let status = user.rpc("firefly/search", &wrong).unwrap().status;
        assert!([200, 400, 409].contains(&status), "{wrong}: {status}");
    }
    assert!(user.files().is_empty());
}
