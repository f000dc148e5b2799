//! Who is to hold what: decided by each process for itself from the leases, so that all shards are held, by as many as is wished, and
//! all processes hold about as many.

use std::collections::{BTreeMap, BTreeSet};

/// A replica of a shard.
pub type Replica = (u16, u16);

/// What the leases say.
pub struct Shares {
    /// How many shards there are.
    pub shards: u16,
    /// How many replicas of each are wished.
    pub replicas: u16,
    /// Who looks.
    pub me: u64,
    /// The processes that may hold shards, the one that looks among them.
    pub processes: BTreeSet<u64>,
    /// Who holds which replica.
    pub held: BTreeMap<Replica, u64>,
}

impl Shares {
    /// The replicas to take, the most urgent first: of a shard of which one's own is not the first, the first that nobody holds; else
    /// what nobody holds of a shard that one does not hold, as long as that is one's share.
    pub fn to_take(&self) -> Vec<Replica> {
        let mut wanted: Vec<Replica> = self.own().filter(|own| self.is_to_be_first(*own)).collect();
        wanted.iter_mut().for_each(|(_, replica)| *replica = 0);
        let mut count = self.count(self.me);
        for (shard, replica) in self.free() {
            let waits_for_its_holder = replica == 0 && self.holders(shard).next().is_some();
            if self.holds(self.me, shard) || waits_for_its_holder {
                continue;
            }
            let others = self.processes.iter().filter(|other| **other != self.me);
            let mut able = others.filter(|other| !self.holds(**other, shard));
            if count < self.fair() || able.all(|other| self.count(*other) >= count) {
                wanted.push((shard, replica));
                count += 1;
            }
        }
        wanted
    }

    /// A replica to give up, so that a process that holds less can take it; none while anything is still to be taken.
    pub fn to_give(&self) -> Option<Replica> {
        let can_be_taken = |shard: u16| self.processes.iter().any(|one| !self.holds(*one, shard));
        if self.free().any(|(shard, _)| can_be_taken(shard)) {
            return None;
        }
        let count = self.count(self.me);
        let is_wanted = |(shard, _): &Replica| {
            let mut others = self.processes.iter();
            others.any(|other| !self.holds(*other, *shard) && self.count(*other) + 1 < count)
        };
        self.own()
            .filter(is_wanted)
            .max_by_key(|(shard, replica)| (*replica, *shard))
    }

    /// What nobody holds: the first replicas before the others.
    fn free(&self) -> impl Iterator<Item = Replica> {
        let all = (0..self.levels()).flat_map(|level| (0..self.shards).map(move |s| (s, level)));
        all.filter(|replica| !self.held.contains_key(replica))
    }

    fn own(&self) -> impl Iterator<Item = Replica> {
        let own = self.held.iter().filter(|(_, holder)| **holder == self.me);
        own.map(|(replica, _)| *replica)
    }

    fn is_to_be_first(&self, (shard, replica): Replica) -> bool {
        replica > 0 && !self.held.contains_key(&(shard, 0))
    }

    fn holds(&self, process: u64, shard: u16) -> bool {
        self.holders(shard).any(|holder| holder == process)
    }

    fn holders(&self, shard: u16) -> impl Iterator<Item = u64> {
        let replicas = self.held.range((shard, 0)..=(shard, u16::MAX));
        replicas.map(|(_, holder)| *holder)
    }

    fn count(&self, process: u64) -> usize {
        let held = self.held.values().filter(|holder| **holder == process);
        held.count()
    }

    /// Replicas that there can be: no process holds two of one shard.
    fn levels(&self) -> u16 {
        let processes = u16::try_from(self.processes.len()).unwrap_or(u16::MAX);
        self.replicas.min(processes)
    }

    fn fair(&self) -> usize {
        let all = usize::from(self.shards) * usize::from(self.levels());
        all.div_ceil(self.processes.len().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Processes that look one after the other; what dies is free at once.
    struct World {
        shards: u16,
        replicas: u16,
        processes: BTreeSet<u64>,
        held: BTreeMap<Replica, u64>,
    }

    impl World {
        fn new(shards: u16, replicas: u16) -> World {
            let (processes, held) = (BTreeSet::new(), BTreeMap::new());
            World {
                shards,
                replicas,
                processes,
                held,
            }
        }

        fn seen(&self, me: u64) -> Shares {
            let (processes, held) = (self.processes.clone(), self.held.clone());
            let (shards, replicas) = (self.shards, self.replicas);
            Shares {
                shards,
                replicas,
                me,
                processes,
                held,
            }
        }

        /// One look of each; true when any did something.
        fn look(&mut self) -> bool {
            let mut moved = false;
            for me in self.processes.clone() {
                let shares = self.seen(me);
                if let Some(given) = shares.to_give() {
                    self.held.remove(&given);
                    moved = true;
                    continue;
                }
                for taken in shares.to_take() {
                    self.held
                        .retain(|(shard, _), holder| (*shard, *holder) != (taken.0, me));
                    self.held.insert(taken, me);
                    moved = true;
                }
            }
            moved
        }

        fn settle(&mut self) {
            let looks = (0..500).take_while(|_| self.look()).count();
            assert!(looks < 500, "they never rest: {:?}", self.held);
            let levels = usize::from(self.replicas).min(self.processes.len());
            for shard in 0..self.shards {
                let own: Vec<_> = self.held.range((shard, 0)..=(shard, u16::MAX)).collect();
                let holders: BTreeSet<_> = own.iter().map(|(_, holder)| **holder).collect();
                assert!(own.len() >= levels, "shard {shard}: {own:?}");
                assert_eq!(
                    holders.len(),
                    own.len(),
                    "shard {shard} twice at one: {own:?}"
                );
                assert_eq!(own[0].0.1, 0, "shard {shard} has no first");
            }
            let counts = self.processes.iter().map(|one| self.seen(*one).count(*one));
            let counts: Vec<_> = counts.collect();
            let (least, most) = (counts.iter().min(), counts.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 2, "{counts:?}");
        }
    }

    #[test]
    fn processes_that_come_and_go_hold_everything_evenly() {
        for (shards, replicas) in [(8, 1), (8, 2), (8, 3), (1, 2), (13, 2), (64, 3)] {
            let mut world = World::new(shards, replicas);
            for coming in 1..=7 {
                world.processes.insert(coming);
                world.settle();
            }
            for going in [3, 1, 7, 5] {
                world.processes.remove(&going);
                world.held.retain(|_, holder| *holder != going);
                world.settle();
            }
        }
    }

    #[test]
    fn who_holds_a_later_replica_becomes_the_first() {
        let mut world = World::new(2, 2);
        world.processes = [1, 2].into();
        world.held = [((0, 1), 1), ((1, 0), 2)].into();
        assert_eq!(world.seen(1).to_take(), [(0, 0), (1, 1)]);
        assert_eq!(world.seen(2).to_take(), []);
    }
}
