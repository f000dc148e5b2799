//! What a [`Meta`] is told at open, and what it remembers between calls.

use super::Meta;
use super::account::DEFAULT_QUOTA_BYTES;
use super::env::Random;
use super::password::PasswordCost;
use super::token_cache::TokenCache;

/// How long a browser session lives without being used unless a setting says otherwise, milliseconds: seven days.
const SESSION_IDLE_MS: i64 = 7 * 24 * 3600 * 1000;

/// Settings that are not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// What a new account may store, bytes.
    pub default_quota_bytes: u64,
    /// What a password hash costs.
    pub password_cost: PasswordCost,
    /// A browser session that was not used for so long has ended, milliseconds.
    pub session_idle_ms: i64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            default_quota_bytes: DEFAULT_QUOTA_BYTES,
            password_cost: PasswordCost::default(),
            session_idle_ms: SESSION_IDLE_MS,
        }
    }
}

/// Options and caches, shared by all clones of a [`Meta`].
#[derive(Default)]
pub(super) struct People {
    pub(super) options: Options,
    pub(super) tokens: TokenCache,
    /// Who waits to write into the audit log.
    pub(super) audit: super::audit_chain::AuditWriters,
    /// What trash and versions take, and when that was counted.
    pub(super) kept: std::sync::Mutex<Option<(i64, std::sync::Arc<super::retention::Kept>)>>,
}

impl Meta {
    /// The same metadata under other options, with caches of its own: to be called right after opening.
    pub fn with_options(self, options: Options) -> Meta {
        let people = People {
            options,
            tokens: TokenCache::default(),
            kept: std::sync::Mutex::default(),
            audit: super::audit_chain::AuditWriters::default(),
        };
        Meta {
            people: std::sync::Arc::new(people),
            ..self
        }
    }

    /// The options.
    pub fn options(&self) -> Options {
        self.people.options
    }

    pub(super) fn token_cache(&self) -> &TokenCache {
        &self.people.tokens
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.env().clock.now_ms()
    }

    pub(super) fn random(&self) -> &dyn Random {
        &*self.env().random
    }

    /// A random id that is not 0.
    pub(super) fn random_id(&self) -> u64 {
        loop {
            match self.random().u64() {
                0 => {}
                id => return id,
            }
        }
    }
}
