//! Bytes used and allowed: a counter and a limit per account. Files count against the owner of their namespace.
//!
//! A deleted folder's bytes leave the counter in a second step, so that deleting takes one row: the deletion writes what is
//! owed, and [`Meta::settle`] adds up what lies below, which nobody can change any more, and pays.

use super::Meta;
use super::ids::{AccountId, FileId};
use super::keys::{self, Child, ChildKind};
use super::node::Node;
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, Transaction, prefix_end};
use crate::row;

/// What an account uses and may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of live files' heads in the namespaces it owns.
    pub used: u64,
    /// Bytes it may use; `None`: no limit.
    pub allocated: Option<u64>,
}

impl Meta {
    /// What `account` uses and may use.
    pub fn space_used(&self, account: AccountId) -> Result<Usage> {
        let used = self.store.counter(&counter(account))?.max(0) as u64;
        let allocated = limit(&*self.store.snapshot()?, account)?.map(|l| l.max(0) as u64);
        Ok(Usage { used, allocated })
    }

    /// Takes a deleted folder's bytes off its owner's counter, if they are owed still. Returns whether they were.
    pub(crate) fn settle(&self, folder: FileId) -> Result<bool> {
        let key = owed_key(folder);
        let rows = self.store.snapshot()?;
        let Some(owed) = rows.get(&key)? else {
            return Ok(false);
        };
        let bytes = subtree_bytes(&*rows, folder)?;
        let owner = AccountId(row::u64_at("owed bytes", &owed, 8)?);
        self.transact(|txn| {
            let still = txn.get(&key)?.as_ref() == Some(&owed);
            if still {
                charge(txn, owner, -bytes)?;
                txn.delete(key.clone());
                txn.put(paid_key(folder), bytes.to_be_bytes().to_vec().into());
            }
            Ok(still)
        })
    }

    /// Settles what a stop left owed: to be called at start. Returns how many folders were.
    pub fn settle_all(&self) -> Result<usize> {
        let owed = owed(&*self.store.snapshot()?)?;
        let mut settled = 0;
        for (folder, _) in owed {
            settled += usize::from(self.settle(folder)?);
        }
        Ok(settled)
    }
}

/// Third table of this keyspace: deleted folder -> stamp, owner; its bytes are in the owner's counter still.
const OWED: u8 = 2;
/// Fourth table: deleted folder -> the bytes that left its owner's counter.
const PAID: u8 = 3;

/// A size as the counters' type.
pub(crate) fn bytes(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Notes, in the deletion's transaction, that the folder's bytes must leave its owner's counter.
/// `stamp` tells this deletion from every other.
pub(crate) fn owe(txn: &mut dyn Transaction, folder: &Node, stamp: u64, owner: AccountId) {
    let value = [stamp.to_be_bytes(), owner.0.to_be_bytes()].concat();
    txn.put(owed_key(folder.id), value.into());
}

/// Counts a folder again that comes back from the trash, against the namespace's present owner.
pub(crate) fn recharge(txn: &mut dyn Transaction, folder: FileId, owner: AccountId) -> Result<()> {
    if let Some(owed) = txn.get(&owed_key(folder))? {
        let before = AccountId(row::u64_at("owed bytes", &owed, 8)?);
        txn.delete(owed_key(folder));
        if before != owner {
            let bytes = subtree_bytes(&*txn, folder)?;
            charge(txn, before, -bytes)?;
            charge(txn, owner, bytes)?;
        }
    } else if let Some(paid) = txn.get(&paid_key(folder))? {
        txn.delete(paid_key(folder));
        charge(txn, owner, row::u64_at("paid bytes", &paid, 0)? as i64)?;
    }
    Ok(())
}

/// Deleted folders whose bytes are in their owners' counters still.
pub(crate) fn owed(rows: &dyn Snapshot) -> Result<Vec<(FileId, AccountId)>> {
    keys::prefixed(rows, &[keyspace::USAGE, OWED])?
        .iter()
        .map(|(key, value)| {
            let folder = FileId(row::u64_at("owed bytes", key, 2)?);
            Ok((folder, AccountId(row::u64_at("owed bytes", value, 8)?)))
        })
        .collect()
}

/// The bytes that left the counter when a folder was deleted.
pub(crate) fn paid(rows: &dyn Snapshot, folder: FileId) -> Result<u64> {
    match rows.get(&paid_key(folder))? {
        Some(paid) => row::u64_at("paid bytes", &paid, 0),
        None => Ok(0),
    }
}

/// Forgets what was paid for a folder that is purged.
pub(crate) fn forget(txn: &mut dyn Transaction, folder: FileId) {
    txn.delete(paid_key(folder));
}

/// Bytes of the heads of all files that lie below a folder by its rows, Mounts left out.
pub(crate) fn subtree_bytes(rows: &dyn Snapshot, top: FileId) -> Result<i64> {
    let (mut folders, mut sum) = (vec![top], 0i64);
    while let Some(folder) = folders.pop() {
        let (prefix, mut files) = (keys::child(folder, ""), Vec::new());
        rows.scan(&prefix, &prefix_end(&prefix), &mut |_, value| {
            let child = Child::decode(value)?;
            match child.kind {
                ChildKind::Folder => folders.push(child.id),
                ChildKind::Mount => {}
                ChildKind::File => files.push(child.id),
            }
            Ok(true)
        })?;
        for file in files {
            let node = keys::get_node(rows, file)?;
            sum += node
                .as_ref()
                .and_then(Node::head)
                .map_or(0, |head| bytes(head.size));
        }
    }
    Ok(sum)
}

/// The account's limit in bytes.
pub fn limit(rows: &dyn Snapshot, account: AccountId) -> Result<Option<i64>> {
    rows.get(&limit_key(account))?
        .map(|value| row::u64_at("quota", &value, 0).map(|v| v as i64))
        .transpose()
}

/// Sets the account's limit; `None` takes it away.
pub fn set_limit(txn: &mut dyn Transaction, account: AccountId, bytes: Option<u64>) {
    match bytes {
        Some(bytes) => {
            txn.put(
                limit_key(account),
                bytes.min(i64::MAX as u64).to_be_bytes().to_vec().into(),
            );
        }
        None => txn.delete(limit_key(account)),
    }
}

/// Adds `delta` bytes to what the account uses; growing beyond the limit is refused at commit.
pub fn charge(txn: &mut dyn Transaction, account: AccountId, delta: i64) -> Result<()> {
    if delta == 0 {
        return Ok(());
    }
    let max = if delta > 0 {
        limit(&*txn, account)?
    } else {
        None
    };
    txn.add(&counter(account), delta, max);
    Ok(())
}

/// The counter of the bytes that an account uses: `USAGE 0 account`.
pub fn counter(account: AccountId) -> Vec<u8> {
    keys::key(keyspace::USAGE, &[&[0], &account.0.to_be_bytes()])
}

fn limit_key(account: AccountId) -> Vec<u8> {
    keys::key(keyspace::USAGE, &[&[1], &account.0.to_be_bytes()])
}

/// `USAGE 2 folder`.
fn owed_key(folder: FileId) -> Vec<u8> {
    keys::key(keyspace::USAGE, &[&[OWED], &folder.0.to_be_bytes()])
}

/// `USAGE 3 folder`.
fn paid_key(folder: FileId) -> Vec<u8> {
    keys::key(keyspace::USAGE, &[&[PAID], &folder.0.to_be_bytes()])
}
