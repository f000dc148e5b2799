//! Which metadata lies together when it lies on several database servers: the tree and the journal of a namespace.
//!
//! A file's number begins with its slot. What is made in a folder takes the folder's slot, and an account's own top folder the
//! slot of its namespace's number, where the namespace's journal is as well.

use crate::keyspace::{CHILD, JOURNAL, NODE, TOMBSTONE, VERSION};
use crate::kv::mysql::{Placement, Span};
use crate::meta::{FileId, NamespaceId};

/// How many slots there are.
pub const SLOTS: u16 = 4_096;
/// Where a file's slot is in its number.
const SHIFT: u32 = 52;
/// Bytes of a key that tell the slot: the table and a number.
const HEAD: usize = 9;
/// The tables whose keys begin with a file's number.
const BY_FILE: [u8; 4] = [NODE, CHILD, TOMBSTONE, VERSION];

/// Places nodes, their children, deleted children, versions and journals. All keys of these tables have at least nine bytes.
pub struct ByNamespace;

/// The slot of a namespace's journal.
pub fn of_namespace(ns: NamespaceId) -> u16 {
    (ns.0 % u64::from(SLOTS)) as u16
}

/// The slot of a file.
pub fn of_file(file: FileId) -> u16 {
    (file.0 >> SHIFT) as u16
}

/// The file number in `slot` that `random` makes.
pub fn file_in(slot: u16, random: u64) -> FileId {
    FileId(u64::from(slot % SLOTS) << SHIFT | random & ((1 << SHIFT) - 1))
}

impl Placement for ByNamespace {
    fn slot(&self, key: &[u8]) -> Option<u16> {
        slot_of(&head(key))
    }

    fn span(&self, start: &[u8], end: &[u8]) -> Span {
        let (first, Some(last)) = (head(start), last_head(end)) else {
            return Span::Primary;
        };
        if first[0] != last[0] {
            let is_within = |table: &u8| (first[0]..=last[0]).contains(table);
            return match BY_FILE.iter().chain(&[JOURNAL]).any(is_within) {
                true => Span::Any,
                false => Span::Primary,
            };
        }
        match (slot_of(&first), slot_of(&last)) {
            (None, _) | (_, None) => Span::Primary,
            (Some(slot), _) if first == last => Span::Slot(slot),
            (Some(one), Some(other)) if one == other && first[0] != JOURNAL => Span::Slot(one),
            _ => Span::Any,
        }
    }

    fn next(&self, slot: u16, key: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        for table in BY_FILE {
            let bound = |slot: u16| (u64::from(slot) << SHIFT).to_be_bytes();
            let low = [&[table][..], &bound(slot)].concat();
            let high = match slot + 1 {
                SLOTS => vec![table + 1],
                next => [&[table][..], &bound(next)].concat(),
            };
            if key < &high[..] {
                return Some((low.max(key.to_vec()), high));
            }
        }
        let end = vec![JOURNAL + 1];
        if key >= &end[..] {
            return None;
        }
        let present = match key.first() {
            Some(&JOURNAL) => number(&head(key)),
            _ => 0,
        };
        if key.first() == Some(&JOURNAL) && present % u64::from(SLOTS) == u64::from(slot) {
            return Some((key.to_vec(), end));
        }
        let ahead =
            (u64::from(slot) + u64::from(SLOTS) - present % u64::from(SLOTS)) % u64::from(SLOTS);
        let next = present.checked_add(ahead)?;
        Some(([&[JOURNAL][..], &next.to_be_bytes()].concat(), end))
    }
}

/// The key's first bytes; zeros where it is shorter.
fn head(key: &[u8]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    let len = key.len().min(HEAD);
    head[..len].copy_from_slice(&key[..len]);
    head
}

/// The greatest head of keys below `end`; `None` when there are no such keys.
fn last_head(end: &[u8]) -> Option<[u8; HEAD]> {
    let mut last = head(end);
    if end.len() > HEAD {
        return Some(last);
    }
    for byte in last.iter_mut().rev() {
        let borrowed = *byte == 0;
        *byte = byte.wrapping_sub(1);
        if !borrowed {
            return Some(last);
        }
    }
    None
}

fn number(head: &[u8; HEAD]) -> u64 {
    head[1..]
        .iter()
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn slot_of(head: &[u8; HEAD]) -> Option<u16> {
    match head[0] {
        JOURNAL => Some(of_namespace(NamespaceId(number(head)))),
        table if BY_FILE.contains(&table) => Some(of_file(FileId(number(head)))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{ACCOUNT, BLOCK};
    use crate::kv::prefix_end;

    fn key(table: u8, number: u64, rest: &[u8]) -> Vec<u8> {
        [&[table][..], &number.to_be_bytes(), rest].concat()
    }

    #[test]
    fn what_is_below_one_folder_or_namespace_is_one_slot() {
        let file = file_in(SLOTS - 1, u64::MAX);
        assert_eq!((file, of_file(file)), (FileId(u64::MAX), SLOTS - 1));
        let file = file_in(7, 99);
        for table in BY_FILE {
            let prefix = key(table, file.0, b"");
            assert_eq!(ByNamespace.slot(&key(table, file.0, b"name")), Some(7));
            assert_eq!(
                ByNamespace.span(&prefix, &prefix_end(&prefix)),
                Span::Slot(7)
            );
        }
        let journal = key(JOURNAL, 4_097, b"");
        assert_eq!(
            ByNamespace.span(&journal, &prefix_end(&journal)),
            Span::Slot(1)
        );
        let later = key(JOURNAL, 4_097, &9u64.to_be_bytes());
        assert_eq!(
            ByNamespace.span(&later, &prefix_end(&journal)),
            Span::Slot(1)
        );
        assert_eq!(
            ByNamespace.span(&later, &key(JOURNAL, 4_098, b"x")),
            Span::Any
        );
    }

    #[test]
    fn other_ranges_are_anywhere_or_on_the_primary() {
        assert_eq!(ByNamespace.span(b"", &[0xff]), Span::Any);
        assert_eq!(ByNamespace.span(&[NODE], &[NODE + 1]), Span::Any);
        assert_eq!(ByNamespace.span(&[BLOCK], &[NODE]), Span::Primary);
        assert_eq!(
            ByNamespace.span(&[ACCOUNT, 1], &[ACCOUNT, 9]),
            Span::Primary
        );
        assert_eq!(ByNamespace.span(&[NODE], b""), Span::Primary);
        assert_eq!(ByNamespace.slot(&key(BLOCK, 1, b"")), None);
    }

    #[test]
    fn the_keys_of_a_slot_are_found_from_anywhere() {
        for slot in [0, 7, SLOTS - 1] {
            let mut keys: Vec<Vec<u8>> = Vec::new();
            for table in BY_FILE {
                for number in [0, 1 << 52, 7 << 52, (7 << 52) + 9, 8 << 52, u64::MAX] {
                    keys.push(key(table, number, b"x"));
                }
            }
            for ns in [1, 7, 4_095, 4_096, 4_103, 9_000] {
                keys.push(key(JOURNAL, ns, &1u64.to_be_bytes()));
            }
            keys.sort();
            let wanted: Vec<_> = keys
                .iter()
                .filter(|key| ByNamespace.slot(key) == Some(slot))
                .cloned()
                .collect();
            let (mut found, mut at) = (Vec::new(), Vec::new());
            while let Some((start, end)) = ByNamespace.next(slot, &at) {
                at = end.clone();
                for key in keys.iter().filter(|key| **key >= start && **key < end) {
                    let foreign = ByNamespace.slot(key) != Some(slot);
                    if foreign {
                        at = [&key[..], &[0]].concat();
                        break;
                    }
                    found.push(key.clone());
                }
            }
            assert_eq!(found, wanted, "slot {slot}");
        }
    }
}
