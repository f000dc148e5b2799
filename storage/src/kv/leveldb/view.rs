//! Reads at one point of history.

use std::sync::Arc;

use super::binding::{Db, DbSnapshot};
use super::keys;
use crate::error::Result;
use crate::kv::optimistic::{Base, numbers};
use crate::kv::{Number, Visit};

/// A snapshot in callers' keys.
pub struct View(DbSnapshot);

impl View {
    /// All that `db` holds now.
    pub fn new(db: &Arc<Db>) -> View {
        View(DbSnapshot::new(db))
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.0.get(&keys::data(key))
    }

    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        _expected: usize,
        visit: Visit,
    ) -> Result<()> {
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

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        for tag in [numbers::COUNTER, numbers::HEAD] {
            let mut iter = self.0.iterate()?;
            iter.seek(&[tag]);
            while let Some((key, value)) = iter.pair()
                && let Some(number) = numbers::of(key).filter(|_| key[0] == tag)
            {
                visit(number, crate::row::u64_at("a number", value, 0)?)?;
                iter.step(false);
            }
            iter.finish()?;
        }
        Ok(())
    }
}
