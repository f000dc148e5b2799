//! Shards without threads, for tests: nothing is looked at, and nothing committed, before the test says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use storage::extraction::{ExtractionRecord, TextSource};

use crate::error::Result;
use crate::extract::{Limits, extract};
use crate::generation::Generations;
use crate::heads::Heads;
use crate::owner::{Charge, Owner};
use crate::reconcile::Sources;
use crate::shard::Shard;
use crate::stage;
use crate::tidy::Turn;

/// A shard's segment in memory, bytes: the smallest that the engine takes.
const MEMORY_BYTES: usize = 15_000_000;

/// All shards of an index, stepped by hand.
pub struct Stepped {
    shards: Vec<Arc<Shard>>,
    owners: Vec<Option<Owner>>,
    heads: Arc<Heads>,
    paused: Arc<AtomicBool>,
    sources: Sources,
    dir: std::path::PathBuf,
}

impl Stepped {
    /// `shards` shards under `dir`, which have seen nothing and show nothing before [`Stepped::reopen`].
    pub fn new(sources: Sources, dir: &Path, shards: u16) -> Self {
        let shard = |number| Arc::new(Shard::new(number, shards, sources.clone()));
        Stepped {
            shards: (0..shards).map(shard).collect(),
            owners: (0..shards).map(|_| None).collect(),
            heads: Arc::new(Heads::new(shards)),
            paused: Arc::default(),
            sources,
            dir: dir.to_owned(),
        }
    }

    /// What extraction finds in these bytes, stored as the stage stores it.
    pub fn extracted(&self, name: &str, bytes: &[u8]) -> storage::Result<ExtractionRecord> {
        let found = extract(name, bytes, &Limits::default());
        let (mut record, text) = stage::record(&self.sources, found)?;
        if let Some(text) = text {
            record.text = TextSource::Blocks {
                blocks: vec![self.sources.blocks.put(text.as_bytes())?],
                bytes: text.len() as u64,
            };
        }
        Ok(record)
    }

    /// The shards as their readers see them.
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// Drops every writer without a commit, and opens the shards again: what a kill leaves.
    pub fn reopen(&mut self) -> Result<()> {
        for index in 0..self.owners.len() {
            self.owners[index] = None;
            self.owners[index] = Some(Owner::open(self.charge(index))?);
        }
        Ok(())
    }

    /// Drops every writer without a commit.
    #[cfg(test)]
    pub fn close(&mut self) {
        self.owners.iter_mut().for_each(|owner| *owner = None);
    }

    fn charge(&self, index: usize) -> Charge {
        Charge {
            shard: self.shards[index].clone(),
            shards: self.owners.len() as u16,
            sources: self.sources.clone(),
            generations: Generations::new(&self.dir, index as u16),
            memory_bytes: MEMORY_BYTES,
            heads: self.heads.clone(),
            bell: Arc::default(),
            stop: Arc::new(AtomicBool::new(false)),
            rebuild: Arc::new(AtomicBool::new(false)),
            paused: self.paused.clone(),
            turn: Turn::default(),
            snapshots: None,
            tenure: None,
        }
    }

    /// Asks for new generations, which [`Stepped::settle`] makes.
    pub fn rebuild(&mut self) {
        let owners = self.owners.iter_mut().flatten();
        owners.for_each(|owner| owner.ask_rebuild());
    }

    /// Has new generations rest, or go on, also after [`Stepped::reopen`].
    pub fn pause(&mut self, is_paused: bool) -> Result<()> {
        self.paused
            .store(is_paused, std::sync::atomic::Ordering::Release);
        for number in 0..self.owners.len() {
            Generations::new(&self.dir, number as u16).pause(is_paused)?;
        }
        Ok(())
    }

    /// Commits new generations that are being made, as a stop does.
    pub fn commit_new(&mut self) -> Result<()> {
        let mut owners = self.owners.iter_mut().flatten();
        owners.try_for_each(|owner| owner.commit_next())
    }

    /// One unit of each shard, without a commit.
    pub fn step(&mut self) -> Result<()> {
        self.heads.look(&self.sources.journal)?;
        let now = Instant::now();
        let early = now.checked_sub(Duration::from_secs(3600)).unwrap_or(now);
        for owner in self.owners.iter_mut().flatten() {
            owner.step(early)?;
            owner.report(None);
        }
        Ok(())
    }

    /// Lets time go by in which nothing changes.
    #[cfg(test)]
    pub fn rest_long(&mut self) -> Result<()> {
        let mut owners = self.owners.iter_mut().flatten();
        owners.try_for_each(|owner| owner.rest_long())
    }

    /// Commits every shard.
    pub fn commit(&mut self) -> Result<()> {
        let mut owners = self.owners.iter_mut().flatten();
        owners.try_for_each(|owner| owner.commit())
    }

    /// Follows the logs to their ends and commits.
    pub fn settle(&mut self) -> Result<()> {
        loop {
            self.step()?;
            let mut caught_up = true;
            for owner in self.owners.iter().flatten() {
                caught_up &= owner.has_caught_up()?;
            }
            if caught_up {
                return self.commit();
            }
        }
    }
}
