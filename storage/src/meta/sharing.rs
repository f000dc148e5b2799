//! Shared folders: making one, its members, and where each member has it mounted.
//!
//! Sharing is a handful of rows however much lies in the folder: the folder's node becomes the Root of a new namespace, and a Mount
//! takes its place in the owner's tree. Access is by MEMBER rows alone; every change journals what appeared in or left a
//! member's root in the same transaction (I2), and raises the member's mount generation (with its MEMBER row).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::grant::Grant;
use super::ids::{AccountId, FileId, NamespaceId};
use super::keys::{self, Membership, NamespaceRow};
use super::member::{member_of, touch};
use super::mount::ancestors;
use super::node::{Actor, Node, NodeKind, Role};
use super::path::Address;
use super::tree::edit;
use super::{Meta, Refusal, grant, group_rows, namespace};
use crate::error::Result;
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction};
use crate::slots;

/// Who may add, change and remove members of a shared folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MemberPolicy {
    /// The owner alone.
    #[default]
    Owner,
    /// Every editor. (The owner stays, whatever an editor does.)
    Editors,
}

/// A member of a shared folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub account: AccountId,
    /// What the member may do: the highest of its own role and its groups'.
    pub role: Role,
    /// The role that it has by itself; `None`: it is a member by its groups only.
    pub own_role: Option<Role>,
    /// The Mount node in the member's root; `None` while unmounted.
    pub mount: Option<FileId>,
    /// When the member was added, milliseconds since 1970.
    pub joined_ms: i64,
}

/// A shared folder as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFolder {
    /// Its namespace.
    pub ns: NamespaceId,
    /// What it is called where nobody renamed it.
    pub name: String,
    /// Its top node.
    pub root: FileId,
    /// Whose quota its content counts against.
    pub owner: AccountId,
    /// Who may change the members.
    pub policy: MemberPolicy,
    /// What the asking account may do.
    pub role: Role,
    /// Where the asking account has it mounted.
    pub mount: Option<FileId>,
    /// Everybody, by account.
    pub members: Vec<Member>,
    /// The groups in it, whose people are among the members.
    pub groups: Vec<Grant>,
    /// When it became a namespace, milliseconds since 1970.
    pub created_ms: i64,
}

impl Meta {
    /// Shares a folder of the actor's own root. Refused as `AlreadyShared` with its namespace, `CantShareRoot`, `NotFolder`,
    /// `InsideSharedFolder` or `ContainsSharedFolder`. A folder that was shared once keeps its namespace.
    pub fn share_folder(
        &self,
        actor: Actor,
        at: &Address,
        policy: MemberPolicy,
    ) -> Result<NamespaceId> {
        let place = self.view(actor.account)?.resolve(actor.root, at)?;
        if let Some(ns) = place.shared_folder {
            return self.share_again(actor, ns, policy);
        }
        match place.node.kind {
            NodeKind::Folder => {}
            NodeKind::File(_) => return Err(Refusal::NotFolder.into()),
            NodeKind::Root { .. } | NodeKind::Mount { .. } => {
                return Err(Refusal::CantShareRoot.into());
            }
        }
        let ns = namespace::allocate(&**self.store())?;
        self.transact(|txn| {
            let (folder, home) = shareable(&*txn, actor.account, place.node.id)?;
            self.turn_into_namespace(txn, actor.account, folder, home, ns, policy)?;
            Ok(ns)
        })
    }

    /// A shared folder that the actor is a member of, else `NotFound`.
    pub fn shared_folder(&self, actor: Actor, ns: NamespaceId) -> Result<SharedFolder> {
        let rows = self.store().snapshot()?;
        let (shared, own) = member_of(&*rows, actor.account, ns)?;
        describe(&*rows, ns, &shared, &own)
    }

    /// Every shared folder that the actor is a member of, mounted or not, by namespace.
    pub fn list_shared(&self, actor: Actor) -> Result<Vec<SharedFolder>> {
        let rows = self.store().snapshot()?;
        let mut folders = Vec::new();
        for (ns, own) in keys::memberships(&*rows, actor.account)? {
            if let Some(shared) = keys::get_namespace(&*rows, ns)?.filter(|ns| ns.policy.is_some())
            {
                folders.push(describe(&*rows, ns, &shared, &own)?);
            }
        }
        Ok(folders)
    }

    fn share_again(
        &self,
        actor: Actor,
        ns: NamespaceId,
        policy: MemberPolicy,
    ) -> Result<NamespaceId> {
        self.transact(|txn| {
            let shared = keys::get_namespace(&*txn, ns)?.ok_or(Refusal::NotFound)?;
            if shared.policy.is_some() || shared.owner != actor.account {
                return Err(Refusal::AlreadyShared(ns).into());
            }
            let own = keys::get_membership(&*txn, ns, actor.account)?.ok_or(Refusal::NotFound)?;
            keys::put_namespace(
                txn,
                ns,
                &NamespaceRow {
                    policy: Some(policy),
                    ..shared.clone()
                },
            )?;
            touch(txn, &shared, own)?;
            Ok(ns)
        })
    }

    /// The folder becomes the Root of `ns`, and a Mount takes its place in the owner's tree.
    fn turn_into_namespace(
        &self,
        txn: &mut dyn Transaction,
        owner: AccountId,
        folder: Node,
        (home, home_row): (NamespaceId, NamespaceRow),
        ns: NamespaceId,
        policy: MemberPolicy,
    ) -> Result<()> {
        let (created_ms, file) = (self.now_ms(), folder.id);
        let kind = NodeKind::Mount { ns };
        let mount = Node {
            id: edit::fresh_file(&*txn, self.env(), slots::of_file(file))?,
            kind,
            ..folder.clone()
        };
        let gone = Change::Gone {
            file,
            parent: folder.parent.ok_or(Refusal::CantShareRoot)?,
            name: folder.name.clone(),
        };
        keys::put_node(
            txn,
            &Node {
                parent: None,
                kind: NodeKind::Root { ns },
                ..folder
            },
        )?;
        edit::insert_node(txn, &mount)?;
        let policy = Some(policy);
        let row = NamespaceRow {
            root: file,
            owner,
            team: home_row.team,
            home: false,
            policy,
            created_ms,
        };
        keys::put_namespace(txn, ns, &row)?;
        let own = Membership {
            role: Role::Owner,
            mount: Some(mount.id),
            home: false,
            joined_ms: created_ms,
        };
        keys::put_membership(txn, ns, owner, &own)?;
        journal::append(txn, home, &gone)?;
        journal::append(txn, home, &Change::Appeared { file: mount.id })?;
        journal::append(txn, ns, &Change::Appeared { file })?;
        Ok(())
    }
}

/// The folder and the home namespace it lies in, if it may become a shared folder of `account`.
fn shareable(
    rows: &dyn Snapshot,
    account: AccountId,
    folder: FileId,
) -> Result<(Node, (NamespaceId, NamespaceRow))> {
    let above = ancestors(rows, folder)?;
    let (Some(node), Some(top)) = (above.first(), above.last()) else {
        return Err(Refusal::NotFound.into());
    };
    if above.iter().any(|node| node.deleted.is_some()) || node.kind != NodeKind::Folder {
        return Err(Refusal::NotFound.into());
    }
    let NodeKind::Root { ns } = top.kind else {
        return Err(Refusal::NotFound.into());
    };
    let home = keys::get_namespace(rows, ns)?.ok_or(Refusal::NotFound)?;
    if !home.home {
        return Err(Refusal::InsideSharedFolder.into());
    }
    if home.owner != account {
        return Err(Refusal::NoPermission.into());
    }
    for (_, member) in keys::memberships(rows, account)? {
        let Some(mount) = member.mount else { continue };
        if ancestors(rows, mount)?.iter().any(|node| node.id == folder) {
            return Err(Refusal::ContainsSharedFolder.into());
        }
    }
    Ok((node.clone(), (ns, home)))
}

fn describe(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    shared: &NamespaceRow,
    own: &Membership,
) -> Result<SharedFolder> {
    let own_roles: BTreeMap<_, _> = group_rows::own_roles(rows, ns)?.into_iter().collect();
    let member = |(account, row): (AccountId, Membership)| Member {
        account,
        role: row.role,
        own_role: own_roles.get(&account).copied().unwrap_or(Some(row.role)),
        mount: row.mount,
        joined_ms: row.joined_ms,
    };
    Ok(SharedFolder {
        ns,
        name: keys::get_node(rows, shared.root)?
            .ok_or(Refusal::NotFound)?
            .name,
        root: shared.root,
        owner: shared.owner,
        policy: shared.policy.unwrap_or_default(),
        role: own.role,
        mount: own.mount,
        members: keys::members(rows, ns)?.into_iter().map(member).collect(),
        groups: grant::of_folder(rows, ns)?,
        created_ms: shared.created_ms,
    })
}
