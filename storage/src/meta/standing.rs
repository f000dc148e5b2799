//! Where nodes stand, whoever may see them: what the indexer makes its documents agree with.

use std::collections::HashMap;

use super::Meta;
use super::ids::{FileId, NamespaceId};
use super::keys;
use super::node::{Node, NodeKind, Version};
use super::place::MAX_DEPTH;
use crate::error::{Error, Result};
use crate::extraction::Scope;
use crate::keyspace;
use crate::kv::{Snapshot, prefix_end};
use crate::row;

/// Folders whose standing is remembered by one reader; then it forgets all.
const MAX_REMEMBERED: usize = 100_000;

/// Whether a node lives, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// No such node.
    Absent,
    /// It and all folders above it live.
    Live {
        /// The namespace it lies in.
        ns: NamespaceId,
    },
    /// It or a folder above it is deleted, and kept still.
    Deleted {
        /// The namespace it lay in.
        ns: NamespaceId,
        /// When that was, milliseconds.
        at_ms: i64,
    },
}

/// One page of what lies directly in a folder, deleted nodes included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Below {
    /// The nodes, each with whether something may lie below it.
    pub nodes: Vec<(FileId, bool)>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Vec<u8>>,
}

/// Reads at one snapshot, bound to no account. Remembers folders: make one for a batch of looks.
pub struct Reader<'a> {
    rows: Box<dyn Snapshot + 'a>,
    folders: HashMap<FileId, Standing>,
    scopes: HashMap<NamespaceId, Option<Scope>>,
}

impl Meta {
    /// A reader of everything committed so far.
    pub fn reader(&self) -> Result<Reader<'_>> {
        Ok(Reader {
            rows: self.store.snapshot()?,
            folders: HashMap::new(),
            scopes: HashMap::new(),
        })
    }

    /// Who shares extraction results in `ns`: its owner's team, else its owner; `None` when there is no such namespace.
    pub fn scope(&self, ns: NamespaceId) -> Result<Option<Scope>> {
        let row = self.store.get(&keys::namespace(ns))?;
        let row = row.map(|row| row::decode("namespace", &row)).transpose()?;
        Ok(row.as_ref().map(scope_of))
    }
}

impl Reader<'_> {
    /// The node and where it stands; `None` when there is no such node.
    pub fn look(&mut self, file: FileId) -> Result<Option<(Node, Standing)>> {
        let Some(node) = keys::get_node(&*self.rows, file)? else {
            return Ok(None);
        };
        let above = match (node.parent, &node.kind) {
            (_, NodeKind::Root { ns }) => Standing::Live { ns: *ns },
            (Some(parent), _) => self.folder(parent)?,
            (None, _) => Standing::Absent,
        };
        let standing = under(above, &node);
        Ok(Some((node, standing)))
    }

    /// Where a folder stands; remembered.
    pub fn folder(&mut self, folder: FileId) -> Result<Standing> {
        let mut below = Vec::new();
        let mut at = folder;
        let mut standing = loop {
            if let Some(&known) = self.folders.get(&at) {
                break known;
            }
            let Some(node) = keys::get_node(&*self.rows, at)? else {
                break Standing::Absent;
            };
            let (parent, root) = (node.parent, root_of(&node));
            below.push(node);
            match (root, parent) {
                (Some(ns), _) => break Standing::Live { ns },
                (None, Some(parent)) => at = parent,
                (None, None) => break Standing::Absent,
            }
            if below.len() > MAX_DEPTH {
                return Err(Error::Corrupt {
                    what: format!("node {folder}"),
                    detail: "its ancestors form a loop".to_owned(),
                });
            }
        };
        if self.folders.len() + below.len() > MAX_REMEMBERED {
            self.folders.clear();
        }
        for node in below.iter().rev() {
            standing = under(standing, node);
            self.folders.insert(node.id, standing);
        }
        Ok(standing)
    }

    /// The newest `most` past versions of a file, newest first, with the times when newer ones took their places, milliseconds.
    pub fn past_versions(&self, file: FileId, most: usize) -> Result<Vec<(Version, i64)>> {
        let prefix = keys::versions_of(file);
        let rows = self.rows.range(&prefix, &prefix_end(&prefix), true, most)?;
        let mut versions = Vec::new();
        for (_, value) in &rows {
            let past: keys::PastVersion = row::decode("version", value)?;
            versions.push((past.version, past.superseded_ms));
        }
        Ok(versions)
    }

    /// A page of what lies directly in `folder`, living or deleted, from `from` (a [`Below::next`]).
    pub fn below(&self, folder: FileId, from: Option<&[u8]>, limit: usize) -> Result<Below> {
        let children = keys::key(keyspace::CHILD, &[&folder.0.to_be_bytes()]);
        let deleted = keys::key(keyspace::TOMBSTONE, &[&folder.0.to_be_bytes()]);
        let start = from.unwrap_or(&children);
        let mut page = Below::default();
        if start < prefix_end(&children).as_slice() {
            let rows = self
                .rows
                .range(start, &prefix_end(&children), false, limit)?;
            for (_, value) in &rows {
                let child = keys::Child::decode(value)?;
                page.nodes
                    .push((child.id, child.kind == keys::ChildKind::Folder));
            }
            page.next = Some(after(&rows, limit).unwrap_or(deleted));
            return Ok(page);
        }
        let rows = self
            .rows
            .range(start, &prefix_end(&deleted), false, limit)?;
        for (key, _) in &rows {
            let file = row::u64_at("tombstone", key, key.len().saturating_sub(8))?;
            page.nodes.push((FileId(file), true));
        }
        page.next = after(&rows, limit);
        Ok(page)
    }

    /// Namespaces after `after` in the order of their numbers, each with its top node.
    pub fn namespaces(
        &self,
        after: NamespaceId,
        limit: usize,
    ) -> Result<Vec<(NamespaceId, FileId)>> {
        let start = keys::namespace(NamespaceId(after.0.saturating_add(1)));
        let rows = self
            .rows
            .range(&start, &prefix_end(&[keyspace::NAMESPACE]), false, limit)?;
        let mut found = Vec::with_capacity(rows.len());
        for (key, value) in rows.iter().filter(|(key, _)| key.len() == start.len()) {
            let row: keys::NamespaceRow = row::decode("namespace", value)?;
            found.push((NamespaceId(row::u64_at("namespace", key, 1)?), row.root));
        }
        Ok(found)
    }

    /// As [`Meta::scope`]; remembered.
    pub fn scope(&mut self, ns: NamespaceId) -> Result<Option<Scope>> {
        if let Some(known) = self.scopes.get(&ns) {
            return Ok(*known);
        }
        let scope = keys::get_namespace(&*self.rows, ns)?.as_ref().map(scope_of);
        self.scopes.insert(ns, scope);
        Ok(scope)
    }
}

fn scope_of(row: &keys::NamespaceRow) -> Scope {
    row.team.map_or(Scope::Account(row.owner), Scope::Team)
}

fn root_of(node: &Node) -> Option<NamespaceId> {
    match node.kind {
        NodeKind::Root { ns } => Some(ns),
        _ => None,
    }
}

/// The standing of a node whose parent stands at `above`.
fn under(above: Standing, node: &Node) -> Standing {
    match (above, node.deleted) {
        (Standing::Live { ns } | Standing::Deleted { ns, .. }, Some(deletion)) => {
            Standing::Deleted {
                ns,
                at_ms: deletion.at_ms,
            }
        }
        (above, _) => above,
    }
}

/// The key after the last row of a full page.
fn after(rows: &[crate::kv::Pair], limit: usize) -> Option<Vec<u8>> {
    let last = rows.last().filter(|_| rows.len() == limit)?;
    Some([last.0.as_slice(), &[0]].concat())
}
