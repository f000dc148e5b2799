//! The one thread that owns a shard: one unit, commit when it is time, publish, again. // I4 I5

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::error::{Error, Result};
use crate::generation::Generations;
use crate::heads::Heads;
use crate::line::Line;
use crate::reconcile::Sources;
use crate::shard::Shard;
use crate::snapshot::{Place, Publishing};
use crate::tenure::Tenure;
use crate::tidy::{Tidy, Turn};

/// Between commits while little waits.
const COMMIT_PERIOD: Duration = Duration::from_millis(400);
/// Between commits while much waits, and nobody else: an import is findable in steps of this.
const BUSY_COMMIT_PERIOD: Duration = Duration::from_secs(3);
/// The same while fewer entries than [`BUSY_ENTRIES`] came together: a machine that is slow would make many small segments,
/// and then merge them instead of going on.
const LONGEST_COMMIT_PERIOD: Duration = Duration::from_secs(10);
/// Log entries that are worth a commit while much waits.
const BUSY_ENTRIES: u64 = 8_000;
/// Log entries that are much.
const BUSY_LAG: u64 = 1_000;
/// A commit may take one part in this many of the time: it waits for the disk, mostly, and what comes next waits for it.
const COMMIT_SHARE: u32 = 2;
/// The longest rest between two looks.
const REST: Duration = Duration::from_millis(1_000);
/// Log entries behind which a new generation may be to take over.
const SWITCH_LAG: u64 = 64;

/// What an owner is started with.
#[derive(Clone)]
pub struct Charge {
    /// What readers see.
    pub shard: Arc<Shard>,
    /// How many shards there are.
    pub shards: u16,
    /// The truth.
    pub sources: Sources,
    /// Where generations are.
    pub generations: Generations,
    /// A segment's size in memory, bytes.
    pub memory_bytes: usize,
    /// Log heads.
    pub heads: Arc<Heads>,
    /// Rung when heads moved.
    pub bell: Arc<Bell>,
    /// Set to end the thread.
    pub stop: Arc<AtomicBool>,
    /// Set to make a new generation.
    pub rebuild: Arc<AtomicBool>,
    /// Set while making it rests; what holds after a restart is [`Generations::is_paused`].
    pub paused: Arc<AtomicBool>,
    /// Whose turn it is to merge while nothing changes.
    pub turn: Turn,
    /// Where snapshots are, if anywhere.
    pub snapshots: Option<Place>,
    /// Under which lease the shard is held; `None` where nobody else could hold it.
    pub tenure: Option<Tenure>,
}

impl Charge {
    /// True while no other process can have taken the shard.
    pub fn is_ours(&self) -> bool {
        self.tenure.as_ref().is_none_or(Tenure::is_valid)
    }
}

/// A shard's owner.
pub struct Owner {
    charge: Charge,
    live: Line,
    /// A new generation that is made beside the live one.
    next: Option<Line>,
    commits: u64,
    tidy: Tidy,
    publishing: Option<Publishing>,
}

impl Owner {
    /// Opens the shard: continues its index, or begins one.
    pub fn open(charge: Charge) -> Result<Self> {
        let (number, memory) = (charge.shard.number, charge.memory_bytes);
        let mut current = charge.generations.current(charge.shards)?;
        if let Some(place) = &charge.snapshots {
            let own = current.as_ref().map(|(_, payload)| payload);
            match place.restore(&charge.generations, number, charge.shards, own) {
                Ok(true) => current = charge.generations.current(charge.shards)?,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(shard = number, %error, "the shard's snapshot cannot be used")
                }
            }
        }
        let live = match current {
            Some((generation, payload)) => Line::resume(number, generation, payload, memory)?,
            None => {
                let generation = charge.generations.create()?;
                charge.generations.switch(generation.number)?;
                Line::begin(&charge.sources, number, charge.shards, generation, memory)?
            }
        };
        let next = match charge.generations.next(live.number, charge.shards)? {
            Some(Some((generation, payload))) => {
                Some(Line::resume(number, generation, payload, memory)?)
            }
            Some(None) => {
                charge.rebuild.store(true, Ordering::Release);
                None
            }
            None => None,
        };
        let kept: Vec<_> = next
            .iter()
            .map(|next| next.number)
            .chain([live.number])
            .collect();
        charge.generations.remove_others(&kept)?;
        let is_paused = charge.generations.is_paused();
        charge.paused.store(is_paused, Ordering::Release);
        let tidy = Tidy::new(charge.turn.clone());
        let publishing = charge.snapshots.clone().zip(charge.tenure.clone());
        let owner = Owner {
            publishing: publishing.map(|(place, tenure)| Publishing::new(place, number, tenure)),
            tidy,
            charge,
            live,
            next,
            commits: 0,
        };
        owner.publish();
        Ok(owner)
    }

    /// Works until told to stop; then commits what it has.
    pub fn run(mut self) -> Result<()> {
        while !self.charge.stop.load(Ordering::Acquire) && self.charge.is_ours() {
            let moved = self.step(Instant::now())?;
            self.report(None);
            if let Some(publishing) = &mut self.publishing {
                let (live, folder) = (&self.live, self.charge.generations.path(self.live.number));
                publishing.look(
                    live.searcher().index(),
                    &folder,
                    &live.committed().checkpoint,
                );
            }
            if !moved {
                self.charge.bell.wait(self.rest());
            }
        }
        if self.live.is_dirty() && self.charge.is_ours() {
            self.commit()?;
        }
        if let Some(mut next) = self.next.take() {
            next.commit()?;
            next.close()?;
        }
        if let Some(publishing) = self.publishing.take().filter(|_| self.charge.is_ours()) {
            let (live, folder) = (&self.live, self.charge.generations.path(self.live.number));
            publishing.end(
                live.searcher().index(),
                &folder,
                &live.committed().checkpoint,
            );
        }
        self.live.close()
    }

    /// One unit of each line, and a commit when it is time; false when there was nothing to do.
    pub fn step(&mut self, now: Instant) -> Result<bool> {
        let heads = self.charge.heads.of(self.charge.shard.number);
        if self.charge.rebuild.swap(false, Ordering::AcqRel) {
            self.rebuild()?;
        }
        let done = match self.live.unit(&self.charge.sources, &heads) {
            Err(Error::Rebuild { reason, shard }) => {
                tracing::warn!(shard, reason, "the index is made again");
                self.charge.generations.pause(false)?;
                self.charge.paused.store(false, Ordering::Release);
                self.rebuild()?;
                Default::default()
            }
            done => done?,
        };
        let mut moved = done.entries + done.nodes > 0;
        if self.live.is_dirty() && now >= self.due() {
            self.commit()?;
        } else if !moved && self.live.is_stale()? {
            self.live.reload()?;
            self.publish();
        }
        match moved || self.live.is_dirty() || self.next.is_some() {
            true => self.tidy.changed(now),
            false => self.tidy.step(now, &mut self.live)?,
        }
        if self.next.is_some() {
            moved |= self.step_next(&heads)?;
        }
        Ok(moved)
    }

    /// Commits the searched generation and shows it; refuses when another process may have the shard.
    pub fn commit(&mut self) -> Result<()> {
        if !self.charge.is_ours() {
            let shard = self.charge.shard.number;
            return Err(Error::Lost { shard });
        }
        self.live.commit()?;
        self.commits += 1;
        self.publish();
        Ok(())
    }

    /// True when the writer has all that the logs have, and no new generation is being made.
    #[cfg(any(test, feature = "testing"))]
    pub fn has_caught_up(&self) -> Result<bool> {
        let reconciler = self.live.reconciler();
        let behind = reconciler.is_walking() || reconciler.lag(&self.charge.sources)? > 0;
        Ok(self.next.is_none() && !self.charge.rebuild.load(Ordering::Acquire) && !behind)
    }

    /// Has the next step begin a new generation.
    #[cfg(any(test, feature = "testing"))]
    pub fn ask_rebuild(&self) {
        self.charge.rebuild.store(true, Ordering::Release);
    }

    /// Commits the new generation, if one is being made.
    #[cfg(any(test, feature = "testing"))]
    pub fn commit_next(&mut self) -> Result<()> {
        self.next.as_mut().map_or(Ok(()), Line::commit)?;
        self.report(None);
        Ok(())
    }

    /// Lets so much time go by that a shard in which nothing changes is merged, until there is nothing to merge.
    #[cfg(test)]
    pub fn rest_long(&mut self) -> Result<()> {
        let later = Instant::now() + crate::tidy::QUIET * 2;
        loop {
            self.step(later)?;
            if !self.tidy.is_running() && !self.live.is_stale()? {
                return Ok(());
            }
            std::thread::yield_now();
        }
    }

    /// Begins a new generation, unless one is being made.
    fn rebuild(&mut self) -> Result<()> {
        if self.next.is_none() {
            let charge = &self.charge;
            let generation = charge.generations.create()?;
            let line = Line::begin(
                &charge.sources,
                charge.shard.number,
                charge.shards,
                generation,
                charge.memory_bytes,
            )?;
            charge.generations.begin(line.number)?;
            self.next = Some(line);
        }
        Ok(())
    }

    /// Drops the new generation, which cannot follow the logs any more, for another one.
    fn begin_again(&mut self) -> Result<()> {
        if let Some(next) = self.next.take() {
            next.close()?;
        }
        self.charge.generations.remove_others(&[self.live.number])?;
        self.rebuild()
    }

    /// One unit of the new generation; it takes over when it has caught up.
    fn step_next(&mut self, heads: &[(usize, u64)]) -> Result<bool> {
        let Some(next) = &mut self.next else {
            return Ok(false);
        };
        next.pause(self.charge.paused.load(Ordering::Acquire));
        let done = match next.unit(&self.charge.sources, heads) {
            Err(Error::Rebuild { reason, shard }) => {
                tracing::warn!(shard, reason, "the new index is begun again");
                self.begin_again()?;
                return Ok(true);
            }
            done => done?,
        };
        let behind = next.reconciler().is_walking()
            || next.reconciler().lag(&self.charge.sources)? > SWITCH_LAG;
        if behind {
            if next.last_commit().0.elapsed() > BUSY_COMMIT_PERIOD && next.is_dirty() {
                next.commit()?;
            }
            return Ok(done.entries + done.nodes > 0);
        }
        next.commit()?;
        let number = next.number;
        let Some(next) = self.next.take() else {
            return Ok(false);
        };
        let old = std::mem::replace(&mut self.live, next);
        self.publish();
        old.close()?;
        self.charge.generations.switch(number)?;
        self.charge.paused.store(false, Ordering::Release);
        Ok(true)
    }

    fn publish(&self) {
        let (line, complete) = (&self.live, self.live.committed().is_complete());
        self.charge.shard.publish(
            line.searcher().clone(),
            line.fields,
            &line.committed().checkpoint,
            complete,
        );
        self.report(None);
    }

    /// When the next commit may be.
    fn due(&self) -> Instant {
        let (at, took) = self.live.last_commit();
        let reconciler = self.live.reconciler();
        let committed = &self.live.committed().checkpoint;
        let period = if reconciler.is_scanning() {
            BUSY_COMMIT_PERIOD
        } else if self.waiting() <= BUSY_LAG || reconciler.is_one_sided(committed) {
            COMMIT_PERIOD
        } else if reconciler.taken_since(committed) < BUSY_ENTRIES {
            LONGEST_COMMIT_PERIOD
        } else {
            BUSY_COMMIT_PERIOD
        };
        at + period.max(took * COMMIT_SHARE)
    }

    fn rest(&self) -> Duration {
        if !self.live.is_dirty() {
            return REST;
        }
        self.due()
            .saturating_duration_since(Instant::now())
            .min(REST)
    }

    /// Log entries that are not taken up, by the heads last seen.
    fn waiting(&self) -> u64 {
        self.live
            .reconciler()
            .waiting(&self.charge.heads.of(self.charge.shard.number))
    }

    /// Writes the shard's status.
    pub fn report(&self, error: Option<String>) {
        let mut status = self.charge.shard.status();
        status.documents = self.live.searcher().num_docs();
        status.segments = self.live.searcher().segment_readers().len();
        status.generation = self.live.number;
        status.lag = self.waiting();
        status.complete = self.live.committed().is_complete();
        status.rebuilding = self.next.is_some();
        status.rebuilt_documents = self.next.as_ref().map_or(0, Line::documents);
        status.paused = self.next.is_some() && self.charge.paused.load(Ordering::Acquire);
        status.commits = self.commits;
        status.commit_ms = self.live.last_commit().1.as_millis() as u64;
        status.checkpoint = self.needed();
        status.error = error;
        self.charge.shard.set_status(status);
    }

    /// Per owned partition, the sequence below which neither the searched generation nor the one being made needs the log.
    fn needed(&self) -> Vec<u64> {
        let live = self.live.committed().checkpoint.clone();
        let Some(next) = &self.next else { return live };
        let next = next.reconciler().payload().checkpoint;
        live.into_iter()
            .zip(next)
            .map(|(live, next)| live.min(next))
            .collect()
    }
}
