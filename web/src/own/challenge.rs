//! The second step of signing in: a password that was right buys a short-lived challenge, and that with a code a session.
//!
//! A challenge is sealed, not stored. It ends with its time, or when the password changes; what it is good for, a code, is good once.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use storage::meta::{Account, AccountId, AuditAction, CodeKind, Refusal};

use super::session::{From, PER_ADDRESS, limit, log, open};
use crate::App;
use crate::frame::device::Device;
use crate::frame::limiter::{Rate, network};
use crate::frame::stamp::Stamp;
use crate::frame::{Failure, StrangerArg, reply};

/// How long a code may be given after the password, milliseconds.
const LIFETIME_MS: i64 = 5 * 60 * 1000;
/// Wrong codes for one account, from anywhere: of a million codes three are right at a time.
const PER_FACTOR: Rate = Rate {
    burst: 5.0,
    per_second: 1.0 / 300.0,
};

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Challenge {
    account: AccountId,
    expires_ms: i64,
    /// Of the password that was right, by its stored hash.
    password: [u8; 32],
}

/// The challenge, and the code for it.
#[derive(Deserialize)]
pub struct CodeArg {
    challenge: String,
    code: String,
}

/// Signs in whose password was right: at once, or where there is a second factor with a challenge for its code. Blocks.
pub fn enter(
    app: &App,
    account: Account,
    address: IpAddr,
    device: &str,
) -> Result<Response, Failure> {
    let factor = app
        .meta()
        .second_factor(account.id)
        .map_err(Failure::from_storage)?;
    if factor.is_none() {
        return open(app, account, address, device);
    }
    let expires_ms = app.meta().env().clock.now_ms() + LIFETIME_MS;
    let challenge = Challenge {
        account: account.id,
        expires_ms,
        password: fingerprint(&account),
    };
    let challenge = app
        .challenges()
        .seal(&challenge)
        .map_err(Failure::from_storage)?;
    let asked = json!({ "challenge": challenge, "expires": Stamp(expires_ms) });
    Ok(reply::json(&json!({ "second_factor": asked })))
}

/// Takes the code. 409 `invalid_challenge`, `invalid_code`; 429 after too many wrong ones.
pub async fn second_factor(
    State(app): State<App>,
    From(address): From,
    Device(device): Device,
    StrangerArg(arg): StrangerArg<CodeArg>,
) -> Result<Response, Failure> {
    limit(&app, &format!("address {}", network(address)), PER_ADDRESS)?;
    let signed = app.at_door(move |app| {
        let account = challenged(app, &arg.challenge)?;
        let kind = match take_code(app, &account, &arg.code) {
            Err(failure @ Failure::Refused(..)) => {
                log(app, None, AuditAction::SignInFailed, account.email, address)?;
                return Err(failure);
            }
            other => other?,
        };
        if kind == CodeKind::Recovery {
            let (action, email) = (AuditAction::RecoveryCodeUsed, account.email.clone());
            log(app, Some(&account), action, email, address)?;
        }
        open(app, account, address, &device)
    });
    signed.await?
}

/// Takes a code of the account's factor, a bounded number of wrong ones: `invalid_code`, `not_enabled`. Blocks.
pub fn take_code(app: &App, account: &Account, code: &str) -> Result<CodeKind, Failure> {
    let key = factor_key(account.id);
    limit(app, &key, PER_FACTOR)?;
    let taken = app.meta().take_code(account.id, app.blocks().keys(), code);
    let kind = taken.map_err(refused)?;
    app.limiter().forget(&key);
    Ok(kind)
}

/// Counts an attempt at the account's factor; [`Failure::TooMany`] when there were too many.
pub fn attempt(app: &App, account: AccountId) -> Result<(), Failure> {
    limit(app, &factor_key(account), PER_FACTOR)
}

/// Why a code or a factor is refused.
pub fn refused(error: storage::Error) -> Failure {
    Failure::shaped(error, |refusal| match refusal {
        Refusal::WrongCode => Some(json!({ ".tag": "invalid_code" })),
        Refusal::NoFactor => Some(json!({ ".tag": "not_enabled" })),
        Refusal::FactorInUse => Some(json!({ ".tag": "already_enabled" })),
        _ => None,
    })
}

/// The account whose password was right a moment ago, and is the same still.
fn challenged(app: &App, challenge: &str) -> Result<Account, Failure> {
    let stale = || Failure::tag("invalid_challenge");
    let challenge: Challenge = app.challenges().open(challenge).ok_or_else(stale)?;
    if challenge.expires_ms <= app.meta().env().clock.now_ms() {
        return Err(stale());
    }
    let account = app
        .meta()
        .account(challenge.account)
        .map_err(Failure::from_storage)?;
    let account = account
        .filter(|account| !account.disabled)
        .ok_or_else(stale)?;
    if fingerprint(&account) == challenge.password {
        Ok(account)
    } else {
        Err(stale())
    }
}

fn fingerprint(account: &Account) -> [u8; 32] {
    let hash = account.password_hash.as_deref().unwrap_or_default();
    Sha256::digest(hash.as_bytes()).into()
}

/// What attempts at the account's factor are counted under.
pub fn factor_key(account: AccountId) -> String {
    format!("second factor {account}")
}
