//! How long to rest before the next try: longer every time, and never at the same moment as everybody else.

use std::time::Duration;

/// The first and the longest rest.
const PERIODS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(10));

/// Exponential backoff with jitter.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff { next: PERIODS.0 }
    }
}

impl Backoff {
    /// The rest before the next try: between half of the present period and all of it, by `random` in 0..1.
    pub fn rest(&mut self, random: f64) -> Duration {
        let period = self.next;
        self.next = (period * 2).min(PERIODS.1);
        period.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// It worked: the next failure rests shortly again.
    pub fn reset(&mut self) {
        self.next = PERIODS.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_bound_and_jitter() {
        let mut backoff = Backoff::default();
        let rests: Vec<u128> = (0..9).map(|_| backoff.rest(1.0).as_millis()).collect();
        assert_eq!(
            rests,
            [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]
        );
        assert_eq!(backoff.rest(0.0).as_millis(), 5_000);
        backoff.reset();
        assert_eq!(backoff.rest(0.5).as_millis(), 150);
    }
}
