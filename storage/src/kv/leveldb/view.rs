//! Reads at one point of history.

use std::sync::Arc;

use super::binding::{Db, DbSnapshot};
use super::keys;
use crate::error::Result;
use crate::kv::{Number, Pair, Snapshot, Visit};

/// A snapshot in callers' keys.
pub struct View(DbSnapshot);

impl View {
    /// All that `db` holds now.
    pub fn new(db: &Arc<Db>) -> View {
        View(DbSnapshot::new(db))
    }

    /// Visits the pairs with `start <= key < end` until `visit` says stop, from the end when `reverse`.
    pub fn walk(&self, start: &[u8], end: &[u8], reverse: bool, visit: Visit) -> Result<()> {
        if start >= end {
            return Ok(());
        }
        let (start, end) = (keys::data(start), keys::data(end));
        let mut iter = self.0.iterate()?;
        match reverse {
            false => iter.seek(&start),
            true => iter.seek_before(&end),
        }
        while let Some((key, value)) = iter.pair() {
            let inside = if reverse {
                key >= &start[..]
            } else {
                key < &end[..]
            };
            if !inside || !visit(keys::of_data(key), value)? {
                break;
            }
            iter.step(reverse);
        }
        iter.finish()
    }
}

impl Snapshot for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(&keys::data(key))
    }

    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>> {
        collect(limit, |visit| self.walk(start, end, reverse, visit))
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: Visit) -> Result<()> {
        self.walk(start, end, false, visit)
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        self.tagged(&keys::counters(), &mut |key, value| {
            visit(Number::Counter(key), value)
        })?;
        self.tagged(&keys::heads(), &mut |key, value| {
            visit(Number::Head(key), value)
        })
    }
}

impl View {
    /// Visits the numbers whose keys begin with `tag`.
    fn tagged(&self, tag: &[u8; 1], visit: &mut dyn FnMut(&[u8], u64) -> Result<()>) -> Result<()> {
        let mut iter = self.0.iterate()?;
        iter.seek(tag);
        while let Some((key, value)) = iter.pair() {
            if !key.starts_with(tag) {
                break;
            }
            visit(&key[1..], crate::row::u64_at("a number", value, 0)?)?;
            iter.step(false);
        }
        iter.finish()
    }
}

/// Gathers what `walk` visits, at most `limit` pairs.
pub fn collect(limit: usize, walk: impl FnOnce(Visit) -> Result<()>) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    if limit > 0 {
        walk(&mut |key, value| {
            pairs.push((key.to_vec(), value.to_vec()));
            Ok(pairs.len() < limit)
        })?;
    }
    Ok(pairs)
}
