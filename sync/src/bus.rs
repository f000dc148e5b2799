//! The change bus: tells consumers that the logs have grown.
//!
//! A message is a hint, the logs are the truth (I3): losing, doubling or shuffling every hint changes nothing but
//! delay, because a consumer reads the logs from its own checkpoint whenever it wakes.

use std::sync::Arc;
use std::time::Duration;

use storage::kv::Store;

/// What a consumer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// Some log may have grown: look at all of yours.
    Any,
    /// This partition's log has grown at least to `sequence`.
    Partition {
        /// The partition's number.
        partition: u16,
        /// Its log's head when the hint was sent.
        sequence: u64,
    },
}

/// A transport of hints.
pub trait Bus: Send + Sync {
    /// A new consumer in the named group; each group hears every hint.
    fn subscribe(&self, group: &str) -> Box<dyn Subscription>;
}

/// One consumer's end of the bus.
pub trait Subscription: Send {
    /// Blocks until a hint arrives or `timeout` is over (`None`).
    fn next(&mut self, timeout: Duration) -> Option<Hint>;

    /// Tells the transport that all hints received so far were acted on, after the consumer's own commit.
    fn acknowledge(&mut self);
}

/// The embedded transport: the logs live in this process's store, so its commits are the wake-up.
pub struct EmbeddedBus {
    store: Arc<dyn Store>,
}

impl EmbeddedBus {
    /// A bus over the store that holds the logs.
    pub fn new(store: Arc<dyn Store>) -> Self {
        EmbeddedBus { store }
    }
}

impl Bus for EmbeddedBus {
    fn subscribe(&self, _group: &str) -> Box<dyn Subscription> {
        Box::new(EmbeddedSubscription {
            store: self.store.clone(),
            seen: 0,
        })
    }
}

struct EmbeddedSubscription {
    store: Arc<dyn Store>,
    seen: u64,
}

impl Subscription for EmbeddedSubscription {
    fn next(&mut self, timeout: Duration) -> Option<Hint> {
        let now = self.store.wait(self.seen, timeout);
        let grown = now > self.seen;
        self.seen = now;
        grown.then_some(Hint::Any)
    }

    fn acknowledge(&mut self) {}
}
