//! One block inside an extent: a header, then the encrypted payload.

use super::row::{BlockRow, Codec};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};

/// Length of the inline header, bytes.
pub const HEADER_BYTES: usize = 52;
const MAGIC: [u8; 4] = *b"FFBK";
const VERSION: u8 = 1;

/// A record ready to be appended: header and payload. Says by itself whose bytes it holds; what decrypts them is not here.
pub fn encode(hash: &BlockHash, codec: Codec, plain_len: u32, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&[VERSION, codec as u8, 0, 0]);
    record.extend_from_slice(&hash.0);
    record.extend_from_slice(&plain_len.to_be_bytes());
    record.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    let crc = checksum(&record, payload);
    record.extend_from_slice(&crc.to_be_bytes());
    record.extend_from_slice(payload);
    record
}

/// The payload of `record`, when it is the undamaged record of this block as its index row describes it.
pub fn payload<'r>(record: &'r [u8], hash: &BlockHash, row: &BlockRow) -> Result<&'r [u8]> {
    let corrupt = |detail: &str| Error::Corrupt {
        what: format!("block {hash} at {}", row.location),
        detail: detail.into(),
    };
    if record.len() as u64 != row.record_len() {
        return Err(corrupt("short record"));
    }
    let (header, payload) = record.split_at(HEADER_BYTES);
    let (fields, crc) = header.split_at(HEADER_BYTES - 4);
    if fields[..4] != MAGIC {
        return Err(corrupt("no record here"));
    }
    if checksum(fields, payload).to_be_bytes() != crc {
        return Err(corrupt("checksum"));
    }
    if fields[4] > VERSION {
        let (found, supported) = (u32::from(fields[4]), u32::from(VERSION));
        return Err(Error::NewerFormat {
            what: format!("block {hash}"),
            found,
            supported,
        });
    }
    let lengths = [row.plain_len.to_be_bytes(), row.stored_len.to_be_bytes()].concat();
    if fields[8..40] != hash.0 || fields[5] != row.codec as u8 || fields[40..48] != lengths {
        return Err(corrupt("another block's record"));
    }
    Ok(payload)
}

/// The payload's length as a record's header says; none when `header` is no header.
pub fn payload_len(header: &[u8]) -> Option<usize> {
    let len = header.get(44..48).filter(|_| header[..4] == MAGIC)?;
    Some(u32::from_be_bytes(len.try_into().ok()?) as usize)
}

/// Checks a whole record by itself: its checksum, and that it says it holds `hash`.
pub fn check(record: &[u8], hash: &BlockHash) -> Result<()> {
    let Some((header, payload)) = record.split_at_checked(HEADER_BYTES) else {
        return Err(damaged(hash, "short record"));
    };
    let (fields, crc) = header.split_at(HEADER_BYTES - 4);
    if fields[..4] != MAGIC || payload_len(header) != Some(payload.len()) {
        return Err(damaged(hash, "no record here"));
    }
    if checksum(fields, payload).to_be_bytes() != crc {
        return Err(damaged(hash, "checksum"));
    }
    match fields[8..40] == hash.0 {
        true => Ok(()),
        false => Err(damaged(hash, "another block's record")),
    }
}

/// The error for a record that is not what it should be.
pub fn damaged(hash: &BlockHash, detail: &str) -> Error {
    Error::Corrupt {
        what: format!("record of block {hash}"),
        detail: detail.into(),
    }
}

fn checksum(fields: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(fields), payload)
}
