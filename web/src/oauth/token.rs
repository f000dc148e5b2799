//! `/oauth2/token`: a code, or a refresh token, for an access token.

use std::time::Instant;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use storage::meta::{
    AccountId, AuditAction, AuditEvent, Authentication, Challenge, NewToken, Purpose, Token,
    TokenKind,
};

use crate::App;
use crate::frame::caller::same;
use crate::frame::limiter::{Rate, network};
use crate::frame::{Failure, reply};
use crate::own::session::From;

/// How long an access token lives, seconds: four hours, as Dropbox's.
const ACCESS_S: i64 = 4 * 3600;
/// Attempts from one address.
const ATTEMPTS: Rate = Rate {
    burst: 60.0,
    per_second: 1.0,
};

/// What an application presents.
#[derive(Deserialize)]
pub struct Presented {
    grant_type: String,
    code: Option<String>,
    refresh_token: Option<String>,
    client_id: Option<String>,
    redirect_uri: Option<String>,
    code_verifier: Option<String>,
}

/// An access token, and with a code that asked for offline access a refresh token.
pub async fn token(
    State(app): State<App>,
    From(address): From,
    form: Result<Form<Presented>, FormRejection>,
) -> Result<Response, Failure> {
    let taken = app.limiter().take(
        &format!("oauth {}", network(address)),
        ATTEMPTS,
        Instant::now(),
    );
    taken.map_err(|wait_s| Failure::TooMany("too_many_requests", wait_s))?;
    let Ok(Form(presented)) = form else {
        return Ok(refused("invalid_request", "a form is expected"));
    };
    app.at_door(move |app| {
        let made = match presented.grant_type.as_str() {
            "authorization_code" => exchange(app, &presented)?,
            "refresh_token" => refresh(app, &presented)?,
            _ => {
                let known = "authorization_code or refresh_token";
                return Ok(refused("unsupported_grant_type", known));
            }
        };
        let at_ms = app.meta().env().clock.now_ms();
        let (actor, action, subject) = match &made {
            Ok(made) => (Some(made.account), AuditAction::TokenCreated, &made.name),
            Err(_) => (None, AuditAction::SignInFailed, &presented.grant_type),
        };
        app.meta().audit(AuditEvent {
            at_ms,
            actor,
            action,
            subject: subject.clone(),
            address: Some(address.to_string()),
        })?;
        Ok(match made {
            Ok(made) => reply::json(&made.answer),
            Err(why) => refused("invalid_grant", why),
        })
    })
    .await?
    .map_err(Failure::from_storage)
}

/// A new access token, and what the application hears of it.
struct Made {
    account: AccountId,
    name: String,
    answer: Value,
}

/// What an application got, or why it gets nothing.
type Granted = storage::Result<Result<Made, &'static str>>;

fn exchange(app: &App, presented: &Presented) -> Granted {
    const GONE: &str = "code doesn't exist or has expired";
    let code = presented.code.as_deref().unwrap_or("");
    let Some(code) = app
        .meta()
        .redeem(code, |purpose| fits(purpose, presented))?
    else {
        return Ok(Err(GONE));
    };
    let TokenKind::OneTime {
        purpose: Purpose::Authorization {
            client_id, offline, ..
        },
    } = &code.kind
    else {
        return Ok(Err(GONE));
    };
    let refresh = match offline {
        true => Some(
            app.meta()
                .create_token_with(code.account, new(TokenKind::Refresh, client_id, None, None))?,
        ),
        false => None,
    };
    let parent = refresh.as_ref().map(|(token, _)| token);
    let mut made = access(app, &code, client_id, parent)?;
    if let Some((_, secret)) = &refresh {
        made.answer["refresh_token"] = json!(secret.expose());
    }
    Ok(Ok(made))
}

fn refresh(app: &App, presented: &Presented) -> Granted {
    let secret = presented.refresh_token.as_deref().unwrap_or("");
    match app.meta().refresh_authentication(secret)? {
        Authentication::Valid(token) => access(app, &token, &token.name, Some(&token)).map(Ok),
        _ => Ok(Err("refresh token is invalid or revoked")),
    }
}

/// A new access token for the account of `of`.
fn access(app: &App, of: &Token, name: &str, parent: Option<&Token>) -> storage::Result<Made> {
    let expires_ms = app.meta().env().clock.now_ms() + ACCESS_S * 1000;
    let new = new(TokenKind::Bearer, name, Some(expires_ms), parent);
    let (_, secret) = app.meta().create_token_with(of.account, new)?;
    let answer = json!({
        "access_token": secret.expose(),
        "token_type": "bearer",
        "expires_in": ACCESS_S,
        "scope": "",
        "uid": of.account.0.to_string(),
        "account_id": of.account.to_string(),
    });
    Ok(Made {
        account: of.account,
        name: name.to_owned(),
        answer,
    })
}

fn new(kind: TokenKind, name: &str, expires_ms: Option<i64>, parent: Option<&Token>) -> NewToken {
    NewToken {
        kind,
        name: name.to_owned(),
        scopes: Vec::new(),
        expires_ms,
        parent: parent.map(|token| token.id),
    }
}

/// Whether the code was given to this application, for this address, and to who holds PKCE's verifier.
fn fits(purpose: &Purpose, presented: &Presented) -> bool {
    let Purpose::Authorization {
        client_id,
        redirect_uri,
        challenge,
        ..
    } = purpose
    else {
        return false;
    };
    let verifier = presented.code_verifier.as_deref().unwrap_or("").as_bytes();
    let proved = match challenge {
        None => true,
        Some(Challenge::Plain(plain)) => same(plain.as_bytes(), verifier),
        Some(Challenge::S256(hash)) => {
            let made = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            same(hash.trim_end_matches('=').as_bytes(), made.as_bytes())
        }
    };
    let client = presented
        .client_id
        .as_deref()
        .is_none_or(|id| id == client_id);
    proved && client && presented.redirect_uri == *redirect_uri
}

/// OAuth's own error form, which the SDK reads.
fn refused(error: &str, description: &str) -> Response {
    let mut response = reply::json(&json!({ "error": error, "error_description": description }));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}
