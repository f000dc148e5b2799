//! `files/upload`: one file in one call.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;

use storage::chunk::Content;
use sync::transfer::Received;

use super::change::{Commit, check_hash};
use super::error::{address, upload as shape};
use super::shape::Shape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::content::{MAX_CONTENT_BYTES, incoming, refuse};
use crate::frame::reply::Answer;
use crate::frame::{Failure, HeaderArg, Reply};

/// Stores the body and commits it; the file's metadata.
pub async fn upload(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(commit): HeaderArg<Commit>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Shape> {
    let (at, mode) = match address(&commit.path, shape).and_then(|at| Ok((at, commit.mode()?))) {
        Ok(checked) => checked,
        Err(failure) => return Err(refuse(body, failure).await),
    };
    let pieces = incoming(&headers, body)?;
    let received =
        sync::transfer::receive(app.blocks(), pieces, MAX_CONTENT_BYTES, app.turn_each()).await;
    let received = received.map_err(|e| Failure::of_sync(e, shape))?;
    let stored = app.blocking(move |app| -> Result<_, Failure> {
        let content = received
            .store(app.blocks())
            .map_err(|e| Failure::of_sync(e, shape))?; // I1
        check_hash(commit.content_hash.as_deref(), &content.content_hash)?;
        let Received {
            blocks,
            size,
            content_hash,
        } = content;
        let file = commit.file(
            mode,
            Content {
                blocks,
                size,
                content_hash,
            },
        );
        let refused = |e| Failure::shaped(e, shape);
        let place = app
            .meta()
            .commit_file(caller.actor(), &at, &file)
            .map_err(refused)?;
        let start = caller.start_of(app).map_err(refused)?;
        Ok((place.ns, Shape::plain(&place, start)))
    });
    let (ns, shape) = stored.await??;
    app.pace(ns, 1).await;
    Ok(Reply(shape))
}
