//! Leaving a shared folder with a copy: the member keeps what the folder has now, as its own, where it had the folder mounted.
//!
//! The copy is on the same blocks and counts against the member. In one transaction the Mount goes, the copy takes its name, and
//! the membership ends, so that nobody is ever seen with neither or both.

use super::account::read_account;
use super::ids::{AccountId, NamespaceId};
use super::member::{owned, removable};
use super::mount::{drop_mount, is_live};
use super::node::Actor;
use super::tree::{Op, Target};
use super::{Meta, Refusal, grant, keys, quota};
use crate::error::Result;
use crate::kv::Snapshot;

impl Meta {
    /// Removes a member as [`Meta::remove_member`], who keeps a copy where the folder was mounted; where it was not, or who stays a
    /// member by a group, keeps none. Refused also as `TooManyFiles` above 10,000 nodes, and `InsufficientSpace` when the member
    /// has no room: then it stays a member.
    pub fn remove_member_with_copy(
        &self,
        actor: Actor,
        ns: NamespaceId,
        account: AccountId,
    ) -> Result<()> {
        let leaver = self.account(account)?.ok_or(Refusal::NotMember)?;
        self.operate(leaver.actor(), |op| {
            removable(&*op.txn, actor.account, ns, account)?;
            if grant::group_role(&*op.txn, ns, account)?.is_none() {
                op.keep_copy(ns)?;
            }
            grant::withdraw(op.txn, self.env(), ns, account)
        })
    }

    /// Ends the sharing as [`Meta::unshare`]; every member keeps a copy where it had the folder mounted. Refused also as
    /// `TooManyFiles` above 10,000 nodes, and `InsufficientSpace` when one of the members has no room, before anything changes.
    /// A stop in between leaves members with their copies and the folder shared; the same call again ends it.
    pub fn unshare_with_copies(&self, actor: Actor, ns: NamespaceId) -> Result<()> {
        let rows = self.store().snapshot()?;
        let shared = owned(&*rows, actor.account, ns)?;
        let bytes = quota::subtree_bytes(&*rows, shared.root)?;
        let mut leavers = Vec::new();
        for (account, row) in keys::members(&*rows, ns)? {
            if account == shared.owner || !is_mounted(&*rows, row.mount)? {
                continue;
            }
            let leaver = read_account(&*rows, account)?.ok_or(Refusal::NotMember)?;
            let usage = self.space_used(account)?;
            let needed = usage.used.saturating_add(bytes.max(0) as u64);
            if usage.allocated.is_some_and(|allocated| needed > allocated) {
                return Err(Refusal::InsufficientSpace.into());
            }
            leavers.push(leaver);
        }
        for leaver in leavers {
            self.operate(leaver.actor(), |op| {
                owned(&*op.txn, actor.account, ns)?;
                op.keep_copy(ns)
            })?;
        }
        self.unshare(actor, ns)
    }
}

impl Op<'_> {
    /// Replaces the actor's Mount of a shared folder by a copy of what is in it; nothing where it is not mounted.
    fn keep_copy(&mut self, ns: NamespaceId) -> Result<()> {
        let row = keys::get_membership(&*self.txn, ns, self.actor.account)?;
        let row = row.ok_or(Refusal::NotMember)?;
        let Some(mount) = row.mount.map(|mount| self.reader().place(mount, None)) else {
            return Ok(());
        };
        let Some(mount) = mount? else { return Ok(()) };
        let folder = self.place(mount.node.parent.ok_or(Refusal::NotFound)?)?;
        drop_mount(self.txn, ns, self.actor.account, row)?;
        self.forget();
        let target = Target {
            folder,
            missing: Vec::new(),
            name: mount.node.name.clone(),
            existing: None,
        };
        self.copy_to(&mount.node, &target).map(drop)
    }
}

fn is_mounted(rows: &dyn Snapshot, mount: Option<super::FileId>) -> Result<bool> {
    mount.map_or(Ok(false), |mount| is_live(rows, mount))
}
