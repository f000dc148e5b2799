//! `/2/firefly/import/*`: administrators import folders of this machine into their own files, from configured roots only.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{Address, AuditAction};
use sync::import::hosted::{Denied, Record, Stand, Wanted};
use sync::import::{DEFAULT_EXCLUDES, Progress};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, HeaderArg, Reply};

/// Refused things that a status shows.
const SAMPLE: usize = 20;

/// Which folder of the server.
#[derive(Deserialize)]
pub struct FolderArg {
    root: PathBuf,
    #[serde(default)]
    path: PathBuf,
}

/// What is to be imported, and where to.
#[derive(Deserialize)]
pub struct StartArg {
    root: PathBuf,
    #[serde(default)]
    path: PathBuf,
    into: Option<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default = "yes")]
    default_excludes: bool,
}

/// Which import.
#[derive(Deserialize)]
pub struct WhichArg {
    id: u64,
}

/// Which report, and how it is written.
#[derive(Deserialize)]
pub struct ReportArg {
    id: u64,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    #[default]
    Csv,
}

fn yes() -> bool {
    true
}

/// The configured roots, and the patterns that are left out by default.
pub async fn roots(State(app): State<App>, caller: Caller, Arg(_): Arg<Value>) -> Answer<Value> {
    caller.require_admin()?;
    let roots = app.imports().roots();
    Ok(Reply(
        json!({ "roots": roots, "default_excludes": DEFAULT_EXCLUDES }),
    ))
}

/// What is in a folder of the server: its folders by name, and how many files.
pub async fn browse(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FolderArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let shown = app.blocking(move |app| app.imports().browse(&arg.root, &arg.path));
    Ok(Reply(json!(shown.await?.map_err(denied)?)))
}

/// Begins an import into the caller's files.
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<StartArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let source = arg.root.join(&arg.path);
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let into = arg.into.unwrap_or_else(|| format!("/{name}"));
    if !matches!(Address::parse(&into), Ok(Address::Path(_))) {
        return Err(Failure::tag("malformed_path"));
    }
    let wanted = Wanted {
        root: arg.root,
        path: arg.path,
        into: into.clone(),
        exclude: arg.exclude,
        default_excludes: arg.default_excludes,
    };
    let actor = caller.actor();
    let begun = app.blocking(move |app| app.imports().start(actor, wanted));
    let record = begun.await?.map_err(denied)?;
    let subject = format!("import {} to {into}", source.display());
    app.note(&caller, AuditAction::Admin, subject).await;
    Ok(Reply(json!({ "import": shape(&record, None) })))
}

/// How far an import of the caller's is.
pub async fn status(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<WhichArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let (record, progress) = app.imports().find(caller.id(), arg.id).map_err(denied)?;
    Ok(Reply(json!({ "import": shape(&record, progress) })))
}

/// The caller's imports, newest first.
pub async fn list(State(app): State<App>, caller: Caller, Arg(_): Arg<Value>) -> Answer<Value> {
    caller.require_admin()?;
    let found = app.imports().list(caller.id()).into_iter();
    let imports: Vec<_> = found
        .map(|(record, progress)| shape(&record, progress))
        .collect();
    Ok(Reply(json!({ "imports": imports })))
}

/// Ends an import after the files at hand.
pub async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<WhichArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let (record, progress) = app.imports().cancel(caller.id(), arg.id).map_err(denied)?;
    Ok(Reply(json!({ "import": shape(&record, progress) })))
}

/// What was refused or left out, and why, as a file.
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<ReportArg>,
) -> Result<Response, Failure> {
    caller.require_admin()?;
    let (record, _) = app.imports().find(caller.id(), arg.id).map_err(denied)?;
    let (kind, ending, text) = match arg.format {
        Format::Csv => ("text/csv; charset=utf-8", "csv", record.report.csv()),
        Format::Json => ("application/json", "json", json!(record.report).to_string()),
    };
    let file = format!("attachment; filename=\"import-{}.{ending}\"", record.id);
    let response = Response::builder()
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_DISPOSITION, file);
    let response = response.body(Body::from(text));
    response.map_err(|error| Failure::Internal(error.to_string()))
}

fn shape(record: &Record, running: Option<Arc<Progress>>) -> Value {
    let report = &record.report;
    let refused = report.refused.len() as u64 + report.unlisted;
    let files = report.imported + report.unchanged;
    let mut shape = json!({
        "id": record.id, "root": record.root, "path": record.path, "into": record.into,
        "exclude": record.exclude, "state": record.state, "begun": Stamp(record.begun_ms),
        "ended": record.ended_ms.map(Stamp), "error": record.error, "walked": record.state == Stand::Done,
        "found": files, "imported": report.imported, "bytes": report.bytes, "unchanged": report.unchanged,
        "refused": refused, "excluded": report.excluded.len(),
        "sample": report.refused.iter().take(SAMPLE).collect::<Vec<_>>(),
    });
    if let Some(progress) = running {
        let counts = [
            ("found", &progress.found),
            ("imported", &progress.imported),
            ("bytes", &progress.bytes),
            ("unchanged", &progress.unchanged),
            ("refused", &progress.refused),
            ("excluded", &progress.excluded),
        ];
        for (name, count) in counts {
            shape[name] = json!(count.load(Relaxed));
        }
        shape["walked"] = json!(progress.walked.load(Relaxed));
    }
    shape
}

fn denied(denied: Denied) -> Failure {
    match denied {
        Denied::NotFound => Failure::tag("not_found"),
        Denied::NotAllowed(_) => Failure::tag("not_allowed"),
        Denied::Busy => Failure::tag("busy"),
        Denied::BadPattern(_) => Failure::tag("bad_pattern"),
        Denied::Failed(error) => Failure::Internal(error.to_string()),
    }
}
