//! Claims: which process extracts a content, where several share the work. A claim ends by itself, and with its
//! process as far as others know, so that the content of one that died is taken over.

use super::{Extractions, Job};
use crate::error::Result;
use crate::kv::Transaction;
use crate::meta::keys::key;
use crate::{keyspace, row};

impl Extractions {
    /// Of these jobs, those whose contents are claimed for `owner` from now on until `until_ms`: none of those that are `alive` had them.
    pub fn claim(
        &self,
        jobs: Vec<Job>,
        (owner, alive): (u64, &[u64]),
        now_ms: i64,
        until_ms: i64,
    ) -> Result<Vec<Job>> {
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let mut mine = Vec::new();
        self.store.transact(&mut |txn| {
            mine.clear();
            for (index, job) in jobs.iter().enumerate() {
                let key = claim_key(job);
                if is_free(txn, &key, (owner, alive), now_ms)? {
                    mine.push(index);
                    let value = [owner.to_be_bytes(), until_ms.to_be_bytes()].concat();
                    txn.put(key, value.into());
                }
            }
            Ok(())
        })?;
        let mut index = 0..;
        let is_mine = |_: &Job| index.next().is_some_and(|index| mine.contains(&index));
        Ok(jobs.into_iter().filter(is_mine).collect())
    }
}

/// The job's content is done with.
pub(super) fn release(txn: &mut dyn Transaction, job: &Job) {
    txn.delete(claim_key(job));
}

fn is_free(
    txn: &dyn Transaction,
    key: &[u8],
    (owner, alive): (u64, &[u64]),
    now_ms: i64,
) -> Result<bool> {
    let Some(claim) = txn.get(key)? else {
        return Ok(true);
    };
    let until_ms = row::u64_at("extraction claim", &claim, 8)?.cast_signed();
    let holder = row::u64_at("extraction claim", &claim, 0)?;
    Ok(holder == owner || !alive.contains(&holder) || until_ms <= now_ms)
}

/// `EXTRACT_CLAIM`, then as the record's key.
fn claim_key(job: &Job) -> Vec<u8> {
    key(keyspace::EXTRACT_CLAIM, &[&job.content()[1..]])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Scope;
    use super::*;
    use crate::kv::memory::MemoryStore;
    use crate::meta::{AccountId, FileId, NamespaceId, Rev, TeamId};

    fn job(file: u64, content: u8) -> Job {
        Job {
            account: AccountId(file),
            ns: NamespaceId(file),
            file: FileId(file),
            rev: Rev(1),
            name: "a.txt".into(),
            size: 1,
            content_hash: [content; 32],
            blocks: Vec::new(),
            scope: Scope::Team(TeamId(1)),
            request: None,
        }
    }

    #[test]
    fn a_content_has_one_owner_until_its_claim_is_over() {
        let extractions = Extractions::new(Arc::new(MemoryStore::default()));
        let claim = |owner, now_ms, jobs: Vec<Job>| -> Vec<u64> {
            let mine = extractions.claim(jobs, (owner, &[7, 8]), now_ms, now_ms + 100);
            mine.unwrap().iter().map(|job| job.file.0).collect()
        };
        // The same content in two files of a team: both are the first one's.
        assert_eq!(claim(7, 0, vec![job(1, 1), job(2, 1)]), [1, 2]);
        assert_eq!(claim(8, 99, vec![job(3, 1), job(4, 2)]), [4]);
        assert_eq!(claim(8, 100, vec![job(3, 1)]), [3]);
        assert_eq!(claim(7, 101, vec![job(1, 1)]), [0; 0]);
        // Its process is gone.
        let mine = extractions.claim(vec![job(1, 1)], (7, &[7]), 102, 200);
        assert_eq!(mine.unwrap().len(), 1);
    }
}
