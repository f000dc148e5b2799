//! What an engine gives: reads at one point of its history.

use crate::error::Result;
use crate::kv::{Number, Pair, Snapshot, Visit};

/// Reads at one point of an engine's history. Everything else about a [`Snapshot`] follows from it.
pub trait Base: Send {
    /// The value of `key`, if there is one.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>>;

    /// Visits the pairs with `start <= key < end` until `visit` says stop, from the end when `reverse`. About `expected` of
    /// them will be wanted; engines that fetch pages take that as the first page's size.
    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        expected: usize,
        visit: Visit,
    ) -> Result<()>;

    /// Visits every log's head and every counter.
    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()>;
}

/// A snapshot that only reads.
pub struct Plain<V>(pub V);

impl<V: Base> Snapshot for Plain<V> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(key)
    }

    fn range(&self, start: &[u8], end: &[u8], reverse: bool, limit: usize) -> Result<Vec<Pair>> {
        collect(limit, |visit| {
            self.0.walk(start, end, reverse, limit, visit)
        })
    }

    fn scan(&self, start: &[u8], end: &[u8], visit: Visit) -> Result<()> {
        self.0.walk(start, end, false, usize::MAX, visit)
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        self.0.numbers(visit)
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
