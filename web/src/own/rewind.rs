//! `/2/firefly/rewind*`: a folder becomes what it was at a moment; what that would do, how far it is, and undoing it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::rewind::{Counts, Rewind, RewindId};
use storage::meta::{Address, AuditAction, Refusal};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::App;
use crate::files::error::{address, path_write};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply};

/// Which folder, to when.
#[derive(Deserialize)]
pub struct RewindArg {
    /// The folder; empty: everything of one's own.
    path: String,
    /// The moment, RFC 3339.
    to: String,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// Which rewind.
#[derive(Deserialize)]
pub struct WhichArg {
    rewind_id: String,
}

/// Begins a rewind, or says what it would do. An editor of the folder may.
pub async fn rewind(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RewindArg>,
) -> Answer<Value> {
    let at = match arg.path.as_str() {
        "" => Address::Path(Vec::new()),
        path => address(path, refused)?,
    };
    let to = OffsetDateTime::parse(&arg.to, &Rfc3339);
    let to = to.map_err(|_| Failure::bad("request body: to: not a moment as RFC 3339 has it"))?;
    let to_ms = (to.unix_timestamp_nanos() / 1_000_000) as i64;
    if arg.dry_run {
        let counted =
            app.blocking(move |app| app.meta().preview_rewind(caller.actor(), &at, to_ms));
        let counts = counted.await?.map_err(|e| Failure::shaped(e, refused))?;
        return Ok(Reply(json!({ "preview": shape_counts(&counts) })));
    }
    let worker = caller.clone();
    let begun = app.blocking(move |app| app.meta().begin_rewind(worker.actor(), &at, to_ms));
    start(&app, &caller, begun.await?).await
}

/// Begins to undo a rewind. What others have changed since stays.
pub async fn undo(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<WhichArg>,
) -> Answer<Value> {
    let id = parse(&arg.rewind_id)?;
    let worker = caller.clone();
    let begun = app.blocking(move |app| {
        visible(app, &worker, id)?;
        app.meta().begin_undo(worker.actor(), id)
    });
    start(&app, &caller, begun.await?).await
}

/// How far a rewind is.
pub async fn status(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<WhichArg>,
) -> Answer<Value> {
    let id = parse(&arg.rewind_id)?;
    let found = app.blocking(move |app| visible(app, &caller, id));
    let found = found.await?.map_err(|e| Failure::shaped(e, refused))?;
    Ok(Reply(json!({ "rewind": shape(&found) })))
}

/// The latest rewinds of what the caller can see, newest first.
pub async fn list(State(app): State<App>, caller: Caller, Arg(_): Arg<Value>) -> Answer<Value> {
    let found = app.blocking(move |app| app.meta().rewinds(caller.id()));
    let found = found.await?.map_err(Failure::from_storage)?;
    let rewinds: Vec<Value> = found.iter().map(shape).collect();
    Ok(Reply(json!({ "rewinds": rewinds })))
}

/// Goes on with what a stop has left unfinished. For the start of the server.
pub fn resume(app: &App) -> storage::Result<()> {
    for id in app.meta().unfinished_rewinds()? {
        tracing::info!(rewind = id.0, "a rewind goes on");
        run(app, id);
    }
    Ok(())
}

async fn start(app: &App, caller: &Caller, begun: storage::Result<Rewind>) -> Answer<Value> {
    let begun = begun.map_err(|e| Failure::shaped(e, refused))?;
    run(app, begun.id);
    let subject = format!(
        "rewind {} to {} ({})",
        begun.path,
        Stamp(begun.to_ms),
        name(begun.id)
    );
    app.note(caller, AuditAction::Restored, subject).await;
    Ok(Reply(json!({ "rewind": shape(&begun) })))
}

/// Runs on a thread of its own: it may take minutes, and must not take the turn of requests.
fn run(app: &App, id: RewindId) {
    let app = app.clone();
    let work = move || match app.meta().run_rewind(id, &mut |_| !app.is_stopping()) {
        Ok(done) if done.ended_ms.is_some() => {
            tracing::info!(rewind = id.0, counts = ?done.counts, error = done.error, "rewound");
        }
        Ok(_) => tracing::info!(rewind = id.0, "a rewind is left for the next start"),
        Err(error) => {
            tracing::error!(rewind = id.0, %error, "a rewind has stopped; the next start goes on with it");
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("rewind".into())
        .spawn(work)
    {
        tracing::error!(rewind = id.0, %error, "a rewind cannot be run; the next start goes on with it");
    }
}

/// A rewind in a namespace that the caller may read.
fn visible(app: &App, caller: &Caller, id: RewindId) -> storage::Result<Rewind> {
    let found = app.meta().rewind(id)?.ok_or(Refusal::NotFound)?;
    let access = app.meta().view(caller.id())?.access()?;
    match access.iter().any(|access| access.ns == found.ns) {
        true => Ok(found),
        false => Err(Refusal::NotFound.into()),
    }
}

fn shape(rewind: &Rewind) -> Value {
    let state = match (rewind.ended_ms, &rewind.error) {
        (None, _) => "running",
        (Some(_), None) => "done",
        (Some(_), Some(_)) => "failed",
    };
    json!({
        "rewind_id": name(rewind.id),
        "path": rewind.path,
        "to": Stamp(rewind.to_ms),
        "began": Stamp(rewind.began_ms),
        "ended": rewind.ended_ms.map(Stamp),
        "by": rewind.account.to_string(),
        "undoes": rewind.undoes.map(name),
        "state": state,
        "error": rewind.error,
        "counts": shape_counts(&rewind.counts),
    })
}

fn shape_counts(counts: &Counts) -> Value {
    json!({
        "examined": counts.examined, "revived": counts.revived, "moved": counts.moved, "restored": counts.restored,
        "removed": counts.removed, "unchanged": counts.unchanged, "kept": counts.kept, "failed": counts.failed,
    })
}

fn name(id: RewindId) -> String {
    format!("{:016x}", id.0)
}

fn parse(id: &str) -> Result<RewindId, Failure> {
    let number = u64::from_str_radix(id, 16).ok().map(RewindId);
    number.ok_or_else(|| Failure::bad("request body: rewind_id: 16 hexadecimal digits"))
}

fn refused(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::HistoryTooShort => Some(json!({ ".tag": "history_too_short" })),
        Refusal::RewindRuns => Some(json!({ ".tag": "rewind_runs" })),
        Refusal::TooManyFiles => Some(json!({ ".tag": "too_many_files" })),
        Refusal::NotFound => Some(json!({ ".tag": "not_found" })),
        Refusal::NotFolder => Some(json!({ ".tag": "not_folder" })),
        Refusal::NoWritePermission => Some(json!({ ".tag": "no_write_permission" })),
        other => path_write(other),
    }
}
