//! `files/get_metadata`.

use axum::extract::State;
use serde::Deserialize;
use storage::meta::{Address, Refusal};

use super::download::version_at;
use super::error::{address, path_lookup};
use super::shape::{FileShape, Shape};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Which file or folder.
#[derive(Deserialize)]
pub struct GetMetadataArg {
    path: String,
    #[serde(default)]
    include_deleted: bool,
}

/// The metadata of a file or folder, or of a deleted one where that is asked for.
pub async fn get_metadata(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<GetMetadataArg>,
) -> Answer<Shape> {
    let at = address(&arg.path, path_lookup)?;
    if matches!(&at, Address::Path(names) if names.is_empty()) {
        return Err(Failure::bad(
            "request body: path: The root folder is unsupported.",
        ));
    }
    let found = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let start = caller.start(&view)?;
        if let Address::Rev(_) = at {
            let (place, version) = version_at(&view, &caller, &at)?;
            return Ok(Shape::File(Box::new(FileShape::new(
                &place,
                &version,
                Some("file"),
                start,
            ))));
        }
        match view.resolve(caller.root, &at) {
            Ok(place) => Ok(Shape::tagged(&place, start)),
            Err(storage::Error::Refused(Refusal::NotFound)) if arg.include_deleted => {
                let place = view
                    .resolve_deleted(caller.root, &at)?
                    .ok_or(Refusal::NotFound)?;
                Ok(Shape::deleted(
                    &place.node.name,
                    &place.path_lower,
                    &place.path_display,
                    start,
                ))
            }
            Err(error) => Err(error),
        }
    });
    found
        .await?
        .map(Reply)
        .map_err(|e| Failure::shaped(e, path_lookup))
}
