//! When a person goes: what it owned becomes another's, and the account is removed.
//!
//! The home namespace itself changes hands: it becomes a folder that the heir owns and has mounted, so that trash, versions and
//! journal stay and no file is rewritten, however many there are. Every step is a transaction of its own, and the same call
//! goes on where one broke off.

use super::account::{put_account, read_account, remove_account};
use super::grant::assign;
use super::ids::{AccountId, NamespaceId};
use super::keys::{self, Membership, NamespaceRow};
use super::member::{MAX_ACCESS, MAX_MEMBERS, expel};
use super::mount::{is_live, make_mount};
use super::node::{Node, Role};
use super::tree::edit;
use super::{
    Account, Meta, Refusal, link, namespace, opened, path, quota, searches, second_factor,
    token_rows,
};
use crate::error::Result;
use crate::keyspace::{CHILD, TOMBSTONE};
use crate::kv::{Snapshot, Transaction, prefix_end};

/// What [`Meta::hand_over`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOver {
    /// The folder in the heir's root; `None` when there were no files.
    pub folder: Option<String>,
    /// Bytes that count against the heir's quota now.
    pub bytes: u64,
    /// Shared folders that the heir owns now.
    pub shared_folders: usize,
}

impl Meta {
    /// Makes everything that a disabled account owns another's: its files become the folder `name` (or the next free name) in the
    /// heir's root, its shared folders have the heir as owner; it leaves all others. Refused as `NotSuspended`, `SameAccount`,
    /// `NotFound` when the heir does not exist or is disabled, `InsufficientSpace` before anything is done, `TooManyMembers`.
    pub fn hand_over(&self, from: AccountId, to: AccountId, name: &str) -> Result<HandedOver> {
        let name = path::clean_name(name)?;
        self.settle_all()?;
        let (leaver, heir) = parties(&*self.store().snapshot()?, from, to)?;
        let bytes = self.fits(&leaver, &heir)?;
        self.leave_groups(from)?;
        let mut shared_folders = 0;
        let memberships = keys::memberships(&*self.store().snapshot()?, from)?;
        for (ns, _) in memberships.into_iter().filter(|(_, row)| !row.home) {
            let passed = self.transact(|txn| self.pass_on(txn, ns, from, to))?;
            shared_folders += usize::from(passed);
        }
        let fresh = namespace::allocate(&**self.store())?;
        let folder = self.transact(|txn| self.pass_home(txn, from, to, &name, fresh))?;
        self.token_cache().forget(from);
        Ok(HandedOver {
            folder,
            bytes,
            shared_folders,
        })
    }

    /// Removes a disabled account that has nothing left, with its tokens, links and searches. Refused as `NotSuspended`, or
    /// `HasFiles` when it has files, deleted ones included, or owns a shared folder: see [`Meta::hand_over`].
    pub fn delete_account(&self, id: AccountId) -> Result<()> {
        self.removable(&*self.store().snapshot()?, id)?;
        self.leave_groups(id)?;
        self.transact(|txn| {
            let (account, home) = self.removable(&*txn, id)?;
            for (ns, row) in keys::memberships(&*txn, id)? {
                match row {
                    Membership { home: true, .. } => keys::delete_membership(txn, ns, id),
                    Membership {
                        role: Role::Owner, ..
                    } => return Err(Refusal::HasFiles.into()),
                    _ => expel(txn, ns, id)?,
                }
            }
            txn.delete(keys::node(home.root));
            txn.delete(keys::namespace(account.root));
            token_rows::forget(txn, id)?;
            link::forget(txn, id)?;
            searches::forget(txn, id);
            opened::forget(txn, id);
            second_factor::forget(txn, id);
            remove_account(txn, &account)
        })?;
        self.token_cache().forget(id);
        Ok(())
    }

    /// The account and its home, if it may be removed.
    fn removable(&self, rows: &dyn Snapshot, id: AccountId) -> Result<(Account, NamespaceRow)> {
        let account = read_account(rows, id)?.ok_or(Refusal::NotFound)?;
        if !account.disabled {
            return Err(Refusal::NotSuspended.into());
        }
        let home = keys::get_namespace(rows, account.root)?.ok_or(Refusal::NotFound)?;
        if holds_anything(rows, &home)? {
            return Err(Refusal::HasFiles.into());
        }
        Ok((account, home))
    }

    /// The bytes that change hands, if the heir has room for them.
    fn fits(&self, leaver: &Account, heir: &Account) -> Result<u64> {
        let bytes = self.space_used(leaver.id)?.used;
        let room = self.space_used(heir.id)?;
        let free = room
            .allocated
            .map(|allocated| allocated.saturating_sub(room.used));
        if free.is_some_and(|free| free < bytes) {
            return Err(Refusal::InsufficientSpace.into());
        }
        Ok(bytes)
    }

    /// One shared folder: the heir owns it in the leaver's place, or the leaver just leaves. Returns whether it was owned.
    fn pass_on(
        &self,
        txn: &mut dyn Transaction,
        ns: NamespaceId,
        from: AccountId,
        to: AccountId,
    ) -> Result<bool> {
        if keys::get_membership(&*txn, ns, from)?.is_none() {
            return Ok(false);
        }
        let shared = keys::get_namespace(&*txn, ns)?.ok_or(Refusal::NotFound)?;
        if shared.owner != from {
            expel(txn, ns, from)?;
            return Ok(false);
        }
        let (_, heir) = parties(&*txn, from, to)?;
        let own = match keys::get_membership(&*txn, ns, to)? {
            Some(own) => own,
            None => self.new_owner(&*txn, ns, to)?,
        };
        keys::put_membership(txn, ns, to, &own)?;
        assign(txn, self.env(), ns, to, Role::Owner)?;
        expel(txn, ns, from)?;
        self.charge_heir(txn, &shared, from, to)?;
        let shared = NamespaceRow {
            owner: to,
            team: heir.team,
            ..shared
        };
        keys::put_namespace(txn, ns, &shared)?;
        let own = keys::get_membership(&*txn, ns, to)?.ok_or(Refusal::NotMember)?;
        let is_mounted = own.mount.map_or(Ok(false), |mount| is_live(&*txn, mount))?;
        if !is_mounted {
            let own = Membership { mount: None, ..own };
            make_mount(txn, self.env(), &heir, ns, &shared, own)?;
        }
        Ok(true)
    }

    /// The leaver's home becomes a folder of the heir's, and the leaver has an empty one. Returns the folder's name.
    fn pass_home(
        &self,
        txn: &mut dyn Transaction,
        from: AccountId,
        to: AccountId,
        name: &str,
        fresh: NamespaceId,
    ) -> Result<Option<String>> {
        let (leaver, heir) = parties(&*txn, from, to)?;
        let (ns, home) = (leaver.root, keys::get_namespace(&*txn, leaver.root)?);
        let home = home.ok_or(Refusal::NotFound)?;
        if !holds_anything(&*txn, &home)? {
            return Ok(None);
        }
        let own = self.new_owner(&*txn, ns, to)?;
        self.charge_heir(txn, &home, from, to)?;
        let root = keys::get_node(&*txn, home.root)?.ok_or(Refusal::NotFound)?;
        let name = name.to_owned();
        keys::put_node(txn, &Node { name, ..root })?;
        let shared = NamespaceRow {
            owner: to,
            team: heir.team,
            home: false,
            ..home
        };
        keys::put_namespace(txn, ns, &shared)?;
        keys::delete_membership(txn, ns, from);
        let mount = make_mount(txn, self.env(), &heir, ns, &shared, own)?;
        edit::make_home(txn, self.env(), fresh, from, leaver.team)?;
        put_account(
            txn,
            &Account {
                root: fresh,
                ..leaver
            },
        )?;
        Ok(keys::get_node(&*txn, mount)?.map(|mount| mount.name))
    }

    /// The membership of an owner who was no member; `TooManyMembers` over a limit.
    fn new_owner(&self, rows: &dyn Snapshot, ns: NamespaceId, to: AccountId) -> Result<Membership> {
        let is_full = keys::members(rows, ns)?.len() > MAX_MEMBERS;
        if is_full || keys::memberships(rows, to)?.len() >= MAX_ACCESS {
            return Err(Refusal::TooManyMembers.into());
        }
        Ok(Membership {
            role: Role::Owner,
            mount: None,
            home: false,
            joined_ms: self.now_ms(),
        })
    }

    fn charge_heir(
        &self,
        txn: &mut dyn Transaction,
        of: &NamespaceRow,
        from: AccountId,
        to: AccountId,
    ) -> Result<()> {
        let bytes = quota::subtree_bytes(&*txn, of.root)?;
        quota::charge(txn, from, -bytes)?;
        quota::charge(txn, to, bytes)
    }
}

/// Both accounts, if the one may hand over to the other.
fn parties(rows: &dyn Snapshot, from: AccountId, to: AccountId) -> Result<(Account, Account)> {
    let leaver = read_account(rows, from)?.ok_or(Refusal::NotFound)?;
    if from == to {
        return Err(Refusal::SameAccount.into());
    }
    if !leaver.disabled {
        return Err(Refusal::NotSuspended.into());
    }
    let heir = read_account(rows, to)?.filter(|heir| !heir.disabled);
    Ok((leaver, heir.ok_or(Refusal::NotFound)?))
}

/// Whether anything lies in the namespace, deleted or not.
fn holds_anything(rows: &dyn Snapshot, ns: &NamespaceRow) -> Result<bool> {
    for table in [CHILD, TOMBSTONE] {
        let start = keys::key(table, &[&ns.root.0.to_be_bytes()]);
        if !rows
            .range(&start, &prefix_end(&start), false, 1)?
            .is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
