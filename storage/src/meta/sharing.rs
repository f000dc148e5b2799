//! Shared folders: making one, its members, and where each member has it mounted.
//!
//! Sharing is a handful of rows however much lies in the folder: the folder's node becomes the Root of a new namespace, and a Mount
//! takes its place in the owner's tree. Access is by MEMBER rows alone; every change journals what appeared in or left a
//! member's root in the same transaction (I2), and raises the member's mount generation (with its MEMBER row).

use serde::{Deserialize, Serialize};

use super::account::read_account;
use super::ids::{AccountId, FileId, NamespaceId};
use super::keys::{self, Child, ChildKind, Membership, NamespaceRow};
use super::mount::{ancestors, drop_mount, is_live, make_mount};
use super::node::{Actor, Node, NodeKind, Role};
use super::path::Address;
use super::tree::edit;
use super::{Meta, Refusal, namespace, quota};
use crate::error::Result;
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction, prefix_end};

/// Most members of a shared folder.
pub const MAX_MEMBERS: usize = 1000;
/// Most namespaces that one account may read.
pub const MAX_ACCESS: usize = 10_000;
/// Most nodes of a shared folder that changes hands: its bytes are counted in one transaction.
const MAX_TRANSFERRED: usize = 100_000;

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
    /// What the member may do.
    pub role: Role,
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

    /// Adds a member; who is one already stays as it is. With `auto_mount` the folder appears in the member's root under a free
    /// name, else it waits for [`Meta::mount`]. Refused as `NoPermission`, or `NotFound` when the actor is no member or the
    /// account does not exist or is disabled.
    pub fn add_member(
        &self,
        actor: Actor,
        ns: NamespaceId,
        account: AccountId,
        role: Role,
        auto_mount: bool,
    ) -> Result<()> {
        self.transact(|txn| {
            let shared = managed(&*txn, actor.account, ns)?;
            no_second_owner(role)?;
            if keys::get_membership(&*txn, ns, account)?.is_some() {
                return Ok(());
            }
            let live = read_account(&*txn, account)?.filter(|account| !account.disabled);
            let member = live.ok_or(Refusal::NotFound)?;
            if keys::members(&*txn, ns)?.len() >= MAX_MEMBERS
                || keys::memberships(&*txn, account)?.len() >= MAX_ACCESS
            {
                return Err(Refusal::TooManyMembers.into());
            }
            let joined_ms = self.now_ms();
            let row = Membership {
                role,
                mount: None,
                home: false,
                joined_ms,
            };
            keys::put_membership(txn, ns, account, &row)?;
            if auto_mount {
                make_mount(txn, self.env(), &member, ns, &shared, row)?;
            }
            Ok(())
        })
    }

    /// Removes a member, who sees nothing of the folder from then on; an account may always remove itself, unless it is the owner.
    pub fn remove_member(&self, actor: Actor, ns: NamespaceId, account: AccountId) -> Result<()> {
        self.transact(|txn| {
            let shared = if actor.account == account {
                member_of(&*txn, actor.account, ns)?.0
            } else {
                managed(&*txn, actor.account, ns)?
            };
            if shared.owner == account {
                return Err(Refusal::NoPermission.into());
            }
            expel(txn, ns, account)
        })
    }

    /// Leaves a shared folder.
    pub fn leave(&self, actor: Actor, ns: NamespaceId) -> Result<()> {
        self.remove_member(actor, ns, actor.account)
    }

    /// Changes what a member may do.
    pub fn update_member(
        &self,
        actor: Actor,
        ns: NamespaceId,
        account: AccountId,
        role: Role,
    ) -> Result<()> {
        self.transact(|txn| {
            let shared = managed(&*txn, actor.account, ns)?;
            no_second_owner(role)?;
            if shared.owner == account {
                return Err(Refusal::NoPermission.into());
            }
            set_role(txn, ns, account, role)
        })
    }

    /// Says who may change the members; the owner only.
    pub fn set_member_policy(
        &self,
        actor: Actor,
        ns: NamespaceId,
        policy: MemberPolicy,
    ) -> Result<()> {
        self.transact(|txn| {
            let shared = owned(&*txn, actor.account, ns)?;
            keys::put_namespace(
                txn,
                ns,
                &NamespaceRow {
                    policy: Some(policy),
                    ..shared
                },
            )
        })
    }

    /// Makes another member the owner; the actor stays as an editor. The content counts against the new owner's quota from then
    /// on: refused as `InsufficientSpace` when it has no room.
    pub fn transfer(&self, actor: Actor, ns: NamespaceId, to: AccountId) -> Result<()> {
        self.transact(|txn| {
            let shared = owned(&*txn, actor.account, ns)?;
            if to == actor.account {
                return Ok(());
            }
            let heir = read_account(&*txn, to)?.filter(|account| !account.disabled);
            let heir = heir.ok_or(Refusal::NotFound)?;
            set_role(txn, ns, to, Role::Owner)?;
            set_role(txn, ns, actor.account, Role::Editor)?;
            let bytes = live_bytes(&*txn, shared.root)?;
            quota::charge(txn, actor.account, -bytes)?;
            quota::charge(txn, to, bytes)?;
            keys::put_namespace(
                txn,
                ns,
                &NamespaceRow {
                    owner: to,
                    team: heir.team,
                    ..shared
                },
            )
        })
    }

    /// Ends the sharing: everybody but the owner is removed. The namespace stays, mounted by its owner.
    pub fn unshare(&self, actor: Actor, ns: NamespaceId) -> Result<()> {
        self.transact(|txn| {
            let shared = owned(&*txn, actor.account, ns)?;
            for (account, _) in keys::members(&*txn, ns)? {
                if account != shared.owner {
                    expel(txn, ns, account)?;
                }
            }
            keys::put_namespace(
                txn,
                ns,
                &NamespaceRow {
                    policy: None,
                    ..shared.clone()
                },
            )?;
            let own = keys::get_membership(&*txn, ns, shared.owner)?.ok_or(Refusal::NotMember)?;
            let owner = read_account(&*txn, shared.owner)?.ok_or(Refusal::NotFound)?;
            match own.mount {
                Some(mount) if is_live(&*txn, mount)? => touch(txn, &shared, own),
                Some(_) => {
                    let row = drop_mount(txn, ns, shared.owner, own)?;
                    make_mount(txn, self.env(), &owner, ns, &shared, row).map(drop)
                }
                None => make_mount(txn, self.env(), &owner, ns, &shared, own).map(drop),
            }
        })
    }

    /// Mounts a shared folder in the actor's root under a free name; returns the Mount node. Refused as `AlreadyMounted`.
    pub fn mount(&self, actor: Actor, ns: NamespaceId) -> Result<FileId> {
        self.transact(|txn| {
            let (shared, mut row) = member_of(&*txn, actor.account, ns)?;
            if let Some(mount) = row.mount {
                if is_live(&*txn, mount)? {
                    return Err(Refusal::AlreadyMounted.into());
                }
                row = drop_mount(txn, ns, actor.account, row)?;
            }
            let account = read_account(&*txn, actor.account)?.ok_or(Refusal::NotFound)?;
            make_mount(txn, self.env(), &account, ns, &shared, row)
        })
    }

    /// Takes a shared folder out of the actor's tree; it stays a member. Nothing happens when it is not mounted.
    pub fn unmount(&self, actor: Actor, ns: NamespaceId) -> Result<()> {
        self.transact(|txn| {
            let (_, row) = member_of(&*txn, actor.account, ns)?;
            drop_mount(txn, ns, actor.account, row).map(drop)
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

    /// The account's mount generation: what a list cursor is bound to.
    pub fn mount_generation(&self, account: AccountId) -> Result<u64> {
        let counter = self.store().counter(&keys::mount_generation(account))?;
        Ok(counter.unsigned_abs())
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
            id: edit::fresh_file(&*txn, self.env())?,
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

/// The shared folder and the account's membership; `NotFound` for who is no member.
fn member_of(
    rows: &dyn Snapshot,
    account: AccountId,
    ns: NamespaceId,
) -> Result<(NamespaceRow, Membership)> {
    let own = keys::get_membership(rows, ns, account)?.ok_or(Refusal::NotFound)?;
    let shared = keys::get_namespace(rows, ns)?.ok_or(Refusal::NotFound)?;
    if shared.home {
        Err(Refusal::NotFound.into())
    } else {
        Ok((shared, own))
    }
}

/// The shared folder, if the account may change its members.
fn managed(rows: &dyn Snapshot, account: AccountId, ns: NamespaceId) -> Result<NamespaceRow> {
    let (shared, own) = member_of(rows, account, ns)?;
    match (shared.policy, own.role) {
        (None, _) => Err(Refusal::NotFound.into()),
        (Some(_), Role::Owner) | (Some(MemberPolicy::Editors), Role::Editor) => Ok(shared),
        _ => Err(Refusal::NoPermission.into()),
    }
}

/// The shared folder, if the account owns it.
fn owned(rows: &dyn Snapshot, account: AccountId, ns: NamespaceId) -> Result<NamespaceRow> {
    let (shared, own) = member_of(rows, account, ns)?;
    match (shared.policy, own.role) {
        (None, _) => Err(Refusal::NotFound.into()),
        (Some(_), Role::Owner) => Ok(shared),
        _ => Err(Refusal::NoPermission.into()),
    }
}

/// A namespace has one owner; it changes by [`Meta::transfer`] only.
fn no_second_owner(role: Role) -> Result<()> {
    if role == Role::Owner {
        Err(Refusal::NoPermission.into())
    } else {
        Ok(())
    }
}

/// Bytes of the heads of all live files below `top`: what its owner is charged for.
fn live_bytes(rows: &dyn Snapshot, top: FileId) -> Result<i64> {
    let (mut folders, mut bytes, mut nodes) = (vec![top], 0i64, 0usize);
    while let Some(folder) = folders.pop() {
        let start = keys::child(folder, "");
        for (_, value) in rows.range(&start, &prefix_end(&start), false, MAX_TRANSFERRED)? {
            let child = Child::decode(&value)?;
            nodes += 1;
            match child.kind {
                ChildKind::Folder => folders.push(child.id),
                ChildKind::Mount => {}
                ChildKind::File => {
                    let node = keys::get_node(rows, child.id)?;
                    bytes += node
                        .as_ref()
                        .and_then(Node::head)
                        .map_or(0, |head| head.size.cast_signed());
                }
            }
        }
        if nodes >= MAX_TRANSFERRED {
            return Err(Refusal::TooManyFiles.into());
        }
    }
    Ok(bytes)
}

/// Removes a member's mount and membership.
fn expel(txn: &mut dyn Transaction, ns: NamespaceId, account: AccountId) -> Result<()> {
    let row = keys::get_membership(&*txn, ns, account)?.ok_or(Refusal::NotMember)?;
    drop_mount(txn, ns, account, row)?;
    keys::delete_membership(txn, ns, account);
    Ok(())
}

/// Changes a member's role, and tells its root that the Mount looks different now.
fn set_role(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    account: AccountId,
    role: Role,
) -> Result<()> {
    let row = keys::get_membership(&*txn, ns, account)?.ok_or(Refusal::NotMember)?;
    let row = Membership { role, ..row };
    keys::put_membership(txn, ns, account, &row)?;
    let home = read_account(&*txn, account)?.ok_or(Refusal::NotFound)?.root;
    if let Some(file) = row.mount {
        journal::append(txn, home, &Change::Upsert { file })?;
    }
    Ok(())
}

/// Tells the owner's root that the Mount looks different now.
fn touch(txn: &mut dyn Transaction, shared: &NamespaceRow, own: Membership) -> Result<()> {
    let home = read_account(&*txn, shared.owner)?
        .ok_or(Refusal::NotFound)?
        .root;
    if let Some(file) = own.mount {
        journal::append(txn, home, &Change::Upsert { file })?;
    }
    Ok(())
}

fn describe(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    shared: &NamespaceRow,
    own: &Membership,
) -> Result<SharedFolder> {
    let member = |(account, row): (AccountId, Membership)| Member {
        account,
        role: row.role,
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
        created_ms: shared.created_ms,
    })
}
