//! Turns at something scarce, shared by whoever asks for them: one may hold as many as are left for the others, and the next turn
//! goes to who holds the fewest.
//!
//! So a single busy one gets half of all, two get a third each, and for who holds none there is a turn at once, as long as fewer are
//! busy than there are turns. What is free is never waited for by who is new.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// How many of one may wait for a turn.
pub const MAX_WAITING: usize = 512;

/// A bounded number of turns, each held by somebody.
pub struct Turns<K: Ord + Copy> {
    /// What they are turns at, for metrics.
    name: &'static str,
    state: Mutex<State<K>>,
}

/// A turn, until it is dropped.
pub struct Turn<K: Ord + Copy> {
    turns: Arc<Turns<K>>,
    holder: K,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Whoever asks holds some already, or has too many others waiting.
    Own,
    /// Others hold all of them.
    Full,
}

struct State<K: Ord + Copy> {
    free: usize,
    /// Numbers those who wait in the order in which they came.
    next: u64,
    askers: BTreeMap<K, Asker<K>>,
    /// Who waits: the one with the fewest turns first, then the one whose first came first.
    line: BTreeSet<(usize, u64, K)>,
}

struct Asker<K: Ord + Copy> {
    held: usize,
    waiting: VecDeque<(u64, oneshot::Sender<Turn<K>>)>,
}

impl<K: Ord + Copy> Turns<K> {
    /// So many turns at what `name` says.
    pub fn new(name: &'static str, turns: usize) -> Arc<Self> {
        let state = State {
            free: turns,
            next: 0,
            askers: BTreeMap::new(),
            line: BTreeSet::new(),
        };
        Arc::new(Turns {
            name,
            state: Mutex::new(state),
        })
    }

    /// A turn for `who`, which is waited for so long.
    pub async fn take(self: &Arc<Self>, who: K, patience: Duration) -> Result<Turn<K>, Refused> {
        let mut place = match self.ask(who, MAX_WAITING) {
            Ok(turn) => return Ok(turn),
            Err(place) => place.ok_or_else(|| self.refuse(Refused::Own))?,
        };
        match tokio::time::timeout(patience, place.taken()).await {
            Ok(turn) => Ok(turn),
            Err(_) => Err(self.refuse(self.why(who))),
        }
    }

    /// The same for what cannot be refused any more. What waits is bounded elsewhere.
    pub async fn wait(self: &Arc<Self>, who: K) -> Turn<K> {
        match self.ask(who, usize::MAX) {
            Ok(turn) => turn,
            Err(Some(mut place)) => place.taken().await,
            Err(None) => std::future::pending().await,
        }
    }

    /// A turn that is there now.
    pub fn take_now(self: &Arc<Self>, who: K) -> Result<Turn<K>, Refused> {
        let refused = || self.refuse(self.why(who));
        self.ask(who, 0).map_err(|_| refused())
    }

    /// Turns that nobody holds.
    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.lock().free
    }

    /// Turns that `who` holds or waits for.
    #[cfg(test)]
    pub fn under_way(&self, who: K) -> usize {
        let state = self.lock();
        let asker = state.askers.get(&who);
        asker.map_or(0, |asker| asker.held + asker.waiting.len())
    }

    /// A turn, or a place in the line; neither when so many of `who` wait already.
    fn ask(self: &Arc<Self>, who: K, most: usize) -> Result<Turn<K>, Option<Place<K>>> {
        let mut state = self.lock();
        let free = state.free;
        let asker = state.askers.entry(who).or_default();
        if asker.waiting.is_empty() && may_take(asker.held, free) {
            asker.held += 1;
            state.free -= 1;
            return Ok(self.turn(who));
        }
        if asker.waiting.len() >= most {
            state.forget(who);
            return Err(None);
        }
        let (sender, turn) = oneshot::channel();
        let number = state.wait(who, sender);
        Err(Some(Place {
            turns: self.clone(),
            who,
            number,
            turn,
            since: Instant::now(),
        }))
    }

    fn why(&self, who: K) -> Refused {
        match self.lock().askers.get(&who) {
            Some(asker) if asker.held > 0 => Refused::Own,
            _ => Refused::Full,
        }
    }

    /// Counts a refusal.
    fn refuse(&self, why: Refused) -> Refused {
        let word = match why {
            Refused::Own => "own",
            Refused::Full => "full",
        };
        metrics::counter!("firefly_turns_refused_total", "turns" => self.name, "why" => word)
            .increment(1);
        why
    }

    fn turn(self: &Arc<Self>, holder: K) -> Turn<K> {
        Turn {
            turns: self.clone(),
            holder,
        }
    }

    /// Gives a turn back, and hands out what is free now.
    fn give_back(self: &Arc<Self>, holder: K) {
        let mut granted = Vec::new();
        let mut state = self.lock();
        state.returned(holder);
        while let Some((who, sender)) = state.grant() {
            granted.push((self.turn(who), sender));
        }
        drop(state);
        for (turn, sender) in granted {
            // Whoever went away meanwhile gives it back by not taking it.
            drop(sender.send(turn));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rule: who holds fewer than are left may take one more.
fn may_take(held: usize, free: usize) -> bool {
    held < free
}

impl<K: Ord + Copy> State<K> {
    /// Puts one more of `who` behind those that wait; its number.
    fn wait(&mut self, who: K, sender: oneshot::Sender<Turn<K>>) -> u64 {
        let number = self.next;
        self.next += 1;
        let asker = self.askers.entry(who).or_default();
        asker.waiting.push_back((number, sender));
        if asker.waiting.len() == 1 {
            self.line.insert((asker.held, number, who));
        }
        number
    }

    fn returned(&mut self, holder: K) {
        self.free += 1;
        if let Some(asker) = self.askers.get_mut(&holder) {
            if let Some((first, _)) = asker.waiting.front() {
                self.line.remove(&(asker.held, *first, holder));
                self.line.insert((asker.held - 1, *first, holder));
            }
            asker.held -= 1;
        }
        self.forget(holder);
    }

    /// Whose turn it is, if anybody may take one: when the one with the fewest may not, nobody may.
    fn grant(&mut self) -> Option<(K, oneshot::Sender<Turn<K>>)> {
        let &(held, first, who) = self.line.first()?;
        if !may_take(held, self.free) {
            return None;
        }
        self.line.remove(&(held, first, who));
        let asker = self.askers.get_mut(&who)?;
        let (_, sender) = asker.waiting.pop_front()?;
        asker.held += 1;
        self.free -= 1;
        if let Some((next, _)) = asker.waiting.front() {
            self.line.insert((asker.held, *next, who));
        }
        Some((who, sender))
    }

    /// Takes one that waits out of the line.
    fn leave(&mut self, who: K, number: u64) {
        let Some(asker) = self.askers.get_mut(&who) else {
            return;
        };
        let at = asker.waiting.iter().position(|(other, _)| *other == number);
        let Some(at) = at else { return };
        asker.waiting.remove(at);
        if at == 0 {
            self.line.remove(&(asker.held, number, who));
            if let Some((next, _)) = asker.waiting.front() {
                self.line.insert((asker.held, *next, who));
            }
        }
        self.forget(who);
    }

    /// Who holds nothing and waits for nothing is not kept.
    fn forget(&mut self, who: K) {
        let asker = self.askers.get(&who);
        if asker.is_some_and(|asker| asker.held == 0 && asker.waiting.is_empty()) {
            self.askers.remove(&who);
        }
    }
}

impl<K: Ord + Copy> Default for Asker<K> {
    fn default() -> Self {
        Asker {
            held: 0,
            waiting: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy> Drop for Turn<K> {
    fn drop(&mut self) {
        self.turns.give_back(self.holder);
    }
}

/// A place in the line, left when dropped.
struct Place<K: Ord + Copy> {
    turns: Arc<Turns<K>>,
    who: K,
    number: u64,
    turn: oneshot::Receiver<Turn<K>>,
    since: Instant,
}

impl<K: Ord + Copy> Place<K> {
    /// The turn, once it comes.
    async fn taken(&mut self) -> Turn<K> {
        match (&mut self.turn).await {
            Ok(turn) => turn,
            // The sender stands in the line as long as this place does.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<K: Ord + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        self.turns.lock().leave(self.who, self.number);
        metrics::histogram!("firefly_turn_wait_seconds", "turns" => self.turns.name)
            .record(self.since.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use futures::FutureExt;

    use super::*;

    /// Takes turns until there is none at once.
    fn all(turns: &Arc<Turns<u8>>, who: u8) -> Vec<Turn<u8>> {
        std::iter::from_fn(|| turns.take_now(who).ok()).collect()
    }

    #[test]
    fn one_may_hold_as_many_as_are_left() {
        let turns = Turns::new("test", 96);
        let first = all(&turns, 1);
        assert_eq!((first.len(), turns.free()), (48, 48));
        let second = all(&turns, 2);
        assert_eq!((second.len(), turns.free()), (24, 24));
        // When turns come back, who waits levels out, and something is left for who is new.
        assert_eq!(turns.take_now(1).err(), Some(Refused::Own));
        let mut others: Vec<_> = (3..7).flat_map(|who| all(&turns, who)).collect();
        assert_eq!(turns.free(), 1);
        others.push(turns.take_now(10).expect("one is left"));
        assert_eq!(turns.take_now(11).err(), Some(Refused::Full));
        drop((first, second, others));
        assert_eq!(turns.free(), 96);
        assert!(turns.lock().askers.is_empty(), "nobody is kept");
    }

    #[tokio::test]
    async fn the_next_turn_goes_to_who_holds_the_fewest() {
        let turns = Turns::new("test", 8);
        let mut held: HashMap<u8, Vec<_>> = HashMap::new();
        held.insert(1, all(&turns, 1));
        held.insert(2, all(&turns, 2));
        held.insert(3, all(&turns, 3));
        let counts = [4, 2, 1];
        assert_eq!([1, 2, 3].map(|who| held[&who].len()), counts);
        let mut waiting: Vec<_> = [1, 2, 3, 3]
            .map(|who| Box::pin(turns.wait(who)))
            .into_iter()
            .collect();
        for wait in &mut waiting {
            assert!(wait.now_or_never().is_none());
        }
        // One comes back, and two are free: 3 holds one and gets one more; then it holds as many as are left.
        held.get_mut(&1).expect("held").pop();
        let got: Vec<_> = waiting.iter_mut().map(|w| w.now_or_never()).collect();
        let who = got
            .iter()
            .map(|got| got.as_ref().map(|turn| turn.holder))
            .collect::<Vec<_>>();
        assert_eq!(who, [None, None, Some(3), None]);
        drop((got, waiting, held));
        assert_eq!(turns.free(), 8);
        assert!(turns.lock().askers.is_empty() && turns.lock().line.is_empty());
    }

    #[tokio::test]
    async fn waiting_ends_and_is_bounded() {
        let turns = Turns::new("test", 2);
        let held = turns.take_now(1).expect("a turn");
        assert_eq!(
            turns.take(1, Duration::ZERO).await.err(),
            Some(Refused::Own)
        );
        let other = turns.take(2, Duration::ZERO).await.expect("a turn");
        assert_eq!(
            turns.take(3, Duration::ZERO).await.err(),
            Some(Refused::Full)
        );
        let patience = Duration::from_secs(3600);
        let mut waiting = Vec::new();
        for _ in 0..MAX_WAITING {
            let mut wait = Box::pin(turns.take(3, patience));
            assert!((&mut wait).now_or_never().is_none());
            waiting.push(wait);
        }
        let one_more = turns.take(3, patience).now_or_never();
        assert_eq!(one_more.map(|turn| turn.err()), Some(Some(Refused::Own)));
        // Whoever goes away is not waited for: the first that is still there gets the turn.
        drop(waiting.remove(0));
        drop(held);
        assert!((&mut waiting[0]).now_or_never().is_some_and(|t| t.is_ok()));
        drop((waiting, other));
        assert_eq!(turns.free(), 2);
        assert!(turns.lock().askers.is_empty());
    }

    /// Asks, takes, goes away and gives back in any order: nothing is lost, nobody holds more than was left when it was taken, and
    /// nobody waits who might have one.
    #[test]
    fn nothing_is_lost_in_any_order() {
        let turns = Turns::new("test", 7);
        let (mut held, mut waiting) = (Vec::new(), Vec::new());
        let mut random = 1u32;
        let mut below = move |end: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % end
        };
        for _ in 0..20_000 {
            match below(4) {
                0 | 1 if waiting.len() < 40 => {
                    let who = below(5) as u8;
                    let turns = turns.clone();
                    waiting.push(Box::pin(async move { turns.wait(who).await }));
                }
                2 if !waiting.is_empty() => drop(waiting.swap_remove(below(waiting.len()))),
                _ if !held.is_empty() => drop(held.swap_remove(below(held.len()))),
                _ => {}
            }
            let mut at = 0;
            while at < waiting.len() {
                match waiting[at].as_mut().now_or_never() {
                    Some(turn) => {
                        held.push(turn);
                        drop(waiting.swap_remove(at));
                    }
                    None => at += 1,
                }
            }
            let state = turns.lock();
            assert_eq!(state.free + held.len(), 7);
            let queued: usize = state.askers.values().map(|a| a.waiting.len()).sum();
            assert_eq!(queued, waiting.len());
            let first = state.line.first();
            assert!(first.is_none_or(|(held, ..)| !may_take(*held, state.free)));
        }
        drop((held, waiting));
        assert_eq!(turns.free(), 7);
        assert!(turns.lock().askers.is_empty() && turns.lock().line.is_empty());
    }
}
