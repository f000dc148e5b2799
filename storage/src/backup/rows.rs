//! Chunks of rows: compressed, named by their hash, and cut where the keys say so, so that rows which did not change make the
//! same chunks again.

use sha2::{Digest, Sha256};

use super::corrupt;
use super::depot::Depot;
use super::point::Chunk;
use crate::error::{Error, Result};
use crate::kv::Pair;

const MAGIC: &[u8; 4] = b"FFRW";
const VERSION: u8 = 1;
/// A chunk ends behind a key whose checksum ends in these bits: every 4,096 rows on average.
const CUT_MASK: u32 = 0xfff;
/// A chunk is cut at this size anyway, bytes.
const MAX_CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a chunk that are accepted when it is read: one row may be long.
const MAX_READ_BYTES: usize = 256 * 1024 * 1024;
/// zstd's level.
const LEVEL: i32 = 3;

/// Called with a row's key and value.
pub(super) type VisitRow<'a> = dyn FnMut(&[u8], &[u8]) -> Result<()> + 'a;

/// Gathers rows and stores full chunks.
pub(super) struct Writer<'d> {
    depot: &'d Depot,
    bytes: Vec<u8>,
    first: Vec<u8>,
    rows: u64,
    pub chunks: Vec<Chunk>,
    /// Bytes of chunks that were not there yet.
    pub new_bytes: u64,
}

impl<'d> Writer<'d> {
    pub fn new(depot: &'d Depot) -> Self {
        Writer {
            depot,
            bytes: Vec::new(),
            first: Vec::new(),
            rows: 0,
            chunks: Vec::new(),
            new_bytes: 0,
        }
    }

    /// Takes the next row.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.rows == 0 {
            self.first = key.to_vec();
        }
        self.rows += 1;
        for part in [key, value] {
            self.bytes.extend((part.len() as u32).to_be_bytes());
            self.bytes.extend(part);
        }
        if crc32c::crc32c(key) & CUT_MASK == CUT_MASK || self.bytes.len() >= MAX_CHUNK_BYTES {
            self.cut()?;
        }
        Ok(())
    }

    /// Stores what is left.
    pub fn cut(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let packed = zstd::bulk::compress(&self.bytes, LEVEL);
        let packed = packed.map_err(|e| Error::io("compressing rows", e))?;
        let mut object = [
            &MAGIC[..],
            &[VERSION],
            &(self.bytes.len() as u32).to_be_bytes(),
        ]
        .concat();
        object.extend(packed);
        let sha256 = hex::encode(Sha256::digest(&object));
        if !self.depot.has(&name(&sha256))? {
            self.new_bytes += object.len() as u64;
            self.depot.put(&name(&sha256), object)?;
        }
        self.chunks.push(Chunk {
            sha256,
            first: hex::encode(&self.first),
            rows: self.rows,
        });
        self.bytes.clear();
        self.rows = 0;
        Ok(())
    }
}

/// The object of a chunk.
pub(super) fn name(sha256: &str) -> String {
    format!("rows/{}/{sha256}", sha256.get(..2).unwrap_or_default())
}

/// The rows of a chunk, which must be what its name says.
pub(super) fn read(depot: &Depot, chunk: &Chunk) -> Result<Vec<Pair>> {
    let name = name(&chunk.sha256);
    unpack(&name, &depot.need(&name)?, chunk)
}

/// The rows in an object.
pub(super) fn unpack(name: &str, object: &[u8], chunk: &Chunk) -> Result<Vec<Pair>> {
    let damaged = |detail: &str| corrupt(format!("backup object {name}"), detail);
    if hex::encode(Sha256::digest(object)) != chunk.sha256 {
        return Err(damaged("its hash is another"));
    }
    let header = object.get(..9).ok_or_else(|| damaged("it is too short"))?;
    if header[..4] != *MAGIC {
        return Err(damaged("it holds no rows"));
    }
    if header[4] > VERSION {
        return Err(Error::NewerFormat {
            what: name.to_owned(),
            found: u32::from(header[4]),
            supported: u32::from(VERSION),
        });
    }
    let length = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) as usize;
    if length > MAX_READ_BYTES {
        return Err(damaged("it is too long"));
    }
    let bytes = zstd::bulk::decompress(&object[9..], length);
    let bytes = bytes.map_err(|e| damaged(&e.to_string()))?;
    let (mut rest, mut pairs) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let mut part = || -> Option<Vec<u8>> {
            let (length, after) = rest.split_at_checked(4)?;
            let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
            let (part, after) = after.split_at_checked(length)?;
            rest = after;
            Some(part.to_vec())
        };
        match (part(), part()) {
            (Some(key), Some(value)) => pairs.push((key, value)),
            _ => return Err(damaged("a row is cut")),
        }
    }
    match pairs.len() as u64 == chunk.rows {
        true => Ok(pairs),
        false => Err(damaged("another number of rows")),
    }
}

/// Reads rows out of chunks; the last chunk is kept, since neighbours are asked for one after the other.
pub(super) struct Reader<'d> {
    depot: &'d Depot,
    chunks: &'d [Chunk],
    firsts: Vec<Vec<u8>>,
    last: Option<(usize, Vec<Pair>)>,
}

impl<'d> Reader<'d> {
    pub fn new(depot: &'d Depot, chunks: &'d [Chunk]) -> Result<Reader<'d>> {
        let firsts = chunks.iter().map(|chunk| hex::decode(&chunk.first));
        let firsts = firsts.collect::<std::result::Result<_, _>>();
        Ok(Reader {
            depot,
            chunks,
            firsts: firsts.map_err(|_| corrupt("backup point", "a chunk's first key"))?,
            last: None,
        })
    }

    /// Visits the rows with `start <= key < end` in order.
    pub fn scan(&mut self, start: &[u8], end: &[u8], visit: &mut VisitRow<'_>) -> Result<()> {
        let after = self
            .firsts
            .partition_point(|first| first.as_slice() <= start);
        for at in after.saturating_sub(1)..self.chunks.len() {
            if self.firsts[at].as_slice() >= end {
                break;
            }
            let rows = match self.last.take() {
                Some((kept, rows)) if kept == at => rows,
                _ => read(self.depot, &self.chunks[at])?,
            };
            let from = rows.partition_point(|(key, _)| key.as_slice() < start);
            let inside = rows[from..]
                .iter()
                .take_while(|(key, _)| key.as_slice() < end);
            for (key, value) in inside {
                visit(key, value)?;
            }
            self.last = Some((at, rows));
        }
        Ok(())
    }
}
