//! What a transaction has read, to be validated at commit.

use std::collections::BTreeSet;

/// Keys and ranges above this many are widened to one range over all of them: more conflicts, bounded memory.
const MAX_TRACKED: usize = 65_536;

/// Keys (present or absent) and half-open ranges that were read.
#[derive(Default)]
pub struct ReadSet {
    /// Single keys.
    pub keys: BTreeSet<Vec<u8>>,
    /// Ranges, start included, end not.
    pub ranges: Vec<(Vec<u8>, Vec<u8>)>,
}

impl ReadSet {
    /// True when nothing was read.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.ranges.is_empty()
    }

    /// Remembers one key.
    pub fn add_key(&mut self, key: &[u8]) {
        if !self.keys.contains(key) {
            self.keys.insert(key.to_vec());
            self.stay_bounded();
        }
    }

    /// Remembers `start <= key < end`.
    pub fn add_range(&mut self, start: Vec<u8>, end: Vec<u8>) {
        if start < end {
            self.ranges.push((start, end));
            self.stay_bounded();
        }
    }

    fn stay_bounded(&mut self) {
        if self.keys.len() + self.ranges.len() <= MAX_TRACKED {
            return;
        }
        let starts = self
            .ranges
            .iter()
            .map(|(start, _)| start)
            .chain(self.keys.first());
        let start = starts.min().cloned().unwrap_or_default();
        let after_last = self.keys.last().map(|key| after(key));
        let ends = self
            .ranges
            .iter()
            .map(|(_, end)| end)
            .chain(after_last.as_ref());
        let end = ends.max().cloned().unwrap_or_default();
        self.keys.clear();
        self.ranges = vec![(start, end)];
    }
}

/// The next key after `key`.
pub fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_keys_become_one_range_over_all() {
        let mut reads = ReadSet::default();
        reads.add_range(vec![9], vec![10]);
        for i in 0..MAX_TRACKED as u32 {
            reads.add_key(&i.to_be_bytes());
        }
        assert!(reads.keys.is_empty());
        assert_eq!(reads.ranges, vec![(0u32.to_be_bytes().to_vec(), vec![10])]);
    }
}
