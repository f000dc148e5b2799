//! `sharing/check_job_status`: how far what takes longer is.

use axum::extract::State;
use serde_json::{Value, json};
use storage::meta::JobKind;

use crate::App;
use crate::files::batch::{PollArg, status};
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Reply};

/// What the route tells of.
const KINDS: [JobKind; 3] = [JobKind::RemoveMember, JobKind::Leave, JobKind::Unshare];

/// `JobStatus`: a refusal is nested in what was refused.
pub async fn check_job_status(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<PollArg>,
) -> Answer<Value> {
    let (kind, mut state) = status(&app, &caller, &arg, &KINDS).await?;
    if let Some(error) = state.get_mut("failed") {
        let tag = match kind {
            JobKind::Leave => "relinquish_folder_membership_error",
            JobKind::Unshare => "unshare_folder_error",
            _ => "remove_folder_member_error",
        };
        let inner = error.take();
        *error = json!({ ".tag": tag });
        error[tag] = inner;
    }
    Ok(Reply(state))
}
