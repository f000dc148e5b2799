//! The steps that tree operations and sharing are made of. All run inside a transaction.

use crate::error::Result;
use crate::kv::{Snapshot, Transaction};
use crate::meta::env::Env;
use crate::meta::ids::{AccountId, FileId, NamespaceId, TeamId};
use crate::meta::keys::{self, Child, ChildKind, Membership, NamespaceRow};
use crate::meta::node::{Node, NodeKind, Role};
use crate::meta::path::{fold, renamed};
use crate::meta::refusal::{ConflictKind, Refusal};
use crate::slots;

/// How many other names an autorename tries.
const RENAMES: u32 = 1000;

/// A file id in a slot that no node has.
pub(crate) fn fresh_file(rows: &dyn Snapshot, env: &Env, slot: u16) -> Result<FileId> {
    loop {
        let id = slots::file_in(slot, env.random.u64());
        if id.0 != 0 && rows.get(&keys::node(id))?.is_none() {
            return Ok(id);
        }
    }
}

/// Writes a node and its row below its parent (a Root has none).
pub(crate) fn insert_node(txn: &mut dyn Transaction, node: &Node) -> Result<()> {
    keys::put_node(txn, node)?;
    link_child(txn, node);
    Ok(())
}

/// Writes the row below the node's parent.
pub(crate) fn link_child(txn: &mut dyn Transaction, node: &Node) {
    let kind = match node.kind {
        NodeKind::File(_) => ChildKind::File,
        NodeKind::Folder => ChildKind::Folder,
        NodeKind::Mount { .. } => ChildKind::Mount,
        NodeKind::Root { .. } => return,
    };
    if let Some(parent) = node.parent {
        txn.put(
            keys::child(parent, &fold(&node.name)),
            Child { id: node.id, kind }.encode().into(),
        );
    }
}

/// Removes the row below the node's parent.
pub(crate) fn unlink_child(txn: &mut dyn Transaction, node: &Node) {
    if let Some(parent) = node.parent {
        txn.delete(keys::child(parent, &fold(&node.name)));
    }
}

/// `name`, or the first of `name (1)`, `name (2)` … that is free in `parent`.
pub(crate) fn free_name(rows: &dyn Snapshot, parent: FileId, name: &str) -> Result<String> {
    free_name_by(rows, parent, name, &|n| n.to_string())
}

/// The same, with the text in parentheses made by `tag`.
pub(crate) fn free_name_by(
    rows: &dyn Snapshot,
    parent: FileId,
    name: &str,
    tag: &dyn Fn(u32) -> String,
) -> Result<String> {
    let names =
        std::iter::once(name.to_owned()).chain((1..=RENAMES).map(|n| renamed(name, &tag(n))));
    for candidate in names {
        if keys::get_child(rows, parent, &fold(&candidate))?.is_none() {
            return Ok(candidate);
        }
    }
    Err(Refusal::Conflict(ConflictKind::File).into())
}

/// Makes an account's own root namespace: Root node, namespace row, membership. Returns the root node's id.
pub fn make_home(
    txn: &mut dyn Transaction,
    env: &Env,
    ns: NamespaceId,
    owner: AccountId,
    team: Option<TeamId>,
) -> Result<FileId> {
    let now = env.clock.now_ms();
    let root = fresh_file(&*txn, env, slots::of_namespace(ns))?;
    let kind = NodeKind::Root { ns };
    let node = Node {
        id: root,
        parent: None,
        name: String::new(),
        kind,
        deleted: None,
        created_ms: now,
    };
    keys::put_node(txn, &node)?;
    keys::put_namespace(
        txn,
        ns,
        &NamespaceRow {
            root,
            owner,
            team,
            home: true,
            policy: None,
            created_ms: now,
        },
    )?;
    let membership = Membership {
        role: Role::Owner,
        mount: None,
        home: true,
        joined_ms: now,
    };
    keys::put_membership(txn, ns, owner, &membership)?;
    Ok(root)
}
