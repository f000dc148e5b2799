//! Files that wait for a helper: they have a record, and may get a better one.
//!
//! A file waits until the helper is there, however long that takes; what a helper has read of a long file is kept page by
//! page, so that a restart loses one page.

use std::collections::HashSet;

use super::{
    ExtractionRecord, Extractions, Helper, Job, job_of, namespace_of, present, put_record,
};
use crate::error::Result;
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Transaction, prefix_end};
use crate::meta::keys::{self, key};
use crate::meta::{AccountId, FileId, Rev};
use crate::{keyspace, row};

/// Rows without a purpose that are removed in one look.
const MAX_STALE: usize = 1_000;

/// A file that waits for a helper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Later {
    /// The file's present version.
    pub job: Job,
    /// What it has by now.
    pub record: ExtractionRecord,
    /// Whom it waits for.
    pub helper: Helper,
    row: Row,
}

/// `account rev file` of a waiting file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Row {
    account: AccountId,
    rev: Rev,
    file: FileId,
}

impl Extractions {
    /// The oldest file that waits for a helper, of the first account after `after` that has one (then from the first account
    /// again), without those in `aside`. Files whose content has its final record by now are told to the index; rows of
    /// versions that are gone are removed.
    pub fn next_later(
        &self,
        helper: Helper,
        after: Option<AccountId>,
        aside: &HashSet<(FileId, Rev)>,
    ) -> Result<Option<Later>> {
        let first = after.map_or(0, |after| after.0.saturating_add(1));
        for _ in 0..MAX_STALE {
            let rows = self.store.snapshot()?;
            let found = first_row(&*rows, helper, first, aside)?;
            let found =
                found.map_or_else(|| first_row(&*rows, helper, 0, aside), |row| Ok(Some(row)));
            let Some(row) = found? else { return Ok(None) };
            let job = job_of(&*rows, row.file)?.filter(|job| job.rev == row.rev);
            let record = match &job {
                Some(job) => present(&*rows, &job.record_key())?,
                None => None,
            };
            match job.zip(record) {
                Some((job, record)) if record.awaits == Some(helper) => {
                    return Ok(Some(Later {
                        job,
                        record,
                        helper,
                        row,
                    }));
                }
                told => self.drop_row(helper, row, told.is_some())?,
            }
        }
        Ok(None)
    }

    /// Files that wait for a helper; looks at no more than `limit`.
    pub fn waiting_for(&self, helper: Helper, limit: usize) -> Result<usize> {
        let (mut seen, start) = (0, prefix(helper));
        self.store
            .snapshot()?
            .scan(&start, &prefix_end(&start), &mut |_, _| {
                seen += 1;
                Ok(seen < limit)
            })?;
        Ok(seen)
    }

    /// One transaction: the helper's record in place of the one that is there, `Extracted` in the partition log; the file waits
    /// no more. [`crate::Error::BlockMissing`] when a text block was not stored.
    pub fn finish_later(&self, later: &Later, record: &ExtractionRecord) -> Result<()> {
        self.store.transact(&mut |txn| {
            later.row.remove(later.helper, txn)?;
            let Some(ns) = namespace_of(&*txn, later.job.file)? else {
                return Ok(());
            };
            put_record(txn, &later.job.record_key(), record)?;
            wait(txn, &later.job, record)?;
            let change = Change::Extracted {
                file: later.job.file,
            };
            journal::append_to_partition(txn, ns, &change)
        })?;
        Ok(())
    }

    /// Keeps what was read of a page, so that it is not read again.
    pub fn keep_page(&self, later: &Later, page: u32, text: &str) -> Result<()> {
        let key = [later.row.pages(), page.to_be_bytes().to_vec()].concat();
        self.store
            .transact(&mut |txn| keys::write(txn, key.clone(), &text))?;
        Ok(())
    }

    /// The pages that are kept, by number.
    pub fn kept_pages(&self, later: &Later) -> Result<Vec<(u32, String)>> {
        let prefix = later.row.pages();
        let rows = keys::prefixed(&*self.store.snapshot()?, &prefix)?;
        let page = |(key, value): &crate::kv::Pair| {
            let number = key.get(prefix.len()..).and_then(|n| n.try_into().ok());
            let number = u32::from_be_bytes(number.unwrap_or_default());
            Ok((number, row::decode("page of a helper", value)?))
        };
        rows.iter().map(page).collect()
    }

    fn drop_row(&self, helper: Helper, row: Row, is_told: bool) -> Result<()> {
        self.store.transact(&mut |txn| {
            row.remove(helper, txn)?;
            let ns = namespace_of(&*txn, row.file)?.filter(|_| is_told);
            ns.map_or(Ok(()), |ns| {
                journal::append_to_partition(txn, ns, &Change::Extracted { file: row.file })
            })
        })?;
        Ok(())
    }
}

/// The file waits for the helper that its record names, if it names one.
pub(super) fn wait(txn: &mut dyn Transaction, job: &Job, record: &ExtractionRecord) -> Result<()> {
    if let Some(helper) = record.awaits {
        let row = Row {
            account: job.account,
            rev: job.rev,
            file: job.file,
        };
        txn.put(row.key(helper), row::encode(&())?.into());
    }
    Ok(())
}

impl Row {
    fn of(key: &[u8]) -> Result<Self> {
        let at = |place| row::u64_at("key of a waiting file", key, place);
        Ok(Row {
            account: AccountId(at(2)?),
            rev: Rev(at(10)?),
            file: FileId(at(18)?),
        })
    }

    fn parts(&self) -> [[u8; 8]; 3] {
        [
            self.account.0.to_be_bytes(),
            self.rev.0.to_be_bytes(),
            self.file.0.to_be_bytes(),
        ]
    }

    /// `EXTRACT_LATER helper account rev file`.
    fn key(&self, helper: Helper) -> Vec<u8> {
        [prefix(helper), self.parts().concat()].concat()
    }

    /// What the keys of its kept pages start with: `EXTRACT_PAGE account rev file`.
    fn pages(&self) -> Vec<u8> {
        key(keyspace::EXTRACT_PAGE, &[&self.parts().concat()])
    }

    fn remove(&self, helper: Helper, txn: &mut dyn Transaction) -> Result<()> {
        txn.delete(self.key(helper));
        for (page, _) in keys::prefixed(&*txn, &self.pages())? {
            txn.delete(page);
        }
        Ok(())
    }
}

fn prefix(helper: Helper) -> Vec<u8> {
    let tag = match helper {
        Helper::Ocr => 0,
        Helper::Tika => 1,
    };
    vec![keyspace::EXTRACT_LATER, tag]
}

/// The first row of accounts from `account` on.
fn first_row(
    rows: &dyn Snapshot,
    helper: Helper,
    account: u64,
    aside: &HashSet<(FileId, Rev)>,
) -> Result<Option<Row>> {
    let start = [prefix(helper), account.to_be_bytes().to_vec()].concat();
    let (end, mut found) = (prefix_end(&prefix(helper)), None);
    rows.scan(&start, &end, &mut |key, _| {
        let row = Row::of(key)?;
        let is_aside = aside.contains(&(row.file, row.rev));
        found = (!is_aside).then_some(row);
        Ok(is_aside)
    })?;
    Ok(found)
}
