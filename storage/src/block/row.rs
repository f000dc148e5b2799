//! The block index's rows and keys: where a block lies, what decrypts it, and until when nobody may collect it.

use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::{WRAPPED_BYTES, WrappedKey};
use crate::keyspace;
use crate::kv::Snapshot;

use super::record::HEADER_BYTES;

/// An extent's number: from 1, never used twice.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct ExtentId(pub u64);

impl std::fmt::Display for ExtentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Where a record starts. The same on every replica of the extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// The extent.
    pub extent: ExtentId,
    /// Bytes from the extent's start.
    pub offset: u64,
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "extent {} offset {}", self.extent, self.offset)
    }
}

/// What was done to the plaintext before encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Nothing: it did not shrink.
    Plain = 0,
    /// zstd.
    Zstd = 1,
}

/// A block's row in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRow {
    /// Where its record is.
    pub location: Location,
    /// Length of the payload in the record (compressed, encrypted, with its tag), bytes.
    pub stored_len: u32,
    /// Length of the plaintext, bytes.
    pub plain_len: u32,
    /// How the payload was compressed.
    pub codec: Codec,
    /// What decrypts it. Dropping the row shreds the block.
    pub key: WrappedKey,
    /// When somebody last stored it; the lease counts from here. Milliseconds since 1970.
    pub leased_at_ms: u64,
    /// When the collector first found it without a reference; 0 when it did not. Milliseconds since 1970.
    pub condemned_at_ms: u64,
}

const VERSION: u8 = 1;
const ROW_BYTES: usize = 1 + 8 + 8 + 4 + 4 + 1 + 4 + WRAPPED_BYTES + 8 + 8;

impl BlockRow {
    /// Length of the whole record in the extent, bytes.
    pub fn record_len(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.stored_len)
    }

    /// As stored: fixed width, big-endian, first a format byte.
    pub fn encode(&self) -> Vec<u8> {
        let mut row = Vec::with_capacity(ROW_BYTES);
        row.push(VERSION);
        row.extend_from_slice(&self.location.extent.0.to_be_bytes());
        row.extend_from_slice(&self.location.offset.to_be_bytes());
        row.extend_from_slice(&self.stored_len.to_be_bytes());
        row.extend_from_slice(&self.plain_len.to_be_bytes());
        row.push(self.codec as u8);
        row.extend_from_slice(&self.key.kek.to_be_bytes());
        row.extend_from_slice(&self.key.bytes);
        row.extend_from_slice(&self.leased_at_ms.to_be_bytes());
        row.extend_from_slice(&self.condemned_at_ms.to_be_bytes());
        row
    }

    /// Reads a row back.
    pub fn decode(hash: &BlockHash, row: &[u8]) -> Result<Self> {
        let corrupt = |detail| Error::Corrupt {
            what: format!("index row of block {hash}"),
            detail,
        };
        if row.first() != Some(&VERSION) || row.len() != ROW_BYTES {
            return Err(corrupt(format!(
                "{} bytes, format {:?}",
                row.len(),
                row.first()
            )));
        }
        let mut rest = &row[1..];
        let location = Location {
            extent: ExtentId(u64::from_be_bytes(take(&mut rest))),
            offset: u64::from_be_bytes(take(&mut rest)),
        };
        let stored_len = u32::from_be_bytes(take(&mut rest));
        let plain_len = u32::from_be_bytes(take(&mut rest));
        let codec = match take::<1>(&mut rest) {
            [0] => Codec::Plain,
            [1] => Codec::Zstd,
            [other] => return Err(corrupt(format!("codec {other}"))),
        };
        let kek = u32::from_be_bytes(take(&mut rest));
        let key = WrappedKey {
            kek,
            bytes: take(&mut rest),
        };
        let leased_at_ms = u64::from_be_bytes(take(&mut rest));
        let condemned_at_ms = u64::from_be_bytes(take(&mut rest));
        Ok(BlockRow {
            location,
            stored_len,
            plain_len,
            codec,
            key,
            leased_at_ms,
            condemned_at_ms,
        })
    }
}

/// The row of `hash`, if the block is indexed.
pub fn read(from: &(impl Snapshot + ?Sized), hash: &BlockHash) -> Result<Option<BlockRow>> {
    let row = from.get(&block_key(hash))?;
    row.map(|row| BlockRow::decode(hash, &row)).transpose()
}

/// `BLOCK hash`.
pub fn block_key(hash: &BlockHash) -> Vec<u8> {
    [&[keyspace::BLOCK], &hash.0[..]].concat()
}

/// `REFERENCE hash`: the prefix of all references to a block.
pub fn reference_prefix(hash: &BlockHash) -> Vec<u8> {
    [&[keyspace::REFERENCE], &hash.0[..]].concat()
}

/// `EXTENT 1 extent`: the extent's own row.
pub fn extent_key(extent: ExtentId) -> Vec<u8> {
    extent_table(1, extent)
}

/// `EXTENT 2 extent`: the counter of its dead bytes.
pub fn dead_key(extent: ExtentId) -> Vec<u8> {
    extent_table(2, extent)
}

/// `EXTENT 3 extent`: the prefix of what lies in it.
pub fn content_prefix(extent: ExtentId) -> Vec<u8> {
    extent_table(3, extent)
}

/// `EXTENT 3 extent offset` -> hash: which block lies there.
pub fn content_key(location: Location) -> Vec<u8> {
    let mut key = content_prefix(location.extent);
    key.extend_from_slice(&location.offset.to_be_bytes());
    key
}

/// The hash in a key or value at `start`.
pub fn hash_at(bytes: &[u8], start: usize) -> Result<BlockHash> {
    let hash = bytes
        .get(start..start + 32)
        .and_then(|hash| hash.try_into().ok());
    hash.map(BlockHash).ok_or_else(|| Error::Corrupt {
        what: "block index".into(),
        detail: format!("a key of {} bytes", bytes.len()),
    })
}

fn extent_table(table: u8, extent: ExtentId) -> Vec<u8> {
    let mut key = vec![keyspace::EXTENT, table];
    key.extend_from_slice(&extent.0.to_be_bytes());
    key
}

/// The next `N` bytes; the caller has checked the whole length.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let (head, tail) = rest.split_at(N);
    bytes.copy_from_slice(head);
    *rest = tail;
    bytes
}
