//! What a process says about itself in its leases.

use serde::{Deserialize, Serialize};

/// Where a process can be reached, and what it does. JSON in the leases' notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// `http://HOST:PORT`, where it answers other processes.
    pub url: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// Its release.
    #[serde(default)]
    pub version: String,
    /// Its number of shards, which must be everybody's.
    #[serde(default)]
    pub shards: u16,
    /// Calls to it are encrypted; earlier releases do not say so, and cannot.
    #[serde(default)]
    pub tls: bool,
}

impl Note {
    /// As it stands in a lease.
    pub fn text(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// Where it is called: https where calls are encrypted.
    pub fn calls_url(&self) -> String {
        match self.tls {
            true => self.url.replacen("http://", "https://", 1),
            false => self.url.clone(),
        }
    }

    /// Reads it; none when another release wrote something else.
    pub fn read(text: &str) -> Option<Note> {
        serde_json::from_str(text).ok()
    }
}

/// The lease of a replica of a shard; 0 is the first one.
pub fn shard_lease(shard: u16, replica: u16) -> String {
    match replica {
        0 => format!("{SHARDS}{shard:04}"),
        _ => format!("{SHARDS}{shard:04}/{replica}"),
    }
}

/// The shard and the replica of a lease's name.
pub fn shard_of(lease: &str) -> Option<(u16, u16)> {
    let name = lease.strip_prefix(SHARDS)?;
    let (shard, replica) = name.split_once('/').unwrap_or((name, "0"));
    Some((shard.parse().ok()?, replica.parse().ok()?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_say_that_it_encrypts_is_called_in_clear() {
        let said = r#"{"url":"http://a:1","roles":["web"],"version":"0.1.0","shards":8}"#;
        let mut note = Note::read(said).unwrap();
        assert_eq!(note.calls_url(), "http://a:1");
        note.tls = true;
        let note = Note::read(&note.text()).unwrap();
        assert_eq!(note.calls_url(), "https://a:1");
    }

    #[test]
    fn leases_of_shards_are_named_and_read() {
        for (place, name) in [((7, 0), "shard/0007"), ((12, 2), "shard/0012/2")] {
            assert_eq!(shard_lease(place.0, place.1), name);
            assert_eq!(shard_of(name), Some(place));
        }
        assert_eq!(shard_of("duty/relay"), None);
    }
}
