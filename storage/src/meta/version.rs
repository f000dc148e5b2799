//! Versions: listing them, restoring them, and bringing back what was deleted.

use super::ids::{FileId, Rev};
use super::keys::{self, PastVersion};
use super::node::{Actor, Node, NodeKind, Place, Revision, Revisions, Version};
use super::path::{Address, fold};
use super::place::Reader;
use super::refusal::{ConflictKind, Refusal};
use super::tree::{Op, edit};
use super::{Meta, quota};
use crate::error::{Error, Result};
use crate::journal::{Arrival, Change};
use crate::kv::prefix_end;

/// Most files of one path whose versions are listed.
const FILES_OF_A_PATH: usize = 100;

impl Meta {
    /// Versions of the file that is, or was last, at `at`, newest first: those of every file of that path, or of this
    /// file alone (`by_id`).
    pub fn revisions(
        &self,
        actor: Actor,
        at: &Address,
        by_id: bool,
        limit: usize,
    ) -> Result<Revisions> {
        let view = self.view(actor.account)?;
        let reader = view.reader();
        let live = match view.resolve(actor.root, at) {
            Err(Error::Refused(Refusal::NotFound)) => None,
            found => Some(found?),
        };
        let is_deleted = live.is_none();
        let place = match live {
            Some(place) => place,
            None => view
                .resolve_deleted(actor.root, at)?
                .ok_or(Refusal::NotFound)?,
        };
        if !place.node.is_file() {
            return Err(Refusal::NotFile.into());
        }
        let mut versions = versions_of(&reader, &place.node, limit)?;
        for file in if by_id {
            Vec::new()
        } else {
            earlier_files(&reader, &place.node)?
        } {
            if let Some(node) = reader.node(file)?.filter(|node| node.id != place.node.id) {
                versions.extend(versions_of(&reader, &node, limit)?);
            }
        }
        versions.sort_by_key(|revision| std::cmp::Reverse(revision.version.rev));
        let has_more = versions.len() > limit;
        versions.truncate(limit);
        let deleted_ms = place.node.deleted.map(|d| d.at_ms).filter(|_| is_deleted);
        Ok(Revisions {
            is_deleted,
            deleted_ms,
            versions,
            has_more,
            place,
        })
    }

    /// Makes the content of version (`file`, `rev`) the newest at `at`, where that file is or was; a deleted file comes back
    /// (below a deleted folder as a new file, its folders are made again). Refused as `InvalidRevision` when `at` never had
    /// that version.
    pub fn restore(&self, actor: Actor, at: &Address, file: FileId, rev: Rev) -> Result<Place> {
        self.operate(actor, |op| {
            let version = op
                .reader()
                .version(file, rev)?
                .ok_or(Refusal::InvalidRevision)?;
            op.restore(&op.living_address(at)?, file, version)
        })
    }

    /// Brings a deleted file or folder back to where it was; a taken name is avoided. Below a deleted folder a copy comes
    /// back, and the folders above it are made again.
    pub fn undelete(&self, actor: Actor, file: FileId) -> Result<Place> {
        self.operate(actor, |op| {
            let place = op.reader().place_deleted(file, Some(op.actor.root))?;
            let place = place.ok_or(Refusal::NotFound)?;
            if place.node.deleted.is_some() && op.parent_lives(&place.node)? {
                if !op.reader().role(place.ns)?.can_write() {
                    return Err(Refusal::NoWritePermission.into());
                }
                return op.relink(place, None);
            }
            let mut target = op.target(&Address::parse(&place.path_display)?)?;
            if target.existing.is_some() {
                let parent = op
                    .reader()
                    .inside(&target.folder)?
                    .ok_or(Refusal::NotFolder)?;
                target.name = edit::free_name(&*op.txn, parent, &target.name)?;
            }
            op.copy_to(&place.node, &target)
        })
    }
}

impl Op<'_> {
    /// An address that names a deleted node by id becomes the path where it was.
    fn living_address(&self, at: &Address) -> Result<Address> {
        let file = match at {
            Address::Id(file, names) if names.is_empty() => *file,
            Address::Rev(rev) => rev.file,
            _ => return Ok(at.clone()),
        };
        match self.reader().place_deleted(file, Some(self.actor.root))? {
            Some(place) => Ok(Address::parse(&place.path_display)?),
            None => Ok(at.clone()),
        }
    }

    fn restore(&mut self, at: &Address, file: FileId, old: Version) -> Result<Place> {
        let target = self.target(at)?;
        let parent = self
            .reader()
            .inside(&target.folder)?
            .ok_or(Refusal::NotFolder)?;
        let was_here = target.missing.is_empty()
            && self
                .reader()
                .tombstones(parent, &fold(&target.name), FILES_OF_A_PATH)?
                .contains(&file);
        if let Some(existing) = target.existing {
            let Some(head) = existing.node.head() else {
                return Err(Refusal::Conflict(ConflictKind::Folder).into());
            };
            if existing.node.id != file && !was_here {
                return Err(Refusal::InvalidRevision.into());
            }
            if head.rev == old.rev && existing.node.id == file {
                return Ok(existing);
            }
            let version = self.again(old, Some(head.rev));
            return self.put_version(existing, version);
        }
        let place = self.reader().place_deleted(file, Some(self.actor.root))?;
        let place = place.ok_or(Refusal::InvalidRevision)?;
        if was_here {
            return self.relink(place, Some(old));
        }
        if place.path_lower != target.path_lower() {
            return Err(Refusal::InvalidRevision.into());
        }
        let node = Node {
            kind: NodeKind::File(old),
            ..place.node
        };
        self.copy_to(&node, &target)
    }

    /// The tombstone of a node whose parent lives becomes a child's row again, with `old` as a new head of a file.
    pub(super) fn relink(&mut self, place: Place, old: Option<Version>) -> Result<Place> {
        let mut node = place.node;
        let (Some(deletion), Some(parent)) = (node.deleted.take(), node.parent) else {
            return Err(Refusal::NotFound.into());
        };
        self.txn.delete(keys::tombstone(
            parent,
            &fold(&node.name),
            deletion.at_ms,
            node.id,
        ));
        self.txn
            .delete(keys::expiry(deletion.at_ms, node.id, Rev(0)));
        node.name = edit::free_name(&*self.txn, parent, &node.name)?;
        let (row, file) = (self.namespace(place.ns)?, node.id);
        let head = node.head().map(|head| head.rev);
        if let Some(old) = old.filter(|old| Some(old.rev) != head) {
            let version = self.again(old, head);
            self.attach(place.ns, &row, file, &node.name, &version)?;
            self.put_head(&mut node, version)?;
        }
        match node.head() {
            Some(head) => quota::charge(self.txn, row.owner, quota::bytes(head.size))?,
            None => quota::recharge(self.txn, file, row.owner)?,
        }
        edit::insert_node(self.txn, &node)?;
        let change = match node.is_file() {
            true => Change::Upsert { file },
            false => Change::Appeared { file },
        };
        self.journal(place.ns, &change, Arrival::New)?;
        self.forget();
        self.place(file)
    }

    pub(super) fn parent_lives(&self, node: &Node) -> Result<bool> {
        match node.parent {
            Some(parent) => Ok(self
                .reader()
                .folder(parent)?
                .is_some_and(|folder| !folder.dead)),
            None => Ok(false),
        }
    }

    /// The content of `old` as the version after `before`.
    pub(super) fn again(&self, old: Version, before: Option<Rev>) -> Version {
        Version {
            rev: self.next_rev(before),
            server_modified_ms: self.now_ms,
            author: self.actor.account,
            ..old
        }
    }
}

/// The newest `limit` versions of a file and one more, the head first.
fn versions_of(reader: &Reader<'_>, node: &Node, limit: usize) -> Result<Vec<Revision>> {
    let Some(head) = node.head() else {
        return Ok(Vec::new());
    };
    let mut versions = vec![Revision {
        file: node.id,
        version: head.clone(),
    }];
    let prefix = keys::versions_of(node.id);
    for (_, value) in reader
        .rows
        .range(&prefix, &prefix_end(&prefix), true, limit)?
    {
        let past: PastVersion = crate::row::decode("version", &value)?;
        versions.push(Revision {
            file: node.id,
            version: past.version,
        });
    }
    Ok(versions)
}

/// The deleted nodes that had the node's name.
fn earlier_files(reader: &Reader<'_>, node: &Node) -> Result<Vec<FileId>> {
    match node.parent {
        Some(parent) => reader.tombstones(parent, &fold(&node.name), FILES_OF_A_PATH),
        None => Ok(Vec::new()),
    }
}
