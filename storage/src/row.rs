//! How a row's value is written: one version byte, then postcard.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Error, Result};

/// The version byte of rows written by this release.
pub const VERSION: u8 = 1;

/// The row's bytes.
pub fn encode<T: Serialize>(row: &T) -> Result<Vec<u8>> {
    postcard::to_extend(row, vec![VERSION])
        .map_err(|e| Error::Engine(format!("row does not encode: {e}")))
}

/// Reads a row back; `what` names it in the error. A newer version byte is [`Error::NewerFormat`].
pub fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|e| Error::Corrupt {
            what: what.to_owned(),
            detail: e.to_string(),
        }),
        Some((&found, _)) if found > VERSION => Err(Error::NewerFormat {
            what: what.to_owned(),
            found: u32::from(found),
            supported: u32::from(VERSION),
        }),
        _ => Err(Error::Corrupt {
            what: what.to_owned(),
            detail: "no version byte".to_owned(),
        }),
    }
}

/// The big-endian `u64` at `at`, for keys and fixed-width values; `what` names the row in the error.
pub(crate) fn u64_at(what: &str, bytes: &[u8], at: usize) -> Result<u64> {
    bytes
        .get(at..at + 8)
        .and_then(|b| b.try_into().ok())
        .map(u64::from_be_bytes)
        .ok_or_else(|| Error::Corrupt {
            what: what.to_owned(),
            detail: format!("{} bytes are too short", bytes.len()),
        })
}
