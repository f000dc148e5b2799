//! A bounded number of connections for reads.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Connector, Failure, Use};
use crate::error::{Error, Result};

/// How long a read waits for a free connection.
const FREE_LIMIT: Duration = Duration::from_secs(30);
/// Connections unused for longer are closed; the server would close them soon.
const IDLE_LIMIT: Duration = Duration::from_secs(300);

/// The connections.
pub struct Pool {
    connector: Arc<Connector>,
    limit: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    /// Newest last.
    idle: VecDeque<(Instant, Connection)>,
    /// Leases that are out: first ones of their threads, and those of threads that hold one already.
    out: [usize; 2],
}

/// A connection taken from the pool; given back when dropped.
pub struct Lease {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    /// A snapshot must be ended before the connection is of use to others.
    in_snapshot: bool,
    class: usize,
    held: Arc<AtomicUsize>,
}

thread_local! {
    /// Leases of each pool that this thread took and that are not given back.
    static HELD: RefCell<Vec<(usize, Arc<AtomicUsize>)>> = const { RefCell::new(Vec::new()) };
}

/// This thread's count for the pool at an address.
fn held(pool: usize) -> Arc<AtomicUsize> {
    HELD.with_borrow_mut(|held| {
        held.retain(|(at, count)| *at == pool || count.load(Ordering::Relaxed) > 0);
        match held.iter().find(|(at, _)| *at == pool) {
            Some((_, count)) => count.clone(),
            None => {
                let count = Arc::new(AtomicUsize::new(0));
                held.push((pool, count.clone()));
                count
            }
        }
    })
}

impl Pool {
    /// At most `limit` connections, and as many again for threads that hold one already: they would wait for themselves.
    pub fn new(connector: Arc<Connector>, limit: usize) -> Arc<Pool> {
        Arc::new(Pool {
            connector,
            limit: limit.max(1),
            state: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// What opens the connections.
    pub fn connector(&self) -> &Arc<Connector> {
        &self.connector
    }

    /// Takes a connection and makes a first call that only reads; one more time on a new connection when the old was lost.
    pub fn begin<T>(
        self: &Arc<Self>,
        call: impl Fn(&mut Connection) -> Result<T, Failure>,
    ) -> Result<(Lease, T)> {
        let mut lease = self.take()?;
        match call(lease.connection()?) {
            Ok(value) => return Ok((lease, value)),
            Err(Failure::Lost(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
        lease.connection = None;
        drop(lease);
        self.forget_idle();
        let mut lease = self.take()?;
        let value = call(lease.connection()?)?;
        Ok((lease, value))
    }

    /// Makes one call that only reads.
    pub fn read<T>(
        self: &Arc<Self>,
        call: impl Fn(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T> {
        Ok(self.begin(call)?.1)
    }

    fn take(self: &Arc<Self>) -> Result<Lease> {
        let held = held(Arc::as_ptr(self).addr());
        let class = usize::from(held.load(Ordering::Relaxed) > 0);
        let until = Instant::now() + FREE_LIMIT;
        let mut state = self.lock();
        while state.out[class] >= self.limit {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Unavailable(format!(
                    "none of {} connections to the metadata database was free within {FREE_LIMIT:?}",
                    self.limit
                )));
            }
            let waited = self.freed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.out[class] += 1;
        let idle = state.idle.pop_back().map(|(_, connection)| connection);
        drop(state);
        held.fetch_add(1, Ordering::Relaxed);
        let mut lease = Lease {
            pool: self.clone(),
            connection: idle,
            in_snapshot: false,
            class,
            held,
        };
        if lease.connection.is_none() {
            lease.connection = Some(self.connector.open(Use::Read)?);
        }
        Ok(lease)
    }

    fn put_back(&self, connection: Option<Connection>, class: usize) {
        let mut state = self.lock();
        state.out[class] -= 1;
        state
            .idle
            .extend(connection.map(|connection| (Instant::now(), connection)));
        while state
            .idle
            .front()
            .is_some_and(|(since, _)| since.elapsed() > IDLE_LIMIT)
        {
            state.idle.pop_front();
        }
        drop(state);
        self.freed.notify_all();
    }

    /// Closes what lies idle: one was lost, so all may be.
    fn forget_idle(&self) {
        self.lock().idle.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The connection; fails when it was lost before.
    pub fn connection(&mut self) -> Result<&mut Connection, Failure> {
        self.connection
            .as_mut()
            .ok_or_else(|| Failure::Lost("the connection was lost".into()))
    }

    /// From now on the connection is in a snapshot.
    pub fn in_snapshot(mut self) -> Lease {
        self.in_snapshot = true;
        self
    }

    /// The connection is of no use any more.
    pub fn lose(&mut self) {
        self.connection = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
        let (pool, class) = (self.pool.clone(), self.class);
        match self.connection.take() {
            Some(mut connection) if self.in_snapshot => self.pool.connector.spawn(async move {
                let ended = connection.end_snapshot().await;
                pool.put_back(ended.is_ok().then_some(connection), class);
            }),
            connection => pool.put_back(connection, class),
        }
    }
}
