//! `/2/firefly/groups/*`: people of a team under one name. Everybody of the team sees them; administrators make them;
//! administrators and a group's owners say who is in them.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::meta::account::DEFAULT_TEAM;
use storage::meta::{Account, AccountId, AuditAction, Group, GroupId, Refusal, TeamId};

use crate::App;
use crate::frame::caller::Caller;
use crate::frame::reply::Answer;
use crate::frame::stamp::Stamp;
use crate::frame::{Arg, Failure, Reply, Void};

/// What a group is called.
#[derive(Deserialize)]
pub struct CreateArg {
    name: String,
}

/// Which group.
#[derive(Deserialize)]
pub struct GroupArg {
    group_id: String,
}

/// Which group, and its new name.
#[derive(Deserialize)]
pub struct RenameArg {
    group_id: String,
    name: String,
}

/// Which group, and whom.
#[derive(Deserialize)]
pub struct MemberArg {
    group_id: String,
    email: Option<String>,
    account_id: Option<String>,
    #[serde(default)]
    is_owner: bool,
}

/// All groups of the caller's team.
pub async fn list(State(app): State<App>, caller: Caller, _: Void) -> Answer<Value> {
    let listed = app.blocking(move |app| {
        let groups = app.meta().groups(team(&caller))?;
        let shapes = groups.iter().map(|group| shape(app, &caller, group));
        storage::Result::Ok(json!({ "groups": shapes.collect::<storage::Result<Vec<_>>>()? }))
    });
    listed.await?.map(Reply).map_err(Failure::from_storage)
}

/// Who is in a group.
pub async fn members(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<GroupArg>,
) -> Answer<Value> {
    let listed = app.blocking(move |app| {
        let group = known(app, &caller, &arg.group_id)?;
        let found = app.meta().group_members(group.id).map_err(refused)?;
        let mut members = Vec::new();
        for (id, member) in found {
            let account = app.meta().account(id).map_err(refused)?;
            members.extend(account.map(|account| {
                json!({
                    "account_id": id.to_string(),
                    "email": account.email,
                    "name": account.name,
                    "is_owner": member.is_owner,
                    "is_suspended": account.disabled,
                })
            }));
        }
        let group = shape(app, &caller, &group).map_err(refused)?;
        Ok(json!({ "group": group, "members": members }))
    });
    listed.await?.map(Reply)
}

/// Makes an empty group.
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<CreateArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let made = app.blocking(move |app| {
        let group = app
            .meta()
            .create_group(team(&caller), &arg.name)
            .map_err(refused)?;
        app.record(
            &caller,
            AuditAction::GroupChanged,
            format!("{}: made as {}", group.id, group.name),
        )?;
        shape(app, &caller, &group).map_err(refused)
    });
    made.await?.map(Reply)
}

/// Gives a group another name.
pub async fn rename(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<RenameArg>,
) -> Answer<Value> {
    caller.require_admin()?;
    let renamed = app.blocking(move |app| {
        let group = known(app, &caller, &arg.group_id)?;
        let group = app
            .meta()
            .rename_group(group.id, &arg.name)
            .map_err(refused)?;
        app.record(
            &caller,
            AuditAction::GroupChanged,
            format!("{}: renamed to {}", group.id, group.name),
        )?;
        shape(app, &caller, &group).map_err(refused)
    });
    renamed.await?.map(Reply)
}

/// Removes a group; its people lose what they had by it, at once.
pub async fn delete(State(app): State<App>, caller: Caller, Arg(arg): Arg<GroupArg>) -> Answer<()> {
    caller.require_admin()?;
    let deleted = app.blocking(move |app| {
        let group = known(app, &caller, &arg.group_id)?;
        app.meta().delete_group(group.id).map_err(refused)?;
        app.record(
            &caller,
            AuditAction::GroupChanged,
            format!("{}: {} deleted", group.id, group.name),
        )
    });
    deleted.await?.map(Reply)
}

/// Puts an account into a group: it has the group's folders at once.
pub async fn add(State(app): State<App>, caller: Caller, Arg(arg): Arg<MemberArg>) -> Answer<()> {
    let added = app.blocking(move |app| {
        let group = managed(app, &caller, &arg.group_id)?;
        let account = whom(app, &arg)?.filter(|account| account.team == Some(group.team));
        let account = account.ok_or_else(|| Failure::tag("no_account"))?;
        app.meta()
            .join_group(group.id, account.id, arg.is_owner)
            .map_err(refused)?;
        let subject = format!("{}: {}", group.id, account.id);
        app.record(&caller, AuditAction::GroupMemberAdded, subject)
    });
    added.await?.map(Reply)
}

/// Takes an account out of a group: what it had by the group alone is gone at once.
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    Arg(arg): Arg<MemberArg>,
) -> Answer<()> {
    let removed = app.blocking(move |app| {
        let group = managed(app, &caller, &arg.group_id)?;
        let account = whom(app, &arg)?.ok_or_else(|| Failure::tag("not_a_member"))?;
        app.meta()
            .leave_group(group.id, account.id)
            .map_err(refused)?;
        let subject = format!("{}: {}", group.id, account.id);
        app.record(&caller, AuditAction::GroupMemberRemoved, subject)
    });
    removed.await?.map(Reply)
}

fn team(caller: &Caller) -> TeamId {
    caller.account.team.unwrap_or(DEFAULT_TEAM)
}

/// A group of the caller's team; `group_not_found` for every other.
fn known(app: &App, caller: &Caller, id: &str) -> Result<Group, Failure> {
    let found = GroupId::parse(id).map_or(Ok(None), |id| app.meta().group(id));
    let group = found
        .map_err(refused)?
        .filter(|group| Some(group.team) == caller.account.team);
    group.ok_or_else(|| Failure::tag("group_not_found"))
}

/// A group that the caller may say the members of.
fn managed(app: &App, caller: &Caller, id: &str) -> Result<Group, Failure> {
    let group = known(app, caller, id)?;
    let own = app
        .meta()
        .group_member(group.id, caller.id())
        .map_err(refused)?;
    if caller.account.is_admin || own.is_some_and(|own| own.is_owner) {
        return Ok(group);
    }
    Err(Failure::tag("no_permission"))
}

fn whom(app: &App, arg: &MemberArg) -> Result<Option<Account>, Failure> {
    let found = match (&arg.account_id, &arg.email) {
        (Some(id), _) => AccountId::parse(id).map_or(Ok(None), |id| app.meta().account(id)),
        (None, Some(email)) => app.meta().account_by_email(email),
        (None, None) => return Err(Failure::bad("request body: email or account_id is missing")),
    };
    found.map_err(refused)
}

fn shape(app: &App, caller: &Caller, group: &Group) -> storage::Result<Value> {
    let own = app.meta().group_member(group.id, caller.id())?;
    let mut shape = json!({
        "group_id": group.id.to_string(),
        "name": group.name,
        "member_count": app.meta().group_members(group.id)?.len(),
        "is_member": own.is_some(),
        "is_owner": own.is_some_and(|own| own.is_owner),
        "created": Stamp(group.created_ms),
    });
    if own.is_some() || caller.account.is_admin {
        let folders = app.meta().folders_of_group(group.id)?;
        shape["shared_folder_count"] = json!(folders.len());
    }
    Ok(shape)
}

fn refused(error: storage::Error) -> Failure {
    Failure::shaped(error, |refusal| {
        let tag = match refusal {
            Refusal::NotFound => "group_not_found",
            Refusal::NotMember => "not_a_member",
            Refusal::NameTaken => "name_taken",
            Refusal::MalformedPath(_) => "invalid_name",
            Refusal::TooManyGroups => "too_many_groups",
            Refusal::TooManyMembers => "too_many_members",
            _ => return None,
        };
        Some(json!({ ".tag": tag }))
    })
}
