//! Who needs a block: one row per owner, written in the owner's own transaction.

use super::BlockStore;
use super::row;
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::kv::{Snapshot, Transaction};
use crate::meta::{FileId, Rev};

/// Longest owner name in bytes.
const MAX_OWNER_BYTES: usize = 512;

/// Who refers to a block. The same owner counts once, however often it names the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner(Vec<u8>);

impl Owner {
    /// A version of a file.
    pub fn version(file: FileId, rev: Rev) -> Self {
        let mut name = vec![b'v'];
        name.extend_from_slice(&file.0.to_be_bytes());
        name.extend_from_slice(&rev.0.to_be_bytes());
        Owner(name)
    }

    /// An extraction record (its text), by its own key.
    pub fn extraction(key: &[u8]) -> Self {
        Self::named(b'x', key)
    }

    /// An unfinished upload, by its id.
    pub fn upload(id: &[u8]) -> Self {
        Self::named(b'u', id)
    }

    /// What stands behind the block's hash in the reference's key.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn named(kind: u8, name: &[u8]) -> Self {
        Owner([&[kind], name].concat())
    }
}

impl BlockStore {
    /// The files of which some version has the block, at most `limit`.
    pub fn files_of(&self, hash: &BlockHash, limit: usize) -> Result<Vec<FileId>> {
        let prefix = [row::reference_prefix(hash), vec![b'v']].concat();
        let end = crate::kv::prefix_end(&prefix);
        let rows = self
            .shared
            .store
            .snapshot()?
            .range(&prefix, &end, false, limit)?;
        let mut files: Vec<FileId> = rows
            .iter()
            .filter_map(|(key, _)| key[prefix.len()..].first_chunk())
            .map(|id| FileId(u64::from_be_bytes(*id)))
            .collect();
        files.dedup();
        Ok(files)
    }
}

/// Makes the transaction depend on the block being there: [`Error::BlockMissing`] when it is not, a conflict when it
/// goes before the commit (I1).
pub fn require(txn: &mut dyn Transaction, hash: &BlockHash) -> Result<()> {
    row::read(txn, hash)?
        .map(|_| ())
        .ok_or(Error::BlockMissing(*hash))
}

/// Says that `owner` needs the block, which must be there (as in [`require`]). Doing it twice is the same as once.
pub fn reference(txn: &mut dyn Transaction, hash: &BlockHash, owner: &Owner) -> Result<()> {
    let row = row::read(txn, hash)?.ok_or(Error::BlockMissing(*hash))?;
    if row.condemned_at_ms != 0 {
        // The collector's delay starts anew when this reference goes.
        let row = row::BlockRow {
            condemned_at_ms: 0,
            ..row
        };
        txn.put(row::block_key(hash), row.encode().into());
    }
    if owner.0.len() > MAX_OWNER_BYTES {
        return Err(Error::Engine(format!(
            "a block owner's name of {} bytes",
            owner.0.len()
        )));
    }
    txn.put(key(hash, owner), Vec::new().into());
    Ok(())
}

/// Says that `owner` needs the block no more. The collector finds it, after its delay, when nobody else does.
pub fn unreference(txn: &mut dyn Transaction, hash: &BlockHash, owner: &Owner) {
    txn.delete(key(hash, owner));
}

/// True when `owner` said that it needs the block.
pub fn is_referenced(rows: &dyn Snapshot, hash: &BlockHash, owner: &Owner) -> Result<bool> {
    Ok(rows.get(&key(hash, owner))?.is_some())
}

impl BlockStore {
    /// See [`require`].
    pub fn require(&self, txn: &mut dyn Transaction, hash: &BlockHash) -> Result<()> {
        require(txn, hash)
    }

    /// See [`reference`].
    pub fn reference(
        &self,
        txn: &mut dyn Transaction,
        hash: &BlockHash,
        owner: &Owner,
    ) -> Result<()> {
        reference(txn, hash, owner)
    }

    /// See [`unreference`].
    pub fn unreference(&self, txn: &mut dyn Transaction, hash: &BlockHash, owner: &Owner) {
        unreference(txn, hash, owner);
    }
}

fn key(hash: &BlockHash, owner: &Owner) -> Vec<u8> {
    let mut key = row::reference_prefix(hash);
    key.extend_from_slice(&owner.0);
    key
}
