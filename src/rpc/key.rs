//! The cluster's key: who has it belongs to the cluster.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aws_lc_rs::hmac;
use rustls::{ClientConfig, ServerConfig};

use super::tls::Identity;

/// Characters that a key has at least.
const MIN_CHARACTERS: usize = 32;
/// How far the watches of two machines may differ, milliseconds.
const MAX_SKEW_MS: i64 = 300_000;

/// The key.
#[derive(Clone)]
pub struct ClusterKey {
    mac: hmac::Key,
    /// How those who have it answer each other.
    pub(super) server: Arc<ServerConfig>,
    /// How they call each other.
    pub(super) client: Arc<ClientConfig>,
}

impl ClusterKey {
    /// Reads it from a file with one line.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cluster key {}", file.display()))?;
        let text = text.trim();
        if text.len() < MIN_CHARACTERS {
            bail!(
                "the cluster key in {} has fewer than {MIN_CHARACTERS} characters; make one with: openssl rand -hex 32",
                file.display()
            );
        }
        ClusterKey::of(text.as_bytes())
    }

    fn of(secret: &[u8]) -> Result<Self> {
        let identity = Identity::of(secret)?;
        Ok(ClusterKey {
            mac: hmac::Key::new(hmac::HMAC_SHA256, secret),
            server: identity.server()?,
            client: identity.client()?,
        })
    }

    /// The authenticator of a message sent at this moment.
    pub fn sign(&self, what: &str, sent_ms: i64, body: &[u8]) -> String {
        hex(hmac::sign(&self.mac, &message(what, sent_ms, body)).as_ref())
    }

    /// True when the authenticator was made with this key, a short while ago.
    pub fn verifies(
        &self,
        what: &str,
        (sent_ms, now_ms): (i64, i64),
        body: &[u8],
        mac: &str,
    ) -> bool {
        let is_recent = sent_ms.abs_diff(now_ms) <= MAX_SKEW_MS.unsigned_abs();
        let mac = bytes(mac);
        is_recent && hmac::verify(&self.mac, &message(what, sent_ms, body), &mac).is_ok()
    }
}

fn message(what: &str, sent_ms: i64, body: &[u8]) -> Vec<u8> {
    let mut message = format!("{what}\n{sent_ms}\n").into_bytes();
    message.extend_from_slice(body);
    message
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |sum, digit| sum << 4 | digit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_and_the_very_message_verify() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "short\n").unwrap();
        assert!(ClusterKey::read(&file).is_err());
        std::fs::write(&file, format!("{}\n", "a1".repeat(32))).unwrap();
        let key = ClusterKey::read(&file).unwrap();
        std::fs::write(&file, "b1".repeat(32)).unwrap();
        let other = ClusterKey::read(&file).unwrap();
        let mac = key.sign("/rpc 1.0", 1_000, b"body");
        assert!(key.verifies("/rpc 1.0", (1_000, 2_000), b"body", &mac));
        for (key, what, times, body) in [
            (&other, "/rpc 1.0", (1_000, 2_000), b"body"),
            (&key, "/rpc 2.0", (1_000, 2_000), b"body"),
            (&key, "/rpc 1.0", (1_001, 2_000), b"body"),
            (&key, "/rpc 1.0", (1_000, 2_000_000), b"body"),
            (&key, "/rpc 1.0", (1_000, 2_000), b"bodY"),
        ] {
            assert!(!key.verifies(what, times, body, &mac), "{what} {times:?}");
        }
        assert!(!key.verifies("/rpc 1.0", (1_000, 2_000), b"body", ""));
    }
}
