//! Keeps this process's leases: its own, those of its shards, and those of duties that one process at a time does.
//!
//! Every second all are renewed in one transaction. Shards are shared evenly among the processes that are there: who has fewer than
//! its share takes what nobody holds, who has more gives one up at a time, committed and published. What is lost is let go.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result};
use indexer::Indexer;
use storage::lease::{Held, Leases};

use super::note::{DUTIES, Note, PROCESSES, SHARDS, process_lease, shard_lease, shard_of};
use super::role::Role;

/// Something that one process at a time does.
pub struct Duty {
    /// Its name.
    pub name: &'static str,
    /// Starts it; what that returns ends it.
    pub start: Box<dyn Fn() -> Result<End> + Send>,
}

/// Ends a duty.
pub type End = Box<dyn FnOnce() + Send>;

/// The keeper's thread.
pub struct Keeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// What the keeper works with.
pub struct Charge {
    /// The leases.
    pub leases: Leases,
    /// The process's own lease; a new one after it was lost.
    pub process: Arc<Mutex<Held>>,
    /// Where shards are held; none where the process holds none.
    pub indexer: Option<Arc<Indexer>>,
    /// How many shards there are.
    pub shards: u16,
    /// What it may be called on to do.
    pub duties: Vec<Duty>,
    /// Called at every look.
    pub tidy: Box<dyn Fn() + Send>,
}

struct Work {
    charge: Charge,
    shards: HashMap<u16, Held>,
    /// Shards that are being given up.
    leaving: Arc<Mutex<HashSet<u16>>>,
    threads: Vec<JoinHandle<()>>,
    duties: HashMap<&'static str, (Held, End)>,
}

impl Keeper {
    /// Starts to keep.
    pub fn start(charge: Charge) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let every = charge.leases.terms().renewed_every;
        let mut work = Work {
            charge,
            shards: HashMap::new(),
            leaving: Arc::default(),
            threads: Vec::new(),
            duties: HashMap::new(),
        };
        let thread = std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                loop {
                    work.look();
                    if stopped.recv_timeout(every) != Err(RecvTimeoutError::Timeout) {
                        break;
                    }
                }
                work.end();
            })
            .context("start a thread")?;
        Ok(Keeper { stop, thread })
    }

    /// Gives everything up, in order: others take it at once.
    pub fn stop(self) {
        // A thread that has ended already hears nothing, and there is nothing to end then.
        self.stop.send(()).ok();
        if self.thread.join().is_err() {
            tracing::error!("the keeper of leases had panicked");
        }
    }
}

impl Work {
    /// One look: renew, let go of what is lost, take what is due.
    fn look(&mut self) {
        if let Err(error) = self.renew() {
            tracing::warn!(error = format!("{error:#}"), "leases cannot be renewed");
        }
        self.let_lost_go();
        (self.charge.tidy)();
        let shared = self.share_shards().and_then(|()| self.take_duties());
        if let Err(error) = shared {
            tracing::warn!(error = format!("{error:#}"), "leases cannot be taken");
        }
        self.threads.retain(|thread| !thread.is_finished());
    }

    fn renew(&mut self) -> Result<()> {
        if !lock(&self.charge.process).is_valid() {
            // The database was away, or this process was paused: it comes back as a new one would.
            let name = process_lease(self.charge.leases.me());
            if let Some(held) = self.charge.leases.take(&name)? {
                *lock(&self.charge.process) = held;
            }
        }
        let duties = self.duties.values().map(|(held, _)| held);
        let process = lock(&self.charge.process).clone();
        let all = [&process].into_iter().chain(self.shards.values());
        let all: Vec<Held> = all.chain(duties).cloned().collect();
        Ok(self.charge.leases.renew(&all)?)
    }

    fn let_lost_go(&mut self) {
        let lost = self.shards.iter().filter(|(_, held)| !held.is_valid());
        let lost: Vec<u16> = lost.map(|(shard, _)| *shard).collect();
        for shard in lost {
            self.shards.remove(&shard);
            if !self.is_leaving(shard) {
                tracing::warn!(shard, "a shard's lease is over");
                self.give_up(shard, None);
            }
        }
        let lost = self.duties.iter().filter(|(_, (held, _))| !held.is_valid());
        let lost: Vec<_> = lost.map(|(name, _)| *name).collect();
        for name in lost {
            tracing::warn!(duty = name, "a duty's lease is over");
            if let Some((held, end)) = self.duties.remove(name) {
                self.end_duty(name, held, end);
            }
        }
    }

    /// Takes a shard that nobody holds, or gives one up, so that all processes have as many.
    fn share_shards(&mut self) -> Result<()> {
        let Some(indexer) = self.charge.indexer.clone() else {
            return Ok(());
        };
        let alive = self.charge.leases.alive(PROCESSES)?;
        let notes = alive
            .iter()
            .filter_map(|(_, lease)| Note::read(&lease.note));
        let holders = notes.filter(|note| note.roles.iter().any(|role| role == Role::Shard.name()));
        let holders = u16::try_from(holders.count()).unwrap_or(u16::MAX).max(1);
        let fair = usize::from(self.charge.shards.div_ceil(holders));
        if self.shards.len() > fair && lock(&self.leaving).is_empty() {
            if let Some(&shard) = self.shards.keys().max() {
                tracing::info!(shard, "a shard is given to another process");
                self.give_up(shard, self.shards.get(&shard).cloned());
            }
            return Ok(());
        }
        let taken = self.charge.leases.alive(SHARDS)?;
        let taken: HashSet<u16> = taken
            .iter()
            .filter_map(|(name, _)| shard_of(name))
            .collect();
        let free = (0..self.charge.shards).filter(|shard| !taken.contains(shard));
        let mine = &self.shards;
        let free: Vec<u16> = free.filter(|shard| !mine.contains_key(shard)).collect();
        for shard in free {
            if self.shards.len() >= fair {
                break;
            }
            if self.is_leaving(shard) {
                continue;
            }
            if let Some(held) = self.charge.leases.take(&shard_lease(shard))? {
                tracing::info!(shard, epoch = held.epoch, "a shard is held");
                indexer.hold(shard, Some(held.clone()))?;
                self.shards.insert(shard, held);
            }
        }
        Ok(())
    }

    /// Closes a shard beside the looks, which must go on; then its lease is free.
    fn give_up(&mut self, shard: u16, held: Option<Held>) {
        let Some(indexer) = self.charge.indexer.clone() else {
            return;
        };
        lock(&self.leaving).insert(shard);
        let (leaving, leases) = (self.leaving.clone(), self.charge.leases.clone());
        let begun = Instant::now();
        let spawned = std::thread::Builder::new()
            .name(format!("leave-{shard:02}"))
            .spawn(move || {
                indexer.let_go(shard);
                if let Some(Err(error)) = held.map(|held| leases.release(&held)) {
                    tracing::warn!(shard, %error, "a lease could not be given up and runs out");
                }
                lock(&leaving).remove(&shard);
                let took_ms = begun.elapsed().as_millis() as u64;
                tracing::info!(shard, took_ms, "a shard was let go");
            });
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::error!(shard, %error, "a shard cannot be let go"),
        }
    }

    fn is_leaving(&self, shard: u16) -> bool {
        lock(&self.leaving).contains(&shard)
    }

    fn take_duties(&mut self) -> Result<()> {
        for duty in &self.charge.duties {
            if self.duties.contains_key(duty.name) {
                continue;
            }
            let Some(held) = self.charge.leases.take(&format!("{DUTIES}{}", duty.name))? else {
                continue;
            };
            match (duty.start)() {
                Ok(end) => {
                    tracing::info!(duty = duty.name, "a duty is taken up");
                    self.duties.insert(duty.name, (held, end));
                }
                Err(error) => {
                    self.charge.leases.release(&held)?;
                    return Err(error.context(duty.name));
                }
            }
        }
        Ok(())
    }

    /// Ends a duty beside the looks, which must go on; then its lease is free.
    fn end_duty(&mut self, name: &'static str, held: Held, end: End) {
        let leases = self.charge.leases.clone();
        let spawned = std::thread::Builder::new()
            .name(format!("end-{name}"))
            .spawn(move || {
                end();
                log(leases.release(&held));
            });
        match spawned {
            Ok(thread) => self.threads.push(thread),
            Err(error) => tracing::error!(duty = name, %error, "a duty cannot be ended"),
        }
    }

    /// Gives everything up.
    fn end(mut self) {
        for (name, (held, end)) in std::mem::take(&mut self.duties) {
            self.end_duty(name, held, end);
        }
        for shard in self.shards.keys().copied().collect::<Vec<_>>() {
            let held = self.shards.get(&shard).cloned();
            if !self.is_leaving(shard) {
                self.give_up(shard, held);
            }
        }
        let every = self.charge.leases.terms().renewed_every;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::park_timeout(every.min(std::time::Duration::from_millis(50)));
            if let Err(error) = self.renew() {
                tracing::warn!(error = format!("{error:#}"), "leases cannot be renewed");
            }
        }
        let process = lock(&self.charge.process).clone();
        log(self.charge.leases.release(&process));
        log(self.charge.leases.forget(&process.name));
    }
}

fn log(done: storage::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(%error, "a lease could not be given up and runs out");
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
