//! Secrets that are shown once: random, and kept only as a SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::env::Random;

/// A secret's SHA-256: what rows are keyed by.
pub type SecretHash = [u8; 32];

/// A secret as its holder keeps it. Never stored, and not printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// `prefix` followed by `N` random bytes in base64url.
    pub(super) fn draw<const N: usize>(random: &dyn Random, prefix: &str) -> Secret {
        Secret(format!(
            "{prefix}{}",
            URL_SAFE_NO_PAD.encode(bytes::<N>(random))
        ))
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The secret itself, to be shown once.
    pub fn into_string(self) -> String {
        self.0
    }

    /// What is stored in its place.
    pub(super) fn hash(&self) -> SecretHash {
        hash(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 of a secret that a caller presents.
pub(super) fn hash(secret: &str) -> SecretHash {
    Sha256::digest(secret.as_bytes()).into()
}

/// `N` random bytes.
pub(super) fn bytes<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut out = [0; N];
    for chunk in out.chunks_mut(8) {
        chunk.copy_from_slice(&random.u64().to_le_bytes()[..chunk.len()]);
    }
    out
}
