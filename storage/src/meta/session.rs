//! Upload sessions: content that arrives over several calls and becomes a file at the end.
//!
//! Rows: `UPLOAD 0 account session` -> [`Upload`]; `UPLOAD 1 account session index` -> hash of a full block;
//! `UPLOAD 2 expiry account session` -> empty; `UPLOAD 3 account`: how many the account has open.
//!
//! What was acknowledged survives a crash: every byte is in a durable block before the row names it (I1). What does not fill a block
//! yet is stored as small blocks of its own, *pieces*, and stored again with what follows once together they fill one. All of
//! them are referenced by the session (I7) until it is finished or expires.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::ids::AccountId;
use super::{Blocks, Meta, Refusal, keys, secret};
use crate::block::{Owner, reference, unreference};
use crate::chunk::{BLOCK_BYTES, BlockHash};
use crate::error::{Error, Result};
use crate::keyspace::UPLOAD;
use crate::kv::{Snapshot, Transaction, prefix_end};

const ROWS: u8 = 0;
const BLOCKS: u8 = 1;
const BY_EXPIRY: u8 = 2;
const OPEN: u8 = 3;
/// How long a session lives, milliseconds: seven days.
pub const LIFETIME_MS: i64 = 7 * 24 * 3600 * 1000;
/// Most sessions that an account has open.
pub const MAX_OPEN: i64 = 10_000;
/// Most blocks of a session: 400 GiB.
pub const MAX_BLOCKS: usize = 102_400;
/// Most pieces of a tail.
pub const MAX_PIECES: usize = 16;

/// Names an upload session: random, and known to its account only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UploadId(pub [u8; 16]);

impl UploadId {
    /// From its form outside; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD
            .decode(text)
            .ok()
            .and_then(|bytes| Self::from_key(&bytes))
    }

    /// From its sixteen bytes.
    pub(super) fn from_key(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(UploadId)
    }
}

impl std::fmt::Display for UploadId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A stored block that is shorter than a full one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its name.
    pub hash: BlockHash,
    /// Its length, bytes.
    pub bytes: u32,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// How many full blocks there are.
    pub blocks: u32,
    /// What follows them, in order: together less than a block.
    pub tail: Vec<Piece>,
    /// Nothing more may be appended.
    pub closed: bool,
    /// When it was started, milliseconds since 1970.
    pub created_ms: i64,
}

impl Upload {
    /// Bytes received so far: where the next append starts.
    pub fn offset(&self) -> u64 {
        let tail: u64 = self.tail.iter().map(|piece| u64::from(piece.bytes)).sum();
        u64::from(self.blocks) * BLOCK_BYTES as u64 + tail
    }
}

/// Stored blocks to append to a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Append {
    /// The offset that the caller believes the session to be at.
    pub at: u64,
    /// Full blocks, in order; the first holds the session's present tail.
    pub blocks: Vec<BlockHash>,
    /// The whole tail after them.
    pub tail: Vec<Piece>,
    /// Whether nothing more may be appended.
    pub close: bool,
}

impl Meta {
    /// Starts a session of `account` with what its first call brought (`append.at` is 0).
    pub fn start_upload(&self, account: AccountId, append: &Append) -> Result<UploadId> {
        let id = UploadId(secret::bytes::<16>(self.random()));
        self.start(account, &[id], append)?;
        Ok(id)
    }

    /// Starts `count` empty sessions of `account` in one transaction: all of them, or none.
    pub fn start_uploads(&self, account: AccountId, count: usize) -> Result<Vec<UploadId>> {
        let ids = std::iter::repeat_with(|| UploadId(secret::bytes::<16>(self.random())));
        let ids: Vec<UploadId> = ids.take(count).collect();
        self.start(account, &ids, &Append::default())?;
        Ok(ids)
    }

    fn start(&self, account: AccountId, ids: &[UploadId], append: &Append) -> Result<()> {
        let created_ms = self.now_ms();
        let empty = Upload {
            blocks: 0,
            tail: Vec::new(),
            closed: false,
            created_ms,
        };
        let outcome = self.store().transact(&mut |txn| {
            txn.add(&open_counter(account), ids.len() as i64, Some(MAX_OPEN));
            for &id in ids {
                txn.put(expiry_key(&empty, account, id), Vec::new().into());
                self.extend(txn, account, id, &empty, append)?;
            }
            Ok(())
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(Error::CounterBound { .. }) => Err(Refusal::TooManyUploads.into()),
            Err(error) => Err(error),
        }
    }

    /// How far the session is; `None` when the account has no such session, or it expired.
    pub fn upload(&self, account: AccountId, id: UploadId) -> Result<Option<Upload>> {
        self.read_upload(&*self.store().snapshot()?, account, id)
    }

    /// Appends; returns the new offset. Refused as `NotFound`, `IncorrectOffset` with the right one, `UploadClosed`, or
    /// `TooLarge`. Of two appends at one offset one is done.
    pub fn append_upload(&self, account: AccountId, id: UploadId, append: &Append) -> Result<u64> {
        self.transact(|txn| {
            let upload = self
                .read_upload(&*txn, account, id)?
                .ok_or(Refusal::NotFound)?;
            if upload.offset() != append.at {
                return Err(Refusal::IncorrectOffset {
                    correct: upload.offset(),
                }
                .into());
            }
            let adds = !append.blocks.is_empty() || append.tail != upload.tail;
            if upload.closed && adds {
                return Err(Refusal::UploadClosed.into());
            }
            self.extend(txn, account, id, &upload, append)
        })
    }

    /// The session's full blocks, in order.
    pub fn upload_blocks(&self, account: AccountId, id: UploadId) -> Result<Vec<BlockHash>> {
        let rows = self.store().snapshot()?;
        let upload = self
            .read_upload(&*rows, account, id)?
            .ok_or(Refusal::NotFound)?;
        read_blocks(&*rows, account, id, upload.blocks)
    }

    /// Drops the session and its references: when its file is committed, or nobody wants it. Nothing happens when it is gone.
    pub fn drop_upload(&self, account: AccountId, id: UploadId) -> Result<()> {
        self.transact(|txn| drop_in(txn, account, id))
    }

    /// Drops at most `limit` sessions that are older than [`LIFETIME_MS`]; returns how many.
    pub fn expire_uploads(&self, limit: usize) -> Result<usize> {
        let before_ms = self.now_ms() - LIFETIME_MS;
        let end = keys::key(UPLOAD, &[&[BY_EXPIRY], &before_ms.max(0).to_be_bytes()]);
        let due = self
            .store()
            .snapshot()?
            .range(&[UPLOAD, BY_EXPIRY], &end, false, limit)?;
        for (key, _) in &due {
            let account = AccountId(crate::row::u64_at("upload expiry", key, 10)?);
            let id = key
                .get(18..)
                .and_then(|id| id.try_into().ok())
                .map(UploadId);
            self.transact(|txn| {
                txn.delete(key.clone());
                id.map_or(Ok(()), |id| drop_in(txn, account, id))
            })?;
        }
        Ok(due.len())
    }

    pub(super) fn read_upload(
        &self,
        rows: &dyn Snapshot,
        account: AccountId,
        id: UploadId,
    ) -> Result<Option<Upload>> {
        let found: Option<Upload> = keys::read(rows, &upload_key(account, id), "upload")?;
        Ok(found.filter(|upload| self.now_ms() - upload.created_ms < LIFETIME_MS))
    }

    fn extend(
        &self,
        txn: &mut dyn Transaction,
        account: AccountId,
        id: UploadId,
        upload: &Upload,
        append: &Append,
    ) -> Result<u64> {
        let total = upload.blocks as usize + append.blocks.len();
        let tail_bytes: u64 = append.tail.iter().map(|piece| u64::from(piece.bytes)).sum();
        if total > MAX_BLOCKS {
            return Err(Refusal::TooLarge.into());
        }
        if append.tail.len() > MAX_PIECES || tail_bytes >= BLOCK_BYTES as u64 {
            return Err(Error::Engine(format!(
                "upload {id}: a tail of {tail_bytes} bytes"
            )));
        }
        let owner = Owner::upload(&id.0);
        let (before, after) = (hashes(&upload.tail), hashes(&append.tail));
        for hash in append.blocks.iter().chain(after.difference(&before)) {
            if self.blocks == Blocks::Required {
                reference(txn, hash, &owner)?; // I1, I7
            }
        }
        for hash in before.difference(&after) {
            unreference(txn, hash, &owner);
        }
        for (index, hash) in (upload.blocks..).zip(&append.blocks) {
            txn.put(block_key(account, id, index), hash.0.to_vec().into());
        }
        let extended = Upload {
            blocks: u32::try_from(total).map_err(|_| Refusal::TooLarge)?,
            tail: append.tail.clone(),
            closed: upload.closed || append.close,
            created_ms: upload.created_ms,
        };
        if extended.offset() < upload.offset() {
            return Err(Error::Engine(format!("upload {id} would lose bytes")));
        }
        keys::write(txn, upload_key(account, id), &extended)?;
        Ok(extended.offset())
    }
}

/// Removes a session's rows and references in the caller's transaction.
pub(crate) fn drop_in(txn: &mut dyn Transaction, account: AccountId, id: UploadId) -> Result<()> {
    let Some(upload) = keys::read::<Upload>(&*txn, &upload_key(account, id), "upload")? else {
        return Ok(());
    };
    for hash in held(&*txn, account, id, &upload)? {
        unreference(txn, &hash, &Owner::upload(&id.0));
    }
    for index in 0..upload.blocks {
        txn.delete(block_key(account, id, index));
    }
    txn.delete(upload_key(account, id));
    txn.delete(expiry_key(&upload, account, id));
    txn.add(&open_counter(account), -1, None);
    Ok(())
}

/// The first `count` full blocks of a session, all of which must be there.
fn read_blocks(
    rows: &dyn Snapshot,
    account: AccountId,
    id: UploadId,
    count: u32,
) -> Result<Vec<BlockHash>> {
    let corrupt = |detail: String| Error::Corrupt {
        what: format!("upload {id}"),
        detail,
    };
    let start = keys::key(UPLOAD, &[&[BLOCKS], &account.0.to_be_bytes(), &id.0]);
    let found = rows.range(&start, &prefix_end(&start), false, MAX_BLOCKS + 1)?;
    if found.len() != count as usize {
        return Err(corrupt(format!("{} blocks of {count}", found.len())));
    }
    let hash = |value: Vec<u8>| value.try_into().map(BlockHash);
    found
        .into_iter()
        .map(|(_, value)| {
            hash(value).map_err(|value| corrupt(format!("a hash of {} bytes", value.len())))
        })
        .collect()
}

/// Every block that the session holds. // I7
pub(super) fn held(
    rows: &dyn Snapshot,
    account: AccountId,
    id: UploadId,
    upload: &Upload,
) -> Result<Vec<BlockHash>> {
    let mut held = read_blocks(rows, account, id, upload.blocks)?;
    held.extend(hashes(&upload.tail));
    Ok(held)
}

fn hashes(tail: &[Piece]) -> BTreeSet<BlockHash> {
    tail.iter().map(|piece| piece.hash).collect()
}

pub(super) fn upload_key(account: AccountId, id: UploadId) -> Vec<u8> {
    keys::key(UPLOAD, &[&[ROWS], &account.0.to_be_bytes(), &id.0])
}

fn block_key(account: AccountId, id: UploadId, index: u32) -> Vec<u8> {
    keys::key(
        UPLOAD,
        &[
            &[BLOCKS],
            &account.0.to_be_bytes(),
            &id.0,
            &index.to_be_bytes(),
        ],
    )
}

pub(super) fn expiry_key(upload: &Upload, account: AccountId, id: UploadId) -> Vec<u8> {
    let created_ms = upload.created_ms.max(0).to_be_bytes();
    keys::key(
        UPLOAD,
        &[&[BY_EXPIRY], &created_ms, &account.0.to_be_bytes(), &id.0],
    )
}

fn open_counter(account: AccountId) -> Vec<u8> {
    keys::key(UPLOAD, &[&[OPEN], &account.0.to_be_bytes()])
}
