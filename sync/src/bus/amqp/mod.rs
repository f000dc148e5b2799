//! The second transport: RabbitMQ, or another broker that speaks AMQP 0-9-1 and has quorum queues.
//!
//! In reading order: `link` (one connection, and what is declared on it), `health` (how it is), `age` (how long messages are on their way), `publisher` (with
//! confirms), `subscription` (a consumer that reconnects by itself), `letters` (queue depths, dead letters).

mod age;
mod health;
mod letters;
mod link;
mod publisher;
mod subscription;

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

pub use health::Health;
pub use letters::{DeadLetter, QueueDepth};

use super::{Bus, Group, Publisher, Subscription};
use crate::error::{Error, Result};
use link::Broker;

/// The transport over a broker. Its connections live in threads of its own; calls block and must not be made in an
/// asynchronous task.
pub struct AmqpBus {
    broker: Arc<Broker>,
    health: Arc<Health>,
    /// Taken when dropped: a runtime must not wait for its threads where somebody else's task runs.
    runtime: Option<Runtime>,
}

impl AmqpBus {
    /// A bus over the broker at `url` (`amqp://USER@HOST:PORT/VHOST`, or `amqps://…`); `secret` holds the user's password, `ca`
    /// the certificates to trust beside the system's (PEM). Nothing is connected yet.
    ///
    /// [`Error::Broker`] when the URL is none, or has a password in it, or a file cannot be read.
    pub fn new(url: &str, secret: Option<&Path>, ca: Option<&Path>) -> Result<Self> {
        let broker = Arc::new(Broker::new(url, secret, ca)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("bus")
            .enable_all()
            .build();
        let runtime =
            runtime.map_err(|error| Error::Broker(format!("starting a thread: {error}")))?;
        Ok(AmqpBus {
            broker,
            health: Arc::default(),
            runtime: Some(runtime),
        })
    }

    /// A publisher with a connection of its own.
    pub fn publisher(&self) -> Result<Box<dyn Publisher>> {
        let handle = self.runtime()?.handle().clone();
        Ok(Box::new(publisher::AmqpPublisher::new(
            self.broker.clone(),
            self.health.clone(),
            handle,
        )))
    }

    /// How the connections are.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The broker's address, without secrets.
    pub fn address(&self) -> &str {
        self.broker.address()
    }

    /// What waits in every shared group's queue, and among the dead letters (the last).
    pub fn queues(&self) -> Result<Vec<QueueDepth>> {
        self.runtime()?.block_on(letters::queues(&self.broker))
    }

    /// The oldest dead letters, at most `limit`; they stay where they are.
    pub fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>> {
        self.runtime()?.block_on(letters::list(&self.broker, limit))
    }

    /// Puts at most `limit` dead letters back into the queues that they come from; returns how many.
    pub fn replay(&self, limit: usize) -> Result<usize> {
        self.runtime()?
            .block_on(letters::replay(&self.broker, limit))
    }

    fn runtime(&self) -> Result<&Runtime> {
        self.runtime.as_ref().ok_or(Error::Stopped)
    }
}

impl Bus for AmqpBus {
    fn subscribe(&self, group: Group) -> Result<Box<dyn Subscription>> {
        Ok(Box::new(subscription::AmqpSubscription::start(
            self.broker.clone(),
            self.health.clone(),
            group,
            self.runtime()?.handle(),
        )))
    }
}

impl Drop for AmqpBus {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
