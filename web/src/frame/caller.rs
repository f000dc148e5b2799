//! Who calls: a bearer token, or a browser's session with its CSRF secret; and where the caller's paths start.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use serde::Deserialize;
use serde_json::json;
use storage::meta::Account;
use storage::meta::{AccountId, Actor, NamespaceId, TokenId, View};
use storage::meta::{Authentication, Token, TokenKind};

use super::proxy::client_address;
use super::{Failure, Union, asking, tie};
use crate::App;
use crate::files::shape::Start;

/// The cookies that carry a browser's session: plain, and over https, where no other host or path can set it and it never goes
/// out unencrypted.
const SESSION_COOKIES: [&str; 2] = ["firefly_session", "__Host-firefly_session"];
/// The header that repeats the session's CSRF secret.
const CSRF_HEADER: &str = "x-firefly-csrf";

/// An authenticated caller.
#[derive(Clone)]
pub struct Caller {
    /// Whose token it is.
    pub account: Arc<Account>,
    /// The token.
    pub token: Token,
    /// Where paths start: the account's own root, or the one that `Dropbox-API-Path-Root` names.
    pub root: NamespaceId,
    /// Where the request comes from.
    pub address: IpAddr,
}

impl Caller {
    /// The account, acting from its path root.
    pub fn actor(&self) -> Actor {
        Actor {
            account: self.account.id,
            root: self.root,
        }
    }

    /// The account's id.
    pub fn id(&self) -> AccountId {
        self.account.id
    }

    /// The token's id, for cursors that end with it.
    pub fn token_id(&self) -> TokenId {
        self.token.id
    }

    /// Where the paths of answers start: below the path root that the request chose.
    pub fn start(&self, view: &View<'_>) -> storage::Result<Start> {
        if self.root == self.account.root {
            return Ok(Start::default());
        }
        let mount = view
            .access()?
            .iter()
            .find(|a| a.ns == self.root)
            .and_then(|a| a.mount);
        let place = mount.map_or(Ok(None), |mount| view.place(mount))?;
        Ok(place.map_or(Start::below("ns:"), |place| {
            Start::below(&place.path_display)
        }))
    }

    /// The same, by a view of its own.
    pub fn start_of(&self, app: &App) -> storage::Result<Start> {
        if self.root == self.account.root {
            return Ok(Start::default());
        }
        self.start(&app.meta().view(self.id())?)
    }

    /// Refuses everybody but administrators.
    pub fn require_admin(&self) -> Result<(), Failure> {
        if self.account.is_admin {
            Ok(())
        } else {
            Err(Failure::tag("no_permission"))
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let address = client_address(
            &app.settings().trusted_proxies,
            &parts.extensions,
            &parts.headers,
        );
        let (secret, from_cookie) = secret(app, &parts.headers)?;
        let (token, account) = app.sessions().authenticate(app, secret).await?;
        check_kind(&token, from_cookie, &parts.method, &parts.headers)?;
        tie::bind(app, account.id, Some(token.id));
        asking::is_of(account.id);
        for header in ["dropbox-api-select-user", "dropbox-api-select-admin"] {
            if parts.headers.contains_key(header) {
                return Err(Failure::bad(format!(
                    "HTTP header \"{header}\": this token is not a team's"
                )));
            }
        }
        let root = path_root(app, &account, &parts.headers).await?;
        Ok(Caller {
            account,
            token,
            root,
            address,
        })
    }
}

/// The secret that the request presents, and whether it came as a cookie.
fn secret<'a>(app: &App, headers: &'a HeaderMap) -> Result<(&'a str, bool), Failure> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().unwrap_or("");
        let bearer = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        return bearer
            .map(|(_, secret)| (secret.trim(), false))
            .ok_or(Failure::Unauthorized("invalid_access_token"));
    }
    cookie(headers, session_cookie(app))
        .map(|secret| (secret, true))
        .ok_or(Failure::Unauthorized("invalid_access_token"))
}

/// The name of the cookie that carries a browser's session.
pub fn session_cookie(app: &App) -> &'static str {
    SESSION_COOKIES[usize::from(app.settings().is_https())]
}

/// The value of a cookie.
pub fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(header::COOKIE)
        .into_iter()
        .filter_map(|line| line.to_str().ok());
    let pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .into_iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// A bearer token goes in the header, a session in the cookie; what a session changes repeats its CSRF secret.
fn check_kind(
    token: &Token,
    from_cookie: bool,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Failure> {
    match &token.kind {
        TokenKind::Bearer if !from_cookie => Ok(()),
        TokenKind::Session { csrf } if from_cookie => {
            let sent = headers
                .get(CSRF_HEADER)
                .map_or(&b""[..], |value| value.as_bytes());
            if method.is_safe() || same(sent, csrf.as_bytes()) {
                return Ok(());
            }
            let error = json!({ ".tag": "csrf_token_mismatch" });
            Err(Failure::Refused(axum::http::StatusCode::FORBIDDEN, error))
        }
        _ => Err(Failure::Unauthorized("invalid_access_token")),
    }
}

/// Compares without telling by time where the difference is.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[derive(Deserialize)]
#[serde(transparent)]
struct PathRoot(Union);

/// The namespace that the caller's paths start in.
async fn path_root(
    app: &App,
    account: &Arc<Account>,
    headers: &HeaderMap,
) -> Result<NamespaceId, Failure> {
    let Some(value) = headers.get("dropbox-api-path-root") else {
        return Ok(account.root);
    };
    let bad =
        |detail: String| Failure::bad(format!("HTTP header \"Dropbox-API-Path-Root\": {detail}"));
    let PathRoot(union) =
        serde_json::from_slice(value.as_bytes()).map_err(|e| bad(e.to_string()))?;
    let named = || {
        union
            .text()
            .and_then(NamespaceId::parse)
            .ok_or_else(|| bad("expected a namespace id".into()))
    };
    match union.tag.as_str() {
        "home" => Ok(account.root),
        "root" if named()? == account.root => Ok(account.root),
        "root" => Err(invalid_root(account)),
        "namespace_id" => {
            let (ns, id) = (named()?, account.id);
            let readable = move |app: &App| {
                let access = app.meta().view(id)?.access()?;
                storage::Result::Ok(access.iter().any(|a| a.ns == ns))
            };
            match ns == account.root
                || app
                    .blocking(readable)
                    .await?
                    .map_err(Failure::from_storage)?
            {
                true => Ok(ns),
                false => Err(Failure::PathRoot(json!({ ".tag": "no_permission" }))),
            }
        }
        other => Err(bad(format!("unknown mode {other:?}"))),
    }
}

fn invalid_root(account: &Account) -> Failure {
    let root = account.root.to_string();
    let info = json!({ ".tag": "user", "root_namespace_id": root, "home_namespace_id": root });
    Failure::PathRoot(json!({ ".tag": "invalid_root", "invalid_root": info }))
}

/// What authentication says to a caller.
pub fn refuse(found: Authentication) -> Result<Token, Failure> {
    match found {
        Authentication::Valid(token) => Ok(token),
        Authentication::Expired => Err(Failure::Unauthorized("expired_access_token")),
        Authentication::Suspended => Err(Failure::Unauthorized("user_suspended")),
        Authentication::Unknown => Err(Failure::Unauthorized("invalid_access_token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            axum::http::HeaderValue::from_static("a=1; firefly_session=ff_x"),
        );
        headers.append(header::COOKIE, axum::http::HeaderValue::from_static("b=2"));
        assert_eq!(cookie(&headers, SESSION_COOKIES[0]), Some("ff_x"));
        assert_eq!(cookie(&headers, "b"), Some("2"));
        assert_eq!(cookie(&headers, "c"), None);
    }
}
