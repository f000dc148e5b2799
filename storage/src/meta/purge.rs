//! Trash and old versions go after their retention; their blocks are then free to collect. // I7
//!
//! A deleted folder goes piece by piece: its tombstone first, which makes it unreachable, then what lies below from the
//! leaves up, itself last, so that a stop in between is taken up again.

use super::Meta;
use super::ids::{FileId, NamespaceId, Rev};
use super::keys::{self, Child, PastVersion};
use super::node::{Node, NodeKind, PurgeReport, Version};
use super::path::fold;
use super::tree::Op;
use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction, prefix_end};
use crate::{extraction, keyspace, row};

use super::{Blocks, quota};

/// Most rows that one call looks at, and nodes that it removes.
const UNIT: u64 = 1000;
/// Most past versions that go in one transaction.
const VERSIONS: usize = 200;

/// A row of the expiry list.
struct Due {
    key: Vec<u8>,
    at_ms: i64,
    file: FileId,
    rev: Rev,
}

impl Meta {
    /// Removes what was deleted or superseded before `older_than_ms`, a bounded piece a call (`more`: call again); block
    /// references go with it. A head of a live file never goes.
    pub fn purge(&self, older_than_ms: i64) -> Result<PurgeReport> {
        self.settle_all()?;
        let mut report = PurgeReport::default();
        let end = keys::expiry(older_than_ms, FileId(0), Rev(0));
        let rows = self
            .store
            .snapshot()?
            .range(&[keyspace::EXPIRY], &end, false, UNIT as usize)?;
        report.more = rows.len() as u64 == UNIT;
        for (key, _) in rows {
            let due = Due {
                at_ms: row::u64_at("expiry", &key, 1)? as i64,
                file: FileId(row::u64_at("expiry", &key, 9)?),
                rev: Rev(row::u64_at("expiry", &key, 17)?),
                key,
            };
            let gone = match due.rev {
                Rev(0) => self.purge_node(&due, &mut report),
                _ => self.purge_version(&due, &mut report),
            };
            match gone {
                // A damaged row keeps what it is about; the others must not wait for it.
                Err(error @ Error::Corrupt { .. }) => {
                    tracing::error!(file = %due.file, %error, "what is damaged cannot be purged");
                }
                gone => gone?,
            }
            if report.nodes + report.versions >= UNIT {
                report.more = true;
                break;
            }
        }
        Ok(report)
    }

    fn purge_version(&self, due: &Due, report: &mut PurgeReport) -> Result<()> {
        report.versions += self.transact(|txn| {
            txn.delete(due.key.clone());
            let key = keys::version(due.file, due.rev);
            let past: Option<PastVersion> = keys::read(&*txn, &key, "version")?;
            match past {
                Some(past) => {
                    self.drop_version(txn, due.file, &past)?;
                    // What was indexed of it goes with a look at the file. // I2
                    if let Some(node) = keys::get_node(&*txn, due.file)?
                        && let Some(ns) = namespace_of(&*txn, &node)?
                    {
                        let again = Change::Extracted { file: due.file };
                        journal::append_to_partition(txn, ns, &again)?;
                    }
                    Ok(1)
                }
                None => Ok(0),
            }
        })?;
        Ok(())
    }

    fn purge_node(&self, due: &Due, report: &mut PurgeReport) -> Result<()> {
        self.settle(due.file)?;
        // Checked again in the transaction: who was brought back, or deleted again later, is not due.
        let top = self.transact(|txn| {
            let node = keys::get_node(&*txn, due.file)?;
            let node = node.filter(|node| node.deleted.is_some_and(|d| d.at_ms == due.at_ms));
            match &node {
                Some(node) => unlink(txn, node),
                None => txn.delete(due.key.clone()),
            }
            Ok(node)
        })?;
        let Some(top) = top else { return Ok(()) };
        let ns = namespace_of(&*self.store.snapshot()?, &top)?;
        let mut path = vec![top];
        while let Some(node) = path.last() {
            if report.nodes >= UNIT {
                report.more = true;
                return Ok(());
            }
            match self.first_below(node)? {
                Some(child) => path.push(child),
                None => {
                    if self.remove(node, ns, report)? {
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }

    /// Something that lies, or lay, in a dead folder.
    fn first_below(&self, node: &Node) -> Result<Option<Node>> {
        if node.is_file() {
            return Ok(None);
        }
        let rows = self.store.snapshot()?;
        let child = keys::child(node.id, "");
        if let Some((_, value)) = rows.range(&child, &prefix_end(&child), false, 1)?.first() {
            return keys::get_node(&*rows, Child::decode(value)?.id);
        }
        let tombstone = keys::key(keyspace::TOMBSTONE, &[&node.id.0.to_be_bytes()]);
        let rest = rows.range(&tombstone, &prefix_end(&tombstone), false, 1)?;
        let Some((key, _)) = rest.first() else {
            return Ok(None);
        };
        keys::get_node(
            &*rows,
            FileId(row::u64_at("tombstone", key, key.len().saturating_sub(8))?),
        )
    }

    /// Removes a dead node that holds nothing; false when it has versions left.
    fn remove(
        &self,
        node: &Node,
        ns: Option<NamespaceId>,
        report: &mut PurgeReport,
    ) -> Result<bool> {
        let (versions, done) = self.transact(|txn| {
            let prefix = keys::versions_of(node.id);
            let past = txn.range(&prefix, &prefix_end(&prefix), false, VERSIONS)?;
            for (_, value) in &past {
                self.drop_version(txn, node.id, &row::decode("version", value)?)?;
            }
            if past.len() == VERSIONS {
                return Ok((past.len(), false));
            }
            if let Some(head) = node.head() {
                self.drop_content(txn, node.id, head)?;
            }
            unlink(txn, node);
            if let Some(deletion) = node.deleted {
                txn.delete(keys::expiry(deletion.at_ms, node.id, Rev(0)));
            }
            txn.delete(keys::node(node.id));
            quota::forget(txn, node.id);
            if let Some(ns) = ns {
                journal::append_to_partition(txn, ns, &Change::Purged { file: node.id })?;
            }
            Ok((past.len(), true))
        })?;
        report.versions += versions as u64;
        report.nodes += u64::from(done);
        Ok(done)
    }

    fn drop_version(
        &self,
        txn: &mut dyn Transaction,
        file: FileId,
        past: &PastVersion,
    ) -> Result<()> {
        txn.delete(keys::version(file, past.version.rev));
        txn.delete(keys::expiry(past.superseded_ms, file, past.version.rev));
        self.drop_content(txn, file, &past.version)
    }

    /// Drops a version's block references, and what extraction found when it was the last with this content.
    fn drop_content(
        &self,
        txn: &mut dyn Transaction,
        file: FileId,
        version: &Version,
    ) -> Result<()> {
        if self.blocks == Blocks::Trusted {
            return Ok(());
        }
        Op::detach(txn, file, version.rev, &version.blocks);
        match version.blocks.first() {
            Some(first) if !in_a_version(&*txn, first)? => {
                extraction::drop_records(txn, &version.content_hash)
            }
            _ => Ok(()),
        }
    }
}

/// True when some version has the block.
fn in_a_version(rows: &dyn Snapshot, block: &BlockHash) -> Result<bool> {
    let prefix = keys::key(keyspace::REFERENCE, &[&block.0, b"v"]);
    Ok(!rows
        .range(&prefix, &prefix_end(&prefix), false, 1)?
        .is_empty())
}

/// Removes the row that leads to a node from its parent.
fn unlink(txn: &mut dyn Transaction, node: &Node) {
    let Some(parent) = node.parent else { return };
    let folded = fold(&node.name);
    match node.deleted {
        Some(deletion) => txn.delete(keys::tombstone(parent, &folded, deletion.at_ms, node.id)),
        None => txn.delete(keys::child(parent, &folded)),
    }
}

/// The namespace of a node, dead or alive.
fn namespace_of(rows: &dyn Snapshot, node: &Node) -> Result<Option<NamespaceId>> {
    let above = super::mount::ancestors(rows, node.id)?;
    Ok(above.last().and_then(|top| match top.kind {
        NodeKind::Root { ns } => Some(ns),
        _ => None,
    }))
}
