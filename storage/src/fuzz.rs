//! For the fuzz targets alone: decoders of this crate that nobody outside calls with bytes of their own.

use crate::backup;
use crate::block::fuzz;

/// An extent's row, a block's row, a block event, and a record of an extent by itself and as its row describes it.
pub fn blocks(bytes: &[u8]) {
    fuzz::decode(bytes);
}

/// A backup's manifest, a chunk of rows and a segment, with hashes that fit.
pub fn backup(bytes: &[u8]) {
    backup::fuzz::decode(bytes);
}
