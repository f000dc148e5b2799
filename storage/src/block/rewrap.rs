//! Key rotation: a new version for new blocks at once, old rows rewrapped in the background, no data rewritten.

use std::collections::BTreeMap;

use super::identity;
use super::row::{self, BlockRow};
use super::{BlockStore, Shared};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::keyspace;
use crate::kv::prefix_end;

/// Rows rewrapped in one transaction.
const GROUP_BLOCKS: usize = 256;

/// What one call of [`BlockStore::rewrap`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RewrapReport {
    /// Index rows looked at.
    pub examined: u64,
    /// Rows whose key is now wrapped under the current version.
    pub rewrapped: u64,
    /// Where the next call goes on; `None` when all rows have been looked at.
    pub position: Option<Vec<u8>>,
}

impl BlockStore {
    /// The key ring.
    pub fn keys(&self) -> &Keyring {
        &self.shared.keys
    }

    /// Adds a version to the key ring (where it is kept in a file) and uses it from now on. Returns it.
    pub fn rotate_key(&self) -> Result<u32> {
        let version = self.shared.keys.rotate()?;
        self.shared.admit_current()?;
        Ok(version)
    }

    /// Rewraps the keys of up to `budget` index rows, from `position` on (empty: the start), under the current version.
    pub fn rewrap(&self, position: &[u8], budget: usize) -> Result<RewrapReport> {
        let current = self.shared.keys.current_version();
        let rows = self.shared.page(position, budget)?;
        let mut report = RewrapReport {
            examined: rows.len() as u64,
            ..RewrapReport::default()
        };
        report.position = rows
            .last()
            .map(|(last, _)| [&row::block_key(last)[..], &[0]].concat());
        let old: Vec<_> = rows
            .into_iter()
            .filter(|(_, row)| row.key.kek != current)
            .map(|(hash, _)| hash)
            .collect();
        for group in old.chunks(GROUP_BLOCKS) {
            report.rewrapped += self.shared.rewrap_group(group)?;
        }
        Ok(report)
    }

    /// How many blocks' keys each version wraps.
    pub fn blocks_by_version(&self) -> Result<BTreeMap<u32, u64>> {
        self.shared.count_rows()
    }

    /// Removes an old version from the key ring, when no row needs it any more; else [`Error::Key`] says how many do.
    pub fn retire_key(&self, version: u32) -> Result<()> {
        if version == self.shared.keys.current_version() {
            return Err(Error::Key(format!("version {version} is the current one")));
        }
        // From here on no transaction commits a row under this version; then none is left, or they are counted.
        self.shared.change_versions(|identity| {
            let retiring = identity
                .versions
                .iter_mut()
                .filter(|known| known.version == version);
            retiring.for_each(|known| known.is_retiring = true);
        })?;
        if let Some(users) = self.shared.count_rows()?.get(&version) {
            return Err(Error::Key(format!(
                "{users} blocks are still wrapped under version {version}: rewrap them first"
            )));
        }
        self.shared.change_versions(|identity| {
            identity.versions.retain(|known| known.version != version)
        })?;
        self.shared.keys.retire(version)
    }
}

impl Shared {
    fn rewrap_group(&self, group: &[BlockHash]) -> Result<u64> {
        let mut rewrapped = 0;
        self.store.transact(&mut |txn| {
            rewrapped = 0;
            let mut identity = identity::read(txn)?.ok_or_else(no_identity)?;
            for hash in group {
                let Some(row) = row::read(txn, hash)? else {
                    continue;
                };
                let key =
                    self.wrap(txn, &mut identity, &self.keys.unwrap(&row.key, hash)?, hash)?;
                txn.put(
                    row::block_key(hash),
                    BlockRow { key, ..row }.encode().into(),
                );
                rewrapped += 1;
            }
            Ok(())
        })?;
        Ok(rewrapped)
    }

    fn admit_current(&self) -> Result<()> {
        self.store.transact(&mut |txn| {
            identity::read(txn)?
                .ok_or_else(no_identity)?
                .admit(txn, &self.keys)
        })?;
        Ok(())
    }

    fn change_versions(&self, change: impl Fn(&mut identity::Identity)) -> Result<()> {
        self.store.transact(&mut |txn| {
            let mut identity = identity::read(txn)?.ok_or_else(no_identity)?;
            change(&mut identity);
            identity.write(txn)
        })?;
        Ok(())
    }

    fn count_rows(&self) -> Result<BTreeMap<u32, u64>> {
        let (table, mut users) = ([keyspace::BLOCK], BTreeMap::new());
        self.store
            .snapshot()?
            .scan(&table, &prefix_end(&table), &mut |key, value| {
                let row = BlockRow::decode(&row::hash_at(key, 1)?, value)?;
                *users.entry(row.key.kek).or_default() += 1;
                Ok(true)
            })?;
        Ok(users)
    }
}

fn no_identity() -> Error {
    Error::Engine("the block store has no identity".into())
}
