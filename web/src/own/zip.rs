//! `GET /2/firefly/zip`: several files and folders as one archive, made while it is sent.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use storage::meta::AuditAction;

use crate::App;
use crate::files::error::{address, path_lookup};
use crate::files::zip::{plan_all, send};
use crate::frame::caller::Caller;
use crate::frame::{Failure, HeaderArg};

/// The most that may be named.
const MAX_PATHS: usize = 1_000;

/// What is wanted; the archive's name without its ending.
#[derive(Deserialize)]
pub struct ZipArg {
    paths: Vec<String>,
    #[serde(default)]
    name: Option<String>,
}

/// The archive. Bounded as `files/download_zip` is: 10,000 entries, 20 GiB.
pub async fn zip(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ZipArg>,
) -> Result<Response, Failure> {
    if arg.paths.is_empty() || arg.paths.len() > MAX_PATHS {
        return Err(Failure::bad("paths: must name 1 to 1000 files or folders"));
    }
    let wanted = arg.paths.iter().map(|path| address(path, path_lookup));
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let name = arg.name.unwrap_or_else(|| "Firefly".to_owned());
    let reader = caller.clone();
    let planned = app.blocking(move |app| {
        let view = app
            .meta()
            .view(reader.id())
            .map_err(Failure::from_storage)?;
        let places = wanted.iter().map(|at| view.resolve(reader.root, at));
        let places = places.collect::<storage::Result<Vec<_>>>();
        plan_all(
            &view,
            &places.map_err(|e| Failure::shaped(e, path_lookup))?,
            name,
        )
    });
    let plan = planned.await??;
    for path in arg.paths {
        app.note(&caller, AuditAction::Download, path).await;
    }
    Ok(send(&app, plan))
}
