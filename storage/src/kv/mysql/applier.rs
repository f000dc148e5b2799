//! Writes a server's intents there, in their order. Every process has one for each server: who has just committed writes at
//! once, and each looks now and then for what one that died has left. The lock of the server's own row `firefly_applied` is
//! the lease: one writes at a time, and what is written there already is not written again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlRow;

use super::connection::{Connection, Failure, Use, column};
use super::group::{Row, plain};
use super::intent::{self, Rows};
use super::schema::{last_of, row_of};
use super::servers::{Server, Servers};
use crate::error::{Error, Result};

/// Between two looks for what others left, and while the server is away.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
const AWAY_PERIOD: Duration = Duration::from_millis(250);
/// Intents that one transaction writes.
const AT_ONCE: usize = 32;
/// Intents stay so long after they were written: snapshots that are just beginning read them.
const KEPT: Duration = Duration::from_secs(3);
/// Intents that one statement removes.
const REMOVED_AT_ONCE: usize = 2_000;
/// A connection unused for so long is opened anew.
const IDLE_LIMIT: Duration = Duration::from_secs(10);

/// One server's.
pub struct Applier {
    servers: Arc<Servers>,
    server: Arc<Server>,
    here: Option<(Instant, Connection)>,
    there: Option<(Instant, Connection)>,
    /// What was found written, and when.
    written: VecDeque<(Instant, u64)>,
}

/// Up to where a server has written all intents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The last one's position.
    pub position: u64,
    /// The name of the commit that made it. After the primary was set back, another commit has the same version.
    pub batch: Vec<u8>,
}

impl Applied {
    /// From the first two columns of a row.
    pub fn of(row: &MySqlRow) -> Result<Applied, Failure> {
        Ok(Applied {
            position: column(row, 0)?,
            batch: column(row, 1)?,
        })
    }

    /// Refuses to go on with a server, or a primary, that was set back: what the other has decided or written since is lost.
    /// `batch` is the name that the primary knows the commit by, while it is kept.
    pub fn check(&self, clock: u64, removed: u64, batch: Option<&[u8]>) -> Result<()> {
        let is_another = batch.is_some_and(|batch| batch != self.batch);
        if intent::version(self.position) > clock || is_another {
            let text = "it has what the primary has not, which was set back: restore all servers to one moment";
            return Err(Error::Engine(text.into()));
        }
        if self.position < removed {
            let text =
                "it was set back: writes that it had are gone; restore all servers to one moment";
            return Err(Error::Engine(text.into()));
        }
        Ok(())
    }
}

impl Applier {
    /// Of `server`.
    pub fn new(servers: Arc<Servers>, server: Arc<Server>) -> Applier {
        Applier {
            servers,
            server,
            here: None,
            there: None,
            written: VecDeque::new(),
        }
    }

    /// Writes until stopped.
    pub fn run(mut self) {
        let mut pause = Duration::ZERO;
        while self.server.rest(pause) {
            pause = match self.round() {
                Ok(true) => Duration::ZERO,
                Ok(false) => LOOK_PERIOD,
                Err(_) => AWAY_PERIOD,
            };
        }
    }

    /// Writes what waits, up to a bound; true when there may be more.
    fn round(&mut self) -> Result<bool> {
        let done = self.try_round();
        match &done {
            Ok(_) => self.server.set_failing(None),
            Err(Error::Conflict { .. }) => {}
            Err(error) => self.server.set_failing(Some(error.to_string())),
        }
        if done.is_err() {
            (self.here, self.there) = (None, None);
        }
        done
    }

    fn try_round(&mut self) -> Result<bool> {
        let applied = match self.begin_there() {
            Ok(applied) => applied,
            Err(error) => {
                if !matches!(error, Error::Conflict { .. }) {
                    self.server.set_away(Some(error.to_string()));
                }
                self.count_waiting()?;
                return Err(error);
            }
        };
        let (rows, next, more) = self.read_here(&applied)?;
        let there = self.there()?;
        if next == applied {
            there.run("ROLLBACK".to_owned())?;
        } else {
            let rows: Vec<Row> = rows
                .iter()
                .map(|(key, value)| (&key[..], value.as_deref()))
                .collect();
            let moved = format!(
                "UPDATE firefly_applied SET position = {}, batch = x'{}' WHERE id = 1; COMMIT",
                next.position,
                hex::encode(&next.batch)
            );
            for statements in plain(&rows, &BTreeMap::new(), moved) {
                there.run(statements)?;
            }
        }
        self.server.set_away(None);
        match more {
            true => self.count_waiting()?,
            false => self.server.set_waiting(0),
        }
        self.remove_written(next.position)?;
        Ok(more)
    }

    /// Takes the lease; returns up to where is written.
    fn begin_there(&mut self) -> Result<Applied> {
        let (name, id) = (hex::encode(self.servers.name()?), self.server.id);
        let sets = self.there()?.run(format!(
            "START TRANSACTION; SELECT position, batch FROM firefly_applied \
             WHERE id = 1 AND store = x'{name}' AND server = {id} FOR UPDATE"
        ));
        let sets = match sets {
            Err(Failure::Again(_)) => return Err(Error::Conflict { attempts: 1 }),
            sets => sets?,
        };
        match sets.last().and_then(|rows| rows.first()) {
            Some(row) => Ok(Applied::of(row)?),
            None => Err(Error::Engine(
                "its tables are another store's, or another server's".into(),
            )),
        }
    }

    /// The rows of the next intents, up to where they are, and whether there may be more.
    fn read_here(&mut self, after: &Applied) -> Result<(Rows, Applied, bool)> {
        let id = self.server.id;
        let sets = self.here()?.run(format!(
            "SELECT version FROM firefly_clock WHERE id = 1; SELECT removed FROM firefly_servers WHERE id = {id}; \
             SELECT batch FROM firefly_commits WHERE version = {}; \
             SELECT position, batch, writes FROM firefly_intents WHERE server = {id} AND position > {} \
             ORDER BY position LIMIT {AT_ONCE}",
            intent::version(after.position),
            after.position
        ))?;
        let (clock, removed) = (column(row_of(&sets, 0)?, 0)?, column(row_of(&sets, 1)?, 0)?);
        let batch: Option<Vec<u8>> = row_of(&sets, 2)
            .ok()
            .map(|row| column(row, 0))
            .transpose()?;
        let checked = after.check(clock, removed, batch.as_deref());
        checked.inspect_err(|error| self.server.set_away(Some(error.to_string())))?;
        let intents = sets.get(3).map_or(&[][..], Vec::as_slice);
        let (mut rows, mut next) = (Rows::new(), after.clone());
        for row in intents {
            let writes: Vec<u8> = column(row, 2)?;
            intent::lay_over(&mut rows, &writes)?;
            next = Applied::of(row)?;
        }
        if !intents.is_empty() {
            self.sync_here()?;
        }
        Ok((rows, next, intents.len() == AT_ONCE))
    }

    /// What is visible may not be on the primary's disk yet, and is not to be on another's before: a commit of one's own is
    /// synced after all that were visible.
    fn sync_here(&mut self) -> Result<()> {
        let id = self.server.id;
        self.here()?.run(format!(
            "UPDATE firefly_servers SET synced = synced + 1 WHERE id = {id}"
        ))?;
        Ok(())
    }

    fn count_waiting(&mut self) -> Result<()> {
        let bytes = waiting(self.server.id, self.here()?)?.bytes;
        self.server.set_waiting(bytes);
        Ok(())
    }

    /// Removes intents that were written a while ago.
    fn remove_written(&mut self, position: u64) -> Result<()> {
        let now = Instant::now();
        if self
            .written
            .back()
            .is_none_or(|(_, newest)| *newest < position)
        {
            self.written.push_back((now, position));
        }
        let mut removable = None;
        while let Some((_, position)) = self
            .written
            .pop_front_if(|(since, _)| since.elapsed() > KEPT)
        {
            removable = Some(position);
        }
        let Some(position) = removable else {
            return Ok(());
        };
        let id = self.server.id;
        self.here()?.run(format!(
            "START TRANSACTION; UPDATE firefly_servers SET removed = GREATEST(removed, {position}) WHERE id = {id}; \
             DELETE FROM firefly_intents WHERE server = {id} AND position <= {position} LIMIT {REMOVED_AT_ONCE}; COMMIT"
        ))?;
        Ok(())
    }

    fn here(&mut self) -> Result<&mut Connection> {
        let open = || Ok(self.servers.primary().connector().open_once(Use::Write)?);
        keep(&mut self.here, open)
    }

    fn there(&mut self) -> Result<&mut Connection> {
        let open = || {
            let pool = self.servers.pool(&self.server)?;
            Ok(pool.connector().open_once(Use::Write)?)
        };
        keep(&mut self.there, open)
    }
}

fn keep(
    kept: &mut Option<(Instant, Connection)>,
    open: impl FnOnce() -> Result<Connection>,
) -> Result<&mut Connection> {
    let connection = match kept.take() {
        Some((used, connection)) if used.elapsed() < IDLE_LIMIT => connection,
        _ => open()?,
    };
    Ok(&mut kept.insert((Instant::now(), connection)).1)
}

/// Intents of a server that lie on the primary, written already or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Waiting {
    /// The newest one's position, 0 when there is none.
    pub newest: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// What waits for a server, and what it has written lately.
pub fn waiting(id: u32, primary: &mut Connection) -> Result<Waiting, Failure> {
    let sets = primary.run(format!(
        "SELECT CAST(COALESCE(MAX(position), 0) AS UNSIGNED), CAST(COALESCE(SUM(bytes), 0) AS UNSIGNED) \
         FROM firefly_intents WHERE server = {id}"
    ))?;
    let row = last_of(&sets)?;
    Ok(Waiting {
        newest: column(row, 0)?,
        bytes: column(row, 1)?,
    })
}
