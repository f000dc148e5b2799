//! Members of shared folders.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::{AccountId, AuditAction, GroupId, JobKind};

use super::error::{access, add, leave, member, namespace, namespace_or, plain_access};
use super::shape::{Shaper, role};
use crate::App;
use crate::files::batch::{launch, launch_job};
use crate::files::error::Shape;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::{Arg, Failure, Reply, Union};

/// Members on a page, as Dropbox bounds it.
const MAX_PAGE: usize = 1_000;
/// Members added by one call, as Dropbox bounds it.
const MAX_ADDED: usize = 20;

/// Whom to add.
#[derive(Deserialize)]
pub struct AddArg {
    shared_folder_id: String,
    members: Vec<NewMember>,
}

/// One of them.
#[derive(Deserialize)]
pub struct NewMember {
    member: Union,
    access_level: Option<Union>,
}

/// Whom to remove.
#[derive(Deserialize)]
pub struct RemoveArg {
    shared_folder_id: String,
    member: Union,
    #[serde(default)]
    leave_a_copy: bool,
}

/// Whose role changes.
#[derive(Deserialize)]
pub struct UpdateArg {
    shared_folder_id: String,
    member: Union,
    access_level: Union,
}

/// Whose members.
#[derive(Deserialize)]
pub struct ListArg {
    shared_folder_id: String,
    limit: Option<usize>,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct ContinueArg {
    cursor: String,
}

/// Which folder to leave.
#[derive(Deserialize)]
pub struct LeaveArg {
    shared_folder_id: String,
    #[serde(default)]
    leave_a_copy: bool,
}

/// Adds members; who is one already stays as it is.
pub async fn add_folder_member(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<AddArg>,
) -> Answer<()> {
    let ns = namespace(&arg.shared_folder_id)?;
    if arg.members.len() > MAX_ADDED {
        return Err(Failure::tag("too_many_invitees"));
    }
    let added = app.blocking(move |app| {
        for new in &arg.members {
            let level = new
                .access_level
                .as_ref()
                .map_or("viewer", |level| level.tag.as_str());
            let (whom, role) = (
                selected(app, &new.member)?.ok_or_else(|| nobody(&new.member))?,
                role(level)?,
            );
            let (meta, actor) = (app.meta(), caller.actor());
            let added = match whom {
                Selected::Account(account) => meta.add_member(actor, ns, account, role, false),
                Selected::Group(group) => meta.add_group(actor, ns, group, role),
            };
            added.map_err(|e| Failure::shaped(e, add))?;
            app.record(
                &caller,
                AuditAction::MemberAdded,
                format!("{ns}: {whom} as {level}"),
            )?;
        }
        Ok(())
    });
    added.await?.map(Reply)
}

/// Removes a member, at once; the answer is a job that is done, which is what Dropbox's type allows.
pub async fn remove_folder_member(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RemoveArg>,
) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let remover = caller.clone();
    launch_job(&app, &caller, JobKind::RemoveMember, move |app| {
        let whom = selected(app, &arg.member)?.ok_or_else(stranger)?;
        let (meta, actor) = (app.meta(), remover.actor());
        let folder = meta
            .shared_folder(actor, ns)
            .map_err(|e| Failure::shaped(e, member))?;
        let removed = match whom {
            Selected::Account(account) if folder.owner == account => {
                return Err(Failure::tag("folder_owner"));
            }
            Selected::Account(account) if arg.leave_a_copy => {
                meta.remove_member_with_copy(actor, ns, account)
            }
            Selected::Account(account) => meta.remove_member(actor, ns, account),
            Selected::Group(_) if arg.leave_a_copy => {
                return Err(Failure::bad("leave_a_copy: groups are removed without"));
            }
            Selected::Group(group) => meta.remove_group(actor, ns, group),
        };
        removed.map_err(|e| Failure::shaped(e, member))?;
        app.record(
            &remover,
            AuditAction::MemberRemoved,
            format!("{ns}: {whom}"),
        )?;
        Ok(json!({}))
    })
    .await
}

/// Changes a member's role.
pub async fn update_folder_member(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<UpdateArg>,
) -> Answer<Value> {
    let (ns, role) = (
        namespace(&arg.shared_folder_id)?,
        role(&arg.access_level.tag)?,
    );
    let changed = app.blocking(move |app| {
        let whom = selected(app, &arg.member)?.ok_or_else(stranger)?;
        let (meta, actor) = (app.meta(), caller.actor());
        let changed = match whom {
            Selected::Account(account) => meta.update_member(actor, ns, account, role),
            Selected::Group(group) => meta.update_group(actor, ns, group, role),
        };
        changed.map_err(|e| Failure::shaped(e, member))?;
        app.record(
            &caller,
            AuditAction::MemberChanged,
            format!("{ns}: {whom} as {}", arg.access_level.tag),
        )
    });
    changed.await??;
    Ok(Reply(
        json!({ "access_level": super::shape::access_level(role) }),
    ))
}

/// The members of a folder.
pub async fn list_folder_members(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ListArg>,
) -> Answer<Value> {
    list(
        app,
        caller,
        &arg.shared_folder_id,
        0,
        arg.limit.unwrap_or(MAX_PAGE),
        plain_access,
    )
    .await
}

/// The next of them.
pub async fn list_folder_members_continue(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<ContinueArg>,
) -> Answer<Value> {
    let mut parts = arg.cursor.split('.');
    let (Some(ns), Some(Ok(skip)), Some(Ok(limit)), None) = (
        parts.next(),
        parts.next().map(str::parse),
        parts.next().map(str::parse),
        parts.next(),
    ) else {
        return Err(Failure::tag("invalid_cursor"));
    };
    list(app, caller, ns, skip, limit, access).await
}

async fn list(
    app: App,
    caller: Caller,
    id: &str,
    skip: usize,
    limit: usize,
    refused: Shape,
) -> Answer<Value> {
    let (ns, limit) = (namespace_or(id, refused)?, limit.clamp(1, MAX_PAGE));
    let listed = app.blocking(move |app| {
        let folder = app.meta().shared_folder(caller.actor(), ns)?;
        let mut page = Shaper::new(app, &caller)?.members(&folder, skip, limit)?;
        let next = skip.saturating_add(limit);
        if folder
            .members
            .iter()
            .filter(|member| member.own_role.is_some())
            .count()
            > next
        {
            page["cursor"] = json!(format!("{ns}.{next}.{limit}"));
        }
        storage::Result::Ok(page)
    });
    listed
        .await?
        .map(Reply)
        .map_err(|e| Failure::shaped(e, refused))
}

/// Leaves a shared folder, with a copy of what it has now if that is wanted.
pub async fn relinquish(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<LeaveArg>,
) -> Answer<Value> {
    let ns = namespace(&arg.shared_folder_id)?;
    let leaver = caller.clone();
    launch(&app, &caller, JobKind::Leave, false, move |app| {
        let (meta, actor) = (app.meta(), leaver.actor());
        let left = if arg.leave_a_copy {
            meta.remove_member_with_copy(actor, ns, actor.account)
        } else {
            meta.leave(actor, ns)
        };
        left.map_err(|e| Failure::shaped(e, leave))?;
        app.record(&leaver, AuditAction::MemberRemoved, format!("{ns}: itself"))?;
        Ok(json!({}))
    })
    .await
}

/// Whom a member selector names.
#[derive(Clone, Copy)]
enum Selected {
    Account(AccountId),
    Group(GroupId),
}

impl std::fmt::Display for Selected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Selected::Account(id) => id.fmt(f),
            Selected::Group(id) => id.fmt(f),
        }
    }
}

/// The account or group that a member selector names; `None` when there is none.
fn selected(app: &App, member: &Union) -> Result<Option<Selected>, Failure> {
    let text = member.text().unwrap_or("");
    let account = match member.tag.as_str() {
        "email" => app.meta().account_by_email(text),
        "dropbox_id" if text.starts_with("g:") => {
            let group = GroupId::parse(text).map_or(Ok(None), |id| app.meta().group(id));
            let group = group.map_err(Failure::from_storage)?;
            return Ok(group.map(|group| Selected::Group(group.id)));
        }
        "dropbox_id" => AccountId::parse(text).map_or(Ok(None), |id| app.meta().account(id)),
        other => return Err(Failure::bad(format!("member: unknown selector {other:?}"))),
    };
    Ok(account
        .map_err(Failure::from_storage)?
        .map(|account| Selected::Account(account.id)))
}

/// `bad_member`: nobody has this address or id.
fn nobody(member: &Union) -> Failure {
    let tag = if member.tag == "email" {
        "invalid_email"
    } else {
        "invalid_dropbox_id"
    };
    let mut bad = json!({ ".tag": tag });
    bad[tag] = json!(member.text().unwrap_or(""));
    Failure::refused(json!({ ".tag": "bad_member", "bad_member": bad }))
}

fn stranger() -> Failure {
    Failure::refused(
        json!({ ".tag": "member_error", "member_error": { ".tag": "invalid_dropbox_id" } }),
    )
}
