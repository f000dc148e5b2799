//! What waits for text extraction, and what extraction found.
//!
//! A record belongs to a content, within a scope: the same file stored by a whole team is extracted once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chunk::BlockHash;
use crate::error::{Error, Result};
use crate::kv::Store;
use crate::meta::{AccountId, FileId, NamespaceId, Rev, TeamId};

/// The version of the extractors: a record of another version counts as absent. Raise it when extraction changes.
pub const EXTRACTOR_VERSION: u32 = 1;

/// Who shares extraction results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scope {
    /// All of a team.
    Team(TeamId),
    /// One account.
    Account(AccountId),
}

/// A file that waits for extraction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Whose turn it takes: the namespace's owner.
    pub account: AccountId,
    /// Where the file lay when it was queued.
    pub ns: NamespaceId,
    /// The file.
    pub file: FileId,
    /// The version to extract.
    pub rev: Rev,
    /// Its name, for its extension.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Dropbox's content_hash.
    pub content_hash: [u8; 32],
    /// The content.
    pub blocks: Vec<BlockHash>,
    /// Who may reuse the result.
    pub scope: Scope,
}

/// How an extraction ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// There is text.
    Text,
    /// The format has text, this file has none.
    NothingToExtract,
    /// A password is needed.
    Encrypted,
    /// No extractor for this type.
    Unsupported,
    /// It took too long.
    TimedOut,
    /// Only the beginning was taken.
    TooLarge {
        /// Bytes of text that were taken.
        indexed_bytes: u64,
    },
    /// Pictures of text.
    NeedsOcr,
    /// The file is broken.
    Damaged {
        /// How.
        detail: String,
    },
}

/// Where the extracted text is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextSource {
    /// There is none.
    None,
    /// The file's own bytes are the text.
    Content,
    /// In blocks of its own.
    Blocks {
        /// The blocks, in order.
        blocks: Vec<BlockHash>,
        /// Bytes of text.
        bytes: u64,
    },
}

/// What extraction found in a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtractionRecord {
    /// [`EXTRACTOR_VERSION`] of who made it.
    pub version: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The detected type (`pdf`, `docx` …).
    pub file_type: String,
    /// document, spreadsheet, presentation, pdf, image, text, code, mail, archive, audio, video, other.
    pub category: String,
    /// The format's title field.
    pub title: Option<String>,
    /// The format's author field.
    pub author: Option<String>,
    /// ISO 639-3 code of the text's language.
    pub language: Option<String>,
    /// Where each page of the text ends, bytes.
    pub pages: Vec<u32>,
    /// Where the text is.
    pub text: TextSource,
    /// Words in the text.
    pub words: u32,
}

/// Queue and records of a store.
#[derive(Clone)]
pub struct Extractions {
    store: Arc<dyn Store>,
}

impl Extractions {
    /// Queue and records of `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Extractions { store }
    }

    /// Jobs for the accounts after `after` (`None`: from the first), at most `per_account` each and `limit` in all;
    /// fair when the caller passes the last job's account next time, and `None` when nothing came.
    pub fn next_jobs(
        &self,
        after: Option<AccountId>,
        per_account: usize,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let _ = (&self.store, after, per_account, limit);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// The record of a content, made by the present extractors; `extension` as [`crate::meta::path::extension`] gives it.
    pub fn record(
        &self,
        scope: Scope,
        content_hash: &[u8; 32],
        extension: &str,
    ) -> Result<Option<ExtractionRecord>> {
        let _ = (scope, content_hash, extension);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// One transaction: the record, its references to the text's blocks, `Extracted` in the partition log; the job is done.
    pub fn finish(&self, job: &Job, record: &ExtractionRecord) -> Result<()> {
        let _ = (job, record);
        Err(Error::Engine("not built yet".to_owned()))
    }

    /// Jobs that wait, by account; counts at most `limit` rows in all.
    pub fn depth(&self, limit: usize) -> Result<Vec<(AccountId, u64)>> {
        let _ = limit;
        Err(Error::Engine("not built yet".to_owned()))
    }
}
