//! The extents of a stopped store are made anew on other targets, for a store that has its rows already (`firefly migrate`).

use std::sync::Arc;

use super::archive::{self, Rebuilder};
use super::extent::{self, Extent, State};
use super::placement;
use super::row::{self, ExtentId};
use super::target::{Disk, Target};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::kv::{Store, Transaction, prefix_end};

/// Rows of an extent's table read at a time.
const PAGE: usize = 256;

/// What was carried, and what the rows of the new store are to say of it.
#[derive(Debug, Default)]
pub struct Carried {
    /// Extents that were made.
    pub extents: u64,
    /// Their blocks' bytes.
    pub bytes: u64,
    /// Extents that an earlier run had made.
    pub were_there: u64,
    /// Blocks of which no replica was in order: the check tells which.
    pub lost: u64,
    placed: Vec<(ExtentId, Extent)>,
    said: Vec<String>,
}

impl Carried {
    /// Names the new targets in extents' rows, and forgets what operators have said about the old ones.
    pub fn place(&self, txn: &mut dyn Transaction) -> Result<()> {
        for (id, row) in &self.placed {
            extent::write(txn, *id, row)?;
        }
        placement::forget(txn, &self.said);
        Ok(())
    }
}

/// Makes every extent in the rows of `source` anew on `to`, from what lies on `from`, which stays as it is. What an interrupted run has
/// made is not made again. `tell` hears of bytes so far.
pub fn carry(
    source: &dyn Store,
    from: Vec<Target>,
    to: Vec<Target>,
    replicas: usize,
    tell: &mut dyn FnMut(u64),
) -> Result<Carried> {
    let rows = source.snapshot()?;
    let mut carried = Carried::default();
    let Some(name) = archive::store_name(&*rows)? else {
        return Ok(carried);
    };
    let said = placement::rows(&*rows)?;
    carried.said = said.into_iter().map(|(name, _)| name).collect();
    let from = from
        .into_iter()
        .map(|target| Disk::open(target, name, true, false));
    let from: Vec<Arc<Disk>> = from.collect::<Result<_>>()?;
    let rebuilder = Rebuilder::new(to, replicas, name)?;
    for (id, row) in extent::read_all(&*rows)? {
        let is_dropped = row.state == State::Dropped;
        if !is_dropped && rebuilder.has(id, &row) {
            carried.were_there += 1;
        } else if !is_dropped {
            copy(source, id, &row, &from, &rebuilder, &mut carried, tell)?;
        }
        let (state, targets) = match is_dropped {
            true => (State::Dropped, Vec::new()),
            false => (State::Sealed, rebuilder.targets(id)),
        };
        let row = Extent {
            state,
            targets,
            ..row
        };
        carried.placed.push((id, row));
    }
    Ok(carried)
}

fn copy(
    source: &dyn Store,
    id: ExtentId,
    row: &Extent,
    from: &[Arc<Disk>],
    to: &Rebuilder,
    carried: &mut Carried,
    tell: &mut dyn FnMut(u64),
) -> Result<()> {
    to.write(id, row.length, &mut |write| {
        each_block(source, id, &mut |offset, hash| {
            let records = from
                .iter()
                .map(|disk| archive::read_record(disk, id, offset, hash));
            match best(records) {
                Some(Ok(record)) => {
                    carried.bytes += record.len() as u64;
                    tell(carried.bytes);
                    write(offset, &record)
                }
                Some(Err(away @ Error::Unavailable(_))) => Err(away),
                _ => {
                    carried.lost += 1;
                    Ok(())
                }
            }
        })
    })?;
    carried.extents += 1;
    Ok(())
}

/// The first record that is in order, else why there is none: a machine that does not answer before all else.
fn best(records: impl Iterator<Item = Result<Vec<u8>>>) -> Option<Result<Vec<u8>>> {
    let mut last = None;
    for record in records {
        match record {
            Ok(record) => return Some(Ok(record)),
            Err(_) if matches!(last, Some(Err(Error::Unavailable(_)))) => {}
            Err(error) => last = Some(Err(error)),
        }
    }
    last
}

fn each_block(
    rows: &dyn Store,
    id: ExtentId,
    visit: &mut dyn FnMut(u64, &BlockHash) -> Result<()>,
) -> Result<()> {
    let table = row::content_prefix(id);
    let (mut start, end) = (table.clone(), prefix_end(&table));
    loop {
        let page = rows.snapshot()?.range(&start, &end, false, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        start = [&last[..], &[0]].concat();
        for (key, value) in &page {
            let (_, offset, hash) = archive::content(key, value)?;
            visit(offset, &hash)?;
        }
    }
}
