//! The log of what happened to blocks' replicas.

use super::BlockStore;
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::keyspace;
use crate::kv::Store;

const LOG: [u8; 1] = [keyspace::BLOCK_LOG];

/// Something happened to a replica of a block.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Event {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// The block.
    pub hash: BlockHash,
    /// The replica's target.
    pub target: String,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a replica.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EventKind {
    /// It could not be read, or is damaged.
    Lost {
        /// What was wrong.
        reason: String,
    },
    /// It was rewritten from a good replica.
    Repaired,
}

impl BlockStore {
    /// Events after sequence `after`, oldest first, at most `limit`, each with its sequence.
    pub fn events(&self, after: u64, limit: usize) -> Result<Vec<(u64, Event)>> {
        let end = crate::kv::prefix_end(&LOG);
        let rows = self.shared.store.snapshot()?.range(
            &key(after.saturating_add(1)),
            &end,
            false,
            limit,
        )?;
        rows.iter().map(|(key, value)| decode(key, value)).collect()
    }

    /// The last `limit` events, newest first.
    pub fn latest_events(&self, limit: usize) -> Result<Vec<Event>> {
        let end = crate::kv::prefix_end(&LOG);
        let rows = self.shared.store.snapshot()?;
        let rows = rows.range(&key(0), &end, true, limit)?;
        rows.iter()
            .map(|(key, value)| Ok(decode(key, value)?.1))
            .collect()
    }

    /// Drops the events up to sequence `through`, at most `limit` of them; returns how many went.
    pub fn cut_events(&self, through: u64, limit: usize) -> Result<usize> {
        let mut cut = 0;
        self.shared.store.transact(&mut |txn| {
            let rows = txn.range(&key(0), &key(through.saturating_add(1)), false, limit)?;
            cut = rows.len();
            rows.into_iter().for_each(|(key, _)| txn.delete(key));
            Ok(())
        })?;
        Ok(cut)
    }
}

pub(super) fn append(store: &dyn Store, event: &Event) -> Result<()> {
    let row = crate::row::encode(event)?;
    store.transact(&mut |txn| {
        txn.append(&LOG, row.clone().into());
        Ok(())
    })?;
    Ok(())
}

fn key(sequence: u64) -> Vec<u8> {
    [&LOG[..], &sequence.to_be_bytes()].concat()
}

pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<(u64, Event)> {
    let sequence = crate::row::u64_at("block events", key, LOG.len())?;
    Ok((sequence, crate::row::decode("block events", value)?))
}
