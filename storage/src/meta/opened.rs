//! What an account looked at last: searches put it a little higher.
//!
//! Row: `OPENED account` -> [`Opened`], newest first, each file once.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, FileId};
use super::{Meta, keys};
use crate::error::Result;
use crate::keyspace::OPENED;
use crate::kv::Transaction;

/// Most files remembered of an account; the oldest goes first.
pub const MAX_OPENED: usize = 100;

/// A file that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The file.
    pub file: FileId,
    /// When that was last, milliseconds since 1970.
    pub at_ms: i64,
}

impl Meta {
    /// What the account looked at last, newest first. It may not be there, or not be the account's to see, any more.
    pub fn opened(&self, account: AccountId) -> Result<Vec<Opened>> {
        let row = keys::read(&*self.store().snapshot()?, &key(account), "opened files")?;
        Ok(row.unwrap_or_default())
    }

    /// Notes what an account looked at, in the order in which it did.
    pub fn note_opened(&self, account: AccountId, files: &[Opened]) -> Result<()> {
        self.transact(|txn| {
            let row = keys::read(txn, &key(account), "opened files")?;
            let mut kept: Vec<Opened> = row.unwrap_or_default();
            for opened in files {
                kept.retain(|known| known.file != opened.file);
                kept.insert(0, *opened);
            }
            kept.truncate(MAX_OPENED);
            keys::write(txn, key(account), &kept)
        })
    }
}

/// Forgets what an account looked at.
pub(super) fn forget(txn: &mut dyn Transaction, account: AccountId) {
    txn.delete(key(account));
}

fn key(account: AccountId) -> Vec<u8> {
    keys::key(OPENED, &[&account.0.to_be_bytes()])
}
