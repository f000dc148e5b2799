//! When a second holder of a shard is asked beside the first: after the time in which the shard answers nineteen calls in twenty, and
//! for one call in twenty at most, whatever happens.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a call adds to the budget; a hedge takes one.
const SHARE: f64 = 0.05;
/// What the budget is at most: so many hedges may follow each other after calm.
const MOST: f64 = 10.0;
/// The wait before anything was measured.
const FIRST: Duration = Duration::from_millis(30);
/// The shortest and the longest wait.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(300));
/// How far a call moves the wait, as a share of it: up when it took longer and down when not, so that one in twenty does.
const STEP: f64 = 0.1;

/// Waits and budget of a process.
#[derive(Default)]
pub struct Hedges(Mutex<State>);

#[derive(Default)]
struct State {
    budget: f64,
    waits_s: HashMap<u16, f64>,
}

impl Hedges {
    /// How long the first holder of a shard is waited for alone.
    pub fn wait(&self, shard: u16) -> Duration {
        let known = self.state().waits_s.get(&shard).copied();
        known.map_or(FIRST, Duration::from_secs_f64)
    }

    /// A call to a shard took so long, or was not waited for any longer.
    pub fn took(&self, shard: u16, took: Duration) {
        let mut state = self.state();
        state.budget = (state.budget + SHARE).min(MOST);
        let wait_s = state.waits_s.entry(shard).or_insert(FIRST.as_secs_f64());
        let factor = match took.as_secs_f64() > *wait_s {
            true => 1.0 + STEP * (1.0 - SHARE),
            false => 1.0 - STEP * SHARE,
        };
        *wait_s = (*wait_s * factor).clamp(BOUNDS.0.as_secs_f64(), BOUNDS.1.as_secs_f64());
    }

    /// Takes a hedge from the budget; false when there is none left.
    pub fn may(&self) -> bool {
        let mut state = self.state();
        let may = state.budget >= 1.0;
        if may {
            state.budget -= 1.0;
        }
        may
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn one_call_in_twenty_is_hedged_at_most() {
        let hedges = Hedges::default();
        let mut hedged = 0;
        for _ in 0..1_000 {
            hedged += u32::from(hedges.may());
            hedges.took(3, Duration::from_secs(1));
        }
        assert!((45..=50).contains(&hedged), "{hedged}");
        assert_eq!(hedges.wait(3), BOUNDS.1);
        assert_eq!(hedges.wait(4), FIRST);
    }

    #[test]
    fn the_wait_is_what_nineteen_calls_in_twenty_take() {
        let hedges = Hedges::default();
        let mut random = StdRng::seed_from_u64(5);
        let mut late = 0;
        for call in 0..4_000 {
            let took = Duration::from_micros(random.random_range(0..100_000));
            late += u32::from(call >= 2_000 && took > hedges.wait(0));
            hedges.took(0, took);
        }
        assert!((60..=160).contains(&late), "{late} of 2,000");
    }
}
