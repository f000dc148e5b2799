//! `/2/firefly/token/*`: a caller's own tokens.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AuditAction, Refusal, Token, TokenId, TokenKind};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::tie;
use crate::frame::{Arg, Failure, Reply, Void};

/// Longest name of a token, characters.
const MAX_NAME_CHARS: usize = 100;

/// What a token is for.
#[derive(Deserialize)]
pub struct CreateArg {
    name: String,
}

/// Which token.
#[derive(Deserialize)]
pub struct RevokeArg {
    id: String,
}

/// Makes a bearer token; it is shown this once.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateArg>,
) -> Answer<Value> {
    let name: String = arg
        .name
        .trim()
        .chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME_CHARS)
        .collect();
    if name.is_empty() {
        return Err(Failure::bad("request body: name: must not be empty"));
    }
    let made = app.blocking(move |app| {
        let new = storage::meta::NewToken {
            kind: TokenKind::Bearer,
            name: name.clone(),
            scopes: Vec::new(),
            expires_ms: None,
            parent: None,
        };
        let (token, secret) = app
            .meta()
            .create_token_with(caller.id(), new)
            .map_err(Failure::from_storage)?;
        app.record(&caller, AuditAction::TokenCreated, name)?;
        Ok(json!({ "token": secret.expose(), "id": token.id.to_string() }))
    });
    made.await?.map(Reply)
}

/// The caller's tokens, oldest first.
pub async fn list(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    let own = caller.token_id();
    let tokens = app
        .blocking(move |app| app.meta().tokens(caller.id()))
        .await?
        .map_err(Failure::from_storage)?;
    let shown = tokens
        .iter()
        .filter(|token| !matches!(token.kind, TokenKind::OneTime { .. }));
    Ok(Reply(
        json!({ "tokens": shown.map(|token| shape(token, own)).collect::<Vec<_>>() }),
    ))
}

/// Revokes one of the caller's tokens, at once.
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RevokeArg>,
) -> Answer<()> {
    let id = TokenId::parse(&arg.id).ok_or_else(|| Failure::tag("not_found"))?;
    if id == caller.token_id() {
        tie::untie();
    }
    let revoked = app.blocking(move |app| {
        let revoked = app.meta().revoke(caller.id(), id);
        revoked.map_err(|e| {
            Failure::shaped(e, |refusal| {
                (*refusal == Refusal::NotFound).then(|| json!({ ".tag": "not_found" }))
            })
        })?;
        app.record(&caller, AuditAction::TokenRevoked, arg.id)
    });
    revoked.await?.map(Reply)
}

fn shape(token: &Token, own: TokenId) -> Value {
    let kind = match token.kind {
        TokenKind::Bearer => "bearer",
        TokenKind::Session { .. } => "session",
        TokenKind::OneTime { .. } => "one_time",
        TokenKind::Refresh => "refresh",
    };
    json!({
        "id": token.id.to_string(),
        "name": token.name,
        "kind": kind,
        "created": Stamp(token.created_ms),
        "expires": token.expires_ms.map(Stamp),
        "last_used": token.last_used_ms.map(Stamp),
        "current": token.id == own,
    })
}
