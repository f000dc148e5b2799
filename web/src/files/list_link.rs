//! `files/list_folder` of what a shared link leads to: names without paths, which are its creator's own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use storage::meta::{Entry, OpenedLink, Refusal};

use super::error::path_lookup;
use super::shape::{Shape, Start};
use crate::App;
use crate::frame::Failure;
use crate::frame::caller::Caller;
use crate::sharing::link_file::{names, open};
use crate::sharing::link_shape::key;

/// What an entry tells of a file or folder; nothing that says where its creator has it.
const TOLD: [&str; 9] = [
    ".tag",
    "name",
    "id",
    "client_modified",
    "server_modified",
    "rev",
    "size",
    "content_hash",
    "is_downloadable",
];

/// Which link.
#[derive(Deserialize)]
pub struct SharedLinkArg {
    url: String,
    password: Option<String>,
}

/// Where a listing goes on, sealed.
#[derive(Serialize, Deserialize)]
struct Position {
    account: u64,
    key: String,
    /// The password that was right then.
    password_mark: u64,
    below: String,
    after: Option<String>,
    limit: usize,
}

/// The first page of the folder at `path` below the link.
pub async fn first(
    app: &App,
    caller: &Caller,
    link: SharedLinkArg,
    path: &str,
    limit: usize,
) -> Result<Value, Failure> {
    let key = key(&link.url).map_err(worded)?.to_owned();
    let opened = open(app, caller.address, key.clone(), link.password, Some(path)).await;
    let opened = opened.map_err(worded)?;
    let position = Position {
        account: caller.id().0,
        key,
        password_mark: opened.link.password_mark,
        below: path.to_owned(),
        after: None,
        limit,
    };
    let read = app.blocking(move |app| page(app, &opened, position));
    read.await?.map_err(|e| Failure::shaped(e, path_lookup))
}

/// The next page; `None` when the cursor is none of a link's. The link must still open, with the same password.
pub async fn next(app: &App, caller: &Caller, cursor: &str) -> Result<Option<Value>, Failure> {
    let position: Option<Position> = app.listed_links().open(cursor);
    let Some(position) = position.filter(|position| position.account == caller.id().0) else {
        return Ok(None);
    };
    let below = names(Some(&position.below)).map_err(worded)?;
    let read = app.blocking(move |app| {
        let opened = app.meta().open_unlocked_link(&position.key, &below)?;
        if opened.link.password_mark != position.password_mark {
            return Err(Refusal::NotFound.into());
        }
        page(app, &opened, position)
    });
    let page = read.await?.map_err(|e| Failure::shaped(e, path_lookup))?;
    Ok(Some(page))
}

/// Reads as the link's creator, who must see what is told.
fn page(app: &App, opened: &OpenedLink, from: Position) -> storage::Result<Value> {
    if opened.place.node.is_file() {
        return Err(Refusal::NotFolder.into());
    }
    let view = app.meta().view(opened.actor.account)?;
    let after = from.after.as_deref();
    let mut children = view.children(&opened.place, after, from.limit + 1, false)?;
    let has_more = children.len() > from.limit;
    children.truncate(from.limit);
    let after = children.last().map(Entry::folded_name).or(from.after);
    let entries: Vec<_> = children.iter().filter_map(told).collect();
    let cursor = app.listed_links().seal(&Position { after, ..from })?;
    Ok(json!({ "entries": entries, "cursor": cursor, "has_more": has_more }))
}

fn told(entry: &Entry) -> Option<Value> {
    let Entry::Live(place) = entry else {
        return None;
    };
    let whole = serde_json::to_value(Shape::tagged(place, Start::default())).ok()?;
    let field = |name: &str| Some((name.to_owned(), whole.get(name)?.clone()));
    Some(
        TOLD.into_iter()
            .filter_map(field)
            .collect::<Map<_, _>>()
            .into(),
    )
}

/// A link's refusals as `ListFolderError`.
fn worded(failure: Failure) -> Failure {
    let Failure::Refused(_, error) = failure else {
        return failure;
    };
    let tag = match error[".tag"].as_str() {
        Some("shared_link_access_denied") => "restricted_content",
        _ => "not_found",
    };
    Failure::refused(json!({ ".tag": "path", "path": { ".tag": tag } }))
}
