//! How far the logs were published to the change bus: one row per partition log, one for the block log.

use std::sync::Arc;

use crate::error::Result;
use crate::journal::{PARTITIONS, Partition};
use crate::kv::{Store, prefix_end};
use crate::{keyspace, row};

/// A log that is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Log {
    /// A partition's.
    Partition(Partition),
    /// The blocks' events.
    Blocks,
}

/// The cursors of a store.
#[derive(Clone)]
pub struct Relayed {
    store: Arc<dyn Store>,
}

impl Relayed {
    /// The cursors of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Relayed { store }
    }

    /// Every log that was published, with the sequence up to which it was.
    pub fn all(&self) -> Result<Vec<(Log, u64)>> {
        let prefix = [keyspace::RELAYED];
        let rows = self.store.snapshot()?.range(
            &prefix,
            &prefix_end(&prefix),
            false,
            usize::from(PARTITIONS) + 1,
        )?;
        rows.iter()
            .map(|(key, value)| Ok((log_of(key), row::u64_at("relay cursor", value, 0)?)))
            .collect()
    }

    /// These logs were published up to these sequences. A cursor never goes back.
    pub fn advance(&self, through: &[(Log, u64)]) -> Result<()> {
        self.store.transact(&mut |txn| {
            for (log, sequence) in through {
                let key = key_of(*log);
                let before = txn.get(&key)?;
                let before = before.map(|value| row::u64_at("relay cursor", &value, 0));
                if before.transpose()?.is_none_or(|before| before < *sequence) {
                    txn.put(key, sequence.to_be_bytes().to_vec().into());
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// `RELAYED partition`, or `RELAYED ff ff` for the block log.
fn key_of(log: Log) -> Vec<u8> {
    let number = match log {
        Log::Partition(partition) => partition.0,
        Log::Blocks => u16::MAX,
    };
    [&[keyspace::RELAYED][..], &number.to_be_bytes()].concat()
}

fn log_of(key: &[u8]) -> Log {
    match key {
        [_, 0xff, 0xff] => Log::Blocks,
        [_, high, low] => Log::Partition(Partition(u16::from_be_bytes([*high, *low]))),
        _ => Log::Blocks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;

    #[test]
    fn cursors_are_kept_and_never_go_back() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let relayed = Relayed::new(store.clone());
        assert_eq!(relayed.all().unwrap(), []);
        let third = Log::Partition(Partition(3));
        relayed.advance(&[(third, 7), (Log::Blocks, 2)]).unwrap();
        relayed.advance(&[(third, 5)]).unwrap();
        assert_eq!(
            Relayed::new(store).all().unwrap(),
            [(third, 7), (Log::Blocks, 2)]
        );
    }
}
