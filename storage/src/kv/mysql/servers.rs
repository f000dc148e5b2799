//! The servers of one store as this process sees them: the map, their pools, and which of them are away.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Handle;

use super::applier::Applier;
use super::connection::{Connector, Limits};
use super::layout::Layout;
use super::options::Options;
use super::placement::Placement;
use super::pool::Pool;
use super::schema;
use crate::error::{Error, Result};

/// Bytes of intents that may wait for a server before writes to its slots are refused.
const MAX_BACKLOG: u64 = 1 << 30;

/// The primary and the others.
pub struct Servers {
    options: Options,
    handle: Handle,
    primary: Arc<Pool>,
    name: OnceLock<Vec<u8>>,
    layout: RwLock<Arc<Layout>>,
    others: Mutex<Others>,
}

#[derive(Default)]
struct Others {
    servers: BTreeMap<u32, Arc<Server>>,
    appliers: Vec<JoinHandle<()>>,
    stopped: bool,
}

/// A server that is not the primary.
pub struct Server {
    /// Its number.
    pub id: u32,
    /// Its address.
    pub url: String,
    pool: Mutex<Option<Arc<Pool>>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    away: Option<String>,
    failing: Option<String>,
    waiting_bytes: u64,
    woken: bool,
    stopped: bool,
}

impl Servers {
    /// The primary alone, until a map says otherwise.
    pub fn new(options: &Options, handle: Handle, primary: Arc<Pool>) -> Arc<Servers> {
        Arc::new(Servers {
            options: options.clone(),
            handle,
            primary,
            name: OnceLock::new(),
            layout: RwLock::default(),
            others: Mutex::default(),
        })
    }

    /// Connections to the primary.
    pub fn primary(&self) -> &Arc<Pool> {
        &self.primary
    }

    /// Which rows may lie elsewhere.
    pub fn placement(&self) -> &'static dyn Placement {
        self.options.placement
    }

    /// The random name of the store.
    pub fn name(&self) -> Result<&[u8]> {
        if let Some(name) = self.name.get() {
            return Ok(name);
        }
        let name = schema::name(self.primary.connector())?;
        Ok(self.name.get_or_init(|| name))
    }

    /// The newest map that this process knows.
    pub fn layout(&self) -> Arc<Layout> {
        let layout = self.layout.read().unwrap_or_else(PoisonError::into_inner);
        layout.clone()
    }

    /// Takes over a map that was read, unless a newer one is known.
    pub fn learn(self: &Arc<Self>, layout: Layout) -> Arc<Layout> {
        let layout = Arc::new(layout);
        let mut known = self.layout.write().unwrap_or_else(PoisonError::into_inner);
        if known.version < layout.version {
            self.follow(&layout);
            *known = layout.clone();
        }
        layout
    }

    /// The server of that number, when the map has it.
    pub fn server(&self, id: u32) -> Result<Arc<Server>> {
        let found = self.lock().servers.get(&id).cloned();
        found.ok_or_else(|| Error::Engine(format!("there is no database server {id}")))
    }

    /// These servers have something to write.
    pub fn wake(&self, ids: impl Iterator<Item = u32>) {
        for id in ids {
            if let Some(server) = self.lock().servers.get(&id) {
                server.wake();
            }
        }
    }

    /// Connections to a server.
    pub fn pool(&self, server: &Server) -> Result<Arc<Pool>> {
        let mut pool = server.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = &*pool {
            return Ok(pool.clone());
        }
        let opened = Pool::new(self.connector(&server.url)?, self.options.connections);
        Ok(pool.insert(opened).clone())
    }

    /// Connects to the server at an address.
    pub fn connector(&self, url: &str) -> Result<Arc<Connector>> {
        let options = self.options.beside(url)?;
        let connector = Connector::new(&options, self.handle.clone(), Limits::OTHER)?;
        Ok(Arc::new(connector))
    }

    /// Ends what runs in the background.
    pub fn stop(&self) {
        let appliers = {
            let mut others = self.lock();
            others.stopped = true;
            others.servers.values().for_each(|server| server.stop());
            std::mem::take(&mut others.appliers)
        };
        for applier in appliers {
            if applier.join().is_err() {
                tracing::error!("an applier had panicked");
            }
        }
    }

    /// Lets the servers of the map have an applier each.
    fn follow(self: &Arc<Self>, layout: &Layout) {
        let mut others = self.lock();
        if others.stopped {
            return;
        }
        others.servers.retain(|id, server| {
            let stays = layout.servers.get(id) == Some(&server.url);
            if !stays {
                server.stop();
            }
            stays
        });
        for (id, url) in &layout.servers {
            if others.servers.contains_key(id) {
                continue;
            }
            let server = Arc::new(Server::new(*id, url));
            let applier = Applier::new(self.clone(), server.clone());
            let thread = std::thread::Builder::new().name("kv-applier".into());
            match thread.spawn(move || applier.run()) {
                Ok(thread) => others.appliers.push(thread),
                Err(error) => {
                    // Others' appliers write for it; this process's readers lay over what they have not.
                    tracing::error!(%error, server = id, "an applier cannot be started");
                }
            }
            others.servers.insert(*id, server);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Others> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server {
    fn new(id: u32, url: &str) -> Server {
        Server {
            id,
            url: url.to_owned(),
            pool: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Why it cannot be used, if so.
    pub fn away(&self) -> Option<String> {
        self.lock().away.clone()
    }

    /// It can be used, or cannot.
    pub fn set_away(&self, away: Option<String>) {
        let mut state = self.lock();
        match (&state.away, &away) {
            (None, Some(reason)) => {
                tracing::error!(
                    server = self.id,
                    url = self.url,
                    reason,
                    "a database server is away"
                );
            }
            (Some(_), None) => {
                tracing::info!(
                    server = self.id,
                    url = self.url,
                    "a database server is back"
                );
            }
            _ => {}
        }
        state.away = away;
    }

    /// What is written there at present fails, or not.
    pub fn set_failing(&self, failing: Option<String>) {
        let mut state = self.lock();
        if state.failing.is_none()
            && let Some(reason) = &failing
        {
            tracing::error!(
                server = self.id,
                url = self.url,
                reason,
                "what was decided is not written yet"
            );
        }
        state.failing = failing;
    }

    /// Why it is away, or what is decided is not written there.
    pub fn trouble(&self) -> Option<String> {
        let state = self.lock();
        state.away.clone().or_else(|| state.failing.clone())
    }

    /// What a read says that would need it.
    pub fn unavailable(&self, reason: &str) -> Error {
        Error::Unavailable(format!(
            "database server {} ({}) is away: {reason}",
            self.id, self.url
        ))
    }

    /// Bytes of intents that it has yet to write.
    pub fn set_waiting(&self, bytes: u64) {
        self.lock().waiting_bytes = bytes;
    }

    /// Fails when so much waits for it that no more is taken.
    pub fn check_room(&self) -> Result<()> {
        let state = self.lock();
        match state.waiting_bytes > MAX_BACKLOG {
            true => Err(Error::Unavailable(format!(
                "{} MiB wait for database server {} ({})",
                state.waiting_bytes >> 20,
                self.id,
                self.url
            ))),
            false => Ok(()),
        }
    }

    /// There is something to write.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.changed.notify_all();
    }

    /// Waits until woken, at most so long. False when the applier is to end.
    pub fn rest(&self, at_most: Duration) -> bool {
        let state = self.lock();
        let waited = self
            .changed
            .wait_timeout_while(state, at_most, |state| !state.woken && !state.stopped);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.woken = false;
        !state.stopped
    }

    fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
