//! Leases: what only one process at a time may do (a shard, the relay, the upkeep), and which processes there are.
//!
//! A lease is a row with its holder, an *epoch* that grows with every new holder, and a *beat* that grows with every renewal. No
//! clock is compared with another machine's: a holder counts as gone when its beat has stood still for [`Terms::lasts`] by the
//! watch of whoever looks, and a holder stops relying on its lease [`Terms::margin`] earlier, by its own watch, counted from before its
//! last renewal. A process that was paused and goes on finds its lease over before it answers anything; and whatever it writes
//! under the lease goes through [`require`], which refuses an older epoch in the same transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kv::{Snapshot, Store, Transaction, prefix_end};
use crate::{keyspace, row};

/// Leases that one look reads at most.
const MAX_LEASES: usize = 4096;

/// How long leases last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// A holder whose beat stands still for so long is gone.
    pub lasts: Duration,
    /// So much earlier the holder itself stops.
    pub margin: Duration,
    /// Between two renewals.
    pub renewed_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Terms {
            lasts: Duration::from_secs(6),
            margin: Duration::from_secs(2),
            renewed_every: Duration::from_secs(1),
        }
    }
}

/// A lease's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it; 0: nobody.
    pub holder: u64,
    /// Grows with every new holder.
    pub epoch: u64,
    /// Grows with every renewal.
    pub beat: u64,
    /// What the holder says about itself: where it can be reached.
    pub note: String,
}

/// A lease that this process holds, or held. Clones are the same lease.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its name.
    pub name: String,
    /// Its epoch.
    pub epoch: u64,
    /// Who holds it.
    pub holder: u64,
    until: Arc<Mutex<Option<Instant>>>,
}

impl Held {
    /// True while no other process can have taken it.
    pub fn is_valid(&self) -> bool {
        lock(&self.until).is_some_and(|until| Instant::now() < until)
    }

    /// From now on it does not count any more, whatever the row says.
    pub fn end(&self) {
        *lock(&self.until) = None;
    }

    fn prolong(&self, until: Instant) {
        let mut own = lock(&self.until);
        if own.is_some() {
            *own = Some(until);
        }
    }
}

/// The leases of a store, as one process sees them. Clones share what was seen.
#[derive(Clone)]
pub struct Leases {
    store: Arc<dyn Store>,
    me: u64,
    note: String,
    terms: Terms,
    seen: Arc<Mutex<HashMap<String, Seen>>>,
}

/// When a row's beat was last seen to move.
#[derive(Clone, Copy)]
struct Seen {
    epoch: u64,
    beat: u64,
    at: Instant,
}

impl Leases {
    /// The leases of `store` for a holder with this random number, which says `note` about itself.
    pub fn new(store: Arc<dyn Store>, me: u64, note: String, terms: Terms) -> Self {
        Leases {
            store,
            me: me.max(1),
            note,
            terms,
            seen: Arc::default(),
        }
    }

    /// This process's number.
    pub fn me(&self) -> u64 {
        self.me
    }

    /// How long they last.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// All leases whose names begin with `prefix`, with their names, by name.
    pub fn all(&self, prefix: &str) -> Result<Vec<(String, Lease)>> {
        let start = key(prefix);
        let rows = self
            .store
            .snapshot()?
            .range(&start, &prefix_end(&start), false, MAX_LEASES)?;
        let now = Instant::now();
        rows.into_iter()
            .map(|(key, value)| {
                let name = String::from_utf8_lossy(&key[1..]).into_owned();
                let lease = decode(&name, &value)?;
                self.see(&name, &lease, now);
                Ok((name, lease))
            })
            .collect()
    }

    /// Those of [`Leases::all`] that somebody holds who has not been found gone.
    pub fn alive(&self, prefix: &str) -> Result<Vec<(String, Lease)>> {
        let mut all = self.all(prefix)?;
        let now = Instant::now();
        all.retain(|(name, lease)| lease.holder != 0 && !self.is_gone(name, lease, now));
        Ok(all)
    }

    /// Takes a lease that nobody holds, or whose holder is gone; `None` when somebody does. The same process takes its own again with
    /// a new epoch.
    pub fn take(&self, name: &str) -> Result<Option<Held>> {
        let (key, mut taken) = (key(name), None);
        let begun = Instant::now();
        self.store.transact(&mut |txn| {
            taken = None;
            let present = read(txn, name)?;
            if let Some(present) = &present {
                self.see(name, present, begun);
                let is_free = present.holder == 0 || present.holder == self.me;
                if !is_free && !self.is_gone(name, present, begun) {
                    return Ok(());
                }
            }
            let lease = Lease {
                holder: self.me,
                epoch: present.map_or(0, |present| present.epoch) + 1,
                beat: 0,
                note: self.note.clone(),
            };
            txn.put(key.clone(), row::encode(&lease)?.into());
            taken = Some(lease.epoch);
            Ok(())
        })?;
        Ok(taken.map(|epoch| Held {
            name: name.to_owned(),
            epoch,
            holder: self.me,
            until: Arc::new(Mutex::new(Some(self.until(begun)))),
        }))
    }

    /// Renews leases, all in one transaction. What another process has taken ends.
    pub fn renew(&self, held: &[Held]) -> Result<()> {
        if held.is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let mut lost = Vec::new();
        self.store.transact(&mut |txn| {
            lost.clear();
            for (at, held) in held.iter().enumerate() {
                match read(txn, &held.name)? {
                    Some(row) if (row.holder, row.epoch) == (held.holder, held.epoch) => {
                        let row = Lease {
                            beat: row.beat + 1,
                            ..row
                        };
                        txn.put(key(&held.name), row::encode(&row)?.into());
                    }
                    _ => lost.push(at),
                }
            }
            Ok(())
        })?;
        for (at, held) in held.iter().enumerate() {
            match lost.contains(&at) {
                true => held.end(),
                false => held.prolong(self.until(begun)),
            }
        }
        Ok(())
    }

    /// Gives a lease up, so that others take it at once.
    pub fn release(&self, held: &Held) -> Result<()> {
        held.end();
        self.store.transact(&mut |txn| {
            if let Some(row) = read(txn, &held.name)?
                && (row.holder, row.epoch) == (held.holder, held.epoch)
            {
                let free = Lease {
                    holder: 0,
                    note: String::new(),
                    ..row
                };
                txn.put(key(&held.name), row::encode(&free)?.into());
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Removes the row of a lease whose name is not used again: a process's own. Its epoch begins anew.
    pub fn forget(&self, name: &str) -> Result<()> {
        self.store.transact(&mut |txn| {
            txn.delete(key(name));
            Ok(())
        })?;
        lock(&self.seen).remove(name);
        Ok(())
    }

    /// True when the lease's beat has stood still, as far as this process has looked, for as long as leases last.
    pub fn is_gone(&self, name: &str, lease: &Lease, now: Instant) -> bool {
        let seen = lock(&self.seen).get(name).copied();
        seen.is_some_and(|seen| {
            (seen.epoch, seen.beat) == (lease.epoch, lease.beat)
                && now.saturating_duration_since(seen.at) >= self.terms.lasts
        })
    }

    fn see(&self, name: &str, lease: &Lease, at: Instant) {
        let (epoch, beat) = (lease.epoch, lease.beat);
        let new = Seen { epoch, beat, at };
        let mut seen = lock(&self.seen);
        let known = seen.entry(name.to_owned()).or_insert(new);
        if (known.epoch, known.beat) != (epoch, beat) {
            *known = new;
        }
    }

    fn until(&self, begun: Instant) -> Instant {
        begun + self.terms.lasts.saturating_sub(self.terms.margin)
    }
}

/// Refuses, in the transaction that writes under a lease, a holder that is not the present one. // fenced by epoch
pub fn require(txn: &dyn Transaction, held: &Held) -> Result<()> {
    match read(txn, &held.name)? {
        Some(row) if (row.holder, row.epoch) == (held.holder, held.epoch) => Ok(()),
        _ => Err(Error::Unavailable(format!(
            "the lease of {} is another process's now",
            held.name
        ))),
    }
}

/// The row of a lease.
pub fn read(from: &(impl Snapshot + ?Sized), name: &str) -> Result<Option<Lease>> {
    let row = from.get(&key(name))?;
    row.map(|row| decode(name, &row)).transpose()
}

fn decode(name: &str, value: &[u8]) -> Result<Lease> {
    row::decode(&format!("lease {name}"), value)
}

/// `LEASE name`.
fn key(name: &str) -> Vec<u8> {
    [&[keyspace::LEASE], name.as_bytes()].concat()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::memory::MemoryStore;

    fn pair(lasts: Duration) -> (Leases, Leases) {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let terms = Terms {
            lasts,
            margin: Duration::ZERO,
            renewed_every: Duration::ZERO,
        };
        let of = |me: u64| Leases::new(store.clone(), me, format!("process {me}"), terms);
        (of(1), of(2))
    }

    #[test]
    fn one_holds_a_lease_and_another_takes_it_when_it_is_given_up() {
        let (one, two) = pair(Duration::from_secs(3600));
        let held = one.take("shard/001").unwrap().unwrap();
        assert!(held.is_valid() && two.take("shard/001").unwrap().is_none());
        let alive = two.alive("shard/").unwrap();
        assert_eq!(
            (alive[0].1.note.as_str(), alive[0].1.epoch),
            ("process 1", 1)
        );
        one.release(&held).unwrap();
        let next = two.take("shard/001").unwrap().unwrap();
        assert_eq!((held.is_valid(), next.epoch), (false, 2));
        one.renew(std::slice::from_ref(&held)).unwrap();
        assert!(!held.is_valid() && next.is_valid());
    }

    #[test]
    fn whose_beat_stands_still_is_gone_and_what_it_writes_is_refused() {
        let (one, two) = pair(Duration::ZERO);
        let held = one.take("relay").unwrap().unwrap();
        let next = two.take("relay").unwrap().unwrap(); // a lease of no length is over at once
        assert_eq!(next.epoch, 2);
        let write = |held: &Held| {
            two.store.transact(&mut |txn| {
                require(txn, held)?;
                txn.put(b"\xf0what".to_vec(), b"it wrote".to_vec().into());
                Ok(())
            })
        };
        assert!(write(&held).is_err() && write(&next).is_ok());
        one.renew(std::slice::from_ref(&held)).unwrap();
        assert!(!held.is_valid());
    }

    #[test]
    fn a_beat_that_moves_keeps_a_lease() {
        let (one, two) = pair(Duration::from_millis(200));
        let held = one.take("relay").unwrap().unwrap();
        let begun = Instant::now();
        let row = |leases: &Leases| leases.all("relay").unwrap().remove(0).1;
        let first = row(&two);
        assert!(!two.is_gone("relay", &first, begun));
        assert!(two.is_gone("relay", &first, begun + Duration::from_secs(1)));
        one.renew(&[held]).unwrap();
        let later = row(&two);
        assert!(!two.is_gone("relay", &later, Instant::now()));
        assert!(
            !two.is_gone("relay", &first, begun + Duration::from_secs(1)),
            "it was seen to live since"
        );
    }
}
