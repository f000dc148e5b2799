//! Accounts, tokens, sharing and links against a store in memory.

mod accounts;
mod audit;
mod check;
mod groups;
mod invitations;
mod leaver;
mod links;
mod parting;
mod rows;
mod searches;
mod second_factor;
mod sharing;
mod sharing_model;
mod tokens;

use std::sync::Arc;

use crate::Error;
use crate::kv::memory::MemoryStore;
use crate::meta::env::ManualClock;
use crate::meta::{
    Account, Address, Entry, Env, FileId, Meta, NewFile, Options, PasswordCost, Place, Refusal,
    WriteMode,
};

/// Metadata in memory, with cheap passwords and a clock that stands still.
struct Bench {
    clock: Arc<ManualClock>,
    meta: Meta,
}

const NOW_MS: i64 = 1_800_000_000_000;

fn bench() -> Bench {
    let (env, clock) = Env::seeded(42, NOW_MS);
    let options = Options {
        password_cost: PasswordCost::CHEAP,
        ..Options::default()
    };
    let meta = Meta::open_without_blocks(Arc::<MemoryStore>::default(), env)
        .unwrap()
        .with_options(options);
    Bench { clock, meta }
}

impl Bench {
    fn account(&self, name: &str) -> Account {
        self.meta
            .create_account(&format!("{name}@example.com"), name, false)
            .unwrap()
    }
}

/// Why an operation was refused.
fn refusal<T: std::fmt::Debug>(outcome: crate::Result<T>) -> Refusal {
    match outcome {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Makes a folder, and those above it.
fn folder(bench: &Bench, account: &Account, path: &str) -> FileId {
    let at = Address::parse(path).unwrap();
    bench
        .meta
        .create_folder(account.actor(), &at, false)
        .unwrap()
        .node
        .id
}

/// Makes a file of `size` bytes that nobody stored.
fn file(bench: &Bench, account: &Account, path: &str, size: u64) -> FileId {
    let file = NewFile {
        blocks: Vec::new(),
        size,
        content_hash: [size as u8; 32],
        mode: WriteMode::Overwrite,
        autorename: false,
        strict_conflict: false,
        client_modified_ms: None,
    };
    let at = Address::parse(path).unwrap();
    bench
        .meta
        .commit_file(account.actor(), &at, &file)
        .unwrap()
        .node
        .id
}

/// Everything below the account's root.
fn everything(bench: &Bench, account: &Account) -> Vec<Place> {
    let view = bench.meta.view(account.id).unwrap();
    let root = view
        .resolve(account.root, &Address::Path(Vec::new()))
        .unwrap();
    let mut found = Vec::new();
    view.walk(&root, None, false, &mut |entry| {
        if let Entry::Live(place) = entry {
            found.push(place);
        }
        Ok(true)
    })
    .unwrap();
    found
}

/// The Mounts in the account's tree.
fn mounts(bench: &Bench, account: &Account) -> Vec<Place> {
    everything(bench, account)
        .into_iter()
        .filter(|place| place.shared_folder.is_some())
        .collect()
}
