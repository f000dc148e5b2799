//! What is on another machine, as its listing said at the start and as it became since: nobody else writes there.

use std::collections::{BTreeMap, HashMap};

use super::super::extent::HEADER_BYTES;
use super::super::row::ExtentId;
use crate::object::Listed;

/// The objects of a place.
#[derive(Debug, Default)]
pub struct Inventory {
    /// Whole extents and their lengths.
    wholes: HashMap<ExtentId, u64>,
    /// Groups of extents that are not whole: where each begins, and its length.
    groups: HashMap<ExtentId, BTreeMap<u64, u64>>,
}

/// The object in which a record is.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    Whole,
    /// The group that begins there.
    Group(u64),
}

impl Inventory {
    /// Of the listings of both folders; names of something else are left out.
    pub fn new(wholes: &[Listed], groups: &[Listed]) -> Self {
        let mut inventory = Inventory::default();
        for object in wholes {
            let file = object.name.rsplit('/').next().unwrap_or_default();
            if let Some(extent) = file.strip_suffix(".extent").and_then(number) {
                inventory.add_whole(ExtentId(extent), object.size);
            }
        }
        for object in groups {
            let mut parts = object.name.rsplit('/');
            let (offset, extent) = (parts.next(), parts.next());
            if let (Some(offset), Some(extent)) = (offset.and_then(number), extent.and_then(number))
            {
                inventory.add_group(ExtentId(extent), offset, object.size);
            }
        }
        inventory
    }

    pub fn add_whole(&mut self, extent: ExtentId, length: u64) {
        self.wholes.insert(extent, length);
    }

    pub fn add_group(&mut self, extent: ExtentId, offset: u64, length: u64) {
        let groups = self.groups.entry(extent).or_default();
        groups.insert(offset, length);
    }

    pub fn drop_groups(&mut self, extent: ExtentId) {
        self.groups.remove(&extent);
    }

    /// What is there of an extent, as it was just listed.
    pub fn replace(&mut self, extent: ExtentId, whole: Option<u64>, mut listed: Inventory) {
        self.forget(extent);
        self.wholes.extend(whole.map(|length| (extent, length)));
        let groups = listed.groups.remove(&extent);
        self.groups.extend(groups.map(|groups| (extent, groups)));
    }

    pub fn forget(&mut self, extent: ExtentId) {
        self.wholes.remove(&extent);
        self.groups.remove(&extent);
    }

    /// True when anything of the extent is there.
    pub fn knows(&self, extent: ExtentId) -> bool {
        self.wholes.contains_key(&extent) || self.groups.contains_key(&extent)
    }

    /// True when the extent is one object, and nothing is left of its groups.
    pub fn is_whole(&self, extent: ExtentId) -> bool {
        !self.groups.contains_key(&extent)
    }

    /// True when the extent is there up to `length`, without a gap.
    pub fn covers(&self, extent: ExtentId, length: u64) -> bool {
        if self
            .wholes
            .get(&extent)
            .is_some_and(|whole| *whole >= length)
        {
            return true;
        }
        let Some(groups) = self.groups.get(&extent) else {
            return false;
        };
        let mut covered = HEADER_BYTES;
        for (offset, length) in groups.range(HEADER_BYTES..) {
            if *offset > covered {
                break;
            }
            covered = covered.max(offset + length);
        }
        covered >= length
    }

    /// Where a record is that begins at `offset`: records do not span groups.
    pub fn piece(&self, extent: ExtentId, offset: u64) -> Option<Piece> {
        if self.wholes.contains_key(&extent) {
            return Some(Piece::Whole);
        }
        let groups = self.groups.get(&extent)?;
        let (start, _) = groups.range(..=offset).next_back()?;
        Some(Piece::Group(*start))
    }
}

fn number(hex: &str) -> Option<u64> {
    u64::from_str_radix(hex, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, size: u64) -> Listed {
        Listed {
            name: name.into(),
            size,
        }
    }

    #[test]
    fn a_listing_says_what_is_there() {
        let inventory = Inventory::new(
            &[
                listed("extents/0000000000000003.extent", 900),
                listed("extents/x", 1),
            ],
            &[
                listed("open/0000000000000004/0000000000000000", 64),
                listed("open/0000000000000004/0000000000000040", 36),
                listed("open/0000000000000004/0000000000000064", 50),
                listed("open/0000000000000004/0000000000000200", 10),
            ],
        );
        let (whole, open) = (ExtentId(3), ExtentId(4));
        assert!(inventory.covers(whole, 900) && !inventory.covers(whole, 901));
        assert!(inventory.is_whole(whole) && !inventory.is_whole(open));
        assert!(inventory.covers(open, 150) && !inventory.covers(open, 151));
        assert_eq!(inventory.piece(whole, 64), Some(Piece::Whole));
        assert_eq!(inventory.piece(open, 0x70), Some(Piece::Group(0x64)));
        assert_eq!(inventory.piece(ExtentId(5), 64), None);
        assert!(!inventory.knows(ExtentId(5)));
    }
}
