//! Metadata on two MariaDB servers: a namespace moves between them while it is written, also when the program is killed in the
//! middle of it; one of the servers goes away and comes back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::Answer;
use crate::mariadb::MariaDb;
use crate::program::{Server, said, succeeds, until};
use crate::user::User;

const WRITERS: usize = 3;
/// Files that each writer writes, one after another and again and again.
const FILES: usize = 7;
/// How long a client tries a request again.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);
/// Requests that are answered between one step and the next.
const BETWEEN: usize = 30;

/// Sends a request until it is answered by more than "later".
fn insist(send: impl Fn() -> std::io::Result<Answer>) -> Answer {
    let until = Instant::now() + PATIENCE;
    loop {
        let said = match send() {
            Ok(answer) if answer.status < 429 => return answer,
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        assert!(Instant::now() < until, "still after {PATIENCE:?}: {said}");
        std::thread::sleep(PAUSE);
    }
}

/// What the clients of the test share.
#[derive(Default)]
struct Load {
    done: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    /// Writes over and deletes files of its own; returns what is to be there.
    fn write(&self, user: &User, writer: usize) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for turn in 0.. {
            let path = format!("/folder {}/{writer}.txt", turn % FILES);
            let content = format!("turn {turn} of {writer}").into_bytes();
            if turn % 5 == 4 && files.remove(&path).is_some() {
                let gone = insist(|| user.rpc("files/delete_v2", &json!({ "path": path })));
                // A request whose answer was lost has done it before it was sent again.
                assert!(
                    gone.status == 200 || gone.text().contains("not_found"),
                    "{}",
                    gone.text()
                );
            } else {
                let wanted = json!({ "path": path, "mode": "overwrite" });
                let stored = insist(|| user.content("files/upload", &wanted, &content));
                assert_eq!(stored.status, 200, "{path}: {}", stored.text());
                read(user, &path, &content);
                files.insert(path, content);
            }
            self.done.fetch_add(1, Ordering::Relaxed);
            if self.stop.load(Ordering::Relaxed) {
                return files;
            }
        }
        unreachable!("the range has no end")
    }

    fn await_more(&self) {
        let wanted = self.done.load(Ordering::Relaxed) + BETWEEN;
        until("clients go on", 120, || {
            (self.done.load(Ordering::Relaxed) >= wanted).then_some(())
        });
    }
}

fn read(user: &User, path: &str, content: &[u8]) {
    let read = insist(|| user.content("files/download", &json!({ "path": path }), b""));
    assert_eq!((read.status, &read.body[..]), (200, content), "{path}");
}

fn namespace(user: &User) -> String {
    let account = user
        .rpc("users/get_current_account", &Value::Null)
        .unwrap()
        .json();
    account["root_info"]["root_namespace_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Rows that a database holds.
fn rows(server: &MariaDb, url: &str) -> u64 {
    let name = url.rsplit_once('/').unwrap().1;
    server
        .sql(&format!("SELECT COUNT(*) FROM {name}.firefly_rows"))
        .trim()
        .parse()
        .unwrap()
}

#[test]
fn a_namespace_moves_while_it_is_written() {
    let mut second = MariaDb::start();
    let there = second.new_database();
    let mut server = Server::start_on_database();
    let (user, bob) = (server.user("ann"), server.user("bob"));
    (0..30).for_each(|n| drop(user.put(&format!("/before/{n}.txt"), b"before")));
    bob.put("/bob.txt", b"his");
    let namespace = namespace(&user);
    let added = succeeds(&server, &["database", "add", &there]);
    assert!(added.contains("is database server 1"), "{added}");
    let load = Load::default();
    let files: Vec<_> = std::thread::scope(|scope| {
        let (load, user) = (&load, &user);
        let writers: Vec<_> = (0..WRITERS)
            .map(|n| scope.spawn(move || load.write(user, n)))
            .collect();
        for to in ["1", "0", "1"] {
            load.await_more();
            let moved = succeeds(&server, &["database", "move", &namespace, "--to", to]);
            assert!(moved.contains(" slots, "), "{moved}");
        }
        load.await_more();
        assert!(rows(&second, &there) > 60);
        // The program is killed while it moves; the same command goes on.
        let moving = server
            .program()
            .args(["database", "move", &namespace, "--to", "0"])
            .spawn();
        std::thread::sleep(Duration::from_millis(60));
        server.kill9();
        moving.unwrap().wait().unwrap();
        server.start_again();
        load.await_more();
        succeeds(&server, &["database", "move", &namespace, "--to", "1"]);
        load.await_more();
        load.stop.store(true, Ordering::Relaxed);
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect()
    });
    let wanted: BTreeMap<String, Vec<u8>> = files.into_iter().flatten().collect();
    wanted
        .iter()
        .for_each(|(path, content)| read(&user, path, content));
    let found = user
        .files()
        .into_keys()
        .filter(|path| path.ends_with(".txt"));
    let found: Vec<String> = found.filter(|path| !path.starts_with("/before/")).collect();
    assert!(
        found.iter().eq(wanted.keys()),
        "{found:?} and {:?}",
        wanted.keys()
    );

    one_goes_away(&server, &mut second, &user, &bob);
    assert_eq!(server.stop(), 0);
    server.check();
    let drained = succeeds(&server, &["database", "drain", "1"]);
    assert!(drained.contains("can go"), "{drained}");
    assert_eq!(rows(&second, &there), 0);
    drop(second);
    server.check();
}

/// What lies on the server fails clearly, the rest goes on, and it is known what is the matter.
fn one_goes_away(server: &Server, second: &mut MariaDb, user: &User, bob: &User) {
    let ready = |server: &Server| server.http().request("GET", "/readyz", &[], b"").unwrap();
    second.kill9();
    let refused = until("its reads fail", 30, || {
        let listed = user
            .rpc("files/list_folder", &json!({ "path": "/before" }))
            .unwrap();
        (listed.status == 503).then_some(listed)
    });
    assert_eq!(refused.status, 503);
    assert_eq!(bob.download("/bob.txt").body, b"his");
    bob.put("/bob.txt", b"his, later");
    let said_ready = ready(server);
    assert_eq!(
        (said_ready.status, &said_ready.json()["away"]),
        (200, &json!(["database server 1"]))
    );
    for command in [&["database", "status"][..], &["status"]] {
        let shown = server.command(command);
        assert!(
            !shown.status.success() && said(&shown).contains("AWAY"),
            "{}",
            said(&shown)
        );
    }
    let examined = server.command(&["doctor"]);
    assert!(
        said(&examined).contains("database server 1 is away"),
        "{}",
        said(&examined)
    );
    second.start_again();
    let content = json!({ "path": "/before/1.txt" });
    assert_eq!(
        insist(|| user.content("files/download", &content, b"")).body,
        b"before"
    );
    until("it is ready", 30, || {
        ready(server).json()["away"].is_null().then_some(())
    });
    assert!(succeeds(server, &["database", "status"]).contains("good"));
}

#[test]
fn what_cannot_be_used_says_why() {
    let server = Server::start_on_database();
    for (arguments, part) in [
        (
            &["add", "mysql://firefly@127.0.0.1:1/firefly"][..],
            "cannot be used",
        ),
        (
            &["add", "mysql://firefly:secret@127.0.0.1/firefly"],
            "put it into a file",
        ),
        (&["move", "1", "--to", "7"], "there is no database server 7"),
        (
            &["move", "9999999", "--to", "0"],
            "there is no namespace 9999999",
        ),
        (
            &["move", "--slots", "0-4096", "--to", "0"],
            "from 0 to 4095",
        ),
        (&["drain", "3"], "there is no database server 3"),
    ] {
        let refused = server.command(&[&["database"], arguments].concat());
        assert!(
            !refused.status.success() && said(&refused).contains(part),
            "{}",
            said(&refused)
        );
    }
    let embedded = Server::start_embedded();
    let refused = embedded.command(&["database", "status"]);
    assert!(
        said(&refused).contains("metadata is embedded"),
        "{}",
        said(&refused)
    );
}
