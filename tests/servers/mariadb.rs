//! A MariaDB of one's own, started by `tests/engine` with its data in a temporary folder, ended when dropped. The storage
//! crate's tests take this file too, so it stands on nothing of the tests beside it.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A database server that does not answer by then has failed.
const START_LIMIT: Duration = Duration::from_secs(120);
/// Ports that servers of tests are given.
const PORTS: u16 = 12_000;
/// The password of the account that Firefly uses.
pub const PASSWORD: &str = "not for your eyes";

/// The server.
pub struct MariaDb {
    folder: tempfile::TempDir,
    port: u16,
    arguments: String,
    child: Option<Child>,
    made: AtomicU64,
}

impl MariaDb {
    /// Starts one with an account `firefly`.
    pub fn start() -> MariaDb {
        Self::start_with("")
    }

    /// The same, with more arguments.
    pub fn start_with(arguments: &str) -> MariaDb {
        let mut server = MariaDb {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            arguments: arguments.to_owned(),
            child: None,
            made: AtomicU64::new(0),
        };
        server.start_again();
        server.sql(&format!(
            "CREATE USER firefly@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON `firefly%`.* TO firefly@'%'"
        ));
        server
    }

    /// Starts it on the same data and port, and waits until it answers.
    pub fn start_again(&mut self) {
        let log = self.folder.path().join("engine.log");
        let log = std::fs::File::options().create(true).append(true).open(log);
        let log = log.unwrap();
        let child = Command::new(engine())
            .arg("mariadb")
            .arg(self.folder.path())
            .arg(self.port.to_string())
            .env("MARIADB_EXTRA", &self.arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let until = Instant::now() + START_LIMIT;
        loop {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            if self.client("SELECT 1").output().unwrap().status.success() {
                return;
            }
            if ended.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(self.folder.path().join("engine.log"));
                panic!("MariaDB did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a power cut would, as far as a process can tell.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = format!("-{}", child.id());
            // One that has ended by itself is no group any more.
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .stderr(Stdio::null())
                .status()
                .unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends all its processes a signal: STOP, CONT.
    pub fn signal(&self, name: &str) {
        let group = format!("-{}", self.child.as_ref().unwrap().id());
        let sent = Command::new("kill")
            .args(["-s", name, "--", &group])
            .status();
        assert!(sent.unwrap().success());
    }

    /// The address of a new, empty database.
    pub fn new_database(&self) -> String {
        let name = format!("firefly{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name}"));
        format!("mysql://firefly@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs statements as the server's administrator; returns what they print.
    pub fn sql(&self, statements: &str) -> String {
        let done = self.client(statements).output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{statements}: {said}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// Ends a connection, if it is there still.
    pub fn kill_connection(&self, id: &str) {
        self.client(&format!("KILL CONNECTION {id}"))
            .output()
            .unwrap();
    }

    /// A file with the password, for the setting that names one.
    pub fn password_file(&self) -> PathBuf {
        let path = self.folder.path().join("password");
        if !path.exists() {
            std::fs::write(&path, format!("{PASSWORD}\n")).unwrap(); // once: others may be reading it
        }
        path
    }

    fn client(&self, statements: &str) -> Command {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "-uroot", "-N", "-B", "-e", statements])
            .arg("--socket")
            .arg(self.folder.path().join("socket"));
        client
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The script that starts servers: in this package, or beside the one that takes this file.
pub fn engine() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let both = [here.join("tests/engine"), here.join("../tests/engine")];
    both.into_iter().find(|path| path.exists()).unwrap()
}

/// A port of 127.0.0.1 on which nobody listens, for a server that may be started again: below those that the system lends to
/// connections, one of which could have it meanwhile.
pub fn free_port() -> u16 {
    static TURN: AtomicU16 = AtomicU16::new(0);
    let lent = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
    let end: u16 = lent.split_whitespace().next().unwrap().parse().unwrap();
    let begin = end.checked_sub(PORTS).expect("room below the lent ports");
    let own = std::process::id() as u16; // tests of another package at the same time begin elsewhere
    loop {
        let turn = own
            .wrapping_mul(61)
            .wrapping_add(TURN.fetch_add(1, Ordering::Relaxed));
        let port = begin + turn % PORTS;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
