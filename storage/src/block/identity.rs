//! The store's own row: its name, and which key versions its blocks may be wrapped under.

use super::extent::StoreId;
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::{self, BlockKey, Keyring, WRAPPED_BYTES, WrappedKey};
use crate::keyspace;
use crate::kv::{Snapshot, Store, Transaction};

/// The row. Every transaction that wraps a key reads it, so that none commits under a version that is being retired.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The store's name in every extent's header.
    pub store: StoreId,
    /// All versions that rows may use.
    pub versions: Vec<KeyVersion>,
}

/// A version of the key ring that rows may use.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct KeyVersion {
    /// The version.
    pub version: u32,
    /// A random key wrapped under it: unwraps only under the right ring.
    check: Vec<u8>,
    /// No row may begin to use it.
    pub is_retiring: bool,
}

impl Identity {
    /// Reads the row; makes it, with a new name, when the store is empty. Fails with [`Error::Key`] when the ring is not
    /// the one that the stored blocks need.
    pub fn open(store: &dyn Store, keys: &Keyring) -> Result<Self> {
        let mut name = [0; 16];
        key::fill(&mut name)?;
        let mut found = None;
        store.transact(&mut |txn| {
            let mut identity = match read(txn)? {
                Some(identity) => identity,
                None => Identity {
                    store: StoreId(name),
                    versions: Vec::new(),
                },
            };
            identity.check(keys)?;
            identity.admit(txn, keys)?;
            found = Some(identity);
            Ok(())
        })?;
        found.ok_or_else(|| Error::Engine("the store's identity was not read".into()))
    }

    /// Adds the ring's current version to the row when it is new there.
    pub fn admit(&mut self, txn: &mut dyn Transaction, keys: &Keyring) -> Result<()> {
        let current = keys.current_version();
        if self.versions.iter().any(|known| known.version == current) {
            return Ok(());
        }
        let wrapped = keys.wrap(&BlockKey::random()?, &check_name())?;
        self.versions.push(KeyVersion {
            version: wrapped.kek,
            check: wrapped.bytes.to_vec(),
            is_retiring: false,
        });
        self.write(txn)
    }

    /// Writes the row.
    pub fn write(&self, txn: &mut dyn Transaction) -> Result<()> {
        let row = crate::row::encode(self)?;
        txn.put(row_key(), row.into());
        Ok(())
    }

    /// True when rows may be wrapped under `version`.
    pub fn admits(&self, version: u32) -> bool {
        self.versions
            .iter()
            .any(|known| known.version == version && !known.is_retiring)
    }

    /// Fails with [`Error::Key`] when `keys` is not the ring that the stored blocks need.
    pub fn check(&self, keys: &Keyring) -> Result<()> {
        for known in &self.versions {
            let bytes: [u8; WRAPPED_BYTES] = known
                .check
                .as_slice()
                .try_into()
                .map_err(|_| corrupt("key check"))?;
            let wrapped = WrappedKey {
                kek: known.version,
                bytes,
            };
            keys.unwrap(&wrapped, &check_name()).map_err(|error| {
                let version = known.version;
                Error::Key(format!("blocks are stored under version {version} of another key ring than this one: restore it from your copy ({error})"))
            })?;
        }
        Ok(())
    }
}

/// True when the store knows of blocks, so that a missing key ring is a loss and not a first start.
pub fn holds_data(store: &dyn Store) -> Result<bool> {
    Ok(store.snapshot()?.get(&row_key())?.is_some())
}

/// The row, if there is one.
pub fn read(from: &(impl Snapshot + ?Sized)) -> Result<Option<Identity>> {
    let row = from.get(&row_key())?;
    row.map(|row| crate::row::decode("block store identity", &row))
        .transpose()
}

fn row_key() -> Vec<u8> {
    [&[keyspace::SYSTEM], &b"block"[..]].concat()
}

fn check_name() -> BlockHash {
    BlockHash::of(b"firefly key check")
}

fn corrupt(detail: &str) -> Error {
    Error::Corrupt {
        what: "block store identity".into(),
        detail: detail.into(),
    }
}
