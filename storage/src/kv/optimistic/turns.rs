//! Trying a transaction until it commits, and alone when it lost too often.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rand::Rng;

use crate::error::{Error, Result};
use crate::kv::Commit;

/// The first pause between attempts, at most, microseconds; it doubles with each.
const FIRST_BACKOFF_US: u64 = 100;

/// How often a transaction is tried.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// Attempts beside others.
    pub together: u32,
    /// Attempts while no other transaction of this process runs.
    pub alone: u32,
    /// The longest pause between attempts.
    pub max_backoff: Duration,
}

/// Who may run.
pub struct Turns {
    retries: Retries,
    /// Shared by optimistic attempts; held alone by a transaction that lost too often.
    lock: RwLock<()>,
}

impl Turns {
    /// Everybody may run.
    pub fn new(retries: Retries) -> Turns {
        Turns {
            retries,
            lock: RwLock::new(()),
        }
    }

    /// Calls `attempt` until it does not conflict (`None`). Fails with [`Error::Conflict`] when it lost too often, and when
    /// called inside a transaction of the same store, which would wait for itself.
    pub fn run(&self, attempt: &mut dyn FnMut() -> Result<Option<Commit>>) -> Result<Commit> {
        let _running = Running::enter(self)?;
        for n in 0..self.retries.together {
            let turn = self.lock.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(commit) = attempt()? {
                return Ok(commit);
            }
            drop(turn);
            self.back_off(n);
        }
        let _alone = self.lock.write().unwrap_or_else(PoisonError::into_inner);
        for n in 0..self.retries.alone {
            if let Some(commit) = attempt()? {
                return Ok(commit);
            }
            self.back_off(n);
        }
        Err(Error::Conflict {
            attempts: self.retries.together + self.retries.alone,
        })
    }

    /// The first retry comes at once: the winner is already visible. Later ones spread out.
    fn back_off(&self, attempt: u32) {
        if attempt > 0 {
            let longest = Duration::from_micros(FIRST_BACKOFF_US << (attempt - 1).min(16));
            let longest = longest.min(self.retries.max_backoff);
            std::thread::sleep(longest.mul_f64(rand::rng().random()));
        }
    }
}

thread_local! {
    static RUNNING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Refuses a transaction inside a transaction of the same store.
struct Running(usize);

impl Running {
    fn enter(turns: &Turns) -> Result<Running> {
        let id = std::ptr::from_ref(turns).addr();
        RUNNING.with_borrow_mut(|running| {
            if running.contains(&id) {
                return Err(Error::Engine("a transaction inside a transaction".into()));
            }
            running.push(id);
            Ok(Running(id))
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.with_borrow_mut(|running| running.retain(|id| *id != self.0));
    }
}
