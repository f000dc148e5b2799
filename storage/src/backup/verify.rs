//! Verifying a point: everything in it is read back.

use std::collections::BTreeMap;
use std::path::Path;

use super::depot::Depot;
use super::point::Point;
use super::seal::{self, Passphrase};
use super::{Progress, Tell, open, restore, segment};
use crate::block::archive::{self, Opener};
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::kv::leveldb::{LevelDbStore, Options};
use crate::kv::{Snapshot, Store, prefix_end};
use crate::meta::{Env, Meta};

/// Problems that are told; more only says that there are more.
const MAX_PROBLEMS: usize = 1_000;

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Rows of metadata.
    pub rows: u64,
    /// Blocks that were read.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// True when every block was decrypted and hashed; false when there were no keys, and checksums alone were looked at.
    pub decrypted: bool,
    /// What is wrong.
    pub problems: Vec<String>,
}

/// Reads all of a point: rows into a store below `scratch`, where the invariants are checked, and every block. `keys` is the ring
/// to use where the backup has none of its own.
pub fn verify(
    depot: &Depot,
    point: &Point,
    keys: Option<Keyring>,
    passphrase: Option<&Passphrase>,
    scratch: &Path,
    tell: Tell<'_>,
) -> Result<VerifyReport> {
    let keys = match keys {
        Some(keys) => Some(keys),
        None => match seal::get(depot, point, passphrase) {
            Ok(keys) => Some(keys),
            Err(Error::Key(_)) if passphrase.is_none() => None,
            Err(error) => return Err(error),
        },
    };
    let mut report = VerifyReport {
        decrypted: keys.is_some(),
        ..VerifyReport::default()
    };
    let mut progress = Progress::default();
    let store = LevelDbStore::open(scratch, Options::default())?;
    open::load(
        depot,
        point,
        &store,
        &|_, row| Ok(row.to_vec()),
        &mut progress,
        tell,
    )?;
    report.rows = progress.rows;
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(store);
    let meta = Meta::open(store.clone(), Env::system())?;
    report.problems = meta.check(MAX_PROBLEMS, &mut |_| {})?;
    let rows = store.snapshot()?;
    archive::key_versions(&*rows, keys.as_ref())?;
    let (blocks, dangling) = archive::count(&*rows)?;
    if dangling > 0 {
        report.say(format!("{dangling} references name no block"));
    }
    let opener = Opener::new(keys);
    progress.bytes_total = point.block_bytes();
    for (id, copied) in &point.extents {
        let id = restore::extent(id)?;
        let mut expected = content(&*rows, id)?;
        for place in &copied.segments {
            let read = segment::read(depot, &point.line, id, *place, &mut |offset, record| {
                let Some(hash) = expected.remove(&offset) else {
                    return Ok(()); // dead by the time of this point, or from after it
                };
                report.blocks += 1;
                report.bytes += record.len() as u64;
                if !archive::is_record_of(record, &hash) {
                    report.say(format!("block {hash}: its record is damaged"));
                } else if let Err(error) = opener.check(&*rows, (id, offset, hash), record) {
                    report.say(format!("block {hash}: {error}"));
                }
                Ok(())
            });
            if let Err(error) = read {
                report.say(error.to_string());
            }
        }
        for hash in expected.into_values() {
            report.say(format!("block {hash} is not in the backup"));
        }
        progress.phase = "blocks";
        progress.blocks = report.blocks;
        progress.bytes = progress.bytes.saturating_add(copied.length);
        open::go_on(&progress, tell)?;
    }
    if report.problems.is_empty() && report.blocks != blocks {
        let found = report.blocks;
        report.say(format!(
            "{blocks} blocks are indexed, {found} are in extents"
        ));
    }
    Ok(report)
}

impl VerifyReport {
    fn say(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

/// What lies in an extent, by offset.
fn content(rows: &dyn Snapshot, id: crate::block::ExtentId) -> Result<BTreeMap<u64, BlockHash>> {
    let table = [&archive::CONTENT[..], &id.0.to_be_bytes()].concat();
    let mut content = BTreeMap::new();
    rows.scan(&table, &prefix_end(&table), &mut |key, value| {
        let (_, offset, hash) = archive::content(key, value)?;
        content.insert(offset, hash);
        Ok(true)
    })?;
    Ok(content)
}
