//! The tree's rules one by one (`rules`), and random histories against a model (`history`, `model`, `replica`).

mod concurrency;
mod damage;
mod history;
mod later;
mod model;
mod replica;
mod rules;
mod trash;

use std::sync::Arc;

use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::kv::memory::MemoryStore;
use crate::meta::env::ManualClock;
use crate::meta::{
    Account, Actor, Address, Entry, Env, Meta, NewFile, Place, Refusal, Role, View, WriteMode,
};

/// 2026-01-01 in milliseconds.
pub(super) const START_MS: i64 = 1_767_225_600_000;

/// A store in memory with accounts.
pub(super) struct World {
    pub(super) meta: Meta,
    pub(super) clock: Arc<ManualClock>,
    pub(super) accounts: Vec<Account>,
}

impl World {
    pub(super) fn new(accounts: usize) -> World {
        let (env, clock) = Env::seeded(7, START_MS);
        let meta = Meta::open_without_blocks(Arc::new(MemoryStore::default()), env).unwrap();
        let accounts = (0..accounts)
            .map(|i| {
                meta.create_account(&format!("a{i}@example.com"), "", false)
                    .unwrap()
            })
            .collect();
        World {
            meta,
            clock,
            accounts,
        }
    }

    pub(super) fn actor(&self, account: usize) -> Actor {
        self.accounts[account].actor()
    }

    pub(super) fn view(&self, account: usize) -> View<'_> {
        self.meta.view(self.accounts[account].id).unwrap()
    }

    pub(super) fn put(&self, path: &str, content: u8) -> Result<Place> {
        self.meta
            .commit_file(self.actor(0), &at(path), &file(content, WriteMode::Add))
    }

    pub(super) fn get(&self, path: &str) -> Result<Place> {
        self.view(0).resolve(self.actor(0).root, &at(path))
    }

    pub(super) fn list(&self, path: &str, include_deleted: bool) -> Vec<String> {
        let of = self.get(path).unwrap();
        let entries = self
            .view(0)
            .children(&of, None, 100, include_deleted)
            .unwrap();
        entries.iter().map(line).collect()
    }

    /// Everything below the account's root, with deleted names in brackets.
    pub(super) fn all(&self, account: usize) -> Vec<String> {
        let (view, mut lines) = (self.view(account), Vec::new());
        let top = view.resolve(self.actor(account).root, &at("")).unwrap();
        let end = view.walk(&top, None, true, &mut |entry| {
            lines.push(line(&entry));
            Ok(true)
        });
        assert_eq!(end.unwrap(), None);
        lines
    }

    pub(super) fn used(&self, account: usize) -> u64 {
        self.meta
            .space_used(self.accounts[account].id)
            .unwrap()
            .used
    }

    /// Shares a folder of account 0 with account 1.
    pub(super) fn share(&self, path: &str, role: Role) -> crate::meta::NamespaceId {
        let ns = self
            .meta
            .share_folder(self.actor(0), &at(path), Default::default())
            .unwrap();
        self.meta
            .add_member(self.actor(0), ns, self.accounts[1].id, role, true)
            .unwrap();
        ns
    }

    pub(super) fn sound(&self) {
        assert_eq!(
            self.meta.check(10, &mut |_| ()).unwrap(),
            Vec::<String>::new()
        );
    }
}

pub(super) fn at(path: &str) -> Address {
    Address::parse(path).unwrap()
}

/// Content number `content`: ten bytes more each.
pub(super) fn file(content: u8, mode: WriteMode) -> NewFile {
    NewFile {
        blocks: vec![BlockHash([content; 32])],
        size: 10 * (u64::from(content) + 1),
        content_hash: [content; 32],
        mode,
        autorename: false,
        strict_conflict: false,
        client_modified_ms: None,
    }
}

pub(super) fn line(entry: &Entry) -> String {
    match entry {
        Entry::Live(place) if place.shared_folder.is_some() => {
            format!("{} (shared)", place.path_display)
        }
        Entry::Live(place) => place.path_display.clone(),
        Entry::Deleted(entry) => format!("[{}]", entry.path_display),
    }
}

pub(super) fn refused<T: std::fmt::Debug>(result: Result<T>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}
