//! Asynchronous jobs: how far a batch is, and its answer once it is done.
//!
//! Rows: `JOB ++ 0 ++ account ++ id` -> [`Job`]; `JOB ++ 1 ++ expiry ++ account ++ id` -> empty.

use serde::{Deserialize, Serialize};

use super::ids::AccountId;
use super::{Meta, Refusal, keys};
use crate::error::Result;
use crate::keyspace::JOB;
use crate::row;

const ROWS: u8 = 0;
const BY_EXPIRY: u8 = 1;
/// How long a job is known after it was made, milliseconds: one day.
pub const KEPT_MS: i64 = 24 * 3600 * 1000;
/// A running job that was not renewed for so long has died with its process; milliseconds.
pub const LEASE_MS: i64 = 10 * 60 * 1000;
/// Most bytes of a result.
pub const MAX_RESULT_BYTES: usize = 4 << 20;

/// Names a job of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u64);

impl std::fmt::Display for JobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl JobId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| plain)
            .map(JobId)
    }

    /// Whether the job is of this kind.
    pub fn is(self, kind: JobKind) -> bool {
        self.0 >> KIND_SHIFT == kind as u64
    }
}

/// What a job does. The number is the first byte of its id, so that rows of every release are read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum JobKind {
    /// It makes folders.
    CreateFolders = 1,
    /// It deletes files and folders.
    Delete = 2,
    /// It moves files and folders.
    Move = 3,
    /// It copies files and folders.
    Copy = 4,
    /// It commits upload sessions.
    FinishUploads = 5,
    /// It removes a member of a shared folder.
    RemoveMember = 6,
    /// It leaves a shared folder.
    Leave = 7,
    /// It ends the sharing of a folder.
    Unshare = 8,
}

/// Bits of a job's number below its kind.
const KIND_SHIFT: u32 = 56;

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Somebody works on it.
    Running,
    /// Done: the answer, in the caller's own encoding.
    Done(Vec<u8>),
    /// The process that worked on it died.
    Lost,
}

#[derive(Serialize, Deserialize)]
struct Row {
    state: JobState,
    renewed_ms: i64,
    expires_ms: i64,
}

impl Meta {
    /// A new job of `account`, running.
    pub fn create_job(&self, account: AccountId, kind: JobKind) -> Result<JobId> {
        let below_kind = (1 << KIND_SHIFT) - 1;
        let id = JobId(self.random_id() & below_kind | (kind as u64) << KIND_SHIFT);
        let now_ms = self.now_ms();
        let (renewed_ms, expires_ms) = (now_ms, now_ms.max(0) + KEPT_MS);
        let bytes = row::encode(&Row {
            state: JobState::Running,
            renewed_ms,
            expires_ms,
        })?;
        self.transact(|txn| {
            txn.put(key(account, id), bytes.clone().into());
            txn.put(expiry_key(expires_ms, account, id), Vec::new().into());
            Ok(())
        })?;
        Ok(id)
    }

    /// Says that somebody still works on the job: to be called more often than every [`LEASE_MS`].
    pub fn renew_job(&self, account: AccountId, id: JobId) -> Result<()> {
        self.change_job(account, id, JobState::Running)
    }

    /// Stores the job's answer. Refused as `TooManyFiles` when it is longer than [`MAX_RESULT_BYTES`].
    pub fn finish_job(&self, account: AccountId, id: JobId, result: Vec<u8>) -> Result<()> {
        if result.len() > MAX_RESULT_BYTES {
            return Err(Refusal::TooManyFiles.into());
        }
        self.change_job(account, id, JobState::Done(result))
    }

    /// How far the job is; `None` when the account has no such job, or had it more than [`KEPT_MS`] ago.
    pub fn job(&self, account: AccountId, id: JobId) -> Result<Option<JobState>> {
        let (key, now_ms) = (key(account, id), self.now_ms());
        let Some(bytes) = self.store().snapshot()?.get(&key)? else {
            return Ok(None);
        };
        let found: Row = row::decode("job", &bytes)?;
        Ok(match found.state {
            _ if found.expires_ms <= now_ms => None,
            JobState::Running if now_ms - found.renewed_ms > LEASE_MS => Some(JobState::Lost),
            state => Some(state),
        })
    }

    /// Removes at most `limit` jobs that expired; returns how many.
    pub fn expire_jobs(&self, limit: usize) -> Result<usize> {
        let now_ms = self.now_ms();
        self.transact(|txn| {
            let end = keys::key(JOB, &[&[BY_EXPIRY], &now_ms.to_be_bytes()]);
            let due = txn.range(&[JOB, BY_EXPIRY], &end, false, limit)?;
            for (expiry, _) in &due {
                let mut key = vec![JOB, ROWS];
                key.extend(expiry.get(10..).unwrap_or_default());
                txn.delete(key);
                txn.delete(expiry.clone());
            }
            Ok(due.len())
        })
    }

    fn change_job(&self, account: AccountId, id: JobId, state: JobState) -> Result<()> {
        let (key, renewed_ms) = (key(account, id), self.now_ms());
        self.transact(|txn| {
            let bytes = txn.get(&key)?.ok_or(Refusal::NotFound)?;
            let found: Row = row::decode("job", &bytes)?;
            txn.put(
                key.clone(),
                row::encode(&Row {
                    state: state.clone(),
                    renewed_ms,
                    ..found
                })?
                .into(),
            );
            Ok(())
        })
    }
}

fn key(account: AccountId, id: JobId) -> Vec<u8> {
    keys::key(
        JOB,
        &[&[ROWS], &account.0.to_be_bytes(), &id.0.to_be_bytes()],
    )
}

fn expiry_key(expires_ms: i64, account: AccountId, id: JobId) -> Vec<u8> {
    keys::key(
        JOB,
        &[
            &[BY_EXPIRY],
            &expires_ms.to_be_bytes(),
            &account.0.to_be_bytes(),
            &id.0.to_be_bytes(),
        ],
    )
}

/// The expiry row that belongs to a job's row.
pub(super) fn expiry_of(key: &[u8], value: &[u8]) -> Result<Vec<u8>> {
    let found: Row = row::decode("job", value)?;
    let account = AccountId(row::u64_at("job", key, 2)?);
    Ok(expiry_key(
        found.expires_ms,
        account,
        JobId(row::u64_at("job", key, 10)?),
    ))
}
