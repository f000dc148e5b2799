//! Logs to the bus: reads every partition's log and the blocks' log, publishes what it finds, and moves a log's cursor only when
//! the transport has confirmed it. // I3
//!
//! After a crash or an error the same is published again. Of one namespace's changes one message a pass is enough: a consumer
//! looks at the log.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use storage::block::{BlockStore, EventKind};
use storage::extraction::Extractions;
use storage::journal::{Change, Journal, LogEntry, PARTITIONS, Partition};
use storage::meta::{FileId, Meta, NodeKind, Reader};
use storage::relayed::{Log, Relayed};
use storage::trace;

use crate::bus::{Backoff, BlockKind, ChangeKind, Event, Publisher};
use crate::error::Result;

/// Entries read from one log, and from all of them, in one pass.
const PER_LOG: usize = 512;
const PER_PASS: usize = 4096;
/// The longest wait for a commit of the store; also how soon a stop is heard.
const WAIT: Duration = Duration::from_millis(250);
/// Between two passes: what comes together is told together.
const REST: Duration = Duration::from_millis(15);

/// What the relay reads.
#[derive(Clone)]
pub struct Sources {
    /// Nodes, to tell what a change is about.
    pub meta: Meta,
    /// The partitions' logs.
    pub journal: Journal,
    /// What waits for extraction.
    pub extractions: Extractions,
    /// The blocks' log.
    pub blocks: BlockStore,
}

/// The running relay. Ends when dropped.
pub struct Relay {
    stop: Arc<AtomicBool>,
    published: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// The relay's work, a pass at a time.
pub struct Pass {
    sources: Sources,
    relayed: Relayed,
    through: Vec<u64>,
    blocks_through: u64,
}

/// What one pass read.
#[derive(Default)]
struct Batch {
    entries: usize,
    changes: BTreeMap<(u16, u64, ChangeKind), Event>,
    contents: HashSet<Vec<u8>>,
    others: Vec<Event>,
    through: Vec<(Log, u64)>,
}

impl Relay {
    /// Starts the thread that publishes.
    pub fn start(sources: Sources, mut publisher: Box<dyn Publisher>) -> Result<Self> {
        let (stop, published) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let mut pass = Pass::new(sources)?;
        let (stopped, count) = (stop.clone(), published.clone());
        let thread = std::thread::Builder::new()
            .name("relay".into())
            .spawn(move || pass.run(publisher.as_mut(), &stopped, &count))
            .map_err(|source| crate::Error::Io {
                what: "starting the relay".into(),
                source,
            })?;
        Ok(Relay {
            stop,
            published,
            thread: Some(thread),
        })
    }

    /// Messages published, confirmed, since start.
    pub fn published(&self) -> u64 {
        self.published.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the relay had panicked");
        }
    }
}

impl Pass {
    /// Goes on where the store says that publishing stopped.
    pub fn new(sources: Sources) -> Result<Self> {
        let relayed = Relayed::new(sources.meta.store().clone());
        let mut pass = Pass {
            sources,
            through: vec![0; usize::from(PARTITIONS)],
            blocks_through: 0,
            relayed,
        };
        for (log, sequence) in pass.relayed.all()? {
            pass.remember(log, sequence);
        }
        Ok(pass)
    }

    /// Reads what is new, publishes it, moves the cursors; returns how many messages that were.
    pub fn once(&mut self, publisher: &mut dyn Publisher) -> Result<usize> {
        let batch = self.read()?;
        if batch.through.is_empty() {
            return Ok(0);
        }
        let events: Vec<Event> = batch.changes.into_values().chain(batch.others).collect();
        publisher.publish(&events)?;
        self.relayed.advance(&batch.through)?;
        for event in &events {
            trace::during(event.request(), || {
                tracing::debug!(topic = event.topic(), "published");
            });
        }
        for (log, sequence) in batch.through {
            self.remember(log, sequence);
        }
        Ok(events.len())
    }

    /// Log entries that are not published yet.
    pub fn lag(&self) -> Result<u64> {
        let heads = self.heads()?;
        let behind = heads.iter().zip(&self.through);
        Ok(behind.map(|(head, read)| head.saturating_sub(*read)).sum())
    }

    /// The last sequence of each partition's log.
    fn heads(&self) -> Result<Vec<u64>> {
        let all: Vec<_> = (0..PARTITIONS).map(Partition).collect();
        Ok(self.sources.journal.partition_heads(&all)?)
    }

    fn run(&mut self, publisher: &mut dyn Publisher, stop: &AtomicBool, published: &AtomicU64) {
        let mut backoff = Backoff::default();
        let mut version = 0;
        while !stop.load(Ordering::Relaxed) {
            match self.once(publisher) {
                Ok(0) => version = self.sources.meta.store().wait(version, WAIT),
                Ok(count) => {
                    backoff.reset();
                    published.fetch_add(count as u64, Ordering::Relaxed);
                }
                Err(error) => {
                    tracing::debug!(%error, "not published; trying again");
                    rest(backoff.rest(rand::random()), stop);
                }
            }
            std::thread::sleep(REST);
        }
    }

    fn read(&self) -> Result<Batch> {
        let mut batch = Batch::default();
        let mut reader = self.sources.meta.reader()?;
        for (partition, head) in (0..PARTITIONS).map(Partition).zip(self.heads()?) {
            let after = self.through[usize::from(partition.0)];
            if head <= after || batch.entries >= PER_PASS {
                continue;
            }
            let entries = self
                .sources
                .journal
                .partition_entries(partition, after, PER_LOG)?;
            let through = entries.last().map_or(after, |entry| entry.seq);
            for entry in &entries {
                self.tell(&mut batch, &mut reader, partition, entry)?;
            }
            if through > after {
                batch.through.push((Log::Partition(partition), through));
            }
        }
        self.read_blocks(&mut batch)?;
        Ok(batch)
    }

    fn tell(
        &self,
        batch: &mut Batch,
        reader: &mut Reader<'_>,
        partition: Partition,
        entry: &LogEntry,
    ) -> Result<()> {
        batch.entries += 1;
        let node = reader.look(entry.change.file())?.map(|(node, _)| node.kind);
        let what = kind(&entry.change, node.as_ref());
        let request = match (what, &node) {
            (ChangeKind::File, Some(NodeKind::File(_))) => {
                self.tell_content(batch, entry.change.file())?
            }
            _ => None,
        };
        let told = batch
            .changes
            .entry((partition.0, entry.ns.0, what))
            .or_insert(Event::Changed {
                what,
                partition: partition.0,
                sequence: 0,
                namespace: entry.ns.0,
                namespace_sequence: 0,
                changes: 0,
                request: None,
            });
        if let Event::Changed {
            sequence,
            namespace_sequence,
            changes,
            request: last,
            ..
        } = told
        {
            *sequence = entry.seq;
            *namespace_sequence = entry.ns_seq.max(*namespace_sequence);
            *changes += 1;
            if request.is_some() {
                *last = request;
            }
        }
        Ok(())
    }

    /// One message for each content that waits, however many files have it. Returns the request that stored it: the logs do not know.
    fn tell_content(&self, batch: &mut Batch, file: FileId) -> Result<Option<trace::Id>> {
        let Some(job) = self.sources.extractions.waiting(file)? else {
            return Ok(None);
        };
        if batch.contents.insert(job.content()) {
            batch.others.push(Event::Content {
                account: job.account.0,
                file: file.0,
                content_hash: hex::encode(job.content_hash),
                request: job.request.clone(),
            });
        }
        Ok(job.request)
    }

    fn read_blocks(&self, batch: &mut Batch) -> Result<()> {
        for (sequence, event) in self.sources.blocks.events(self.blocks_through, PER_LOG)? {
            let what = match event.kind {
                EventKind::Lost { .. } => BlockKind::Lost,
                EventKind::Repaired => BlockKind::Repaired,
            };
            batch.others.push(Event::Block {
                what,
                hash: event.hash.to_string(),
                target: event.target,
                sequence,
            });
            batch.through.retain(|(log, _)| *log != Log::Blocks);
            batch.through.push((Log::Blocks, sequence));
        }
        Ok(())
    }

    fn remember(&mut self, log: Log, sequence: u64) {
        match log {
            Log::Partition(partition) => {
                if let Some(through) = self.through.get_mut(usize::from(partition.0)) {
                    *through = sequence;
                }
            }
            Log::Blocks => self.blocks_through = sequence,
        }
    }
}

/// What a change is about; `node` as it is now.
fn kind(change: &Change, node: Option<&NodeKind>) -> ChangeKind {
    match (change, node) {
        (Change::Extracted { .. }, _) => ChangeKind::Extracted,
        (Change::Purged { .. }, _) => ChangeKind::Purged,
        // A Mount's node looks different: its member's role has changed.
        (Change::Upsert { .. }, Some(NodeKind::Mount { .. })) => ChangeKind::Permission,
        (_, Some(NodeKind::Mount { .. })) => ChangeKind::Mount,
        // Only an unmounted Mount's node is removed at once; deleted files stay for a while.
        (Change::Gone { .. }, None) => ChangeKind::Mount,
        _ => ChangeKind::File,
    }
}

/// Sleeps, unless it is to stop.
fn rest(period: Duration, stop: &AtomicBool) {
    let until = std::time::Instant::now() + period;
    while !stop.load(Ordering::Relaxed) && std::time::Instant::now() < until {
        std::thread::sleep(WAIT.min(period));
    }
}
