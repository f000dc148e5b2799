//! `SharedFolderMetadata` and members, as clients read them.

use std::collections::HashMap;

use serde_json::{Value, json};
use storage::meta::invitation::Invitation;
use storage::meta::{Account, AccountId, MemberPolicy, Refusal, Role, SharedFolder, View};

use crate::App;
use crate::files::shape::Start;
use crate::frame::caller::Caller;
use crate::frame::stamp::Stamp;

/// `AccessLevel`.
pub fn access_level(role: Role) -> Value {
    let tag = match role {
        Role::Owner => "owner",
        Role::Editor => "editor",
        Role::Viewer => "viewer",
    };
    json!({ ".tag": tag })
}

/// Shapes the shared folders of one answer: one view, each account read once.
pub struct Shaper<'a> {
    app: &'a App,
    caller: &'a Caller,
    view: View<'a>,
    start: Start,
    accounts: HashMap<AccountId, Option<Account>>,
}

impl<'a> Shaper<'a> {
    /// Shapes for `caller`. Blocks, as all its calls do.
    pub fn new(app: &'a App, caller: &'a Caller) -> storage::Result<Self> {
        let view = app.meta().view(caller.id())?;
        let start = caller.start(&view)?;
        Ok(Shaper {
            app,
            caller,
            view,
            start,
            accounts: HashMap::new(),
        })
    }

    /// `SharedFolderMetadata`.
    pub fn folder(&mut self, folder: &SharedFolder) -> storage::Result<Value> {
        let place = folder
            .mount
            .map_or(Ok(None), |mount| self.view.place(mount))?;
        let owner = self
            .account(folder.owner)?
            .map(|account| account.name.clone());
        let joined = folder
            .members
            .iter()
            .find(|member| member.account == self.caller.id());
        let joined_ms = joined.map_or(folder.created_ms, |member| member.joined_ms);
        let editors = folder.policy == MemberPolicy::Editors;
        let mut shape = json!({
            "access_type": access_level(folder.role),
            "is_inside_team_folder": false,
            "is_team_folder": false,
            "name": place.as_ref().map_or(&folder.name, |place| &place.node.name),
            "policy": {
                "acl_update_policy": { ".tag": if editors { "editors" } else { "owner" } },
                "shared_link_policy": { ".tag": "anyone" },
                "member_policy": { ".tag": "team" },
                "resolved_member_policy": { ".tag": "team" },
            },
            "preview_url": format!("{}/shared", self.app.settings().public_url),
            "shared_folder_id": folder.ns.to_string(),
            "time_invited": Stamp(joined_ms),
            "owner_display_names": owner.into_iter().collect::<Vec<_>>(),
            "folder_id": folder.root.to_string(),
        });
        if let Some(place) = place {
            shape["path_lower"] = json!(self.start.relative(&place.path_lower));
            shape["path_display"] = json!(self.start.relative(&place.path_display));
        }
        Ok(shape)
    }

    /// `SharedFolderMembers` without a cursor, for a part of those who are members by themselves.
    pub fn members(
        &mut self,
        folder: &SharedFolder,
        skip: usize,
        limit: usize,
    ) -> storage::Result<Value> {
        let mut users = Vec::new();
        let own = folder
            .members
            .iter()
            .filter_map(|member| Some((member, member.own_role?)));
        for (member, own_role) in own.skip(skip).take(limit) {
            let Some(account) = self.account(member.account)? else {
                continue;
            };
            let (email, display_name, team) =
                (account.email.clone(), account.name.clone(), account.team);
            users.push(json!({
                "access_type": access_level(own_role),
                "permissions": [],
                "is_inherited": false,
                "user": {
                    "account_id": member.account.to_string(),
                    "email": email,
                    "display_name": display_name,
                    "same_team": team.is_some() && team == self.caller.account.team,
                },
            }));
        }
        let groups = if skip == 0 {
            self.groups(folder)?
        } else {
            Vec::new()
        };
        let invitees = if skip == 0 {
            self.invitees(folder)?
        } else {
            Vec::new()
        };
        Ok(json!({ "users": users, "groups": groups, "invitees": invitees }))
    }

    /// `InviteeMembershipInfo` of each invitation that waits; all of them are on the first page.
    fn invitees(&self, folder: &SharedFolder) -> storage::Result<Vec<Value>> {
        let waiting = self
            .app
            .meta()
            .invitations(self.caller.actor(), folder.ns)?;
        let shape = |invitation: &Invitation| {
            json!({
                "access_type": access_level(invitation.role),
                "permissions": [],
                "is_inherited": false,
                "invitee": { ".tag": "email", "email": invitation.email },
            })
        };
        Ok(waiting.iter().map(shape).collect())
    }

    /// `GroupMembershipInfo` of each group in the folder; all of them are on the first page.
    fn groups(&self, folder: &SharedFolder) -> storage::Result<Vec<Value>> {
        let mut groups = Vec::new();
        for grant in &folder.groups {
            let Some(group) = self.app.meta().group(grant.group)? else {
                continue;
            };
            let own = self.app.meta().group_member(group.id, self.caller.id())?;
            groups.push(json!({
                "access_type": access_level(grant.role),
                "permissions": [],
                "is_inherited": false,
                "group": {
                    "group_name": group.name,
                    "group_id": group.id.to_string(),
                    "group_management_type": { ".tag": "company_managed" },
                    "group_type": { ".tag": "team" },
                    "member_count": self.app.meta().group_members(group.id)?.len(),
                    "is_member": own.is_some(),
                    "is_owner": own.is_some_and(|own| own.is_owner),
                    "same_team": Some(group.team) == self.caller.account.team,
                },
            }));
        }
        Ok(groups)
    }

    fn account(&mut self, id: AccountId) -> storage::Result<Option<&Account>> {
        if !self.accounts.contains_key(&id) {
            let account = self.app.meta().account(id)?;
            self.accounts.insert(id, account);
        }
        Ok(self.accounts.get(&id).and_then(Option::as_ref))
    }
}

/// Somebody else's role, as a client names it: only the owner's own transfer makes an owner.
pub fn role(tag: &str) -> Result<Role, crate::frame::Failure> {
    match tag {
        "editor" => Ok(Role::Editor),
        "viewer" | "viewer_no_comment" => Ok(Role::Viewer),
        "owner" => Err(crate::frame::Failure::of_refusal(
            &Refusal::NoPermission,
            super::error::access,
        )),
        other => Err(crate::frame::Failure::bad(format!(
            "access_level: unknown value {other:?}"
        ))),
    }
}
