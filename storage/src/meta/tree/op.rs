//! The frame of every tree operation: who acts, in which transaction, and where it leads.

use crate::error::Result;
use crate::extraction::{self, Job, Scope};
use crate::journal::{self, Arrival, Change, Stamp};
use crate::kv::Transaction;
use crate::meta::ids::{FileId, NamespaceId, Rev};
use crate::meta::keys::{self, NamespaceRow};
use crate::meta::mount::ancestors;
use crate::meta::node::{Actor, Node, NodeKind, Place, Version};
use crate::meta::path::{Address, fold};
use crate::meta::place::{Cache, Reader};
use crate::meta::refusal::{ConflictKind, Refusal};
use crate::meta::tree::edit;
use crate::meta::{Blocks, Meta};
use crate::{block, chunk::BlockHash, slots, trace};

/// Most folders above what is written. (A path has fewer names, but an id may stand before them.)
pub(super) const DEPTH: usize = 1000;

/// One operation in one attempt of its transaction.
pub(crate) struct Op<'o> {
    pub(crate) meta: &'o Meta,
    pub(crate) txn: &'o mut dyn Transaction,
    pub(crate) actor: Actor,
    pub(crate) now_ms: i64,
    /// The rewind that acts; 0: none.
    operation: u64,
    cache: Cache,
}

/// Where something is to be put.
#[derive(Debug)]
pub(crate) struct Target {
    /// The nearest folder that exists.
    pub(crate) folder: Place,
    /// Folders to be made below it.
    pub(crate) missing: Vec<String>,
    /// The name to take.
    pub(crate) name: String,
    /// What has that name.
    pub(crate) existing: Option<Place>,
}

impl Target {
    /// The namespace of what will be put there.
    pub(crate) fn ns(&self) -> NamespaceId {
        self.folder.shared_folder.unwrap_or(self.folder.ns)
    }

    /// The path it will have, folded.
    pub(crate) fn path_lower(&self) -> String {
        let names = self.missing.iter().chain([&self.name]);
        names.fold(self.folder.path_lower.clone(), |path, name| {
            path + "/" + &fold(name)
        })
    }
}

impl Meta {
    /// Runs an operation of `actor` as one transaction.
    pub(crate) fn operate<T>(
        &self,
        actor: Actor,
        body: impl FnMut(&mut Op<'_>) -> Result<T>,
    ) -> Result<T> {
        self.operate_for(actor, 0, body)
    }

    /// The same as a part of the rewind `operation`.
    pub(crate) fn operate_for<T>(
        &self,
        actor: Actor,
        operation: u64,
        mut body: impl FnMut(&mut Op<'_>) -> Result<T>,
    ) -> Result<T> {
        self.transact(|txn| {
            let now_ms = self.env.clock.now_ms();
            body(&mut Op {
                meta: self,
                txn,
                actor,
                now_ms,
                operation,
                cache: Cache::default(),
            })
        })
    }
}

impl Op<'_> {
    /// Reads as the actor, in the transaction.
    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader {
            rows: &*self.txn,
            account: self.actor.account,
            cache: &self.cache,
        }
    }

    /// Forgets what was read, after the tree above something changed.
    pub(crate) fn forget(&mut self) {
        self.cache = Cache::default();
    }

    /// The live node at an address.
    pub(crate) fn resolve(&self, at: &Address) -> Result<Place> {
        self.reader().resolve(self.actor.root, at)
    }

    /// Where a node sees itself now; after [`Op::forget`].
    pub(crate) fn place(&self, file: FileId) -> Result<Place> {
        Ok(self
            .reader()
            .place(file, Some(self.actor.root))?
            .ok_or(Refusal::NotFound)?)
    }

    /// Where an address leads for a write. Refused below a file, for a root, and where the actor may only read.
    pub(crate) fn target(&self, at: &Address) -> Result<Target> {
        let reader = self.reader();
        let (start, names) = reader.start(self.actor.root, at)?;
        let target = match names.split_last() {
            Some((name, above)) => self.descend(start, above, name)?,
            None => {
                let parent = start
                    .node
                    .parent
                    .ok_or(Refusal::Conflict(ConflictKind::Folder))?;
                let name = start.node.name.clone();
                Target {
                    folder: self.place(parent)?,
                    missing: Vec::new(),
                    name,
                    existing: Some(start),
                }
            }
        };
        writable(&target.folder)?;
        if target.folder.path_lower.matches('/').count() + target.missing.len() > DEPTH {
            return Err(too_deep().into());
        }
        Ok(target)
    }

    fn descend(&self, start: Place, above: &[String], name: &str) -> Result<Target> {
        let (mut folder, mut missing) = (folder_only(start)?, Vec::new());
        for (i, part) in above.iter().enumerate() {
            match self.reader().step(&folder, part)? {
                Some(next) => folder = folder_only(next)?,
                None => {
                    missing = above[i..].to_vec();
                    break;
                }
            }
        }
        let existing = match missing.is_empty() {
            true => self.reader().step(&folder, name)?,
            false => None,
        };
        Ok(Target {
            folder,
            missing,
            name: name.to_owned(),
            existing,
        })
    }

    /// Folders from a namespace's Root down to what will be put at a target, all of them counted.
    pub(super) fn depth_at(&self, target: &Target) -> Result<usize> {
        let folder = self.reader().inside(&target.folder)?;
        let above = ancestors(&*self.txn, folder.ok_or(Refusal::NotFolder)?)?;
        Ok(above.len() + target.missing.len() + 1)
    }

    /// Makes what is missing above a target; returns the folder that holds it.
    pub(crate) fn make_folders(&mut self, target: &Target) -> Result<Place> {
        let mut folder = target.folder.clone();
        for name in &target.missing {
            let node = self.new_node(&folder, name, NodeKind::Folder)?;
            folder = self.put_below(&folder, node)?;
        }
        Ok(folder)
    }

    /// A node with a fresh id, not yet written.
    pub(crate) fn new_node(&mut self, folder: &Place, name: &str, kind: NodeKind) -> Result<Node> {
        let parent = self.reader().inside(folder)?;
        let slot = parent.map_or_else(|| slots::of_namespace(folder.ns), slots::of_file);
        let id = edit::fresh_file(&*self.txn, &self.meta.env, slot)?;
        Ok(Node {
            id,
            parent,
            name: name.to_owned(),
            kind,
            deleted: None,
            created_ms: self.now_ms,
        })
    }

    /// Writes a new node, journals it, and says where it is. // I2
    pub(crate) fn put_below(&mut self, folder: &Place, node: Node) -> Result<Place> {
        edit::insert_node(self.txn, &node)?;
        let place = self
            .reader()
            .below(folder, node)?
            .ok_or(Refusal::NotFound)?;
        self.journal(
            place.ns,
            &Change::Upsert {
                file: place.node.id,
            },
            Arrival::New,
        )?;
        Ok(place)
    }

    /// Journals a change. // I2
    pub(crate) fn journal(
        &mut self,
        ns: NamespaceId,
        change: &Change,
        arrival: Arrival,
    ) -> Result<()> {
        let stamp = Stamp {
            at_ms: self.now_ms,
            arrival,
            operation: self.operation,
        };
        journal::append_stamped(self.txn, ns, change, stamp).map(drop)
    }

    /// The row of a namespace that the actor reads.
    pub(crate) fn namespace(&self, ns: NamespaceId) -> Result<NamespaceRow> {
        Ok(self
            .reader()
            .joined(ns)?
            .ok_or(Refusal::NotFound)?
            .row
            .clone())
    }

    /// The rev that follows `before`.
    pub(crate) fn next_rev(&self, before: Option<Rev>) -> Rev {
        Rev::next(before, self.now_ms, self.meta.env.random.u64())
    }

    /// What belongs to a new version in its transaction: its blocks are there and stay, its text will be. // I1
    pub(crate) fn attach(
        &mut self,
        ns: NamespaceId,
        row: &NamespaceRow,
        file: FileId,
        name: &str,
        version: &Version,
    ) -> Result<()> {
        if self.meta.blocks == Blocks::Required {
            let owner = block::Owner::version(file, version.rev);
            for hash in &version.blocks {
                block::reference(self.txn, hash, &owner)?;
            }
        }
        extraction::enqueue(self.txn, &job(ns, row, file, name, version))
    }

    /// Drops what [`Op::attach`] made, but for the queue.
    pub(crate) fn detach(txn: &mut dyn Transaction, file: FileId, rev: Rev, blocks: &[BlockHash]) {
        let owner = block::Owner::version(file, rev);
        blocks
            .iter()
            .for_each(|hash| block::unreference(txn, hash, &owner));
    }

    /// Puts a new head on a file; the old one becomes a past version. Charges nothing, journals nothing.
    pub(crate) fn put_head(&mut self, node: &mut Node, head: Version) -> Result<()> {
        if let NodeKind::File(old) = std::mem::replace(&mut node.kind, NodeKind::File(head)) {
            let (key, rev) = (keys::version(node.id, old.rev), old.rev);
            let past = keys::PastVersion {
                version: old,
                superseded_ms: self.now_ms,
            };
            keys::write(self.txn, key, &past)?;
            self.txn
                .put(keys::expiry(self.now_ms, node.id, rev), Vec::new().into());
        }
        keys::put_node(self.txn, node)
    }
}

/// The extraction job of a version.
pub(crate) fn job(
    ns: NamespaceId,
    row: &NamespaceRow,
    file: FileId,
    name: &str,
    version: &Version,
) -> Job {
    Job {
        account: row.owner,
        ns,
        file,
        rev: version.rev,
        name: name.to_owned(),
        size: version.size,
        content_hash: version.content_hash,
        blocks: version.blocks.clone(),
        scope: scope(row),
        request: trace::Id::present(),
    }
}

/// Who shares what is extracted in a namespace.
pub(crate) fn scope(row: &NamespaceRow) -> Scope {
    row.team.map_or(Scope::Account(row.owner), Scope::Team)
}

/// Refused unless the account may write in the folder.
pub(crate) fn writable(folder: &Place) -> Result<()> {
    match folder.role.can_write() {
        true => Ok(()),
        false => Err(Refusal::NoWritePermission.into()),
    }
}

/// What stands in the way when `node` is there.
pub(crate) fn conflict(node: &Node) -> Refusal {
    Refusal::Conflict(if node.is_file() {
        ConflictKind::File
    } else {
        ConflictKind::Folder
    })
}

/// What would lie below more than [`DEPTH`] folders.
pub(super) fn too_deep() -> Refusal {
    Refusal::MalformedPath("the tree is too deep".to_owned())
}

fn folder_only(place: Place) -> Result<Place> {
    match place.node.is_file() {
        true => Err(Refusal::Conflict(ConflictKind::FileAncestor).into()),
        false => Ok(place),
    }
}
