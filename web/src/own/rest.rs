//! `/2/firefly/index/…`: what of the caller's files is not searchable, why, and what to do; and reading a file once more.

use axum::extract::State;
use query::{Hit, Marks, Members, Order, Request};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::extraction::Outcome;

use super::index_status::{advice, record_of, word};
use super::search::shape;
use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::files::shape::{Shape, Start};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};
use crate::search::{first, next};

/// How extraction ends where not all is searchable, worst first.
const REASONS: [&str; 7] = [
    "damaged",
    "encrypted",
    "timed_out",
    "too_large",
    "needs_ocr",
    "unsupported",
    "waiting",
];
/// Files of one answer, unless fewer are asked for, and at most.
const LIMITS: (usize, usize) = (50, 200);

/// Which files.
#[derive(Deserialize)]
pub struct RestArg {
    reason: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// The caller's files that are not searchable, or not wholly, by name, with reason and advice.
pub async fn rest(State(app): State<App>, caller: Caller, Arg(arg): Arg<RestArg>) -> Answer<Value> {
    let reasons = match &arg.reason {
        None => REASONS.map(str::to_owned).to_vec(),
        Some(reason) if REASONS.contains(&reason.as_str()) => vec![reason.clone()],
        Some(other) => {
            return Err(Failure::bad(format!(
                "request body: reason: unknown value {other:?}"
            )));
        }
    };
    let limit = arg.limit.unwrap_or(LIMITS.0).clamp(1, LIMITS.1);
    let found = app.searching(move |app| {
        let page = match &arg.cursor {
            Some(cursor) => next(app, &caller, cursor, shape)?,
            None => first(app, &caller, &asked(reasons, limit), shape)?,
        };
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        let entries = page.hits.iter().map(|hit| entry(app, hit, start));
        let entries = entries.collect::<storage::Result<Vec<_>>>();
        Ok(json!({
            "entries": entries.map_err(Failure::from_storage)?,
            "cursor": page.cursor,
            "has_more": page.cursor.is_some(),
        }))
    });
    found.await?.map(Reply)
}

/// How many of the caller's files there are for each reason.
pub async fn reasons(State(app): State<App>, caller: Caller) -> Answer<Value> {
    let counted = app.searching(move |app| {
        let mut counts = Vec::new();
        for reason in REASONS {
            let found = first(app, &caller, &asked(vec![reason.to_owned()], 1), shape)?;
            if found.total > 0 {
                counts.push(json!({ "reason": reason, "files": found.total }));
            }
        }
        Ok(json!({ "reasons": counts }))
    });
    counted.await?.map(Reply)
}

/// Which file.
#[derive(Deserialize)]
pub struct RetryArg {
    path: String,
}

/// Reads a file once more.
pub async fn retry(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RetryArg>,
) -> Answer<Value> {
    let at = address(&arg.path, path_lookup)?;
    let queued = app.blocking(move |app| {
        let view = app.meta().view(caller.id())?;
        let (place, _) = version_at(&view, &caller, &at)?;
        app.extractions().retry(place.node.id)
    });
    let queued = queued.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    Ok(Reply(json!({ "files": u8::from(queued) })))
}

fn asked(outcomes: Vec<String>, max_results: usize) -> Request {
    Request {
        outcomes,
        max_results,
        order: Order::Name,
        marks: Marks::None,
        members: Members::None,
        facets: false,
        ..Request::default()
    }
}

fn entry(app: &App, hit: &Hit, start: Start) -> storage::Result<Value> {
    let record = match hit.place.node.head() {
        Some(head) => record_of(app, &hit.place, head)?,
        None => None,
    };
    let outcome = record.as_ref().map(|record| &record.outcome);
    let mut entry = json!({
        "metadata": Shape::tagged(&hit.place, start),
        "reason": word(record.as_ref()),
        "advice": outcome.and_then(advice),
    });
    if let Some(Outcome::Damaged { detail }) = outcome {
        entry["detail"] = json!(detail);
    }
    Ok(entry)
}
