//! `files/create_folder_v2` and `files/create_folder_batch`.

use std::collections::HashSet;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::meta::{Actor, JobKind, Place, Refusal};

use super::batch::{check_count, launch};
use super::error::{address, path_write};
use super::shape::{FolderShape, Start};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// What to make.
#[derive(Deserialize)]
pub struct CreateFolderArg {
    path: String,
    #[serde(default)]
    autorename: bool,
}

/// What to make, all at once.
#[derive(Deserialize)]
pub struct CreateFolderBatchArg {
    paths: Vec<String>,
    #[serde(default)]
    autorename: bool,
    #[serde(default)]
    force_async: bool,
}

/// The folder that was made.
#[derive(Serialize)]
pub struct CreateFolderResult {
    metadata: FolderShape,
}

/// Makes a folder and its parents.
pub async fn create_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateFolderArg>,
) -> Answer<CreateFolderResult> {
    let made = app.blocking(move |app| {
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        let place = make(app, caller.actor(), &arg.path, arg.autorename)?;
        Ok(CreateFolderResult {
            metadata: FolderShape::new(&place, None, start),
        })
    });
    made.await?.map(Reply)
}

/// Makes folders; one result for each distinct path.
pub async fn create_folder_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateFolderBatchArg>,
) -> Answer<Value> {
    check_count(arg.paths.len())?;
    let worker = caller.clone();
    launch(
        &app,
        &caller,
        JobKind::CreateFolders,
        arg.force_async,
        move |app| {
            let start = worker.start_of(app).map_err(Failure::from_storage)?;
            let mut seen = HashSet::new();
            let paths = arg
                .paths
                .iter()
                .filter(|path| seen.insert(path.to_lowercase()));
            let entry =
                |path: &String| entry(make(app, worker.actor(), path, arg.autorename), start);
            Ok(json!({ "entries": paths.map(entry).collect::<Result<Vec<_>, _>>()? }))
        },
    )
    .await
}

fn make(app: &App, actor: Actor, path: &str, autorename: bool) -> Result<Place, Failure> {
    let at = address(path, path_write)?;
    app.meta()
        .create_folder(actor, &at, autorename)
        .map_err(|e| Failure::shaped(e, path_write))
}

/// One result of the batch; what is no refusal ends the batch.
fn entry(made: Result<Place, Failure>, start: Start) -> Result<Value, Failure> {
    match made {
        Ok(place) => {
            Ok(json!({ ".tag": "success", "metadata": FolderShape::new(&place, None, start) }))
        }
        Err(Failure::Refused(_, error)) => Ok(json!({ ".tag": "failure", "failure": error })),
        Err(Failure::BadRequest(_)) => {
            let error = path_write(&Refusal::MalformedPath(String::new()));
            Ok(json!({ ".tag": "failure", "failure": error }))
        }
        Err(other) => Err(other),
    }
}
