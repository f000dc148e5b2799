//! Where time and randomness come from: passed in, so that a month of retention runs in a test.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;
}

/// Gives random numbers that nobody can guess.
pub trait Random: Send + Sync {
    /// Sixty-four random bits.
    fn u64(&self) -> u64;
}

/// Clock and randomness of a [`super::Meta`].
#[derive(Clone)]
pub struct Env {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub random: Arc<dyn Random>,
}

impl Env {
    /// The system's clock and a cryptographic generator.
    pub fn system() -> Self {
        Env {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// A clock that stands still until it is moved and a repeatable sequence of numbers: for tests and simulations.
    pub fn seeded(seed: u64, now_ms: i64) -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock(AtomicI64::new(now_ms)));
        (
            Env {
                clock: clock.clone(),
                random: Arc::new(SeededRandom(AtomicU64::new(seed))),
            },
            clock,
        )
    }
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64)
    }
}

/// The process's cryptographic generator.
pub struct SystemRandom;

impl Random for SystemRandom {
    fn u64(&self) -> u64 {
        rand::random()
    }
}

/// A clock that moves when told.
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Moves the clock on.
    pub fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// SplitMix64: the same seed gives the same numbers.
pub struct SeededRandom(AtomicU64);

impl Random for SeededRandom {
    fn u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        mix(self.0.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP))
    }
}

/// SplitMix64's finisher: spreads every bit of `x` over all bits.
pub(crate) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
