//! Writes a server's intents there, in their order. Every process has one for each server: who has just committed writes at
//! once, and each looks now and then for what one that died has left. The lock of the server's own row `firefly_applied` is
//! the lease: one writes at a time, and what is written there already is not written again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// What was written by a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Up to where.
    pub position: u64,
    /// Whether there may be more.
    pub more: bool,
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
                Ok(written) if written.more => Duration::ZERO,
                Ok(_) => LOOK_PERIOD,
                Err(_) => AWAY_PERIOD,
            };
        }
    }

    /// Writes what waits, up to a bound.
    pub fn round(&mut self) -> Result<Written> {
        let done = self.try_round();
        if done.is_err() {
            (self.here, self.there) = (None, None);
        }
        done
    }

    fn try_round(&mut self) -> Result<Written> {
        let position = match self.begin_there() {
            Ok(position) => position,
            Err(error) => {
                if !matches!(error, Error::Conflict { .. }) {
                    self.server.set_away(Some(error.to_string()));
                }
                self.count_waiting()?;
                return Err(error);
            }
        };
        let (rows, written) = self.read_here(position)?;
        let there = self.there()?;
        if written.position == position {
            there.run("ROLLBACK".to_owned())?;
        } else {
            let rows: Vec<Row> = rows
                .iter()
                .map(|(key, value)| (&key[..], value.as_deref()))
                .collect();
            let applied = format!(
                "UPDATE firefly_applied SET position = {} WHERE id = 1; COMMIT",
                written.position
            );
            for statements in plain(&rows, &BTreeMap::new(), applied) {
                there.run(statements)?;
            }
        }
        self.server.set_away(None);
        if written.more {
            self.count_waiting()?;
        } else {
            self.server.set_waiting(0);
        }
        self.remove_written(written.position)?;
        Ok(written)
    }

    /// Takes the lease; returns up to where is written.
    fn begin_there(&mut self) -> Result<u64> {
        let (name, id) = (hex::encode(self.servers.name()?), self.server.id);
        let sets = self.there()?.run(format!(
            "START TRANSACTION; SELECT position FROM firefly_applied \
             WHERE id = 1 AND store = x'{name}' AND server = {id} FOR UPDATE"
        ));
        let sets = match sets {
            Err(Failure::Again(_)) => return Err(Error::Conflict { attempts: 1 }),
            sets => sets?,
        };
        match sets.last().and_then(|rows| rows.first()) {
            Some(row) => Ok(column(row, 0)?),
            None => Err(Error::Engine(
                "its tables are another store's, or another server's".into(),
            )),
        }
    }

    /// The rows of the next intents.
    fn read_here(&mut self, after: u64) -> Result<(Rows, Written)> {
        let id = self.server.id;
        let sets = self.here()?.run(format!(
            "SELECT version FROM firefly_clock WHERE id = 1; SELECT removed FROM firefly_servers WHERE id = {id}; \
             SELECT position, writes FROM firefly_intents WHERE server = {id} AND position > {after} \
             ORDER BY position LIMIT {AT_ONCE}"
        ))?;
        let clock: u64 = column(row_of(&sets, 0)?, 0)?;
        let removed: u64 = column(row_of(&sets, 1)?, 0)?;
        check(after, clock, removed)
            .inspect_err(|error| self.server.set_away(Some(error.to_string())))?;
        let intents = sets.get(2).map_or(&[][..], Vec::as_slice);
        let (mut rows, mut position) = (Rows::new(), after);
        for row in intents {
            let writes: Vec<u8> = column(row, 1)?;
            intent::lay_over(&mut rows, &writes)?;
            position = column(row, 0)?;
        }
        Ok((
            rows,
            Written {
                position,
                more: intents.len() == AT_ONCE,
            },
        ))
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

/// Refuses to go on with a server, or a primary, that was set back: what the other has decided or written since is lost.
pub fn check(position: u64, clock: u64, removed: u64) -> Result<()> {
    if intent::version(position) > clock {
        let text =
            "it is ahead of the primary, which was set back: restore all servers to one backup";
        return Err(Error::Engine(text.into()));
    }
    if position < removed {
        let text =
            "it was set back: writes that it had are gone; restore all servers to one backup";
        return Err(Error::Engine(text.into()));
    }
    Ok(())
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
