//! Reads everything that is stored and says what is wrong with it (`firefly check`).

use super::row::{self, BlockRow};
use super::{BlockStore, Shared};
use crate::chunk::BlockHash;
use crate::error::Result;
use crate::keyspace;
use crate::kv::prefix_end;

const PAGE_ROWS: usize = 256;

/// Something the verifier has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// So much was read without a pause; comes every few hundred blocks.
    Progress {
        /// Blocks so far.
        blocks: u64,
        /// Bytes read so far, all replicas.
        bytes: u64,
    },
    /// A replica of a block is missing or damaged.
    BadReplica {
        /// The block.
        hash: BlockHash,
        /// The replica's target.
        target: String,
        /// What is wrong.
        reason: String,
    },
    /// The block's index row is unreadable, its key does not unwrap, or its extent is unknown.
    BadRow {
        /// The block.
        hash: BlockHash,
        /// What is wrong.
        reason: String,
    },
    /// Somebody refers to a block that is not stored (I1, I7).
    Dangling {
        /// The block.
        hash: BlockHash,
        /// The owner's row key after the hash.
        owner: Vec<u8>,
    },
}

/// The verifier's sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Blocks looked at.
    pub blocks: u64,
    /// Bytes read, all replicas.
    pub bytes: u64,
    /// Findings other than progress.
    pub faults: u64,
}

impl BlockStore {
    /// Reads, decrypts and hashes every replica of every block, and looks up every reference's block; `visit` hears of
    /// each finding and returns false to stop. Repairs nothing: see [`BlockStore::repair`].
    pub fn verify(&self, visit: &mut dyn FnMut(Finding) -> bool) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut tell = |report: &mut VerifyReport, finding: Finding| {
            report.faults += u64::from(!matches!(finding, Finding::Progress { .. }));
            visit(finding)
        };
        let mut position = Vec::new();
        loop {
            let keys = self
                .shared
                .keys_from(keyspace::BLOCK, &position, PAGE_ROWS)?;
            let Some(last) = keys.last() else { break };
            position = [&last[..], &[0]].concat();
            for key in &keys {
                let hash = row::hash_at(key, 1)?;
                for finding in self.shared.verify_block(&hash, &mut report)? {
                    if !tell(&mut report, finding) {
                        return Ok(report);
                    }
                }
            }
            let progress = Finding::Progress {
                blocks: report.blocks,
                bytes: report.bytes,
            };
            if !tell(&mut report, progress) {
                return Ok(report);
            }
        }
        self.shared
            .verify_references(&mut |finding| tell(&mut report, finding))?;
        Ok(report)
    }
}

impl Shared {
    fn keys_from(&self, table: u8, position: &[u8], limit: usize) -> Result<Vec<Vec<u8>>> {
        let table = [table];
        let start = position.max(&table[..]);
        let rows = self
            .store
            .snapshot()?
            .range(start, &prefix_end(&table), false, limit)?;
        Ok(rows.into_iter().map(|(key, _)| key).collect())
    }

    pub(super) fn verify_block(
        &self,
        hash: &BlockHash,
        report: &mut VerifyReport,
    ) -> Result<Vec<Finding>> {
        let bad_row = |reason: String| {
            vec![Finding::BadRow {
                hash: *hash,
                reason,
            }]
        };
        report.blocks += 1;
        let row = match self.row(hash) {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(Vec::new()), // collected since
            Err(error) => return Ok(bad_row(error.to_string())),
        };
        let key = match self.keys.unwrap(&row.key, hash) {
            Ok(key) => key,
            Err(error) => return Ok(bad_row(error.to_string())),
        };
        let readings = self.read_replicas(hash, &row, &key, true);
        report.bytes += row.record_len() * self.targets(&row).len() as u64;
        if readings.good.is_some() && readings.faults.is_empty() && self.is_listed(hash, &row)? {
            return Ok(Vec::new());
        }
        if self.has_moved(hash, &row)? {
            return Ok(Vec::new());
        }
        if readings.faults.is_empty() {
            return Ok(bad_row(format!(
                "it is not in the table of {}",
                row.location
            )));
        }
        let bad = |fault: super::read::Fault| Finding::BadReplica {
            hash: *hash,
            target: fault.target,
            reason: fault.error.to_string(),
        };
        Ok(readings.faults.into_iter().map(bad).collect())
    }

    /// True when the extent's table knows the block's place (or the block has no place at all: no extent).
    fn is_listed(&self, hash: &BlockHash, row: &BlockRow) -> Result<bool> {
        Ok(self
            .store
            .snapshot()?
            .get(&row::content_key(row.location))?
            .is_some_and(|listed| listed == hash.0))
    }

    fn verify_references(&self, visit: &mut dyn FnMut(Finding) -> bool) -> Result<()> {
        let mut position = Vec::new();
        loop {
            let snapshot = self.store.snapshot()?;
            let start = position.as_slice().max(&[keyspace::REFERENCE][..]).to_vec();
            let rows = snapshot.range(
                &start,
                &prefix_end(&[keyspace::REFERENCE]),
                false,
                PAGE_ROWS,
            )?;
            let Some((last, _)) = rows.last() else {
                return Ok(());
            };
            position = [&last[..], &[0]].concat();
            for (key, _) in &rows {
                let hash = row::hash_at(key, 1)?;
                let is_stored = snapshot.get(&row::block_key(&hash))?.is_some();
                if !is_stored
                    && !visit(Finding::Dangling {
                        hash,
                        owner: key[33..].to_vec(),
                    })
                {
                    return Ok(());
                }
            }
        }
    }
}
