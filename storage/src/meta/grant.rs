//! Groups in shared folders: an account's role is the highest of its own and its groups'.
//!
//! MEMBER rows hold that effective role and stay the only thing that access is decided by. Where a group reaches a membership,
//! a row beside it keeps the role that the account has by itself.

use super::account::read_account;
use super::env::Env;
use super::group::MAX_FOLDERS_OF_GROUP;
use super::group_rows::{self as rows, GrantRow};
use super::ids::{AccountId, GroupId, NamespaceId};
use super::keys::{self, Membership};
use super::member::{MAX_ACCESS, MAX_MEMBERS, expel, managed, no_second_owner, set_role};
use super::mount::make_mount;
use super::node::{Actor, Role};
use super::{Meta, Refusal};
use crate::error::Result;
use crate::kv::{Snapshot, Transaction};

/// Most groups in one shared folder.
pub const MAX_GROUPS_OF_FOLDER: usize = 100;

/// A group in a shared folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Which group.
    pub group: GroupId,
    /// What its members may do at least.
    pub role: Role,
    /// Since when, milliseconds since 1970.
    pub since_ms: i64,
}

impl Meta {
    /// Adds a group to a shared folder: everybody in it is a member at once, and has the folder mounted. A group that is in it
    /// already stays as it is. Refused as [`Meta::add_member`], and as `NotFound` when there is no such group in the actor's team.
    pub fn add_group(
        &self,
        actor: Actor,
        ns: NamespaceId,
        group: GroupId,
        role: Role,
    ) -> Result<()> {
        self.transact(|txn| {
            managed(&*txn, actor.account, ns)?;
            no_second_owner(role)?;
            let team = rows::read_group(&*txn, group)?
                .ok_or(Refusal::NotFound)?
                .team;
            let own = read_account(&*txn, actor.account)?.and_then(|account| account.team);
            if own != Some(team) {
                return Err(Refusal::NotFound.into());
            }
            if rows::read_grant(&*txn, ns, group)?.is_some() {
                return Ok(());
            }
            if rows::grants(&*txn, ns)?.len() >= MAX_GROUPS_OF_FOLDER
                || rows::folders(&*txn, group)?.len() >= MAX_FOLDERS_OF_GROUP
            {
                return Err(Refusal::TooManyMembers.into());
            }
            let since_ms = self.now_ms();
            self.grant(txn, ns, group, &GrantRow { role, since_ms })
        })
    }

    /// Changes what a group may do. Refused as `NotMember` when it is not in the folder.
    pub fn update_group(
        &self,
        actor: Actor,
        ns: NamespaceId,
        group: GroupId,
        role: Role,
    ) -> Result<()> {
        self.transact(|txn| {
            managed(&*txn, actor.account, ns)?;
            no_second_owner(role)?;
            let known = rows::read_grant(&*txn, ns, group)?.ok_or(Refusal::NotMember)?;
            self.grant(txn, ns, group, &GrantRow { role, ..known })
        })
    }

    /// Takes a group out of a shared folder: who was a member by it alone sees nothing of the folder from then on. Refused as
    /// `NotMember` when it is not in the folder.
    pub fn remove_group(&self, actor: Actor, ns: NamespaceId, group: GroupId) -> Result<()> {
        self.transact(|txn| {
            managed(&*txn, actor.account, ns)?;
            rows::read_grant(&*txn, ns, group)?.ok_or(Refusal::NotMember)?;
            self.ungrant(txn, ns, group)
        })
    }

    fn grant(
        &self,
        txn: &mut dyn Transaction,
        ns: NamespaceId,
        group: GroupId,
        grant: &GrantRow,
    ) -> Result<()> {
        rows::put_grant(txn, ns, group, grant)?;
        for (account, _) in rows::members(&*txn, group)? {
            derive(txn, self.env(), ns, account)?;
        }
        check_room(&*txn, ns)
    }

    /// Takes the group out of the folder, with what followed from it.
    pub(super) fn ungrant(
        &self,
        txn: &mut dyn Transaction,
        ns: NamespaceId,
        group: GroupId,
    ) -> Result<()> {
        rows::delete_grant(txn, ns, group);
        for (account, _) in rows::members(&*txn, group)? {
            derive(txn, self.env(), ns, account)?;
        }
        Ok(())
    }
}

/// Makes the account's membership what its own role and its groups' say, after one of them changed.
pub(super) fn derive(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    account: AccountId,
) -> Result<()> {
    let own = own_role(&*txn, ns, account)?;
    settle(txn, env, ns, account, own)
}

/// Gives a member this role of its own; `NotMember` for who is none.
pub(super) fn assign(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    account: AccountId,
    role: Role,
) -> Result<()> {
    match rows::own_role(&*txn, ns, account)? {
        Some(_) => settle(txn, env, ns, account, Some(role)),
        None => set_role(txn, ns, account, role),
    }
}

/// Takes the account's own role away. Refused as `NotMember`, or `MemberByGroup` when it has none.
pub(super) fn withdraw(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    account: AccountId,
) -> Result<()> {
    match rows::own_role(&*txn, ns, account)? {
        Some(None) => Err(Refusal::MemberByGroup.into()),
        Some(Some(_)) => settle(txn, env, ns, account, None),
        None => expel(txn, ns, account),
    }
}

/// The groups in a shared folder.
pub(super) fn of_folder(rows: &dyn Snapshot, ns: NamespaceId) -> Result<Vec<Grant>> {
    let found = rows::grants(rows, ns)?.into_iter();
    let grant = |(group, row): (GroupId, GrantRow)| Grant {
        group,
        role: row.role,
        since_ms: row.since_ms,
    };
    Ok(found.map(grant).collect())
}

/// The role that the account has by itself.
pub(super) fn own_role(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    account: AccountId,
) -> Result<Option<Role>> {
    match rows::own_role(rows, ns, account)? {
        Some(own) => Ok(own),
        None => Ok(keys::get_membership(rows, ns, account)?.map(|row| row.role)),
    }
}

/// The highest role that the account has by its groups.
pub(super) fn group_role(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    account: AccountId,
) -> Result<Option<Role>> {
    let mut highest = None;
    for (group, grant) in rows::grants(rows, ns)? {
        if rows::read_member(rows, group, account)?.is_some() {
            highest = highest.max(Some(grant.role));
        }
    }
    Ok(highest)
}

/// Refuses as `TooManyMembers` what made a folder larger than it may be.
pub(super) fn check_room(rows: &dyn Snapshot, ns: NamespaceId) -> Result<()> {
    if keys::members(rows, ns)?.len() > MAX_MEMBERS {
        return Err(Refusal::TooManyMembers.into());
    }
    Ok(())
}

/// Writes the membership that follows from the account's own role and its groups'.
fn settle(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    account: AccountId,
    own: Option<Role>,
) -> Result<()> {
    let by_group = group_role(&*txn, ns, account)?;
    let before = keys::get_membership(&*txn, ns, account)?;
    match (own.max(by_group), before) {
        (None, None) => {}
        (None, Some(_)) => expel(txn, ns, account)?,
        (Some(role), None) => enter(txn, env, ns, account, role)?,
        (Some(role), Some(before)) if before.role == role => {}
        (Some(role), Some(_)) => set_role(txn, ns, account, role)?,
    }
    match by_group {
        Some(_) => rows::put_own_role(txn, ns, account, own),
        None => {
            rows::delete_own_role(txn, ns, account);
            Ok(())
        }
    }
}

/// Makes a member of who was none, with the folder mounted.
fn enter(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    account: AccountId,
    role: Role,
) -> Result<()> {
    let shared = keys::get_namespace(&*txn, ns)?.ok_or(Refusal::NotFound)?;
    let home = read_account(&*txn, account)?.ok_or(Refusal::NotFound)?;
    if keys::memberships(&*txn, account)?.len() >= MAX_ACCESS {
        return Err(Refusal::TooManyMembers.into());
    }
    let row = Membership {
        role,
        mount: None,
        home: false,
        joined_ms: env.clock.now_ms(),
    };
    keys::put_membership(txn, ns, account, &row)?;
    make_mount(txn, env, &home, ns, &shared, row).map(drop)
}
