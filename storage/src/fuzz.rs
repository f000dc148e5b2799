//! For the fuzz targets alone: decoders of this crate that nobody outside calls with bytes of their own.

use crate::backup;
use crate::block::{fuzz, served};
use crate::kv::{leveldb, mysql};

/// An extent's row, a block's row, a block event, and a record of an extent by itself and as its row describes it.
pub fn blocks(bytes: &[u8]) {
    fuzz::decode(bytes);
}

/// A backup's manifest, a chunk of rows, a segment and a key ring, with hashes that fit.
pub fn backup(bytes: &[u8]) {
    backup::fuzz::decode(bytes);
}

/// The embedded store's log, as a power cut or a damaged disk leaves it.
pub fn log(bytes: &[u8]) {
    leveldb::torn_batch(bytes);
}

/// What is in a file that is found by itself, as its block has it.
pub fn members(bytes: &[u8]) {
    drop(crate::extraction::decode_members(bytes));
}

/// What a block server is asked, and what it answers.
pub fn served(bytes: &[u8]) {
    served::fuzz::talk(bytes);
}

/// What memcached answers, and what the database says that commits have written.
pub fn cache(bytes: &[u8]) {
    mysql::fuzz(bytes);
}
