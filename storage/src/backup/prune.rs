//! Pruning: old points go, and what only they had.

use std::collections::HashSet;

use super::depot::Depot;
use super::point::{self, Point};
use super::restore::extent;
use super::{open, rows, segment};
use crate::error::Result;

/// Holder of the lock while pruning.
const HOLDER: &str = "prune";

/// Which points stay: those that either bound keeps. The newest stays in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest.
    pub last: usize,
    /// Those from this moment or later, milliseconds since 1970.
    pub since_ms: Option<i64>,
}

/// What pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct PruneReport {
    /// Names of the points that went.
    pub removed: Vec<String>,
    /// Points that are left.
    pub kept: usize,
    /// Objects that went, manifests not counted.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Removes points, then what no point names any more. One that was killed is finished by the next.
pub fn prune(depot: &Depot, keep: Keep, now_ms: i64) -> Result<PruneReport> {
    let mut lock = depot.lock(HOLDER, now_ms)?;
    let points = open::points(depot)?;
    let count = points.len();
    let stays = |at: usize, point: &Point| {
        count - at <= keep.last.max(1) || keep.since_ms.is_some_and(|since| point.at_ms >= since)
    };
    let mut report = PruneReport::default();
    let mut named: HashSet<String> = HashSet::new();
    for (at, point) in points.iter().enumerate() {
        if stays(at, point) {
            report.kept += 1;
            name_all(point, &mut named)?;
            continue;
        }
        depot.delete(&point::object(&point.name))?;
        depot.delete(&point::keys_object(&point.name))?;
        report.removed.push(point.name.clone());
    }
    for folder in ["rows", "segments", "keys"] {
        let mut gone = Vec::new();
        depot.each(folder, &mut |object| {
            if !named.contains(&object.name) {
                gone.push((object.name.clone(), object.size));
            }
            Ok(())
        })?;
        for (name, size) in gone {
            depot.delete(&name)?;
            lock.renew(now_ms)?;
            report.objects += 1;
            report.bytes += size;
        }
    }
    Ok(report)
}

/// The names of all objects that a point needs.
fn name_all(point: &Point, named: &mut HashSet<String>) -> Result<()> {
    named.insert(point::keys_object(&point.name));
    let chunks = point.rows.iter().chain(&point.numbers);
    named.extend(chunks.map(|chunk| rows::name(&chunk.sha256)));
    for (id, copied) in &point.extents {
        let id = extent(id)?;
        let segments = copied.segments.iter();
        named.extend(segments.map(|place| segment::name(&point.line, id, *place)));
    }
    Ok(())
}
