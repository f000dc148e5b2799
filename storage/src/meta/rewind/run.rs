//! Doing a rewind: folders from the top down, then files, then what is to go, in bounded transactions.

use std::collections::HashMap;

use super::history::{self, History, Wanted};
use super::step::{self, Step};
use super::{Counts, Rewind, RewindId, running_key};
use crate::error::{Error, Result};
use crate::kv::Snapshot;
use crate::meta::ids::FileId;
use crate::meta::keys;
use crate::meta::mount::ancestors;
use crate::meta::place::MAX_DEPTH;
use crate::meta::{Meta, Refusal};

/// Nodes in one transaction.
const UNIT: usize = 100;
/// Between two notes of how far it is, transactions.
const UNITS_NOTED: usize = 10;

/// The nodes of a rewind in the order in which they are done.
struct Order {
    /// What comes back, folders from the top down.
    back: Vec<FileId>,
    /// Files that go.
    files: Vec<FileId>,
    /// Folders that go, from the leaves up.
    folders: Vec<FileId>,
}

impl Meta {
    /// Goes through with a rewind; `tell` hears of each unit and returns false to end for now. What is done already needs nothing
    /// done, so a rewind that was killed is run again. Returns it as it is then.
    pub fn run_rewind(
        &self,
        id: RewindId,
        tell: &mut dyn FnMut(&Counts) -> bool,
    ) -> Result<Rewind> {
        let mut rewind = self.rewind(id)?.ok_or(Refusal::NotFound)?;
        if rewind.ended_ms.is_some() {
            return Ok(rewind);
        }
        let mut counts = Counts::default();
        match self.all_units(&rewind, &mut counts, tell) {
            Ok(true) => {}
            Ok(false) => return Ok(rewind),
            // Refused for good (the right to write is gone, say): it must not stand in the way of others.
            Err(Error::Refused(refusal)) => rewind.error = Some(refusal.to_string()),
            Err(error) => return Err(error),
        }
        rewind.counts = counts;
        rewind.ended_ms = Some(self.env.clock.now_ms());
        self.transact(|txn| {
            rewind.write(txn)?;
            txn.delete(running_key(rewind.ns));
            Ok(())
        })?;
        Ok(rewind)
    }

    /// False when it was asked to end.
    fn all_units(
        &self,
        rewind: &Rewind,
        counts: &mut Counts,
        tell: &mut dyn FnMut(&Counts) -> bool,
    ) -> Result<bool> {
        let history = history::since(self, rewind)?;
        let order = order(&*self.store.snapshot()?, rewind, &history)?;
        let mut units = 0;
        for nodes in [&order.back, &order.files, &order.folders] {
            for unit in nodes.chunks(UNIT) {
                self.unit(rewind, &history, unit, counts)?;
                step::settle(self, unit)?;
                units += 1;
                if units % UNITS_NOTED == 0 {
                    let so_far = Rewind {
                        counts: *counts,
                        ..rewind.clone()
                    };
                    self.transact(|txn| so_far.write(txn))?;
                }
                if !tell(counts) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    pub(super) fn count_steps(&self, rewind: &Rewind) -> Result<Counts> {
        let history = history::since(self, rewind)?;
        let rows = self.store.snapshot()?;
        let order = order(&*rows, rewind, &history)?;
        let mut counts = Counts::default();
        for file in order.back.iter().chain(&order.files).chain(&order.folders) {
            decide(&*rows, rewind, &history, *file)?.count(&mut counts);
        }
        Ok(counts)
    }

    /// One transaction; where it is refused, its nodes are done one by one, and those that are refused are counted.
    fn unit(
        &self,
        rewind: &Rewind,
        history: &History,
        nodes: &[FileId],
        counts: &mut Counts,
    ) -> Result<()> {
        match self.apply(rewind, history, nodes) {
            Ok(done) => {
                done.iter().for_each(|step| step.count(counts));
                Ok(())
            }
            Err(Error::Refused(_) | Error::BlockMissing(_)) if nodes.len() > 1 => {
                let mut each = nodes.chunks(1);
                each.try_for_each(|one| self.unit(rewind, history, one, counts))
            }
            Err(Error::Refused(refusal)) if !matches!(refusal, Refusal::NoWritePermission) => {
                tracing::info!(?refusal, file = ?nodes.first(), "a file cannot be rewound");
                counts.examined += 1;
                counts.failed += 1;
                Ok(())
            }
            Err(Error::BlockMissing(_)) => {
                counts.examined += 1;
                counts.failed += 1;
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn apply(&self, rewind: &Rewind, history: &History, nodes: &[FileId]) -> Result<Vec<Step>> {
        self.operate_for(rewind.actor(), rewind.id.0, |op| {
            if !op.reader().role(rewind.ns)?.can_write() {
                return Err(Refusal::NoWritePermission.into());
            }
            let mut done = Vec::with_capacity(nodes.len());
            for file in nodes {
                let step = decide(&*op.txn, rewind, history, *file)?;
                done.push(step.clone());
                step.apply(op, history, *file)?;
            }
            Ok(done)
        })
    }
}

fn decide(rows: &dyn Snapshot, rewind: &Rewind, history: &History, file: FileId) -> Result<Step> {
    match history.items.get(&file) {
        Some(wanted) => step::decide(rows, rewind, file, wanted),
        None => Ok(Step::Nothing),
    }
}

/// Which nodes belong to the folder, then or now, and in which order they are done.
fn order(rows: &dyn Snapshot, rewind: &Rewind, history: &History) -> Result<Order> {
    let mut then = Then {
        rows,
        rewind,
        history,
        depths: HashMap::new(),
    };
    let (mut back, mut files, mut folders) = (Vec::new(), Vec::new(), Vec::new());
    for (&file, wanted) in &history.items {
        let Some(node) = keys::get_node(rows, file)? else {
            // Purged: it is counted where it was.
            if let Wanted::Here { parent, .. } = wanted
                && then.depth(*parent)?.is_some()
            {
                back.push((true, usize::MAX, file));
            }
            continue;
        };
        let above = ancestors(rows, file)?;
        let now = above
            .iter()
            .skip(1)
            .position(|node| node.id == rewind.folder);
        match wanted {
            Wanted::Absent => match (now, node.is_file()) {
                (None, _) => {}
                (Some(_), true) => files.push(file),
                (Some(depth), false) => folders.push((std::cmp::Reverse(depth), file)),
            },
            _ => {
                let depth = then.depth(file)?.filter(|_| file != rewind.folder);
                if depth.is_some() || now.is_some() {
                    back.push((node.is_file(), depth.unwrap_or(0), file));
                }
            }
        }
    }
    back.sort_unstable();
    files.sort_unstable();
    folders.sort_unstable();
    Ok(Order {
        back: back.into_iter().map(|(_, _, file)| file).collect(),
        files,
        folders: folders.into_iter().map(|(_, file)| file).collect(),
    })
}

/// Where nodes were at the moment.
struct Then<'t> {
    rows: &'t dyn Snapshot,
    rewind: &'t Rewind,
    history: &'t History,
    depths: HashMap<FileId, Option<usize>>,
}

impl Then<'_> {
    /// How many steps below the rewound folder a node was; none when it was not below it.
    fn depth(&mut self, file: FileId) -> Result<Option<usize>> {
        let (mut way, mut next) = (Vec::new(), Some(file));
        let found = loop {
            let Some(at) = next else { break None };
            if at == self.rewind.folder {
                break Some(0);
            }
            if let Some(known) = self.depths.get(&at) {
                break *known;
            }
            if way.len() > MAX_DEPTH {
                break None;
            }
            way.push(at);
            next = match self.history.items.get(&at) {
                Some(Wanted::Here { parent, .. }) => Some(*parent),
                Some(Wanted::Absent) => None,
                _ => keys::get_node(self.rows, at)?.and_then(|node| node.parent),
            };
        };
        let mut depth = found;
        for at in way.into_iter().rev() {
            depth = depth.map(|depth| depth + 1);
            self.depths.insert(at, depth);
        }
        Ok(match file == self.rewind.folder {
            true => Some(0),
            false => depth,
        })
    }
}
