//! Shared folders: making one, reading, listing, its policy, its owner, its end.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{
    AccountId, Address, AuditAction, JobKind, MemberPolicy, NamespaceId, Refusal, SharedFolder,
};

use super::error::{access, namespace, namespace_or, plain_access, share, transfer, unshare};
use super::shape::Shaper;
use crate::App;
use crate::files::batch::launch;
use crate::files::error::address;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply, Union};

/// Folders on a page, as Dropbox bounds it.
const MAX_PAGE: usize = 1_000;

/// What to share.
#[derive(Deserialize)]
pub struct ShareFolderArg {
    path: String,
    acl_update_policy: Option<Union>,
}

/// Which shared folder.
#[derive(Deserialize)]
pub struct FolderArg {
    /// Its namespace.
    pub shared_folder_id: String,
}

/// Which shared folder, and whether its members keep copies.
#[derive(Deserialize)]
pub struct UnshareArg {
    shared_folder_id: String,
    #[serde(default)]
    leave_a_copy: bool,
}

/// Which shared folder, and its new policy.
#[derive(Deserialize)]
pub struct PolicyArg {
    shared_folder_id: String,
    acl_update_policy: Option<Union>,
}

/// Which shared folder, and who owns it from now on.
#[derive(Deserialize)]
pub struct TransferArg {
    shared_folder_id: String,
    to_dropbox_id: String,
}

/// How many.
#[derive(Deserialize)]
pub struct ListFoldersArg {
    limit: Option<usize>,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct ContinueArg {
    cursor: String,
}

/// Makes a folder a shared one, at once.
pub async fn share_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ShareFolderArg>,
) -> Answer<Value> {
    let at = address(&arg.path, share)?;
    let policy = policy(arg.acl_update_policy.as_ref());
    let shared = app.blocking(move |app| {
        let share_now = || app.meta().share_folder(caller.actor(), &at, policy);
        let mut shared = share_now();
        if let Err(storage::Error::Refused(Refusal::NotFound)) = shared
            && matches!(at, Address::Path(_))
        {
            // A folder that is not there yet is made, as Dropbox does.
            let made = app.meta().create_folder(caller.actor(), &at, false);
            made.map_err(|e| Failure::shaped(e, share))?;
            shared = share_now();
        }
        if let Err(storage::Error::Refused(Refusal::AlreadyShared(ns))) = shared {
            let folder = described(app, &caller, ns)?;
            return Err(Failure::refused(already_shared(folder)));
        }
        let ns = shared.map_err(|e| Failure::shaped(e, share))?;
        app.record(&caller, AuditAction::FolderShared, arg.path)?;
        let mut folder = described(app, &caller, ns)?;
        folder[".tag"] = json!("complete");
        Ok(folder)
    });
    shared.await?.map(Reply)
}

/// `bad_path/already_shared`, whose value is a struct beside its tag.
fn already_shared(mut folder: Value) -> Value {
    folder[".tag"] = json!("already_shared");
    json!({ ".tag": "bad_path", "bad_path": folder })
}

fn policy(union: Option<&Union>) -> MemberPolicy {
    match union.map(|union| union.tag.as_str()) {
        Some("owner") => MemberPolicy::Owner,
        Some("editors") => MemberPolicy::Editors,
        _ => MemberPolicy::default(),
    }
}

/// One shared folder.
pub async fn get_folder_metadata(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<FolderArg>,
) -> Answer<Value> {
    let ns = namespace_or(&arg.shared_folder_id, plain_access)?;
    app.blocking(move |app| read(app, &caller, ns).map_err(|e| Failure::shaped(e, plain_access)))
        .await?
        .map(Reply)
}

/// Says who may change the members.
pub async fn update_folder_policy(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<PolicyArg>,
) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let changed = app.blocking(move |app| {
        if let Some(wanted) = &arg.acl_update_policy {
            let changed = app
                .meta()
                .set_member_policy(caller.actor(), ns, policy(Some(wanted)));
            changed.map_err(|e| Failure::shaped(e, access))?;
            app.record(&caller, AuditAction::PolicyChanged, arg.shared_folder_id)?;
        }
        described(app, &caller, ns)
    });
    changed.await?.map(Reply)
}

/// The caller's shared folders, mounted or not.
pub async fn list_folders(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ListFoldersArg>,
) -> Answer<Value> {
    list(app, caller, None, arg.limit, |_| true).await
}

/// The next of them.
pub async fn list_folders_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> Answer<Value> {
    let (after, limit) = cursor(&arg.cursor)?;
    list(app, caller, Some(after), Some(limit), |_| true).await
}

/// The caller's shared folders that could be mounted.
pub async fn list_mountable(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ListFoldersArg>,
) -> Answer<Value> {
    list(app, caller, None, arg.limit, |folder| {
        folder.mount.is_none()
    })
    .await
}

/// The next of them.
pub async fn list_mountable_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> Answer<Value> {
    let (after, limit) = cursor(&arg.cursor)?;
    list(app, caller, Some(after), Some(limit), |folder| {
        folder.mount.is_none()
    })
    .await
}

async fn list(
    app: App,
    caller: Caller,
    after: Option<NamespaceId>,
    limit: Option<usize>,
    wanted: fn(&SharedFolder) -> bool,
) -> Answer<Value> {
    let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
    let listed = app.blocking(move |app| {
        let mut folders = app.meta().list_shared(caller.actor())?;
        folders.retain(|folder| wanted(folder) && after.is_none_or(|after| folder.ns > after));
        let more = folders.len() > limit;
        folders.truncate(limit);
        let mut shaper = Shaper::new(app, &caller)?;
        let entries = folders
            .iter()
            .map(|folder| shaper.folder(folder))
            .collect::<storage::Result<Vec<_>>>()?;
        let mut page = json!({ "entries": entries });
        if let Some(last) = folders.last().filter(|_| more) {
            page["cursor"] = json!(format!("{}.{limit}", last.ns));
        }
        storage::Result::Ok(page)
    });
    listed.await?.map(Reply).map_err(Failure::from_storage)
}

/// Where a list goes on. It holds nothing secret: what a caller may see is decided anew on each page.
fn cursor(text: &str) -> Result<(NamespaceId, usize), Failure> {
    let parts = text
        .split_once('.')
        .and_then(|(ns, limit)| Some((NamespaceId::parse(ns)?, limit.parse().ok()?)));
    parts.ok_or_else(|| Failure::tag("invalid_cursor"))
}

/// Makes another member the owner.
pub async fn transfer_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<TransferArg>,
) -> Answer<()> {
    let ns = namespace(&arg.shared_folder_id)?;
    let to =
        AccountId::parse(&arg.to_dropbox_id).ok_or_else(|| Failure::tag("invalid_dropbox_id"))?;
    let done = app.blocking(move |app| {
        app.meta()
            .transfer(caller.actor(), ns, to)
            .map_err(|e| Failure::shaped(e, transfer))?;
        app.record(&caller, AuditAction::OwnerChanged, format!("{ns} to {to}"))
    });
    done.await?.map(Reply)
}

/// Ends the sharing; members may keep copies.
pub async fn unshare_folder(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<UnshareArg>,
) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let owner = caller.clone();
    launch(&app, &caller, JobKind::Unshare, false, move |app| {
        let done = if arg.leave_a_copy {
            app.meta().unshare_with_copies(owner.actor(), ns)
        } else {
            app.meta().unshare(owner.actor(), ns)
        };
        done.map_err(|e| Failure::shaped(e, unshare))?;
        app.record(&owner, AuditAction::FolderUnshared, arg.shared_folder_id)?;
        Ok(json!({}))
    })
    .await
}

/// A shared folder of the caller's, as it is now. Blocks.
pub fn described(app: &App, caller: &Caller, ns: NamespaceId) -> Result<Value, Failure> {
    read(app, caller, ns).map_err(|e| Failure::shaped(e, access))
}

fn read(app: &App, caller: &Caller, ns: NamespaceId) -> storage::Result<Value> {
    let folder = app.meta().shared_folder(caller.actor(), ns)?;
    Shaper::new(app, caller)?.folder(&folder)
}
