//! The program under test: started on a free port with its data in a temporary folder, killed when dropped.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak, mpsc};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::apart::Set;
use crate::engine::Engine;
use crate::http::Http;
use crate::mariadb::{MariaDb, free_port};
use crate::targets;
use crate::user::User;

/// A server that does not answer by then has failed.
const START_LIMIT: Duration = Duration::from_secs(60);
/// A server that is asked to end and runs on longer has failed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Lines of the log that a failed test shows.
const LOG_LINES: usize = 30;

/// A server of one's own, or one that several tests share.
pub struct Server {
    folder: tempfile::TempDir,
    listen: String,
    tls: bool,
    child: Option<Child>,
    greeting: String,
    database: Option<Database>,
    targets: Option<Targets>,
    set: Option<Set>,
    data: &'static str,
}

/// Where metadata lies when `SERVERS_METADATA` is `mariadb`: a database of the server's own, behind memcached. When it is `two`,
/// a second server takes rows off it.
struct Database {
    server: Arc<MariaDb>,
    url: String,
    second: Option<Second>,
    cache: Arc<Engine>,
}

/// Another MariaDB, and its database until the store knows of it.
struct Second {
    server: Arc<MariaDb>,
    is_added: bool,
}

/// Slots that lie on a second server: neighbours of the first account's, which stays on the primary.
const SECOND_SLOTS: &str = "3-40";

/// Where blocks lie when `SERVERS_TARGETS` is `s3` or `hdfs`: a place of the server's own there.
struct Targets {
    _engine: Arc<Engine>,
    url: String,
}

impl Server {
    /// Starts a server on new data.
    pub fn start(tls: bool) -> Server {
        let mut server = Server::stopped(tls);
        server.start_again();
        server
    }

    /// A server on new data that was not started yet.
    pub fn stopped(tls: bool) -> Server {
        let server = Self::new(database(), targets(), tls);
        match Set::is_asked_for() {
            true => server.apart(),
            false => server,
        }
    }

    /// Starts a server as a set of processes with roles of their own, whatever the environment asks for.
    pub fn start_apart() -> Server {
        let mut server = Self::new(None, targets(), false).apart();
        server.start_again();
        server
    }

    fn apart(mut self) -> Server {
        self.database.get_or_insert_with(new_database);
        let blocks = self.targets.as_ref().map(|targets| targets.url.clone());
        self.set = Some(Set::new(self.folder.path(), blocks));
        self
    }

    /// Starts a server on new data, with its metadata in the data folder whatever the environment asks for.
    pub fn start_embedded() -> Server {
        let mut server = Self::stopped_embedded();
        server.start_again();
        server
    }

    /// The same, not started yet.
    pub fn stopped_embedded() -> Server {
        Self::new(None, None, false)
    }

    /// A server on new data that was not started yet, with its metadata in a database of its own.
    pub fn stopped_on_database() -> Server {
        Self::new(Some(new_database()), targets(), false)
    }

    /// The same, started.
    pub fn start_on_database() -> Server {
        let mut server = Self::stopped_on_database();
        server.start_again();
        server
    }

    /// From now on the program works on a new, empty database, if it works on one.
    pub fn use_new_database(&mut self) {
        if let Some(database) = &mut self.database {
            database.url = database.server.new_database();
            database
                .second
                .iter_mut()
                .for_each(|second| second.is_added = false);
        }
    }

    fn new(database: Option<Database>, targets: Option<Targets>, tls: bool) -> Server {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        Server {
            folder,
            listen: format!("127.0.0.1:{}", free_port()),
            tls,
            child: None,
            greeting: String::new(),
            database,
            targets,
            set: None,
            data: "data",
        }
    }

    /// A server that lives as long as a test uses it, for tests that make accounts of their own and leave it as it is.
    pub fn shared(tls: bool) -> Arc<Server> {
        static SHARED: Mutex<[Weak<Server>; 2]> = Mutex::new([Weak::new(), Weak::new()]);
        let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
        let slot = &mut shared[usize::from(tls)];
        slot.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Server::start(tls));
            *slot = Arc::downgrade(&server);
            server
        })
    }

    /// Starts the program on the same data and address, and waits until it says that it serves.
    pub fn start_again(&mut self) {
        self.start_with(&[]);
    }

    /// The same, with more arguments.
    pub fn start_with(&mut self, arguments: &[&str]) {
        let path = std::env::var("PATH").unwrap();
        self.start_with_path(&path, arguments);
    }

    /// The same, where the program finds other programs in `path` only.
    pub fn start_with_path(&mut self, path: &str, arguments: &[&str]) {
        self.add_second();
        if self.child.is_none() {
            self.start_front(path, arguments);
        }
        let Some(mut set) = self.set.take() else {
            return;
        };
        set.start(&self.data().join("keys/kek.json"), |data| {
            let mut command = self.program_on(data);
            command.env("PATH", path);
            command
        });
        self.set = Some(set);
    }

    /// Lets the store know of its second server before the program starts for the first time.
    fn add_second(&mut self) {
        let second = self
            .database
            .as_mut()
            .and_then(|database| database.second.as_mut());
        let Some(second) = second.filter(|second| !second.is_added) else {
            return;
        };
        second.is_added = true;
        let url = second.server.new_database();
        succeeds(self, &["database", "add", &url]);
        succeeds(
            self,
            &["database", "move", "--slots", SECOND_SLOTS, "--to", "1"],
        );
    }

    fn start_front(&mut self, path: &str, arguments: &[&str]) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut command = self.program();
        command.args(["serve", "--listen", &self.listen]);
        if self.tls {
            command.args(["--tls", "self"]);
        }
        if self.set.is_some() {
            command.args(["--role", "web"]);
        }
        let mut child = command
            .args(arguments)
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        self.child = Some(child);
        self.greeting = wait_for_line(output, "sign in");
    }

    /// What the server said about signing in.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// The folder around the data, for a test's own files.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join(self.data)
    }

    /// From now on the program works on another data folder beside the first.
    pub fn use_data(&mut self, name: &'static str) {
        self.data = name;
    }

    /// HOST:PORT.
    pub fn listen(&self) -> &str {
        &self.listen
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.listen)
    }

    /// The certificate to trust.
    pub fn ca(&self) -> PathBuf {
        self.data().join("tls/ca.pem")
    }

    pub fn http(&self) -> Http {
        Http::new(&self.listen)
    }

    pub fn admin_token(&self) -> String {
        let token = std::fs::read_to_string(self.data().join("admin.token")).unwrap();
        token.trim().to_owned()
    }

    pub fn admin(&self) -> User {
        User::new(self.http(), &self.admin_token())
    }

    /// A new account.
    pub fn user(&self, name: &str) -> User {
        let email = format!("{name}@example.org");
        let made = self
            .admin()
            .call("firefly/account/create", &json!({ "email": email }));
        User {
            email,
            ..User::new(self.http(), made["token"].as_str().unwrap())
        }
    }

    /// Runs another command of the program on this server's data.
    pub fn command(&self, arguments: &[&str]) -> Output {
        self.program().args(arguments).output().unwrap()
    }

    /// The program on this server's data, without variables of ours from the environment.
    pub fn program(&self) -> Command {
        self.program_on(&self.data())
    }

    fn program_on(&self, data: &Path) -> Command {
        let mut command = program();
        command
            .arg("--data")
            .arg(data)
            .env("TMPDIR", self.folder.path().join("tmp"))
            .current_dir(self.folder.path());
        if let Some(database) = &self.database {
            let password = database.server.password_file();
            let cache = format!("memcache://127.0.0.1:{}", database.cache.port());
            command
                .env("FIREFLY_METADATA", &database.url)
                .env("FIREFLY_METADATA_PASSWORD_FILE", password)
                .env("FIREFLY_CACHE_URL", cache);
        }
        if let Some(targets) = &self.targets {
            command.env("FIREFLY_TARGETS", &targets.url);
        }
        if let Some(set) = &self.set {
            set.settle(&mut command);
        }
        command
    }

    /// The processes that the server started: those that extract text.
    pub fn workers(&self) -> Vec<u32> {
        let parent = self.child.as_ref().unwrap().id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers
            .filter(|number: &u32| {
                let stat = std::fs::read_to_string(format!("/proc/{number}/stat"));
                // After the name in parentheses: state, parent.
                let stat = stat.unwrap_or_default();
                let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
                rest.split_whitespace().nth(1) == Some(parent.as_str())
            })
            .collect()
    }

    /// Kills all that run.
    pub fn kill9(&mut self) {
        if let Some(set) = &mut self.set {
            set.kill9(|_| true);
        }
        self.kill9_role("web");
    }

    /// Kills the process of a set with this role; what does not run apart is `web`.
    pub fn kill9_role(&mut self, role: &str) {
        if role != "web" {
            self.set.as_mut().unwrap().kill9(|own| own == role);
            return;
        }
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the program to end; returns its exit status.
    pub fn stop(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        let asked = Command::new("kill").arg(child.id().to_string()).status();
        assert!(asked.unwrap().success());
        if let Some(set) = &mut self.set {
            set.stop();
        }
        let until = Instant::now() + STOP_LIMIT;
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            if Instant::now() > until {
                child.kill().unwrap();
                panic!("the program did not end within {STOP_LIMIT:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `firefly check` must find nothing broken.
    pub fn check(&self) {
        let checked = self.command(&["check"]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        let complained = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(checked.status.success(), "check: {said}{complained}");
        assert!(said.contains("all is well"), "check: {said}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("the server's log ends:\n{}", last.join("\n"));
        }
    }
}

/// The program (that of this build, or `SERVERS_PROGRAM`), without variables of ours from the environment.
pub fn program() -> Command {
    let given = std::env::var_os("SERVERS_PROGRAM");
    let mut command = Command::new(given.unwrap_or_else(|| env!("CARGO_BIN_EXE_firefly").into()));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FIREFLY_") {
            command.env_remove(name);
        }
    }
    command
}

/// A new database when the environment asks for one.
fn database() -> Option<Database> {
    let kind = std::env::var("SERVERS_METADATA").ok()?;
    let mut database = new_database();
    match kind.as_str() {
        "mariadb" => {}
        "two" => {
            static SECOND: Shared<MariaDb> = Mutex::new(Weak::new());
            let server = shared(&SECOND, MariaDb::start);
            database.second = Some(Second {
                server,
                is_added: false,
            });
        }
        other => panic!("SERVERS_METADATA is {other}"),
    }
    Some(database)
}

/// A new database on a MariaDB, and behind a memcached, that all tests share.
fn new_database() -> Database {
    static SERVER: Shared<MariaDb> = Mutex::new(Weak::new());
    static CACHE: Shared<Engine> = Mutex::new(Weak::new());
    let server = shared(&SERVER, MariaDb::start);
    let cache = shared(&CACHE, || Engine::start("memcached"));
    let url = server.new_database();
    Database {
        server,
        url,
        second: None,
        cache,
    }
}

type Shared<T> = Mutex<Weak<T>>;

/// What lives as long as somebody uses it.
fn shared<T>(slot: &Shared<T>, start: impl FnOnce() -> T) -> Arc<T> {
    let mut slot = slot.lock().unwrap_or_else(|e| e.into_inner());
    slot.upgrade().unwrap_or_else(|| {
        let started = Arc::new(start());
        *slot = Arc::downgrade(&started);
        started
    })
}

/// What a command has printed.
pub fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Runs a command that must succeed; what it printed.
pub fn succeeds(server: &Server, arguments: &[&str]) -> String {
    let output = server.command(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

/// A new place for blocks when the environment asks for one, on a server that all tests share.
fn targets() -> Option<Targets> {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    let kind = match std::env::var("SERVERS_TARGETS").ok()?.as_str() {
        "s3" => "s3",
        "hdfs" => "hdfs",
        other => panic!("SERVERS_TARGETS is {other}"),
    };
    let engine = targets::shared(kind);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let url = targets::url(&engine, &format!("server-{number}"));
    Some(Targets {
        _engine: engine,
        url,
    })
}

/// Asks until there is an answer; fails after `seconds`, saying what was waited for.
pub fn until<T>(what: &str, seconds: u64, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Reads `output` until a line contains `wanted` and returns it; the rest is read on, so that the program never blocks.
pub fn wait_for_line(output: impl std::io::Read + Send + 'static, wanted: &'static str) -> String {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _nobody_listens_after_the_start = sender.send(line);
        }
    });
    let until = Instant::now() + START_LIMIT;
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if line.contains(wanted) {
            return line;
        }
    }
    panic!("the program did not start within {START_LIMIT:?}");
}
