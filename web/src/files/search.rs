//! `files/search_v2` and `files/search/continue_v2`.

use axum::extract::State;
use query::{Answer, Hit, LATELY, Marks, Matched, Members, Order, Request, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::meta::Refusal;

use super::error::path_lookup;
use super::shape::{Shape, Start};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::{Arg, Failure, Reply, Union, reply};
use crate::search::{MAX_QUERY_CHARS, below, first, next, note};

/// Hits on a page unless the caller says otherwise, as Dropbox has it.
const DEFAULT_RESULTS: usize = 100;
const MAX_RESULTS: usize = 1_000;

/// What is searched for.
#[derive(Deserialize)]
pub struct SearchArg {
    query: String,
    #[serde(default)]
    options: Option<Options>,
    #[serde(default)]
    match_field_options: Option<MatchFields>,
    #[serde(default)]
    include_highlights: Option<bool>,
}

/// `SearchOptions`.
#[derive(Deserialize, Default)]
pub struct Options {
    path: Option<String>,
    max_results: Option<usize>,
    order_by: Option<Union>,
    file_status: Option<Union>,
    #[serde(default)]
    filename_only: bool,
    file_extensions: Option<Vec<String>>,
    file_categories: Option<Vec<Union>>,
    account_id: Option<String>,
}

/// `SearchMatchFieldOptions`.
#[derive(Deserialize)]
pub struct MatchFields {
    #[serde(default)]
    include_highlights: bool,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct ContinueArg {
    cursor: String,
}

/// A page of matches.
#[derive(Serialize)]
pub struct SearchResult {
    matches: Vec<Value>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// The first page.
pub async fn search(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<SearchArg>,
) -> reply::Answer<SearchResult> {
    if arg.query.chars().count() > MAX_QUERY_CHARS {
        return Err(invalid("query: at most 1000 characters"));
    }
    let spans = arg
        .match_field_options
        .is_some_and(|o| o.include_highlights)
        || arg.include_highlights == Some(true);
    let options = arg.options.unwrap_or_default();
    let path = options.path.clone();
    let worker = caller.clone();
    let found = app.searching(move |app| {
        let below = below(options.path.as_deref(), path_lookup)?;
        let request = Request {
            below,
            marks: if spans { Marks::All } else { Marks::Kind },
            ..request(arg.query, &options)?
        };
        let answer = first(app, &worker, &request, shape)?;
        result(app, &worker, &answer).map_err(Failure::from_storage)
    });
    let result = found.await??;
    note(&app, &caller, path.as_deref()).await;
    Ok(Reply(result))
}

/// A later page, shaped as the first one was.
pub async fn search_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> reply::Answer<SearchResult> {
    let found = app.searching(move |app| {
        let answer = next(app, &caller, &arg.cursor, shape)?;
        result(app, &caller, &answer).map_err(Failure::from_storage)
    });
    found.await?.map(Reply)
}

fn request(query: String, options: &Options) -> Result<Request, Failure> {
    let max_results = options.max_results.unwrap_or(DEFAULT_RESULTS);
    if !(1..=MAX_RESULTS).contains(&max_results) {
        return Err(Failure::bad(
            "request body: options: max_results: must be between 1 and 1000",
        ));
    }
    if options.account_id.is_some() {
        return Err(invalid("account_id: not supported"));
    }
    let order = match options.order_by.as_ref().map(|union| union.tag.as_str()) {
        None | Some("relevance") => Order::Relevance,
        Some("last_modified_time") => Order::Modified,
        Some(other) => {
            return Err(Failure::bad(format!(
                "request body: options: order_by: unknown value {other:?}"
            )));
        }
    };
    Ok(Request {
        query,
        below: None,
        max_results,
        order,
        status: status(options.file_status.as_ref())?,
        filename_only: options.filename_only,
        extensions: extensions(options.file_extensions.as_deref()),
        categories: categories(options.file_categories.as_deref()),
        outcomes: Vec::new(),
        facets: false,
        places: false,
        why: false,
        marks: Marks::Kind,
        members: Members::File,
        lately: LATELY,
        spelled: false,
    })
}

/// `FileStatus`.
pub fn status(union: Option<&Union>) -> Result<Status, Failure> {
    match union.map(|union| union.tag.as_str()) {
        None | Some("active") => Ok(Status::Active),
        Some("deleted") => Ok(Status::Deleted),
        Some(other) => Err(Failure::bad(format!(
            "request body: options: file_status: unknown value {other:?}"
        ))),
    }
}

/// Extensions as the index has them.
pub fn extensions(given: Option<&[String]>) -> Vec<String> {
    given
        .unwrap_or_default()
        .iter()
        .map(|e| e.trim_start_matches('.').to_lowercase())
        .collect()
}

/// Dropbox's categories in the index's words.
pub fn categories(given: Option<&[Union]>) -> Vec<String> {
    let words = given
        .unwrap_or_default()
        .iter()
        .flat_map(|category| match category.tag.as_str() {
            "image" => &["image"][..],
            "document" => &["document", "text"],
            "pdf" => &["pdf"],
            "spreadsheet" => &["spreadsheet"],
            "presentation" => &["presentation"],
            "audio" => &["audio"],
            "video" => &["video"],
            "folder" => &["folder"],
            _ => &["other", "code", "mail", "archive"],
        });
    words.map(|word| (*word).to_owned()).collect()
}

fn result(app: &App, caller: &Caller, answer: &Answer) -> storage::Result<SearchResult> {
    let view = app.meta().view(caller.id())?;
    let start = caller.start(&view)?;
    let spans = answer.marks == Marks::All;
    let mut matches = Vec::with_capacity(answer.hits.len());
    for hit in &answer.hits {
        // What is deleted has nothing but its path here: each stands once, for what was deleted last; list_revisions has the others.
        let is_live = answer.status == Status::Active;
        if is_live || view.is_last_deleted(caller.actor().root, &hit.place)? {
            matches.push(match_of(hit, start, answer.status, spans));
        }
    }
    Ok(SearchResult {
        matches,
        has_more: answer.cursor.is_some(),
        cursor: answer.cursor.clone(),
    })
}

fn match_of(hit: &Hit, start: Start, status: Status, spans: bool) -> Value {
    let place = &hit.place;
    let metadata = match status {
        Status::Deleted => Shape::deleted(
            &place.node.name,
            &place.path_lower,
            &place.path_display,
            start,
        ),
        Status::Active => Shape::tagged(place, start),
    };
    let kind = match hit.matched {
        Matched::Name => "filename",
        Matched::Content => "file_content",
        Matched::Both => "filename_and_content",
    };
    let mut found = json!({
        "metadata": { ".tag": "metadata", "metadata": metadata },
        "match_type": { ".tag": kind },
    });
    if spans {
        let mut all = Vec::new();
        if hit.matched != Matched::Content {
            cut(&place.node.name, &hit.name_highlights, &mut all);
        }
        if hit.matched != Matched::Name {
            cut(&hit.snippet.text, &hit.snippet.highlights, &mut all);
        }
        found["highlight_spans"] = Value::Array(all);
    }
    found
}

/// `HighlightSpan`s: the text cut where highlights, in characters, begin and end.
fn cut(text: &str, highlights: &[(usize, usize)], spans: &mut Vec<Value>) {
    let letters: Vec<char> = text.chars().collect();
    let mut push = |from: usize, to: usize, is_highlighted: bool| {
        let part: String = letters.get(from..to).unwrap_or_default().iter().collect();
        if !part.is_empty() {
            spans.push(json!({ "highlight_str": part, "is_highlighted": is_highlighted }));
        }
    };
    let mut at = 0;
    for &(from, to) in highlights {
        push(at, from, false);
        push(from, to, true);
        at = to;
    }
    push(at, letters.len(), false);
}

fn invalid(why: &str) -> Failure {
    Failure::refused(json!({ ".tag": "invalid_argument", "invalid_argument": why }))
}

/// `SearchError`.
fn shape(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::InvalidRevision => {
            Some(json!({ ".tag": "invalid_argument", "invalid_argument": "cursor: search again" }))
        }
        _ => path_lookup(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_highlights_begin_and_end() {
        let mut spans = Vec::new();
        cut("über fire fly", &[(5, 9), (10, 13)], &mut spans);
        let seen: Vec<_> = spans
            .iter()
            .map(|s| (s["highlight_str"].clone(), s["is_highlighted"] == true))
            .collect();
        assert_eq!(
            seen,
            [
                (json!("über "), false),
                (json!("fire"), true),
                (json!(" "), false),
                (json!("fly"), true)
            ]
        );
    }

    #[test]
    fn extensions_come_with_or_without_a_dot() {
        assert_eq!(
            extensions(Some(&[".MD".into(), "txt".into()])),
            ["md", "txt"]
        );
    }
}
