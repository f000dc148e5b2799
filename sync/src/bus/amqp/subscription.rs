//! A consumer: its own supervisor connects, declares, consumes, and begins again when the connection is lost. (The client
//! library's automatic recovery has hung after a restart of the broker: amqp-rs/lapin#450.)

use std::collections::HashSet;
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
use super::health::Health;
use super::link::{Broker, Link, answer, failed, short};
use crate::error::{Error, Result};

/// A connection that lived as long was no failure: the next one is made at once.
const LIVED: Duration = Duration::from_secs(15);

/// A consumer's end.
pub struct AmqpSubscription {
    deliveries: Receiver<Delivery>,
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
    deliveries: SyncSender<Delivery>,
    verdicts: UnboundedReceiver<Verdict>,
    epoch: u64,
    /// Deliveries of this connection that are not answered: the broker ends the channel of who answers twice.
    open: HashSet<u64>,
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
                open: HashSet::new(),
            }
            .run(),
        );
        AmqpSubscription {
            deliveries,
            verdicts,
        }
    }
}

impl Subscription for AmqpSubscription {
    fn next(&mut self, timeout: Duration) -> Option<Delivery> {
        self.deliveries.recv_timeout(timeout).ok()
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
        self.deliver(Hint::Any, 0)?;
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
                self.open.insert(tag);
                self.deliver(hint, tag)
            }
            // Written by another release, or by somebody else: an operator is to see it.
            None => nack(link, tag).await,
        }
    }

    fn deliver(&self, hint: Hint, tag: u64) -> Result<()> {
        let receipt = Receipt {
            epoch: self.epoch,
            tag,
        };
        let delivered = self.deliveries.try_send(Delivery { hint, receipt });
        delivered.map_err(|_| Error::Broker("the consumer does not take its messages".into()))
    }

    async fn judge(&mut self, link: &Link, verdict: Verdict) -> Result<()> {
        match verdict {
            Verdict::Done(receipt) if self.is_open(receipt) => {
                let acknowledging = link
                    .channel
                    .basic_ack(receipt.tag, BasicAckOptions::default());
                answer("acknowledging", acknowledging).await
            }
            Verdict::Impossible(receipt) if self.is_open(receipt) => nack(link, receipt.tag).await,
            Verdict::Done(_) | Verdict::Impossible(_) => Ok(()),
        }
    }

    /// True once for each delivery of this connection.
    fn is_open(&mut self, receipt: Receipt) -> bool {
        receipt.epoch == self.epoch && self.open.remove(&receipt.tag)
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
