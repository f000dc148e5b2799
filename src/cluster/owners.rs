//! Who holds which shard, as the leases say; looked at again and again, so that a search need not.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use storage::lease::Leases;

use super::note::{Note, PROCESSES, SHARDS, shard_of};

/// Between two looks at the leases.
const LOOK_PERIOD: Duration = Duration::from_millis(300);
/// How long a search waits at most for a look that it asked for.
const LOOK_LIMIT: Duration = Duration::from_millis(300);
/// A process that did not answer in time is not asked for so long: searches go without it at once.
const SHUN: Duration = Duration::from_secs(2);

/// After so many hedged calls in a row that another process answered first, it is asked last for so long.
const MAX_LATE: u32 = 3;

/// A holder of a shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Where it is called.
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
    known: Mutex<Known>,
    looked: Condvar,
    shunned: Mutex<HashMap<String, Instant>>,
    /// Until when who was late is asked last, and hedged calls in a row that it lost.
    slow: Mutex<HashMap<String, Instant>>,
    late: Mutex<HashMap<String, u32>>,
}

/// What the last look found, and how many looks have begun and ended.
#[derive(Default)]
struct Known {
    shards: HashMap<u16, Vec<Owner>>,
    begun: u64,
    ended: u64,
}

impl Owners {
    /// Begins to look.
    pub fn start(leases: Leases) -> Result<Self> {
        let state = Arc::new(State {
            leases,
            known: Mutex::default(),
            looked: Condvar::new(),
            shunned: Mutex::default(),
            slow: Mutex::default(),
            late: Mutex::default(),
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

    /// The holders of a shard, in the order in which every process asks them, but those that were late or failed a moment ago last; none
    /// while nobody holds it, or the only one has just failed.
    pub fn of(&self, shard: u16) -> Vec<Owner> {
        let owners = lock(&self.state.known).shards.get(&shard).cloned();
        let mut owners = owners.unwrap_or_default();
        owners.sort_by_key(|owner| self.trouble(owner));
        match &owners[..] {
            [only] if self.trouble(only).0.is_some() => Vec::new(),
            _ => owners,
        }
    }

    /// True when a process has just failed, or was late.
    pub fn is_troubled(&self, owner: &Owner) -> bool {
        self.trouble(owner) != (None, None)
    }

    /// Until when it is passed over because it failed, and because it was late.
    fn trouble(&self, owner: &Owner) -> (Option<Instant>, Option<Instant>) {
        let (state, now) = (&self.state, Instant::now());
        let until = |these: &Mutex<HashMap<String, Instant>>| {
            let until = lock(these).get(&owner.url).copied();
            until.filter(|until| now < *until)
        };
        (until(&state.shunned), until(&state.slow))
    }

    /// The holders of a shard as the leases say now: one look for all who ask meanwhile. As they were, when that takes too long.
    pub fn look_again(&self, shard: u16) -> Vec<Owner> {
        let known = lock(&self.state.known);
        let next = known.begun + 1;
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
        let is_behind = |known: &mut Known| known.ended < next;
        let looked = &self.state.looked;
        drop(looked.wait_timeout_while(known, LOOK_LIMIT, is_behind));
        self.of(shard)
    }

    /// A process answered a hedged call first, or second.
    pub fn raced(&self, winner: &str, loser: &str) {
        let mut late = lock(&self.state.late);
        late.remove(winner);
        let lost = late.entry(loser.to_owned()).or_default();
        *lost += 1;
        if *lost >= MAX_LATE {
            late.remove(loser);
            let until = Instant::now() + SHUN;
            lock(&self.state.slow).insert(loser.to_owned(), until);
        }
    }

    /// A process answers.
    pub fn answered(&self, url: &str) {
        lock(&self.state.shunned).remove(url);
    }

    /// A process did not answer in time, or could not be talked to.
    pub fn shun(&self, url: &str, why: &str) {
        let now = Instant::now();
        let before = lock(&self.state.shunned).insert(url.to_owned(), now + SHUN);
        if before.is_none_or(|until| until <= now) {
            tracing::warn!(url, why, "a process of the cluster does not answer");
        }
    }

    /// The processes that are there and have a role, by where they answer.
    pub fn processes(&self, role: &str) -> Result<Vec<String>> {
        let alive = self.state.leases.alive(PROCESSES)?;
        let notes = alive
            .iter()
            .filter_map(|(_, lease)| Note::read(&lease.note));
        let having = notes.filter(|note| note.roles.iter().any(|has| has == role));
        Ok(having.map(|note| note.calls_url()).collect())
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
        lock(&self.known).begun += 1;
        let found = self.held();
        let mut known = lock(&self.known);
        known.ended = known.begun;
        self.looked.notify_all();
        known.shards = found?;
        let there: HashSet<&str> = known.shards.values().flatten().map(|o| &*o.url).collect();
        lock(&self.late).retain(|url, _| there.contains(&**url));
        let now = Instant::now();
        for these in [&self.shunned, &self.slow] {
            lock(these).retain(|_, until| *until > now);
        }
        Ok(())
    }

    fn held(&self) -> Result<HashMap<u16, Vec<Owner>>> {
        let alive = self.leases.alive(SHARDS)?;
        let mut shards: HashMap<u16, Vec<(u64, Owner)>> = HashMap::new();
        for (name, lease) in alive {
            if let (Some((shard, _)), Some(note)) = (shard_of(&name), Note::read(&lease.note)) {
                let (url, epoch) = (note.calls_url(), lease.epoch);
                let ranked = (rank(shard, &note.url), Owner { url, epoch });
                shards.entry(shard).or_default().push(ranked);
            }
        }
        let in_order = |(shard, mut owners): (u16, Vec<(u64, Owner)>)| {
            owners.sort_by_key(|(rank, _)| *rank);
            (shard, owners.into_iter().map(|(_, owner)| owner).collect())
        };
        Ok(shards.into_iter().map(in_order).collect())
    }
}

/// Where a process stands among the holders of a shard: each is asked first about some of its shards, and always about the same.
fn rank(shard: u16, url: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (shard, url).hash(&mut hasher);
    hasher.finish()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
