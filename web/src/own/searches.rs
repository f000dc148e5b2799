//! `/2/firefly/searches/*`: the searches that the caller's page keeps.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{KeptSearches, Meta, Refusal};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Void};

/// A search and its name.
#[derive(Deserialize)]
pub struct SaveArg {
    name: String,
    search: String,
}

/// A search that was run.
#[derive(Deserialize)]
pub struct NoteArg {
    search: String,
}

/// Which saved search.
#[derive(Deserialize)]
pub struct ForgetArg {
    id: String,
}

/// Saved searches, oldest first, and recent ones, newest first.
pub async fn list(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    answer(&app, move |meta| meta.searches(caller.id())).await
}

/// Keeps a search under a name. 409 `too_many_saved`, `invalid_search`.
pub async fn save(State(app): State<App>, caller: Caller, Arg(arg): Arg<SaveArg>) -> Answer<Value> {
    answer(&app, move |meta| {
        meta.save_search(caller.id(), &arg.name, &arg.search)
    })
    .await
}

/// Forgets a saved search.
pub async fn forget(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ForgetArg>,
) -> Answer<Value> {
    let id = u64::from_str_radix(&arg.id, 16).map_err(|_| Failure::tag("not_found"))?;
    answer(&app, move |meta| meta.forget_search(caller.id(), id)).await
}

/// Notes that a search was run. 409 `invalid_search`.
pub async fn note(State(app): State<App>, caller: Caller, Arg(arg): Arg<NoteArg>) -> Answer<Value> {
    answer(&app, move |meta| meta.note_search(caller.id(), &arg.search)).await
}

/// Forgets which searches were run.
pub async fn clear(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    answer(&app, move |meta| meta.clear_recent_searches(caller.id())).await
}

async fn answer(
    app: &App,
    work: impl FnOnce(&Meta) -> storage::Result<KeptSearches> + Send + 'static,
) -> Answer<Value> {
    let kept = app.blocking(move |app| work(app.meta())).await?;
    kept.map(|kept| Reply(shape(&kept)))
        .map_err(|e| Failure::shaped(e, refused))
}

fn refused(refusal: &Refusal) -> Option<Value> {
    let tag = match refusal {
        Refusal::TooManyFiles => "too_many_saved",
        Refusal::MalformedPath(_) => "invalid_search",
        _ => return None,
    };
    Some(json!({ ".tag": tag }))
}

fn shape(kept: &KeptSearches) -> Value {
    let saved = kept.saved.iter().map(|saved| {
        json!({
            "id": format!("{:016x}", saved.id),
            "name": saved.name,
            "search": saved.search,
            "saved": Stamp(saved.saved_ms),
        })
    });
    let recent = kept
        .recent
        .iter()
        .map(|recent| json!({ "search": recent.search, "at": Stamp(recent.at_ms) }));
    json!({ "saved": saved.collect::<Vec<_>>(), "recent": recent.collect::<Vec<_>>() })
}
