//! `files/move_v2`, `files/copy_v2`, and their batches.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::meta::{Address, JobKind, Place, Refusal};

use super::batch::{check_count, launch};
use super::error::{address, relocation, relocation_from, relocation_from_write, relocation_to};
use super::shape::{Shape, Start};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// From where to where.
#[derive(Deserialize)]
pub struct RelocationArg {
    from_path: String,
    to_path: String,
    #[serde(default)]
    autorename: bool,
}

/// From where to where, all at once.
#[derive(Deserialize)]
pub struct RelocationBatchArg {
    entries: Vec<RelocationArg>,
    #[serde(default)]
    autorename: bool,
}

/// Where it is now.
#[derive(Serialize)]
pub struct RelocationResult {
    metadata: Shape,
}

#[derive(Clone, Copy)]
enum Way {
    Move,
    Copy,
}

/// Moves or renames a file or folder.
pub async fn relocate(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RelocationArg>,
) -> Answer<RelocationResult> {
    single(app, caller, arg, Way::Move).await
}

/// Copies a file or folder.
pub async fn copy(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RelocationArg>,
) -> Answer<RelocationResult> {
    single(app, caller, arg, Way::Copy).await
}

/// Moves files and folders; one result each.
pub async fn move_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RelocationBatchArg>,
) -> Answer<Value> {
    batch(app, caller, arg, Way::Move).await
}

/// Copies files and folders; one result each.
pub async fn copy_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RelocationBatchArg>,
) -> Answer<Value> {
    batch(app, caller, arg, Way::Copy).await
}

async fn single(
    app: App,
    caller: Caller,
    arg: RelocationArg,
    way: Way,
) -> Answer<RelocationResult> {
    let done = app.blocking(move |app| {
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        let metadata = one(app, &caller, &arg, arg.autorename, way, start)?;
        Ok(RelocationResult { metadata })
    });
    done.await?.map(Reply)
}

async fn batch(app: App, caller: Caller, arg: RelocationBatchArg, way: Way) -> Answer<Value> {
    check_count(arg.entries.len())?;
    let worker = caller.clone();
    let kind = match way {
        Way::Move => JobKind::Move,
        Way::Copy => JobKind::Copy,
    };
    launch(&app, &caller, kind, false, move |app| {
        let start = worker.start_of(app).map_err(Failure::from_storage)?;
        let entry =
            |entry: &RelocationArg| match one(app, &worker, entry, arg.autorename, way, start) {
                Ok(metadata) => Ok(json!({ ".tag": "success", "success": metadata })),
                Err(Failure::Refused(_, error)) => {
                    let failure = json!({ ".tag": "relocation_error", "relocation_error": error });
                    Ok(json!({ ".tag": "failure", "failure": failure }))
                }
                Err(other) => Err(other),
            };
        Ok(json!({ "entries": arg.entries.iter().map(entry).collect::<Result<Vec<_>, _>>()? }))
    })
    .await
}

fn one(
    app: &App,
    caller: &Caller,
    arg: &RelocationArg,
    autorename: bool,
    way: Way,
    start: Start,
) -> Result<Shape, Failure> {
    let (from, to) = (
        address(&arg.from_path, relocation_from)?,
        address(&arg.to_path, relocation_to)?,
    );
    let (meta, actor) = (app.meta(), caller.actor());
    let place = match way {
        Way::Move => meta.relocate(actor, &from, &to, autorename),
        Way::Copy => meta.copy(actor, &from, &to, autorename),
    };
    match place {
        Ok(place) => Ok(Shape::tagged(&place, start)),
        // Which end is not there, or may not be written, the refusal does not say: a source that is and may be is not the reason.
        Err(storage::Error::Refused(Refusal::NotFound)) if source(app, caller, &from).is_ok() => {
            Err(Failure::of_refusal(&Refusal::NotFound, relocation_to))
        }
        Err(storage::Error::Refused(Refusal::NoWritePermission))
            if from_is_fixed(app, caller, &from, way) =>
        {
            Err(Failure::of_refusal(
                &Refusal::NoWritePermission,
                relocation_from_write,
            ))
        }
        Err(error) => Err(Failure::shaped(error, relocation)),
    }
}

/// Whether a move failed because its source may only be read.
fn from_is_fixed(app: &App, caller: &Caller, from: &Address, way: Way) -> bool {
    let place = source(app, caller, from);
    matches!(way, Way::Move) && place.is_ok_and(|place| !place.role.can_write())
}

fn source(app: &App, caller: &Caller, from: &Address) -> storage::Result<Place> {
    app.meta().view(caller.id())?.resolve(caller.root, from)
}
