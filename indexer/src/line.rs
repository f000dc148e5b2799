//! One generation being written: its index, its writer, and how far it has followed the logs.

use std::time::{Duration, Instant};

use tantivy::{FutureResult, IndexReader, ReloadPolicy, Searcher, SegmentMeta};

use crate::error::{self, Result};
use crate::generation::Generation;
use crate::merge;
use crate::payload::Payload;
use crate::reconcile::{Reconciler, Sources, Unit};
use crate::schema::Fields;
use crate::writer::Writer;

/// A merge that was begun.
pub type Merging = FutureResult<Option<SegmentMeta>>;

/// A generation and its writer.
pub struct Line {
    shard: u16,
    /// The generation's number.
    pub number: u64,
    /// Its fields.
    pub fields: Fields,
    reader: IndexReader,
    searcher: Searcher,
    writer: Writer,
    reconciler: Reconciler,
    committed: Payload,
    committed_at: Instant,
    commit_took: Duration,
}

impl Line {
    /// Continues a generation from its last commit.
    pub fn resume(
        shard: u16,
        generation: Generation,
        payload: Payload,
        memory_bytes: usize,
    ) -> Result<Self> {
        let reconciler = Reconciler::resume(generation.fields, &payload);
        Self::open(shard, generation, reconciler, memory_bytes)
    }

    /// Begins an empty generation with everything metadata has now.
    pub fn begin(
        sources: &Sources,
        shard: u16,
        shards: u16,
        generation: Generation,
        memory_bytes: usize,
    ) -> Result<Self> {
        let reconciler = Reconciler::scan(sources, generation.fields, shard, shards)?;
        Self::open(shard, generation, reconciler, memory_bytes)
    }

    fn open(
        shard: u16,
        generation: Generation,
        reconciler: Reconciler,
        memory_bytes: usize,
    ) -> Result<Self> {
        let Generation {
            number,
            index,
            fields,
        } = generation;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(0);
        let reader: IndexReader = reader.try_into().map_err(error::index(shard))?;
        Ok(Line {
            shard,
            number,
            fields,
            searcher: reader.searcher(),
            reader,
            writer: Writer::open(shard, &index, fields, memory_bytes)?,
            committed: reconciler.payload(),
            reconciler,
            committed_at: Instant::now(),
            commit_took: Duration::ZERO,
        })
    }

    /// One bounded unit of following the logs to `heads` (owned index, head).
    pub fn unit(&mut self, sources: &Sources, heads: &[(usize, u64)]) -> Result<Unit> {
        self.reconciler
            .unit(sources, &self.searcher, &mut self.writer, heads)
    }

    /// Has the scan of metadata rest, or go on.
    pub fn pause(&mut self, is_paused: bool) {
        self.reconciler.pause(is_paused);
    }

    /// Documents in the last commit.
    pub fn documents(&self) -> u64 {
        self.searcher.num_docs()
    }

    /// Makes everything so far durable and visible: index and checkpoint together. // I4
    pub fn commit(&mut self) -> Result<()> {
        let began = Instant::now();
        let payload = self.reconciler.payload();
        self.writer.commit(&payload)?;
        self.committed = payload;
        self.reload()?;
        self.committed_at = Instant::now();
        self.commit_took = self.committed_at - began;
        Ok(())
    }

    /// Shows the last commit's present segments (after merges).
    pub fn reload(&mut self) -> Result<()> {
        self.reader.reload().map_err(error::index(self.shard))?;
        self.searcher = self.reader.searcher();
        Ok(())
    }

    /// True when merges left other segments than are shown.
    pub fn is_stale(&self) -> Result<bool> {
        let present = self
            .searcher
            .index()
            .searchable_segment_ids()
            .map_err(error::index(self.shard))?;
        let shown = self.searcher.segment_readers();
        Ok(present.len() != shown.len()
            || shown
                .iter()
                .any(|segment| !present.contains(&segment.segment_id())))
    }

    /// True when a commit would say something new.
    pub fn is_dirty(&self) -> bool {
        self.writer.is_dirty() || self.reconciler.payload() != self.committed
    }

    /// Begins to merge what a quiet shard need not have apart ([`merge::when_quiet`]); `None` when there is nothing.
    pub fn merge_more(&mut self) -> Result<Option<Merging>> {
        let present = self.searcher.index().searchable_segment_metas();
        let present = present.map_err(error::index(self.shard))?;
        let wanted = merge::when_quiet(&present);
        Ok(wanted.map(|segments| self.writer.merge(&segments)))
    }

    /// What the last commit said.
    pub fn committed(&self) -> &Payload {
        &self.committed
    }

    /// When and how long the last commit was.
    pub fn last_commit(&self) -> (Instant, Duration) {
        (self.committed_at, self.commit_took)
    }

    /// The last commit.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// How far the line is.
    pub fn reconciler(&self) -> &Reconciler {
        &self.reconciler
    }

    /// Ends the writer after its merges; nothing uncommitted is kept.
    pub fn close(self) -> Result<()> {
        self.writer.close()
    }
}
