//! One node made as it was: what that takes, and doing it, in a transaction of the rewind.

use super::history::{History, Wanted};
use super::{Counts, Rewind};
use crate::error::Result;
use crate::journal::{Arrival, Change};
use crate::kv::{Snapshot, prefix_end};
use crate::meta::Refusal;
use crate::meta::ids::FileId;
use crate::meta::keys::{self, PastVersion};
use crate::meta::mount::ancestors;
use crate::meta::node::{Node, NodeKind, Version};
use crate::meta::path::fold;
use crate::meta::tree::{Op, edit};
use crate::row;

/// Versions of a file that are looked at, newest first.
const MAX_VERSIONS: usize = 10_000;

/// What is to be done about a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Not touched: why is in [`Wanted::Kept`].
    Keep,
    /// Gone for good.
    Impossible,
    Remove,
    Return {
        revive: bool,
        to: Option<(FileId, String)>,
        content: Option<Version>,
    },
}

/// Says what is to be done about a node, by the rows as they are.
pub(super) fn decide(
    rows: &dyn Snapshot,
    rewind: &Rewind,
    file: FileId,
    wanted: &Wanted,
) -> Result<Step> {
    let above = ancestors(rows, file)?;
    let Some(node) = above.first() else {
        return Ok(Step::Impossible);
    };
    let at_home = matches!(above.last().map(|top| &top.kind), Some(NodeKind::Root { ns }) if *ns == rewind.ns);
    if !at_home || !matches!(node.kind, NodeKind::File(_) | NodeKind::Folder) {
        return Ok(Step::Keep);
    }
    match wanted {
        Wanted::Kept => Ok(Step::Keep),
        Wanted::Absent if above.iter().any(|node| node.deleted.is_some()) => Ok(Step::Nothing),
        Wanted::Absent => absent(rows, rewind, node),
        Wanted::InPlace => here(rows, rewind, node, None),
        Wanted::Here { parent, name } => here(rows, rewind, node, Some((*parent, name.clone()))),
    }
}

/// What was in the trash goes there again; a folder made since that holds what is older stays.
fn absent(rows: &dyn Snapshot, rewind: &Rewind, node: &Node) -> Result<Step> {
    if node.is_file() || node.created_ms <= rewind.to_ms {
        return Ok(Step::Remove);
    }
    let prefix = keys::child(node.id, "");
    let mut holds_older = false;
    rows.scan(&prefix, &prefix_end(&prefix), &mut |_, value| {
        let child = keys::get_node(rows, keys::Child::decode(value)?.id)?;
        holds_older = child.is_some_and(|child| child.created_ms <= rewind.to_ms);
        Ok(!holds_older)
    })?;
    Ok(match holds_older {
        true => Step::Keep,
        false => Step::Remove,
    })
}

fn here(
    rows: &dyn Snapshot,
    rewind: &Rewind,
    node: &Node,
    place: Option<(FileId, String)>,
) -> Result<Step> {
    let to = place.filter(|(parent, name)| node.parent != Some(*parent) || node.name != *name);
    let content = match node.head() {
        None => None,
        Some(head) => match version_at(rows, node, head, rewind.to_ms)? {
            None => return Ok(Step::Impossible),
            Some(then) if same(&then, head) => None,
            then => then,
        },
    };
    let revive = node.deleted.is_some();
    Ok(match revive || to.is_some() || content.is_some() {
        true => Step::Return {
            revive,
            to,
            content,
        },
        false => Step::Nothing,
    })
}

/// The newest version of a file that was there at a moment.
fn version_at(
    rows: &dyn Snapshot,
    node: &Node,
    head: &Version,
    at_ms: i64,
) -> Result<Option<Version>> {
    if head.server_modified_ms <= at_ms {
        return Ok(Some(head.clone()));
    }
    let prefix = keys::versions_of(node.id);
    for (_, value) in rows.range(&prefix, &prefix_end(&prefix), true, MAX_VERSIONS)? {
        let past: PastVersion = row::decode("version", &value)?;
        if past.version.server_modified_ms <= at_ms {
            return Ok(Some(past.version));
        }
    }
    Ok(None)
}

fn same(one: &Version, other: &Version) -> bool {
    (one.size, one.content_hash) == (other.size, other.content_hash)
}

impl Step {
    /// Counts the step.
    pub fn count(&self, counts: &mut Counts) {
        counts.examined += 1;
        match self {
            Step::Nothing => counts.unchanged += 1,
            Step::Keep => counts.kept += 1,
            Step::Impossible => counts.failed += 1,
            Step::Remove => counts.removed += 1,
            Step::Return {
                revive,
                to,
                content,
            } => {
                counts.revived += u64::from(*revive);
                counts.moved += u64::from(to.is_some());
                counts.restored += u64::from(content.is_some());
            }
        }
    }

    /// Does it. The rows are those that it was decided by, in this transaction.
    pub fn apply(self, op: &mut Op<'_>, history: &History, file: FileId) -> Result<()> {
        let (revive, to, content) = match self {
            Step::Nothing | Step::Keep | Step::Impossible => return Ok(()),
            Step::Remove => return remove(op, file),
            Step::Return {
                revive,
                to,
                content,
            } => (revive, to, content),
        };
        if revive {
            // Where it was when it was deleted; from there it is moved on.
            op.revive(file)?;
        }
        if let Some((parent, name)) = to {
            op.put_back(history, file, parent, name)?;
        }
        if let Some(then) = content {
            let place = op.place(file)?;
            let version = op.again(then, place.node.head().map(|head| head.rev));
            op.put_version(place, version)?;
        }
        op.forget();
        Ok(())
    }
}

fn remove(op: &mut Op<'_>, file: FileId) -> Result<()> {
    let place = op.place(file)?;
    op.delete(&place)?;
    op.forget();
    Ok(())
}

impl Op<'_> {
    fn revive(&mut self, file: FileId) -> Result<()> {
        let place = self.reader().place_deleted(file, Some(self.actor.root))?;
        let place = place.ok_or(Refusal::NotFound)?;
        if !self.parent_lives(&place.node)? {
            return Err(Refusal::NotFound.into());
        }
        self.relink(place, None).map(drop)
    }

    /// Moves a node to where it was, in the same namespace; what stands there steps aside.
    fn put_back(
        &mut self,
        history: &History,
        file: FileId,
        parent: FileId,
        name: String,
    ) -> Result<()> {
        let above = ancestors(&*self.txn, parent)?;
        let dead = above.is_empty() || above.iter().any(|node| node.deleted.is_some());
        if dead || above.iter().any(|node| node.id == file) {
            return Err(Refusal::NotFound.into());
        }
        self.clear(history, file, parent, &name)?;
        let node = keys::get_node(&*self.txn, file)?.ok_or(Refusal::NotFound)?;
        self.shift(node, parent, name)
    }

    /// Frees a name: a new file goes to the trash, anything else takes another name until its turn comes.
    fn clear(&mut self, history: &History, file: FileId, parent: FileId, name: &str) -> Result<()> {
        let Some(there) = keys::get_child(&*self.txn, parent, &fold(name))? else {
            return Ok(());
        };
        if there.id == file {
            return Ok(());
        }
        let node = keys::get_node(&*self.txn, there.id)?.ok_or(Refusal::NotFound)?;
        if node.is_file() && history.items.get(&there.id) == Some(&Wanted::Absent) {
            return remove(self, there.id);
        }
        let free = edit::free_name(&*self.txn, parent, name)?;
        self.shift(node, parent, free)
    }

    fn shift(&mut self, node: Node, parent: FileId, name: String) -> Result<()> {
        let Some(old_parent) = node.parent else {
            return Err(Refusal::CantMoveRoot.into());
        };
        let place = self.place(node.id)?;
        edit::unlink_child(self.txn, &node);
        let gone = Change::Gone {
            file: node.id,
            parent: old_parent,
            name: node.name.clone(),
        };
        let node = Node {
            parent: Some(parent),
            name,
            ..node
        };
        edit::insert_node(self.txn, &node)?;
        self.journal(place.ns, &gone, Arrival::None)?;
        let file = node.id;
        let change = match node.is_file() {
            true => Change::Upsert { file },
            false => Change::Appeared { file },
        };
        self.journal(place.ns, &change, Arrival::Moved)?;
        self.forget();
        Ok(())
    }
}

/// Bytes that a folder's removal leaves owed are settled outside of its transaction.
pub(super) fn settle(meta: &crate::meta::Meta, nodes: &[FileId]) -> Result<()> {
    nodes
        .iter()
        .try_for_each(|folder| meta.settle(*folder).map(drop))
}
