//! Several processes of one Firefly, with roles of their own, on one database: what is brought in through one is found through another;
//! the shards of a process that dies or stands still are taken over, and everything is found again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::engine::Engine;
use crate::http::Http;
use crate::mariadb::{MariaDb, free_port};
use crate::program::{program, until};
use crate::user::User;

/// How long anything may take to be found, shards to be taken over and opened included, seconds.
const FOUND_LIMIT_S: u64 = 120;
/// Shards of the cluster.
const SHARDS: usize = 8;

/// What the processes log: who works for which request, too.
const LOG: &str =
    "info,firefly::rpc=debug,firefly::hints=debug,sync::relay=debug,indexer::stage=debug";

/// A process of the cluster.
pub struct Process {
    child: Child,
    data: PathBuf,
    /// HOST:PORT of its web.
    pub front: String,
    calls: String,
}

/// What all of them share.
pub struct Cluster {
    database: MariaDb,
    url: String,
    folder: tempfile::TempDir,
    /// The cluster key of who is started.
    key: PathBuf,
    keys: Option<PathBuf>,
    broker: Option<Engine>,
    /// What every process is told beside.
    pub arguments: Vec<String>,
}

impl Cluster {
    pub fn new() -> Cluster {
        let (database, folder) = (MariaDb::start(), tempfile::tempdir().unwrap());
        let key = folder.path().join("cluster.key");
        std::fs::write(&key, "glow".repeat(12)).unwrap();
        Cluster {
            key,
            url: database.new_database(),
            database,
            folder,
            keys: None,
            broker: None,
            arguments: Vec::new(),
        }
    }

    /// The same with a broker.
    pub fn with_broker() -> Cluster {
        let (mut cluster, broker) = (Cluster::new(), Engine::start("rabbitmq"));
        let url = format!("amqp://127.0.0.1:{}/%2f", broker.port());
        cluster.arguments = vec!["--broker".into(), url];
        cluster.broker = Some(broker);
        cluster
    }

    /// Starts a process and waits until it says that it serves.
    pub fn start(&mut self, name: &str, roles: &str) -> Process {
        let data = self.folder.path().join(name);
        std::fs::create_dir_all(data.join("keys")).unwrap();
        if let Some(keys) = &self.keys {
            std::fs::copy(keys, data.join("keys/kek.json")).unwrap();
        }
        let (front, calls) = (address(), address());
        let file = |kind: &str| self.folder.path().join(format!("{name}.{kind}"));
        let (said, log) = (File::create(file("said")), File::create(file("log")));
        let mut child = program()
            .args(["serve", "--role", roles, "--listen", &front])
            .args(["--cluster-listen", &calls, "--metadata", &self.url])
            .arg("--data")
            .arg(&data)
            .arg("--cluster-key")
            .arg(&self.key)
            .arg("--targets")
            .arg(self.folder.path().join("blocks"))
            .arg("--index-snapshots")
            .arg(format!("file://{}/snapshots", self.folder.path().display()))
            .arg("--metadata-password-file")
            .arg(self.database.password_file())
            .args(["--ocr-languages", "off", "--shards", &SHARDS.to_string()])
            .args(&self.arguments)
            .env("FIREFLY_LOG", LOG)
            .stdin(Stdio::null())
            .stdout(said.unwrap())
            .stderr(log.unwrap())
            .spawn()
            .unwrap();
        until(&format!("{name} to serve"), FOUND_LIMIT_S, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{name} ended: {}", self.log(name));
            let said = std::fs::read_to_string(file("said")).unwrap();
            said.starts_with("Firefly").then_some(())
        });
        self.keys.get_or_insert(data.join("keys/kek.json"));
        Process {
            child,
            data,
            front,
            calls,
        }
    }

    /// How often its log has these words.
    fn said(&self, name: &str, words: &str) -> usize {
        self.log(name).matches(words).count()
    }

    /// What it has logged so far.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(format!("{name}.log"))).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                if let Some(name) = name.strip_suffix(".log") {
                    let log = self.log(name);
                    let lines: Vec<_> = log.lines().collect();
                    let end = lines[lines.len().saturating_sub(25)..].join("\n");
                    eprintln!("the log of {name} ends:\n{end}");
                }
            }
        }
    }
}

impl Process {
    /// Its administrator.
    pub fn admin(&self) -> User {
        let token = self.data.join("admin.token");
        let token = until("a token", FOUND_LIMIT_S, || {
            std::fs::read_to_string(&token).ok()
        });
        User::new(Http::new(&self.front), token.trim())
    }

    /// The same account through this process.
    fn of(&self, user: &User) -> User {
        User {
            http: Http::new(&self.front),
            ..user.clone()
        }
    }

    /// The shards that it answers for.
    fn shards(&self) -> Vec<u64> {
        let answer = Http::new(&self.calls).request("GET", "/healthz", &[], b"");
        let health: Option<Value> = answer
            .ok()
            .and_then(|a| serde_json::from_slice(&a.body).ok());
        let shards = health.and_then(|health| health["shards"].as_array().cloned());
        let numbers = shards.into_iter().flatten();
        numbers.filter_map(|number| number.as_u64()).collect()
    }

    /// What its metrics of this name sum up to.
    fn counted(&self, name: &str) -> u64 {
        let answer = Http::new(&self.calls).request("GET", "/metrics", &[], b"");
        let text = answer.unwrap().text();
        let lines = text.lines().filter(|line| line.starts_with(name));
        let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        values.sum()
    }

    /// Ends in order.
    fn stop(mut self) {
        self.signal("TERM");
        let ended = until("it to end", FOUND_LIMIT_S, || {
            self.child.try_wait().unwrap()
        });
        assert!(ended.success(), "{ended}");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn address() -> String {
    format!("127.0.0.1:{}", free_port())
}

fn shared_out(holders: &[&Process]) {
    each_holds(holders, SHARDS / holders.len());
}

fn each_holds(holders: &[&Process], shards: usize) {
    until("all shards to be held", FOUND_LIMIT_S, || {
        let held: Vec<usize> = holders
            .iter()
            .map(|process| process.shards().len())
            .collect();
        held.iter().all(|count| *count == shards).then_some(())
    });
}

fn found(user: &User, word: &str, wanted: usize) {
    until(
        &format!("{wanted} files with {word}"),
        FOUND_LIMIT_S,
        || {
            let answer = user.search(word);
            let hits = answer["hits"].as_array()?.len();
            (answer["partial"] == false && hits == wanted).then_some(())
        },
    );
}

/// Compares the whole index with metadata.
pub fn verified(user: &User) {
    until("a right index", FOUND_LIMIT_S, || {
        let answer = user.rpc("firefly/admin/index/verify", &json!({})).ok()?;
        let verified = (answer.status == 200).then(|| answer.json())?;
        let waits =
            verified["waiting"].as_u64()? > 0 || !verified["unknown"].as_array()?.is_empty();
        if waits {
            return None;
        }
        assert_eq!(
            (&verified["missing"], &verified["extra"]),
            (&json!([]), &json!([]))
        );
        verified["is_right"].as_bool()?.then_some(())
    });
}

#[test]
fn a_cluster_finds_everything_again_when_holders_stand_still_or_die() {
    let mut cluster = Cluster::new();
    let one = cluster.start("web-1", "web");
    let admin = one.admin();
    let (first, second) = (
        cluster.start("shard-1", "shard,extract"),
        cluster.start("shard-2", "shard,upkeep"),
    );
    let two = cluster.start("web-2", "web,extract");
    let elsewhere = two.of(&admin);
    shared_out(&[&first, &second]);
    for number in 0..30 {
        let text = format!("glowworms in the night, number{number}");
        admin.put(&format!("/night/{number}.txt"), text.as_bytes());
    }
    found(&elsewhere, "glowworms", 30);
    assert_eq!(
        elsewhere.download("/night/7.txt").body,
        b"glowworms in the night, number7"
    );
    verified(&elsewhere);

    // Whoever holds the account's shard stands still: answers are partial, and say so, until another has taken it over.
    first.signal("STOP");
    let begun = Instant::now();
    let answer = elsewhere.search("glowworms");
    let (paused, other) = match answer["partial"] == true {
        true => (first, second),
        false => {
            first.signal("CONT");
            shared_out(&[&first, &second]);
            second.signal("STOP");
            (second, first)
        }
    };
    let answer = until("a partial answer", FOUND_LIMIT_S, || {
        let answer = elsewhere.search("glowworms");
        (answer["partial"] == true).then_some(answer)
    });
    assert_eq!(answer["missing_namespaces"].as_array().unwrap().len(), 1);
    admin.put("/night/new.txt", b"glowworms again");
    found(&elsewhere, "glowworms", 31);
    eprintln!("a paused holder was replaced after {:?}", begun.elapsed());

    // It goes on, and nobody hears its old answers.
    paused.signal("CONT");
    for _ in 0..50 {
        let answer = elsewhere.search("glowworms");
        let hits = answer["hits"].as_array().unwrap().len();
        assert!(answer["partial"] == true || hits == 31, "{answer}");
    }
    shared_out(&[&paused, &other]);
    found(&elsewhere, "glowworms", 31);

    // One dies, and then a new one comes.
    let begun = Instant::now();
    drop(other);
    found(&admin, "glowworms", 31);
    eprintln!("a killed holder was replaced after {:?}", begun.elapsed());
    found(&admin, "number21", 1);
    verified(&admin);
    let third = cluster.start("shard-3", "shard,extract,upkeep");
    shared_out(&[&paused, &third]);
    admin.put("/night/last.txt", b"glowworms at last");
    found(&elsewhere, "glowworms", 32);
    verified(&elsewhere);
}

#[test]
fn who_has_another_key_is_not_answered() {
    let mut cluster = Cluster::new();
    let web = cluster.start("web", "web");
    for headers in [
        vec![],
        vec![("x-firefly-rpc", "1.0"), ("x-firefly-mac", "00")],
        vec![("x-firefly-rpc", "2.0")],
    ] {
        let status = Http::new(&web.calls)
            .request("POST", "/rpc", &headers, b"x")
            .unwrap()
            .status;
        assert!(status == 401 || status == 426, "{status}");
    }

    // One that gives itself out as one of them: it is told nothing, and the log says why.
    cluster.key = cluster.folder.path().join("other.key");
    std::fs::write(&cluster.key, "gleam".repeat(12)).unwrap();
    let _stranger = cluster.start("stranger", "shard");
    let admin = web.admin();
    until("a search without it", FOUND_LIMIT_S, || {
        let answer = admin.search("glowworms");
        assert_eq!(answer["partial"], true, "{answer}");
        let why = "call https://127.0.0.1:";
        let is_said = |line: &str| line.contains(why) && line.contains("another cluster key");
        cluster.log("web").lines().any(is_said).then_some(())
    });
}

#[test]
fn a_shard_server_lost_with_its_disk_is_replaced_from_a_snapshot_and_the_logs() {
    let mut cluster = Cluster::new();
    let web = cluster.start("web", "web,extract,upkeep");
    let admin = web.admin();
    let first = cluster.start("shard-1", "shard");
    shared_out(&[&first]);
    let put = |number: usize| {
        let text = format!("glowworms in the night, number{number}");
        admin.put(&format!("/night/{number}.txt"), text.as_bytes());
    };
    (0..60).for_each(put);
    found(&admin, "glowworms", 60);

    // Another comes, and each shard is given away once; who ends in order leaves snapshots behind.
    let second = cluster.start("shard-2", "shard");
    shared_out(&[&first, &second]);
    // Unless the machine let it stand still for so long that its leases ran out: then that is how the other came by them.
    if cluster.said("shard-1", "lease is over") == 0 {
        for words in ["is given to another process", "a shard was let go"] {
            assert_eq!(cluster.said("shard-1", words), SHARDS / 2, "{words}");
        }
    }
    first.stop();
    shared_out(&[&second]);

    // That one is lost with its disk while files arrive; the new one has nothing but snapshots and logs.
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 60;
            while !stop.load(Ordering::Relaxed) {
                put(number);
                number += 1;
            }
            number
        });
        found(&admin, "number70 ", 1);
        let disk = second.data.clone();
        drop(second);
        std::fs::remove_dir_all(disk).unwrap();
        let lost = Instant::now();
        let third = cluster.start("shard-3", "shard");
        shared_out(&[&third]);
        until("complete answers", FOUND_LIMIT_S, || {
            let answer = admin.search("number7 ");
            (answer["partial"] == false && answer["hits"][0].is_object()).then_some(())
        });
        eprintln!(
            "a shard server lost with its disk was replaced after {:?}",
            lost.elapsed()
        );
        stop.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        found(&admin, "glowworms", written);
        eprintln!("{written} files, all found after {:?}", lost.elapsed());
        verified(&admin);
        drop(third);
        written
    });
    assert!(written > 70);
    assert!(cluster.said("shard-3", "begins from a snapshot") > 0);
}

#[test]
fn searches_go_on_without_one_of_two_replicas() {
    let mut cluster = Cluster::new();
    cluster.arguments = vec!["--shard-replicas".into(), "2".into()];
    let web = cluster.start("web", "web,extract,upkeep");
    let admin = web.admin();
    let (first, second) = (
        cluster.start("shard-1", "shard"),
        cluster.start("shard-2", "shard"),
    );
    each_holds(&[&first, &second], SHARDS);
    const FOLDERS: usize = 12; // namespaces of their own, so that many shards are asked
    for number in 0..FOLDERS {
        let folder = format!("/swarm {number}");
        admin.call("files/create_folder_v2", &json!({ "path": folder }));
        admin.share(&folder);
        admin.put(&format!("{folder}/night.txt"), b"glowworms");
    }
    found(&admin, "glowworms", FOLDERS);
    let complete = |how: &str| {
        let answer = admin.search("glowworms ");
        let hits = answer["hits"].as_array().unwrap().len();
        assert!(
            answer["partial"] == false && hits == FOLDERS,
            "{how}: {answer}"
        );
    };
    (0..30).for_each(|_| complete("both are there"));

    // One stands still: the other is asked too, and then instead.
    for paused in [&first, &second] {
        paused.signal("STOP");
        (0..10).for_each(|_| complete("one stands still"));
        paused.signal("CONT");
        each_holds(&[&first, &second], SHARDS);
    }
    let (hedged, others) = (
        web.counted("firefly_shard_hedges_total"),
        web.counted("firefly_shard_failovers_total"),
    );
    let calls = web.counted("firefly_shard_calls_total");
    eprintln!("{calls} calls, {hedged} hedged, {others} failed over");
    assert!(hedged > 0 && hedged * 20 <= calls, "{hedged} of {calls}");

    // One dies: nothing is missing, and what it published the other publishes.
    drop(first);
    let begun = Instant::now();
    (0..10).for_each(|_| complete("one died"));
    eprintln!("ten searches after a holder died: {:?}", begun.elapsed());
    until("the other is the first everywhere", FOUND_LIMIT_S, || {
        let status = admin.call("firefly/admin/status", &json!({}));
        let leases = status["cluster"]["shards"].as_array()?;
        let firsts = leases.iter().filter_map(|lease| lease["lease"].as_str());
        let firsts: Vec<_> = firsts
            .filter(|lease| lease.len() == "shard/0000".len())
            .collect();
        (leases.len() == SHARDS && firsts.len() == SHARDS).then_some(())
    });
    complete("the other is the first");
    let third = cluster.start("shard-3", "shard");
    each_holds(&[&second, &third], SHARDS);
    admin.put("/last.txt", b"glowworms at last");
    found(&admin, "glowworms", FOLDERS + 1);
    verified(&admin);
}

#[test]
fn several_of_each_role_share_a_broker_and_one_id_goes_through_all() {
    let mut cluster = Cluster::with_broker();
    let one = cluster.start("web-1", "web");
    let admin = one.admin();
    let (first, second) = (
        cluster.start("back-1", "shard,relay"),
        cluster.start("back-2", "shard,relay"),
    );
    let (two, _extract) = (
        cluster.start("web-2", "web"),
        cluster.start("extract", "extract,upkeep"),
    );
    let elsewhere = two.of(&admin);
    shared_out(&[&first, &second]);
    for number in 0..20 {
        admin.put(&format!("/{number}.txt"), b"glowworms");
    }
    found(&elsewhere, "glowworms", 20);

    // Who waits at one web process hears of what another one stores.
    let argument = json!({ "path": "", "recursive": true });
    let mut page = elsewhere.call("files/list_folder", &argument);
    while page["has_more"] == true {
        let cursor = json!({ "cursor": page["cursor"] });
        page = elsewhere.call("files/list_folder/continue", &cursor);
    }
    let waiting = json!({ "cursor": page["cursor"], "timeout": 60 });
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let headers = [("Content-Type", "application/json")];
            let http = &elsewhere.http;
            let body = waiting.to_string();
            http.request(
                "POST",
                "/2/files/list_folder/longpoll",
                &headers,
                body.as_bytes(),
            )
        });
        admin.put("/21.txt", b"glowworms");
        assert_eq!(waiter.join().unwrap().unwrap().json()["changes"], true);
    });

    // Of two relays one works; when it dies the other goes on, and every message is taken and done.
    let relays = |name: &str| cluster.said(name, "a duty is taken up") == 1;
    assert!(relays("back-1") != relays("back-2"));
    let (working, resting) = match relays("back-1") {
        true => (first, second),
        false => (second, first),
    };
    drop(working);
    for number in 0..10 {
        admin.put(&format!("/later {number}.txt"), b"glowworms");
    }
    found(&elsewhere, "glowworms", 31);
    until("all messages to be done", FOUND_LIMIT_S, || {
        let queues = admin.call("firefly/admin/queue/status", &json!({}));
        let queues = queues["queues"].as_array()?.clone();
        queues
            .iter()
            .all(|queue| queue["messages"] == 0)
            .then_some(())
    });
    assert!(resting.counted("firefly_event_done_seconds_count") > 0);
    verified(&elsewhere);

    // A caller's id comes back, and stands in the log of whoever held the shard.
    let bearer = format!("Bearer {}", admin.token);
    let headers = [
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
        ("X-Request-Id", "seen-everywhere.7"),
    ];
    let answer = admin.http.request(
        "POST",
        "/2/firefly/search",
        &headers,
        br#"{"query":"glowworms"}"#,
    );
    assert_eq!(
        answer.unwrap().header("x-request-id"),
        Some("seen-everywhere.7")
    );
    until("the id in a log", FOUND_LIMIT_S, || {
        let names = ["back-1", "back-2"];
        let words = "request{id=\"seen-everywhere.7\"}";
        names
            .iter()
            .any(|name| cluster.said(name, words) > 0)
            .then_some(())
    });
}
