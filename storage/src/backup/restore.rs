//! Restoring: a point becomes a store again, in an empty folder.

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
use crate::kv::Store;
use crate::kv::leveldb::{LevelDbStore, Options};

/// Says which point is being restored, until it is.
const MARK: &str = "restoring";
/// Rows are loaded here, and become the store when everything else is there.
const PARTIAL: &str = "meta.restoring";

/// Where a store is to be restored.
pub struct Destination<'d> {
    /// The data folder; `meta` in it must not exist.
    pub data: &'d Path,
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
    let keys = keys(depot, point, passphrase, into)?;
    mark(point, into)?;
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
    progress.bytes_total = point.extents.values().map(|extent| extent.length).sum();
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
        progress.bytes += copied.length;
        open::go_on(&progress, tell)?;
    }
    let failed = |error| Error::io(format!("finishing {}", meta.display()), error);
    std::fs::rename(&partial, &meta).map_err(failed)?;
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
fn mark(point: &Point, into: &Destination<'_>) -> Result<()> {
    let path = into.data.join(MARK);
    let failed = |error| Error::io(format!("writing {}", path.display()), error);
    let again = std::fs::read_to_string(&path).is_ok_and(|name| name == point.name);
    for target in into.targets.iter().filter(|_| !again) {
        let Ok(files) = std::fs::read_dir(&target.folder) else {
            continue;
        };
        let mut names = files.filter_map(|file| Some(file.ok()?.file_name()));
        if names.any(|name| name.to_string_lossy().ends_with(".extent")) {
            return Err(Error::Engine(format!(
                "{} holds blocks already: restore into empty folders",
                target.folder.display()
            )));
        }
    }
    std::fs::write(&path, &point.name).map_err(failed)
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
