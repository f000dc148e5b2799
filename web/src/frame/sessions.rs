//! Accounts of callers that were here a moment ago, so that a request on a known token reads nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use storage::meta::Account;
use storage::meta::Token;

use super::caller::refuse;
use super::{Failure, asking};
use crate::App;

/// How long an account's row is believed. Whether a token lives, the store says on every request.
const BELIEVED: Duration = Duration::from_secs(2);
/// The most callers kept; beyond it the map starts over.
const MAX_CALLERS: usize = 10_000;

/// An account, and when its row was read.
type Seen = (Arc<Account>, Instant);

/// Callers by their secret's hash.
#[derive(Default)]
pub struct Sessions {
    seen: Mutex<HashMap<[u8; 32], Seen>>,
}

impl Sessions {
    /// The token with this secret and its account, or the 401 that says why not.
    pub async fn authenticate(
        &self,
        app: &App,
        secret: &str,
    ) -> Result<(Token, Arc<Account>), Failure> {
        let hash: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
        let (known, is_recent) = self.known(&hash);
        if let Some(account) = &known {
            // Looking it up again is for that account, not for everybody at its address.
            asking::is_of(account.id);
        }
        if let Some(account) = known.filter(|_| is_recent) {
            // The store remembers a token for longer than we do an account: this reads memory alone.
            let found = app
                .meta()
                .authentication(secret)
                .map_err(Failure::from_storage)?;
            return Ok((refuse(found)?, account));
        }
        let secret = secret.to_owned();
        let read = app.at_door(move |app| {
            let found = app.meta().authentication(&secret)?;
            let account = match &found {
                storage::meta::Authentication::Valid(token) => app.meta().account(token.account)?,
                _ => None,
            };
            storage::Result::Ok((found, account))
        });
        let (found, account) = read.await?.map_err(Failure::from_storage)?;
        let token = refuse(found)?;
        let account = Arc::new(account.ok_or(Failure::Unauthorized("invalid_access_token"))?);
        self.remember(hash, account.clone());
        Ok((token, account))
    }

    /// Whose token it was when it was last seen, and whether that may still be believed.
    fn known(&self, hash: &[u8; 32]) -> (Option<Arc<Account>>, bool) {
        let seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        let seen = seen.get(hash);
        let is_recent = seen.is_some_and(|(_, at)| at.elapsed() < BELIEVED);
        (seen.map(|(account, _)| account.clone()), is_recent)
    }

    fn remember(&self, hash: [u8; 32], account: Arc<Account>) {
        let mut seen = self.seen.lock().unwrap_or_else(|e| e.into_inner());
        if seen.len() >= MAX_CALLERS {
            seen.clear();
        }
        seen.insert(hash, (account, Instant::now()));
    }
}
