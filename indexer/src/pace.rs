//! Slows whoever brings so much that others wait: a bulk upload takes the machine that the texts and commits of all need, so
//! while others work its acknowledgements come a little later. Who is alone is never slowed, and nobody is refused.
//!
//! What is told apart is logs, not people: the log that grows fastest (and what grows nearly as fast) brings much, and how
//! long the entries of all others wait for their commit says whether that is too much. Who brought much waits for what they
//! brought themselves: until all of it is indexed, nobody is slowed for their sake. Who is slowed brings little by that, and
//! is slowed on until nobody waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use storage::journal::{PARTITIONS, Partition, route};
use storage::meta::{FileId, NamespaceId};

/// Between two looks.
pub const LOOK_PERIOD: Duration = Duration::from_millis(250);
/// Over which growth is measured.
const WINDOW: Duration = Duration::from_secs(2);
/// Looks at one log that are remembered.
const MAX_LOOKS: usize = 64;
/// A log that grows slower never counts as bringing much, entries a second.
const MUCH_PER_S: f64 = 200.0;
/// Logs that grow at least this part as fast as the fastest bring much too.
const NEARLY: f64 = 0.6;
/// Others wait too long when their oldest entry is older than the first; when it is younger than the second they do not. A file
/// waits twice before its text is found: for its name's commit, beside which it is extracted, and for its text's.
const WAITS: (Duration, Duration) = (Duration::from_millis(650), Duration::from_millis(450));
/// The longest that an acknowledgement is held back, milliseconds.
const MAX_DELAY_MS: f64 = 1000.0;
/// How a delay grows: by a part of itself and by some milliseconds.
const GROWTH: (f64, f64) = (1.5, 10.0);
/// The same when it shrinks.
const SHRINKAGE: (f64, f64) = (0.9, -1.0);

/// How much later acknowledgements are to come.
pub struct Pace {
    /// By partition, milliseconds.
    delays: Vec<AtomicU32>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    logs: HashMap<Partition, Log>,
    /// Logs that brought much of which something still waits.
    bulky: HashSet<Partition>,
    /// Logs that are slowed, and the growth of the fastest before it was: what is slowed looks like little.
    slowed: HashSet<Partition>,
    most_per_s: f64,
    delay_ms: f64,
}

/// What is known about a partition's log.
#[derive(Default)]
struct Log {
    /// Its head at some times, oldest first.
    looks: VecDeque<(Instant, u64)>,
    committed: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            delays: (0..PARTITIONS).map(|_| AtomicU32::new(0)).collect(),
            state: Mutex::default(),
        }
    }
}

impl Pace {
    /// How long the acknowledgement of a change in `ns` is to be held back; zero unless others wait because of it.
    pub fn delay(&self, ns: NamespaceId) -> Duration {
        let partition = route(ns, FileId(0));
        let delay_ms = self.delays[partition.0 as usize].load(Ordering::Relaxed);
        Duration::from_millis(delay_ms.into())
    }

    /// Looks at every log: its `head`, and how far it is `committed`; `extracting` are the logs whose files wait for
    /// extraction, each with how long the oldest has waited.
    pub fn look(
        &self,
        now: Instant,
        logs: impl Iterator<Item = (Partition, u64, u64)>,
        extracting: &[(Partition, Duration)],
    ) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (partition, head, committed) in logs {
            let is_quiet = head <= committed && !state.logs.contains_key(&partition);
            if !is_quiet {
                let log = state.logs.entry(partition).or_default();
                log.see(now, head, committed);
            }
        }
        state.logs.retain(|_, log| !log.is_quiet(now));
        let busy = state.busy(now);
        state.remember(&busy, extracting);
        state.adjust(now, &busy, extracting);
        state.slowed = match state.delay_ms > 0.0 {
            true => busy.clone(),
            false => HashSet::new(),
        };
        let delay_ms = state.delay_ms.round() as u32;
        for (number, delay) in self.delays.iter().enumerate() {
            let is_busy = busy.contains(&Partition(number as u16));
            delay.store(if is_busy { delay_ms } else { 0 }, Ordering::Relaxed);
        }
    }
}

impl State {
    /// The logs that bring much. Who is slowed stays among them while anything comes from there, and others are measured by
    /// what the fastest brought before.
    fn busy(&mut self, now: Instant) -> HashSet<Partition> {
        let rates = self.logs.iter().map(|(&p, log)| (p, log.per_s(now)));
        let rates: Vec<_> = rates.collect();
        let most = rates.iter().map(|&(_, rate)| rate).fold(0.0, f64::max);
        let before = if self.slowed.is_empty() {
            0.0
        } else {
            self.most_per_s
        };
        self.most_per_s = most.max(before);
        let least = MUCH_PER_S.max(self.most_per_s * NEARLY);
        let stays = |(p, rate): &(Partition, f64)| *rate > 0.0 && self.slowed.contains(p);
        let busy = rates.iter().filter(|log| log.1 >= least || stays(log));
        busy.map(|&(partition, _)| partition).collect()
    }

    fn remember(&mut self, busy: &HashSet<Partition>, extracting: &[(Partition, Duration)]) {
        self.bulky.extend(busy);
        let logs = &self.logs;
        self.bulky.retain(|partition| {
            busy.contains(partition)
                || logs.get(partition).is_some_and(Log::lags)
                || extracting.iter().any(|(waiting, _)| waiting == partition)
        });
    }

    fn adjust(
        &mut self,
        now: Instant,
        busy: &HashSet<Partition>,
        extracting: &[(Partition, Duration)],
    ) {
        let others = |partition: &Partition| !self.bulky.contains(partition);
        let logs = self.logs.iter().filter(|(partition, _)| others(partition));
        let logs = logs.map(|(_, log)| log.waits(now));
        let files = extracting.iter().filter(|(partition, _)| others(partition));
        let longest = logs.chain(files.map(|&(_, waits)| waits)).max();
        let (factor, more) = match longest.unwrap_or_default() {
            _ if busy.is_empty() => SHRINKAGE,
            waits if waits > WAITS.0 => GROWTH,
            waits if waits < WAITS.1 => SHRINKAGE,
            _ => (1.0, 0.0),
        };
        self.delay_ms = (self.delay_ms * factor + more).clamp(0.0, MAX_DELAY_MS);
    }
}

impl Log {
    fn see(&mut self, now: Instant, head: u64, committed: u64) {
        self.committed = committed;
        while self.looks.len() >= MAX_LOOKS || self.is_past(now) {
            self.looks.pop_front();
        }
        self.looks.push_back((now, head));
    }

    /// True when the oldest look tells nothing that the next one does not tell.
    fn is_past(&self, now: Instant) -> bool {
        let next = self.looks.get(1);
        next.is_some_and(|&(at, head)| now - at > WINDOW && head <= self.committed)
    }

    fn is_quiet(&self, now: Instant) -> bool {
        let (first, last) = (self.looks.front(), self.looks.back());
        let grew = first.zip(last).is_some_and(|(first, last)| {
            first.1 < last.1 || now - first.0 < WINDOW || last.1 > self.committed
        });
        !grew
    }

    /// Entries a second, lately.
    fn per_s(&self, now: Instant) -> f64 {
        let lately = self.looks.iter().find(|(at, _)| now - *at <= WINDOW);
        let (Some(&(since, first)), Some(&(_, last))) = (lately, self.looks.back()) else {
            return 0.0;
        };
        last.saturating_sub(first) as f64
            / (now - since).as_secs_f64().max(LOOK_PERIOD.as_secs_f64())
    }

    /// Whether entries of it wait for their commit.
    fn lags(&self) -> bool {
        self.looks
            .back()
            .is_some_and(|&(_, head)| head > self.committed)
    }

    /// How long its oldest entry that is not committed has waited.
    fn waits(&self, now: Instant) -> Duration {
        let oldest = self.looks.iter().find(|(_, head)| *head > self.committed);
        oldest.map_or(Duration::ZERO, |(at, _)| now - *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks for `seconds` at a log that grows by `bulk` entries a second and one that grows by 100, of which each entry is
    /// committed after `waits`.
    fn delay_ms(pace: &Pace, start: Instant, seconds: u64, bulk: u64, waits: Duration) -> u128 {
        let (big, small) = (NamespaceId(1), NamespaceId(2));
        for tick in 0..seconds * 4 {
            let now = start + LOOK_PERIOD * tick as u32;
            let done = tick.saturating_sub((waits.as_millis() / LOOK_PERIOD.as_millis()) as u64);
            let big = (route(big, FileId(0)), bulk * tick / 4, 0);
            let small = (route(small, FileId(0)), 25 * tick, 25 * done);
            pace.look(now, [big, small].into_iter(), &[]);
        }
        assert_eq!(pace.delay(small), Duration::ZERO, "who brings little");
        pace.delay(big).as_millis()
    }

    #[test]
    fn nobody_is_slowed_for_what_a_bulk_left_behind() {
        let (pace, start) = (Pace::default(), Instant::now());
        let (first, second) = (NamespaceId(1), NamespaceId(2));
        for tick in 0..60 {
            let now = start + LOOK_PERIOD * tick as u32;
            let first = (route(first, FileId(0)), 500 * tick.min(20), 10 * tick);
            let second = (route(second, FileId(0)), 500 * (tick.max(20) - 20), 0);
            pace.look(now, [first, second].into_iter(), &[]);
        }
        assert_eq!(pace.delay(second), Duration::ZERO);
    }

    #[test]
    fn who_brings_much_is_slowed_while_others_wait() {
        let (pace, start) = (Pace::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(delay_ms(&pace, start, 10, 2000, second / 4), 0);
        let slowed = delay_ms(&pace, start + second * 100, 3, 2000, second * 2);
        assert!((1..1000).contains(&slowed), "{slowed}");
        let most = delay_ms(&pace, start + second * 200, 30, 2000, second * 2);
        assert_eq!(most, MAX_DELAY_MS as u128);
        let none = delay_ms(&pace, start + second * 300, 30, 2000, second / 4);
        assert_eq!(none, 0, "they wait no more");
    }

    #[test]
    fn who_is_slowed_stays_slowed_and_others_are_not() {
        let (pace, start) = (Pace::default(), Instant::now());
        let (bulk, other) = (NamespaceId(1), NamespaceId(2));
        let mut brought = 0;
        for tick in 0..80 {
            let now = start + LOOK_PERIOD * tick;
            brought += if pace.delay(bulk).is_zero() { 500 } else { 10 };
            let big = (route(bulk, FileId(0)), brought, 0);
            let small = u64::from(tick) * 100; // 400 a second, each committed after two seconds
            let done = small.saturating_sub(800);
            let small = (route(other, FileId(0)), small, done);
            pace.look(now, [big, small].into_iter(), &[]);
            assert_eq!(pace.delay(other), Duration::ZERO);
        }
        assert_eq!(pace.delay(bulk).as_millis(), MAX_DELAY_MS as u128);
    }

    #[test]
    fn who_brings_as_much_as_the_others_is_not_slowed() {
        let (pace, start) = (Pace::default(), Instant::now());
        let second = Duration::from_secs(1);
        assert_eq!(delay_ms(&pace, start, 10, 100, second * 2), 0);
    }

    #[test]
    fn who_is_alone_is_not_slowed() {
        let (pace, start) = (Pace::default(), Instant::now());
        let big = route(NamespaceId(1), FileId(0));
        for tick in 0..100u32 {
            let now = start + LOOK_PERIOD * tick;
            pace.look(now, [(big, u64::from(tick) * 1000, 0)].into_iter(), &[]);
        }
        assert_eq!(pace.delay(NamespaceId(1)), Duration::ZERO);
        let small = route(NamespaceId(2), FileId(0));
        let waits = [(small, Duration::from_secs(5))];
        let logs = [(big, 100_000, 0)];
        pace.look(start + LOOK_PERIOD * 100, logs.into_iter(), &waits);
        assert!(
            pace.delay(NamespaceId(1)) > Duration::ZERO,
            "files of others wait"
        );
    }
}
