//! The engine for many processes: a database that speaks the MySQL protocol (MariaDB, MySQL), one ordered InnoDB table.
//!
//! The same optimistic transactions as the embedded engine, with a committer in every process. All commits are ordered by
//! one row, the *clock*: a committer locks it, learns from the table of commits what others wrote since its own last one,
//! checks its transactions against that in memory, and writes a whole group with one database transaction. Snapshots are
//! InnoDB's. `docs/decisions/mysql-transactions.md` says why. In reading order: `options`, `drive` and `connection` (calling
//! the database), `schema`, `pool`, `cache` (memcached), `view` (reads), `group` and `committer` (writes), `pulse` (hearing of commits).

mod applier;
mod cache;
mod committer;
mod connection;
mod databases;
mod drive;
mod group;
mod intent;
mod layout;
mod moving;
mod options;
mod part;
mod placement;
mod pool;
mod pulse;
mod schema;
mod servers;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use self::cache::Address as CacheAddress;
#[cfg(feature = "fuzz")]
pub(crate) use self::cache::decode as fuzz;
pub use self::databases::Database;
pub use self::moving::Moving;
pub use self::options::Options;
pub use self::placement::{Placement, Span};

use self::cache::Cache;
use self::committer::Committer;
use self::connection::{Connection, Connector, Failure, Limits, Use, column, number};
use self::drive::Driver;
use self::group::Group;
use self::layout::{Layout, PRIMARY};
use self::pool::Pool;
use self::pulse::Pulse;
use self::servers::Servers;
use self::view::View;
use super::optimistic::{Attempt, Base, Plain, Queue, Retries, Turns, Versions, Writes, numbers};
use super::{Batch, Commit, Snapshot, Store, Transaction};
use crate::error::{Error, Result};

/// How often a transaction is tried. Those that run alone here may still conflict with other processes.
const RETRIES: Retries = Retries {
    together: 10,
    alone: 20,
    max_backoff: Duration::from_millis(50),
};
/// How long a claim waits for one whose holder was just killed, seconds.
const CLAIM_WAIT_S: u32 = 5;
/// Log heads that one statement reads.
const HEADS_AT_ONCE: usize = 1_024;
/// The version of the map, and the value of a key where the primary has it.
const GET: &str = "SELECT (SELECT version FROM firefly_layout WHERE id = 1), \
                   (SELECT v FROM firefly_rows WHERE k = ?)";

/// A [`Store`] in a database, open in any number of processes at a time.
pub struct MySqlStore {
    pool: Arc<Pool>,
    servers: Arc<Servers>,
    cache: Option<Arc<Cache>>,
    versions: Arc<Versions>,
    queue: Arc<Queue>,
    pulse: Arc<Pulse>,
    turns: Turns,
    /// Connections that hold what this process has claimed.
    claims: Mutex<Vec<Connection>>,
    threads: Vec<JoinHandle<()>>,
    /// Dropped last: the connections need it.
    _driver: Driver,
}

impl MySqlStore {
    /// Connects, and makes or migrates the tables.
    ///
    /// Fails with [`Error::NewerFormat`] when a newer release made them, and with [`Error::Engine`] when the database cannot
    /// be reached within some seconds, refuses, or would not keep what it acknowledges.
    pub fn open(options: Options) -> Result<MySqlStore> {
        let (driver, handle) = Driver::start()?;
        let connector = Connector::new(&options, handle.clone(), Limits::PRIMARY)?;
        let connector = Arc::new(connector);
        let tip = schema::prepare(&connector)?;
        let pool = Pool::new(connector.clone(), options.connections);
        let servers = Servers::new(&options, handle, pool.clone());
        servers.learn(layout::present(&connector)?);
        let cache = match &options.cache {
            Some((address, is_cached)) => {
                let name = schema::name(&connector)?;
                Some(Arc::new(Cache::new(address, *is_cached, &name)))
            }
            None => None,
        };
        let versions = Arc::new(Versions::default());
        versions.publish(tip.version);
        let (queue, pulse) = (
            Arc::new(Queue::default()),
            Arc::new(Pulse::new(tip.version)),
        );
        let mut store = MySqlStore {
            pool,
            servers: servers.clone(),
            cache,
            turns: Turns::new(RETRIES),
            claims: Mutex::default(),
            threads: Vec::new(),
            _driver: driver,
            versions: versions.clone(),
            queue: queue.clone(),
            pulse: pulse.clone(),
        };
        let committer = Committer::new(tip, servers, versions, queue, pulse.clone());
        store.spawn("kv-committer", move || committer.run())?;
        store.spawn("kv-pulse", move || pulse.beat(&connector))?;
        Ok(store)
    }

    /// Makes this process the only one that does `what` on the database, until the store is dropped. Fails when another one
    /// does it. Others are kept away as long as the connection that holds the claim lives; the committed data never
    /// depends on it.
    pub fn claim(&self, what: &str) -> Result<()> {
        let mut connection = self.pool.connector().open(Use::Read)?;
        let name = format!("CONCAT('firefly {}:', MD5(DATABASE()))", hex::encode(what));
        let sql = format!(
            "SET SESSION wait_timeout = 31536000; SELECT CAST(GET_LOCK({name}, {CLAIM_WAIT_S}) AS UNSIGNED)"
        );
        let sets = connection.run(sql)?;
        let claimed = sets.get(1).and_then(|rows| rows.first());
        if claimed
            .map(|row| column::<Option<u64>>(row, 0))
            .transpose()?
            != Some(Some(1))
        {
            return Err(Error::Engine(
                "the metadata database is open in another process".into(),
            ));
        }
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.push(connection);
        Ok(())
    }

    /// True while another process does `what` alone.
    pub fn is_claimed(&self, what: &str) -> Result<bool> {
        let mut connection = self.pool.connector().open(Use::Read)?;
        let name = format!("CONCAT('firefly {}:', MD5(DATABASE()))", hex::encode(what));
        let sets = connection.run(format!("SELECT CAST(IS_FREE_LOCK({name}) AS UNSIGNED)"))?;
        let free = sets.first().and_then(|rows| rows.first());
        let free = free.map(|row| column::<Option<u64>>(row, 0)).transpose()?;
        Ok(free != Some(Some(1)))
    }

    fn spawn(&mut self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<()> {
        let thread = std::thread::Builder::new()
            .name(name.into())
            .spawn(body)
            .map_err(|e| Error::io(format!("starting thread {name}"), e))?;
        self.threads.push(thread);
        Ok(())
    }

    /// One run of `body`; `None` when it conflicted.
    fn attempt(
        &self,
        body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>,
    ) -> Result<Option<Commit>> {
        let active = self.versions.begin(); // before the snapshot, so it is never newer
        let view = View::open(&self.servers, None)?;
        let began = view.version;
        if began < active.version {
            return Ok(None); // the database went back; the committer finds out and says so
        }
        let mut attempt = Attempt::new(view);
        let done = body(&mut attempt);
        if attempt.is_lost() {
            return Ok(None);
        }
        done?;
        let (reads, writes) = attempt.finish()?;
        if writes.is_empty() {
            return Ok(Some(Commit::default())); // one snapshot is serializable by itself
        }
        group::check(&writes, self.pool.connector().max_statement())?;
        self.check_room(&writes)?;
        let answer = self.queue.push(began, reads, writes)?;
        answer
            .recv()
            .map_err(|_| Error::Engine("the store's committer has stopped".into()))?
    }

    /// Fails when something is to be written to a server for which too much waits.
    fn check_room(&self, writes: &Writes) -> Result<()> {
        let layout = self.servers.layout();
        if layout.is_plain() {
            return Ok(());
        }
        let logs = writes.appends.iter().map(|(log, _)| log);
        let slots = writes.pairs.keys().chain(logs);
        let slots = slots.map(|key| self.servers.placement().slot(key));
        let written: BTreeSet<u32> = slots.flat_map(|slot| layout.writers(slot)).collect();
        let mut others = written.into_iter().filter(|server| *server != PRIMARY);
        others.try_for_each(|server| self.servers.server(server)?.check_room())
    }

    /// The numbers that lie at `keys`, 0 where there is none.
    fn numbers(&self, keys: &[Vec<u8>]) -> Result<Vec<u64>> {
        let sql = group::select_numbers(keys.iter());
        let rows = self.pool.read(|connection| connection.run(sql.clone()))?;
        let found = rows.into_iter().flatten().map(|row| number(&row));
        let found: std::collections::HashMap<Vec<u8>, u64> =
            found.collect::<Result<_, Failure>>()?;
        Ok(keys
            .iter()
            .map(|key| found.get(key).copied().unwrap_or(0))
            .collect())
    }
}

impl Store for MySqlStore {
    fn snapshot(&self) -> Result<Box<dyn Snapshot + '_>> {
        let view = View::open(&self.servers, self.cache.as_ref())?;
        Ok(Box::new(Plain(view)))
    }

    /// One statement, where a snapshot begins and ends: less than asking whether the cache's entry holds.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let layout = self.servers.layout();
        let is_here =
            layout.is_plain() || layout.reader(self.servers.placement().slot(key)) == PRIMARY;
        if is_here {
            let read = |connection: &mut Connection| connection.fetch(GET, &[key], None);
            let rows = self.pool.read(read)?;
            if let Some(row) = rows.first()
                && column::<u64>(row, 0)? == layout.version
            {
                return Ok(column(row, 1)?);
            }
        }
        View::open(&self.servers, None)?.get(key)
    }

    fn transact(&self, body: &mut dyn FnMut(&mut dyn Transaction) -> Result<()>) -> Result<Commit> {
        self.turns.run(&mut || self.attempt(body))
    }

    fn head(&self, log: &[u8]) -> Result<u64> {
        Ok(self.numbers(&[numbers::head(log)])?[0])
    }

    fn heads(&self, logs: &[Vec<u8>]) -> Result<Vec<u64>> {
        let mut heads = Vec::with_capacity(logs.len());
        for logs in logs.chunks(HEADS_AT_ONCE) {
            let keys: Vec<_> = logs.iter().map(|log| numbers::head(log)).collect();
            heads.extend(self.numbers(&keys)?);
        }
        Ok(heads)
    }

    fn counter(&self, counter: &[u8]) -> Result<i64> {
        Ok(self.numbers(&[numbers::counter(counter)])?[0].cast_signed())
    }

    fn load(&self, batch: &Batch) -> Result<()> {
        let connector = self.pool.connector();
        group::check_batch(batch, connector.max_statement())?;
        let mut connection = connector.open(Use::Write)?;
        let (clock, map) = layout::lock(&mut connection)?;
        if clock != 0 {
            return Err(Error::Engine(
                "rows are loaded only into a database to which nothing was committed".into(),
            ));
        }
        let layout = self.servers.learn(Layout::read(&mut connection, map)?);
        let group = Group::from(batch);
        let split = group.split(&layout, self.servers.placement());
        for (server, rows) in &split.there {
            let server = self.servers.server(*server)?;
            let mut there = self.servers.pool(&server)?.connector().open(Use::Write)?;
            there.run("START TRANSACTION".into())?;
            for statements in group::plain(rows, &BTreeMap::new(), "COMMIT".into()) {
                there.run(statements)?;
            }
        }
        for statements in group::plain(&split.here, &group.numbers, "COMMIT".into()) {
            connection.run(statements)?;
        }
        Ok(())
    }

    fn wait(&self, seen: u64, timeout: Duration) -> u64 {
        self.pulse.wait(seen, timeout)
    }
}

impl Drop for MySqlStore {
    fn drop(&mut self) {
        self.queue.close();
        self.pulse.stop();
        self.servers.stop();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}
