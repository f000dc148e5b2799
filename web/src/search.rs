//! What both search families share: running a search for a caller, and wording its failures.

use query::{Answer, Request};
use storage::meta::{Address, AuditAction, Refusal};
use time::OffsetDateTime;

use crate::App;
use crate::files::error::{Shape, address};
use crate::frame::Failure;
use crate::frame::caller::Caller;

/// Longest query, characters.
pub const MAX_QUERY_CHARS: usize = 1_000;

/// The folder to search in; the root, or none, is everything.
pub fn below(path: Option<&str>, shape: Shape) -> Result<Option<Address>, Failure> {
    let at = match path {
        None | Some("") => return Ok(None),
        Some(path) => address(path, shape)?,
    };
    let is_everything = matches!(&at, Address::Path(names) if names.is_empty());
    Ok((!is_everything).then_some(at))
}

/// The first page. Blocks.
pub fn first(
    app: &App,
    caller: &Caller,
    request: &Request,
    shape: Shape,
) -> Result<Answer, Failure> {
    app.query()
        .search(caller.actor(), request, now(app)?)
        .map_err(|e| failure(e, shape))
}

/// The clock that relative dates count from.
pub fn now(app: &App) -> Result<OffsetDateTime, Failure> {
    let now_ms = app.meta().env().clock.now_ms();
    let now = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1000));
    now.map_err(|e| Failure::Internal(e.to_string()))
}

/// A later page. Blocks.
pub fn next(app: &App, caller: &Caller, cursor: &str, shape: Shape) -> Result<Answer, Failure> {
    app.query()
        .resume(caller.actor(), cursor)
        .map_err(|e| failure(e, shape))
}

/// Notes that somebody searched: where, not for what.
pub async fn note(app: &App, caller: &Caller, path: Option<&str>) {
    app.note(caller, AuditAction::Search, path.unwrap_or("").to_owned())
        .await;
}

fn failure(error: query::Error, shape: Shape) -> Failure {
    match error {
        query::Error::Storage(error) => Failure::shaped(error, shape),
        // Every search union words it in its own way; `InvalidRevision` stands for nothing else in a search.
        query::Error::Reset => Failure::of_refusal(&Refusal::InvalidRevision, shape),
        other => Failure::Internal(other.to_string()),
    }
}
