//! `/2/firefly/session/*`: signing in and out in a browser.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use storage::meta::{
    Account, AccountId, AuditAction, AuditEvent, Authentication, Purpose, Refusal, Token, TokenId,
    TokenKind,
};

use super::challenge::enter;
use crate::App;
use crate::frame::caller::{Caller, session_cookie};
use crate::frame::device::Device;
use crate::frame::limiter::{Rate, network};
use crate::frame::proxy::client_address;
use crate::frame::{Failure, StrangerArg, Void, reply, tie};

/// Attempts for one account, from anywhere.
pub const PER_ACCOUNT: Rate = Rate {
    burst: 10.0,
    per_second: 1.0 / 30.0,
};
/// Attempts from one address, for any account.
pub const PER_ADDRESS: Rate = Rate {
    burst: 30.0,
    per_second: 0.1,
};

/// Who signs in.
#[derive(Deserialize)]
pub struct SignInArg {
    email: String,
    password: String,
}

/// A one-time code, and the password to be.
#[derive(Deserialize)]
pub struct ClaimArg {
    code: String,
    password: String,
}

/// Where a request comes from, for who has no account yet. A browser's request from another site is refused: nobody
/// is to be signed in from elsewhere.
pub struct From(pub IpAddr);

impl FromRequestParts<App> for From {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let site = parts.headers.get("sec-fetch-site");
        if !parts.method.is_safe() && site.is_some_and(|site| site.as_bytes() == b"cross-site") {
            let error = json!({ ".tag": "cross_site_request" });
            return Err(Failure::Refused(axum::http::StatusCode::FORBIDDEN, error));
        }
        Ok(From(client_address(
            &app.settings().trusted_proxies,
            &parts.extensions,
            &parts.headers,
        )))
    }
}

/// Signs in with a password; where there is a second factor, the answer is a challenge for its code.
pub async fn sign_in(
    State(app): State<App>,
    From(address): From,
    Device(device): Device,
    StrangerArg(arg): StrangerArg<SignInArg>,
) -> Result<Response, Failure> {
    let account_key = format!("account {}", arg.email.to_lowercase());
    limit(&app, &format!("address {}", network(address)), PER_ADDRESS)?;
    limit(&app, &account_key, PER_ACCOUNT)?;
    let signed = app.at_door(move |app| {
        let verified = app
            .meta()
            .verify_password(&arg.email, &arg.password)
            .map_err(Failure::from_storage)?;
        let Some(account) = verified else {
            log(
                app,
                None,
                AuditAction::SignInFailed,
                arg.email.clone(),
                address,
            )?;
            return Err(Failure::tag("invalid_credentials"));
        };
        enter(app, account, address, &device)
    });
    let response = signed.await??;
    app.limiter().forget(&account_key);
    Ok(response)
}

/// Sets the password of whom a one-time code was given to, and signs in.
pub async fn claim(
    State(app): State<App>,
    From(address): From,
    Device(device): Device,
    StrangerArg(arg): StrangerArg<ClaimArg>,
) -> Result<Response, Failure> {
    limit(&app, &format!("address {}", network(address)), PER_ADDRESS)?;
    let claimed = app.at_door(move |app| {
        let meta = app.meta();
        let found = meta.peek_code(&arg.code).map_err(Failure::from_storage)?;
        let Authentication::Valid(code) = found else {
            let (action, subject) = (AuditAction::SignInFailed, "one-time link".to_owned());
            log(app, None, action, subject, address)?;
            return Err(Failure::tag("invalid_code"));
        };
        if !matches!(
            code.kind,
            TokenKind::OneTime {
                purpose: Purpose::Claim
            }
        ) {
            return Err(Failure::tag("invalid_code"));
        }
        let account = meta.account(code.account).map_err(Failure::from_storage)?;
        let account = account.ok_or_else(|| Failure::tag("invalid_code"))?;
        // A weak password must not use the code up.
        storage::meta::password::check_strength(&account.email, &arg.password).map_err(password)?;
        let redeemed = meta
            .redeem(&arg.code, |purpose| *purpose == Purpose::Claim)
            .map_err(Failure::from_storage)?;
        redeemed.ok_or_else(|| Failure::tag("invalid_code"))?;
        meta.set_password(account.id, &arg.password)
            .map_err(password)?;
        end_sessions(app, account.id, None).map_err(Failure::from_storage)?;
        log(
            app,
            Some(&account),
            AuditAction::PasswordSet,
            account.email.clone(),
            address,
        )?;
        // The account's row has another password now, which a challenge is bound to.
        let account = meta.account(account.id).map_err(Failure::from_storage)?;
        enter(
            app,
            account.ok_or_else(|| Failure::tag("invalid_code"))?,
            address,
            &device,
        )
    });
    claimed.await?
}

/// Who is signed in. A page that was just loaded asks with GET: it has no CSRF secret yet, and gets it here; `null` says that
/// nobody is, because a refusal would be an error in every visitor's console.
pub async fn current(
    State(app): State<App>,
    method: Method,
    caller: Result<Caller, Failure>,
    _: Void,
) -> Result<Response, Failure> {
    let caller = match caller {
        Err(Failure::Unauthorized(_)) if method.is_safe() => return Ok(reply::json(&())),
        other => other?,
    };
    let told = app.at_door(move |app| {
        let csrf = match &caller.token.kind {
            TokenKind::Session { csrf } => csrf.as_str(),
            _ => "",
        };
        answer(app, &caller.account, csrf)
    });
    Ok(reply::json(&told.await??))
}

/// Ends the session.
pub async fn sign_out(
    State(app): State<App>,
    caller: Caller,
    _: Void,
) -> Result<Response, Failure> {
    tie::untie();
    let ended = app.at_door(move |app| {
        app.meta()
            .revoke(caller.id(), caller.token_id())
            .map_err(Failure::from_storage)?;
        app.record(&caller, AuditAction::SignOut, "")
    });
    ended.await??;
    let mut response = reply::json(&());
    set_cookie(&app, &mut response, "", 0)?;
    Ok(response)
}

/// Ends an account's browser sessions but `keep`: whoever knew the old password is out. Blocks.
pub fn end_sessions(app: &App, account: AccountId, keep: Option<TokenId>) -> storage::Result<()> {
    for token in app.meta().tokens(account)? {
        if matches!(token.kind, TokenKind::Session { .. }) && Some(token.id) != keep {
            app.meta().revoke(account, token.id)?;
        }
    }
    Ok(())
}

/// Opens a session on a device for an account that has proved itself. Blocks.
pub fn open(
    app: &App,
    account: Account,
    address: IpAddr,
    device: &str,
) -> Result<Response, Failure> {
    let expires_ms = app.meta().env().clock.now_ms() + app.settings().session_ms;
    let session = app.meta().create_session(account.id, device, expires_ms);
    let (token, secret) = session.map_err(Failure::from_storage)?;
    log(
        app,
        Some(&account),
        AuditAction::SignIn,
        account.email.clone(),
        address,
    )?;
    let Token {
        kind: TokenKind::Session { csrf },
        ..
    } = &token
    else {
        return Err(Failure::Internal("a session without a CSRF secret".into()));
    };
    let mut response = reply::json(&answer(app, &account, csrf)?);
    let age_s = app.settings().session_ms / 1000;
    set_cookie(app, &mut response, secret.expose(), age_s)?;
    Ok(response)
}

fn answer(app: &App, account: &Account, csrf: &str) -> Result<serde_json::Value, Failure> {
    let factor = app
        .meta()
        .second_factor(account.id)
        .map_err(Failure::from_storage)?;
    Ok(json!({
        "account": {
            "account_id": account.id.to_string(),
            "email": account.email,
            "name": account.name,
            "is_admin": account.is_admin,
            "two_factor": factor.is_some(),
        },
        "csrf_token": csrf,
    }))
}

fn set_cookie(app: &App, response: &mut Response, secret: &str, age_s: i64) -> Result<(), Failure> {
    let secure = if app.settings().is_https() {
        "; Secure"
    } else {
        ""
    };
    let name = session_cookie(app);
    let cookie =
        format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
    let value = HeaderValue::from_str(&cookie).map_err(|e| Failure::Internal(e.to_string()))?;
    response.headers_mut().append(header::SET_COOKIE, value);
    Ok(())
}

/// Takes one attempt of `key`; [`Failure::TooMany`] where none is left.
pub fn limit(app: &App, key: &str, rate: Rate) -> Result<(), Failure> {
    let taken = app.limiter().take(key, rate, Instant::now());
    taken.map_err(|wait_s| Failure::TooMany("too_many_requests", wait_s))
}

/// Why a password is not taken.
pub fn password(error: storage::Error) -> Failure {
    match error {
        storage::Error::Refused(Refusal::WeakPassword(why)) => {
            Failure::refused(json!({ ".tag": "weak_password", "weak_password": why }))
        }
        other => Failure::from_storage(other),
    }
}

/// Writes what happened to an account at its door. Blocks.
pub fn log(
    app: &App,
    actor: Option<&Account>,
    action: AuditAction,
    subject: String,
    address: IpAddr,
) -> Result<(), Failure> {
    let at_ms = app.meta().env().clock.now_ms();
    let address = Some(address.to_string());
    let event = AuditEvent {
        at_ms,
        actor: actor.map(|account| account.id),
        action,
        subject,
        address,
    };
    app.meta().audit(event).map_err(Failure::from_storage)
}
