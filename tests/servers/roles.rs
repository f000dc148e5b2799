//! Several processes of one Firefly, with roles of their own, on one database: what is brought in through one is found through another;
//! the shards of a process that dies or stands still are taken over, and everything is found again.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::http::Http;
use crate::mariadb::MariaDb;
use crate::program::{free_port, program, until};
use crate::user::User;

/// How long anything may take to be found, shards to be taken over and opened included, seconds.
const FOUND_LIMIT_S: u64 = 120;
/// Shards of the cluster.
const SHARDS: usize = 8;

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
    keys: Option<PathBuf>,
}

impl Cluster {
    pub fn new() -> Cluster {
        let (database, folder) = (MariaDb::start(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("cluster.key"), "glow".repeat(12)).unwrap();
        Cluster {
            url: database.new_database(),
            database,
            folder,
            keys: None,
        }
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
            .arg(self.folder.path().join("cluster.key"))
            .arg("--targets")
            .arg(self.folder.path().join("blocks"))
            .arg("--index-snapshots")
            .arg(format!("file://{}/snapshots", self.folder.path().display()))
            .arg("--metadata-password-file")
            .arg(self.database.password_file())
            .args(["--ocr-languages", "off", "--shards", &SHARDS.to_string()])
            .env("FIREFLY_LOG", "info")
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

    fn log(&self, name: &str) -> String {
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
    until("all shards to be held", FOUND_LIMIT_S, || {
        let held: Vec<usize> = holders
            .iter()
            .map(|process| process.shards().len())
            .collect();
        let is_even = held.iter().all(|count| *count == SHARDS / holders.len());
        (is_even && held.iter().sum::<usize>() == SHARDS).then_some(())
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
fn verified(user: &User) {
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
    let web = cluster.start("web", "web,shard");
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
}
