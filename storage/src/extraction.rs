//! What waits for text extraction, and what extraction found.
//!
//! A record belongs to a content, within a scope: the same file stored by a whole team is extracted once. Records of a
//! content go when no version has it any more.

mod claim;
mod member;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

pub mod later;
#[cfg(feature = "fuzz")]
pub(crate) use member::decode as decode_members;
pub use member::{Letter, MAX_FACTS_BYTES, MAX_MEMBERS, Member, MemberKind, Members};

use crate::chunk::BlockHash;
use crate::error::Result;
use crate::journal::{self, Change};
use crate::kv::{Snapshot, Store, Transaction, prefix_end};
use crate::meta::keys::{self, key};
use crate::meta::path::extension;
use crate::meta::{AccountId, FileId, NamespaceId, NodeKind, Rev, TeamId};
use crate::{block, keyspace, row, trace};

/// The version of the extractors. Raise it when extraction changes: a record of an older version is read, and replaced when its
/// file is looked at again.
pub const EXTRACTOR_VERSION: u32 = 4;

/// The first version whose records may still say what today's extractors would.
const FIRST_VERSION: u32 = 2;

/// What each later version reads otherwise than the one before: categories and types. Of type `binary` were archives and workbooks
/// that had no reader.
const CHANGED: [(u32, &[&str]); 2] = [
    (3, &["mail", "archive"]),
    (
        4,
        &[
            "archive", "xls", "xlsx", "ppt", "doc", "jpeg", "png", "tiff", "webp", "binary",
        ],
    ),
];

/// How much older than where a look begins a job may be, milliseconds: uploads take their revs before they are committed.
pub const OVERLAP_MS: u64 = 1_000;

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
    /// The request that it comes from, where one is known: extraction's log lines carry it.
    #[serde(with = "trace::optional")]
    pub request: Option<trace::Id>,
}

/// How an extraction ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All the text the format's reader finds.
    Text,
    /// A well-formed file without words (an empty file, a picture without a description).
    #[default]
    NothingToExtract,
    /// It needs a password.
    Encrypted,
    /// No reader for this format.
    Unsupported,
    /// The time limit ended it.
    TimedOut,
    /// The size limit ended it: only the beginning was taken.
    TooLarge {
        /// Bytes of text that were kept.
        indexed_bytes: u64,
    },
    /// Pictures of pages only.
    NeedsOcr,
    /// The file breaks its format's rules, or broke its reader.
    Damaged {
        /// What was found, for the file's owner.
        detail: String,
    },
}

impl Outcome {
    /// Its word, for people and programs.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Text => "text",
            Outcome::NothingToExtract => "nothing_to_extract",
            Outcome::Encrypted => "encrypted",
            Outcome::Unsupported => "unsupported",
            Outcome::TimedOut => "timed_out",
            Outcome::TooLarge { .. } => "too_large",
            Outcome::NeedsOcr => "needs_ocr",
            Outcome::Damaged { .. } => "damaged",
        }
    }
}

/// Where the extracted text is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TextSource {
    /// There is none.
    #[default]
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

/// Who may find more in a content than the ordinary readers did, when it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Helper {
    /// Recognition of characters in pictures.
    Ocr,
    /// A Tika server, for formats without a reader.
    Tika,
}

/// What extraction found in a content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where each page of the text ends, bytes: pages of a PDF, slides, sheets, chapters of a book, messages of a mailbox,
    /// a message and its attachments, members of an archive.
    pub pages: Vec<u32>,
    /// Where the text is.
    pub text: TextSource,
    /// Words in the text.
    pub words: u32,
    /// What each of `pages` is called, where some have names: sheets, subjects, attachments, paths in an archive; else empty.
    #[serde(deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// Who may still find more.
    #[serde(deserialize_with = "or_default")]
    pub awaits: Option<Helper>,
    /// What is in the file that is found by itself; none where nothing is.
    #[serde(deserialize_with = "or_default")]
    pub members: Option<Members>,
    /// Sender, recipients and subject of a message.
    #[serde(deserialize_with = "or_default")]
    pub letter: Option<Letter>,
}

impl ExtractionRecord {
    /// True when today's extractors have made it, or would make the same.
    pub fn is_current(&self) -> bool {
        let is_changed = |changed: &[&str]| {
            changed.contains(&self.category.as_str()) || changed.contains(&self.file_type.as_str())
        };
        let mut later = CHANGED
            .iter()
            .filter(|(version, _)| *version > self.version);
        let is_known = (FIRST_VERSION..=EXTRACTOR_VERSION).contains(&self.version);
        is_known && !later.any(|(_, changed)| is_changed(changed))
    }

    /// The same, to be replaced.
    fn outdated(self) -> Self {
        ExtractionRecord { version: 0, ..self }
    }

    /// The blocks that are stored for it alone: its text's, and its members'.
    fn blocks(&self) -> impl Iterator<Item = &BlockHash> {
        let text = match &self.text {
            TextSource::Blocks { blocks, .. } => blocks.as_slice(),
            TextSource::None | TextSource::Content => &[],
        };
        let members = self.members.iter().flat_map(|members| &members.blocks);
        text.iter().chain(members)
    }
}

/// Records of earlier releases end before the fields that came later.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    row: D,
) -> std::result::Result<T, D::Error> {
    Ok(T::deserialize(row).unwrap_or_default())
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

    /// Jobs of the accounts after `after` (`None`: from the first), oldest first within an account, at most `per_account`
    /// each and `limit` in all; begins again with the first account when it has passed the last. Fair when the caller passes
    /// the last job's account next time. Jobs stay in the queue until they are finished. A job whose content has a record
    /// by now ([`Extractions::record`]) is finished with that one.
    pub fn next_jobs(
        &self,
        after: Option<AccountId>,
        per_account: usize,
        limit: usize,
    ) -> Result<Vec<Job>> {
        self.next_jobs_from(&BTreeMap::new(), after, per_account, limit)
    }

    /// The same, but of the accounts in `begins` without looking at what is [`OVERLAP_MS`] older than that rev. The rows of
    /// finished jobs cost time until the store has forgotten them: who has seen to the older ones passes them over. A job may
    /// be committed after one with a newer rev, and later than the overlap: look through all of the queue now and then.
    pub fn next_jobs_from(
        &self,
        begins: &BTreeMap<AccountId, Rev>,
        after: Option<AccountId>,
        per_account: usize,
        limit: usize,
    ) -> Result<Vec<Job>> {
        let rows = self.store.snapshot()?;
        let look = Look {
            rows: &*rows,
            begins,
            per_account,
            limit,
        };
        let mut jobs = Vec::new();
        let first = after.map_or(Some(0), |after| after.0.checked_add(1));
        if let Some(first) = first {
            look.take(first, None, &mut jobs)?;
        }
        if let Some(after) = after {
            look.take(0, after.0.checked_add(1), &mut jobs)?;
        }
        Ok(jobs)
    }

    /// The record of a content, perhaps an older extractor's ([`ExtractionRecord::is_current`]); `extension` as
    /// [`crate::meta::path::extension`] gives it.
    pub fn record(
        &self,
        scope: Scope,
        content_hash: &[u8; 32],
        extension: &str,
    ) -> Result<Option<ExtractionRecord>> {
        let key = record_key(scope, content_hash, extension);
        let row = self.store.get(&key)?;
        row.map(|row| row::decode("extraction record", &row))
            .transpose()
    }

    /// One transaction: the record, its references to the text's blocks, `Extracted` in the partition log; the job is done.
    /// Where the file is gone for good, only the job goes. [`crate::Error::BlockMissing`] when a text block was not stored.
    pub fn finish(&self, job: &Job, record: &ExtractionRecord) -> Result<()> {
        self.finish_all(&[(job, record)])
    }

    /// The same for many jobs in one transaction.
    pub fn finish_all(&self, finished: &[(&Job, &ExtractionRecord)]) -> Result<()> {
        self.store.transact(&mut |txn| {
            for (job, record) in finished {
                txn.delete(queue_key(job));
                claim::release(txn, job);
                let Some(ns) = namespace_of(&*txn, job.file)? else {
                    continue;
                };
                put_record(txn, &job.record_key(), record)?;
                later::wait(txn, job, record)?;
                let change = Change::Extracted { file: job.file };
                journal::append_to_partition(txn, ns, &change)?;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Sees to it that the head of a live file that has no record gets one: it was renamed to another extension while it
    /// waited, or the extractors are newer than its record. A record that came meanwhile is logged again as `Extracted`.
    pub fn ensure(&self, file: FileId) -> Result<()> {
        let rows = self.store.snapshot()?;
        let Some(job) = job_of(&*rows, file)? else {
            return Ok(());
        };
        let queued: Option<Job> = keys::read(&*rows, &queue_key(&job), "extraction job")?;
        if queued.is_some_and(|queued| queued.record_key() == job.record_key()) {
            return Ok(());
        }
        self.store.transact(&mut |txn| {
            let Some(job) = job_of(&*txn, file)? else {
                return Ok(());
            };
            if present(&*txn, &job.record_key())?.is_some() {
                return journal::append_to_partition(txn, job.ns, &Change::Extracted { file });
            }
            keys::write(txn, queue_key(&job), &job)
        })?;
        Ok(())
    }

    /// Has the head of a live file extracted again, whatever is known of it; what is known is searched until then. False when
    /// there is no such file.
    pub fn retry(&self, file: FileId) -> Result<bool> {
        let mut is_queued = false;
        self.store.transact(&mut |txn| {
            let Some(job) = job_of(&*txn, file)? else {
                is_queued = false;
                return Ok(());
            };
            let key = job.record_key();
            let known: Option<ExtractionRecord> = keys::read(&*txn, &key, "extraction record")?;
            if let Some(known) = known {
                keys::write(txn, key, &known.outdated())?;
            }
            is_queued = true;
            keys::write(txn, queue_key(&job), &job)
        })?;
        Ok(is_queued)
    }

    /// The job in the queue for a live file's head; `None` when none waits.
    pub fn waiting(&self, file: FileId) -> Result<Option<Job>> {
        let rows = self.store.snapshot()?;
        match job_of(&*rows, file)? {
            Some(job) => keys::read(&*rows, &queue_key(&job), "extraction job"),
            None => Ok(None),
        }
    }

    /// Jobs that wait, by account; looks at no more than `limit` jobs.
    pub fn depth(&self, limit: usize) -> Result<Vec<(AccountId, u64)>> {
        let (mut counts, mut seen) = (Vec::<(AccountId, u64)>::new(), 0);
        let (start, end) = ([keyspace::EXTRACT_QUEUE], [keyspace::EXTRACT_QUEUE + 1]);
        self.store.snapshot()?.scan(&start, &end, &mut |key, _| {
            let account = AccountId(row::u64_at("queue key", key, 1)?);
            match counts.last_mut() {
                Some((last, count)) if *last == account => *count += 1,
                _ => counts.push((account, 1)),
            }
            seen += 1;
            Ok(seen < limit)
        })?;
        Ok(counts)
    }
}

impl Scope {
    fn to_bytes(self) -> [u8; 9] {
        let (tag, id) = match self {
            Scope::Account(account) => (0, account.0),
            Scope::Team(team) => (1, team.0),
        };
        let mut bytes = [tag; 9];
        bytes[1..].copy_from_slice(&id.to_be_bytes());
        bytes
    }
}

impl Job {
    /// Names what is to be extracted: jobs of the same content within a scope get the same record.
    pub fn content(&self) -> Vec<u8> {
        self.record_key()
    }

    fn record_key(&self) -> Vec<u8> {
        record_key(self.scope, &self.content_hash, &extension(&self.name))
    }
}

/// Queues a job, unless the present extractors' record is there.
pub(crate) fn enqueue(txn: &mut dyn Transaction, job: &Job) -> Result<()> {
    match present(&*txn, &job.record_key())? {
        Some(record) => later::wait(txn, job, &record),
        None => keys::write(txn, queue_key(job), job),
    }
}

/// A content comes into another scope: its record there is a copy of the one in scope `from`, or it is queued.
pub(crate) fn adopt(txn: &mut dyn Transaction, from: Scope, job: &Job) -> Result<()> {
    let there = present(&*txn, &job.record_key())?;
    let here = present(
        &*txn,
        &record_key(from, &job.content_hash, &extension(&job.name)),
    )?;
    match (there, here) {
        (Some(record), _) => later::wait(txn, job, &record),
        (None, Some(record)) => {
            put_record(txn, &job.record_key(), &record)?;
            later::wait(txn, job, &record)
        }
        (None, None) => enqueue(txn, job),
    }
}

/// A file had the extension `before`: unless the record for the present one is there, it is queued, and a text that was found
/// under the other is searched until then.
pub(crate) fn rename(txn: &mut dyn Transaction, before: &str, job: &Job) -> Result<()> {
    let key = job.record_key();
    let there: Option<ExtractionRecord> = keys::read(&*txn, &key, "extraction record")?;
    if there.is_none()
        && let Some(known) = present(&*txn, &record_key(job.scope, &job.content_hash, before))?
        && known.words > 0
    {
        put_record(txn, &key, &known.outdated())?;
    }
    enqueue(txn, job)
}

/// Removes a content's records in every scope; their texts' blocks are not needed any more.
pub(crate) fn drop_records(txn: &mut dyn Transaction, content_hash: &[u8; 32]) -> Result<()> {
    for (key, _) in keys::prefixed(&*txn, &key(keyspace::EXTRACTION, &[content_hash]))? {
        drop_text(txn, &key)?;
        txn.delete(key);
    }
    Ok(())
}

fn put_record(txn: &mut dyn Transaction, key: &[u8], record: &ExtractionRecord) -> Result<()> {
    drop_text(txn, key)?;
    for hash in record.blocks() {
        block::reference(txn, hash, &block::Owner::extraction(key))?;
    }
    keys::write(txn, key.to_vec(), record)
}

/// Drops the references of the record that is there.
fn drop_text(txn: &mut dyn Transaction, key: &[u8]) -> Result<()> {
    let old: Option<ExtractionRecord> = keys::read(&*txn, key, "extraction record")?;
    if let Some(old) = old {
        let owner = block::Owner::extraction(key);
        old.blocks()
            .for_each(|hash| block::unreference(txn, hash, &owner));
    }
    Ok(())
}

/// A record of the present extractors.
fn present(rows: &dyn Snapshot, key: &[u8]) -> Result<Option<ExtractionRecord>> {
    let record: Option<ExtractionRecord> = keys::read(rows, key, "extraction record")?;
    Ok(record.filter(ExtractionRecord::is_current))
}

/// The namespace that a file lies in, dead or alive.
fn namespace_of(rows: &dyn Snapshot, file: FileId) -> Result<Option<NamespaceId>> {
    let mut next = Some(file);
    while let Some(file) = next {
        let Some(node) = keys::get_node(rows, file)? else {
            return Ok(None);
        };
        if let NodeKind::Root { ns } = node.kind {
            return Ok(Some(ns));
        }
        next = node.parent;
    }
    Ok(None)
}

/// The job of a file's head; `None` when it is no file, or deleted itself.
fn job_of(rows: &dyn Snapshot, file: FileId) -> Result<Option<Job>> {
    let node = keys::get_node(rows, file)?.filter(|node| node.deleted.is_none());
    let Some((node, ns)) = node.zip(namespace_of(rows, file)?) else {
        return Ok(None);
    };
    let (Some(head), Some(namespace)) = (node.head(), keys::get_namespace(rows, ns)?) else {
        return Ok(None);
    };
    Ok(Some(crate::meta::tree::job(
        ns, &namespace, file, &node.name, head,
    )))
}

/// One look at the queue.
struct Look<'a> {
    rows: &'a dyn Snapshot,
    begins: &'a BTreeMap<AccountId, Rev>,
    per_account: usize,
    limit: usize,
}

impl Look<'_> {
    /// Adds jobs, account by account from `account` to before `end` (`None`: to the last).
    fn take(&self, mut account: u64, end: Option<u64>, jobs: &mut Vec<Job>) -> Result<()> {
        while jobs.len() < self.limit {
            let begins = self.begins.range(AccountId(account)..);
            let known = begins.map(|(&known, _)| known.0).next();
            let known = known.filter(|&known| end.is_none_or(|end| known < end));
            let found = match known {
                Some(known) if known == account => Some(known),
                stop => self.first(account, stop.or(end))?.or(known),
            };
            let Some(found) = found else { break };
            self.take_of(found, jobs)?;
            match found.checked_add(1) {
                Some(next) => account = next,
                None => break,
            }
        }
        Ok(())
    }

    /// The first account from `account` to before `end` that has jobs.
    fn first(&self, account: u64, end: Option<u64>) -> Result<Option<u64>> {
        let end = end.map_or_else(|| vec![keyspace::EXTRACT_QUEUE + 1], queue_of);
        let first = self.rows.range(&queue_of(account), &end, false, 1)?.pop();
        first
            .map(|(key, _)| row::u64_at("queue key", &key, 1))
            .transpose()
    }

    fn take_of(&self, account: u64, jobs: &mut Vec<Job>) -> Result<()> {
        let queue = queue_of(account);
        let begin = self.begins.get(&AccountId(account));
        let begin = begin.map_or(0, |rev| rev.older_by(OVERLAP_MS).0);
        let start = [&queue[..], &begin.to_be_bytes()].concat();
        let most = self.per_account.min(self.limit - jobs.len());
        for (_, value) in self.rows.range(&start, &prefix_end(&queue), false, most)? {
            jobs.push(row::decode("extraction job", &value)?);
        }
        Ok(())
    }
}

/// What all jobs of an account start with.
fn queue_of(account: u64) -> Vec<u8> {
    key(keyspace::EXTRACT_QUEUE, &[&account.to_be_bytes()])
}

/// `EXTRACT_QUEUE account rev file`.
fn queue_key(job: &Job) -> Vec<u8> {
    let (rev, file) = (job.rev.0.to_be_bytes(), job.file.0.to_be_bytes());
    key(
        keyspace::EXTRACT_QUEUE,
        &[&job.account.0.to_be_bytes(), &rev, &file],
    )
}

/// `EXTRACTION content-hash scope extension`.
fn record_key(scope: Scope, content_hash: &[u8; 32], extension: &str) -> Vec<u8> {
    key(
        keyspace::EXTRACTION,
        &[content_hash, &scope.to_bytes(), extension.as_bytes()],
    )
}
