//! The change bus: tells consumers that the logs have grown.
//!
//! A message is a hint, the logs are the truth (I3): losing, doubling or shuffling every hint changes nothing but
//! delay, because a consumer reads the logs from its own checkpoint whenever it wakes.
//!
//! In reading order: [`Event`] (what is told), [`Group`] (who is told), the traits, and the two transports: [`EmbeddedBus`]
//! (the logs lie in this process's store, so its commits are the wake-up) and [`amqp`] (RabbitMQ, fed by [`crate::relay`]).

pub mod amqp;
mod backoff;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod embedded;
mod event;
#[cfg(any(test, feature = "conformance"))]
pub mod fault;
mod group;

use std::time::Duration;

pub use backoff::Backoff;
pub use embedded::EmbeddedBus;
pub use event::{BlockKind, ChangeKind, Event};
pub use group::Group;

use crate::error::Result;

/// What a consumer is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Anything may have happened: look at all of yours.
    Any,
    /// This happened, and is in the logs.
    Event(Event),
}

/// A hint, and how to answer for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What happened.
    pub hint: Hint,
    /// Names this delivery.
    pub receipt: Receipt,
}

/// Names one delivery of one subscription; worthless once its connection is gone, when the message is delivered again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Receipt {
    /// The connection's number.
    epoch: u64,
    /// The delivery's number on it; 0 for what no broker sent.
    tag: u64,
}

/// A transport of hints.
pub trait Bus: Send + Sync {
    /// A new consumer in the group: each group hears every hint; in a shared one each hint goes to one consumer.
    /// The first that it hears, once the logs are not empty, is [`Hint::Any`].
    fn subscribe(&self, group: Group) -> Result<Box<dyn Subscription>>;
}

/// One consumer's end of the bus. What it neither acknowledged nor rejected when it is dropped is delivered again to another one.
pub trait Subscription: Send {
    /// Blocks until a hint arrives or `timeout` is over (`None`).
    fn next(&mut self, timeout: Duration) -> Option<Delivery>;

    /// Tells the transport that these deliveries were acted on, after the consumer's own commit.
    fn acknowledge(&mut self, receipts: &[Receipt]);

    /// Tells the transport that this delivery cannot be acted on: it goes where an operator finds it.
    fn reject(&mut self, receipt: Receipt);
}

/// Where the relay brings what it reads from the logs.
pub trait Publisher: Send {
    /// Publishes all of them; when this returns the transport holds them durably. After an error none, some or all may have
    /// been published, and the caller publishes all again.
    fn publish(&mut self, events: &[Event]) -> Result<()>;
}
