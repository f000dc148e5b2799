//! What every endpoint can reach, and the bounds they share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::frame::Failure;

/// Blocking calls at once; a store groups the commits of many.
const MAX_BLOCKING: usize = 96;
/// How long a request waits for its turn before it is told to come back.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// How the service presents itself.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the service is reached from outside, without a slash at the end: `https://files.example.com`.
    pub public_url: String,
    /// Believe the last address in `X-Forwarded-For`: a proxy of ours sets it.
    pub behind_proxy: bool,
    /// Answer `/metrics` to everybody, not to administrators alone.
    pub open_metrics: bool,
}

/// The service: cheap to clone, shared by all requests.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    blocking: Semaphore,
    counters: Counters,
    stopping: watch::Sender<bool>,
}

/// What the process is doing now.
#[derive(Default)]
pub struct Counters {
    in_flight: AtomicUsize,
}

/// Counts one request until dropped.
pub struct InFlight<'a>(&'a Counters);

impl Counters {
    /// Counts a request until the returned guard goes.
    pub fn begin(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Requests being answered now.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl App {
    /// The service on its parts.
    pub fn new(settings: Settings) -> Self {
        crate::metrics::install();
        App(Arc::new(Inner {
            settings,
            blocking: Semaphore::new(MAX_BLOCKING),
            counters: Counters::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// How the service presents itself.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What the process is doing now.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Tells everything that waits (longpolls) to end at once.
    pub fn stop(&self) {
        self.0.stopping.send_replace(true);
    }

    /// True once the process is asked to end.
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Waits until the process is asked to end.
    pub async fn stopped(&self) {
        let mut stopping = self.0.stopping.subscribe();
        // The sender lives in self, so the wait cannot fail.
        let _ = stopping.wait_for(|stop| *stop).await;
    }

    /// Runs `work` on a blocking thread, a bounded number at once; [`Failure::Busy`] when no turn comes.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&App) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let turn = tokio::time::timeout(MAX_WAIT, self.0.blocking.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Failure::Busy);
        };
        let app = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&app)).await;
        done.map_err(|error| Failure::Internal(format!("blocking work: {error}")))
    }
}
