//! Publishing with confirms.

use std::sync::Arc;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, PublisherConfirm};
use tokio::runtime::Handle;

use super::super::event::MESSAGE_TYPE;
use super::super::{Event, Group, Publisher};
use super::age::{self, PUBLISHED};
use super::health::Health;
use super::link::{self, Broker, EXCHANGE, Link, short};
use crate::error::{Error, Result};

/// What this connection is for.
const PURPOSE: &str = "relay";
/// Messages on their way before their confirms are waited for.
const WINDOW: usize = 256;
/// A message that a restarted broker still has.
const PERSISTENT: u8 = 2;

/// A publisher with its connection, which is made anew after an error.
pub struct AmqpPublisher {
    broker: Arc<Broker>,
    health: Arc<Health>,
    runtime: Handle,
    link: Option<Link>,
}

impl AmqpPublisher {
    pub fn new(broker: Arc<Broker>, health: Arc<Health>, runtime: Handle) -> Self {
        AmqpPublisher {
            broker,
            health,
            runtime,
            link: None,
        }
    }

    async fn send(&mut self, events: &[Event]) -> Result<()> {
        let link = match self.link.take() {
            Some(link) => link,
            None => open(&self.broker).await?,
        };
        for window in events.chunks(WINDOW) {
            let mut confirms = Vec::with_capacity(window.len());
            for event in window {
                confirms.push(publish(&link, EXCHANGE, event.topic(), &encode(event)?).await?);
            }
            for confirm in confirms {
                confirmed(confirm).await?;
            }
        }
        self.link = Some(link);
        Ok(())
    }
}

impl Publisher for AmqpPublisher {
    fn publish(&mut self, events: &[Event]) -> Result<()> {
        let runtime = self.runtime.clone();
        let sent = runtime.block_on(self.send(events));
        match &sent {
            Ok(()) => self.health.connected(PURPOSE),
            Err(error) => self.health.failed(PURPOSE, &error.to_string()),
        }
        sent
    }
}

impl Drop for AmqpPublisher {
    fn drop(&mut self) {
        self.health.gone(PURPOSE);
    }
}

/// A connection on which the broker confirms, with the queues of all shared groups: what is published before the first consumer
/// comes waits there.
async fn open(broker: &Broker) -> Result<Link> {
    let link = broker.connect(PURPOSE).await?;
    link.declare_exchanges().await?;
    for group in Group::SHARED {
        link.declare(group).await?;
    }
    with_confirms(&link).await?;
    Ok(link)
}

/// Asks the broker to confirm what is published on this connection.
pub async fn with_confirms(link: &Link) -> Result<()> {
    let selecting = link.channel.confirm_select(ConfirmSelectOptions::default());
    link::answer("asking for confirms", selecting).await
}

/// Sends one message; see [`confirmed`].
pub async fn publish(
    link: &Link,
    exchange: &str,
    key: &str,
    body: &[u8],
) -> Result<PublisherConfirm> {
    let mut headers = FieldTable::default();
    headers.insert(short(PUBLISHED), AMQPValue::LongLongInt(age::now_ms()));
    let properties = BasicProperties::default()
        .with_content_type(short("application/json"))
        .with_type(short(MESSAGE_TYPE))
        .with_headers(headers)
        .with_delivery_mode(PERSISTENT);
    let sending = link.channel.basic_publish(
        short(exchange),
        short(key),
        BasicPublishOptions::default(),
        body,
        properties,
    );
    link::answer("publishing", sending).await
}

/// Waits until the broker holds the message durably.
pub async fn confirmed(confirm: PublisherConfirm) -> Result<()> {
    let confirmation = link::answer("waiting for a confirm", confirm).await?;
    if confirmation.is_ack() {
        Ok(())
    } else {
        Err(Error::Broker(
            "the broker refused a message: a queue is full (do its consumers run?)".into(),
        ))
    }
}

fn encode(event: &Event) -> Result<Vec<u8>> {
    serde_json::to_vec(event).map_err(|error| Error::Broker(format!("writing a message: {error}")))
}
