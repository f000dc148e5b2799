//! What changed, in order: per namespace (cursors point into it) and per partition (indexers follow it). // I2
//!
//! Both are written in the transaction that makes the change. Entries say what to look at again, not what is there:
//! a reader looks at present metadata.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::keyspace;
use crate::kv::{Snapshot, Store, Ticket, Transaction, Value};
use crate::meta::env::mix;
use crate::meta::keys::key;
use crate::meta::{FileId, NamespaceId, View};
use crate::row;

/// How many partition logs there are; fixed for ever.
pub const PARTITIONS: u16 = 1024;
/// Most entries that one [`Journal::cut`] transaction removes.
const CUT_BATCH: usize = 4096;

/// A partition log's number, below [`PARTITIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partition(pub u16);

/// The partition of a file's changes. Today by namespace alone; the file is there for namespaces that will be spread.
pub fn route(ns: NamespaceId, _file: FileId) -> Partition {
    Partition((mix(ns.0) % u64::from(PARTITIONS)) as u16)
}

/// What to look at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// One node was created or changed (content, name by case); nothing appeared below it.
    Upsert {
        /// The node.
        file: FileId,
    },
    /// A node and all below it came to be here: moved in, restored, copied, shared or mounted here, a renamed folder.
    Appeared {
        /// The node.
        file: FileId,
    },
    /// A node and all below it left `parent`: deleted, moved away, unmounted.
    Gone {
        /// The node.
        file: FileId,
        /// Where it was.
        parent: FileId,
        /// What it was called there.
        name: String,
    },
    /// Partition log only: extraction of the file's head content finished, or an old version of it is gone for good.
    Extracted {
        /// The file.
        file: FileId,
    },
    /// Partition log only: a deleted node's rows were removed for good.
    Purged {
        /// The node.
        file: FileId,
    },
}

impl Change {
    /// The node the change is about.
    pub fn file(&self) -> FileId {
        match *self {
            Change::Upsert { file }
            | Change::Appeared { file }
            | Change::Gone { file, .. }
            | Change::Extracted { file }
            | Change::Purged { file } => file,
        }
    }
}

/// One entry of a partition log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its sequence in the partition.
    pub seq: u64,
    /// The namespace.
    pub ns: NamespaceId,
    /// Its sequence in the namespace's journal; 0 for what only the partition log has.
    pub ns_seq: u64,
    /// The change.
    pub change: Change,
}

/// Reads the logs; writing is [`append`] and [`append_to_partition`], inside transactions.
#[derive(Clone)]
pub struct Journal {
    store: Arc<dyn Store>,
}

/// How a node came to be where an entry says that it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It did not: it was there, or it left.
    None = 0,
    /// It was made, or brought back from the trash.
    New = 1,
    /// It came from another place of this namespace; the entry before says from where.
    Moved = 2,
    /// It came from another namespace.
    Foreign = 3,
}

/// When and in which operation a change was made: what a rewind needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// How it came there.
    pub arrival: Arrival,
    /// The rewind that made the change; 0: none.
    pub operation: u64,
}

/// Length of a stamp behind an entry, bytes.
const STAMP_BYTES: usize = 17;

/// Journals a change of mounts and shared folders, which no rewind looks at.
pub fn append(txn: &mut dyn Transaction, ns: NamespaceId, change: &Change) -> Result<Ticket> {
    append_entry(txn, ns, change, row::encode(change)?)
}

/// Journals a change in its namespace and in its partition.
pub fn append_stamped(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    change: &Change,
    stamp: Stamp,
) -> Result<Ticket> {
    let mut entry = row::encode(change)?;
    entry.extend(stamp.at_ms.to_be_bytes());
    entry.push(stamp.arrival as u8);
    entry.extend(stamp.operation.to_be_bytes());
    append_entry(txn, ns, change, entry)
}

/// The change and, where it has one, the stamp of a namespace's entry. Readers that need no stamp pass over it.
pub(crate) fn entry(value: &[u8]) -> Result<(Change, Option<Stamp>)> {
    let change: Change = row::decode("journal entry", value)?;
    let length = row::encode(&change)?.len();
    let stamp: Option<&[u8; STAMP_BYTES]> = value.get(length..).and_then(|rest| rest.first_chunk());
    let stamp = stamp.map(|stamp| Stamp {
        at_ms: row::u64_at("journal entry", stamp, 0)
            .unwrap_or(0)
            .cast_signed(),
        arrival: match stamp[8] {
            1 => Arrival::New,
            2 => Arrival::Moved,
            3 => Arrival::Foreign,
            _ => Arrival::None,
        },
        operation: row::u64_at("journal entry", stamp, 9).unwrap_or(0),
    });
    Ok((change, stamp))
}

fn append_entry(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    change: &Change,
    entry: Vec<u8>,
) -> Result<Ticket> {
    let ticket = txn.append(&journal_key(ns), entry.clone().into());
    let mut value: Value = partition_value(ns, &entry).into();
    value.holes.push((8, ticket));
    txn.append(&partition_key(route(ns, change.file())), value);
    Ok(ticket)
}

/// Logs a change in its partition alone.
pub fn append_to_partition(
    txn: &mut dyn Transaction,
    ns: NamespaceId,
    change: &Change,
) -> Result<()> {
    let entry = row::encode(change)?;
    txn.append(
        &partition_key(route(ns, change.file())),
        partition_value(ns, &entry).into(),
    );
    Ok(())
}

impl Journal {
    /// The journal of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Journal { store }
    }

    /// Changes of `ns` after sequence `after`, oldest first, with their sequences.
    pub fn changes(&self, ns: NamespaceId, after: u64, limit: usize) -> Result<Vec<(u64, Change)>> {
        changes(&*self.store.snapshot()?, ns, after, limit)
    }

    /// The last `limit` changes of `ns`, newest first.
    pub fn latest(&self, ns: NamespaceId, limit: usize) -> Result<Vec<Change>> {
        let log = journal_key(ns);
        let (first, end) = (key_of(&log, 1), crate::kv::prefix_end(&log));
        let rows = self.store.snapshot()?.range(&first, &end, true, limit)?;
        rows.into_iter()
            .map(|(_, value)| row::decode("journal entry", &value))
            .collect()
    }

    /// The namespace's last sequence, 0 when it has none.
    pub fn head(&self, ns: NamespaceId) -> Result<u64> {
        self.store.head(&journal_key(ns))
    }

    /// Entries of a partition after sequence `after`, oldest first.
    pub fn partition_entries(
        &self,
        partition: Partition,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        let log = partition_key(partition);
        entries(&*self.store.snapshot()?, &log, after, limit)?
            .into_iter()
            .map(|(seq, value)| {
                let ns = NamespaceId(row::u64_at("partition entry", &value, 0)?);
                let ns_seq = row::u64_at("partition entry", &value, 8)?;
                Ok(LogEntry {
                    seq,
                    ns,
                    ns_seq,
                    change: row::decode("partition entry", &value[16..])?,
                })
            })
            .collect()
    }

    /// When an entry's change was made, milliseconds since 1970; none where the journal does not say (mounts, extractions).
    pub fn moment(&self, of: &LogEntry) -> Result<Option<i64>> {
        let key = key_of(&journal_key(of.ns), of.ns_seq);
        let row = self.store.snapshot()?.get(&key)?;
        let stamp = row.map(|row| entry(&row)).transpose()?;
        Ok(stamp.and_then(|(_, stamp)| stamp).map(|stamp| stamp.at_ms))
    }

    /// The partition's last sequence, 0 when it has none.
    pub fn partition_head(&self, partition: Partition) -> Result<u64> {
        self.store.head(&partition_key(partition))
    }

    /// The last sequences of several partitions, in their order.
    pub fn partition_heads(&self, partitions: &[Partition]) -> Result<Vec<u64>> {
        let logs: Vec<_> = partitions.iter().copied().map(partition_key).collect();
        self.store.heads(&logs)
    }

    /// Removes entries with sequences below `below`, a bounded number a call; returns how many. The last entry stays.
    pub fn cut(&self, partition: Partition, below: u64) -> Result<usize> {
        let log = partition_key(partition);
        let end = below.min(self.partition_head(partition)?);
        let keys: Vec<_> = entries(&*self.store.snapshot()?, &log, 0, CUT_BATCH)?
            .into_iter()
            .take_while(|(seq, _)| *seq < end)
            .map(|(seq, _)| key_of(&log, seq))
            .collect();
        if !keys.is_empty() {
            self.store.transact(&mut |txn| {
                keys.iter().for_each(|key| txn.delete(key.clone()));
                Ok(())
            })?;
        }
        Ok(keys.len())
    }
}

/// The log of a namespace.
pub fn journal_key(ns: NamespaceId) -> Vec<u8> {
    key(keyspace::JOURNAL, &[&ns.0.to_be_bytes()])
}

/// The log of a partition.
pub fn partition_key(partition: Partition) -> Vec<u8> {
    key(keyspace::PARTITION, &[&partition.0.to_be_bytes()])
}

/// Namespace, hole for its sequence, change.
fn partition_value(ns: NamespaceId, change: &[u8]) -> Vec<u8> {
    [&ns.0.to_be_bytes()[..], &[0; 8], change].concat()
}

fn key_of(log: &[u8], seq: u64) -> Vec<u8> {
    [log, &seq.to_be_bytes()[..]].concat()
}

/// A log's values after a sequence.
impl View<'_> {
    /// Changes of `ns` after sequence `after`, oldest first, with their sequences: those that made what this view shows, and no others.
    pub fn changes(&self, ns: NamespaceId, after: u64, limit: usize) -> Result<Vec<(u64, Change)>> {
        changes(self.rows(), ns, after, limit)
    }

    /// The last sequence of `ns` that this view shows, 0 when it has none.
    pub fn head(&self, ns: NamespaceId) -> Result<u64> {
        let log = journal_key(ns);
        let (first, end) = (key_of(&log, 1), crate::kv::prefix_end(&log));
        let last = self.rows().range(&first, &end, true, 1)?;
        let last = last.first();
        last.map_or(Ok(0), |(key, _)| row::u64_at("log key", key, log.len()))
    }
}

fn changes(
    rows: &dyn Snapshot,
    ns: NamespaceId,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Change)>> {
    entries(rows, &journal_key(ns), after, limit)?
        .into_iter()
        .map(|(seq, value)| Ok((seq, row::decode("journal entry", &value)?)))
        .collect()
}

fn entries(
    rows: &dyn Snapshot,
    log: &[u8],
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>> {
    let Some(first) = after.checked_add(1) else {
        return Ok(Vec::new());
    };
    rows.range(
        &key_of(log, first),
        &crate::kv::prefix_end(log),
        false,
        limit,
    )?
    .into_iter()
    .map(|(key, value)| Ok((row::u64_at("log key", &key, log.len())?, value)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_golden() {
        let routes: Vec<_> = [1, 2, 3, 1000, (1 << 42) - 1]
            .map(|ns| route(NamespaceId(ns), FileId(9)).0)
            .to_vec();
        assert_eq!(routes, [485, 138, 240, 727, 316]);
    }
}
