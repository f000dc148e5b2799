//! `/2/firefly/admin/*`: operations that the program defines, for administrators and the command line.

use std::sync::Arc;

use axum::extract::{Path, State};
use serde_json::Value;
use storage::meta::AuditAction;

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Why an operation is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationFailure {
    /// There is no such operation.
    #[error("there is no such operation")]
    Unknown,
    /// The argument does not fit: what is wrong with it.
    #[error("{0}")]
    BadArgument(String),
    /// The operation is refused: a tag for programs (`email_taken`).
    #[error("refused: {0}")]
    Refused(String),
    /// Something failed; logged.
    #[error("{0}")]
    Failed(String),
}

/// Runs an operation by name (`account/create`) on its argument. Blocks.
pub type Operations = Arc<dyn Fn(&str, Value) -> Result<Value, OperationFailure> + Send + Sync>;

/// What only looks at the state of the service, again and again, is not logged.
const UNRECORDED: [&str; 8] = [
    "task/status",
    "overview",
    "storage/status",
    "retention/get",
    "account/list",
    "index/reasons",
    "team/get",
    "invitations/list",
];

/// What of an argument says whom or what an operation is about, in the log.
const WHOM: [&str; 7] = [
    "email",
    "account_id",
    "invitation_id",
    "invitations",
    "destination",
    "target",
    "old",
];

/// Runs an operation for an administrator.
pub async fn call(
    State(app): State<App>,
    caller: Caller,
    Path(operation): Path<String>,
    Arg(argument): Arg<Value>,
) -> Answer<Value> {
    caller.require_admin()?;
    let done = app.at_door(move |app| {
        let whom = WHOM.iter().find_map(|key| argument[*key].as_str());
        let whom = whom.unwrap_or("").to_owned();
        let answer = (app.operations())(&operation, argument).map_err(failure)?;
        if !UNRECORDED.contains(&operation.as_str()) {
            let subject = format!("{operation} {whom}");
            app.record(&caller, AuditAction::Admin, subject.trim_end())?;
        }
        Ok(answer)
    });
    done.await?.map(Reply)
}

fn failure(failure: OperationFailure) -> Failure {
    match failure {
        OperationFailure::Unknown => Failure::NotFound,
        OperationFailure::BadArgument(detail) => Failure::bad(format!("request body: {detail}")),
        OperationFailure::Refused(tag) => Failure::tag(&tag),
        OperationFailure::Failed(detail) => Failure::Internal(detail),
    }
}
