//! Tokens that authenticated lately, so that a request need not read them again; and when tokens were last used.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ids::AccountId;
use super::secret::SecretHash;
use super::token::Token;

/// How long a token is believed without reading it again, milliseconds. A revocation in this process is seen at once; one in
/// another process of a cluster at most this much later.
pub const BELIEVED_MS: i64 = 800;
/// How often a token's last use is written, milliseconds.
pub const USE_SAVED_EVERY_MS: i64 = 60_000;
/// Most tokens kept; beyond it the cache starts over.
const MAX_TOKENS: usize = 10_000;

#[derive(Default)]
pub(super) struct TokenCache {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Grows with each invalidation. What was read before the last one is not remembered.
    generation: u64,
    believed: HashMap<SecretHash, (Token, i64)>,
    /// Uses not yet written.
    uses: HashMap<SecretHash, i64>,
    /// When uses were last written.
    saved: HashMap<SecretHash, i64>,
}

impl TokenCache {
    /// To be taken before the snapshot whose token is remembered.
    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// The token, if it was read less than [`BELIEVED_MS`] ago.
    pub(super) fn get(&self, hash: &SecretHash, now_ms: i64) -> Option<Token> {
        let inner = self.lock();
        let (token, read_ms) = inner.believed.get(hash)?;
        (now_ms.abs_diff(*read_ms) < BELIEVED_MS.unsigned_abs()).then(|| token.clone())
    }

    /// Remembers what was read at `generation`, unless anything was invalidated since.
    pub(super) fn remember(&self, hash: SecretHash, token: &Token, generation: u64, now_ms: i64) {
        let mut inner = self.lock();
        if inner.generation != generation {
            return;
        }
        if inner.believed.len() >= MAX_TOKENS {
            inner.believed.clear();
        }
        inner.believed.insert(hash, (token.clone(), now_ms));
    }

    /// To be called after the commit that revoked `account`'s tokens or disabled it.
    pub(super) fn forget(&self, account: AccountId) {
        let mut inner = self.lock();
        inner.generation += 1;
        inner
            .believed
            .retain(|_, (token, _)| token.account != account);
    }

    /// Notes that a token was used now.
    pub(super) fn used(&self, hash: SecretHash, now_ms: i64) {
        let mut inner = self.lock();
        let due = inner
            .saved
            .get(&hash)
            .is_none_or(|saved_ms| now_ms - saved_ms >= USE_SAVED_EVERY_MS);
        if due && inner.uses.len() < MAX_TOKENS {
            inner.uses.insert(hash, now_ms);
        }
    }

    /// When the token was last used, as far as this process knows; milliseconds since 1970.
    pub(super) fn last_use(&self, hash: &SecretHash) -> Option<i64> {
        let inner = self.lock();
        let waiting_ms = inner.uses.get(hash);
        waiting_ms.max(inner.saved.get(hash)).copied()
    }

    /// Takes the uses that are due to be written.
    pub(super) fn take_uses(&self) -> Vec<(SecretHash, i64)> {
        let mut inner = self.lock();
        let taken: Vec<_> = inner.uses.drain().collect();
        if inner.saved.len() + taken.len() > MAX_TOKENS {
            inner.saved.clear();
        }
        inner.saved.extend(taken.iter().copied());
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
