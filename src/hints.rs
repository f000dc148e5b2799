//! What this process does when the bus says that something happened: the root wires hints to those who act on them.
//!
//! A delivery is acknowledged when what it tells is committed by the one whom it concerns, and is a dead letter when that did not
//! come about for a long time. // I3

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cluster::role::{Role, Roles};
use anyhow::{Context, Result};
use indexer::Indexer;
use storage::block::BlockStore;
use storage::chunk::BlockHash;
use storage::meta::FileId;
use storage::trace;
use sync::bus::{Bus, Delivery, Event, Group, Hint, Subscription};

/// How soon a stop is heard while nothing happens.
const IDLE: Duration = Duration::from_millis(500);
/// How often what is not acted on yet is looked at.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// Between two tries to repair a block.
const REPAIR_PERIOD: Duration = Duration::from_secs(30);
/// What could not be acted on for so long is for an operator to see.
const PATIENCE: Duration = Duration::from_secs(600);

/// The threads that follow the bus.
pub struct Hints {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Acts on hints.
trait Consumer: Send {
    /// Something came, or waits: looks at what it is about.
    fn look(&mut self) -> Result<()> {
        Ok(())
    }

    /// Acts on an event; true when that is committed.
    fn is_done(&mut self, event: &Event) -> Result<bool>;
}

impl Hints {
    /// Follows the bus on behalf of the index, extraction, and the blocks, as far as they are this process's.
    pub fn start(
        bus: &dyn Bus,
        roles: &Roles,
        indexer: Option<&Arc<Indexer>>,
        blocks: &BlockStore,
    ) -> Result<Self> {
        let mut hints = Hints {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let of = |role| indexer.filter(|_| roles.has(role)).cloned();
        let repair = Repair {
            blocks: blocks.clone(),
            failed: HashMap::new(),
        };
        if let Some(indexer) = of(Role::Shard) {
            let checkpoints = HashMap::new();
            let index = Index {
                indexer,
                checkpoints,
            };
            hints.follow(bus, Group::INDEX, Box::new(index))?;
        }
        if let Some(indexer) = of(Role::Extract) {
            hints.follow(bus, Group::EXTRACT, Box::new(Extract(indexer)))?;
        }
        if roles.has(Role::Upkeep) {
            hints.follow(bus, Group::REPAIR, Box::new(repair))?;
        }
        Ok(hints)
    }

    /// Ends the threads; what is not acknowledged is delivered again.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread that follows the bus had panicked");
            }
        }
    }

    fn follow(&mut self, bus: &dyn Bus, group: Group, consumer: Box<dyn Consumer>) -> Result<()> {
        let (subscription, stop) = (bus.subscribe(group)?, self.stop.clone());
        let thread = std::thread::Builder::new()
            .name(format!("hints-{}", group.name))
            .spawn(move || follow(subscription, consumer, usize::from(group.prefetch), &stop));
        self.threads.push(thread.context("start a thread")?);
        Ok(())
    }
}

fn follow(
    mut hints: Box<dyn Subscription>,
    mut consumer: Box<dyn Consumer>,
    most: usize,
    stop: &AtomicBool,
) {
    let mut waiting: Vec<(Delivery, Instant)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let mut timeout = if waiting.is_empty() {
            IDLE
        } else {
            LOOK_PERIOD
        };
        while waiting.len() < most
            && let Some(delivery) = hints.next(timeout)
        {
            waiting.push((delivery, Instant::now()));
            timeout = Duration::ZERO;
        }
        if waiting.is_empty() {
            continue;
        }
        if waiting.len() >= most {
            std::thread::sleep(LOOK_PERIOD);
        }
        log(consumer.look());
        waiting.retain(|(delivery, since)| !settle(&mut *hints, &mut *consumer, delivery, *since));
    }
}

/// Acts on a delivery; true when it is answered.
fn settle(
    hints: &mut dyn Subscription,
    consumer: &mut dyn Consumer,
    delivery: &Delivery,
    since: Instant,
) -> bool {
    let Hint::Event(event) = &delivery.hint else {
        hints.acknowledge(&[delivery.receipt]);
        return true;
    };
    trace::during(event.request(), || {
        if log(consumer.is_done(event)).unwrap_or(false) {
            let took_ms = since.elapsed().as_secs_f64() * 1000.0;
            tracing::debug!(topic = event.topic(), took_ms, "acted on a message");
            hints.acknowledge(&[delivery.receipt]);
        } else if since.elapsed() > PATIENCE {
            tracing::warn!(hint = ?delivery.hint, "a message could not be acted on and is a dead letter");
            hints.reject(delivery.receipt);
        } else {
            return false;
        }
        true
    })
}

/// Says what went wrong; it is tried again.
fn log<T>(result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            tracing::debug!(
                error = format!("{error:#}"),
                "a hint is acted on again later"
            );
            None
        }
    }
}

/// Wakes the shards whose logs grew; a change is done when its shard's commit has it. // I4
struct Index {
    indexer: Arc<Indexer>,
    checkpoints: HashMap<u16, u64>,
}

impl Consumer for Index {
    fn look(&mut self) -> Result<()> {
        self.indexer.look()?;
        let checkpoints = self.indexer.checkpoints().into_iter();
        self.checkpoints = checkpoints
            .map(|(partition, sequence)| (partition.0, sequence))
            .collect();
        Ok(())
    }

    fn is_done(&mut self, event: &Event) -> Result<bool> {
        let Event::Changed {
            partition,
            sequence,
            ..
        } = event
        else {
            return Ok(true);
        };
        // A shard that another process holds: that one looks at its logs by itself.
        let read = self.checkpoints.get(partition);
        Ok(read.is_none_or(|read| read >= sequence))
    }
}

/// Extracts the contents that came to this process; one is done when its record is written.
struct Extract(Arc<Indexer>);

impl Consumer for Extract {
    fn is_done(&mut self, event: &Event) -> Result<bool> {
        match event {
            Event::Content { file, .. } => Ok(!self.0.extract(FileId(*file))?),
            _ => Ok(true),
        }
    }
}

/// Brings lost replicas back; a loss is done when every replica of the block is in order, or nobody needs it any more.
struct Repair {
    blocks: BlockStore,
    failed: HashMap<BlockHash, Instant>,
}

impl Consumer for Repair {
    fn is_done(&mut self, event: &Event) -> Result<bool> {
        let Event::Block { hash, .. } = event else {
            return Ok(true);
        };
        let hash: BlockHash = hash.parse().context("a block's name")?;
        let last = self.failed.get(&hash);
        if last.is_some_and(|last| last.elapsed() < REPAIR_PERIOD) {
            return Ok(false);
        }
        if !self.blocks.is_stored(&hash)? {
            return Ok(true);
        }
        if self.failed.len() > usize::from(Group::REPAIR.prefetch) {
            self.failed.clear();
        }
        self.failed.insert(hash, Instant::now());
        self.blocks.repair(&hash)?;
        self.failed.remove(&hash);
        Ok(true)
    }
}
