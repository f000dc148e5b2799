//! Reads at one point of history: a consistent snapshot of InnoDB's on a connection of its own.

use std::cell::RefCell;
use std::sync::Arc;

use sqlx::mysql::MySqlRow;

use super::cache::{Cache, Cached};
use super::connection::{Connection, Failure, column, number};
use super::pool::{Lease, Pool};
use crate::error::{Error, Result};
use crate::kv::optimistic::{Base, after, numbers};
use crate::kv::{Number, Visit};

const START: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// The value of a key.
pub const GET: &str = "SELECT v FROM firefly_rows WHERE k = ?";
const FORWARD: &str = "SELECT k, v FROM firefly_rows WHERE k >= ? AND k < ? ORDER BY k LIMIT ?";
const BACKWARD: &str =
    "SELECT k, v FROM firefly_rows WHERE k >= ? AND k < ? ORDER BY k DESC LIMIT ?";
const NUMBERS: &str = "SELECT k, n FROM firefly_numbers WHERE k > ? ORDER BY k LIMIT ?";
/// Rows of the first page when nobody says how many are wanted, and of the largest page.
const PAGE: (usize, usize) = (128, 1_024);

/// A snapshot.
pub struct View {
    lease: RefCell<Lease>,
    cached: Option<Cached>,
}

impl View {
    fn new(lease: Lease, cached: Option<Cached>) -> View {
        View {
            lease: RefCell::new(lease.in_snapshot()),
            cached,
        }
    }

    /// All that is committed now.
    pub fn open(pool: &Arc<Pool>) -> Result<View> {
        let (lease, _) = pool.begin(|connection| connection.run(START.to_owned()))?;
        Ok(View::new(lease, None))
    }

    /// The same; rows may be had from the cache.
    pub fn cached(pool: &Arc<Pool>, cache: &Arc<Cache>) -> Result<View> {
        let (lease, (question, sets)) = pool.begin(|connection| {
            let question = cache.question();
            let sets = connection.run(format!("{START}; {}", question.sql))?;
            Ok((question, sets))
        })?;
        let commits = sets.get(1).map_or(&[][..], Vec::as_slice);
        let cached = cache.follow(&question, commits)?;
        Ok(View::new(lease, cached))
    }

    /// The same without the cache, and with the clock's version.
    pub fn dated(pool: &Arc<Pool>) -> Result<(View, u64)> {
        let sql = format!("{START}; SELECT version FROM firefly_clock WHERE id = 1");
        let (lease, sets) = pool.begin(|connection| connection.run(sql.clone()))?;
        let view = View::new(lease, None);
        let row = sets.get(1).and_then(|rows| rows.first());
        let row = row.ok_or_else(|| Error::Corrupt {
            what: "the metadata database".into(),
            detail: "it has no clock".into(),
        })?;
        Ok((view, column(row, 0)?))
    }

    /// A lost connection ends the snapshot.
    fn call<T>(&self, call: impl FnOnce(&mut Connection) -> Result<T, Failure>) -> Result<T> {
        let mut lease = self.lease.borrow_mut();
        match lease.connection().and_then(call) {
            Err(Failure::Lost(reason) | Failure::Again(reason)) => {
                tracing::warn!(reason, "a snapshot of the metadata database was lost");
                lease.lose();
                Err(Error::Conflict { attempts: 1 })
            }
            done => Ok(done?),
        }
    }

    fn page(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let sql = if reverse { BACKWARD } else { FORWARD };
        self.call(|connection| {
            let rows = connection.fetch(sql, &[start, end], Some(limit as u64))?;
            rows.iter().map(pair).collect()
        })
    }
}

impl Base for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let cached = self.cached.as_ref();
        if let Some(value) = cached.and_then(|cached| cached.get(key)) {
            return Ok(value);
        }
        let value: Option<Vec<u8>> = self.call(|connection| {
            let rows = connection.fetch(GET, &[key], None)?;
            rows.first().map(|row| column(row, 0)).transpose()
        })?;
        if let Some(cached) = cached {
            cached.put(key, value.as_deref());
        }
        Ok(value)
    }

    fn walk(
        &self,
        start: &[u8],
        end: &[u8],
        reverse: bool,
        expected: usize,
        visit: Visit,
    ) -> Result<()> {
        let (mut start, mut end) = (start.to_vec(), end.to_vec());
        let mut limit = match expected {
            usize::MAX => PAGE.0,
            expected => expected.clamp(1, PAGE.1),
        };
        while start < end {
            let page = self.page(&start, &end, reverse, limit)?;
            for (key, value) in &page {
                if !visit(key, value)? {
                    return Ok(());
                }
            }
            match page.last() {
                Some((last, _)) if page.len() == limit && reverse => end.clone_from(last),
                Some((last, _)) if page.len() == limit => start = after(last),
                _ => return Ok(()),
            }
            limit = (limit * 4).clamp(PAGE.0, PAGE.1);
        }
        Ok(())
    }

    fn numbers(&self, visit: &mut dyn FnMut(Number<'_>, u64) -> Result<()>) -> Result<()> {
        let mut from = Vec::new();
        loop {
            let page: Vec<(Vec<u8>, u64)> = self.call(|connection| {
                let rows = connection.fetch(NUMBERS, &[&from], Some(PAGE.1 as u64))?;
                rows.iter().map(number).collect()
            })?;
            for (at, value) in &page {
                numbers::of(at).map_or(Ok(()), |number| visit(number, *value))?;
            }
            match page.into_iter().last() {
                Some((last, _)) => from = last,
                None => return Ok(()),
            }
        }
    }
}

fn pair(row: &MySqlRow) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    Ok((column(row, 0)?, column(row, 1)?))
}
