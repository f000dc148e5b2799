//! Rewinding a folder to a moment: what was changed since in it, by anybody, is undone, file by file, with ordinary changes: files come
//! back from the trash or from where they were moved, old contents become new versions, what is new goes to the trash. So nothing
//! is lost, the index and every client follow, and a rewind can itself be undone.
//!
//! `history` says from the journal what was where, `step` makes one node as it was, `run` does all of them in bounded
//! transactions. What a rewind has done already needs nothing done, so one that was killed is begun again.

mod history;
mod run;
mod step;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, FileId, NamespaceId};
use super::keys;
use super::node::{Actor, NodeKind, Place};
use super::path::Address;
use super::{Meta, Refusal};
use crate::error::Result;
use crate::keyspace;
use crate::kv::{Transaction, prefix_end};
use crate::row;

/// Rewinds of one account that are listed.
const MAX_LISTED: usize = 100;

/// A rewind's number; a later one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RewindId(pub u64);

/// A rewind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewind {
    /// Its number.
    pub id: RewindId,
    /// Who rewinds.
    pub account: AccountId,
    /// Where that account's paths start.
    pub root: NamespaceId,
    /// The namespace that is rewound; shared folders below it are not.
    pub ns: NamespaceId,
    /// The folder.
    pub folder: FileId,
    /// Its path when the rewind began.
    pub path: String,
    /// To when, milliseconds since 1970.
    pub to_ms: i64,
    /// The rewind that is undone: then only what it did is looked at.
    pub undoes: Option<RewindId>,
    /// When it began.
    pub began_ms: i64,
    /// The namespace's last change when it began: what comes later is not undone.
    pub until: u64,
    /// When it was through; none while it is not.
    pub ended_ms: Option<i64>,
    /// What it did, or would do.
    pub counts: Counts,
    /// Why it ended before it was through.
    pub error: Option<String>,
}

/// What a rewind does, in files and folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Changed since the moment, and looked at.
    pub examined: u64,
    /// Brought back from the trash.
    pub revived: u64,
    /// Moved or renamed back.
    pub moved: u64,
    /// Given the content that they had.
    pub restored: u64,
    /// Made since: moved to the trash.
    pub removed: u64,
    /// As they were already.
    pub unchanged: u64,
    /// Left as they are: moved to or from another shared folder, or changed by somebody since the rewind began.
    pub kept: u64,
    /// What is gone for good: past its retention, or refused (no room left, say).
    pub failed: u64,
}

impl Meta {
    /// What a rewind of the folder at `at` to `to_ms` would do. Nothing is changed.
    ///
    /// Refused as `NoWritePermission` unless the actor may write there, as `HistoryTooShort` when the journal does not tell
    /// what was there then.
    pub fn preview_rewind(&self, actor: Actor, at: &Address, to_ms: i64) -> Result<Counts> {
        let place = self.rewindable(actor, at)?;
        let rewind = self.planned(actor, &place, to_ms, None)?;
        self.count_steps(&rewind)
    }

    /// Notes that the folder is to be rewound; [`Meta::run_rewind`] does it. One rewind of a namespace runs at a time
    /// (`RewindRuns`).
    pub fn begin_rewind(&self, actor: Actor, at: &Address, to_ms: i64) -> Result<Rewind> {
        let place = self.rewindable(actor, at)?;
        self.note_rewind(self.planned(actor, &place, to_ms, None)?)
    }

    /// Notes that what the rewind `id` did is to be undone; what others have changed since stays.
    pub fn begin_undo(&self, actor: Actor, id: RewindId) -> Result<Rewind> {
        let undone = self.rewind(id)?.ok_or(Refusal::NotFound)?;
        let place = self.rewindable(actor, &Address::Id(undone.folder, Vec::new()))?;
        let to_ms = undone.began_ms - 1;
        self.note_rewind(self.planned(actor, &place, to_ms, Some(id))?)
    }

    /// The rewind with this number.
    pub fn rewind(&self, id: RewindId) -> Result<Option<Rewind>> {
        keys::read(&*self.store.snapshot()?, &row_key(id), "rewind")
    }

    /// The newest rewinds of namespaces that the account can read, newest first.
    pub fn rewinds(&self, account: AccountId) -> Result<Vec<Rewind>> {
        let rows = self.store.snapshot()?;
        let table = [keyspace::REWIND, ROWS];
        let mut found = Vec::new();
        let newest = rows.range(&table, &prefix_end(&table), true, 10 * MAX_LISTED)?;
        for (_, value) in newest {
            let rewind: Rewind = row::decode("rewind", &value)?;
            if keys::get_membership(&*rows, rewind.ns, account)?.is_some() {
                found.push(rewind);
            }
        }
        found.truncate(MAX_LISTED);
        Ok(found)
    }

    /// Rewinds that are not through: a server that starts goes on with them.
    pub fn unfinished_rewinds(&self) -> Result<Vec<RewindId>> {
        let table = [keyspace::REWIND, RUNNING];
        let rows = self.store.snapshot()?;
        let running = rows.range(&table, &prefix_end(&table), false, MAX_LISTED)?;
        let ids = running
            .iter()
            .map(|(_, value)| row::u64_at("rewind", value, 0));
        ids.map(|id| id.map(RewindId)).collect()
    }

    fn rewindable(&self, actor: Actor, at: &Address) -> Result<Place> {
        let place = self.view(actor.account)?.resolve(actor.root, at)?;
        match place.node.kind {
            NodeKind::File(_) => Err(Refusal::NotFolder.into()),
            _ if !place.role.can_write() => Err(Refusal::NoWritePermission.into()),
            _ => Ok(place),
        }
    }

    /// A rewind without a number yet.
    fn planned(
        &self,
        actor: Actor,
        place: &Place,
        to_ms: i64,
        undoes: Option<RewindId>,
    ) -> Result<Rewind> {
        let view = self.view(actor.account)?;
        let folder = view.reader().inside(place)?.ok_or(Refusal::NotFolder)?;
        let ns = place.shared_folder.unwrap_or(place.ns);
        Ok(Rewind {
            id: RewindId(0),
            account: actor.account,
            root: actor.root,
            ns,
            folder,
            path: place.path_display.clone(),
            to_ms,
            undoes,
            began_ms: self.env.clock.now_ms(),
            until: self.store.head(&crate::journal::journal_key(ns))?,
            ended_ms: None,
            counts: Counts::default(),
            error: None,
        })
    }

    fn note_rewind(&self, planned: Rewind) -> Result<Rewind> {
        // Refused here rather than on the way.
        history::since(self, &planned)?;
        let fresh = self.env.random.u64();
        self.transact(|txn| {
            if txn.get(&running_key(planned.ns))?.is_some() {
                return Err(Refusal::RewindRuns.into());
            }
            // Numbers grow with time, so that the newest are last; the end keeps two of one millisecond apart.
            let id = RewindId(((planned.began_ms.max(0) as u64) << 16) | (fresh & 0xffff));
            let rewind = Rewind {
                id,
                ..planned.clone()
            };
            rewind.write(txn)?;
            txn.put(running_key(rewind.ns), id.0.to_be_bytes().to_vec().into());
            Ok(rewind)
        })
    }
}

impl Rewind {
    fn actor(&self) -> Actor {
        Actor {
            account: self.account,
            root: self.root,
        }
    }

    fn write(&self, txn: &mut dyn Transaction) -> Result<()> {
        keys::write(txn, row_key(self.id), self)
    }
}

const ROWS: u8 = 0;
const RUNNING: u8 = 1;

/// `REWIND 0 id`.
fn row_key(id: RewindId) -> Vec<u8> {
    keys::key(keyspace::REWIND, &[&[ROWS], &id.0.to_be_bytes()])
}

/// `REWIND 1 ns` -> id of the rewind that is not through.
fn running_key(ns: NamespaceId) -> Vec<u8> {
    keys::key(keyspace::REWIND, &[&[RUNNING], &ns.0.to_be_bytes()])
}
