//! Hearing of commits: this process's at once, other processes' by looking at the clock.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Connector, Failure, Use, column};

/// Between two looks at the clock while somebody waits.
const LOOK_PERIOD: Duration = Duration::from_millis(50);
/// The longest pause while the database cannot be reached.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// So many looks in a row that show an older clock mean that the database went back.
const OLDER_LOOKS: u32 = 3;

/// Counts changes of the clock.
pub struct Pulse {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// What waiters compare: it only grows.
    count: u64,
    clock: u64,
    older_looks: u32,
    waiting: usize,
    stopped: bool,
}

impl Pulse {
    /// Begins at the clock's version.
    pub fn new(clock: u64) -> Pulse {
        Pulse {
            state: Mutex::new(State {
                count: clock,
                clock,
                older_looks: 0,
                waiting: 0,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// A commit of this process has set the clock.
    pub fn note(&self, clock: u64) {
        let mut state = self.lock();
        if clock > state.clock {
            state.count += clock - state.clock;
            state.clock = clock;
            self.changed.notify_all();
        }
    }

    /// Waits until the count is above `seen`, at most `timeout`; returns it.
    pub fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.lock();
        state.waiting += 1;
        self.changed.notify_all(); // the clock is looked at while somebody waits
        while state.count <= seen && !state.stopped {
            let left = deadline.map_or(timeout, |at| at.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.waiting -= 1;
        state.count
    }

    /// Ends [`Pulse::beat`] and all waiting.
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Looks at the clock while somebody waits, until stopped.
    pub fn beat(&self, connector: &Connector) {
        let mut connection = None;
        let mut pause = LOOK_PERIOD;
        while self.rest(pause) {
            pause = match look(connector, &mut connection) {
                Ok(clock) => {
                    self.look(clock);
                    LOOK_PERIOD
                }
                Err(failure) => {
                    tracing::warn!(%failure, "the metadata database's clock cannot be read");
                    connection = None;
                    (pause * 2).min(MAX_PAUSE)
                }
            };
        }
    }

    fn look(&self, clock: u64) {
        let state = &mut *self.lock();
        if clock < state.clock && state.older_looks < OLDER_LOOKS {
            state.older_looks += 1; // it may have been read before this process's newest commit
            return;
        }
        state.older_looks = 0;
        if clock != state.clock {
            state.count += clock.saturating_sub(state.clock).max(1);
            state.clock = clock;
            self.changed.notify_all();
        }
    }

    /// Waits for `pause`, and until somebody waits. False when stopped.
    fn rest(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut state = self.lock();
        while !state.stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() && state.waiting > 0 {
                return true;
            }
            let left = if left.is_zero() { MAX_PAUSE } else { left };
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn look(connector: &Connector, connection: &mut Option<Connection>) -> Result<u64, Failure> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connector.open_once(Use::Read)?),
    };
    let rows = connection.fetch("SELECT version FROM firefly_clock WHERE id = 1", &[], None)?;
    match rows.first() {
        Some(row) => column(row, 0),
        None => Err(Failure::Refused("there is no clock".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_back_is_heard_of_too() {
        let pulse = Pulse::new(5);
        pulse.note(6);
        (0..OLDER_LOOKS).for_each(|_| pulse.look(5));
        assert_eq!(pulse.wait(6, Duration::ZERO), 6, "an old reading is none");
        pulse.look(5);
        assert_eq!(pulse.wait(6, Duration::ZERO), 7);
        pulse.look(6);
        assert_eq!(pulse.wait(7, Duration::ZERO), 8);
    }
}
