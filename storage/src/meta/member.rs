//! Members of shared folders: who is added, changed, removed, and who owns the folder.

use super::account::read_account;
use super::ids::{AccountId, NamespaceId};
use super::keys::{self, Membership, NamespaceRow};
use super::mount::{drop_mount, is_live, make_mount};
use super::node::{Actor, Role};
use super::sharing::MemberPolicy;
use super::{Meta, Refusal, grant, group_rows, invitation, quota};
use crate::error::Result;
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction};

/// Most members of a shared folder.
pub const MAX_MEMBERS: usize = 1000;
/// Most namespaces that one account may read.
pub const MAX_ACCESS: usize = 10_000;

impl Meta {
    /// Adds a member; who is one already stays as it is, but for who is one by a group only: it gets this role of its own. With `auto_mount` the folder appears in the member's root under a free
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
            self.admit(txn, ns, &shared, account, role, auto_mount)
        })
    }

    /// The same for who may be added.
    pub(super) fn admit(
        &self,
        txn: &mut dyn Transaction,
        ns: NamespaceId,
        shared: &NamespaceRow,
        account: AccountId,
        role: Role,
        auto_mount: bool,
    ) -> Result<()> {
        if keys::get_membership(&*txn, ns, account)?.is_some() {
            return match grant::own_role(&*txn, ns, account)? {
                Some(_) => Ok(()),
                None => grant::assign(txn, self.env(), ns, account, role),
            };
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
            make_mount(txn, self.env(), &member, ns, shared, row)?;
        }
        Ok(())
    }

    /// Removes a member, who sees nothing of the folder from then on; an account may always remove itself, unless it is the owner.
    pub fn remove_member(&self, actor: Actor, ns: NamespaceId, account: AccountId) -> Result<()> {
        self.transact(|txn| {
            removable(&*txn, actor.account, ns, account)?;
            grant::withdraw(txn, self.env(), ns, account)
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
            grant::assign(txn, self.env(), ns, account, role)
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
            grant::assign(txn, self.env(), ns, to, Role::Owner)?;
            grant::assign(txn, self.env(), ns, actor.account, Role::Editor)?;
            let bytes = quota::subtree_bytes(&*txn, shared.root)?;
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
            for (group, _) in group_rows::grants(&*txn, ns)? {
                group_rows::delete_grant(txn, ns, group);
            }
            group_rows::delete_own_role(txn, ns, shared.owner);
            invitation::forget(txn, ns)?;
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
}

/// The shared folder and the account's membership; `NotFound` for who is no member.
pub(super) fn member_of(
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

/// Refuses the removal of a member by who may not, and of the owner.
pub(super) fn removable(
    rows: &dyn Snapshot,
    by: AccountId,
    ns: NamespaceId,
    account: AccountId,
) -> Result<()> {
    let shared = if by == account {
        member_of(rows, by, ns)?.0
    } else {
        managed(rows, by, ns)?
    };
    if shared.owner == account {
        return Err(Refusal::NoPermission.into());
    }
    Ok(())
}

/// The shared folder, if the account may change its members.
pub(super) fn managed(
    rows: &dyn Snapshot,
    account: AccountId,
    ns: NamespaceId,
) -> Result<NamespaceRow> {
    let (shared, own) = member_of(rows, account, ns)?;
    match (shared.policy, own.role) {
        (None, _) => Err(Refusal::NotFound.into()),
        (Some(_), Role::Owner) | (Some(MemberPolicy::Editors), Role::Editor) => Ok(shared),
        _ => Err(Refusal::NoPermission.into()),
    }
}

/// The shared folder, if the account owns it.
pub(super) fn owned(
    rows: &dyn Snapshot,
    account: AccountId,
    ns: NamespaceId,
) -> Result<NamespaceRow> {
    let (shared, own) = member_of(rows, account, ns)?;
    match (shared.policy, own.role) {
        (None, _) => Err(Refusal::NotFound.into()),
        (Some(_), Role::Owner) => Ok(shared),
        _ => Err(Refusal::NoPermission.into()),
    }
}

/// A namespace has one owner; it changes by [`Meta::transfer`] only.
pub(super) fn no_second_owner(role: Role) -> Result<()> {
    if role == Role::Owner {
        Err(Refusal::NoPermission.into())
    } else {
        Ok(())
    }
}

/// Removes a member's mount and membership, and what there is of it beside.
pub(super) fn expel(txn: &mut dyn Transaction, ns: NamespaceId, account: AccountId) -> Result<()> {
    let row = keys::get_membership(&*txn, ns, account)?.ok_or(Refusal::NotMember)?;
    drop_mount(txn, ns, account, row)?;
    keys::delete_membership(txn, ns, account);
    group_rows::delete_own_role(txn, ns, account);
    Ok(())
}

/// Changes a member's role, and tells its root that the Mount looks different now.
pub(super) fn set_role(
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
pub(super) fn touch(
    txn: &mut dyn Transaction,
    shared: &NamespaceRow,
    own: Membership,
) -> Result<()> {
    let home = read_account(&*txn, shared.owner)?
        .ok_or(Refusal::NotFound)?
        .root;
    if let Some(file) = own.mount {
        journal::append(txn, home, &Change::Upsert { file })?;
    }
    Ok(())
}
