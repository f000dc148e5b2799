//! `/2/firefly/suggest`: what somebody may be about to type: names, words, and searches of before.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::App;
use crate::files::shape::Shape;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};
use crate::search::{MAX_QUERY_CHARS, now};

/// Suggestions of each kind unless the caller says otherwise.
const DEFAULT_LIMIT: usize = 5;
const MAX_LIMIT: usize = 20;

/// What was typed so far.
#[derive(Deserialize)]
pub struct SuggestArg {
    query: String,
    #[serde(default)]
    limit: Option<usize>,
}

/// Names that match, the last word completed, and the account's own searches (`searches/list`) that have what was typed.
pub async fn suggest(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<SuggestArg>,
) -> Answer<Value> {
    let limit = arg.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let typed: String = arg.query.chars().take(MAX_QUERY_CHARS).collect();
    let found = app.searching(move |app| {
        let suggested = app
            .query()
            .suggest(caller.actor(), &typed, limit, now(app)?);
        let suggested = suggested.map_err(|error| Failure::Internal(error.to_string()))?;
        let start = caller.start_of(app).map_err(Failure::from_storage)?;
        let names = suggested.names.iter().map(|hit| {
            json!({
                "metadata": Shape::tagged(&hit.place, start),
                "name_highlights": hit.name_highlights,
            })
        });
        let words = suggested.words.iter();
        let words = words.map(|(query, files)| json!({ "query": query, "files": files }));
        Ok(json!({
            "names": names.collect::<Vec<_>>(),
            "words": words.collect::<Vec<_>>(),
            "recent": recent(app, &caller, &typed, limit)?,
        }))
    });
    found.await?.map(Reply)
}

/// Searches of before that have what was typed, newest first.
fn recent(app: &App, caller: &Caller, typed: &str, limit: usize) -> Result<Vec<String>, Failure> {
    let kept = app.meta().searches(caller.id());
    let kept = kept.map_err(Failure::from_storage)?;
    let typed = typed.to_lowercase();
    let has = |search: &String| search.to_lowercase().contains(&typed);
    let recent = kept.recent.into_iter().map(|recent| recent.search);
    Ok(recent.filter(has).take(limit).collect())
}
