//! The program as a set of processes, each with a role of its own, on MariaDB behind memcached, RabbitMQ, and S3, HDFS or a folder that
//! all of them see. With `SERVERS_ROLES=apart` every [`Server`](crate::program::Server) is one.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::durability::unlike_any_other;
use crate::engine::Engine;
use crate::http::Http;
use crate::mariadb::free_port;
use crate::program::{Server, until, wait_for_line};
use crate::roles::verified;
use crate::user::User;
use rand::SeedableRng;
use rand::rngs::StdRng;

/// The processes behind the web.
const BACK: [&str; 4] = ["shard", "extract", "relay", "upkeep"];
/// Shards of a server, as it is by itself.
const SHARDS: usize = 8;
/// How long shards may take to be held: leases of processes that were killed run out first, seconds.
const HELD_LIMIT_S: u64 = 60;
/// A process that is asked to end and runs on longer has failed, seconds.
const STOP_LIMIT_S: u64 = 30;
/// Lines of each log that a failed test shows.
const LOG_LINES: usize = 15;

/// The processes behind the web, and what all of them share.
pub struct Set {
    folder: PathBuf,
    blocks: String,
    broker: Engine,
    calls: u16,
    running: BTreeMap<&'static str, Child>,
}

impl Set {
    /// True when the environment has every server be a set.
    pub fn is_asked_for() -> bool {
        match std::env::var("SERVERS_ROLES").as_deref() {
            Err(_) => false,
            Ok("apart") => true,
            Ok(other) => panic!("SERVERS_ROLES is {other}"),
        }
    }

    /// A set whose files are in `folder`, and whose blocks are there too or in another place.
    pub fn new(folder: &Path, blocks: Option<String>) -> Set {
        let key = folder.join("cluster.key");
        std::fs::write(&key, "glow".repeat(12)).unwrap();
        std::fs::set_permissions(key, PermissionsExt::from_mode(0o600)).unwrap();
        Set {
            folder: folder.to_owned(),
            blocks: blocks.unwrap_or_else(|| folder.join("blocks").display().to_string()),
            broker: Engine::start("rabbitmq"),
            calls: free_port(),
            running: BTreeMap::new(),
        }
    }

    /// What every process and command of the set is told.
    pub fn settle(&self, command: &mut Command) {
        let snapshots = format!("file://{}/snapshots", self.folder.display());
        command
            .env("FIREFLY_CLUSTER_KEY", self.folder.join("cluster.key"))
            .env("FIREFLY_TARGETS", &self.blocks)
            .env("FIREFLY_INDEX_SNAPSHOTS", snapshots)
            .env(
                "FIREFLY_BROKER",
                format!("amqp://127.0.0.1:{}/%2f", self.broker.port()),
            );
    }

    /// Starts what does not run, with the keys of the web's data folder, and waits until all shards are held.
    pub fn start(&mut self, keys: &Path, program: impl Fn(&Path) -> Command) {
        let missing = BACK.iter().filter(|role| !self.running.contains_key(*role));
        let started: Vec<_> = missing
            .map(|role| (*role, self.spawn(role, keys, &program)))
            .collect();
        // All of them are known, and so ended with the set, before one is waited for that may not start.
        let mut outputs = Vec::new();
        for (role, mut child) in started {
            outputs.extend(child.stdout.take());
            self.running.insert(role, child);
        }
        for output in outputs {
            wait_for_line(output, "of the cluster at");
        }
        until("all shards are held", HELD_LIMIT_S, || {
            (self.held() == SHARDS).then_some(())
        });
    }

    fn spawn(&self, role: &str, keys: &Path, program: impl Fn(&Path) -> Command) -> Child {
        let data = self.folder.join(role);
        std::fs::create_dir_all(data.join("keys")).unwrap();
        std::fs::copy(keys, data.join("keys/kek.json")).unwrap();
        let mut log = File::options();
        let log = log.create(true).append(true).open(self.log(role)).unwrap();
        let mut command = program(&data);
        self.settle(&mut command);
        command.args(["serve", "--role", role]);
        if role == "shard" {
            let calls = format!("127.0.0.1:{}", self.calls);
            command.args(["--cluster-listen", &calls]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn();
        child.unwrap()
    }

    /// Shards that are answered for.
    fn held(&self) -> usize {
        let http = Http::new(&format!("127.0.0.1:{}", self.calls));
        let answer = http.request("GET", "/healthz", &[], b"").ok();
        let health = answer.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
        health.map_or(0, |health| health["shards"].as_array().map_or(0, Vec::len))
    }

    /// Kills some of them at once.
    pub fn kill9(&mut self, wanted: impl Fn(&str) -> bool) {
        let killed = self.running.extract_if(.., |role, _| wanted(role));
        let mut killed: Vec<Child> = killed.map(|(_, child)| child).collect();
        killed.iter_mut().for_each(|child| child.kill().unwrap());
        killed
            .iter_mut()
            .for_each(|child| assert!(!child.wait().unwrap().success()));
    }

    /// Asks all to end; they must, in order.
    pub fn stop(&mut self) {
        let running = std::mem::take(&mut self.running);
        for child in running.values() {
            let asked = Command::new("kill").arg(child.id().to_string()).status();
            assert!(asked.unwrap().success());
        }
        for (role, mut child) in running {
            let ended = until(&format!("{role} to end"), STOP_LIMIT_S, || {
                child.try_wait().unwrap()
            });
            assert!(ended.success(), "{role}: {ended}");
        }
    }

    fn log(&self, role: &str) -> PathBuf {
        self.folder.join(format!("{role}.log"))
    }
}

impl Drop for Set {
    fn drop(&mut self) {
        self.kill9(|_| true);
        if std::thread::panicking() {
            for role in BACK {
                let log = std::fs::read_to_string(self.log(role)).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
                eprintln!("the log of {role} ends:\n{}", last.join("\n"));
            }
        }
    }
}

/// Clients that write at once.
const WRITERS: u64 = 3;
/// Files that are stored before and after each kill.
const BETWEEN: usize = 15;
/// How long a client tries again.
const PATIENCE: Duration = Duration::from_secs(90);

/// Files that are acknowledged: path -> content, which is a word.
type Stored = Mutex<BTreeMap<String, String>>;

/// Stores until told to stop, each file until it is acknowledged.
fn write(user: &User, writer: u64, stored: &Stored, count: &AtomicUsize, stop: &AtomicBool) {
    let mut random = StdRng::seed_from_u64(writer);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (path, word) = (
            format!("/{writer}/{number}.txt"),
            unlike_any_other(&mut random),
        );
        let by = Instant::now() + PATIENCE;
        while !matches!(user.upload(&path, word.as_bytes()), Ok(answer) if answer.status == 200) {
            assert!(Instant::now() < by, "{path} is not stored");
            std::thread::sleep(Duration::from_millis(100));
        }
        stored.lock().unwrap().insert(path, word);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn each_role_is_killed_in_turn_and_all_at_once_and_nothing_is_lost() {
    let mut server = Server::start_apart();
    let user = server.user("writer");
    let (stored, count, stop) = (
        Stored::default(),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (user, stored, count, stop) = (&user, &stored, &count, &stop);
            scope.spawn(move || write(user, writer, stored, count, stop));
        }
        let _stopping = Stop(&stop);
        let more = |what: &str| {
            let before = count.load(Ordering::Relaxed);
            until(what, PATIENCE.as_secs(), || {
                (count.load(Ordering::Relaxed) >= before + BETWEEN).then_some(())
            });
        };
        for role in BACK {
            more("files are stored");
            server.kill9_role(role);
            more(&format!("files are stored without {role}"));
            server.start_again();
        }
        more("files are stored");
        server.kill9_role("web");
        server.start_again();
        more("files are stored after the web was killed");
        server.kill9();
        server.start_again();
        more("files are stored after all were killed");
    });
    let stored = stored.into_inner().unwrap();
    eprintln!("{} files stored while processes were killed", stored.len());
    for (path, word) in &stored {
        assert_eq!(user.download(path).body, word.as_bytes(), "{path}");
        until(&format!("{word} of {path}"), HELD_LIMIT_S, || {
            (user.found(word) == [path.as_str()]).then_some(())
        });
    }
    verified(&server.admin());
    server.check();
    assert_eq!(server.stop(), 0);
    server.check();
}

/// Ends the writers, also when what happens fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
