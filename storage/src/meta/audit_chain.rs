//! The audit log's chain: every row carries a hash over itself and the row before, so that an edit, a cut or a changed order shows.
//!
//! The head (last sequence and its hash) is a row of its own, and is given out as an *anchor*: who keeps one elsewhere sees also when
//! the end of the log was cut off and the head rewritten. Rows from before the chain are covered by one hash over all of them.

use std::collections::VecDeque;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::Meta;
use super::audit::{self, AuditEvent, FORMAT_CHAINED, FORMAT_PLAIN};
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::{Snapshot, Transaction, prefix_end};
use crate::row;

/// What every hash begins with.
const DOMAIN: &[u8] = b"firefly audit log 1\0";
/// Most events of one transaction.
const GROUP: usize = 2_000;
/// Rows read at a time.
const PAGE: usize = 1_000;
/// Problems that are told.
const MAX_PROBLEMS: usize = 100;

/// Where the log is: its last sequence, and the hash of that row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditHead {
    /// The sequence; 0 when the log is empty.
    pub sequence: u64,
    /// The row's hash.
    pub hash: [u8; 32],
}

impl std::fmt::Display for AuditHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.sequence, hex::encode(self.hash))
    }
}

impl AuditHead {
    /// Reads what [`std::fmt::Display`] writes; none when it is something else.
    pub fn parse(text: &str) -> Option<AuditHead> {
        let (sequence, hash) = text.trim().split_once(':')?;
        let mut head = AuditHead {
            sequence: sequence.parse().ok()?,
            hash: [0; 32],
        };
        hex::decode_to_slice(hash, &mut head.hash).ok()?;
        Some(head)
    }

    fn encode(self) -> Vec<u8> {
        [&self.sequence.to_be_bytes()[..], &self.hash].concat()
    }

    fn decode(what: &str, value: &[u8]) -> Result<AuditHead> {
        let sequence = row::u64_at(what, value, 0)?;
        let hash = value.get(8..).and_then(|hash| hash.try_into().ok());
        let hash = hash.ok_or_else(|| Error::Corrupt {
            what: what.to_owned(),
            detail: "length".into(),
        })?;
        Ok(AuditHead { sequence, hash })
    }

    /// The head after one more row.
    fn next(self, event: &[u8]) -> AuditHead {
        let sequence = self.sequence + 1;
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update(self.hash);
        hash.update(sequence.to_be_bytes());
        hash.update(event);
        AuditHead {
            sequence,
            hash: hash.finalize().into(),
        }
    }
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Rows that were read.
    pub events: u64,
    /// The last row; keep it elsewhere as an anchor.
    pub head: AuditHead,
    /// What is wrong, in words.
    pub problems: Vec<String>,
}

/// Events that wait for the one who writes: whoever comes first writes for all, with one fsync.
#[derive(Default)]
pub(super) struct AuditWriters {
    waiting: Mutex<VecDeque<Waiting>>,
    turn: Mutex<()>,
}

struct Waiting {
    events: Vec<Vec<u8>>,
    done: SyncSender<std::result::Result<(), String>>,
}

impl Meta {
    /// Appends several events, durably. Callers at the same time share a transaction.
    pub fn audit_all(&self, events: &[AuditEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let (done, ended) = sync_channel(1);
        let encoded = events.iter().map(audit::encode).collect::<Result<_>>()?;
        let writers = &self.people.audit;
        lock(&writers.waiting).push_back(Waiting {
            events: encoded,
            done,
        });
        loop {
            let _turn = lock(&writers.turn);
            // Another's turn may have taken ours along.
            if let Ok(outcome) = ended.try_recv() {
                return outcome.map_err(Error::Engine);
            }
            let mut group: Vec<Waiting> = Vec::new();
            let mut waiting = lock(&writers.waiting);
            let fits = |group: &Vec<Waiting>| {
                group.iter().map(|one| one.events.len()).sum::<usize>() < GROUP
            };
            while fits(&group)
                && let Some(next) = waiting.pop_front()
            {
                group.push(next);
            }
            drop(waiting);
            let rows: Vec<&[u8]> = (group.iter())
                .flat_map(|one| one.events.iter().map(Vec::as_slice))
                .collect();
            let outcome = self.extend_chain(&rows);
            for one in group {
                let told = outcome.as_ref().map(|_| ()).map_err(ToString::to_string);
                let _gone = one.done.send(told);
            }
        }
    }

    fn extend_chain(&self, events: &[&[u8]]) -> Result<()> {
        let mut last = None;
        let (commit, first) = {
            let mut first = 0;
            let commit = self.store.transact(&mut |txn| {
                let mut head = match read_head(&*txn)? {
                    Some(head) => head,
                    None => begin(txn)?,
                };
                first = head.sequence + 1;
                for event in events {
                    head = head.next(event);
                    let value = [&[FORMAT_CHAINED], &head.hash[..], event].concat();
                    txn.append(&[keyspace::AUDIT], value.into());
                }
                txn.put(HEAD.to_vec(), head.encode().into());
                last = Some(head);
                Ok(())
            })?;
            (commit, first)
        };
        // The committer gives the sequences; nobody else appends, so they are those that were hashed.
        match commit.sequences.first().copied() {
            Some(given) if given != first => Err(Error::Corrupt {
                what: "audit log".into(),
                detail: format!("row {given} was given out where {first} comes next"),
            }),
            _ => Ok(()),
        }
    }

    /// Where the log is now; none before its first row.
    pub fn audit_head(&self) -> Result<Option<AuditHead>> {
        read_head(&*self.store.snapshot()?)
    }

    /// Reads the whole log and says whether it is as it was written: its hashes, its order, its end, and that it still has each of
    /// `anchors`, which were its head once.
    pub fn verify_audit(&self, anchors: &[AuditHead]) -> Result<AuditReport> {
        let given_out = self.store.head(&[keyspace::AUDIT])?;
        let rows = self.store.snapshot()?;
        let mut check = Check::new(&*rows, anchors)?;
        let (mut start, end) = (vec![keyspace::AUDIT], prefix_end(&[keyspace::AUDIT]));
        loop {
            let page = rows.range(&start, &end, false, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            start = [&last[..], &[0]].concat();
            for (key, value) in &page {
                check.row(key, value)?;
            }
        }
        Ok(check.end(given_out))
    }
}

/// Goes over the rows in their order.
struct Check<'c> {
    /// What the rows so far make.
    at: AuditHead,
    /// Where the chain begins, and the hash of what was before.
    start: Option<AuditHead>,
    head: Option<AuditHead>,
    anchors: &'c [AuditHead],
    plain: Sha256,
    events: u64,
    problems: Vec<String>,
}

impl<'c> Check<'c> {
    fn new(rows: &dyn Snapshot, anchors: &'c [AuditHead]) -> Result<Check<'c>> {
        let start = rows.get(&START)?;
        let start = start.map(|start| AuditHead::decode("start of the audit log", &start));
        Ok(Check {
            at: AuditHead {
                sequence: 0,
                hash: [0; 32],
            },
            start: start.transpose()?,
            head: read_head(rows)?,
            anchors,
            plain: plain_hash(),
            events: 0,
            problems: Vec::new(),
        })
    }

    fn row(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let sequence = row::u64_at("audit log", key, 1)?;
        self.events += 1;
        if sequence != self.at.sequence + 1 {
            let missing = self.at.sequence + 1;
            self.say(format!("rows {missing} to {} are missing", sequence - 1));
            self.at.sequence = sequence - 1;
        }
        match value.split_first() {
            Some((&FORMAT_PLAIN, _)) => self.plain_row(sequence, key, value),
            Some((&FORMAT_CHAINED, rest)) => match rest.split_at_checked(32) {
                Some((hash, event)) => self.chained_row(sequence, hash, event),
                None => self.say(format!("row {sequence} is too short")),
            },
            _ => self.say(format!("row {sequence} has an unknown format")),
        }
        self.at.sequence = sequence;
        for anchor in self
            .anchors
            .iter()
            .filter(|anchor| anchor.sequence == sequence)
        {
            if anchor.hash != self.at.hash {
                self.say(format!("row {sequence} is not the one that was anchored"));
            }
        }
        Ok(())
    }

    fn plain_row(&mut self, sequence: u64, key: &[u8], value: &[u8]) {
        add_plain(&mut self.plain, key, value);
        match self.start {
            Some(start) if start.sequence == sequence => {
                let hash: [u8; 32] = self.plain.clone().finalize().into();
                if hash != start.hash {
                    self.say(format!(
                        "of the rows up to {sequence}, from before the chain, some were changed"
                    ));
                }
                self.at.hash = start.hash;
            }
            Some(start) if start.sequence < sequence => {
                self.say(format!("row {sequence} was written outside of the chain"));
            }
            _ => {}
        }
    }

    fn chained_row(&mut self, sequence: u64, hash: &[u8], event: &[u8]) {
        if self
            .start
            .is_some_and(|start| start.sequence + 1 == sequence)
        {
            self.at.hash = self.start.map_or([0; 32], |start| start.hash);
        }
        let expected = self.at.next(event);
        if expected.hash != *hash {
            self.say(format!(
                "row {sequence} was changed, or does not follow the row before it"
            ));
        }
        // Goes on from what the row says, so that one edit is told once.
        self.at.hash = hash.try_into().unwrap_or(expected.hash);
    }

    fn end(mut self, given_out: u64) -> AuditReport {
        let last = self.at;
        match self.head {
            Some(head) if head.sequence > last.sequence => {
                self.say(format!(
                    "rows {} to {} are missing at the end",
                    last.sequence + 1,
                    head.sequence
                ));
            }
            Some(head) if head != last => self.say("the log's head is not its last row".into()),
            None if self.events > 0 && self.start.is_some() => {
                self.say("the log's head is missing".into())
            }
            _ => {}
        }
        if given_out > last.sequence && self.head.is_none_or(|head| head.sequence < given_out) {
            self.say(format!("row {given_out} was written once and is missing"));
        }
        if self.start.is_none() && self.head.is_some() {
            self.say("the start of the chain is missing".into());
        }
        for anchor in self
            .anchors
            .iter()
            .filter(|anchor| anchor.sequence > last.sequence)
        {
            self.say(format!(
                "the log was anchored at row {} and ends at {}",
                anchor.sequence, last.sequence
            ));
        }
        AuditReport {
            events: self.events,
            head: last,
            problems: self.problems,
        }
    }

    fn say(&mut self, problem: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }
}

/// Begins the chain behind the rows that are there.
fn begin(txn: &mut dyn Transaction) -> Result<AuditHead> {
    let (mut hash, mut sequence) = (plain_hash(), 0);
    let end = prefix_end(&[keyspace::AUDIT]);
    txn.scan(&[keyspace::AUDIT], &end, &mut |key, value| {
        sequence = row::u64_at("audit log", key, 1)?;
        add_plain(&mut hash, key, value);
        Ok(true)
    })?;
    let start = AuditHead {
        sequence,
        hash: hash.finalize().into(),
    };
    txn.put(START.to_vec(), start.encode().into());
    Ok(start)
}

fn plain_hash() -> Sha256 {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    hash
}

fn add_plain(hash: &mut Sha256, key: &[u8], value: &[u8]) {
    for part in [key, value] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
}

/// `AUDIT_CHAIN 0`: the head.
const HEAD: [u8; 2] = [keyspace::AUDIT_CHAIN, 0];
/// `AUDIT_CHAIN 1`: the last row from before the chain, and the hash of all of those.
const START: [u8; 2] = [keyspace::AUDIT_CHAIN, 1];

fn read_head(rows: &(impl Snapshot + ?Sized)) -> Result<Option<AuditHead>> {
    let head = rows.get(&HEAD)?;
    head.map(|head| AuditHead::decode("head of the audit log", &head))
        .transpose()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
