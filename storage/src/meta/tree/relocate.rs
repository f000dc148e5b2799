//! Moves and renames: one node's row changes, whatever lies below it.

use super::edit;
use super::op::{DEPTH, Op, Target, conflict, job, scope, too_deep};
use crate::error::Result;
use crate::extraction;
use crate::journal::{Arrival, Change};
use crate::kv::Snapshot;
use crate::meta::ids::{FileId, NamespaceId};
use crate::meta::keys;
use crate::meta::mount::ancestors;
use crate::meta::node::{Actor, Node, NodeKind, Place, WriteMode};
use crate::meta::path::{Address, extension};
use crate::meta::refusal::Refusal;
use crate::meta::{Meta, quota};

/// Most nodes that change hands in one transaction.
pub(super) const MAX_NODES: usize = 10_000;

impl Meta {
    /// Moves or renames, also across namespaces; a rename of the case only is done. What moves into another owner's
    /// namespace counts against that owner, and then is at most 10,000 nodes ([`Refusal::TooManyFiles`]).
    pub fn relocate(
        &self,
        actor: Actor,
        from: &Address,
        to: &Address,
        autorename: bool,
    ) -> Result<Place> {
        self.operate(actor, |op| {
            let from = op.resolve(from)?;
            if matches!(from.node.kind, NodeKind::Root { .. }) {
                return Err(Refusal::CantMoveRoot.into());
            }
            let mut target = op.target(to)?;
            let existing = target.existing.as_ref().map(|place| place.node.id);
            if existing == Some(from.node.id) {
                return op.recase(&from, &target.name);
            }
            op.check_move(&from, &target)?;
            if let Some(existing) = &target.existing {
                if !autorename {
                    return Err(conflict(&existing.node).into());
                }
                target.name = op.other_name(&target, WriteMode::Add)?;
            }
            op.move_to(from, &target)
        })
    }
}

impl Op<'_> {
    /// The same name in another case.
    fn recase(&mut self, from: &Place, name: &str) -> Result<Place> {
        if from.node.name == name {
            return Err(Refusal::DuplicatedOrNestedPaths.into());
        }
        if from.shared_folder.is_none() && !from.role.can_write() {
            return Err(Refusal::NoWritePermission.into());
        }
        keys::put_node(
            self.txn,
            &Node {
                name: name.to_owned(),
                ..from.node.clone()
            },
        )?;
        let change = Change::Upsert { file: from.node.id };
        self.journal(from.ns, &change, Arrival::None)?;
        self.forget();
        self.place(from.node.id)
    }

    fn check_move(&self, from: &Place, target: &Target) -> Result<()> {
        let (file, ns) = (from.node.id, target.ns());
        let is_mount = matches!(from.node.kind, NodeKind::Mount { .. });
        if self.leads_through(target, from)? {
            return Err(Refusal::CantMoveFolderIntoItself.into());
        }
        if !is_mount && !from.role.can_write() {
            return Err(Refusal::NoWritePermission.into());
        }
        let leaves = ns != from.ns && !from.node.is_file();
        if leaves && (is_mount || !self.mounts_below(file)?.is_empty()) {
            return Err(Refusal::CantMoveSharedFolder.into());
        }
        self.check_depth(&from.node, target)
    }

    /// Refuses a folder's move to where its own folders would lie too deep: every reader looks at all folders above a node.
    /// They are counted outside the transaction, so that uploads into them go on; what they gain meanwhile is within what
    /// readers bear.
    fn check_depth(&self, from: &Node, target: &Target) -> Result<()> {
        let depth = self.depth_at(target)?;
        if from.is_file() || depth <= ancestors(&*self.txn, from.id)?.len() {
            return Ok(());
        }
        if depth + height(&*self.meta.store().snapshot()?, from.id)? > DEPTH {
            return Err(too_deep().into());
        }
        Ok(())
    }

    /// True when the target lies below `from`, through Mounts as well.
    fn leads_through(&self, target: &Target, from: &Place) -> Result<bool> {
        if from.node.is_file() {
            return Ok(false);
        }
        let mut next = Some(target.folder.node.id);
        while let Some(file) = next.take() {
            let above = ancestors(&*self.txn, file)?;
            if above.iter().any(|node| node.id == from.node.id) {
                return Ok(true);
            }
            if let Some(NodeKind::Root { ns }) = above.last().map(|top| &top.kind) {
                next = self
                    .reader()
                    .joined(*ns)?
                    .and_then(|joined| joined.member.mount);
            }
        }
        Ok(false)
    }

    fn move_to(&mut self, from: Place, target: &Target) -> Result<Place> {
        let folder = self.make_folders(target)?;
        let parent = self.reader().inside(&folder)?.ok_or(Refusal::NotFolder)?;
        let Some(old_parent) = from.node.parent else {
            return Err(Refusal::CantMoveRoot.into());
        };
        if from.ns != target.ns() {
            self.change_hands(&from, target.ns())?;
        }
        self.change_extension(&from.node, target)?;
        edit::unlink_child(self.txn, &from.node);
        let gone = Change::Gone {
            file: from.node.id,
            parent: old_parent,
            name: from.node.name.clone(),
        };
        let node = Node {
            parent: Some(parent),
            name: target.name.clone(),
            ..from.node
        };
        edit::insert_node(self.txn, &node)?;
        self.journal(from.ns, &gone, Arrival::None)?;
        let file = node.id;
        let change = match node.is_file() {
            true => Change::Upsert { file },
            false => Change::Appeared { file },
        };
        let arrival = match from.ns == target.ns() {
            true => Arrival::Moved,
            false => Arrival::Foreign,
        };
        self.journal(target.ns(), &change, arrival)?;
        self.forget();
        self.place(file)
    }

    /// Quota and extraction results follow what moves to another owner.
    fn change_hands(&mut self, from: &Place, to: NamespaceId) -> Result<()> {
        let (old, new) = (self.namespace(from.ns)?, self.namespace(to)?);
        if old.owner == new.owner && scope(&old) == scope(&new) {
            return Ok(());
        }
        let nodes = self.reader().subtree(&from.node, MAX_NODES)?;
        let bytes: i64 = nodes
            .iter()
            .filter_map(|(node, _)| node.head())
            .map(|head| quota::bytes(head.size))
            .sum();
        if old.owner != new.owner {
            quota::charge(self.txn, old.owner, -bytes)?;
            quota::charge(self.txn, new.owner, bytes)?;
        }
        if scope(&old) != scope(&new) {
            for (node, _) in &nodes {
                let Some(head) = node.head() else { continue };
                let job = job(to, &new, node.id, &node.name, head);
                extraction::adopt(self.txn, scope(&old), &job)?;
            }
        }
        Ok(())
    }
}

impl Op<'_> {
    /// What is read of a content depends on its name's extension: it is read anew, and what is known is searched until then.
    fn change_extension(&mut self, node: &Node, target: &Target) -> Result<()> {
        let before = extension(&node.name);
        let Some(head) = node.head().filter(|_| before != extension(&target.name)) else {
            return Ok(());
        };
        let ns = target.ns();
        let job = job(ns, &self.namespace(ns)?, node.id, &target.name, head);
        extraction::rename(self.txn, &before, &job)
    }
}

/// How many folders lie below each other in a folder; looks no deeper than [`DEPTH`].
fn height(rows: &dyn Snapshot, top: FileId) -> Result<usize> {
    let (mut level, mut height) = (vec![top], 0);
    while !level.is_empty() && height <= DEPTH {
        let mut below = Vec::new();
        for folder in level {
            let prefix = keys::child(folder, "");
            rows.scan(&prefix, &crate::kv::prefix_end(&prefix), &mut |_, value| {
                let child = keys::Child::decode(value)?;
                below.extend((child.kind == keys::ChildKind::Folder).then_some(child.id));
                Ok(true)
            })?;
        }
        height += usize::from(!below.is_empty());
        level = below;
    }
    Ok(height)
}

/// Where in a list of nodes the parent of a node stands; `None` for the first.
pub(crate) type Above = Option<usize>;

impl crate::meta::place::Reader<'_> {
    /// A node and all that its rows say lies below it, dead or alive, parents first, each with where its parent stands in
    /// the list; through Mounts that the account may read. More than `limit`: [`Refusal::TooManyFiles`].
    pub(crate) fn subtree(&self, top: &Node, limit: usize) -> Result<Vec<(Node, Above)>> {
        let mut nodes = vec![(top.clone(), None)];
        let mut next = 0;
        while let Some((node, _)) = nodes.get(next) {
            for child in self.child_ids(node, limit)? {
                if nodes.len() >= limit {
                    return Err(Refusal::TooManyFiles.into());
                }
                nodes.extend(keys::get_node(self.rows, child)?.map(|node| (node, Some(next))));
            }
            next += 1;
        }
        Ok(nodes)
    }

    fn child_ids(&self, node: &Node, limit: usize) -> Result<Vec<FileId>> {
        let folder = match node.kind {
            NodeKind::File(_) => return Ok(Vec::new()),
            NodeKind::Folder | NodeKind::Root { .. } => node.id,
            NodeKind::Mount { ns } => match self.joined(ns)? {
                Some(joined) => joined.row.root,
                None => return Ok(Vec::new()),
            },
        };
        let prefix = keys::child(folder, "");
        let rows = self
            .rows
            .range(&prefix, &crate::kv::prefix_end(&prefix), false, limit + 1)?;
        rows.iter()
            .map(|(_, value)| Ok(keys::Child::decode(value)?.id))
            .collect()
    }
}
