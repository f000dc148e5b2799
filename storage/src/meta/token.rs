//! Tokens: bearer tokens, browser sessions, refresh tokens and one-time codes. Stored by the SHA-256 of their secret only.

use serde::{Deserialize, Serialize};

use super::account::{read_account, seen_key};
use super::ids::{AccountId, TokenId};
use super::secret::{self, Secret, SecretHash};
use super::token_rows::{
    account_key, expiry_range, last_used, look_up, make_room, of_account, put, read, remove,
    used_key,
};
use super::{Meta, Refusal};
use crate::error::Result;
use crate::kv::Snapshot;

/// What every secret starts with, so that leaked ones are recognisable.
const PREFIX: &str = "ff_";
/// Most live tokens of an account; the oldest session or code makes room for a new one.
pub const MAX_TOKENS: usize = 1000;
/// How long an expired token is kept, so that its holder hears "expired" and not "unknown"; milliseconds.
pub const KEPT_EXPIRED_MS: i64 = 7 * 24 * 3600 * 1000;

/// What a token is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenKind {
    /// Goes in the `Authorization` header.
    Bearer,
    /// A browser's session, in a cookie.
    Session {
        /// What each changing request of the session must repeat.
        csrf: String,
    },
    /// Good for one [`Meta::redeem`].
    OneTime {
        /// What it may be redeemed for.
        purpose: Purpose,
    },
    /// Good for making bearer tokens, and nothing else.
    Refresh,
}

/// What a one-time code may be redeemed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Setting the account's password: invitations and forgotten passwords.
    Claim,
    /// OAuth 2's authorization code.
    Authorization {
        /// The client that asked.
        client_id: String,
        /// Where the browser was sent; the exchange must name the same.
        redirect_uri: Option<String>,
        /// PKCE: base64url of the verifier's SHA-256, or the verifier itself.
        challenge: Option<Challenge>,
        /// Whether a refresh token was asked for.
        offline: bool,
    },
}

/// PKCE's `code_challenge`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Challenge {
    /// Method `plain`: the verifier itself.
    Plain(String),
    /// Method `S256`: base64url, unpadded, of the verifier's SHA-256.
    S256(String),
}

/// A token as it is listed; the secret is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public name.
    pub id: TokenId,
    /// Whose it is.
    pub account: AccountId,
    /// What it is for.
    pub kind: TokenKind,
    /// Given by whoever made it: an application, a browser.
    pub name: String,
    /// What it allows; empty for everything.
    pub scopes: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub created_ms: i64,
    /// From when on it is refused, milliseconds since 1970; `None` for never.
    pub expires_ms: Option<i64>,
    /// The refresh token it was made from: revoked together.
    pub parent: Option<TokenId>,
    /// When it was last used, to the minute, milliseconds since 1970. Only [`Meta::tokens`] fills it.
    #[serde(skip)]
    pub last_used_ms: Option<i64>,
}

/// What [`Meta::create_token_with`] takes.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// What it is for.
    pub kind: TokenKind,
    /// Shown in lists.
    pub name: String,
    /// What it allows; empty for everything.
    pub scopes: Vec<String>,
    /// From when on it is refused, milliseconds since 1970; `None` for never.
    pub expires_ms: Option<i64>,
    /// The refresh token it is made from.
    pub parent: Option<TokenId>,
}

/// What a presented secret turns out to be.
#[allow(clippy::large_enum_variant)] // One per request, taken apart at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// A live token of a live account.
    Valid(Token),
    /// It was one until lately; a client may use its refresh token.
    Expired,
    /// The account is disabled.
    Suspended,
    /// No such token, or one of another kind.
    Unknown,
}

/// Why a holder may go on no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The account is disabled or gone.
    Suspended,
    /// The token was revoked.
    Revoked,
}

/// An account, and the token of it that something hangs on.
pub type Holder = (AccountId, Option<TokenId>);

impl Meta {
    /// Those of the holders who may go on no more. (A token that expires in the meantime ends nothing.) Reads one snapshot.
    pub fn ended(&self, holders: &[Holder]) -> Result<Vec<(Holder, Ended)>> {
        let rows = self.store().snapshot()?;
        let mut ended = Vec::new();
        for &(account, token) in holders {
            let live = read_account(&*rows, account)?.is_some_and(|account| !account.disabled);
            if !live {
                ended.push(((account, token), Ended::Suspended));
            } else if let Some(id) = token
                && rows.get(&account_key(account, id))?.is_none()
            {
                ended.push(((account, token), Ended::Revoked));
            }
        }
        Ok(ended)
    }

    /// Makes a token; the secret is shown this once.
    pub fn create_token(
        &self,
        account: AccountId,
        kind: TokenKind,
        name: &str,
        expires_ms: Option<i64>,
    ) -> Result<Secret> {
        let new = NewToken {
            kind,
            name: name.to_owned(),
            scopes: Vec::new(),
            expires_ms,
            parent: None,
        };
        Ok(self.create_token_with(account, new)?.1)
    }

    /// As [`Meta::create_token`], with scopes and a parent; also returns the token.
    pub fn create_token_with(&self, account: AccountId, new: NewToken) -> Result<(Token, Secret)> {
        let created_ms = self.now_ms();
        let secret = Secret::draw::<32>(self.random(), PREFIX);
        let id = TokenId((created_ms.unsigned_abs() << 20) | (self.random().u64() & 0xf_ffff));
        let NewToken {
            kind,
            name,
            scopes,
            expires_ms,
            parent,
        } = new;
        let token = Token {
            id,
            account,
            kind,
            name,
            scopes,
            created_ms,
            expires_ms,
            parent,
            last_used_ms: None,
        };
        self.transact(|txn| {
            read_account(&*txn, account)?.ok_or(Refusal::NotFound)?;
            make_room(txn, account, created_ms)?;
            if matches!(token.kind, TokenKind::Session { .. }) {
                let seen = created_ms.to_be_bytes().to_vec(); // whoever signs in is here
                txn.put(seen_key(account), seen.into());
            }
            put(txn, secret.hash(), &token)
        })?;
        Ok((token, secret))
    }

    /// A browser session that expires at `expires_ms`: the token's secret for the cookie, and the token, whose kind holds the
    /// secret that changing requests repeat.
    pub fn create_session(
        &self,
        account: AccountId,
        name: &str,
        expires_ms: i64,
    ) -> Result<(Token, Secret)> {
        let csrf = Secret::draw::<18>(self.random(), "").into_string();
        let kind = TokenKind::Session { csrf };
        self.create_token_with(
            account,
            NewToken {
                kind,
                name: name.to_owned(),
                scopes: Vec::new(),
                expires_ms: Some(expires_ms),
                parent: None,
            },
        )
    }

    /// The live bearer token or session with this secret, if its account is live too.
    pub fn authenticate(&self, secret: &str) -> Result<Option<Token>> {
        match self.authentication(secret)? {
            Authentication::Valid(token) => Ok(Some(token)),
            _ => Ok(None),
        }
    }

    /// What a presented bearer token or session secret is. Writes nothing; a recent answer is remembered, and forgotten when the
    /// token is revoked or the account disabled.
    pub fn authentication(&self, secret: &str) -> Result<Authentication> {
        let is_access =
            |kind: &TokenKind| matches!(kind, TokenKind::Bearer | TokenKind::Session { .. });
        let (hash, now_ms) = (secret::hash(secret), self.now_ms());
        if let Some(token) = self
            .token_cache()
            .get(&hash, now_ms)
            .filter(|token| !token.is_expired(now_ms))
        {
            self.token_cache().used(hash, now_ms);
            return Ok(Authentication::Valid(token));
        }
        let generation = self.token_cache().generation();
        let rows = self.store().snapshot()?;
        let found = look_up(&*rows, &hash, now_ms, &is_access)?;
        if let Authentication::Valid(token) = &found {
            if self.is_idle(&*rows, &hash, token, now_ms)? {
                return Ok(Authentication::Expired);
            }
            self.token_cache().remember(hash, token, generation, now_ms);
            self.token_cache().used(hash, now_ms);
        }
        Ok(found)
    }

    /// Whether a session was not used for [`super::Options::session_idle_ms`]. Uses are written within two minutes.
    fn is_idle(
        &self,
        rows: &dyn Snapshot,
        hash: &SecretHash,
        token: &Token,
        now_ms: i64,
    ) -> Result<bool> {
        if !matches!(token.kind, TokenKind::Session { .. }) {
            return Ok(false);
        }
        let written_ms = last_used(rows, hash)?.unwrap_or(token.created_ms);
        let used_ms = written_ms.max(self.token_cache().last_use(hash).unwrap_or(0));
        Ok(now_ms - used_ms > self.options().session_idle_ms)
    }

    /// What a presented refresh token is.
    pub fn refresh_authentication(&self, secret: &str) -> Result<Authentication> {
        let (hash, now_ms) = (secret::hash(secret), self.now_ms());
        let found = look_up(&*self.store().snapshot()?, &hash, now_ms, &|kind| {
            matches!(kind, TokenKind::Refresh)
        })?;
        if let Authentication::Valid(_) = found {
            self.token_cache().used(hash, now_ms);
        }
        Ok(found)
    }

    /// Looks at a one-time code without using it up.
    pub fn peek_code(&self, secret: &str) -> Result<Authentication> {
        let is_code = |kind: &TokenKind| matches!(kind, TokenKind::OneTime { .. });
        look_up(
            &*self.store().snapshot()?,
            &secret::hash(secret),
            self.now_ms(),
            &is_code,
        )
    }

    /// Uses up a one-time code whose purpose `fits`: `None` when there is no such live code. Of two callers one wins.
    pub fn redeem(&self, secret: &str, fits: impl Fn(&Purpose) -> bool) -> Result<Option<Token>> {
        let (hash, now_ms) = (secret::hash(secret), self.now_ms());
        let is_fit =
            |kind: &TokenKind| matches!(kind, TokenKind::OneTime { purpose } if fits(purpose));
        self.transact(|txn| match look_up(&*txn, &hash, now_ms, &is_fit)? {
            Authentication::Valid(token) => {
                remove(txn, hash, &token);
                Ok(Some(token))
            }
            _ => Ok(None),
        })
    }

    /// The account's tokens, oldest first, expired ones included.
    pub fn tokens(&self, account: AccountId) -> Result<Vec<Token>> {
        let snapshot = self.store().snapshot()?;
        let found = of_account(&*snapshot, account)?;
        found
            .into_iter()
            .map(|(hash, token)| {
                Ok(Token {
                    last_used_ms: last_used(&*snapshot, &hash)?,
                    ..token
                })
            })
            .collect()
    }

    /// Revokes one token and what was made from it. Refused as `NotFound` when the account has no such token.
    pub fn revoke(&self, account: AccountId, id: TokenId) -> Result<()> {
        if self.revoke_where(account, |token| token.id == id || token.parent == Some(id))? == 0 {
            return Err(Refusal::NotFound.into());
        }
        Ok(())
    }

    /// Revokes all of the account's tokens but `keep`; returns how many.
    pub fn revoke_all(&self, account: AccountId, keep: Option<TokenId>) -> Result<usize> {
        self.revoke_where(account, |token| Some(token.id) != keep)
    }

    /// Writes when tokens were last used, at most once a minute for each; returns how many rows were written.
    pub fn save_token_uses(&self) -> Result<usize> {
        let uses = self.token_cache().take_uses();
        if uses.is_empty() {
            return Ok(0);
        }
        self.transact(|txn| {
            for (hash, used_ms) in &uses {
                if let Some(token) = read(&*txn, hash)? {
                    let used = used_ms.to_be_bytes().to_vec();
                    txn.put(used_key(hash), used.clone().into());
                    txn.put(seen_key(token.account), used.into());
                }
            }
            Ok(())
        })?;
        Ok(uses.len())
    }

    /// When the account was last seen, to the minute, milliseconds since 1970; `None` if it never was, or not since this is kept.
    pub fn last_seen(&self, account: AccountId) -> Result<Option<i64>> {
        let seen = self.store().snapshot()?.get(&seen_key(account))?;
        Ok(seen
            .and_then(|seen| seen.try_into().ok())
            .map(i64::from_be_bytes))
    }

    /// Removes at most `limit` tokens that expired more than [`KEPT_EXPIRED_MS`] ago; returns how many.
    pub fn expire_tokens(&self, limit: usize) -> Result<usize> {
        let before_ms = self.now_ms() - KEPT_EXPIRED_MS;
        self.transact(|txn| {
            let (start, end) = expiry_range(before_ms);
            let due = txn.range(&start, &end, false, limit)?;
            for (key, _) in &due {
                let hash = key
                    .get(10..)
                    .and_then(|hash| SecretHash::try_from(hash).ok());
                let token = hash.map_or(Ok(None), |hash| read(&*txn, &hash))?;
                match hash.zip(token) {
                    Some((hash, token)) => remove(txn, hash, &token),
                    None => txn.delete(key.clone()),
                }
            }
            Ok(due.len())
        })
    }

    fn revoke_where(&self, account: AccountId, chosen: impl Fn(&Token) -> bool) -> Result<usize> {
        let revoked = self.transact(|txn| {
            let found = of_account(&*txn, account)?;
            let chosen: Vec<_> = found.iter().filter(|(_, token)| chosen(token)).collect();
            chosen
                .iter()
                .for_each(|(hash, token)| remove(txn, *hash, token));
            Ok(chosen.len())
        })?;
        self.token_cache().forget(account);
        Ok(revoked)
    }
}

impl Token {
    /// True when it is refused at `now_ms`.
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expires_ms
            .is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}
