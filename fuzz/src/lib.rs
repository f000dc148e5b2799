//! Every parser and decoder of bytes that somebody else has written, each behind one function that takes any bytes and must come
//! back: without a panic, in bounded time and memory. What a call answers is not looked at.
//!
//! `fuzz/run` searches for inputs; the test here replays those that are kept in `fuzz/seeds`, among them each that has ever
//! broken something.

mod headers;
mod rows;

use indexer::extract::{Limits, extract};
use storage::key::Keyring;
use storage::meta::{Address, path};
use time::OffsetDateTime;

/// Takes any bytes.
pub type Target = fn(&[u8]);

/// The targets by name, which is also their folder in `fuzz/seeds`.
pub const TARGETS: [(&str, Target); 9] = [
    ("formats", formats),
    ("query", query),
    ("cursors", rows::cursors),
    ("paths", paths),
    ("headers", headers::headers),
    ("rows", rows::rows),
    ("blocks", storage::fuzz::blocks),
    ("backup", storage::fuzz::backup),
    ("keys", keys),
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Cuts and changed bytes of each seed that are tried, too.
    const VARIANTS: usize = 40;

    #[test]
    fn every_seed_is_survived() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        for (name, target) in TARGETS {
            let mut seeds: Vec<_> = std::fs::read_dir(folder.join(name))
                .unwrap_or_else(|error| panic!("seeds of {name}: {error}"))
                .map(|entry| entry.unwrap().path())
                .collect();
            seeds.sort();
            assert!(!seeds.is_empty(), "{name}");
            let mut state = 1u64;
            let mut below = |end: usize| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                (state >> 33) as usize % end.max(1)
            };
            for seed in seeds {
                let bytes = std::fs::read(seed).unwrap();
                target(&bytes);
                for _ in 0..VARIANTS {
                    let mut other = bytes[..bytes.len() - below(bytes.len() / 4)].to_vec();
                    let at = below(other.len());
                    if let Some(byte) = other.get_mut(at) {
                        *byte ^= 1 << below(8);
                    }
                    target(&other);
                }
            }
            target(b"");
        }
    }
}
