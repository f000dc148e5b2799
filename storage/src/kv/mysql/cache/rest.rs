//! Leaving a server alone that fails or is slow.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first rest after a failure, and the longest; it doubles with each failure.
const RESTS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// A server whose answers take longer on average costs more than it saves.
const SLOW: Duration = Duration::from_millis(10);
/// How many answers the average is about.
const ANSWERS: u32 = 16;

/// A change in how a server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It is of use again.
    Well,
    /// It is to be left alone for a while.
    Ill,
}

/// How a server is doing.
#[derive(Default)]
pub struct Rest(Mutex<State>);

#[derive(Default)]
struct State {
    until: Option<Instant>,
    failures: u32,
    average: Duration,
}

impl Rest {
    /// True while the server is to be left alone.
    pub fn is_on(&self, now: Instant) -> bool {
        self.lock().is_on(now)
    }

    /// The server answered.
    pub fn answered(&self, now: Instant, took: Duration) -> Option<Turn> {
        let mut state = self.lock();
        if state.is_on(now) {
            return None; // a call that began before the rest
        }
        state.average = (state.average * (ANSWERS - 1) + took) / ANSWERS;
        if state.average > SLOW {
            return state.begin(now);
        }
        state.until = None;
        (std::mem::take(&mut state.failures) > 0).then_some(Turn::Well)
    }

    /// The server failed.
    pub fn failed(&self, now: Instant) -> Option<Turn> {
        let mut state = self.lock();
        if state.is_on(now) {
            return None; // calls that began together fail together
        }
        state.begin(now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn begin(&mut self, now: Instant) -> Option<Turn> {
        let rest = RESTS.0 * (1 << self.failures.min(10));
        self.until = Some(now + rest.min(RESTS.1));
        self.failures = self.failures.saturating_add(1);
        self.average = Duration::ZERO;
        (self.failures == 1).then_some(Turn::Ill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_with_failures_and_end_with_an_answer() {
        let (rest, mut now) = (Rest::default(), Instant::now());
        assert_eq!(rest.failed(now), Some(Turn::Ill));
        assert!(rest.is_on(now + RESTS.0 / 2) && !rest.is_on(now + RESTS.0));
        for _ in 0..20 {
            now += RESTS.1;
            assert_eq!(rest.failed(now), None, "it is ill already");
        }
        assert!(rest.is_on(now + RESTS.1 / 2) && !rest.is_on(now + RESTS.1));
        now += RESTS.1;
        assert_eq!(rest.answered(now, Duration::ZERO), Some(Turn::Well));
        assert!(!rest.is_on(now));
        assert_eq!(
            rest.answered(now, Duration::ZERO),
            None,
            "it is well already"
        );
    }

    #[test]
    fn one_slow_answer_is_nothing_and_many_are_a_failure() {
        let (rest, now) = (Rest::default(), Instant::now());
        rest.answered(now, SLOW * 4);
        assert!(!rest.is_on(now));
        let turns = (0..ANSWERS).filter_map(|_| rest.answered(now, SLOW * 4));
        assert_eq!(turns.last(), Some(Turn::Ill));
        assert!(rest.is_on(now));
    }
}
