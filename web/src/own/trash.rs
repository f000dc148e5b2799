//! `/2/firefly/trash`: what was deleted and can come back, newest first, without reading folders.

use std::collections::HashSet;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::journal::{Change, Journal};
use storage::meta::{Place, View};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply};

/// Entries of an answer, unless fewer are asked for; and at most.
const MAX_ENTRIES: usize = 500;
/// Changes looked at, the latest of each namespace.
const MAX_CHANGES: usize = 20_000;

/// How many.
#[derive(Deserialize)]
pub struct TrashArg {
    limit: Option<usize>,
}

/// The latest deletions in all that the caller sees: what was deleted itself, not what lay in it.
pub async fn trash(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<TrashArg>,
) -> Answer<Value> {
    let limit = arg.limit.unwrap_or(MAX_ENTRIES).clamp(1, MAX_ENTRIES);
    let found = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let start = caller.start(&view)?;
        let (mut gone, cut) = deleted(app, &view)?;
        let has_more = cut || gone.len() > limit;
        gone.sort_by_key(|(at_ms, place)| (-at_ms, place.path_lower.clone()));
        gone.truncate(limit);
        let entries = gone.iter().map(|(at_ms, place)| {
            json!({
                "id": place.node.id.to_string(),
                "name": place.node.name,
                "path_display": start.relative(&place.path_display),
                "path_lower": start.relative(&place.path_lower),
                "is_folder": !place.node.is_file(),
                "size": place.node.head().map(|version| version.size),
                "deleted": Stamp(*at_ms),
                "deleted_by": place.node.deleted.map(|deletion| deletion.by.to_string()),
                "may_restore": place.role.can_write(),
            })
        });
        storage::Result::Ok(json!({ "entries": entries.collect::<Vec<_>>(), "has_more": has_more }))
    });
    found.await?.map(Reply).map_err(Failure::from_storage)
}

/// What is deleted itself, with when; and whether there were more changes than are looked at.
fn deleted(app: &App, view: &View<'_>) -> storage::Result<(Vec<(i64, Place)>, bool)> {
    let journal = Journal::new(app.meta().store().clone());
    let (mut left, mut seen, mut found) = (MAX_CHANGES, HashSet::new(), Vec::new());
    for access in view.access()? {
        let changes = journal.latest(access.ns, left)?;
        left -= changes.len();
        for change in changes {
            let Change::Gone { file, .. } = change else {
                continue;
            };
            if !seen.insert(file) {
                continue;
            }
            // I6: gone for good, alive again or not to be seen is no entry.
            let Some(place) = view.place_deleted(file)? else {
                continue;
            };
            if let Some(deletion) = place.node.deleted {
                found.push((deletion.at_ms, place));
            }
        }
        if left == 0 {
            return Ok((found, true));
        }
    }
    Ok((found, false))
}
