//! Builds the page in `ui/` with npm, or takes one that was built before, and tells the crate where it is.
//!
//! The sources are copied into `OUT_DIR` and built there: the source tree stays as it is, and may be read-only.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the page is made from; everything else in `ui/` (`node_modules`, `dist`) is a product.
const SOURCES: [&str; 8] = [
    "src",
    "index.html",
    "package.json",
    "package-lock.json",
    ".npmrc",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];

fn main() -> Outcome<()> {
    println!("cargo:rerun-if-env-changed=FIREFLY_UI_DIST");
    println!("cargo:rerun-if-changed=build.rs");
    let page = match env::var_os("FIREFLY_UI_DIST") {
        Some(built) => given(Path::new(&built))?,
        None => build()?,
    };
    println!("cargo:rustc-env=FIREFLY_UI={}", page.display());
    Ok(())
}

/// The folder named by `FIREFLY_UI_DIST`, checked.
fn given(built: &Path) -> Outcome<PathBuf> {
    println!("cargo:rerun-if-changed={}", built.display());
    if !built.is_absolute() || !built.join("index.html").is_file() {
        let named = built.display();
        return Err(format!(
            "FIREFLY_UI_DIST={named} must be an absolute path of a folder with an index.html"
        )
        .into());
    }
    Ok(built.to_path_buf())
}

/// Builds the page in `OUT_DIR`; returns the folder of the result.
fn build() -> Outcome<PathBuf> {
    let sources = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("ui");
    let work = PathBuf::from(env::var("OUT_DIR")?).join("ui");
    fs::create_dir_all(&work)?;
    for name in SOURCES {
        println!("cargo:rerun-if-changed={}", sources.join(name).display());
        replace(&sources.join(name), &work.join(name))?;
    }
    install(&work)?;
    npm(&work, &["run", "build"])?;
    Ok(work.join("dist"))
}

/// `npm ci`, unless the modules there are already those of the lock file.
fn install(work: &Path) -> Outcome<()> {
    let lock = fs::read(work.join("package-lock.json"))?;
    let installed = work.join("node_modules/.installed-lock");
    if fs::read(&installed).is_ok_and(|before| before == lock) {
        return Ok(());
    }
    npm(work, &["ci", "--no-audit", "--no-fund"])?;
    fs::write(installed, lock)?;
    Ok(())
}

/// Runs npm in `folder`; its output is shown when it fails.
fn npm(folder: &Path, arguments: &[&str]) -> Outcome<()> {
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let ran = match Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
    {
        Ok(ran) => ran,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(MISSING.into()),
        Err(error) => return Err(error.into()),
    };
    if ran.status.success() {
        return Ok(());
    }
    let (out, err) = (
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr),
    );
    let what = arguments.join(" ");
    Err(format!("`npm {what}` failed ({})\n{out}\n{err}", ran.status).into())
}

/// Said when there is no npm.
const MISSING: &str = "npm was not found, and Firefly's page is built with it. \
    Install Node.js 20.19 or newer (https://nodejs.org, or `make run`, which tries Debian's packages), \
    or set FIREFLY_UI_DIST to a folder with the page already built.";

/// Makes `to` an exact copy of the file or folder `from`.
fn replace(from: &Path, to: &Path) -> Outcome<()> {
    if from.is_file() {
        fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
        return Ok(());
    }
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        replace(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
