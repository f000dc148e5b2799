//! What an operator sees of the queues: how much waits, which letters are dead; and puts them back.

use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use serde::Serialize;

use super::super::Group;
use super::link::{Broker, DEAD, Link, answer, queue_of, short};
use super::publisher;
use crate::error::Result;

/// What these connections are for.
const PURPOSE: &str = "queue";
/// Of a message that is no text of ours, as many characters are shown.
const MAX_SHOWN: usize = 2_000;

/// A queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    /// Its name at the broker.
    pub queue: String,
    /// Messages that wait to be delivered.
    pub messages: u32,
    /// Consumers.
    pub consumers: u32,
}

/// A message that no consumer could act on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// The queue that it comes from.
    pub queue: String,
    /// Why it is here: `rejected`, `delivery_limit` …
    pub reason: String,
    /// What it says.
    pub message: String,
}

/// See [`super::AmqpBus::queues`].
pub async fn queues(broker: &Broker) -> Result<Vec<QueueDepth>> {
    let link = open(broker).await?;
    let mut found = Vec::new();
    for name in Group::SHARED.map(queue_of).into_iter().chain([DEAD.into()]) {
        found.push(depth(&link, &name).await?);
    }
    link.close().await;
    Ok(found)
}

/// See [`super::AmqpBus::dead_letters`].
pub async fn list(broker: &Broker, limit: usize) -> Result<Vec<DeadLetter>> {
    let link = open(broker).await?;
    let mut letters = Vec::new();
    while letters.len() < limit
        && let Some(message) = get(&link).await?
    {
        letters.push(letter(&message));
    }
    link.close().await; // none was acknowledged: all go back
    Ok(letters)
}

/// See [`super::AmqpBus::replay`].
pub async fn replay(broker: &Broker, limit: usize) -> Result<usize> {
    let link = open(broker).await?;
    publisher::with_confirms(&link).await?;
    let dead = depth(&link, DEAD).await?.messages as usize;
    let mut replayed = 0;
    // No more than there were: what dies again at once is not replayed for ever.
    for _ in 0..dead.min(limit) {
        let Some(message) = get(&link).await? else {
            break;
        };
        let queue = letter(&message).queue;
        if queue.is_empty() {
            continue; // brought here by hand; it stays
        }
        let sent = publisher::publish(&link, "", &queue, &message.data).await?;
        publisher::confirmed(sent).await?;
        let acknowledging = link
            .channel
            .basic_ack(message.delivery_tag, BasicAckOptions::default());
        answer("acknowledging", acknowledging).await?;
        replayed += 1;
    }
    link.close().await;
    Ok(replayed)
}

async fn open(broker: &Broker) -> Result<Link> {
    let link = broker.connect(PURPOSE).await?;
    link.declare_exchanges().await?;
    for group in Group::SHARED {
        link.declare(group).await?;
    }
    Ok(link)
}

async fn depth(link: &Link, name: &str) -> Result<QueueDepth> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let asking = link
        .channel
        .queue_declare(short(name), passive, FieldTable::default());
    let queue = answer(&format!("looking at queue {name}"), asking).await?;
    Ok(QueueDepth {
        queue: name.to_owned(),
        messages: queue.message_count(),
        consumers: queue.consumer_count(),
    })
}

async fn get(link: &Link) -> Result<Option<BasicGetMessage>> {
    let getting = link
        .channel
        .basic_get(short(DEAD), BasicGetOptions::default());
    answer("reading a dead letter", getting).await
}

fn letter(message: &BasicGetMessage) -> DeadLetter {
    let text = String::from_utf8_lossy(&message.data);
    DeadLetter {
        queue: header(message, "x-first-death-queue"),
        reason: header(message, "x-first-death-reason"),
        message: text.chars().take(MAX_SHOWN).collect(),
    }
}

/// A header that the broker wrote.
fn header(message: &BasicGetMessage, name: &str) -> String {
    let headers = message.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get(name)) {
        Some(AMQPValue::LongString(text)) => String::from_utf8_lossy(text.as_bytes()).into_owned(),
        _ => String::new(),
    }
}
