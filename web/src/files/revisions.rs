//! `files/list_revisions` and `files/restore`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use storage::meta::{AuditAction, Refusal, RevId};

use super::error::{address, path_lookup, restore as restore_shape};
use super::shape::{FileShape, Shape};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Union};

/// Revisions on a page, as Dropbox bounds them.
const LIMIT: std::ops::RangeInclusive<usize> = 1..=100;
const DEFAULT_LIMIT: usize = 10;

/// Whose revisions.
#[derive(Deserialize)]
pub struct ListRevisionsArg {
    path: String,
    mode: Option<Union>,
    limit: Option<usize>,
}

/// Newest first.
#[derive(Serialize)]
pub struct ListRevisionsResult {
    is_deleted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_deleted: Option<Stamp>,
    entries: Vec<FileShape>,
    has_more: bool,
}

/// Which version of what.
#[derive(Deserialize)]
pub struct RestoreArg {
    path: String,
    rev: String,
}

/// The versions of what is or was at a path.
pub async fn list_revisions(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ListRevisionsArg>,
) -> Answer<ListRevisionsResult> {
    let limit = arg.limit.unwrap_or(DEFAULT_LIMIT);
    if !LIMIT.contains(&limit) {
        return Err(Failure::bad(
            "request body: limit: must be between 1 and 100",
        ));
    }
    let at = address(&arg.path, path_lookup)?;
    let by_id = arg.mode.is_some_and(|mode| mode.tag == "id");
    let listed = app.blocking(move |app| {
        let start = caller.start_of(app)?;
        let found = app.meta().revisions(caller.actor(), &at, by_id, limit)?;
        let shape = |r: &storage::meta::Revision| {
            FileShape::of(&found.place, r.file, &r.version, None, start)
        };
        storage::Result::Ok(ListRevisionsResult {
            is_deleted: found.is_deleted,
            server_deleted: found.deleted_ms.map(Stamp),
            entries: found.versions.iter().map(shape).collect(),
            has_more: found.has_more,
        })
    });
    listed
        .await?
        .map(Reply)
        .map_err(|e| Failure::shaped(e, path_lookup))
}

/// Makes an old version the newest; a deleted file comes back.
pub async fn restore(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RestoreArg>,
) -> Answer<Shape> {
    let at = address(&arg.path, restore_shape)?;
    let Some(id) = RevId::parse(&arg.rev) else {
        return Err(Failure::of_refusal(
            &Refusal::InvalidRevision,
            restore_shape,
        ));
    };
    let worker = caller.clone();
    let restored = app.blocking(move |app| {
        let start = worker.start_of(app)?;
        let place = app.meta().restore(worker.actor(), &at, id.file, id.rev)?;
        storage::Result::Ok(Shape::plain(&place, start))
    });
    let shape = restored
        .await?
        .map_err(|e| Failure::shaped(e, restore_shape))?;
    app.note(&caller, AuditAction::Restored, arg.path).await;
    Ok(Reply(shape))
}
