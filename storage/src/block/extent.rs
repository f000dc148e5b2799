//! Extents: files of many records, the same on each of their targets, and their rows in the store.

use super::row::{self, ExtentId};
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Snapshot, Transaction, prefix_end};

/// Length of an extent file's header, bytes. The first record follows it.
pub const HEADER_BYTES: u64 = 64;
const MAGIC: &[u8; 8] = b"FFEXTENT";
const FORMAT: u32 = 1;
const NEXT_ID: [u8; 2] = [keyspace::EXTENT, 0];

/// Random name of the whole block store, in every extent's header, so that folders cannot be mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StoreId(pub [u8; 16]);

impl std::fmt::Display for StoreId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What may happen to an extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum State {
    /// Records are appended.
    Open,
    /// It changes no more.
    Sealed,
    /// Nothing lives in it; its files are being removed.
    Dropped,
}

/// An extent's row.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extent {
    /// What may happen to it.
    pub state: State,
    /// Durable, acknowledged bytes, the header included. What a file holds beyond it means nothing.
    pub length: u64,
    /// The names of the targets that hold a replica.
    pub targets: Vec<String>,
    /// Milliseconds since 1970.
    pub created_ms: u64,
}

/// The header of an extent's file.
pub fn header(store: StoreId, extent: ExtentId) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES as usize);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&FORMAT.to_be_bytes());
    header.extend_from_slice(&extent.0.to_be_bytes());
    header.extend_from_slice(&store.0);
    header.resize(HEADER_BYTES as usize - 4, 0);
    header.extend_from_slice(&crc32c::crc32c(&header).to_be_bytes());
    header
}

/// The row of one extent.
pub fn read(from: &(impl Snapshot + ?Sized), id: ExtentId) -> Result<Option<Extent>> {
    let row = from.get(&row::extent_key(id))?;
    row.map(|row| decode(id, &row)).transpose()
}

/// The rows of all extents, by id.
pub fn read_all(from: &(impl Snapshot + ?Sized)) -> Result<Vec<(ExtentId, Extent)>> {
    let prefix = [keyspace::EXTENT, 1];
    let mut extents = Vec::new();
    from.scan(&prefix, &prefix_end(&prefix), &mut |key, value| {
        let id = key[2..].try_into().map(u64::from_be_bytes);
        let id = ExtentId(id.map_err(|_| Error::Corrupt {
            what: "extents".into(),
            detail: "key".into(),
        })?);
        extents.push((id, decode(id, value)?));
        Ok(true)
    })?;
    Ok(extents)
}

/// A number no extent ever had.
pub fn next_id(txn: &mut dyn Transaction) -> Result<ExtentId> {
    let last = match txn.get(&NEXT_ID)? {
        None => 0,
        Some(bytes) => {
            let malformed = |_| Error::Corrupt {
                what: "extents".into(),
                detail: "next id".into(),
            };
            u64::from_be_bytes(bytes.as_slice().try_into().map_err(malformed)?)
        }
    };
    txn.put(NEXT_ID.to_vec(), (last + 1).to_be_bytes().to_vec().into());
    Ok(ExtentId(last + 1))
}

/// Writes an extent's row.
pub fn write(txn: &mut dyn Transaction, id: ExtentId, extent: &Extent) -> Result<()> {
    txn.put(row::extent_key(id), crate::row::encode(extent)?.into());
    Ok(())
}

pub(super) fn decode(id: ExtentId, row: &[u8]) -> Result<Extent> {
    crate::row::decode(&format!("row of extent {id}"), row)
}
