//! `/s/KEY`: what a shared link shows in a browser, and the bytes with `?dl=1` or `?raw=1`.
//!
//! A link with a password asks for it once; a sealed cookie for this link alone says for an hour that it was right.

use std::net::IpAddr;

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use storage::meta::{AuditAction, AuditEvent, OpenedLink, Refusal};

use super::html::{encode, escape, page};
use super::link_page::{file_page, folder_page, small, view};
use super::words::{Words, words_for};
use crate::App;
use crate::files::error::Shape;
use crate::files::zip;
use crate::frame::caller::cookie;
use crate::frame::content::{Presentation, outgoing};
use crate::frame::{Failure, tie};
use crate::own::session::From;
use crate::sharing::link_file::{names, open as open_with_password};

/// How long a right password is remembered, milliseconds.
const UNLOCKED_MS: i64 = 3600 * 1000;
const UNLOCKED_COOKIE: &str = "firefly_link";

/// How the link is opened.
#[derive(Deserialize)]
pub struct LinkQuery {
    dl: Option<String>,
    raw: Option<String>,
    view: Option<String>,
    small: Option<String>,
    path: Option<String>,
}

/// The form's field.
#[derive(Deserialize)]
pub struct PasswordForm {
    password: String,
}

/// What the cookie holds, sealed.
#[derive(Serialize, Deserialize)]
struct Unlocked {
    key: String,
    /// Of the password that was right: another one asks anew.
    password_mark: u64,
    until_ms: i64,
}

/// The page of a file or folder, or its bytes.
pub async fn open(
    State(app): State<App>,
    From(address): From,
    Path(key): Path<String>,
    Query(query): Query<LinkQuery>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let words = words_for(&headers);
    let opened = match read(&app, &headers, key.clone(), query.path.as_deref()).await {
        Ok(opened) => opened,
        Err(Failure::Refused(_, error)) if error[".tag"] == "password" => {
            return Ok(ask(words, &key, ""));
        }
        Err(Failure::Refused(..)) => return Ok(gone(words)),
        Err(failure) => return Err(failure),
    };
    tie::bind(&app, opened.actor.account, None);
    let wants = |flag: &Option<String>| flag.as_deref() == Some("1");
    if !wants(&query.small) {
        note(&app, &opened, address).await?;
    }
    match opened.place.node.head() {
        Some(version) if opened.link.allow_download && (wants(&query.dl) || wants(&query.raw)) => {
            let attachment = Some(opened.place.node.name.as_str()).filter(|_| wants(&query.dl));
            let presentation = Presentation {
                attachment,
                ..Presentation::BYTES
            };
            outgoing(&app, &headers, version, presentation).await
        }
        Some(version) if wants(&query.view) => view(&app, &headers, &opened, version).await,
        Some(version) if wants(&query.small) => small(&app, &opened, version).await,
        Some(_) => file_page(&app, words, opened, &key, &query.path.unwrap_or_default()).await,
        None if opened.link.allow_download && wants(&query.dl) => {
            let (account, folder) = (opened.actor.account, opened.place);
            let planned = app.blocking(move |app| {
                let view = app.meta().view(account).map_err(Failure::from_storage)?;
                zip::plan(&view, &folder)
            });
            Ok(zip::send(&app, planned.await??))
        }
        None => folder_page(&app, words, opened, &key, &query.path.unwrap_or_default()).await,
    }
}

/// Takes a password and, when it is right, shows the link.
pub async fn unlock(
    State(app): State<App>,
    From(address): From,
    Path(key): Path<String>,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Failure> {
    let words = words_for(&headers);
    let opened = open_with_password(&app, address, key.clone(), Some(form.password), None).await;
    let password_mark = match opened {
        Ok(opened) => opened.link.password_mark,
        Err(Failure::Refused(_, error)) if error[".tag"] == "shared_link_access_denied" => {
            let wrong = format!("<p role=\"alert\">{}</p>", words.wrong_password);
            return Ok(ask(words, &key, &wrong));
        }
        Err(Failure::Refused(..)) => return Ok(gone(words)),
        Err(failure) => return Err(failure),
    };
    let until_ms = app.meta().env().clock.now_ms() + UNLOCKED_MS;
    let sealed = app.unlocked().seal(&Unlocked {
        key: key.clone(),
        password_mark,
        until_ms,
    });
    let sealed = sealed.map_err(|e| Failure::Internal(e.to_string()))?;
    let secure = if app.settings().is_https() {
        "; Secure"
    } else {
        ""
    };
    let key = encode(&key);
    let cookie = format!(
        "{UNLOCKED_COOKIE}={sealed}; Path=/s/{key}; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        UNLOCKED_MS / 1000
    );
    let mut response = Redirect::to(&format!("/s/{key}")).into_response();
    let value = HeaderValue::from_str(&cookie).map_err(|e| Failure::Internal(e.to_string()))?;
    response.headers_mut().insert(header::SET_COOKIE, value);
    Ok(response)
}

/// Opens the link; the refusal is `password` where one is still to be given.
async fn read(
    app: &App,
    headers: &HeaderMap,
    key: String,
    path: Option<&str>,
) -> Result<OpenedLink, Failure> {
    const SHAPE: Shape = |refusal| {
        let tag = if *refusal == Refusal::WrongPassword {
            "password"
        } else {
            "gone"
        };
        Some(serde_json::json!({ ".tag": tag }))
    };
    let below = names(path)?;
    let now_ms = app.meta().env().clock.now_ms();
    let unlocked =
        cookie(headers, UNLOCKED_COOKIE).and_then(|sealed| app.unlocked().open::<Unlocked>(sealed));
    let unlocked = unlocked.filter(|known| known.key == key && known.until_ms > now_ms);
    let opened = app.blocking(move |app| {
        if let Some(known) = unlocked {
            let opened = app.meta().open_unlocked_link(&key, &below)?;
            if opened.link.password_mark == known.password_mark {
                return Ok(opened);
            }
        }
        app.meta().open_link(&key, None, &below)
    });
    opened.await?.map_err(|e| Failure::shaped(e, SHAPE))
}

fn ask(words: &Words, key: &str, before: &str) -> Response {
    let (password, open) = (words.password, words.open);
    let form = format!(
        "{before}<form method=\"post\" action=\"/s/{}\"><input type=\"password\" name=\"password\" \
         aria-label=\"{password}\" autocomplete=\"off\" autofocus required><button>{open}</button></form>",
        escape(&encode(key))
    );
    page(words, StatusCode::UNAUTHORIZED, words.has_password, &form)
}

fn gone(words: &Words) -> Response {
    let body = format!("<p>{}</p>", words.gone);
    page(words, StatusCode::NOT_FOUND, words.nothing_here, &body)
}

async fn note(app: &App, opened: &OpenedLink, address: IpAddr) -> Result<(), Failure> {
    let event = AuditEvent {
        at_ms: app.meta().env().clock.now_ms(),
        actor: None,
        action: AuditAction::LinkOpened,
        subject: opened.place.node.id.to_string(),
        address: Some(address.to_string()),
    };
    app.blocking(move |app| app.audit().push(event)).await
}
