//! Bytes used and allowed: a counter and a limit per account. Files count against the owner of their namespace.

use super::Meta;
use super::ids::AccountId;
use super::keys;
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, Transaction};
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
