//! The rows of tokens.
//!
//! All under `TOKEN`: `0 hash` -> token; `1 account id` -> hash; `2 hash` -> last use, milliseconds; `3 expiry hash` -> empty.

use super::account::read_account;
use super::ids::{AccountId, TokenId};
use super::keys;
use super::refusal::Refusal;
use super::secret::SecretHash;
use super::token::{Authentication, MAX_TOKENS, Token, TokenKind};
use crate::error::Result;
use crate::keyspace::TOKEN;
use crate::kv::{Snapshot, Transaction, prefix_end};

const BY_HASH: u8 = 0;
const BY_ACCOUNT: u8 = 1;
const USED: u8 = 2;
const BY_EXPIRY: u8 = 3;

pub(super) fn look_up(
    rows: &dyn Snapshot,
    hash: &SecretHash,
    now_ms: i64,
    fits: &dyn Fn(&TokenKind) -> bool,
) -> Result<Authentication> {
    let Some(token) = read(rows, hash)?.filter(|token| fits(&token.kind)) else {
        return Ok(Authentication::Unknown);
    };
    let Some(account) = read_account(rows, token.account)? else {
        return Ok(Authentication::Unknown);
    };
    Ok(match token {
        _ if account.disabled => Authentication::Suspended,
        token if token.is_expired(now_ms) => Authentication::Expired,
        token => Authentication::Valid(token),
    })
}

pub(super) fn read(rows: &dyn Snapshot, hash: &SecretHash) -> Result<Option<Token>> {
    keys::read(rows, &hash_key(hash), "token")
}

pub(super) fn last_used(rows: &dyn Snapshot, hash: &SecretHash) -> Result<Option<i64>> {
    let bytes = rows.get(&used_key(hash))?;
    Ok(bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map(i64::from_be_bytes))
}

pub(super) fn of_account(
    rows: &dyn Snapshot,
    account: AccountId,
) -> Result<Vec<(SecretHash, Token)>> {
    let start = keys::key(TOKEN, &[&[BY_ACCOUNT], &account.0.to_be_bytes()]);
    let mut found = Vec::new();
    for (_, hash) in rows.range(&start, &prefix_end(&start), false, MAX_TOKENS + 1)? {
        let Ok(hash) = SecretHash::try_from(hash) else {
            continue;
        };
        found.extend(read(rows, &hash)?.map(|token| (hash, token)));
    }
    Ok(found)
}

/// Refuses as `TooManyTokens` when the account is full and has neither an expired token nor a session or code to drop.
pub(super) fn make_room(txn: &mut dyn Transaction, account: AccountId, now_ms: i64) -> Result<()> {
    let start = keys::key(TOKEN, &[&[BY_ACCOUNT], &account.0.to_be_bytes()]);
    if txn
        .range(&start, &prefix_end(&start), false, MAX_TOKENS)?
        .len()
        < MAX_TOKENS
    {
        return Ok(());
    }
    let found = of_account(&*txn, account)?;
    let is_passing = |token: &Token| {
        matches!(
            token.kind,
            TokenKind::Session { .. } | TokenKind::OneTime { .. }
        )
    };
    let oldest = found
        .iter()
        .find(|(_, token)| token.is_expired(now_ms))
        .or_else(|| found.iter().find(|(_, token)| is_passing(token)));
    let (hash, token) = oldest.ok_or(Refusal::TooManyTokens)?;
    remove(txn, *hash, token);
    Ok(())
}

pub(super) fn put(txn: &mut dyn Transaction, hash: SecretHash, token: &Token) -> Result<()> {
    keys::write(txn, hash_key(&hash), token)?;
    txn.put(account_key(token.account, token.id), hash.to_vec().into());
    if let Some(key) = expiry_key(hash, token) {
        txn.put(key, Vec::new().into());
    }
    Ok(())
}

pub(super) fn remove(txn: &mut dyn Transaction, hash: SecretHash, token: &Token) {
    txn.delete(hash_key(&hash));
    txn.delete(used_key(&hash));
    txn.delete(account_key(token.account, token.id));
    if let Some(key) = expiry_key(hash, token) {
        txn.delete(key);
    }
}

/// Removes all of an account's tokens.
pub(super) fn forget(txn: &mut dyn Transaction, account: AccountId) -> Result<()> {
    for (hash, token) in of_account(&*txn, account)? {
        remove(txn, hash, &token);
    }
    Ok(())
}

/// `TOKEN 0 hash`.
pub(super) fn hash_key(hash: &SecretHash) -> Vec<u8> {
    keys::key(TOKEN, &[&[BY_HASH], hash])
}

/// `TOKEN 2 hash`.
pub(super) fn used_key(hash: &SecretHash) -> Vec<u8> {
    keys::key(TOKEN, &[&[USED], hash])
}

/// The expiry rows before `before_ms`; the hash starts at their tenth byte.
pub(super) fn expiry_range(before_ms: i64) -> (Vec<u8>, Vec<u8>) {
    let end = keys::key(TOKEN, &[&[BY_EXPIRY], &before_ms.max(0).to_be_bytes()]);
    (vec![TOKEN, BY_EXPIRY], end)
}

/// The keys of the rows that lead to a token.
pub(super) fn index_keys(hash: SecretHash, token: &Token) -> Vec<Vec<u8>> {
    std::iter::once(account_key(token.account, token.id))
        .chain(expiry_key(hash, token))
        .collect()
}

/// `TOKEN 1 account id`.
pub(super) fn account_key(account: AccountId, id: TokenId) -> Vec<u8> {
    keys::key(
        TOKEN,
        &[&[BY_ACCOUNT], &account.0.to_be_bytes(), &id.0.to_be_bytes()],
    )
}

fn expiry_key(hash: SecretHash, token: &Token) -> Option<Vec<u8>> {
    let expires_ms = token.expires_ms?.max(0);
    Some(keys::key(
        TOKEN,
        &[&[BY_EXPIRY], &expires_ms.to_be_bytes(), &hash],
    ))
}
