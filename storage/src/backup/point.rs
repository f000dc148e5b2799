//! A point's manifest: what it consists of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::depot::Depot;
use super::{FORMAT, corrupt};
use crate::error::{Error, Result};

/// Folder of the manifests.
pub(super) const FOLDER: &str = "points";

/// One point in time that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The layout's version.
    pub format: u32,
    /// Its name: the time in UTC and a random end. Names sort by time.
    pub name: String,
    /// The moment that it holds, milliseconds since 1970.
    pub at_ms: i64,
    /// When it was complete.
    pub ended_ms: i64,
    /// The release that wrote it.
    pub release: String,
    /// The store's name (16 bytes in hexadecimal); empty without blocks.
    pub store: String,
    /// Which life of the store: a restored one begins another.
    pub(super) line: String,
    /// Chunks of rows, in the order of their keys.
    pub(super) rows: Vec<Chunk>,
    /// Chunks of logs' heads and of counters.
    pub(super) numbers: Vec<Chunk>,
    /// By extent: its acknowledged length, and the segments that have its blocks.
    pub(super) extents: BTreeMap<String, Copied>,
    /// Rows of metadata.
    pub row_count: u64,
    /// Bytes that were stored for this point and were not there before.
    pub new_bytes: u64,
    /// Blocks that no replica had undamaged: they are not in the backup.
    pub lost: Vec<Lost>,
    /// Versions of the key ring that the blocks are under.
    pub key_versions: Vec<u32>,
    /// Whether the key ring is in the backup.
    pub keys: KeysIncluded,
}

/// Whether a backup has the key ring with it. Without, the files in it are unreadable to whoever has no copy of the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysIncluded {
    /// It is not: keep a copy elsewhere.
    No,
    /// It is, as it is: who has the backup can read every file.
    Plain,
    /// It is, sealed with a passphrase.
    Sealed,
}

/// A chunk of rows: the object's hash, where it begins, how much is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chunk {
    pub sha256: String,
    /// The first key in it, hexadecimal.
    pub first: String,
    pub rows: u64,
}

/// An extent in a backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    pub length: u64,
    /// `[start, end)` of each segment.
    pub segments: Vec<(u64, u64)>,
}

/// A block that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Its hash.
    pub block: String,
    /// Its extent, hexadecimal.
    pub(super) extent: String,
    /// Where in it.
    pub(super) offset: u64,
}

impl Point {
    /// Bytes of its extents, those of dead blocks included.
    pub fn block_bytes(&self) -> u64 {
        let lengths = self.extents.values().map(|extent| extent.length);
        // A manifest may say anything.
        lengths.fold(0, u64::saturating_add)
    }

    /// Writes the manifest, which makes the point count.
    pub(super) fn write(&self, depot: &Depot) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Engine(e.to_string()))?;
        let hash = hex::encode(Sha256::digest(text.as_bytes()));
        depot.put(
            &object(&self.name),
            format!("{hash}\n{text}\n").into_bytes(),
        )
    }

    /// Reads the manifest with this name.
    pub(super) fn read(depot: &Depot, name: &str) -> Result<Point> {
        let bytes = depot.get(&object(name))?;
        let missing = || corrupt(format!("backup point {name}"), "it is not there");
        Point::parse(name, &bytes.ok_or_else(missing)?)
    }

    /// The manifest in an object.
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Point> {
        let what = format!("backup point {name}");
        let text = std::str::from_utf8(bytes).map_err(|e| corrupt(&what, e.to_string()))?;
        let (hash, text) = text.split_once('\n').unwrap_or_default();
        if hex::encode(Sha256::digest(text.trim_end().as_bytes())) != hash {
            return Err(corrupt(&what, "its hash is another"));
        }
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let malformed = |e: serde_json::Error| corrupt(&what, e.to_string());
        let Format { format } = serde_json::from_str(text).map_err(malformed)?;
        if format > FORMAT {
            return Err(Error::NewerFormat {
                what,
                found: format,
                supported: FORMAT,
            });
        }
        serde_json::from_str(text).map_err(malformed)
    }
}

/// The object of a point's manifest.
pub(super) fn object(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

/// The object of a point's key ring.
pub(super) fn keys_object(name: &str) -> String {
    format!("keys/{name}.json")
}
