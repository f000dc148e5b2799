//! A snapshot's part on a server that is not the primary.

use std::cell::{OnceCell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use super::applier::Applied;
use super::connection::{Connection, Failure, column};
use super::intent::{self, Rows};
use super::pool::Lease;
use super::schema::row_of;
use super::servers::{Server, Servers};
use super::view::{START, on};
use crate::error::{Error, Result};

/// A server that does not begin a snapshot within this time is away.
const BEGIN_LIMIT: Duration = Duration::from_secs(2);
/// Intents that one statement reads, and bytes of all that are laid over one snapshot.
const AT_ONCE: usize = 64;
const MAX_OVER_BYTES: usize = 64 * 1024 * 1024;

/// The part on one server.
pub struct Part {
    server: Arc<Server>,
    state: Result<Open, String>,
    over: OnceCell<Rows>,
}

struct Open {
    lease: RefCell<Lease>,
    applied: Applied,
}

impl Part {
    /// All that the server has now. One that is away only fails reads of its rows.
    pub fn begin(servers: &Servers, id: u32) -> Result<Part> {
        let server = servers.server(id)?;
        let state = match server.away() {
            Some(reason) => Err(reason),
            None => begin(servers, &server).map_err(|error| {
                let reason = error.to_string();
                server.set_away(Some(reason.clone()));
                server.wake(); // its applier looks when it is back
                reason
            }),
        };
        Ok(Part {
            server,
            state,
            over: OnceCell::new(),
        })
    }

    /// Up to where it has written all intents, unless it is away.
    pub fn applied(&self) -> Option<&Applied> {
        self.state.as_ref().ok().map(|open| &open.applied)
    }

    /// Fails its reads unless `check` takes it.
    pub fn refuse_unless(&mut self, check: impl FnOnce(&Applied) -> Result<()>) {
        if let Some(Err(error)) = self.applied().map(check) {
            self.state = Err(error.to_string());
        }
    }

    /// Reads.
    pub fn call<T>(&self, call: impl FnOnce(&mut Connection) -> Result<T, Failure>) -> Result<T> {
        on(&mut self.open()?.lease.borrow_mut(), call)
    }

    /// What it has not written yet, as the primary's snapshot has it.
    pub fn laid_over(&self, primary: &mut Lease) -> Result<&Rows> {
        if let Some(over) = self.over.get() {
            return Ok(over);
        }
        let (mut rows, mut bytes, mut position) = (Rows::new(), 0, self.open()?.applied.position);
        loop {
            let sql = format!(
                "SELECT position, writes FROM firefly_intents WHERE server = {} AND position > {position} \
                 ORDER BY position LIMIT {AT_ONCE}",
                self.server.id
            );
            let sets = on(primary, |connection| connection.run(sql))?;
            let intents = sets.first().map_or(&[][..], Vec::as_slice);
            for row in intents {
                let writes: Vec<u8> = column(row, 1)?;
                intent::lay_over(&mut rows, &writes)?;
                (position, bytes) = (column(row, 0)?, bytes + writes.len());
            }
            if bytes > MAX_OVER_BYTES {
                return Err(self
                    .server
                    .unavailable("it has yet to write more than is read beside it"));
            }
            if intents.len() < AT_ONCE {
                return Ok(self.over.get_or_init(|| rows));
            }
        }
    }

    fn open(&self) -> Result<&Open> {
        self.state
            .as_ref()
            .map_err(|reason| self.server.unavailable(reason))
    }
}

fn begin(servers: &Servers, server: &Server) -> Result<Open> {
    let sql = format!(
        "{START}; SELECT position, batch FROM firefly_applied WHERE id = 1 AND store = x'{}' AND server = {}",
        hex::encode(servers.name()?),
        server.id
    );
    let begin = |connection: &mut Connection| connection.run_within(BEGIN_LIMIT, sql.clone());
    let (lease, sets) = servers.pool(server)?.begin(begin)?;
    let lease = lease.in_snapshot();
    match row_of(&sets, 1) {
        Ok(row) => Ok(Open {
            lease: RefCell::new(lease),
            applied: Applied::of(row)?,
        }),
        Err(_) => Err(Error::Engine(
            "its tables are another store's, or another server's".into(),
        )),
    }
}
