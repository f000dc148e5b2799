//! The page in a real Chromium: each script of `tests/clients/browser` clicks and types at a server of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::clients::{node_modules, run, script};
use crate::program::Server;

/// What drives the browser, and what judges the page for people who see or move otherwise.
const DRIVERS: [&str; 2] = ["playwright-core@1.65.1", "axe-core@4.14.1"];
/// Names under which Debian and others install the browser.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];
/// One browser at a time: they wait for what is painted.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn people_search_and_read() {
    browse("search.mjs");
}

#[test]
fn people_keep_files_in_order() {
    browse("files.mjs");
}

#[test]
fn uploads_go_on_over_cuts_and_reloads() {
    browse("uploads.mjs");
}

#[test]
fn people_share_and_revoke() {
    browse("sharing.mjs");
}

#[test]
fn people_sign_in_and_set_things() {
    browse("account.mjs");
}

#[test]
fn people_come_and_go() {
    browse("people.mjs");
}

#[test]
fn administrators_import_folders_of_the_server() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_str().unwrap();
    browse_with("import.mjs", &["--import-roots", folder], |node| {
        node.env("IMPORT_ROOT", folder);
    });
}

#[test]
fn administrators_see_the_state_and_who_did_what() {
    browse("admin.mjs");
}

#[test]
fn nobody_needs_a_mouse() {
    browse("keyboard.mjs");
}

#[test]
fn what_is_kept_is_shown() {
    browse("previews.mjs");
}

#[test]
fn the_readme_shows_it_as_it_is() {
    browse("showcase.mjs");
}

#[test]
fn every_page_is_for_everybody_and_runs_nothing_hostile() {
    browse("craft.mjs");
}

/// Runs a script; with `SERVERS_PICTURES` set it makes the pictures of the README.
fn browse(name: &str) {
    browse_with(name, &[], |_| {});
}

/// The same against a server with more arguments; `more` is said to the script.
fn browse_with(name: &str, arguments: &[&str], more: impl FnOnce(&mut Command)) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (modules, mut server) = (node_modules("browser", &DRIVERS), Server::stopped(false));
    server.start_with(arguments);
    let greeting = server.greeting();
    let link = &greeting[greeting.find("http").unwrap()..];
    let mut command = Command::new("node");
    command
        .arg("--test")
        .arg(script(&format!("browser/{name}")))
        .env("SERVER_URL", server.url())
        .env("WELCOME_URL", link.trim())
        .env("EMAIL", "admin@localhost")
        .env("NODE_MODULES", modules)
        .env("BROWSER", browser());
    more(&mut command);
    if std::env::var_os("SERVERS_PICTURES").is_some() {
        let pictures = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
        std::fs::create_dir_all(&pictures).unwrap();
        command.env("PICTURES", pictures);
    }
    run(&mut command);
}

fn browser() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let candidates = BROWSERS
        .iter()
        .flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    let mut there = candidates.filter(|candidate| candidate.is_file());
    there
        .next()
        .expect("Chromium is needed: tests/install test brings it")
}
