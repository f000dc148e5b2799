//! The page in a real Chromium: `tests/clients/browser` clicks and types, from the one-time link on.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::{node_modules, run, script};
use crate::program::Server;

/// What drives the browser.
const DRIVER: [&str; 1] = ["playwright-core@1.65.1"];
/// Names under which Debian and others install the browser.
const BROWSERS: [&str; 4] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
];

#[test]
fn people_sign_in_upload_search_and_read() {
    let (modules, server) = (node_modules("browser", &DRIVER), Server::start(false));
    let greeting = server.greeting();
    let link = &greeting[greeting.find("http").unwrap()..];
    let mut command = Command::new("node");
    command
        .arg("--test")
        .arg(script("browser/page.mjs"))
        .env("SERVER_URL", server.url())
        .env("WELCOME_URL", link.trim())
        .env("EMAIL", "admin@localhost")
        .env("NODE_MODULES", modules)
        .env("BROWSER", browser());
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
