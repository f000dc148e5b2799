//! Who holds which shard, as the leases say; looked at again and again, so that a search need not.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use storage::lease::Leases;

use super::note::{Note, PROCESSES, SHARDS, shard_of};

/// Between two looks at the leases.
const LOOK_PERIOD: Duration = Duration::from_millis(300);
/// A process that did not answer in time is not asked for so long: searches go without it at once.
const SHUN: Duration = Duration::from_secs(2);

/// The holder of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Where it answers.
    pub url: String,
    /// The epoch of its lease.
    pub epoch: u64,
}

/// Who holds what. Ends its thread when dropped.
pub struct Owners {
    state: Arc<State>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    leases: Leases,
    shards: Mutex<HashMap<u16, Owner>>,
    shunned: Mutex<HashMap<String, Instant>>,
}

impl Owners {
    /// Begins to look.
    pub fn start(leases: Leases) -> Result<Self> {
        let state = Arc::new(State {
            leases,
            shards: Mutex::default(),
            shunned: Mutex::default(),
        });
        state.look()?;
        let stop = Arc::<AtomicBool>::default();
        let (looking, stopped) = (state.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("shard-owners".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    std::thread::park_timeout(LOOK_PERIOD);
                    if let Err(error) = looking.look() {
                        tracing::warn!(error = format!("{error:#}"), "leases cannot be read");
                    }
                }
            })?;
        Ok(Owners {
            state,
            stop,
            thread: Some(thread),
        })
    }

    /// The holder of a shard; none while nobody holds it, or its holder has just failed to answer.
    pub fn of(&self, shard: u16) -> Option<Owner> {
        let owner = lock(&self.state.shards).get(&shard).cloned()?;
        let until = lock(&self.state.shunned).get(&owner.url).copied();
        until
            .is_none_or(|until| Instant::now() >= until)
            .then_some(owner)
    }

    /// The holder of a shard as the leases say now.
    pub fn look_again(&self, shard: u16) -> Option<Owner> {
        if let Err(error) = self.state.look() {
            tracing::debug!(error = format!("{error:#}"), "leases cannot be read");
        }
        self.of(shard)
    }

    /// A process did not answer in time.
    pub fn shun(&self, url: &str) {
        let until = Instant::now() + SHUN;
        lock(&self.state.shunned).insert(url.to_owned(), until);
    }

    /// The processes that are there and have a role, by where they answer.
    pub fn processes(&self, role: &str) -> Result<Vec<String>> {
        let alive = self.state.leases.alive(PROCESSES)?;
        let notes = alive
            .iter()
            .filter_map(|(_, lease)| Note::read(&lease.note));
        let having = notes.filter(|note| note.roles.iter().any(|has| has == role));
        Ok(having.map(|note| note.url).collect())
    }
}

impl Drop for Owners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("the thread that looks at leases had panicked");
            }
        }
    }
}

impl State {
    fn look(&self) -> Result<()> {
        let alive = self.leases.alive(SHARDS)?;
        let owners = alive.into_iter().filter_map(|(name, lease)| {
            let note = Note::read(&lease.note)?;
            let owner = Owner {
                url: note.url,
                epoch: lease.epoch,
            };
            Some((shard_of(&name)?, owner))
        });
        *lock(&self.shards) = owners.collect();
        let now = Instant::now();
        lock(&self.shunned).retain(|_, until| *until > now);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
