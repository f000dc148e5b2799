//! Nodes, children, tombstones, versions, references.

use super::Checker;
use crate::block::Owner;
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::keyspace;
use crate::meta::Blocks;
use crate::meta::ids::{FileId, Rev};
use crate::meta::keys::{self, Child, ChildKind, PastVersion};
use crate::meta::node::{Node, NodeKind, Version};
use crate::meta::path::fold;
use crate::row;

impl Checker<'_> {
    pub(super) fn tree(&mut self) -> Result<()> {
        self.each(keyspace::NODE, &mut |checker, key, value| {
            let node: Node = row::decode("node", value)?;
            if keys::node(node.id) != key {
                checker.problem(format!("{} lies under another node's key", node.id));
            }
            checker.node(&node)
        })?;
        self.each(keyspace::CHILD, &mut |checker, key, value| {
            checker.child(key, value)
        })?;
        self.each(keyspace::TOMBSTONE, &mut |checker, key, _| {
            checker.tombstone(key)
        })?;
        self.each(keyspace::VERSION, &mut |checker, key, value| {
            checker.version(key, value)
        })?;
        self.each(keyspace::REFERENCE, &mut |checker, key, _| {
            checker.reference(key)
        })
    }

    fn node(&mut self, node: &Node) -> Result<()> {
        let name = format!("{} {:?}", node.id, node.name);
        match (&node.kind, node.parent) {
            (NodeKind::Root { ns }, None) => {
                let row = keys::get_namespace(self.rows, *ns)?;
                if row.is_none_or(|row| row.root != node.id) {
                    self.problem(format!("{name} is not the root of its namespace {ns}"));
                }
                return Ok(());
            }
            (_, None) => self.problem(format!("{name} has no parent")),
            (NodeKind::Root { ns }, Some(_)) => {
                self.problem(format!("{name} is the root of {ns} and has a parent"));
            }
            (_, Some(parent)) => self.linked(node, parent, &name)?,
        }
        if let Some(head) = node.head() {
            self.content(node.id, head, &name)?;
        }
        Ok(())
    }

    /// A live node has a child's row, a deleted one waits for purge.
    fn linked(&mut self, node: &Node, parent: FileId, name: &str) -> Result<()> {
        match keys::get_node(self.rows, parent)? {
            None => self.problem(format!("{name}: its parent {parent} does not exist")),
            Some(above) if above.is_file() => {
                self.problem(format!("{name}: its parent {parent} is a file"));
            }
            Some(_) => {}
        }
        match node.deleted {
            None => {
                let child = keys::get_child(self.rows, parent, &fold(&node.name))?;
                if child
                    != Some(Child {
                        id: node.id,
                        kind: child_kind(node),
                    })
                {
                    self.problem(format!("{name}: its row below {parent} says {child:?}"));
                }
            }
            Some(deletion) => {
                let expiry = keys::expiry(deletion.at_ms, node.id, Rev(0));
                if self.rows.get(&expiry)?.is_none() {
                    self.problem(format!("{name} is deleted, but purge will not see it"));
                }
            }
        }
        Ok(())
    }

    fn child(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let child = Child::decode(value)?;
        let parent = FileId(row::u64_at("child key", key, 1)?);
        let node = keys::get_node(self.rows, child.id)?;
        let agrees = node.is_some_and(|node| {
            let there = keys::child(parent, &fold(&node.name)) == key;
            there && node.parent == Some(parent) && node.deleted.is_none()
        });
        if !agrees {
            let name = String::from_utf8_lossy(key.get(9..).unwrap_or_default());
            self.problem(format!(
                "{name:?} in {parent} leads to {}, which is not there",
                child.id
            ));
        }
        Ok(())
    }

    fn tombstone(&mut self, key: &[u8]) -> Result<()> {
        let file = FileId(row::u64_at(
            "tombstone key",
            key,
            key.len().saturating_sub(8),
        )?);
        let agrees = keys::get_node(self.rows, file)?.is_some_and(|node| {
            node.parent
                .zip(node.deleted)
                .is_some_and(|(parent, deletion)| {
                    keys::tombstone(parent, &fold(&node.name), deletion.at_ms, file) == key
                })
        });
        if !agrees {
            self.problem(format!(
                "a tombstone leads to {file}, which was not deleted there"
            ));
        }
        Ok(())
    }

    fn version(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let file = FileId(row::u64_at("version key", key, 1)?);
        let past: PastVersion = row::decode("version", value)?;
        let name = format!("{file} version {}", past.version.rev);
        let head = keys::get_node(self.rows, file)?.and_then(|node| node.head().map(|h| h.rev));
        if head.is_none_or(|head| head <= past.version.rev) {
            self.problem(format!("{name}: the head is {head:?}"));
        }
        let expiry = keys::expiry(past.superseded_ms, file, past.version.rev);
        if self.rows.get(&expiry)?.is_none() {
            self.problem(format!("{name}: purge will not see it"));
        }
        self.content(file, &past.version, &name)
    }

    /// I1: every block is in the index; I7: and has the version's reference.
    fn content(&mut self, file: FileId, version: &Version, name: &str) -> Result<()> {
        if self.blocks == Blocks::Trusted {
            return Ok(());
        }
        let owner = Owner::version(file, version.rev);
        for hash in &version.blocks {
            if self
                .rows
                .get(&keys::key(keyspace::BLOCK, &[&hash.0]))?
                .is_none()
            {
                self.problem(format!("{name}: block {hash} is not in the index"));
            }
            let reference = keys::key(keyspace::REFERENCE, &[&hash.0, owner.as_bytes()]);
            if self.rows.get(&reference)?.is_none() {
                self.problem(format!("{name}: block {hash} has no reference of it"));
            }
        }
        Ok(())
    }

    /// A version's reference has its version.
    fn reference(&mut self, key: &[u8]) -> Result<()> {
        let Some(b'v') = key.get(33) else {
            return Ok(());
        };
        let file = FileId(row::u64_at("reference", key, 34)?);
        let rev = Rev(row::u64_at("reference", key, 42)?);
        let head = keys::get_node(self.rows, file)?.and_then(|node| node.head().map(|h| h.rev));
        if head != Some(rev) && self.rows.get(&keys::version(file, rev))?.is_none() {
            let hash = key
                .get(1..33)
                .and_then(|hash| hash.try_into().ok())
                .map(BlockHash);
            self.problem(format!(
                "block {hash:?} is referred to by {file} {rev}, which is not there"
            ));
        }
        Ok(())
    }
}

fn child_kind(node: &Node) -> ChildKind {
    match node.kind {
        NodeKind::File(_) => ChildKind::File,
        NodeKind::Mount { .. } => ChildKind::Mount,
        NodeKind::Folder | NodeKind::Root { .. } => ChildKind::Folder,
    }
}
