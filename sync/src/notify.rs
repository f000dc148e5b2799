//! Wakes asynchronous waiters (longpoll, event streams) when anything was committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::bus::Bus;

/// How long the waiting thread sleeps at most before it looks whether it should stop.
const STOP_CHECK: Duration = Duration::from_millis(500);

/// Turns the bus's blocking hints into a `watch` channel. Ends when dropped.
pub struct Notifier {
    generation: watch::Receiver<u64>,
    stop: Arc<AtomicBool>,
}

impl Notifier {
    /// Starts the thread that listens to `bus`.
    pub fn start(bus: &dyn Bus) -> std::io::Result<Self> {
        let (sender, generation) = watch::channel(0);
        let stop = Arc::new(AtomicBool::new(false));
        let mut hints = bus.subscribe("notify");
        let stopped = stop.clone();
        std::thread::Builder::new()
            .name("notify".into())
            .spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    if hints.next(STOP_CHECK).is_some() {
                        sender.send_modify(|generation| *generation += 1);
                        hints.acknowledge();
                    }
                }
            })?;
        Ok(Notifier { generation, stop })
    }

    /// A receiver that is marked changed whenever something was committed. Its channel closes on shutdown.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.generation.clone()
    }

    /// Ends the thread and wakes every waiter: their channel closes.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.stop();
    }
}
