//! `/2/firefly/index_status`: is a file's text searchable, and if not, why.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::extraction::{ExtractionRecord, Outcome, Scope};
use storage::meta::path::extension;
use storage::meta::{NamespaceId, Place, Version, keys};

use crate::App;
use crate::files::download::version_at;
use crate::files::error::{address, path_lookup};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Which file; without one, everything that the caller can see.
#[derive(Deserialize)]
pub struct IndexStatusArg {
    path: Option<String>,
}

/// How far the index is with a file, or with everything.
pub async fn index_status(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<IndexStatusArg>,
) -> Answer<Value> {
    match arg.path.as_deref() {
        None => overall(app, caller).await,
        Some(path) => {
            let at = address(path, path_lookup)?;
            let found = app.blocking(move |app| {
                let view = app.meta().view(caller.id())?;
                let (place, version) = version_at(&view, &caller, &at)?;
                let record = record_of(app, &place, &version)?;
                Ok((is_committed(app, &place, &version), record))
            });
            let found: storage::Result<_> = found.await?;
            let (committed, record) = found.map_err(|e| Failure::shaped(e, path_lookup))?;
            let committed = committed.map_err(|e| Failure::Internal(e.to_string()))?;
            Ok(Reply(status(record.as_ref(), committed)))
        }
    }
}

/// Whether searches meet a version's content: of the present one when its shard has committed it, of older ones never again.
fn is_committed(app: &App, place: &Place, version: &Version) -> query::Result<bool> {
    if place.node.head().map(|head| head.rev) != Some(version.rev) {
        return Ok(true);
    }
    app.query().shows(place.ns, place.node.id, version.rev)
}

/// What the caller can see: how much there is, and how much of it still waits: for its text, or for the index.
async fn overall(app: App, caller: Caller) -> Answer<Value> {
    let counted = app.blocking(move |app| app.query().coverage(caller.actor()));
    let found = counted
        .await?
        .map_err(|e| Failure::Internal(e.to_string()))?;
    Ok(Reply(json!({
        "files": found.files,
        "waiting": found.waiting,
        "searchable": found.searchable,
    })))
}

/// What extraction found in a version's content, if it has looked already. Blocks.
pub fn record_of(
    app: &App,
    place: &Place,
    version: &Version,
) -> storage::Result<Option<ExtractionRecord>> {
    let scope = scope(app, place.ns)?;
    match scope {
        Some(scope) => {
            app.extractions()
                .record(scope, &version.content_hash, &extension(&place.node.name))
        }
        None => Ok(None),
    }
}

/// Who shares extraction results of a namespace.
fn scope(app: &App, ns: NamespaceId) -> storage::Result<Option<Scope>> {
    let row = keys::get_namespace(&*app.meta().store().snapshot()?, ns)?;
    Ok(row.map(|row| row.team.map_or(Scope::Account(row.owner), Scope::Team)))
}

/// The word of what extraction found, or that it is waited for.
pub fn word(record: Option<&ExtractionRecord>) -> &'static str {
    record.map_or("waiting", |record| record.outcome.word())
}

/// How a scan becomes searchable.
const NEEDS_OCR: &str = "its text is a picture: it is read as soon as this server has the commands tesseract and pdftoppm \
                         (Debian: apt install tesseract-ocr poppler-utils)";

/// What to do about a file whose text is not searchable, or not all of it.
pub fn advice(outcome: &Outcome) -> Option<&'static str> {
    Some(match outcome {
        Outcome::Text | Outcome::NothingToExtract => return None,
        Outcome::Encrypted => "store a copy without a password",
        Outcome::Unsupported => {
            "store a copy in a format that is read, a PDF say; its name is found"
        }
        Outcome::TimedOut => "split the file: reading it took longer than one file may",
        Outcome::TooLarge { .. } => "split the file: only its beginning is searched",
        Outcome::NeedsOcr => NEEDS_OCR,
        Outcome::Damaged { .. } => "store the file again from a sound copy",
    })
}

fn status(record: Option<&ExtractionRecord>, committed: bool) -> Value {
    let state = if record.is_some() && committed {
        "indexed"
    } else {
        "waiting"
    };
    let mut status = json!({ "state": state, "outcome": word(record) });
    if let Some(record) = record {
        status["words"] = json!(record.words);
        status["pages"] = json!(record.pages.len());
        status["language"] = json!(record.language);
    }
    if let Some(advice) = record.and_then(|record| advice(&record.outcome)) {
        status["advice"] = json!(advice);
    }
    match record.map(|record| &record.outcome) {
        Some(Outcome::TooLarge { indexed_bytes }) => status["indexed_bytes"] = json!(indexed_bytes),
        Some(Outcome::Damaged { detail }) => status["detail"] = json!(detail),
        Some(Outcome::NeedsOcr) => status["detail"] = json!(NEEDS_OCR),
        _ => {}
    }
    status
}

#[cfg(test)]
mod tests {
    use storage::extraction::{EXTRACTOR_VERSION, TextSource};

    use super::*;

    fn record(outcome: Outcome) -> ExtractionRecord {
        ExtractionRecord {
            version: EXTRACTOR_VERSION,
            outcome,
            file_type: "pdf".into(),
            category: "pdf".into(),
            title: None,
            author: None,
            language: Some("deu".into()),
            pages: vec![10, 20],
            text: TextSource::None,
            words: 7,
            ..ExtractionRecord::default()
        }
    }

    #[test]
    fn a_file_says_what_was_found_or_what_to_do() {
        let found = status(Some(&record(Outcome::Text)), true);
        let expected = json!({
            "state": "indexed", "outcome": "text", "words": 7, "pages": 2, "language": "deu"
        });
        assert_eq!(found, expected);
        let locked = status(Some(&record(Outcome::Encrypted)), true);
        assert_eq!(locked["advice"], "store a copy without a password");
        assert_eq!(
            status(None, false),
            json!({ "state": "waiting", "outcome": "waiting" })
        );
    }
}
