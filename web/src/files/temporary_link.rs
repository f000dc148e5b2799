//! `files/get_temporary_link`, and what such a link opens: one version, for four hours, without a token.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::meta::{AccountId, AuditAction, FileId, Place, Refusal, Rev, Version};

use super::error::{address, path_lookup};
use super::shape::FileShape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::content::{Presentation, outgoing};
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply, tie};

/// How long a link opens, milliseconds.
const LIFETIME_MS: i64 = 4 * 3600 * 1000;

/// Which file.
#[derive(Deserialize)]
pub struct LinkArg {
    path: String,
}

/// What a link holds, sealed.
#[derive(Serialize, Deserialize)]
struct Ticket {
    account: u64,
    file: u64,
    rev: u64,
    until_ms: i64,
}

/// A link to a file's present version.
pub async fn get_temporary_link(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<LinkArg>,
) -> Answer<Value> {
    let at = address(&arg.path, path_lookup)?;
    let made = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let place = view.resolve(caller.root, &at)?;
        let version = place.node.head().ok_or(Refusal::NotFile)?;
        let metadata = FileShape::new(&place, version, None, caller.start(&view)?);
        app.note_here(&caller, AuditAction::Download, metadata.subject());
        sync::Result::Ok(json!({ "metadata": metadata, "link": link(app, caller.id(), place.node.id, version.rev)? }))
    });
    made.await?
        .map(Reply)
        .map_err(|e| Failure::of_sync(e, path_lookup))
}

/// The address that opens a version to whoever has it, as long as `account` may read it, for four hours.
pub fn link(app: &App, account: AccountId, file: FileId, rev: Rev) -> storage::Result<String> {
    let until_ms = app.meta().env().clock.now_ms() + LIFETIME_MS;
    let ticket = app.links().seal(&Ticket {
        account: account.0,
        file: file.0,
        rev: rev.0,
        until_ms,
    })?;
    Ok(format!("{}/t/{ticket}", app.settings().public_url))
}

/// The bytes that a link opens; 404 once it is over or its maker may no longer read them.
pub async fn open(
    State(app): State<App>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let ticket: Ticket = app.links().open(&link).ok_or(Failure::NotFound)?;
    if ticket.until_ms <= app.meta().env().clock.now_ms() {
        return Err(Failure::NotFound);
    }
    tie::bind(&app, AccountId(ticket.account), None);
    let read = app
        .blocking(move |app| read(app, &ticket))
        .await?
        .map_err(Failure::from_storage)?;
    let (place, version) = read.ok_or(Failure::NotFound)?;
    outgoing(
        &app,
        &headers,
        &version,
        Presentation {
            attachment: Some(&place.node.name),
            ..Presentation::BYTES
        },
    )
    .await
}

fn read(app: &App, ticket: &Ticket) -> storage::Result<Option<(Place, Version)>> {
    let account = AccountId(ticket.account);
    if app
        .meta()
        .account(account)?
        .is_none_or(|account| account.disabled)
    {
        return Ok(None);
    }
    let view = app.meta().view(account)?;
    let (file, rev) = (FileId(ticket.file), Rev(ticket.rev));
    Ok(view.place(file)?.zip(view.version(file, rev)?))
}
