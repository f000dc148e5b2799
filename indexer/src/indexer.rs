//! All shards of this process: their owners, the watch over the logs, and the extraction stage.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use storage::block::BlockStore;
use storage::extraction::Extractions;
use storage::journal::{Journal, Partition, route};
use storage::meta::{FileId, Meta, NamespaceId};

use crate::bell::Bell;
use crate::board::Board;
use crate::error::{self, Result};
use crate::extract::{Limits, WorkerCommand};
use crate::generation::Generations;
use crate::heads::Heads;
use crate::late::HelperOptions;
use crate::owner::{Charge, Owner};
use crate::pace::{self, Pace};
use crate::payload;
use crate::reconcile::Sources;
use crate::shard::{Shard, ShardView};
use crate::snapshot;
use crate::stage::Stage;
use crate::status::{IndexerStatus, ShardStatus};
use crate::tenure::Tenure;
use crate::tidy::Turn;
use crate::verify::{self, Verified};

/// Namespaces read from metadata at a time.
const PAGE: usize = 256;
/// How often all logs are looked at while anything is written.
const FULL_LOOK_PERIOD: Duration = Duration::from_millis(80);
/// How often the logs that moved lately are looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(15);
/// The longest wait for a commit of the store.
const WATCH_TIMEOUT: Duration = Duration::from_millis(500);
/// After an error, the first and the longest rest before a shard is opened again.
const RETRY_PERIODS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(15));

/// The least and the most [`Options::memory_bytes`].
pub const MEMORY_BYTES: RangeInclusive<usize> = 15_000_000..=(1 << 30);

/// How the indexer works.
#[derive(Clone)]
pub struct Options {
    /// Shards; another number than the index has makes it anew.
    pub shards: u16,
    /// A shard's segment in memory, bytes, within [`MEMORY_BYTES`].
    pub memory_bytes: usize,
    /// How extraction workers are started; `None`: another process extracts.
    pub worker: Option<WorkerCommand>,
    /// Files extracted at a time.
    pub extractions: usize,
    /// What one file may cost.
    pub limits: Limits,
    /// Who reads what extraction cannot.
    pub helpers: HelperOptions,
    /// How several processes share extraction; `None`: this one does it all.
    pub sharing: Option<Sharing>,
    /// Which shards this process holds.
    pub holding: Holding,
    /// Where snapshots of leased shards are.
    pub snapshots: Option<snapshot::Place>,
}

/// Which shards a process holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// All, from the start.
    All,
    /// Those that [`Indexer::hold`] names, while their leases hold.
    Leased,
}

/// How extraction is shared: contents are claimed, and a process takes what [`Indexer::extract`] names, and what is left lying.
#[derive(Clone)]
pub struct Sharing {
    /// This process's number among those that share.
    pub owner: u64,
    /// The numbers of those that are there: what others have claimed is free.
    pub alive: Alive,
    /// What was not taken for so long may be taken by anybody.
    pub patience: Duration,
    /// How long a claim holds.
    pub claim: Duration,
}

/// Says which processes are there.
pub type Alive = Arc<dyn Fn() -> storage::Result<Vec<u64>> + Send + Sync>;

impl Default for Options {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Options {
            shards: 8,
            memory_bytes: 32 << 20,
            worker: None,
            extractions: cores,
            limits: Limits::default(),
            helpers: HelperOptions::default(),
            sharing: None,
            holding: Holding::All,
            snapshots: None,
        }
    }
}

/// The running indexer.
pub struct Indexer {
    shards: Vec<Arc<Shard>>,
    /// What every shard's owner is started with.
    charges: Vec<Charge>,
    running: Mutex<Vec<Option<Running>>>,
    watch: Option<JoinHandle<()>>,
    stage: Option<Stage>,
    heads: Arc<Heads>,
    journal: Journal,
    pace: Arc<Pace>,
    sources: Sources,
    stop: Arc<AtomicBool>,
}

/// The thread of a shard that this process holds.
struct Running {
    bell: Arc<Bell>,
    stop: Arc<AtomicBool>,
    rebuild: Arc<AtomicBool>,
    tenure: Option<Tenure>,
    thread: JoinHandle<()>,
}

impl Indexer {
    /// Opens every shard under `dir` and follows the logs from then on. A shard that cannot be opened says so in its status
    /// and is tried again; a second process on the same folder is refused.
    pub fn start(
        meta: Meta,
        journal: Journal,
        extractions: Extractions,
        blocks: BlockStore,
        dir: &Path,
        options: Options,
    ) -> Result<Self> {
        let count = options.shards.clamp(1, storage::journal::PARTITIONS);
        let sources = Sources {
            meta,
            journal,
            extractions,
            blocks,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let heads = Arc::new(Heads::new(count));
        heads.look(&sources.journal)?;
        let mut indexer = Indexer {
            shards: Vec::new(),
            charges: Vec::new(),
            running: Mutex::default(),
            watch: None,
            stage: None,
            heads: heads.clone(),
            journal: sources.journal.clone(),
            pace: Arc::default(),
            sources: sources.clone(),
            stop: stop.clone(),
        };
        let turn = Turn::default();
        for number in 0..count {
            let shard = Arc::new(Shard::new(number, count, sources.clone()));
            let charge = Charge {
                shard: shard.clone(),
                shards: count,
                sources: sources.clone(),
                generations: Generations::new(dir, number),
                memory_bytes: options.memory_bytes,
                heads: heads.clone(),
                bell: Arc::default(),
                stop: Arc::default(),
                rebuild: Arc::default(),
                paused: Arc::default(),
                turn: turn.clone(),
                snapshots: options.snapshots.clone(),
                tenure: None,
            };
            indexer.shards.push(shard);
            indexer.charges.push(charge);
            lock(&indexer.running).push(None);
        }
        if options.holding == Holding::All {
            (0..count).try_for_each(|shard| indexer.hold(shard, None))?;
        }
        let bells = indexer.charges.iter();
        let bells: Vec<_> = bells.map(|charge| charge.bell.clone()).collect();
        indexer.stage = options
            .worker
            .clone()
            .map(|worker| Stage::start(&sources, worker, &options))
            .transpose()?;
        let watch = Watch {
            sources,
            heads,
            bells,
            shards: indexer.shards.clone(),
            board: indexer.stage.as_ref().map(Stage::board),
            pace: indexer.pace.clone(),
            stop,
        };
        indexer.watch = Some(spawn("index-watch", move || watch.run())?);
        Ok(indexer)
    }

    /// All shards, in the order of their numbers; those that this process does not hold show nothing.
    pub fn shards(&self) -> &[Arc<Shard>] {
        &self.shards
    }

    /// Opens a shard and follows its logs from then on, as long as its tenure holds. A shard that is held already stays as it is.
    pub fn hold(&self, shard: u16, tenure: Option<Tenure>) -> Result<()> {
        let (Some(charge), mut running) =
            (self.charges.get(usize::from(shard)), lock(&self.running))
        else {
            return Ok(());
        };
        let place = &mut running[usize::from(shard)];
        if place.is_none() {
            *place = Some(Running::spawn(Charge {
                stop: Arc::default(),
                rebuild: Arc::default(),
                tenure,
                ..charge.clone()
            })?);
        }
        Ok(())
    }

    /// Closes a shard: what it has is committed first where its lease still holds, and from then on it shows nothing.
    pub fn let_go(&self, shard: u16) {
        let running = lock(&self.running)
            .get_mut(usize::from(shard))
            .and_then(Option::take);
        if let Some(running) = running {
            running.end();
            self.shards[usize::from(shard)].withdraw();
        }
    }

    /// The shards that this process holds, each with its tenure.
    pub fn held(&self) -> Vec<(Arc<Shard>, Option<Tenure>)> {
        let running = lock(&self.running);
        let held = self.shards.iter().zip(running.iter());
        let held = held.filter_map(|(shard, running)| Some((shard, running.as_ref()?)));
        held.map(|(shard, running)| (shard.clone(), running.tenure.clone()))
            .collect()
    }

    /// The shards that may hold documents of `ns`.
    pub fn shards_of(&self, ns: NamespaceId) -> impl Iterator<Item = &Arc<Shard>> {
        self.shards.iter().filter(move |shard| shard.owns(ns))
    }

    /// See [`Shard::view`].
    pub fn searcher(
        &self,
        shard: u16,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> Option<ShardView> {
        self.shards.get(shard as usize)?.view(namespaces, deadline)
    }

    /// How long the acknowledgement of a change in `ns` is to be held back so that others do not wait; see `pace`. At most a
    /// second, and zero for whoever is alone or brings little.
    pub fn delay(&self, ns: NamespaceId) -> Duration {
        self.pace.delay(ns)
    }

    /// How everything is.
    pub fn status(&self) -> IndexerStatus {
        let (extracting, extracted) = self.stage.as_ref().map_or((0, 0), Stage::counts);
        IndexerStatus {
            shards: self
                .held()
                .iter()
                .map(|(shard, tenure)| ShardStatus {
                    replica: tenure.as_ref().map_or(0, Tenure::replica),
                    ..shard.status()
                })
                .collect(),
            extracting,
            extracted,
        }
    }

    /// Per partition of the shards that this process holds, the sequence below which its log is not needed.
    pub fn checkpoints(&self) -> Vec<(Partition, u64)> {
        let count = self.shards.len() as u16;
        let held = self.held().into_iter();
        held.flat_map(|(shard, _)| {
            payload::owned(shard.number, count).zip(shard.status().checkpoint)
        })
        .collect()
    }

    /// Somebody says that logs have grown: wakes the shards whose logs did.
    pub fn look(&self) -> Result<()> {
        for shard in self.heads.look(&self.journal)? {
            self.charges[usize::from(shard)].bell.ring();
        }
        Ok(())
    }

    /// Somebody says that a file's content waits for extraction: takes it up. False when nothing waits (any more).
    pub fn extract(&self, file: FileId) -> Result<bool> {
        match &self.stage {
            Some(stage) => stage.take_up(file),
            None => Ok(false),
        }
    }

    /// Compares the files of every namespace of the held shards with their index. Reads all of metadata's tree: it takes its time.
    pub fn verify(&self) -> Result<Verified> {
        let mut verified = Verified::default();
        let held: HashSet<u16> = self.held().iter().map(|(shard, _)| shard.number).collect();
        let mut after = NamespaceId(0);
        loop {
            let page = self.sources.meta.reader()?.namespaces(after, PAGE)?;
            let Some(&(last, _)) = page.last() else {
                return Ok(verified);
            };
            after = last;
            for (ns, root) in page {
                let mut shards = self.shards_of(ns);
                let Some(shard) = shards.find(|shard| held.contains(&shard.number)) else {
                    continue;
                };
                verify::namespace(shard, &self.sources, (ns, root), &mut verified)?;
            }
        }
    }

    /// Makes every shard's index anew beside the live one, which is searched until then.
    pub fn rebuild(&self) {
        for running in lock(&self.running).iter().flatten() {
            running.rebuild.store(true, Ordering::Release);
            running.bell.ring();
        }
    }

    /// Has the indexes that are made anew rest, or go on, also after a restart; what changes meanwhile is followed in any case.
    /// Returns how many shards have one.
    pub fn pause_rebuild(&self, is_paused: bool) -> Result<usize> {
        let mut paused = 0;
        for (charge, running) in self.charges.iter().zip(lock(&self.running).iter()) {
            let Some(running) = running else { continue };
            if charge.shard.status().rebuilding || running.rebuild.load(Ordering::Acquire) {
                charge.generations.pause(is_paused)?;
                charge.paused.store(is_paused, Ordering::Release);
                running.bell.ring();
                paused += 1;
            }
        }
        Ok(paused)
    }

    /// Ends all threads; every shard commits what it has first.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(stage) = self.stage.take() {
            stage.stop();
        }
        let running: Vec<_> = lock(&self.running)
            .iter_mut()
            .filter_map(Option::take)
            .collect();
        running.iter().for_each(Running::ask_to_end);
        running.into_iter().for_each(Running::end);
        if let Some(watch) = self.watch.take() {
            join(watch);
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.end();
    }
}

impl Running {
    fn spawn(charge: Charge) -> Result<Self> {
        let (bell, stop) = (charge.bell.clone(), charge.stop.clone());
        let (rebuild, tenure) = (charge.rebuild.clone(), charge.tenure.clone());
        let thread = spawn(&format!("shard-{:02}", charge.shard.number), move || {
            keep(&charge)
        })?;
        Ok(Running {
            bell,
            stop,
            rebuild,
            tenure,
            thread,
        })
    }

    fn ask_to_end(&self) {
        self.stop.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Ends it; it commits what it has first.
    fn end(self) {
        self.ask_to_end();
        join(self.thread);
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("an indexer thread had panicked");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a shard's owner, and opens the shard again from its last commit after an error.
fn keep(charge: &Charge) {
    let mut rest = RETRY_PERIODS.0;
    while !charge.stop.load(Ordering::Acquire) {
        if !charge.is_ours() {
            charge.bell.wait(rest); // the lease may be renewed yet, if nobody took it
            continue;
        }
        let began = Instant::now();
        let Err(error) = Owner::open(charge.clone()).and_then(Owner::run) else {
            continue; // asked to end, or the lease is over
        };
        tracing::error!(shard = charge.shard.number, %error, "the shard stands still and is opened again");
        let mut status = charge.shard.status();
        status.error = Some(error.to_string());
        charge.shard.set_status(status);
        rest = if began.elapsed() > RETRY_PERIODS.1 {
            RETRY_PERIODS.0
        } else {
            (rest * 2).min(RETRY_PERIODS.1)
        };
        charge.bell.wait(rest);
    }
}

/// Looks at the logs whenever something was committed, wakes the shards whose logs moved, and sets the pace.
struct Watch {
    sources: Sources,
    heads: Arc<Heads>,
    bells: Vec<Arc<Bell>>,
    shards: Vec<Arc<Shard>>,
    board: Option<Arc<Board>>,
    pace: Arc<Pace>,
    stop: Arc<AtomicBool>,
}

impl Watch {
    fn run(&self) {
        let mut version = 0;
        let mut full = Instant::now();
        let mut paced = full;
        let mut owed = true;
        while !self.stop.load(Ordering::Acquire) {
            let rest = FULL_LOOK_PERIOD.saturating_sub(full.elapsed());
            let timeout = if owed { rest } else { WATCH_TIMEOUT };
            let newest = self.sources.meta.store().wait(version, timeout);
            owed |= newest != version;
            version = newest;
            let looked = if full.elapsed() >= FULL_LOOK_PERIOD {
                full = Instant::now();
                owed = false;
                self.heads.look(&self.sources.journal)
            } else {
                self.heads.look_at_lively(&self.sources.journal)
            };
            match looked {
                Ok(moved) => moved
                    .into_iter()
                    .for_each(|shard| self.bells[shard as usize].ring()),
                Err(error) => tracing::warn!(%error, "the logs cannot be read; trying again"),
            }
            if paced.elapsed() >= pace::LOOK_PERIOD {
                paced = Instant::now();
                self.set_pace(paced);
            }
            thread::sleep(LOOK_PERIOD);
        }
    }

    fn set_pace(&self, now: Instant) {
        let shards = self.shards.len() as u16;
        let of_shard = |shard: &Arc<Shard>| {
            let committed = shard.committed();
            let heads = self.heads.of(shard.number);
            let partitions = payload::owned(shard.number, shards);
            let logs = partitions.zip(heads).zip(committed);
            let logs = logs.map(|((partition, (_, head)), committed)| (partition, head, committed));
            logs.collect::<Vec<_>>()
        };
        let now_ms = self.sources.meta.env().clock.now_ms();
        let waiting = self.board.as_ref().map(|board| board.waiting());
        let waiting = waiting.into_iter().flatten().map(|(ns, rev)| {
            let waits_ms = u64::try_from(now_ms - rev.at_ms()).unwrap_or(0);
            (route(ns, FileId(0)), Duration::from_millis(waits_ms))
        });
        let waiting: Vec<_> = waiting.collect();
        let logs = self.shards.iter().flat_map(of_shard);
        self.pace.look(now, logs, &waiting);
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(body);
    spawned.map_err(error::io(format!("starting thread {name}")))
}

/// The folder of the index under a data folder.
pub fn index_dir(data: &Path) -> PathBuf {
    data.join("index")
}
