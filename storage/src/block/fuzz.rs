//! Calls this module's decoders with any bytes, for the fuzz targets.

use super::row::{BlockRow, ExtentId};
use super::{event, extent, record};
use crate::chunk::BlockHash;

/// Bytes of a block's row.
const ROW_BYTES: usize = 106;

/// What the bytes are as rows, and behind a row as the record that it describes.
pub(crate) fn decode(bytes: &[u8]) {
    let hash = BlockHash::of(b"");
    drop(extent::decode(ExtentId(1), bytes));
    drop(BlockRow::decode(&hash, bytes));
    let (key, value) = bytes.split_at(bytes.len() / 2);
    drop(event::decode(key, value));
    record::payload_len(bytes);
    drop(record::check(bytes, &hash));
    if let Some((row, rest)) = bytes.split_at_checked(ROW_BYTES)
        && let Ok(row) = BlockRow::decode(&hash, row)
    {
        drop(record::payload(rest, &hash, &row));
        let fitting = record::encode(&hash, row.codec, row.plain_len, rest);
        drop(record::payload(&fitting, &hash, &row));
    }
}
