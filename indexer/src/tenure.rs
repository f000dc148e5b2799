//! Under which lease a process holds a shard, and which of its replicas that is.

use std::sync::{Arc, PoisonError, RwLock};

use storage::lease::Held;

/// A lease on one replica of a shard. Another lease may take its place while the shard stays open; clones see that too.
#[derive(Clone)]
pub struct Tenure(Arc<RwLock<(Held, u16)>>);

impl Tenure {
    /// The lease on this replica; the first, 0, is the one whose holder publishes snapshots.
    pub fn new(held: Held, replica: u16) -> Self {
        Tenure(Arc::new(RwLock::new((held, replica))))
    }

    /// The lease as it is now.
    pub fn held(&self) -> Held {
        self.now().0
    }

    /// The replica.
    pub fn replica(&self) -> u16 {
        self.now().1
    }

    /// True while no other process can have taken it.
    pub fn is_valid(&self) -> bool {
        self.held().is_valid()
    }

    /// The lease under which snapshots are published; none at any replica but the first.
    pub fn publisher(&self) -> Option<Held> {
        let (held, replica) = self.now();
        (replica == 0).then_some(held)
    }

    /// From now on the shard is held under another lease.
    pub fn change(&self, held: Held, replica: u16) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (held, replica);
    }

    fn now(&self) -> (Held, u16) {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
