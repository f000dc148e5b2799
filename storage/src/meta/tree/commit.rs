//! Uploads and new folders.

use super::edit;
use super::op::{Op, Target, conflict};
use crate::error::Result;
use crate::journal::{Arrival, Change};
use crate::meta::node::{Actor, NewFile, Node, NodeKind, Place, Version, WriteMode};
use crate::meta::path::Address;
use crate::meta::refusal::{ConflictKind, Refusal};
use crate::meta::session::{self, Append, UploadId};
use crate::meta::{Meta, quota};

/// What an upload does about what is there.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Make a file.
    Create,
    /// It is there already.
    Keep,
    /// Put a version on the file.
    Replace,
    /// Refuse, or take another name.
    Conflict(ConflictKind),
}

impl Meta {
    /// Writes a file; parents are made. The same content where it is already is answered with what is there.
    /// [`crate::Error::BlockMissing`] when a block was not stored.
    pub fn commit_file(&self, actor: Actor, at: &Address, file: &NewFile) -> Result<Place> {
        self.operate(actor, |op| op.commit(at, file))
    }

    /// Writes a file from an upload session, which ends in the same transaction: a finish that is sent twice writes once.
    /// `append` is what its last call brought, `file` the whole content. Refused as `NotFound` or `IncorrectOffset` when the
    /// session is gone or went on meanwhile.
    pub fn commit_upload(
        &self,
        actor: Actor,
        upload: UploadId,
        append: &Append,
        at: &Address,
        file: &NewFile,
    ) -> Result<Place> {
        self.operate(actor, |op| {
            let found = self.read_upload(&*op.txn, actor.account, upload)?;
            let correct = found.ok_or(Refusal::NotFound)?.offset();
            if correct != append.at {
                return Err(Refusal::IncorrectOffset { correct }.into());
            }
            let place = op.commit(at, file)?;
            session::drop_in(op.txn, actor.account, upload)?;
            Ok(place)
        })
    }

    /// Makes a folder; parents are made.
    pub fn create_folder(&self, actor: Actor, at: &Address, autorename: bool) -> Result<Place> {
        self.operate(actor, |op| {
            let mut target = op.target(at)?;
            if let Some(existing) = &target.existing {
                if !autorename {
                    return Err(conflict(&existing.node).into());
                }
                target.name = op.other_name(&target, WriteMode::Add)?;
            }
            let folder = op.make_folders(&target)?;
            let node = op.new_node(&folder, &target.name, NodeKind::Folder)?;
            op.put_below(&folder, node)
        })
    }
}

impl Op<'_> {
    fn commit(&mut self, at: &Address, file: &NewFile) -> Result<Place> {
        let mut target = self.target(at)?;
        match verdict(target.existing.as_ref().map(|place| &place.node), file) {
            Verdict::Create => self.create(&target, file),
            Verdict::Keep => Ok(target.existing.ok_or(Refusal::NotFound)?),
            Verdict::Replace => self.replace(target.existing.ok_or(Refusal::NotFound)?, file),
            Verdict::Conflict(kind) if !file.autorename => Err(Refusal::Conflict(kind).into()),
            Verdict::Conflict(_) => {
                target.name = self.other_name(&target, file.mode)?;
                self.create(&target, file)
            }
        }
    }

    /// A free name beside a target's.
    pub(super) fn other_name(&self, target: &Target, mode: WriteMode) -> Result<String> {
        if !target.missing.is_empty() {
            return Ok(target.name.clone());
        }
        let parent = self
            .reader()
            .inside(&target.folder)?
            .ok_or(Refusal::NotFolder)?;
        let tag = |n: u32| match (mode, n) {
            (WriteMode::Update(_), 1) => "conflicted copy".to_owned(),
            (WriteMode::Update(_), n) => format!("conflicted copy {}", n - 1),
            (_, n) => n.to_string(),
        };
        edit::free_name_by(&*self.txn, parent, &target.name, &tag)
    }

    /// Makes a file at a target where nothing is.
    fn create(&mut self, target: &Target, file: &NewFile) -> Result<Place> {
        let version = self.new_version(file, None);
        let row = self.namespace(target.ns())?;
        quota::charge(self.txn, row.owner, quota::bytes(version.size))?;
        let folder = self.make_folders(target)?;
        let node = self.new_node(&folder, &target.name, NodeKind::File(version.clone()))?;
        self.attach(target.ns(), &row, node.id, &node.name, &version)?;
        self.put_below(&folder, node)
    }

    /// Puts a version on a file.
    fn replace(&mut self, place: Place, file: &NewFile) -> Result<Place> {
        let version = self.new_version(file, place.node.head().map(|head| head.rev));
        self.put_version(place, version)
    }

    /// Makes `version` the head of a live file.
    pub(crate) fn put_version(&mut self, mut place: Place, version: Version) -> Result<Place> {
        let row = self.namespace(place.ns)?;
        let before = place.node.head().map_or(0, |head| quota::bytes(head.size));
        quota::charge(self.txn, row.owner, quota::bytes(version.size) - before)?;
        self.attach(place.ns, &row, place.node.id, &place.node.name, &version)?;
        self.put_head(&mut place.node, version)?;
        self.journal(
            place.ns,
            &Change::Upsert {
                file: place.node.id,
            },
            Arrival::None,
        )?;
        Ok(place)
    }

    fn new_version(&self, file: &NewFile, before: Option<crate::meta::Rev>) -> Version {
        Version {
            rev: self.next_rev(before),
            size: file.size,
            content_hash: file.content_hash,
            blocks: file.blocks.clone(),
            client_modified_ms: file.client_modified_ms.unwrap_or(self.now_ms),
            server_modified_ms: self.now_ms,
            author: self.actor.account,
        }
    }
}

/// Dropbox's rules of conflict.
fn verdict(existing: Option<&Node>, file: &NewFile) -> Verdict {
    let Some(node) = existing else {
        return match file.mode {
            WriteMode::Update(_) if file.strict_conflict => Verdict::Conflict(ConflictKind::File),
            _ => Verdict::Create,
        };
    };
    let Some(head) = node.head() else {
        return Verdict::Conflict(ConflictKind::Folder);
    };
    let same = head.content_hash == file.content_hash && head.size == file.size;
    match file.mode {
        _ if same && !file.strict_conflict => Verdict::Keep,
        WriteMode::Overwrite => Verdict::Replace,
        WriteMode::Update(rev) if rev == head.rev => Verdict::Replace,
        _ => Verdict::Conflict(ConflictKind::File),
    }
}
