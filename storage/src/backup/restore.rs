//! Restoring: a point becomes a store again, in an empty folder, and where that is wanted an empty database.

use std::fs::File;
use std::path::Path;

use super::depot::Depot;
use super::point::Point;
use super::seal::{self, Passphrase};
use super::{Progress, Tell, corrupt, open, segment};
use crate::block::archive::{self, Rebuilder};
use crate::block::{ExtentId, Target};
use crate::error::{Error, Result};
use crate::key::{Keyring, Source};
use crate::kv::leveldb::{LevelDbStore, Options};
use crate::kv::{Store, carry};

/// Says which point is being restored, until it is.
const MARK: &str = "restoring";
/// Rows are loaded here, and become the store, or are carried to the database, when everything else is there.
const PARTIAL: &str = "meta.restoring";

/// Where a store is to be restored.
pub struct Destination<'d> {
    /// The data folder; `meta` in it must not exist.
    pub data: &'d Path,
    /// The database for the rows, which must be empty; they go into `meta` when there is none.
    pub database: Option<&'d dyn Store>,
    /// Where the key ring is, or is written to when only the backup has it.
    pub keys: Source,
    /// Folders for blocks.
    pub targets: Vec<Target>,
    /// Copies of each block.
    pub replicas: usize,
}

/// Makes the store of `point` in `into`. A restore that was killed is begun again by the same call; nothing of it counts as a
/// store before it is whole. Returns the ring that reads it.
pub fn restore(
    depot: &Depot,
    point: &Point,
    passphrase: Option<&Passphrase>,
    into: &Destination<'_>,
    tell: Tell<'_>,
) -> Result<Keyring> {
    let (meta, partial) = (into.data.join("meta"), into.data.join(PARTIAL));
    if meta.exists() {
        return Err(Error::Engine(format!(
            "{} has a store already: restore into an empty folder",
            into.data.display()
        )));
    }
    let again = is_marked(point, into.data);
    if let Some(database) = into.database
        && !carry::reserve(database)?
        && !again
    {
        let why = "the database has a store already: restore into an empty one";
        return Err(Error::Engine(why.into()));
    }
    let keys = keys(depot, point, passphrase, into)?;
    mark(point, again, into)?;
    let store_name = name(point)?;
    let rebuilder = Rebuilder::new(into.targets.clone(), into.replicas, store_name)?;
    remove_if_there(&partial)?;
    let mut progress = Progress::default();
    {
        let store = LevelDbStore::open(&partial, Options::default())?;
        let rewrite =
            |id: ExtentId, row: &[u8]| archive::restored_row(id, row, rebuilder.targets(id));
        open::load(depot, point, &store, &rewrite, &mut progress, tell)?;
        archive::key_versions(&*store.snapshot()?, Some(&keys))?;
    }
    progress.bytes_total = point.block_bytes();
    for (id, copied) in &point.extents {
        let id = extent(id)?;
        rebuilder.write(id, copied.length, &mut |write| {
            for place in &copied.segments {
                segment::read(depot, &point.line, id, *place, &mut |offset, record| {
                    progress.blocks += 1;
                    // A segment may go on behind the point, when a later one made it anew.
                    match offset < copied.length {
                        true => write(offset, record),
                        false => Ok(()),
                    }
                })?;
            }
            Ok(())
        })?;
        progress.phase = "blocks";
        progress.bytes = progress.bytes.saturating_add(copied.length);
        open::go_on(&progress, tell)?;
    }
    let failed = |error| Error::io(format!("finishing {}", meta.display()), error);
    match into.database {
        None => std::fs::rename(&partial, &meta).map_err(failed)?,
        Some(database) => {
            progress.phase = "rows to the database";
            let store = LevelDbStore::open(&partial, Options::default())?;
            carry::carry(&store, database, &mut |rows| {
                progress.rows = rows;
                // What is carried is compared by the next run, so it is not ended in the middle.
                let _goes_on = tell(&progress);
            })?;
            drop(store);
            remove_if_there(&partial)?;
        }
    }
    std::fs::remove_file(into.data.join(MARK)).map_err(failed)?;
    File::open(into.data)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)?;
    Ok(keys)
}

/// The ring in the destination, or else that of the backup, which is written there.
fn keys(
    depot: &Depot,
    point: &Point,
    passphrase: Option<&Passphrase>,
    into: &Destination<'_>,
) -> Result<Keyring> {
    match &into.keys {
        Source::File(path) if !path.exists() => {
            let text = seal::document(depot, point, passphrase)?;
            Keyring::install(into.keys.clone(), &text)
        }
        source => Keyring::load(source.clone()),
    }
}

/// Notes what is being restored. Refused where folders for blocks hold extents that no earlier restore of this point has made:
/// they may be all that is left of a store.
fn mark(point: &Point, again: bool, into: &Destination<'_>) -> Result<()> {
    let path = into.data.join(MARK);
    let failed = |error| Error::io(format!("writing {}", path.display()), error);
    for target in into.targets.iter().filter(|_| !again) {
        if target.holds_extents()? {
            return Err(Error::Engine(format!(
                "{} holds blocks already: restore into an empty place",
                target.name
            )));
        }
    }
    std::fs::write(&path, &point.name).map_err(failed)
}

/// Whether a restore of this very point was begun in a data folder and not finished.
fn is_marked(point: &Point, data: &Path) -> bool {
    std::fs::read_to_string(data.join(MARK)).is_ok_and(|name| name == point.name)
}

/// Whether a restore was begun in a data folder and not finished: it must not be used.
pub fn is_unfinished(data: &Path) -> bool {
    data.join(MARK).exists()
}

/// The store's name in a manifest.
pub(super) fn name(point: &Point) -> Result<crate::block::StoreId> {
    let mut name = [0; 16];
    hex::decode_to_slice(&point.store, &mut name)
        .map_err(|_| corrupt(format!("backup point {}", point.name), "the store's name"))?;
    Ok(crate::block::StoreId(name))
}

/// An extent's id in a manifest.
pub(super) fn extent(id: &str) -> Result<ExtentId> {
    let number = u64::from_str_radix(id, 16);
    let number = number.map_err(|_| corrupt("backup point", format!("extent {id:?}")))?;
    Ok(ExtentId(number))
}

fn remove_if_there(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", folder.display()), error))
        }
        _ => Ok(()),
    }
}
