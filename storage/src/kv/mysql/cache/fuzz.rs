//! Calls what reads memcached's answers, and what the database keeps of commits, with any bytes, for the fuzz targets.

use super::client::{Wire, stored, value};
use super::entry::{Seal, read};
use crate::kv::mysql::group::read_written;
use crate::kv::mysql::intent::{Rows, encode, lay_over};

/// The first byte says what the rest is.
pub fn decode(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    match kind % 5 {
        0 => drop(value(&mut Wire::new(rest), "a")),
        1 => drop(stored(&mut Wire::new(rest))),
        2 => {
            // Nobody has sealed it; and as if somebody had.
            assert!(Seal::new(b"store").open(b"key", rest).is_none());
            drop(read(b"key", rest));
        }
        3 => drop(read_written(rest)),
        _ => intent(rest),
    }
}

/// What it says is what it says again.
fn intent(bytes: &[u8]) {
    let (mut rows, mut again) = (Rows::new(), Rows::new());
    if lay_over(&mut rows, bytes).is_ok() {
        let written = rows.iter().map(|(key, value)| (&key[..], value.as_deref()));
        for part in encode(written) {
            assert!(lay_over(&mut again, &part).is_ok());
        }
        assert!(rows == again);
    }
}
