//! A consumer: its own supervisor connects, declares, consumes, and begins again when the connection is lost. (The client
//! library's automatic recovery has hung after a restart of the broker: amqp-rs/lapin#450.)

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use futures::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::FieldTable;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::super::event::MESSAGE_TYPE;
use super::super::{Backoff, Delivery, Group, Hint, Receipt, Subscription};
use super::age::Age;
use super::health::Health;
use super::link::{Broker, Link, answer, failed, short};
use crate::error::{Error, Result};

/// A connection that lived as long was no failure: the next one is made at once.
const LIVED: Duration = Duration::from_secs(15);

/// A consumer's end.
pub struct AmqpSubscription {
    group: Group,
    deliveries: Receiver<(Delivery, Option<Age>)>,
    /// Bounded by what was delivered and not answered, which is bounded by the prefetch. Dropped, it ends the supervisor.
    verdicts: UnboundedSender<Verdict>,
}

/// What the consumer says of a delivery.
enum Verdict {
    Done(Receipt),
    Impossible(Receipt),
}

struct Supervisor {
    broker: Arc<Broker>,
    health: Arc<Health>,
    group: Group,
    deliveries: SyncSender<(Delivery, Option<Age>)>,
    verdicts: UnboundedReceiver<Verdict>,
    epoch: u64,
    /// Deliveries of this connection that are not answered: the broker ends the channel of who answers twice.
    open: HashMap<u64, Option<Age>>,
}

impl AmqpSubscription {
    pub fn start(broker: Arc<Broker>, health: Arc<Health>, group: Group, runtime: &Handle) -> Self {
        // Room for what a lost connection left behind, too.
        let (sender, deliveries) = sync_channel(2 * usize::from(group.prefetch) + 2);
        let (verdicts, receiver) = unbounded_channel();
        runtime.spawn(
            Supervisor {
                broker,
                health,
                group,
                deliveries: sender,
                verdicts: receiver,
                epoch: 0,
                open: HashMap::new(),
            }
            .run(),
        );
        AmqpSubscription {
            group,
            deliveries,
            verdicts,
        }
    }
}

impl Subscription for AmqpSubscription {
    fn next(&mut self, timeout: Duration) -> Option<Delivery> {
        let (delivery, age) = self.deliveries.recv_timeout(timeout).ok()?;
        if let Some(age) = age {
            age.is_taken(self.group.name);
        }
        Some(delivery)
    }

    fn acknowledge(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            self.say(Verdict::Done(*receipt));
        }
    }

    fn reject(&mut self, receipt: Receipt) {
        self.say(Verdict::Impossible(receipt));
    }
}

impl AmqpSubscription {
    fn say(&self, verdict: Verdict) {
        // Nobody hears it when the bus is ending; the message is delivered again then.
        let _unheard = self.verdicts.send(verdict);
    }
}

impl Supervisor {
    /// Until the consumer goes.
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        loop {
            let began = Instant::now();
            let Err(error) = self.session().await else {
                break;
            };
            self.health.failed(self.group.name, &error.to_string());
            if began.elapsed() > LIVED {
                backoff.reset();
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.rest(rand::random())) => {}
                is_wanted = self.is_wanted() => if !is_wanted { break },
            }
        }
        self.health.gone(self.group.name);
    }

    /// False once the consumer has gone; what it says of a lost connection's deliveries means nothing.
    async fn is_wanted(&mut self) -> bool {
        while self.verdicts.recv().await.is_some() {}
        false
    }

    /// One connection, until it fails or the consumer goes.
    async fn session(&mut self) -> Result<()> {
        self.epoch += 1;
        self.open.clear();
        let link = self.broker.connect(self.group.name).await?;
        link.declare_exchanges().await?;
        let queue = link.declare(self.group).await?;
        let qos = BasicQosOptions::default();
        answer("prefetch", link.channel.basic_qos(self.group.prefetch, qos)).await?;
        let consuming = link.channel.basic_consume(
            short(&queue),
            short(""),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        );
        let mut consumer = answer("consuming", consuming).await?;
        self.health.connected(self.group.name);
        // Something may have been lost with the connection before. // I3
        self.deliver(Hint::Any, 0, None)?;
        loop {
            tokio::select! {
                verdict = self.verdicts.recv() => match verdict {
                    Some(verdict) => self.judge(&link, verdict).await?,
                    None => break,
                },
                message = consumer.next() => {
                    let message = message.ok_or_else(|| Error::Broker("the queue is gone".into()))?;
                    let message = message.map_err(|error| failed("consuming", error))?;
                    self.take(&link, message).await?;
                }
            }
        }
        link.close().await;
        Ok(())
    }

    async fn take(&mut self, link: &Link, message: lapin::message::Delivery) -> Result<()> {
        let tag = message.delivery_tag;
        match decode(&message) {
            Some(hint) => {
                let age = Age::of(&message);
                self.open.insert(tag, age);
                self.deliver(hint, tag, age)
            }
            // Written by another release, or by somebody else: an operator is to see it.
            None => nack(link, tag).await,
        }
    }

    fn deliver(&self, hint: Hint, tag: u64, age: Option<Age>) -> Result<()> {
        let receipt = Receipt {
            epoch: self.epoch,
            tag,
        };
        let delivered = self.deliveries.try_send((Delivery { hint, receipt }, age));
        delivered.map_err(|_| Error::Broker("the consumer does not take its messages".into()))
    }

    async fn judge(&mut self, link: &Link, verdict: Verdict) -> Result<()> {
        let (Verdict::Done(receipt) | Verdict::Impossible(receipt)) = verdict;
        let Some(age) = self.answered(receipt) else {
            return Ok(());
        };
        if matches!(verdict, Verdict::Impossible(_)) {
            return nack(link, receipt.tag).await;
        }
        let acknowledging = link
            .channel
            .basic_ack(receipt.tag, BasicAckOptions::default());
        answer("acknowledging", acknowledging).await?;
        if let Some(age) = age {
            age.is_done(self.group.name);
        }
        Ok(())
    }

    /// The age of a delivery of this connection, once.
    fn answered(&mut self, receipt: Receipt) -> Option<Option<Age>> {
        let is_ours = receipt.epoch == self.epoch;
        is_ours.then(|| self.open.remove(&receipt.tag)).flatten()
    }
}

/// Makes it a dead letter.
async fn nack(link: &Link, tag: u64) -> Result<()> {
    let options = BasicNackOptions {
        requeue: false,
        ..BasicNackOptions::default()
    };
    answer("rejecting", link.channel.basic_nack(tag, options)).await
}

/// The hint in a message; `None` when it is none of ours.
fn decode(message: &lapin::message::Delivery) -> Option<Hint> {
    let kind = message.properties.kind().as_ref()?;
    if kind.as_str() != MESSAGE_TYPE {
        return None;
    }
    serde_json::from_slice(&message.data).ok().map(Hint::Event)
}
