//! Intents: rows that a commit on the primary has decided and that another server is to write.
//!
//! An intent has a *position*, the version of its commit and a number within it. A server's `firefly_applied` says up to which
//! position it has written them all.

use std::collections::BTreeMap;

use super::connection::Failure;
use super::group::Row;

/// An intent takes no further row above this many bytes.
const PART_BYTES: usize = 256 * 1024;
/// Bits of a position below the version.
const PART_BITS: u32 = 16;

/// Rows as they are to be; `None`: to be removed.
pub type Rows = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The position of a commit's intent.
pub fn position(version: u64, part: usize) -> u64 {
    version << PART_BITS | part as u64
}

/// The version of the commit that made the intent.
pub fn version(position: u64) -> u64 {
    position >> PART_BITS
}

/// Rows as the bytes of intents, in order.
pub fn encode<'r>(rows: impl Iterator<Item = Row<'r>>) -> Vec<Vec<u8>> {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    for (key, value) in rows {
        // A large row is alone: with others before it, it might not go into a statement.
        if !part.is_empty() && part.len() + value.map_or(0, <[u8]>::len) > PART_BYTES {
            parts.push(std::mem::take(&mut part));
        }
        part.extend_from_slice(&(key.len() as u16).to_be_bytes()); // keys have up to 1,024 bytes
        part.extend_from_slice(key);
        part.push(u8::from(value.is_some()));
        if let Some(value) = value {
            part.extend_from_slice(&(value.len() as u32).to_be_bytes()); // a statement has less than 16 MiB
            part.extend_from_slice(value);
        }
    }
    parts.extend((!part.is_empty()).then_some(part));
    parts
}

/// Lays an intent's rows over those of earlier ones.
pub fn lay_over(rows: &mut Rows, intent: &[u8]) -> Result<(), Failure> {
    let damaged = || Failure::Refused("an intent is damaged".into());
    let mut rest = intent;
    while !rest.is_empty() {
        let ((key, value), after) = next(rest).ok_or_else(damaged)?;
        rows.insert(key.to_vec(), value.map(<[u8]>::to_vec));
        rest = after;
    }
    Ok(())
}

/// The first row, and what comes after it.
fn next(bytes: &[u8]) -> Option<(Row<'_>, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    match rest.split_first()? {
        (0, rest) => Some(((key, None), rest)),
        (_, rest) => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
            let (value, rest) = rest.split_at_checked(len)?;
            Some(((key, Some(value)), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_the_newest_counts_and_damage_is_seen() {
        let big = vec![7; PART_BYTES];
        let first: [(&[u8], Option<&[u8]>); 3] =
            [(b"a", Some(b"1")), (b"b", Some(&big)), (b"c", Some(b""))];
        let parts = encode(first.into_iter());
        assert_eq!(parts.len(), 3, "a large row is alone");
        let mut rows = Rows::new();
        parts
            .iter()
            .for_each(|part| lay_over(&mut rows, part).unwrap());
        lay_over(&mut rows, &encode([(&b"a"[..], None)].into_iter())[0]).unwrap();
        let wanted: Rows = [
            (b"a".to_vec(), None),
            (b"b".to_vec(), Some(big)),
            (b"c".to_vec(), Some(vec![])),
        ]
        .into();
        assert!(rows == wanted);
        assert!(lay_over(&mut rows, &parts[1][..3]).is_err());
        assert_eq!(
            (version(position(9, 3)), encode(std::iter::empty()).len()),
            (9, 0)
        );
    }
}
