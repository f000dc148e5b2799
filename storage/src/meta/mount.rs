//! Mounts: the nodes that stand in a member's tree for a shared folder.

use super::account::{Account, read_account};
use super::env::Env;
use super::ids::{AccountId, FileId, NamespaceId};
use super::keys::{self, Membership, NamespaceRow};
use super::member::member_of;
use super::node::{Actor, Node, NodeKind};
use super::path::fold;
use super::place::MAX_DEPTH;
use super::tree::edit;
use super::{Meta, Refusal};
use crate::error::{Error, Result};
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction};
use crate::slots;

impl Meta {
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

    /// The account's mount generation: what a list cursor is bound to.
    pub fn mount_generation(&self, account: AccountId) -> Result<u64> {
        let counter = self.store().counter(&keys::mount_generation(account))?;
        Ok(counter.unsigned_abs())
    }
}

/// Puts a Mount of `ns` into the account's root under a free name; returns it. `row` is the membership, not mounted.
pub(super) fn make_mount(
    txn: &mut dyn Transaction,
    env: &Env,
    account: &Account,
    ns: NamespaceId,
    shared: &NamespaceRow,
    row: Membership,
) -> Result<FileId> {
    let home = keys::get_namespace(&*txn, account.root)?.ok_or(Refusal::NotFound)?;
    let top = keys::get_node(&*txn, shared.root)?.ok_or(Refusal::NotFound)?;
    let mount = Node {
        id: edit::fresh_file(&*txn, env, slots::of_file(home.root))?,
        parent: Some(home.root),
        name: edit::free_name(&*txn, home.root, &top.name)?,
        kind: NodeKind::Mount { ns },
        deleted: None,
        created_ms: env.clock.now_ms(),
    };
    edit::insert_node(txn, &mount)?;
    keys::put_membership(
        txn,
        ns,
        account.id,
        &Membership {
            mount: Some(mount.id),
            ..row
        },
    )?;
    journal::append(txn, account.root, &Change::Appeared { file: mount.id })?;
    Ok(mount.id)
}

/// Takes the account's Mount of `ns` away, wherever it was moved to; returns the membership as it is then.
pub(crate) fn drop_mount(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    account: AccountId,
    row: Membership,
) -> Result<Membership> {
    let Some(id) = row.mount else { return Ok(row) };
    let row = Membership { mount: None, ..row };
    keys::put_membership(txn, ns, account, &row)?;
    let above = ancestors(&*txn, id)?;
    let Some(mount) = above.first() else {
        return Ok(row);
    };
    let Some(parent) = mount.parent else {
        return Ok(row);
    };
    let child = keys::get_child(&*txn, parent, &fold(&mount.name))?;
    if child.is_some_and(|child| child.id == id) {
        edit::unlink_child(txn, mount);
    }
    txn.delete(keys::node(id));
    if let Some(NodeKind::Root { ns: home }) = above.last().map(|top| &top.kind) {
        let gone = Change::Gone {
            file: id,
            parent,
            name: mount.name.clone(),
        };
        journal::append(txn, *home, &gone)?;
    }
    Ok(row)
}

/// The node and all above it, up to its namespace's Root (or to where purge has cut the chain of a dead node); empty when there
/// is no such node. In a transaction all of them are in the read set.
pub(super) fn ancestors(rows: &dyn Snapshot, id: FileId) -> Result<Vec<Node>> {
    let mut above = Vec::new();
    let mut next = keys::get_node(rows, id)?;
    while let Some(node) = next {
        if above.len() > MAX_DEPTH {
            return Err(Error::Corrupt {
                what: format!("tree above {id}"),
                detail: "no end".into(),
            });
        }
        next = node
            .parent
            .map_or(Ok(None), |parent| keys::get_node(rows, parent))?;
        above.push(node);
    }
    Ok(above)
}

/// True when the node and all above it live.
pub(super) fn is_live(rows: &dyn Snapshot, id: FileId) -> Result<bool> {
    let above = ancestors(rows, id)?;
    let has_root = above
        .last()
        .is_some_and(|top| matches!(top.kind, NodeKind::Root { .. }));
    Ok(has_root && above.iter().all(|node| node.deleted.is_none()))
}
