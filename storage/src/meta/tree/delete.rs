//! Deleting: a name becomes a tombstone. Rows below a folder stay, dead because it is.

use super::edit;
use super::op::{Op, writable};
use crate::error::Result;
use crate::journal::{Arrival, Change};
use crate::kv::prefix_end;
use crate::meta::ids::{FileId, Rev};
use crate::meta::keys;
use crate::meta::mount::{ancestors, drop_mount};
use crate::meta::node::{Actor, Deletion, Node, NodeKind, Place};
use crate::meta::path::{Address, fold};
use crate::meta::refusal::Refusal;
use crate::meta::{Meta, quota};
use crate::row;

impl Meta {
    /// Deletes a node and all below it, into the trash; a Mount is unmounted (also one below a deleted folder), and its
    /// namespace is untouched. Returns the place as it was. With `parent_rev` only a file with that head.
    pub fn delete(&self, actor: Actor, at: &Address, parent_rev: Option<Rev>) -> Result<Place> {
        let place = self.operate(actor, |op| {
            let place = op.resolve(at)?;
            op.check_rev(&place.node, parent_rev)?;
            op.delete(&place)?;
            Ok(place)
        })?;
        if place.node.kind == NodeKind::Folder {
            self.settle(place.node.id)?;
        }
        Ok(place)
    }
}

impl Op<'_> {
    fn check_rev(&self, node: &Node, rev: Option<Rev>) -> Result<()> {
        match (rev, node.head()) {
            (None, _) => Ok(()),
            (Some(rev), Some(head)) if head.rev == rev => Ok(()),
            (Some(_), Some(_)) => Err(Refusal::InvalidParentRev.into()),
            (Some(_), None) => Err(Refusal::NotFile.into()),
        }
    }

    pub(crate) fn delete(&mut self, place: &Place) -> Result<()> {
        match &place.node.kind {
            NodeKind::Root { .. } => Err(Refusal::CantMoveRoot.into()),
            NodeKind::Mount { ns } => {
                let row = keys::get_membership(&*self.txn, *ns, self.actor.account)?;
                drop_mount(
                    self.txn,
                    *ns,
                    self.actor.account,
                    row.ok_or(Refusal::NotFound)?,
                )?;
                Ok(())
            }
            NodeKind::Folder => {
                writable(place)?;
                for mount in self.mounts_below(place.node.id)? {
                    self.unmount(mount)?;
                }
                let (owner, stamp) = (self.namespace(place.ns)?.owner, self.meta.env.random.u64());
                quota::owe(self.txn, &place.node, stamp, owner);
                self.bury(place)
            }
            NodeKind::File(head) => {
                writable(place)?;
                let owner = self.namespace(place.ns)?.owner;
                quota::charge(self.txn, owner, -quota::bytes(head.size))?;
                self.bury(place)
            }
        }
    }

    /// The child's row becomes a tombstone.
    fn bury(&mut self, place: &Place) -> Result<()> {
        let mut node = place.node.clone();
        let Some(parent) = node.parent else {
            return Err(Refusal::CantMoveRoot.into());
        };
        let folded = fold(&node.name);
        let at_ms = self.deletion_ms(parent, &folded)?;
        edit::unlink_child(self.txn, &node);
        self.txn.put(
            keys::tombstone(parent, &folded, at_ms, node.id),
            Vec::new().into(),
        );
        self.txn
            .put(keys::expiry(at_ms, node.id, Rev(0)), Vec::new().into());
        node.deleted = Some(Deletion {
            at_ms,
            by: self.actor.account,
        });
        keys::put_node(self.txn, &node)?;
        let name = node.name;
        self.journal(
            place.ns,
            &Change::Gone {
                file: node.id,
                parent,
                name,
            },
            Arrival::None,
        )
    }

    /// Now, or a millisecond after the newest deletion of the name.
    fn deletion_ms(&self, parent: FileId, folded: &str) -> Result<i64> {
        let prefix = keys::tombstones_of(parent, folded);
        let newest = self.txn.range(&prefix, &prefix_end(&prefix), false, 1)?;
        let newest_ms = match newest.first() {
            Some((key, _)) => !row::u64_at("tombstone", key, prefix.len())? as i64,
            None => i64::MIN,
        };
        Ok(self.now_ms.max(newest_ms.saturating_add(1)))
    }

    /// The actor's namespaces that are mounted below a folder.
    pub(super) fn mounts_below(&self, folder: FileId) -> Result<Vec<crate::meta::NamespaceId>> {
        let mut below = Vec::new();
        for (ns, member) in keys::memberships(&*self.txn, self.actor.account)? {
            let Some(mount) = member.mount else { continue };
            if ancestors(&*self.txn, mount)?
                .iter()
                .any(|node| node.id == folder)
            {
                below.push(ns);
            }
        }
        Ok(below)
    }

    fn unmount(&mut self, ns: crate::meta::NamespaceId) -> Result<()> {
        let row = keys::get_membership(&*self.txn, ns, self.actor.account)?;
        let row = row.ok_or(Refusal::NotFound)?;
        drop_mount(self.txn, ns, self.actor.account, row).map(drop)
    }
}
