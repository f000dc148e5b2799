//! Suspending an account, with the real program and its command line: what runs ends within a second, what others do goes on.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};
use serde_json::json;

use crate::program::{Server, succeeds, until};
use crate::user::User;

/// Larger than all that kernels buffer between a server and its client.
const LARGE: usize = 48 << 20;
/// A cut that takes so long is none; a client that takes nothing would be given up after a minute.
const CUT_LIMIT: Duration = Duration::from_secs(15);

/// A request whose answer does not end by itself, read until it is cut.
struct Running {
    name: &'static str,
    reader: JoinHandle<(usize, Instant)>,
}

impl Running {
    /// Sends the request, and reads `first` bytes of the answer before it returns. From then on it takes a little at a time.
    fn start(name: &'static str, server: &Server, head: &str, body: &str, first: usize) -> Running {
        let mut stream = TcpStream::connect(server.listen()).unwrap();
        stream.set_read_timeout(Some(CUT_LIMIT)).unwrap();
        let request = format!(
            "{head}\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = vec![0; first];
        stream.read_exact(&mut bytes).unwrap();
        let reader = std::thread::spawn(move || {
            let (mut piece, mut read) = ([0; 4096], first);
            loop {
                match stream.read(&mut piece) {
                    Ok(0) => return (read, Instant::now()),
                    Ok(some) => read += some,
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                        return (read, Instant::now());
                    }
                    Err(error) => panic!("{name} goes on: {error}"),
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Running { name, reader }
    }
}

#[test]
fn suspending_cuts_a_slow_download_an_archive_a_longpoll_and_events() {
    let server = Server::start(false);
    let (user, other) = (server.user("cut"), server.user("kept"));
    let content = large();
    user.put("/folder/large.bin", &content);
    other.put("/large.bin", &content);
    let cursor = user.call(
        "files/list_folder/get_latest_cursor",
        &json!({ "path": "" }),
    );
    let bearer = |user: &User| format!("Authorization: {}", bearer(user));
    let download = |user: &User, path: &str| {
        let argument = json!({ "path": path });
        format!(
            "POST /2/files/download HTTP/1.1\r\n{}\r\nDropbox-API-Arg: {argument}",
            bearer(user)
        )
    };
    let zip = format!(
        "POST /2/files/download_zip HTTP/1.1\r\n{}\r\nDropbox-API-Arg: {}",
        bearer(&user),
        json!({ "path": "/folder" })
    );
    let events = format!(
        "GET /2/firefly/events HTTP/1.1\r\nConnection: close\r\n{}",
        bearer(&user)
    );
    let longpoll = "POST /2/files/list_folder/longpoll HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close";
    let waits = json!({ "cursor": cursor["cursor"], "timeout": 480 }).to_string();
    let mut kept = TcpStream::connect(server.listen()).unwrap();
    let request = format!(
        "{}\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        download(&other, "/large.bin")
    );
    kept.write_all(request.as_bytes()).unwrap();
    let running = [
        Running::start(
            "download",
            &server,
            &download(&user, "/folder/large.bin"),
            "",
            64 << 10,
        ),
        Running::start("archive", &server, &zip, "", 64 << 10),
        Running::start("events", &server, &events, "", 200),
        Running::start("longpoll", &server, longpoll, &waits, 0),
    ];
    let begun = Instant::now();
    succeeds(&server, &["account", "suspend", &user.email]);
    let suspended = Instant::now();
    for Running { name, reader } in running {
        let (read, ended) = reader.join().unwrap();
        let after = ended.saturating_duration_since(suspended);
        println!(
            "{name}: {read} bytes, ended {after:?} after the command, which took {:?}",
            suspended - begun
        );
        assert!(read < LARGE, "{name} was sent whole");
        assert!(after < CUT_LIMIT, "{name}");
    }
    let answer = user
        .rpc("firefly/search", &json!({ "query": "x" }))
        .unwrap();
    assert_eq!(
        (answer.status, answer.refusal().as_str()),
        (401, "user_suspended")
    );
    let mut all = Vec::new();
    kept.read_to_end(&mut all).unwrap();
    assert!(all.len() > LARGE, "others go on");
}

/// Bytes that do not compress.
fn large() -> Vec<u8> {
    let mut content = vec![0; LARGE];
    StdRng::seed_from_u64(5).fill_bytes(&mut content);
    content
}

fn bearer(user: &User) -> String {
    format!("Bearer {}", user.token)
}

/// How much of a stream its client has room for, bytes.
const WINDOW_BYTES: u32 = 256 << 10;
/// The same for all streams of a connection together: more than one that is not read can hold.
const CONNECTION_BYTES: u32 = 8 << 20;

/// A download over a connection that is there.
async fn download(connection: &SendRequest<bytes::Bytes>, user: &User) -> RecvStream {
    let request = hyper::Request::post("http://x/2/files/download")
        .header("authorization", bearer(user))
        .header(
            "dropbox-api-arg",
            json!({ "path": "/large.bin" }).to_string(),
        );
    let mut connection = connection.clone().ready().await.unwrap();
    let sent = connection.send_request(request.body(()).unwrap(), true);
    let answer = sent.unwrap().0.await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

/// Takes a little at a time until the stream ends; how much that was, and why it ended early.
async fn read(mut stream: RecvStream) -> (usize, Option<Reason>) {
    let mut read = 0;
    while let Some(piece) = stream.data().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => return (read, error.reason()),
        };
        read += piece.len();
        stream.flow_control().release_capacity(piece.len()).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (read, None)
}

#[test]
fn suspending_resets_streams_of_a_connection_whose_others_go_on() {
    let server = Server::start(false);
    let (user, other) = (server.user("cut"), server.user("kept"));
    let content = large();
    user.put("/large.bin", &content);
    other.put("/large.bin", &content);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(server.listen()).await;
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_BYTES)
            .handshake(stream.unwrap())
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let stalled = download(&client, &user).await;
        let kept = tokio::spawn(read(download(&client, &other).await));
        let cut = tokio::spawn(read(download(&client, &user).await));
        tokio::task::block_in_place(|| succeeds(&server, &["account", "suspend", &user.email]));
        let suspended = Instant::now();
        let (bytes, why) = tokio::time::timeout(CUT_LIMIT, cut).await.unwrap().unwrap();
        println!(
            "{bytes} bytes, reset {:?} after the command",
            suspended.elapsed()
        );
        assert!(bytes < LARGE && why.is_some(), "{why:?}");
        let (bytes, why) = tokio::time::timeout(CUT_LIMIT, read(stalled))
            .await
            .unwrap();
        assert!(why.is_some());
        // What was on its way before, and one piece that waited for room.
        assert!(bytes <= WINDOW_BYTES as usize + (16 << 10), "{bytes}");
        let (bytes, why) = kept.await.unwrap();
        assert_eq!((bytes, why), (LARGE, None), "others go on");
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

/// Searches at once: together they take seconds, whatever the machine.
const SEARCHERS: usize = 48;

#[test]
fn suspending_ends_searches_that_run() {
    let server = Server::start(false);
    let user = server.user("searcher");
    for n in 0..20 {
        let mut words = StdRng::seed_from_u64(n);
        let words =
            (0..20_000).map(|_| ["ab", "ba", "cab", "abba"][(words.next_u32() % 4) as usize]);
        let text = words.collect::<Vec<_>>().join(" ");
        user.put(&format!("/{n}.txt"), text.as_bytes());
    }
    until("all are found", 60, || {
        (user.found("ab ").len() == 20).then_some(())
    });
    let phrase = |n: usize| {
        let words = (0..6).map(|at| ["ab", "ba", "cab", "abba"][(n >> (at * 2)) & 3]);
        format!("\"{}\"", words.collect::<Vec<_>>().join(" "))
    };
    let query = (0..30)
        .map(|n| phrase(n * 131))
        .collect::<Vec<_>>()
        .join(" OR ");
    let searches = std::thread::scope(|scope| {
        let searching: Vec<_> = std::iter::repeat_with(|| {
            scope.spawn(|| {
                loop {
                    let begun = Instant::now();
                    let answer = user
                        .rpc("firefly/search", &json!({ "query": query }))
                        .unwrap();
                    if answer.status != 200 {
                        return (begun, Instant::now(), answer.status, answer.refusal());
                    }
                }
            })
        })
        .take(SEARCHERS)
        .collect();
        let metrics = server.http();
        until("they are all answered", 60, || {
            let health = metrics.request("GET", "/healthz", &[], b"").unwrap().json();
            (health["requests_in_flight"].as_u64() > Some(SEARCHERS as u64 * 3 / 4)).then_some(())
        });
        let asked = Instant::now();
        succeeds(&server, &["account", "suspend", &user.email]);
        let suspended = Instant::now();
        let ends = searching
            .into_iter()
            .map(|searching| searching.join().unwrap());
        (asked, suspended, ends.collect::<Vec<_>>())
    });
    let (asked, suspended, ends) = searches;
    for (_, ended, status, refusal) in &ends {
        assert_eq!((*status, refusal.as_str()), (401, "user_suspended"));
        assert!(ended.saturating_duration_since(suspended) < CUT_LIMIT);
    }
    let ran = ends.iter().filter(|(begun, ..)| *begun < asked);
    let last = ran
        .clone()
        .map(|(_, ended, ..)| ended.saturating_duration_since(suspended));
    println!("{} that ran ended within {:?}", ran.count(), last.max());
    assert!(
        ends.iter().any(|(begun, ..)| *begun < asked),
        "none was cut"
    );
}
