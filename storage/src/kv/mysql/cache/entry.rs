//! What lies in memcached: a row, as of which commit it was read, and a seal that only those can make who read the database.

use aws_lc_rs::hmac;

use super::history::Point;

/// The layout's first byte.
const LAYOUT: u8 = 1;
/// Bytes of the seal.
const SEAL_BYTES: usize = 32;
/// The most bytes around a key and its value.
pub const OVERHEAD_BYTES: usize = 1 + 8 + 16 + 1 + 2 + SEAL_BYTES;

/// Names and seals entries of one database.
pub struct Seal(hmac::Key);

impl Seal {
    /// For the database whose tables have this random name.
    pub fn new(store: &[u8]) -> Seal {
        let secret = [b"firefly cache\0", store].concat();
        Seal(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// What a row's entry is called: letters and digits.
    pub fn name(&self, key: &[u8]) -> String {
        let mut name = hmac::Context::with_key(&self.0);
        name.update(b"name\0");
        name.update(key);
        format!("firefly{}", hex::encode(&name.sign().as_ref()[..24]))
    }

    /// The entry of a row as it was at `at`.
    pub fn close(&self, key: &[u8], value: Option<&[u8]>, at: &Point) -> Vec<u8> {
        let value_bytes = value.unwrap_or_default();
        let mut entry = Vec::with_capacity(OVERHEAD_BYTES + key.len() + value_bytes.len());
        entry.push(LAYOUT);
        entry.extend_from_slice(&at.version.to_be_bytes());
        entry.extend_from_slice(&at.id);
        entry.push(u8::from(value.is_some()));
        entry.extend_from_slice(&(key.len() as u16).to_be_bytes()); // keys have at most 1,024 bytes
        entry.extend_from_slice(key);
        entry.extend_from_slice(value_bytes);
        let seal = hmac::sign(&self.0, &entry);
        entry.extend_from_slice(seal.as_ref());
        entry
    }

    /// As of when the row was read, and its value. `None` when this is not an entry of that row.
    pub fn open(&self, key: &[u8], bytes: &[u8]) -> Option<(Point, Option<Vec<u8>>)> {
        let (entry, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
        hmac::verify(&self.0, entry, seal).ok()?;
        read(key, entry)
    }
}

/// What an entry says whose seal is ours.
pub(super) fn read(key: &[u8], entry: &[u8]) -> Option<(Point, Option<Vec<u8>>)> {
    let (&[LAYOUT], rest) = entry.split_first_chunk::<1>()? else {
        return None;
    };
    let (version, rest) = rest.split_first_chunk()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (&[present], rest) = rest.split_first_chunk::<1>()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (of, value) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    let at = Point {
        version: u64::from_be_bytes(*version),
        id: *id,
    };
    (of == key).then(|| (at, (present == 1).then(|| value.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rows_own_whole_entry_opens() {
        let (seal, at) = (
            Seal::new(b"store"),
            Point {
                version: 7,
                id: [9; 16],
            },
        );
        for value in [None, Some(&b""[..]), Some(b"value")] {
            let entry = seal.close(b"key", value, &at);
            let opened = (at, value.map(<[u8]>::to_vec));
            assert_eq!(seal.open(b"key", &entry), Some(opened));
            assert_eq!(seal.open(b"other", &entry), None);
            assert_eq!(Seal::new(b"another").open(b"key", &entry), None);
            for at in 0..entry.len() {
                let mut damaged = entry.clone();
                damaged[at] ^= 1;
                assert_eq!(seal.open(b"key", &damaged), None, "byte {at}");
                assert_eq!(seal.open(b"key", &entry[..at]), None, "cut at {at}");
            }
        }
        assert_ne!(seal.name(b"key"), seal.name(b"other"));
        assert!(seal.name(&[0; 1_024]).len() < 250);
    }
}
