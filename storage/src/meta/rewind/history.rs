//! What was where at a moment, from what the namespace's journal says has happened since.

use std::collections::{HashMap, HashSet};

use super::{Rewind, RewindId};
use crate::error::Result;
use crate::journal::{self, Arrival, Change, Stamp};
use crate::kv::{Snapshot, prefix_end};
use crate::meta::ids::FileId;
use crate::meta::keys;
use crate::meta::node::NodeKind;
use crate::meta::{Meta, Refusal};

/// Entries read at a time.
const PAGE: usize = 2_000;
/// Files and folders of one rewind; more is refused as `TooManyFiles`.
const MAX_ITEMS: usize = 2_000_000;

/// How a node is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Where it was.
    Here { parent: FileId, name: String },
    /// Where it is: it did not move.
    InPlace,
    /// Not there: it was made, or brought back, since.
    Absent,
    /// As it is: it came from another namespace.
    Kept,
}

/// Everything in the namespace that has changed since the moment.
pub(super) struct History {
    pub items: HashMap<FileId, Wanted>,
}

/// Reads the journal backwards, from the change at which the rewind began to its moment.
pub(super) fn since(meta: &Meta, rewind: &Rewind) -> Result<History> {
    let rows = meta.store().snapshot()?;
    let log = journal::journal_key(rewind.ns);
    let mut end = [&log[..], &(rewind.until.saturating_add(1)).to_be_bytes()].concat();
    let mut history = History {
        items: HashMap::new(),
    };
    let mut later = HashSet::new();
    changed_after(&*rows, rewind, &mut later)?;
    loop {
        let page = rows.range(&log, &end, true, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(history.without(&later));
        };
        end = last.clone();
        for (_, value) in &page {
            let (change, stamp) = journal::entry(value)?;
            let Some(stamp) = stamp else {
                match is_about_files(&*rows, &change)? {
                    true => return Err(Refusal::HistoryTooShort.into()),
                    false => continue,
                }
            };
            if stamp.at_ms <= rewind.to_ms {
                return Ok(history.without(&later));
            }
            history.see(change, stamp, rewind.undoes, &mut later);
            if history.items.len() > MAX_ITEMS {
                return Err(Refusal::TooManyFiles.into());
            }
        }
    }
}

/// What somebody has changed since this rewind began stays as it is.
fn changed_after(rows: &dyn Snapshot, rewind: &Rewind, later: &mut HashSet<FileId>) -> Result<()> {
    let log = journal::journal_key(rewind.ns);
    let mut start = [&log[..], &rewind.until.saturating_add(1).to_be_bytes()].concat();
    loop {
        let page = rows.range(&start, &prefix_end(&log), false, PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        start = [&last[..], &[0]].concat();
        for (_, value) in &page {
            let (change, stamp) = journal::entry(value)?;
            if stamp.is_none_or(|stamp| stamp.operation != rewind.id.0) {
                later.insert(change.file());
            }
        }
    }
}

impl History {
    /// What is in `later` stays as it is.
    fn without(mut self, later: &HashSet<FileId>) -> History {
        for (file, wanted) in &mut self.items {
            if later.contains(file) {
                *wanted = Wanted::Kept;
            }
        }
        self
    }

    /// Takes the next older entry into account: the oldest decides how a node was.
    fn see(
        &mut self,
        change: Change,
        stamp: Stamp,
        undoes: Option<RewindId>,
        later: &mut HashSet<FileId>,
    ) {
        let file = change.file();
        if let Some(RewindId(undone)) = undoes
            && stamp.operation != undone
        {
            later.insert(file);
            return;
        }
        let wanted = match (change, stamp.arrival) {
            (Change::Gone { parent, name, .. }, _) => Wanted::Here { parent, name },
            (_, Arrival::New) => Wanted::Absent,
            (_, Arrival::Foreign) => Wanted::Kept,
            (_, Arrival::Moved) => return, // the entry before says from where
            // Changed where it was: the present place, or where a later move says that it came from.
            (_, Arrival::None) => match self.items.get(&file) {
                Some(Wanted::Here { .. }) => return,
                _ => Wanted::InPlace,
            },
        };
        self.items.insert(file, wanted);
    }
}

/// False for mounts, and for what is gone for good: those have no history that matters.
fn is_about_files(rows: &dyn Snapshot, change: &Change) -> Result<bool> {
    let node = keys::get_node(rows, change.file())?;
    Ok(node.is_some_and(|node| matches!(node.kind, NodeKind::File(_) | NodeKind::Folder)))
}
