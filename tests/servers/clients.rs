//! Where the clients come from: pinned packages, installed once per target folder, and the scripts that use them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// Installations are made one at a time, by whoever comes first.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Python with the packages `pins` in a virtual environment.
pub fn python(name: &str, pins: &[&str]) -> PathBuf {
    let folder = cache(&format!("python-{name}"));
    once(&folder, pins, || {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        run(Command::new(folder.join("bin/pip"))
            .args(["-q", "--disable-pip-version-check", "install"])
            .args(pins));
    });
    folder.join("bin/python")
}

/// A `node_modules` folder with `packages`.
pub fn node_modules(name: &str, packages: &[&str]) -> PathBuf {
    let folder = cache(&format!("node-{name}"));
    once(&folder, packages, || {
        std::fs::create_dir_all(&folder).unwrap();
        run(Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--silent"])
            .args(["--no-save", "--prefix"])
            .arg(&folder)
            .args(packages));
    });
    folder.join("node_modules")
}

/// A script of `tests/clients`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name)
}

/// Runs a command that must succeed; its output is shown when it does not.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{out}\n{err}",
        output.status
    );
    out
}

fn cache(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `install` unless the folder holds exactly these packages already.
fn once(folder: &Path, pins: &[&str], install: impl FnOnce()) {
    let _guard = ONE_AT_A_TIME.lock().unwrap();
    let (stamp, wanted) = (folder.join("pins"), pins.join("\n"));
    if std::fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return;
    }
    install();
    std::fs::write(stamp, wanted).unwrap();
}
