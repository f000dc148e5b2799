//! Keeps this process's leases: its own, those of its shards, and those of duties that one process at a time does.
//!
//! Every second all are renewed in one transaction. Shards are shared evenly among the processes that are there: who has fewer than
//! its share takes what nobody holds, who has more gives one up at a time, committed and published ([`super::share`]). What is lost is let go.

use std::collections::{BTreeSet, HashMap};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result};
use indexer::{Indexer, Tenure};
use storage::lease::{Held, Leases};

use super::note::{DUTIES, Note, PROCESSES, SHARDS, process_lease, shard_lease, shard_of};
use super::role::Role;
use super::share::Shares;

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
    /// How many replicas of each there are to be.
    pub replicas: u16,
    /// What it may be called on to do.
    pub duties: Vec<Duty>,
    /// Called at every look.
    pub tidy: Box<dyn Fn() + Send>,
}

struct Work {
    charge: Charge,
    shards: HashMap<u16, Tenure>,
    /// Shards that are being given up, each with its lease, which is kept until then; none where it is lost.
    leaving: Arc<Mutex<HashMap<u16, Option<Held>>>>,
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
        let mut all: Vec<Held> = [&process].into_iter().chain(duties).cloned().collect();
        all.extend(self.shards.values().map(Tenure::held));
        all.extend(lock(&self.leaving).values().flatten().cloned());
        Ok(self.charge.leases.renew(&all)?)
    }

    fn let_lost_go(&mut self) {
        let lost = self.shards.iter().filter(|(_, held)| !held.is_valid());
        let lost: Vec<u16> = lost.map(|(shard, _)| *shard).collect();
        for shard in lost {
            tracing::warn!(shard, "a shard's lease is over");
            self.shards.remove(&shard);
            self.let_go(shard, None);
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

    /// Takes what nobody holds, or gives one up, so that all processes hold as many.
    fn share_shards(&mut self) -> Result<()> {
        let Some(indexer) = self.charge.indexer.clone() else {
            return Ok(());
        };
        let shares = self.shares()?;
        for (shard, replica) in shares.to_take() {
            if lock(&self.leaving).contains_key(&shard) {
                continue;
            }
            let Some(held) = self.charge.leases.take(&shard_lease(shard, replica))? else {
                continue;
            };
            tracing::info!(shard, replica, epoch = held.epoch, "a shard is held");
            match self.shards.get(&shard) {
                Some(tenure) => {
                    let before = tenure.held();
                    tenure.change(held, replica);
                    self.charge.leases.release(&before)?;
                }
                None => {
                    let tenure = Tenure::new(held, replica);
                    indexer.hold(shard, Some(tenure.clone()))?;
                    self.shards.insert(shard, tenure);
                }
            }
        }
        let given = shares.to_give().filter(|_| lock(&self.leaving).is_empty());
        if let Some(tenure) = given.and_then(|(shard, _)| self.shards.remove(&shard))
            && let Some((shard, replica)) = given
        {
            tracing::info!(shard, replica, "a shard is given to another process");
            self.let_go(shard, Some(tenure.held()));
        }
        Ok(())
    }

    /// Who holds what, as the leases say.
    fn shares(&self) -> Result<Shares> {
        let leases = &self.charge.leases;
        let can_hold = |note: &str| {
            let note = Note::read(note);
            note.is_some_and(|note| note.roles.iter().any(|role| role == Role::Shard.name()))
        };
        let processes = leases.alive(PROCESSES)?.into_iter();
        let processes = processes.filter(|(_, lease)| can_hold(&lease.note));
        let mut processes: BTreeSet<u64> = processes.map(|(_, lease)| lease.holder).collect();
        processes.insert(leases.me());
        let held = leases.alive(SHARDS)?.into_iter();
        Ok(Shares {
            shards: self.charge.shards,
            replicas: self.charge.replicas,
            me: leases.me(),
            processes,
            held: held
                .filter_map(|(name, lease)| Some((shard_of(&name)?, lease.holder)))
                .collect(),
        })
    }

    /// Closes a shard beside the looks, which must go on; then its lease is free.
    fn let_go(&mut self, shard: u16, held: Option<Held>) {
        let Some(indexer) = self.charge.indexer.clone() else {
            return;
        };
        lock(&self.leaving).insert(shard, held.clone());
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
        for (shard, tenure) in std::mem::take(&mut self.shards) {
            self.let_go(shard, Some(tenure.held()));
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
