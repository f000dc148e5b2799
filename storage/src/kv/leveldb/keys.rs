//! Where things lie inside LevelDB: one tag byte, then the caller's key.

/// Callers' keys, log entries included.
const DATA: u8 = b'k';
/// The last sequence of each log.
const HEAD: u8 = b'h';
/// Counters.
const COUNTER: u8 = b'c';

/// Holds the store's format, a big-endian u32.
pub const FORMAT: &[u8] = b"mformat";

/// Where a caller's key lies.
pub fn data(key: &[u8]) -> Vec<u8> {
    tagged(DATA, key)
}

/// Where the head of `log` lies (u64, big-endian).
pub fn head(log: &[u8]) -> Vec<u8> {
    tagged(HEAD, log)
}

/// Where a counter lies (i64, big-endian).
pub fn counter(name: &[u8]) -> Vec<u8> {
    tagged(COUNTER, name)
}

/// The prefix of all heads.
pub fn heads() -> [u8; 1] {
    [HEAD]
}

/// The prefix of all counters.
pub fn counters() -> [u8; 1] {
    [COUNTER]
}

/// The caller's key of a key made by [`data`].
pub fn of_data(key: &[u8]) -> &[u8] {
    key.get(1..).unwrap_or_default()
}

/// The caller's key of a log's entry.
pub fn entry(log: &[u8], sequence: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(log.len() + 8);
    key.extend_from_slice(log);
    key.extend_from_slice(&sequence.to_be_bytes());
    key
}

fn tagged(tag: u8, key: &[u8]) -> Vec<u8> {
    let mut tagged = Vec::with_capacity(key.len() + 1);
    tagged.push(tag);
    tagged.extend_from_slice(key);
    tagged
}
