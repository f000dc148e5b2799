//! The searches an account keeps: those it gave a name, and the last ones it ran.
//!
//! Row: `SEARCHES account` -> [`KeptSearches`]. What a search is, only the page knows: here it is a bounded text.

use serde::{Deserialize, Serialize};

use super::ids::AccountId;
use super::{Meta, Refusal, keys};
use crate::error::Result;
use crate::keyspace::SEARCHES;
use crate::kv::Transaction;

/// Most saved searches of an account.
pub const MAX_SAVED: usize = 100;
/// Most recent searches kept; the oldest goes first.
pub const MAX_RECENT: usize = 20;
/// Longest name of a saved search, characters; the rest is cut off.
pub const MAX_NAME_CHARS: usize = 100;
/// Longest search, bytes.
pub const MAX_SEARCH_BYTES: usize = 4096;

/// A search with a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSearch {
    /// Names it in this account.
    pub id: u64,
    /// Given by its owner.
    pub name: String,
    /// The search.
    pub search: String,
    /// When it was saved, milliseconds since 1970.
    pub saved_ms: i64,
}

/// A search that was run lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentSearch {
    /// The search.
    pub search: String,
    /// When it was run last, milliseconds since 1970.
    pub at_ms: i64,
}

/// All that an account keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSearches {
    /// Oldest first.
    pub saved: Vec<SavedSearch>,
    /// Newest first.
    pub recent: Vec<RecentSearch>,
}

impl Meta {
    /// What the account keeps.
    pub fn searches(&self, account: AccountId) -> Result<KeptSearches> {
        let row = keys::read(&*self.store().snapshot()?, &key(account), "searches")?;
        Ok(row.unwrap_or_default())
    }

    /// Keeps a search under a name; a second one of that name takes the first one's place. Refused as `TooManyFiles` over
    /// [`MAX_SAVED`], as `MalformedPath` when the name is empty or the search too long.
    pub fn save_search(
        &self,
        account: AccountId,
        name: &str,
        search: &str,
    ) -> Result<KeptSearches> {
        let name = name.trim().chars().filter(|c| !c.is_control());
        let name: String = name.take(MAX_NAME_CHARS).collect();
        check(search)?;
        if name.is_empty() {
            return Err(Refusal::MalformedPath("no name".into()).into());
        }
        let (id, saved_ms) = (self.random_id(), self.now_ms());
        self.change_searches(account, |kept| {
            kept.saved.retain(|saved| saved.name != name);
            if kept.saved.len() >= MAX_SAVED {
                return Err(Refusal::TooManyFiles.into());
            }
            kept.saved.push(SavedSearch {
                id,
                name: name.clone(),
                search: search.to_owned(),
                saved_ms,
            });
            Ok(())
        })
    }

    /// Forgets a saved search; nothing happens when there is none.
    pub fn forget_search(&self, account: AccountId, id: u64) -> Result<KeptSearches> {
        self.change_searches(account, |kept| {
            kept.saved.retain(|saved| saved.id != id);
            Ok(())
        })
    }

    /// Notes that a search was run. Refused as `MalformedPath` when it is too long.
    pub fn note_search(&self, account: AccountId, search: &str) -> Result<KeptSearches> {
        check(search)?;
        let at_ms = self.now_ms();
        self.change_searches(account, |kept| {
            kept.recent.retain(|recent| recent.search != search);
            let search = search.to_owned();
            kept.recent.insert(0, RecentSearch { search, at_ms });
            kept.recent.truncate(MAX_RECENT);
            Ok(())
        })
    }

    /// Forgets which searches were run, and which files were looked at.
    pub fn clear_recent_searches(&self, account: AccountId) -> Result<KeptSearches> {
        self.transact(|txn| {
            super::opened::forget(txn, account);
            Ok(())
        })?;
        self.change_searches(account, |kept| {
            kept.recent.clear();
            Ok(())
        })
    }

    fn change_searches(
        &self,
        account: AccountId,
        mut change: impl FnMut(&mut KeptSearches) -> Result<()>,
    ) -> Result<KeptSearches> {
        self.transact(|txn| {
            let row = keys::read(txn, &key(account), "searches")?;
            let mut kept: KeptSearches = row.unwrap_or_default();
            change(&mut kept)?;
            keys::write(txn, key(account), &kept)?;
            Ok(kept)
        })
    }
}

fn check(search: &str) -> Result<()> {
    match search.len() {
        1..=MAX_SEARCH_BYTES => Ok(()),
        _ => Err(Refusal::MalformedPath("a search is 1 to 4096 bytes long".into()).into()),
    }
}

/// Removes what a removed account kept.
pub(super) fn forget(txn: &mut dyn Transaction, account: AccountId) {
    txn.delete(key(account));
}

fn key(account: AccountId) -> Vec<u8> {
    keys::key(SEARCHES, &[&account.0.to_be_bytes()])
}
