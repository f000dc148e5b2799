//! Real servers that Firefly stands on: started by `tests/engine` on a free port with their data in a temporary folder,
//! killed, stopped and started again on the same data, and ended with all their processes when dropped.

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::mariadb::free_port;
use crate::program::until;

/// A server that does not accept connections by then has failed, seconds.
const START_LIMIT_S: u64 = 120;
/// Lines of the log that a failed test shows.
const LOG_LINES: usize = 20;

/// One server.
pub struct Engine {
    kind: &'static str,
    port: u16,
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
    child: Option<Child>,
}

impl Engine {
    /// Starts a server of this kind (see `tests/engine`) on new data.
    pub fn start(kind: &'static str) -> Engine {
        Engine::start_with(kind, &[])
    }

    /// The same with variables that `tests/engine` knows.
    pub fn start_with(kind: &'static str, variables: &[(&'static str, String)]) -> Engine {
        let mut engine = Engine {
            kind,
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            variables: variables.to_vec(),
            child: None,
        };
        engine.start_again();
        engine
    }

    /// Starts it on the same data and port, and waits until it accepts connections.
    pub fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.unwrap();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine"));
        command
            .args([self.kind, &self.folder.path().display().to_string()])
            .arg(self.port.to_string())
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        let mut child = command.spawn().unwrap();
        until(self.kind, START_LIMIT_S, || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{} ended: {status}\n{}", self.kind, self.log_end());
            }
            if self.kind == "hdfs" && !self.folder().join("ready").exists() {
                return None;
            }
            let address = ([127, 0, 0, 1], self.port).into();
            TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()
        });
        self.child = Some(child);
    }

    /// What it is, see `tests/engine`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Its data.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all its processes at once, as a power cut does.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal("KILL", child.id());
            child.wait().unwrap();
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("engine.log")
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the log of {} ends:\n{}", self.kind, self.log_end());
        }
        self.kill9();
    }
}

/// Sends a signal to a process group.
fn signal(name: &str, group: u32) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), "--", &format!("-{group}")])
        .status();
    assert!(sent.unwrap().success(), "kill -{name} -{group}");
}
