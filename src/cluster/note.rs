//! What a process says about itself in its leases.

use serde::{Deserialize, Serialize};

/// Where a process can be reached, and what it does. JSON in the leases' notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `http://HOST:PORT` for calls of other processes.
    pub url: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// Its release.
    #[serde(default)]
    pub version: String,
    /// Its number of shards, which must be everybody's.
    #[serde(default)]
    pub shards: u16,
}

impl Note {
    /// As it stands in a lease.
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Reads it; none when another release wrote something else.
    pub fn read(text: &str) -> Option<Note> {
        serde_json::from_str(text).ok()
    }
}

/// The lease of a shard.
pub fn shard_lease(shard: u16) -> String {
    format!("{SHARDS}{shard:04}")
}

/// The shard of a lease's name.
pub fn shard_of(lease: &str) -> Option<u16> {
    lease.strip_prefix(SHARDS)?.parse().ok()
}

/// The lease of a process.
pub fn process_lease(process: u64) -> String {
    format!("{PROCESSES}{process:016x}")
}

/// What the names of shards' leases begin with.
pub const SHARDS: &str = "shard/";
/// What the names of processes' leases begin with.
pub const PROCESSES: &str = "process/";
/// What the names of duties' leases begin with.
pub const DUTIES: &str = "duty/";
