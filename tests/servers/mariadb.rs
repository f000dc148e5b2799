//! A MariaDB of one's own: data in a temporary folder, a free port of the loopback, killed when dropped.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A database server that does not answer by then has failed.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The password of the account that Firefly uses.
pub const PASSWORD: &str = "not for your eyes";

/// The server.
pub struct MariaDb {
    folder: tempfile::TempDir,
    port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
    made: AtomicU64,
}

impl MariaDb {
    /// Starts one with an account `firefly`.
    pub fn start() -> MariaDb {
        Self::start_with(&[])
    }

    /// The same, with more arguments.
    pub fn start_with(arguments: &[&str]) -> MariaDb {
        let folder = tempfile::tempdir().unwrap();
        let made = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!(
                "--datadir={}",
                folder.path().join("data").display()
            ))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .args(["--innodb-log-file-size=8M", "--user=root"])
            .output()
            .expect("mariadb-install-db: tests/install test brings it");
        assert!(made.status.success(), "{made:?}");
        let mut server = MariaDb {
            folder,
            port: free_port(),
            arguments: arguments.iter().map(ToString::to_string).collect(),
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
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let child = Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", path("data")))
            .arg(format!("--socket={}", path("socket")))
            .arg(format!("--pid-file={}", path("pid")))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--user=root",
                "--skip-name-resolve",
            ])
            .args(["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M"])
            .args(["--performance-schema=OFF", "--max-connections=400"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd: tests/install test brings it");
        self.child = Some(child);
        let until = Instant::now() + START_LIMIT;
        while !self.client("SELECT 1").output().unwrap().status.success() {
            if Instant::now() > until {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                panic!("MariaDB did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a power cut would, as far as a process can tell.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
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
        self.client(&format!("KILL CONNECTION {id}")).output().unwrap();
    }

    /// A file with the password, for the setting that names one.
    pub fn password_file(&self) -> PathBuf {
        let path = self.folder.path().join("password");
        std::fs::write(&path, format!("{PASSWORD}\n")).unwrap();
        path
    }

    /// The folder around the data, for a test's own files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn client(&self, statements: &str) -> Command {
        let mut client = Command::new("mariadb");
        client
            .args(["--no-defaults", "-uroot", "-N", "-B", "-e", statements])
            .arg(format!(
                "--socket={}",
                self.folder.path().join("socket").display()
            ));
        client
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
