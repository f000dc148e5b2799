//! Who listens, and to what.

/// A group of consumers with a queue of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The group's name.
    pub name: &'static str,
    /// What it hears: patterns of [`super::Event::topic`] (`#` stands for any words).
    pub topics: &'static [&'static str],
    /// True when its consumers share one durable queue, each hint going to one of them; false when every consumer has a queue of
    /// its own, which goes with it.
    pub is_shared: bool,
    /// Deliveries that a consumer may hold unacknowledged.
    pub prefetch: u16,
}

impl Group {
    /// Makes the index agree with the logs; acknowledges when its commit has the change.
    pub const INDEX: Group = Group {
        name: "index",
        topics: &["change.#"],
        is_shared: true,
        prefetch: 1024,
    };
    /// Extracts text: its workers compete for contents; acknowledges when the content's record is written.
    pub const EXTRACT: Group = Group {
        name: "extract",
        topics: &["content.#"],
        is_shared: true,
        prefetch: 64,
    };
    /// Brings lost replicas of blocks back; acknowledges when all replicas are in order.
    pub const REPAIR: Group = Group {
        name: "repair",
        topics: &["block.lost"],
        is_shared: true,
        prefetch: 16,
    };
    /// Wakes waiting clients of this process.
    pub const NOTIFY: Group = Group {
        name: "notify",
        topics: &["change.#"],
        is_shared: false,
        prefetch: 1024,
    };
    /// The groups whose queues must be there before anything is published.
    pub const SHARED: [Group; 3] = [Group::INDEX, Group::EXTRACT, Group::REPAIR];
}
