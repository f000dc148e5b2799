//! `files/upload_session/*`: content in several calls.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use futures::{Stream, StreamExt, pin_mut};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use storage::chunk::Hasher;
use storage::meta::{Append, Refusal, Upload, UploadId, UploadReceiver};

use super::change::{Commit, check_hash};
use super::error::{address, nest, write};
use super::finish::commit;
use super::shape::Shape;
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::content::{MAX_CONTENT_BYTES, incoming, refuse};
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, HeaderArg, Reply, Union};

/// Bytes gathered before they go to the store in one step.
const STEP_BYTES: usize = 2 << 20;
/// The most sessions started by one call.
const MAX_STARTED: u64 = 1_000;

/// How a session starts.
#[derive(Deserialize)]
pub struct StartArg {
    #[serde(default)]
    close: bool,
    session_type: Option<Union>,
    content_hash: Option<String>,
}

/// How many sessions start.
#[derive(Deserialize)]
pub struct StartBatchArg {
    num_sessions: u64,
    session_type: Option<Union>,
}

/// Which session, and where the caller believes it to be.
#[derive(Debug, Clone, Deserialize)]
pub struct Cursor {
    /// The session.
    pub session_id: String,
    /// Bytes sent so far.
    pub offset: u64,
}

/// What an append says.
#[derive(Deserialize)]
pub struct AppendArg {
    cursor: Cursor,
    #[serde(default)]
    close: bool,
    content_hash: Option<String>,
}

/// The last piece, and what it all becomes.
#[derive(Deserialize)]
pub struct FinishArg {
    cursor: Cursor,
    commit: Commit,
    content_hash: Option<String>,
}

/// A session's name.
#[derive(Serialize)]
pub struct StartResult {
    session_id: String,
}

/// Starts a session with the body.
pub async fn start(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<StartArg>,
    headers: HeaderMap,
    body: Body,
) -> Answer<StartResult> {
    check_type(arg.session_type.as_ref())?;
    let receiver = UploadReceiver::new(app.blocks());
    let append = take(
        &app,
        receiver,
        &headers,
        body,
        arg.close,
        arg.content_hash,
        lookup,
    )
    .await?;
    let started = app
        .blocking(move |app| app.meta().start_upload(caller.id(), &append))
        .await?;
    let id = started.map_err(|e| Failure::shaped(e, lookup))?;
    Ok(Reply(StartResult {
        session_id: id.to_string(),
    }))
}

/// Starts empty sessions.
pub async fn start_batch(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<StartBatchArg>,
) -> Answer<Value> {
    check_type(arg.session_type.as_ref())?;
    if !(1..=MAX_STARTED).contains(&arg.num_sessions) {
        return Err(Failure::bad(
            "request body: num_sessions: must be between 1 and 1000",
        ));
    }
    let count = arg.num_sessions as usize;
    let started = app.blocking(move |app| app.meta().start_uploads(caller.id(), count));
    let ids = started.await?.map_err(|e| Failure::shaped(e, lookup))?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(Reply(json!({ "session_ids": ids })))
}

/// Appends the body.
pub async fn append(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<AppendArg>,
    headers: HeaderMap,
    body: Body,
) -> Answer<()> {
    let (id, upload) = match open(&app, &caller, &arg.cursor).await {
        Ok(open) => open,
        Err(refusal) => return Err(refuse(body, refusal.into_failure(lookup)).await),
    };
    let receiver = UploadReceiver::resume(app.blocks(), &upload);
    let append = take(
        &app,
        receiver,
        &headers,
        body,
        arg.close,
        arg.content_hash,
        lookup,
    )
    .await?;
    let appended = app
        .blocking(move |app| app.meta().append_upload(caller.id(), id, &append))
        .await?;
    appended
        .map(|_| Reply(()))
        .map_err(|e| Failure::shaped(e, lookup))
}

/// Appends the body and commits it all as a file.
pub async fn finish(
    State(app): State<App>,
    caller: Caller,
    HeaderArg(arg): HeaderArg<FinishArg>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Shape> {
    let checked =
        address(&arg.commit.path, finish_path).and_then(|at| Ok((at, arg.commit.mode()?)));
    let opened = match checked {
        Ok(_) => open(&app, &caller, &arg.cursor)
            .await
            .map_err(|refusal| refusal.into_failure(finish_lookup)),
        Err(failure) => Err(failure),
    };
    let (id, upload) = match opened {
        Ok(open) => open,
        Err(failure) => return Err(refuse(body, failure).await),
    };
    let receiver = UploadReceiver::resume(app.blocks(), &upload);
    let append = take(
        &app,
        receiver,
        &headers,
        body,
        true,
        arg.content_hash,
        finish_lookup,
    )
    .await?;
    let done = app.blocking(move |app| {
        if upload.closed && (append.tail != upload.tail || !append.blocks.is_empty()) {
            return Err(Failure::of_refusal(&Refusal::UploadClosed, finish_lookup));
        }
        commit(app, &caller, id, &arg.commit, &append, None)
    });
    done.await?.map(Reply)
}

/// Why a session cannot go on.
pub enum Closed {
    /// The store says so.
    Refused(Refusal),
    /// Something failed.
    Failed(Failure),
}

impl Closed {
    /// In the endpoint's words.
    pub fn into_failure(self, shape: super::error::Shape) -> Failure {
        match self {
            Closed::Refused(refusal) => Failure::of_refusal(&refusal, shape),
            Closed::Failed(failure) => failure,
        }
    }
}

/// The session at the caller's offset.
async fn open(app: &App, caller: &Caller, cursor: &Cursor) -> Result<(UploadId, Upload), Closed> {
    let id = UploadId::parse(&cursor.session_id).ok_or(Closed::Refused(Refusal::NotFound))?;
    let account = caller.id();
    let read = app
        .blocking(move |app| app.meta().upload(account, id))
        .await
        .map_err(Closed::Failed)?;
    let read = read.map_err(|e| Closed::Failed(Failure::from_storage(e)))?;
    at_offset(read, cursor.offset)
        .map(|upload| (id, upload))
        .map_err(Closed::Refused)
}

/// The session, if it is where the caller believes.
pub fn at_offset(upload: Option<Upload>, offset: u64) -> Result<Upload, Refusal> {
    let upload = upload.ok_or(Refusal::NotFound)?;
    match upload.offset() {
        correct if correct == offset => Ok(upload),
        correct => Err(Refusal::IncorrectOffset { correct }),
    }
}

/// Takes the body into durable blocks, a step at a time, and checks its hash: that of this call's bytes alone. // I1
async fn take(
    app: &App,
    mut receiver: UploadReceiver,
    headers: &HeaderMap,
    body: Body,
    close: bool,
    hash: Option<String>,
    shape: super::error::Shape,
) -> Result<Append, Failure> {
    let pieces = incoming(headers, body)?;
    pin_mut!(pieces);
    let (mut hasher, mut total) = (hash.as_ref().map(|_| Hasher::new()), 0);
    loop {
        let step = gather(&mut pieces).await?;
        total += step.len() as u64;
        if total > MAX_CONTENT_BYTES {
            return Err(Failure::tag("payload_too_large"));
        }
        let last = step.len() < STEP_BYTES;
        let stored = app.blocking(move |_| {
            if let Some(hasher) = &mut hasher {
                hasher.update(&step);
            }
            receiver.push(&step).map(|()| (receiver, hasher))
        });
        (receiver, hasher) = stored.await?.map_err(|e| Failure::shaped(e, shape))?;
        if last {
            break;
        }
    }
    if let Some(hasher) = hasher {
        check_hash(hash.as_deref(), &hasher.finish())?;
    }
    app.blocking(move |_| receiver.finish(close))
        .await?
        .map_err(|e| Failure::shaped(e, shape))
}

/// The next bytes of the body: less than a step only at its end.
async fn gather(
    pieces: &mut (impl Stream<Item = std::io::Result<bytes::Bytes>> + Unpin),
) -> Result<Vec<u8>, Failure> {
    let mut step = Vec::new();
    while step.len() < STEP_BYTES {
        match pieces.next().await {
            Some(piece) => step.extend_from_slice(
                &piece.map_err(|e| Failure::bad(format!("the body broke off: {e}")))?,
            ),
            None => break,
        }
    }
    Ok(step)
}

fn check_type(kind: Option<&Union>) -> Result<(), Failure> {
    match kind {
        Some(kind) if kind.tag != "sequential" => Err(Failure::bad(
            "session_type: only sequential sessions are supported",
        )),
        _ => Ok(()),
    }
}

/// `UploadSessionLookupError`, and the append's union, which has the same words.
pub fn lookup(refusal: &Refusal) -> Option<Value> {
    let tag = match refusal {
        Refusal::IncorrectOffset { correct } => {
            return Some(json!({ ".tag": "incorrect_offset", "correct_offset": correct }));
        }
        Refusal::NotFound => "not_found",
        Refusal::UploadClosed => "closed",
        Refusal::TooLarge => "too_large",
        _ => return None,
    };
    Some(json!({ ".tag": tag }))
}

/// `UploadSessionFinishError` for what is about the session.
pub fn finish_lookup(refusal: &Refusal) -> Option<Value> {
    nest("lookup_failed", lookup(refusal))
}

/// `UploadSessionFinishError` for what is about the file.
pub fn finish_path(refusal: &Refusal) -> Option<Value> {
    nest("path", write(refusal))
}
