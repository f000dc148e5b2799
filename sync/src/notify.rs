//! Wakes asynchronous waiters (longpoll, event streams) when anything was committed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;

use crate::bus::{Bus, Group};
use crate::error::{Error, Result};

/// How long the waiting thread sleeps at most before it looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(500);

/// Turns the bus's blocking hints into a `watch` channel. Ends when dropped.
pub struct Notifier {
    /// Held by the listening threads: when the last one ends, the channel closes.
    sender: Weak<watch::Sender<u64>>,
    generation: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
}

impl Notifier {
    /// Starts the thread that listens to `bus`.
    pub fn start(bus: &dyn Bus) -> Result<Self> {
        let (sender, generation) = watch::channel(0);
        let sender = Arc::new(sender);
        let notifier = Notifier {
            sender: Arc::downgrade(&sender),
            generation,
            stop: Arc::default(),
        };
        notifier.listen(bus)?;
        Ok(notifier)
    }

    /// Listens to another bus too; fails once it has ended.
    pub fn listen(&self, bus: &dyn Bus) -> Result<()> {
        let sender = self.sender.upgrade().ok_or(Error::Stopped)?;
        let mut hints = bus.subscribe(Group::NOTIFY)?;
        let stopped = self.stop.clone();
        let spawned = std::thread::Builder::new()
            .name("notify".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    if let Some(delivery) = hints.next(STOP_CHECK) {
                        sender.send_modify(|generation| *generation += 1);
                        hints.acknowledge(&[delivery.receipt]);
                    }
                }
            });
        spawned.map(drop).map_err(|source| Error::Io {
            what: "starting a notifying thread".into(),
            source,
        })
    }

    /// A receiver that is marked changed whenever something was committed. Its channel closes on shutdown.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.clone()
    }

    /// Ends the threads and wakes every waiter: their channel closes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop();
    }
}
