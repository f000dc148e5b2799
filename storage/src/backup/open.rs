//! Reading what a backup has: its points, and the rows of one.

use super::depot::Depot;
use super::point::{FOLDER, Point};
use super::rows;
use super::take::{COUNTER, HEAD, line_key};
use super::{Progress, corrupt, stopped};
use crate::block::archive;
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Batch, Store};

/// The complete points, oldest first.
pub fn points(depot: &Depot) -> Result<Vec<Point>> {
    let mut names = Vec::new();
    depot.each(FOLDER, &mut |object| {
        let name = object.name.strip_prefix(FOLDER).unwrap_or_default();
        if let Some(name) = name.trim_start_matches('/').strip_suffix(".json") {
            names.push(name.to_owned());
        }
        Ok(())
    })?;
    let mut points = names
        .iter()
        .map(|name| Point::read(depot, name))
        .collect::<Result<Vec<_>>>()?;
    points.sort_by(|a, b| (a.at_ms, &a.name).cmp(&(b.at_ms, &b.name)));
    Ok(points)
}

/// The point with a name, the newest at or before a moment, or the newest of all.
pub fn choose(depot: &Depot, name: Option<&str>, at_ms: Option<i64>) -> Result<Point> {
    if let Some(name) = name {
        return Point::read(depot, name);
    }
    let found = points(depot)?
        .into_iter()
        .rfind(|point| at_ms.is_none_or(|at_ms| point.at_ms <= at_ms));
    found.ok_or_else(|| {
        Error::Engine(format!(
            "there is no complete backup in {}{}",
            depot.url(),
            if at_ms.is_some() {
                " from then or before"
            } else {
                ""
            }
        ))
    })
}

/// What is done with an extent's row on its way: its key, its value; the value to write.
pub(super) type Rewrite<'r> = &'r dyn Fn(crate::block::ExtentId, &[u8]) -> Result<Vec<u8>>;

/// Loads a point's rows and numbers into an empty store. What ties a store to its own past stays out: the name of its life, and
/// the keys of cursors, so that clients begin anew instead of waiting for changes that they believe to have seen.
pub(super) fn load(
    depot: &Depot,
    point: &Point,
    store: &dyn Store,
    rewrite: Rewrite<'_>,
    progress: &mut Progress,
    tell: &mut dyn FnMut(&Progress) -> bool,
) -> Result<()> {
    let cursor_keys = [&[keyspace::SYSTEM], &b"cursor-key/"[..]].concat();
    for chunk in &point.rows {
        let mut batch = Batch::default();
        for (key, value) in rows::read(depot, chunk)? {
            progress.rows += 1;
            if key.starts_with(&cursor_keys) || key == line_key() {
                continue;
            }
            let value = match archive::extent_of(&key) {
                Some(extent) => rewrite(extent, &value)?,
                None => value,
            };
            batch.pairs.push((key, value));
        }
        store.load(&batch)?;
        progress.phase = "rows";
        if !tell(progress) {
            return Err(stopped());
        }
    }
    for chunk in &point.numbers {
        store.load(&numbers(rows::read(depot, chunk)?)?)?;
    }
    match progress.rows == point.row_count {
        true => Ok(()),
        false => Err(corrupt(
            format!("backup point {}", point.name),
            format!("{} rows instead of {}", progress.rows, point.row_count),
        )),
    }
}

pub(super) fn numbers(pairs: Vec<crate::kv::Pair>) -> Result<Batch> {
    let mut batch = Batch::default();
    for (key, value) in pairs {
        let number = crate::row::u64_at("a number in a backup", &value, 0)?;
        match key.split_first() {
            Some((&HEAD, log)) => batch.heads.push((log.to_vec(), number)),
            Some((&COUNTER, name)) => batch.counters.push((name.to_vec(), number.cast_signed())),
            _ => return Err(corrupt("a number in a backup", "its kind is unknown")),
        }
    }
    Ok(batch)
}

/// Tells progress between two units; an error when it is to end.
pub(super) fn go_on(progress: &Progress, tell: &mut dyn FnMut(&Progress) -> bool) -> Result<()> {
    match tell(progress) {
        true => Ok(()),
        false => Err(stopped()),
    }
}
