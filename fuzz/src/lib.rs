//! Every parser and decoder of bytes that somebody else has written, each behind one function that takes any bytes and must come
//! back: without a panic, in bounded time and memory. What a call answers is not looked at.
//!
//! `fuzz/run` searches for inputs; the test `seeds` replays those that are kept in `fuzz/seeds`, among them each that has ever
//! broken something.

mod base;
mod calls;
mod headers;
mod rows;

use indexer::extract::{Limits, extract};
use storage::key::Keyring;
use storage::meta::{Address, path};
use time::OffsetDateTime;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// The targets by name, which is also their folder in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 21] = [
    ("formats", formats),
    ("query", query),
    ("cursors", rows::cursors),
    ("paths", paths),
    ("headers", headers::headers),
    ("rows", rows::rows),
    ("blocks", storage::fuzz::blocks),
    ("backup", storage::fuzz::backup),
    ("keys", keys),
    ("log", storage::fuzz::log),
    ("members", storage::fuzz::members),
    ("answers", indexer::extract::fuzz::answers),
    ("tables", indexer::extract::fuzz::tables),
    ("commits", indexer::extract::fuzz::commits),
    ("calls", calls::calls),
    ("served", storage::fuzz::served),
    ("cache", storage::fuzz::cache),
    ("messages", sync::fuzz::messages),
    ("patterns", sync::fuzz::patterns),
    ("pictures", web::fuzz::pictures),
    ("requests", web::fuzz::requests),
];

/// Names whose ending says how a file is read where its bytes leave that open; the input's first byte chooses.
const NAMES: [&str; 16] = [
    "a", "a.txt", "a.html", "a.eml", "a.csv", "a.md", "a.json", "a.xml", "a.rtf", "a.pdf",
    "a.mbox", "a.docx", "a.xls", "a.msg", "a.zip", "a.rs",
];

/// What a file may cost here: less than in the service, so that more are tried.
const LIMITS: Limits = Limits {
    memory_bytes: 1 << 30,
    time_ms: 3_000,
    text_bytes: 1 << 20,
    input_bytes: 1 << 20,
    unpacked_bytes: 8 << 20,
    members: 64,
    depth: 2,
};

/// A file that somebody has uploaded.
fn formats(bytes: &[u8]) {
    let Some((&name, file)) = bytes.split_first() else {
        return;
    };
    let found = extract(NAMES[usize::from(name) % NAMES.len()], file, &LIMITS);
    assert!(found.text.len() <= LIMITS.text_bytes + 4);
    let characters = found.text.chars().count();
    assert!(found.pages.iter().all(|&at| at as usize <= characters));
}

/// What somebody has typed into the search field.
fn query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    query::parse::parse(&text, OffsetDateTime::UNIX_EPOCH);
}

/// A path in a request.
fn paths(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let folded = path::fold(&text);
    assert_eq!(path::fold(&folded), folded, "folding twice");
    drop(Address::parse(&text));
}

/// A copy of the key ring.
fn keys(bytes: &[u8]) {
    drop(Keyring::from_copy(&String::from_utf8_lossy(bytes)));
}
