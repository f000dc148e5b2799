//! Mounting shared folders in the caller's own tree, and taking them out again.

use axum::extract::State;
use serde_json::{Value, json};

use super::error::{access, mount as shape, namespace};
use super::folder::{FolderArg, described};
use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply};

/// Mounts a shared folder in the caller's root, under a free name.
pub async fn mount_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FolderArg>,
) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let mounted = app.blocking(move |app| {
        app.meta()
            .mount(caller.actor(), ns)
            .map_err(|e| Failure::shaped(e, shape))?;
        described(app, &caller, ns)
    });
    mounted.await?.map(Reply)
}

/// Takes a shared folder out of the caller's tree; the caller stays a member.
pub async fn unmount_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FolderArg>,
) -> Answer<()> {
    let ns = namespace(&arg.shared_folder_id)?;
    let done = app
        .blocking(move |app| app.meta().unmount(caller.actor(), ns))
        .await?;
    done.map(Reply).map_err(|e| Failure::shaped(e, access))
}

/// Files that others shared one by one: there are none, folders are shared.
pub async fn list_received_files(_: Caller) -> Reply<Value> {
    Reply(json!({ "entries": [] }))
}
