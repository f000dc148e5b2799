//! What backup and restore need to know of blocks: their records as they lie in extents, and extents' rows set anew.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::extent::{self, Extent, State, StoreId};
use super::row::{self, BlockRow, ExtentId, Location};
use super::seal::Sealer;
use super::target::{Disk, Target};
use super::{BlockStore, Shared, identity, record};
use crate::chunk::{BLOCK_BYTES, BlockHash};
use crate::error::{Error, Result};
use crate::key::Keyring;
use crate::keyspace;
use crate::kv::Snapshot;

/// Compression and encryption never add more than this to a block, bytes.
const MAX_OVERHEAD_BYTES: usize = 64 * 1024;
/// zstd's level of a sealer that only opens.
const ANY_LEVEL: i32 = 1;

/// Takes a record of an extent and its offset.
pub(crate) type Write<'a> = dyn FnMut(u64, &[u8]) -> Result<()> + 'a;

/// While it lives, no extent's files are removed: what a snapshot of the index names stays readable where it lay. // I7
pub struct Pin(std::sync::Arc<Shared>);

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.pins.fetch_sub(1, Ordering::SeqCst);
    }
}

impl BlockStore {
    /// Keeps every extent until the pin goes. To be taken before the snapshot that it protects.
    pub fn pin(&self) -> Pin {
        let _no_removal_runs =
            (self.shared.removal.write()).unwrap_or_else(PoisonError::into_inner);
        self.shared.pins.fetch_add(1, Ordering::SeqCst);
        Pin(self.shared.clone())
    }

    /// See [`Shared::any_record`].
    pub(crate) fn record(
        &self,
        extent: ExtentId,
        offset: u64,
        hash: &BlockHash,
    ) -> Result<Vec<u8>> {
        self.shared.any_record(extent, offset, hash)
    }
}

impl Shared {
    /// The undamaged record of `hash` at `offset` of an extent, from any replica, whatever the index says about it by now.
    /// [`Error::Unavailable`] when a machine that may have it does not answer.
    pub(super) fn any_record(
        &self,
        extent: ExtentId,
        offset: u64,
        hash: &BlockHash,
    ) -> Result<Vec<u8>> {
        let mut last = Error::BlockMissing(*hash);
        let targets = self.extent(extent).map(|row| row.targets);
        for target in targets.unwrap_or_default() {
            let Some(disk) = self.disk(&target) else {
                continue;
            };
            match read_record(&disk, extent, offset, hash) {
                Ok(record) => return Ok(record),
                Err(_) if matches!(last, Error::Unavailable(_)) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// True while a backup, or a copy in the making, reads extents.
    pub(super) fn is_pinned(&self) -> bool {
        self.pins.load(Ordering::SeqCst) > 0
    }
}

/// The undamaged record of `hash` at `offset` of an extent on one target.
pub(super) fn read_record(
    disk: &Disk,
    extent: ExtentId,
    offset: u64,
    hash: &BlockHash,
) -> Result<Vec<u8>> {
    let header = disk.read(extent, offset, record::HEADER_BYTES)?;
    let payload =
        record::payload_len(&header).filter(|len| *len <= BLOCK_BYTES + MAX_OVERHEAD_BYTES);
    let payload = payload.ok_or_else(|| record::damaged(hash, "no record here"))?;
    let bytes = disk.read(extent, offset, record::HEADER_BYTES + payload)?;
    record::check(&bytes, hash)?;
    Ok(bytes)
}

/// True when `record` is undamaged and says that it holds `hash`.
pub(crate) fn is_record_of(record: &[u8], hash: &BlockHash) -> bool {
    record::check(record, hash).is_ok()
}

/// The table of what lies in extents, and where to begin in it.
pub(crate) const CONTENT: [u8; 2] = [keyspace::EXTENT, 3];

/// Extent, offset and block of a row of [`CONTENT`].
pub(crate) fn content(key: &[u8], value: &[u8]) -> Result<(ExtentId, u64, BlockHash)> {
    let extent = ExtentId(crate::row::u64_at("extent's table", key, 2)?);
    let offset = crate::row::u64_at("extent's table", key, 10)?;
    Ok((extent, offset, row::hash_at(value, 0)?))
}

/// The store's name in a snapshot; none when it holds no blocks.
pub(crate) fn store_name(rows: &dyn Snapshot) -> Result<Option<StoreId>> {
    Ok(identity::read(rows)?.map(|identity| identity.store))
}

/// The key versions that the blocks of a snapshot need, checked against `keys` when there are any.
pub(crate) fn key_versions(rows: &dyn Snapshot, keys: Option<&Keyring>) -> Result<Vec<u32>> {
    let Some(identity) = identity::read(rows)? else {
        return Ok(Vec::new());
    };
    if let Some(keys) = keys {
        identity.check(keys)?;
    }
    Ok(identity
        .versions
        .iter()
        .map(|known| known.version)
        .collect())
}

/// Acknowledged lengths of all extents of a snapshot that have files, by id.
pub(crate) fn lengths(rows: &dyn Snapshot) -> Result<Vec<(ExtentId, u64)>> {
    let all = extent::read_all(rows)?.into_iter();
    let lasting = all.filter(|(_, row)| row.state != State::Dropped);
    Ok(lasting.map(|(id, row)| (id, row.length)).collect())
}

/// An extent's row for a restored store, which has it on `targets` and appends to it no more.
pub(crate) fn restored_row(id: ExtentId, value: &[u8], targets: Vec<String>) -> Result<Vec<u8>> {
    let row: Extent = crate::row::decode(&format!("row of extent {id}"), value)?;
    crate::row::encode(&Extent {
        state: match row.state {
            State::Dropped => State::Dropped,
            State::Open | State::Sealed => State::Sealed,
        },
        targets,
        ..row
    })
}

/// The id when `key` is that of an extent's row.
pub(crate) fn extent_of(key: &[u8]) -> Option<ExtentId> {
    let id = key.strip_prefix(&[keyspace::EXTENT, 1])?.first_chunk()?;
    Some(ExtentId(u64::from_be_bytes(*id)))
}

/// Opens blocks by their rows, for a verifier without a store of its own.
pub(crate) struct Opener {
    sealer: Sealer,
    keys: Option<Keyring>,
}

impl Opener {
    /// With no keys only checksums are looked at.
    pub(crate) fn new(keys: Option<Keyring>) -> Opener {
        Opener {
            sealer: Sealer::new(ANY_LEVEL),
            keys,
        }
    }

    /// Checks a record against the block's row in `rows`: that it is this block's and lies there, and where there are keys that
    /// it decrypts to what hashes to its name.
    pub(crate) fn check(
        &self,
        rows: &dyn Snapshot,
        (extent, offset, hash): (ExtentId, u64, BlockHash),
        record: &[u8],
    ) -> Result<()> {
        let row = row::read(rows, &hash)?.ok_or(Error::BlockMissing(hash))?;
        if row.location != (Location { extent, offset }) {
            return Err(record::damaged(&hash, "its index row names another place"));
        }
        let payload = record::payload(record, &hash, &row)?;
        if let Some(keys) = &self.keys {
            let key = keys.unwrap(&row.key, &hash)?;
            self.sealer.open(payload, &hash, &row, &key)?;
        }
        Ok(())
    }
}

/// How many blocks a snapshot's index has, and how many of its references name none (I1). Reads both tables.
pub(crate) fn count(rows: &dyn Snapshot) -> Result<(u64, u64)> {
    let (mut blocks, mut dangling) = (0, 0);
    let table = |table: u8| (vec![table], crate::kv::prefix_end(&[table]));
    let (start, end) = table(keyspace::BLOCK);
    rows.scan(&start, &end, &mut |key, value| {
        BlockRow::decode(&row::hash_at(key, 1)?, value)?;
        blocks += 1;
        Ok(true)
    })?;
    let (start, end) = table(keyspace::REFERENCE);
    let mut last = (BlockHash([0; 32]), true);
    rows.scan(&start, &end, &mut |key, _| {
        let hash = row::hash_at(key, 1)?;
        if hash != last.0 {
            last = (hash, rows.get(&row::block_key(&hash))?.is_some());
        }
        dangling += u64::from(!last.1);
        Ok(true)
    })?;
    Ok((blocks, dangling))
}

/// Writes extents' files anew, into folders that are the store's from then on.
pub(crate) struct Rebuilder {
    disks: Vec<std::sync::Arc<Disk>>,
    replicas: usize,
}

impl Rebuilder {
    /// Takes the folders for the store `name`; fails when one belongs to another, or is in use.
    pub(crate) fn new(targets: Vec<Target>, replicas: usize, name: StoreId) -> Result<Rebuilder> {
        let disks = targets
            .into_iter()
            .map(|target| Disk::open(target, name, false, false));
        Ok(Rebuilder {
            disks: disks.collect::<Result<_>>()?,
            replicas,
        })
    }

    /// The targets of an extent: as many as blocks have replicas, taken in turn.
    pub(crate) fn targets(&self, id: ExtentId) -> Vec<String> {
        self.chosen(id)
            .map(|disk| disk.target.name.clone())
            .collect()
    }

    /// True when all of its targets have the extent.
    pub(super) fn has(&self, id: ExtentId, row: &Extent) -> bool {
        self.chosen(id).all(|disk| disk.has(id, row))
    }

    /// One on other machines is always among them.
    fn chosen(&self, id: ExtentId) -> impl Iterator<Item = &Disk> {
        let first = id.0 as usize % self.disks.len().max(1);
        let turns = self.disks.iter().cycle().skip(first);
        let mut disks: Vec<&Disk> = turns
            .take(self.disks.len())
            .map(std::sync::Arc::as_ref)
            .collect();
        if let Some(remote) = disks.iter().position(|disk| disk.keeps_copies()) {
            disks[..=remote].rotate_right(1);
        }
        disks.into_iter().take(self.replicas)
    }

    /// Makes an extent's files of `length` bytes, in place of older ones. `records` calls with each record and its offset; what
    /// lies between them stays empty.
    pub(crate) fn write(
        &self,
        id: ExtentId,
        length: u64,
        records: &mut dyn FnMut(&mut Write<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut files = Vec::new();
        for disk in self.chosen(id) {
            files.push((disk, disk.begin_copy(id)?));
        }
        records(&mut |offset, record| {
            let mut files = files.iter();
            files.try_for_each(|(disk, file)| disk.write(id, file, record, offset))
        })?;
        for (disk, file) in files {
            disk.cut(id, &file, length)?;
            disk.sync(id, &file)?;
            disk.end_copy(id, file)?;
        }
        Ok(())
    }
}
