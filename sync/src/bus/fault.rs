//! A transport that does its worst: it loses, doubles and shuffles what is published. For tests of I3.

use super::{Event, Publisher};
use crate::error::Result;

/// Most events that are held back for shuffling.
const HELD: usize = 64;

/// Publishes through another publisher, badly; every choice comes from the seed.
pub struct FaultyPublisher {
    inner: Box<dyn Publisher>,
    seed: u64,
    held: Vec<Event>,
}

impl FaultyPublisher {
    /// Of what is given to it, a quarter is lost, a quarter doubled, and the rest comes late and in another order.
    pub fn new(inner: Box<dyn Publisher>, seed: u64) -> Self {
        FaultyPublisher {
            inner,
            seed,
            held: Vec::new(),
        }
    }

    /// SplitMix64's next number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Publisher for FaultyPublisher {
    fn publish(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            for _ in 0..[0, 1, 1, 2][self.below(4) as usize] {
                self.held.push(event.clone());
            }
        }
        let mut sent = Vec::new();
        while self.held.len() > HELD || (!self.held.is_empty() && self.below(3) > 0) {
            let chosen = self.below(self.held.len() as u64) as usize;
            sent.push(self.held.swap_remove(chosen));
        }
        self.inner.publish(&sent)
    }
}
