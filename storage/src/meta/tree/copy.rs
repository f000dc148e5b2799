//! Copies: new nodes on the same blocks.

use super::edit;
use super::op::{DEPTH, Op, Target, conflict, too_deep};
use super::relocate::{Above, MAX_NODES};
use crate::error::Result;
use crate::journal::{Arrival, Change};
use crate::meta::node::{Actor, Node, NodeKind, Place, Version, WriteMode};
use crate::meta::path::Address;
use crate::meta::{Meta, quota};

impl Meta {
    /// Copies a file's head, or a folder with heads only (what lies in mounted folders too), at most 10,000 nodes
    /// ([`crate::meta::Refusal::TooManyFiles`]). No bytes move.
    pub fn copy(
        &self,
        actor: Actor,
        from: &Address,
        to: &Address,
        autorename: bool,
    ) -> Result<Place> {
        self.operate(actor, |op| {
            let from = op.resolve(from)?;
            let mut target = op.target(to)?;
            if let Some(existing) = &target.existing {
                if !autorename {
                    return Err(conflict(&existing.node).into());
                }
                target.name = op.other_name(&target, WriteMode::Add)?;
            }
            op.copy_to(&from.node, &target)
        })
    }
}

impl Op<'_> {
    /// Copies a node, dead or alive, to a target where nothing is.
    pub(crate) fn copy_to(&mut self, from: &Node, target: &Target) -> Result<Place> {
        let nodes = self.reader().subtree(from, MAX_NODES)?;
        if self.depth_at(target)? + height(&nodes) > DEPTH {
            return Err(too_deep().into());
        }
        let row = self.namespace(target.ns())?;
        let bytes = nodes
            .iter()
            .filter_map(|(node, _)| node.head())
            .map(|h| quota::bytes(h.size))
            .sum();
        quota::charge(self.txn, row.owner, bytes)?;
        let folder = self.make_folders(target)?;
        let mut copies: Vec<Node> = Vec::with_capacity(nodes.len());
        for (node, above) in &nodes {
            let copy = self.copy_of(node, above, &copies, &folder, &target.name)?;
            if let NodeKind::File(version) = &copy.kind {
                self.attach(target.ns(), &row, copy.id, &copy.name, version)?;
            }
            edit::insert_node(self.txn, &copy)?;
            copies.push(copy);
        }
        let file = copies.first().ok_or(crate::meta::Refusal::NotFound)?.id;
        let change = match from.is_file() {
            true => Change::Upsert { file },
            false => Change::Appeared { file },
        };
        self.journal(target.ns(), &change, Arrival::New)?;
        self.forget();
        self.place(file)
    }

    fn copy_of(
        &mut self,
        node: &Node,
        above: &Above,
        copies: &[Node],
        folder: &Place,
        name: &str,
    ) -> Result<Node> {
        let kind = match &node.kind {
            NodeKind::File(head) => NodeKind::File(Version {
                rev: self.next_rev(None),
                server_modified_ms: self.now_ms,
                author: self.actor.account,
                ..head.clone()
            }),
            _ => NodeKind::Folder,
        };
        let name = if above.is_some() { &node.name } else { name };
        let copy = self.new_node(folder, name, kind)?;
        let parent = above
            .and_then(|above| copies.get(above))
            .map(|parent| parent.id);
        Ok(Node {
            parent: parent.or(copy.parent),
            ..copy
        })
    }
}

/// How many folders lie below each other in the first of the nodes, which come parents first.
fn height(nodes: &[(Node, Above)]) -> usize {
    let mut depths: Vec<usize> = Vec::with_capacity(nodes.len());
    for (node, above) in nodes {
        let depth = above.and_then(|above| depths.get(above)).copied();
        depths.push(depth.map_or(0, |depth| depth + usize::from(!node.is_file())));
    }
    depths.into_iter().max().unwrap_or(0)
}
