//! Merging beyond the layers while nothing changes in a shard: a search asks every segment, and of a quiet shard there need
//! not be many. One shard of a process at a time, so that searches keep the other processors.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::line::{Line, Merging};

/// How long nothing must have changed in a shard.
pub const QUIET: Duration = Duration::from_secs(10);

/// Held by the shard that merges.
#[derive(Clone, Default)]
pub struct Turn(Arc<AtomicBool>);

/// What one shard's owner knows about it.
pub struct Tidy {
    turn: Turn,
    changed: Instant,
    running: Option<Running>,
}

struct Running {
    merging: Merging,
    turn: Turn,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.turn.0.store(false, Ordering::Release);
    }
}

impl Tidy {
    /// Of a shard that was opened just now.
    pub fn new(turn: Turn) -> Self {
        Tidy {
            turn,
            changed: Instant::now(),
            running: None,
        }
    }

    /// Something changes.
    pub fn changed(&mut self, now: Instant) {
        self.changed = now;
    }

    /// Nothing changes: begins a merge of `line` when that has been so for [`QUIET`], nobody else has the turn, and there is
    /// something to merge.
    pub fn step(&mut self, now: Instant, line: &mut Line) -> Result<()> {
        if let Some(running) = &mut self.running {
            match running.poll() {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    tracing::warn!(%error, "segments are merged later");
                    self.changed = now;
                }
            }
            self.running = None;
        }
        let is_quiet = now.saturating_duration_since(self.changed) >= QUIET;
        if is_quiet && !self.turn.0.swap(true, Ordering::AcqRel) {
            let turn = self.turn.clone();
            match line.merge_more()? {
                Some(merging) => self.running = Some(Running { merging, turn }),
                None => self.turn.0.store(false, Ordering::Release),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Tidy {
    /// True while a merge that was begun here is not known to have ended.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

impl Running {
    fn poll(&mut self) -> Poll<<Merging as Future>::Output> {
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.merging).poll(&mut context)
    }
}
