//! `files/delete_v2` and `files/delete_batch`.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::meta::{AuditAction, JobKind, Rev, RevId};

use super::batch::{check_count, launch};
use super::error::{address, delete as shape};
use super::shape::{Shape, Start};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// What to delete.
#[derive(Deserialize)]
pub struct DeleteArg {
    path: String,
    parent_rev: Option<String>,
}

/// What to delete, all at once.
#[derive(Deserialize)]
pub struct DeleteBatchArg {
    entries: Vec<DeleteArg>,
}

/// What was deleted, as it was.
#[derive(Serialize)]
pub struct DeleteResult {
    metadata: Shape,
}

/// Deletes a file or folder into the trash.
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<DeleteArg>,
) -> Answer<DeleteResult> {
    let deleted = app.blocking(move |app| {
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        one(app, &caller, &arg, start).map(|metadata| DeleteResult { metadata })
    });
    deleted.await?.map(Reply)
}

/// Deletes files and folders; one result each.
pub async fn delete_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<DeleteBatchArg>,
) -> Answer<Value> {
    check_count(arg.entries.len())?;
    let worker = caller.clone();
    launch(&app, &caller, JobKind::Delete, false, move |app| {
        let start = worker.start_of(app).map_err(Failure::from_storage)?;
        let entry = |arg: &DeleteArg| match one(app, &worker, arg, start) {
            Ok(metadata) => Ok(json!({ ".tag": "success", "metadata": metadata })),
            Err(Failure::Refused(_, error)) => Ok(json!({ ".tag": "failure", "failure": error })),
            Err(other) => Err(other),
        };
        Ok(json!({ "entries": arg.entries.iter().map(entry).collect::<Result<Vec<_>, _>>()? }))
    })
    .await
}

fn one(app: &App, caller: &Caller, arg: &DeleteArg, start: Start) -> Result<Shape, Failure> {
    let at = address(&arg.path, shape)?;
    let rev = arg
        .parent_rev
        .as_deref()
        .map(|rev| RevId::parse(rev).map_or(Rev(0), |id| id.rev));
    let place = app
        .meta()
        .delete(caller.actor(), &at, rev)
        .map_err(|e| Failure::shaped(e, shape))?;
    app.note_here(caller, AuditAction::Deleted, arg.path.as_str());
    Ok(Shape::tagged(&place, start))
}
