//! The end of upload sessions: committing them, one or many at once.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{Append, JobKind, Refusal, UploadId, UploadReceiver, upload_content};

use super::batch::{check_count, launch};
use super::change::{Commit, check_hash};
use super::error::address;
use super::session::{Cursor, at_offset, finish_lookup, finish_path};
use super::shape::Shape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Files of a batch committed at once: their commits share fsyncs.
const AT_ONCE: usize = 8;

/// Closed sessions, and what they become.
#[derive(Deserialize)]
pub struct FinishBatchArg {
    entries: Vec<FinishBatchEntry>,
}

/// One of them.
#[derive(Deserialize)]
pub struct FinishBatchEntry {
    cursor: Cursor,
    commit: Commit,
}

/// Commits closed sessions; one result each, now.
pub async fn finish_batch_v2(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FinishBatchArg>,
) -> Answer<Value> {
    check_count(arg.entries.len())?;
    let (root, count) = (caller.actor().root, arg.entries.len());
    let done = app.blocking(move |app| all(app, &caller, &arg.entries));
    let done = done.await??;
    app.pace(root, count).await;
    Ok(Reply(done))
}

/// The same as a job, for older clients.
pub async fn finish_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FinishBatchArg>,
) -> Answer<Value> {
    check_count(arg.entries.len())?;
    let worker = caller.clone();
    launch(&app, &caller, JobKind::FinishUploads, false, move |app| {
        all(app, &worker, &arg.entries)
    })
    .await
}

fn all(app: &App, caller: &Caller, entries: &[FinishBatchEntry]) -> Result<Value, Failure> {
    let (next, done) = (
        AtomicUsize::new(0),
        Mutex::new(Vec::with_capacity(entries.len())),
    );
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(entries.len()) {
            scope.spawn(|| {
                while let Some((index, entry)) = take(&next, entries) {
                    let result = one(app, caller, entry);
                    done.lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .push((index, result));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(|e| e.into_inner());
    done.sort_by_key(|(index, _)| *index);
    let results: Result<Vec<_>, _> = done.into_iter().map(|(_, result)| worded(result)).collect();
    Ok(json!({ "entries": results? }))
}

fn take<'a, T>(next: &AtomicUsize, entries: &'a [T]) -> Option<(usize, &'a T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    entries.get(index).map(|entry| (index, entry))
}

/// A success has the metadata's fields beside its tag, a failure the error under it.
fn worded(result: Result<Shape, Failure>) -> Result<Value, Failure> {
    match result {
        Ok(shape) => {
            let mut value =
                serde_json::to_value(shape).map_err(|e| Failure::Internal(e.to_string()))?;
            if let Some(fields) = value.as_object_mut() {
                fields.insert(".tag".into(), "success".into());
            }
            Ok(value)
        }
        Err(Failure::Refused(_, error)) => Ok(json!({ ".tag": "failure", "failure": error })),
        Err(Failure::TooMany(..) | Failure::Busy) => {
            let error = json!({ ".tag": "too_many_write_operations" });
            Ok(json!({ ".tag": "failure", "failure": error }))
        }
        Err(other) => Err(other),
    }
}

fn one(app: &App, caller: &Caller, entry: &FinishBatchEntry) -> Result<Shape, Failure> {
    let lookup = |refusal: Refusal| Failure::of_refusal(&refusal, finish_lookup);
    let id = UploadId::parse(&entry.cursor.session_id)
        .ok_or(Refusal::NotFound)
        .map_err(lookup)?;
    let upload = app
        .meta()
        .upload(caller.id(), id)
        .map_err(Failure::from_storage)?;
    let upload = at_offset(upload, entry.cursor.offset).map_err(lookup)?;
    if !upload.closed {
        let error = json!({ ".tag": "lookup_failed", "lookup_failed": { ".tag": "not_closed" } });
        return Err(Failure::refused(error));
    }
    let append = UploadReceiver::resume(app.blocks(), &upload)
        .finish(true)
        .map_err(Failure::from_storage)?;
    commit(
        app,
        caller,
        id,
        &entry.commit,
        &append,
        entry.commit.content_hash.as_deref(),
    )
}

/// `UploadSessionFinishError`: about the file, or about a session that went on or ended meanwhile.
fn finish_either(refusal: &Refusal) -> Option<serde_json::Value> {
    match refusal {
        Refusal::IncorrectOffset { .. } => finish_lookup(refusal),
        other => finish_path(other).or_else(|| finish_lookup(other)),
    }
}

/// Commits the session's content, ended by `append`, and drops the session. Blocks.
pub fn commit(
    app: &App,
    caller: &Caller,
    id: UploadId,
    commit: &Commit,
    append: &Append,
    hash: Option<&str>,
) -> Result<Shape, Failure> {
    let at = address(&commit.path, finish_path)?;
    let mode = commit.mode()?;
    let before = app
        .meta()
        .upload_blocks(caller.id(), id)
        .map_err(|e| Failure::shaped(e, finish_lookup))?;
    let content = upload_content(app.blocks(), before, append).map_err(Failure::from_storage)?; // I1
    check_hash(hash, &content.content_hash)?;
    let file = commit.file(mode, content);
    let place = app
        .meta()
        .commit_upload(caller.actor(), id, append, &at, &file)
        .map_err(|e| Failure::shaped(e, finish_either))?;
    let start = caller.start_of(app).map_err(Failure::from_storage)?;
    Ok(Shape::plain(&place, start))
}
