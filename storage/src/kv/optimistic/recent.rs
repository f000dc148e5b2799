//! The newest writes in memory: what a commit validates reads against.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::reads::ReadSet;

/// More remembered writes than this make transactions conflict that began before the oldest of them.
const MAX_REMEMBERED: usize = 262_144;

/// Key -> version of its last write, for all writes after [`Recent::floor`].
#[derive(Default)]
pub struct Recent {
    versions: BTreeMap<Arc<[u8]>, u64>,
    order: VecDeque<(u64, Arc<[u8]>)>,
    floor: u64,
}

impl Recent {
    /// True when nothing in `reads` was written after `version`, as far as is known: what began below the floor is refused.
    pub fn allows(&self, reads: &ReadSet, version: u64) -> bool {
        if reads.is_empty() {
            return true;
        }
        version >= self.floor
            && reads
                .keys
                .iter()
                .all(|key| self.versions.get(&key[..]).is_none_or(|at| *at <= version))
            && reads
                .ranges
                .iter()
                .all(|(start, end)| self.range_is_older(start, end, version))
    }

    /// Remembers that `key` was written at `version` (never below an earlier one).
    pub fn add(&mut self, key: &[u8], version: u64) {
        let key: Arc<[u8]> = key.into();
        self.versions.insert(key.clone(), version);
        self.order.push_back((version, key));
    }

    /// Forgets writes that no transaction begun at `oldest` or later could conflict with, and the oldest above the bound.
    pub fn prune(&mut self, oldest: u64) {
        if self
            .order
            .back()
            .is_some_and(|(version, _)| *version <= oldest)
        {
            self.versions.clear();
            self.order.clear();
        }
        while let Some((version, key)) = self.order.front() {
            if *version > oldest && self.order.len() <= MAX_REMEMBERED {
                break;
            }
            self.floor = self.floor.max(*version);
            if self.versions.get(key) == Some(version) {
                self.versions.remove(key);
            }
            self.order.pop_front();
        }
    }

    /// Refuses every transaction begun before `version`.
    pub fn forget_before(&mut self, version: u64) {
        self.versions.clear();
        self.order.clear();
        self.floor = version;
    }

    fn range_is_older(&self, start: &[u8], end: &[u8], version: u64) -> bool {
        let bounds = (Bound::Included(start), Bound::Excluded(end));
        self.versions
            .range::<[u8], _>(bounds)
            .all(|(_, at)| *at <= version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(keys: &[&[u8]], ranges: &[(&[u8], &[u8])]) -> ReadSet {
        let mut set = ReadSet::default();
        keys.iter().for_each(|key| set.add_key(key));
        ranges
            .iter()
            .for_each(|(start, end)| set.add_range(start.to_vec(), end.to_vec()));
        set
    }

    #[test]
    fn newer_writes_to_read_keys_and_ranges_refuse() {
        let mut recent = Recent::default();
        recent.add(b"b", 5);
        assert!(recent.allows(&reads(&[b"b"], &[]), 5));
        assert!(!recent.allows(&reads(&[b"b"], &[]), 4));
        assert!(!recent.allows(&reads(&[], &[(b"a", b"c")]), 4));
        assert!(recent.allows(&reads(&[b"a"], &[(b"c", b"d"), (b"a", b"b")]), 4));
    }

    #[test]
    fn pruning_keeps_what_an_older_transaction_needs() {
        let mut recent = Recent::default();
        recent.add(b"a", 1);
        recent.add(b"b", 2);
        recent.add(b"a", 3);
        recent.prune(2);
        assert!(!recent.allows(&reads(&[b"a"], &[]), 2));
        assert!(recent.allows(&reads(&[b"b"], &[]), 2));
        assert!(!recent.allows(&reads(&[b"c"], &[]), 1), "below the floor");
        assert!(recent.allows(&reads(&[], &[]), 1), "nothing was read");
    }

    #[test]
    fn memory_is_bounded_and_the_floor_rises() {
        let mut recent = Recent::default();
        for i in 0..=MAX_REMEMBERED as u64 {
            recent.add(&i.to_be_bytes(), i + 1);
        }
        recent.prune(0);
        assert!(!recent.allows(&reads(&[b"a"], &[]), 0));
        assert!(recent.allows(&reads(&[b"a"], &[]), 1));
    }
}
