//! The embedded transport.

use std::sync::Arc;
use std::time::Duration;

use storage::kv::Store;

use super::{Bus, Delivery, Group, Hint, Receipt, Subscription};
use crate::error::Result;

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
    fn subscribe(&self, _group: Group) -> Result<Box<dyn Subscription>> {
        Ok(Box::new(EmbeddedSubscription {
            store: self.store.clone(),
            seen: 0,
        }))
    }
}

struct EmbeddedSubscription {
    store: Arc<dyn Store>,
    seen: u64,
}

impl Subscription for EmbeddedSubscription {
    fn next(&mut self, timeout: Duration) -> Option<Delivery> {
        let now = self.store.wait(self.seen, timeout);
        let grown = now > self.seen;
        self.seen = now;
        grown.then_some(Delivery {
            hint: Hint::Any,
            receipt: Receipt {
                epoch: 0,
                tag: self.seen,
            },
        })
    }

    // The store remembers everything that was committed: nothing has to be kept for anybody.
    fn acknowledge(&mut self, _receipts: &[Receipt]) {}

    fn reject(&mut self, _receipt: Receipt) {}
}
