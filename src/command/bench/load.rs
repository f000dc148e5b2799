//! Open-loop arrival of requests.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::{Semaphore, mpsc};

/// What to offer.
#[derive(Debug, Clone, Copy)]
pub struct Offer {
    /// Requests a second.
    pub rate: f64,
    /// Requests in all.
    pub count: u64,
    /// Connections: requests that are under way at the same time. One that is due waits for a free one, and the wait counts.
    pub connections: usize,
}

/// How one request ended.
#[derive(Debug)]
pub struct Done {
    /// From when it was due to its answer.
    pub latency: Duration,
    /// Its class in the report, or the error.
    pub class: Result<String>,
}

/// Offers the load; `request(i)` makes the i-th request and returns its class. Returns all ends and the seconds it took.
pub async fn offer<F, R>(offer: Offer, request: F) -> (Vec<Done>, f64)
where
    F: Fn(u64) -> R,
    R: Future<Output = Result<String>> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(offer.connections));
    let (sender, mut ends) = mpsc::unbounded_channel();
    let begun = Instant::now();
    for i in 0..offer.count {
        let due = begun + Duration::from_secs_f64(i as f64 / offer.rate);
        tokio::time::sleep_until(due.into()).await;
        let (slots, sender, request) = (slots.clone(), sender.clone(), request(i));
        tokio::spawn(async move {
            let class = match slots.acquire().await {
                Ok(_slot) => request.await,
                Err(closed) => Err(closed.into()),
            };
            let done = Done {
                latency: due.elapsed(),
                class,
            };
            // The receiver lives until every sender is gone.
            sender.send(done).ok();
        });
    }
    drop(sender);
    let mut all = Vec::new();
    while let Some(done) = ends.recv().await {
        all.push(done);
    }
    (all, begun.elapsed().as_secs_f64())
}
