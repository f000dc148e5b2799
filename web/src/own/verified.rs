//! `/2/firefly/verified`: when a file's bytes were last read and found good, and how many copies there are.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply};

/// Which file: a path, an id or a rev.
#[derive(Deserialize)]
pub struct VerifiedArg {
    path: String,
}

/// `verified_at` is the oldest of its blocks' verifications; null while one was not read yet or was not found in order.
pub async fn verified(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<VerifiedArg>,
) -> Answer<Value> {
    let at = address(&arg.path, path_lookup)?;
    let found = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let (_, version) = version_at(&view, &caller, &at)?;
        app.blocks().kept(&version.blocks)
    });
    let kept = found.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    let verified_at = kept
        .verified_ms
        .and_then(|ms| i64::try_from(ms).ok())
        .map(Stamp);
    Ok(Reply(json!({
        "verified_at": verified_at, "copies": kept.copies, "wanted_copies": kept.wanted,
    })))
}
