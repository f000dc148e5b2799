//! `/2/firefly/search/export`: all hits of a search as CSV or JSON lines, sent as they are found.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use query::{Hit, Marks, Request};
use serde::Deserialize;
use serde_json::json;
use sync::csv::quoted;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;

use super::search::{SearchArg, request, shape};
use crate::App;
use crate::files::error::path_lookup;
use crate::frame::caller::Caller;
use crate::frame::{Arg, Failure, asking};
use crate::search::{below, first, next, note};

/// Hits that are looked up at a time.
const PAGE: usize = 1_000;
/// Pages that are made ahead of the client.
const AHEAD: usize = 2;
/// The first line of a CSV file.
const COLUMNS: &str = "path,type,size,modified,id,member\r\n";

/// What is wanted, and how it is written.
#[derive(Deserialize)]
pub struct ExportArg {
    #[serde(flatten)]
    search: SearchArg,
    format: Format,
}

/// How hits are written.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values (RFC 4180) with a line of names.
    Csv,
    /// A JSON object on each line.
    Jsonl,
}

/// All hits in their order. Breaks off when the account may no longer search.
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ExportArg>,
) -> Result<Response, Failure> {
    let (query, options) = arg.search.parts();
    let path = options.path.clone();
    let wanted = Request {
        below: below(path.as_deref(), path_lookup)?,
        max_results: PAGE,
        facets: false,
        places: false,
        why: false,
        marks: Marks::None,
        ..request(&query, &options)?
    };
    let asking = caller.clone();
    let page = app.searching(move |app| first(app, &asking, &wanted, shape));
    let page = page.await??;
    note(&app, &caller, path.as_deref()).await;
    let (pieces, taken) = mpsc::channel(AHEAD);
    asking::spawn(write(app, caller, page, arg.format, pieces));
    let body = futures::stream::unfold(taken, |mut taken| async {
        Some((taken.recv().await?, taken))
    });
    let mut response = Response::new(Body::from_stream(body));
    let (kind, name) = match arg.format {
        Format::Csv => (
            "text/csv; charset=utf-8",
            "attachment; filename=\"search.csv\"",
        ),
        Format::Jsonl => (
            "application/x-ndjson",
            "attachment; filename=\"search.jsonl\"",
        ),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

/// Sends page after page; ends early when the client goes.
async fn write(
    app: App,
    caller: Caller,
    mut page: query::Answer,
    format: Format,
    pieces: mpsc::Sender<io::Result<Bytes>>,
) {
    let mut text = match format {
        Format::Csv => COLUMNS.to_owned(),
        Format::Jsonl => String::new(),
    };
    loop {
        text.extend(page.hits.iter().map(|hit| line(hit, format)));
        if pieces
            .send(Ok(std::mem::take(&mut text).into()))
            .await
            .is_err()
        {
            return;
        }
        let Some(cursor) = page.cursor else { return };
        let asking = caller.clone();
        let following = app.searching(move |app| next(app, &asking, &cursor, shape));
        page = match following.await {
            Ok(Ok(page)) => page,
            _ => {
                let broken = io::Error::other("the search cannot go on");
                // A client that is gone needs no reason.
                let _ = pieces.send(Err(broken)).await;
                return;
            }
        };
    }
}

fn line(hit: &Hit, format: Format) -> String {
    let node = &hit.place.node;
    let head = node.head();
    let (size, modified_ms) = match (&hit.member, head) {
        (Some(member), Some(head)) => {
            let modified_ms = member.modified_ms.unwrap_or(head.client_modified_ms);
            (member.size, modified_ms)
        }
        (None, Some(head)) => (Some(head.size), head.client_modified_ms),
        (_, None) => (None, node.created_ms),
    };
    let member = hit.member.as_ref().map(|member| member.path.as_str());
    let modified = time::OffsetDateTime::from_unix_timestamp(modified_ms.div_euclid(1000));
    let modified = modified.ok().and_then(|time| time.format(&Rfc3339).ok());
    let (path, id) = (hit.place.path_display.as_str(), node.id.to_string());
    let kind = match (member, head) {
        (Some(_), _) => "member",
        (None, Some(_)) => "file",
        (None, None) => "folder",
    };
    match format {
        Format::Jsonl => {
            let object = json!({"path": path, "type": kind, "size": size, "modified": modified, "id": id,
                                "member": member});
            format!("{object}\n")
        }
        Format::Csv => {
            let size = size.map(|size| size.to_string()).unwrap_or_default();
            let modified = modified.unwrap_or_default();
            let member = member.map(quoted).unwrap_or_default();
            format!(
                "{},{kind},{size},{modified},{id},{member}\r\n",
                quoted(path)
            )
        }
    }
}
