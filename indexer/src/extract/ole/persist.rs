//! A presentation's persist directory: where in the stream the last edition of each of its objects is. Saving appends, so the
//! stream also holds what was deleted or written over since.

use std::collections::{HashMap, HashSet};

use super::powerpoint::record_at;
use super::u32_at;

/// Editions that are followed.
const MAX_EDITIONS: u32 = 10_000;
/// Objects that are kept.
const MAX_OBJECTS: usize = 200_000;

const USER_EDIT: u16 = 0x0FF5;
const DIRECTORY: u16 = 0x1772;

/// Where objects are.
pub(super) struct Persist {
    /// Place of the document's record.
    pub document: usize,
    places: HashMap<u32, usize>,
}

impl Persist {
    /// The directory of a presentation's stream, by the stream that names its last edition; none where the two do not fit.
    pub fn of(stream: &[u8], current_user: &[u8]) -> Option<Self> {
        let mut at = u32_at(current_user, 16)? as usize;
        let (mut places, mut document) = (HashMap::new(), None);
        for _ in 0..MAX_EDITIONS {
            let (_, USER_EDIT, edition) = record_at(stream, at)? else {
                return None;
            };
            let (_, DIRECTORY, entries) = record_at(stream, u32_at(edition, 12)? as usize)? else {
                return None;
            };
            document = document.or(u32_at(edition, 16));
            add(entries, &mut places)?;
            let before = u32_at(edition, 8)? as usize;
            if before == 0 {
                let document = *places.get(&document?)?;
                return Some(Self { document, places });
            }
            // Editions are appended: what is not before this one is no earlier one.
            if before >= at {
                return None;
            }
            at = before;
        }
        None
    }

    /// Where an object is.
    pub fn place(&self, id: u32) -> Option<usize> {
        self.places.get(&id).copied()
    }

    /// Where all objects are.
    pub fn places(&self) -> HashSet<usize> {
        self.places.values().copied().collect()
    }
}

/// Adds what later editions have not written over: runs of places, each behind its first id (20 bits) and its length (12 bits).
fn add(mut entries: &[u8], places: &mut HashMap<u32, usize>) -> Option<()> {
    while let Some(run) = u32_at(entries, 0) {
        let (first, count) = (run & 0x000F_FFFF, run >> 20);
        for index in 0..count {
            let place = u32_at(entries, 4 + 4 * index as usize)? as usize;
            places.entry(first + index).or_insert(place);
        }
        entries = entries.get(4 + 4 * count as usize..)?;
        if places.len() > MAX_OBJECTS {
            return None;
        }
    }
    Some(())
}
