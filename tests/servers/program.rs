//! The program under test: started on a free port with its data in a temporary folder, killed when dropped.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A server that does not answer by then has failed.
const START_LIMIT: Duration = Duration::from_secs(60);

pub struct Server {
    pub folder: tempfile::TempDir,
    pub listen: String,
    tls: bool,
    child: Option<Child>,
}

impl Server {
    pub fn start(tls: bool) -> Server {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server {
            folder,
            listen: format!("127.0.0.1:{port}"),
            tls,
            child: None,
        };
        server.start_again();
        server
    }

    /// Starts the program on the same data and address, and waits until it says that it serves.
    pub fn start_again(&mut self) {
        let mut command = program();
        command
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .args(["--listen", &self.listen]);
        if self.tls {
            command.args(["--tls", "self"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        self.child = Some(child);
        wait_for_line(output, "sign in");
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn url(&self) -> String {
        format!(
            "{}://{}",
            if self.tls { "https" } else { "http" },
            self.listen
        )
    }

    pub fn ca(&self) -> PathBuf {
        self.data().join("tls/ca.pem")
    }

    pub fn admin_token(&self) -> String {
        std::fs::read_to_string(self.data().join("admin.token"))
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Runs another command of the program on this server's data.
    pub fn command(&self, arguments: &[&str]) -> Output {
        program()
            .args(arguments)
            .arg("--data")
            .arg(self.data())
            .output()
            .unwrap()
    }

    /// Makes an account; returns its token.
    pub fn account(&self, email: &str) -> String {
        let made = self.command(&["account", "create", email]);
        let text = String::from_utf8(made.stdout).unwrap();
        assert!(
            made.status.success(),
            "{text} {}",
            String::from_utf8_lossy(&made.stderr)
        );
        text.lines().last().unwrap().trim().to_owned()
    }

    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Asks the program to end; returns its exit status.
    pub fn stop(&mut self) -> i32 {
        let mut child = self.child.take().unwrap();
        let killed = Command::new("kill")
            .arg(child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The program, without variables of ours from the environment.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firefly"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("FIREFLY_") {
            command.env_remove(name);
        }
    }
    command
}

/// Reads `output` until a line contains `wanted`; afterwards it is read on, so that the program never blocks on it.
fn wait_for_line(output: impl std::io::Read + Send + 'static, wanted: &'static str) {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _nobody_listens_after_the_start = sender.send(line);
        }
    });
    let until = Instant::now() + START_LIMIT;
    while let Ok(line) = lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if line.contains(wanted) {
            return;
        }
    }
    panic!("the program did not start within {START_LIMIT:?}");
}

/// Python with the packages `pins` in a virtual environment that is made once per target folder.
pub fn python(name: &str, pins: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let (python, stamp) = (folder.join("bin/python"), folder.join("pins"));
    let wanted = pins.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return python;
    }
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder));
    run(Command::new(folder.join("bin/pip"))
        .args(["-q", "--disable-pip-version-check", "install"])
        .args(pins));
    std::fs::write(stamp, wanted).unwrap();
    python
}

/// A folder with npm packages, installed once per target folder.
pub fn node_modules(name: &str, packages: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{name}"));
    let stamp = folder.join("pins");
    let wanted = packages.join("\n");
    if !std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        std::fs::create_dir_all(&folder).unwrap();
        run(Command::new("npm")
            .args([
                "install",
                "--no-audit",
                "--no-fund",
                "--silent",
                "--no-save",
                "--prefix",
            ])
            .arg(&folder)
            .args(packages));
        std::fs::write(stamp, wanted).unwrap();
    }
    folder.join("node_modules")
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// A file of the clients' scripts.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}
