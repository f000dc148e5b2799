//! Optimistic transactions: what the engines share.
//!
//! A transaction reads at one point of history and remembers what it read; its commit is checked against the writes since
//! then, together with many others, by one committer. In reading order: `base` (what an engine reads), `attempt` (reads and
//! own writes), `reads`, `versions`, `queue`, `recent`, `numbers`, `ledger` (the committer's memory), `turns` (trying again).

mod attempt;
mod base;
mod ledger;
pub mod numbers;
pub mod queue;
mod reads;
mod recent;
mod turns;
mod versions;

pub use attempt::{Attempt, Writes};
pub use base::{Base, Plain};
pub use ledger::{Ledger, Sink};
pub use queue::Queue;
pub use reads::after;
pub use turns::{Retries, Turns};
pub use versions::Versions;
