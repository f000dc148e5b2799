//! Where things lie inside LevelDB: one tag byte, then the caller's key. Log heads and counters lie under the tags of
//! `optimistic::numbers`.

/// Callers' keys, log entries included.
const DATA: u8 = b'k';

/// Holds the store's format, a big-endian u32.
pub const FORMAT: &[u8] = b"mformat";

/// Where a caller's key lies.
pub fn data(key: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(key.len() + 1);
    tagged.push(DATA);
    tagged.extend_from_slice(key);
    tagged
}

/// The caller's key of a key made by [`data`].
pub fn of_data(key: &[u8]) -> &[u8] {
    key.get(1..).unwrap_or_default()
}
