//! Batches: answered at once when they are quick, else as a job that the caller asks about.

use std::time::Duration;

use axum::extract::State;
use axum::routing::{MethodRouter, post};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AccountId, JobId, JobKind, JobState};
use tokio::task::JoinHandle;

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply, asking};

/// The most entries of a batch.
const MAX_ENTRIES: usize = 1_000;
/// How long a batch may take before its caller gets a job id instead of the result.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a running job says that it still runs.
const RENEW_EVERY: Duration = Duration::from_secs(60);

/// Which job.
#[derive(Deserialize)]
pub struct PollArg {
    async_job_id: String,
}

/// Refuses a batch that is too long.
pub fn check_count(entries: usize) -> Result<(), Failure> {
    if entries <= MAX_ENTRIES {
        Ok(())
    } else {
        Err(Failure::bad(format!(
            "request body: entries: at most {MAX_ENTRIES}"
        )))
    }
}

/// Runs `work`, whose value is a struct, on a blocking thread: `{".tag": "complete", …}`, or a job's id.
pub async fn launch(
    app: &App,
    caller: &Caller,
    kind: JobKind,
    force_async: bool,
    work: impl FnOnce(&App) -> Result<Value, Failure> + Send + 'static,
) -> Answer<Value> {
    let runner = app.clone();
    let mut running = asking::spawn(async move { runner.blocking(work).await? });
    if !force_async && let Ok(done) = tokio::time::timeout(PATIENCE, &mut running).await {
        return ended(done).map(|value| Reply(complete(value)));
    }
    let id = create(app, caller.id(), kind).await?;
    asking::spawn(finish(app.clone(), caller.id(), id, running));
    Ok(job(id))
}

/// The same for routes that answer with nothing but jobs; what is refused soon is refused at once.
pub async fn launch_job(
    app: &App,
    caller: &Caller,
    kind: JobKind,
    work: impl FnOnce(&App) -> Result<Value, Failure> + Send + 'static,
) -> Answer<Value> {
    let runner = app.clone();
    let mut running = asking::spawn(async move { runner.blocking(work).await? });
    let soon = tokio::time::timeout(PATIENCE, &mut running).await;
    let done = soon.ok().map(ended).transpose()?;
    let id = create(app, caller.id(), kind).await?;
    match done {
        Some(value) => store(app, caller.id(), id, complete(value)).await,
        None => drop(asking::spawn(finish(app.clone(), caller.id(), id, running))),
    }
    Ok(job(id))
}

async fn create(app: &App, account: AccountId, kind: JobKind) -> Result<JobId, Failure> {
    let created = app.patiently(move |app| app.meta().create_job(account, kind));
    created.await?.map_err(Failure::from_storage)
}

fn job(id: JobId) -> Reply<Value> {
    Reply(json!({ ".tag": "async_job_id", "async_job_id": id.to_string() }))
}

/// The route that says how far a job of these kinds is; it knows nothing of others.
pub fn check(kinds: &'static [JobKind]) -> MethodRouter<App> {
    post(
        async move |State(app): State<App>, caller: Caller, Arg(arg): Arg<PollArg>| {
            status(&app, &caller, &arg, kinds)
                .await
                .map(|(_, state)| Reply(state))
        },
    )
}

/// How far the caller's job is, if it is of one of these kinds: the kind, and the state as a union.
pub async fn status(
    app: &App,
    caller: &Caller,
    arg: &PollArg,
    kinds: &[JobKind],
) -> Result<(JobKind, Value), Failure> {
    let unknown = || Failure::tag("invalid_async_job_id");
    let id = JobId::parse(&arg.async_job_id).ok_or_else(unknown)?;
    let kind = kinds.iter().find(|kind| id.is(**kind));
    let (kind, account) = (*kind.ok_or_else(unknown)?, caller.id());
    let state = app
        .blocking(move |app| app.meta().job(account, id))
        .await?
        .map_err(Failure::from_storage)?;
    match state {
        None => Err(unknown()),
        Some(JobState::Running) => Ok((kind, json!({ ".tag": "in_progress" }))),
        Some(JobState::Lost) => Err(Failure::tag("internal_error")),
        Some(JobState::Done(bytes)) => match serde_json::from_slice(&bytes) {
            Ok(Value::Null) => Err(Failure::tag("internal_error")),
            Ok(value) => Ok((kind, value)),
            Err(error) => Err(Failure::Internal(format!("job {id}: {error}"))),
        },
    }
}

fn complete(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.insert(".tag".into(), "complete".into());
    }
    value
}

fn ended(done: Result<Result<Value, Failure>, tokio::task::JoinError>) -> Result<Value, Failure> {
    done.map_err(|error| Failure::Internal(format!("batch: {error}")))?
}

/// Waits for the work, saying now and then that it still runs, and stores its result.
async fn finish(
    app: App,
    account: AccountId,
    id: JobId,
    mut running: JoinHandle<Result<Value, Failure>>,
) {
    let done = loop {
        match tokio::time::timeout(RENEW_EVERY, &mut running).await {
            Ok(done) => break done,
            Err(_) => {
                let renewed = app
                    .patiently(move |app| app.meta().renew_job(account, id))
                    .await;
                if !matches!(renewed, Ok(Ok(()))) {
                    tracing::warn!(job = %id, ?renewed, "a job cannot be renewed");
                }
            }
        }
    };
    let value = match ended(done) {
        Ok(value) => complete(value),
        Err(Failure::Refused(_, error)) => json!({ ".tag": "failed", "failed": error }),
        Err(failure) => {
            tracing::error!(job = %id, ?failure, "a batch failed");
            Value::Null
        }
    };
    store(&app, account, id, value).await;
}

async fn store(app: &App, account: AccountId, id: JobId, value: Value) {
    let stored = app
        .patiently(move |app| {
            app.meta()
                .finish_job(account, id, value.to_string().into_bytes())
        })
        .await;
    if !matches!(stored, Ok(Ok(()))) {
        tracing::error!(job = %id, ?stored, "a job's result cannot be stored");
    }
}
