//! Moves slots from one server to another while they are written.
//!
//! From the moment that the map names a second server, whatever is written to the slot goes to both. The rows that were there
//! before are copied by commits of their own, which leave out what was written since they were read. When the last one is in, one
//! change of the map has the slot read at the second server alone, and what is left at the first is removed. Whoever is
//! interrupted, or changes their mind, does it again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;

use super::applier::{Waiting, waiting};
use super::connection::{Connection, Failure, Use, column};
use super::group::{Group, Place, ROW, Split, push_hex, read_written};
use super::layout::{self, Layout, Lies, PRIMARY, Stage};
use super::schema::last_of;
use super::servers::Servers;
use super::view::View;
use crate::error::{Error, Result};
use crate::kv::optimistic::{Base, after};

/// Rows and bytes of one copying commit.
const PAGE_ROWS: usize = 256;
const PAGE_BYTES: usize = 1024 * 1024;
/// Rows that one statement removes.
const REMOVED_AT_ONCE: usize = 512;
/// Commits since a page was read that are looked through; behind more it is read again.
const MAX_BEHIND: usize = 512;
/// Copying waits while more than this is yet to be written.
const MAX_WAITING: u64 = 64 << 20;
/// Between two looks at a server that is yet to write.
const LOOK_PERIOD: Duration = Duration::from_millis(20);
/// How long a step is tried again while a server does not answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How far a move is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moving {
    /// Slots that are to move.
    pub slots: usize,
    /// Slots that are copied.
    pub copied_slots: usize,
    /// Rows that were copied.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Rows that were removed where they had been.
    pub removed: u64,
}

/// Says how far it is; false when it is to end.
pub type Tell<'t> = &'t mut dyn FnMut(&Moving) -> bool;

/// One move.
pub struct Mover<'m> {
    servers: &'m Arc<Servers>,
    connection: Option<Connection>,
    moving: Moving,
    tell: Tell<'m>,
}

impl<'m> Mover<'m> {
    /// Tells `tell` how far it is.
    pub fn new(servers: &'m Arc<Servers>, tell: Tell<'m>) -> Mover<'m> {
        Mover {
            servers,
            connection: None,
            moving: Moving::default(),
            tell,
        }
    }

    /// Moves them. Fails with [`Error::Unavailable`] when it was interrupted or a server is away; the same call goes on.
    pub fn run(mut self, slots: &[u16], to: u32) -> Result<Moving> {
        self.moving.slots = slots.len();
        loop {
            let layout = self.begin(slots, to)?;
            let with = |stage: Stage| -> Vec<(u16, Lies)> {
                let slots = slots.iter().map(|slot| (*slot, layout.lies(*slot)));
                slots
                    .filter(|(_, lies)| lies.other.is_some_and(|(_, at)| at == stage))
                    .collect()
            };
            let (copying, clearing) = (with(Stage::Copying), with(Stage::Clearing));
            if copying.is_empty() && clearing.is_empty() {
                self.moving.copied_slots = slots.len();
                return Ok(self.moving);
            }
            self.clear(&clearing)?;
            if !copying.is_empty() {
                self.moving.copied_slots = slots.len() - copying.len();
                for (slot, _) in &copying {
                    self.copy(*slot, to)?;
                    self.moving.copied_slots += 1;
                }
                self.await_written(to)?;
                self.switch(slots, to)?;
            }
        }
    }

    /// Lets all slots that can be copied be written at both servers. Returns the map after that.
    fn begin(&self, slots: &[u16], to: u32) -> Result<Layout> {
        self.change(&mut |layout| {
            if to != PRIMARY && !layout.servers.contains_key(&to) {
                return Err(Error::Engine(format!("there is no database server {to}")));
            }
            let next = |lies: Lies| match lies.other {
                None if lies.server != to => Some((to, Stage::Copying)),
                // Somebody changed their mind: what is there already goes first.
                Some((other, Stage::Copying)) if other != to => Some((other, Stage::Clearing)),
                _ => None,
            };
            let changes = slots.iter().filter_map(|slot| {
                let lies = layout.lies(*slot);
                let other = next(lies)?;
                Some(layout::put_slot(
                    *slot,
                    Lies {
                        other: Some(other),
                        ..lies
                    },
                ))
            });
            Ok(changes.collect())
        })?;
        let layout = layout::present(self.servers.primary().connector())?;
        self.servers.learn(layout.clone());
        Ok(layout)
    }

    /// Lets the slots be read at their new server alone.
    fn switch(&self, slots: &[u16], to: u32) -> Result<()> {
        self.change(&mut |layout| {
            let there = |lies: &Lies| lies.other == Some((to, Stage::Copying));
            let changes = slots.iter().map(|slot| (*slot, layout.lies(*slot)));
            let changes = changes.filter(|(_, lies)| there(lies)).map(|(slot, lies)| {
                let other = Some((lies.server, Stage::Clearing));
                layout::put_slot(slot, Lies { server: to, other })
            });
            Ok(changes.collect())
        })
    }

    fn change(&self, change: &mut dyn FnMut(&Layout) -> Result<Vec<String>>) -> Result<()> {
        let connector = self.servers.primary().connector();
        patiently(&mut || layout::change(connector, change))
    }

    /// Copies the rows of a slot.
    fn copy(&mut self, slot: u16, to: u32) -> Result<()> {
        let mut at = Vec::new();
        while let Some((start, end)) = self.servers.placement().next(slot, &at) {
            let servers = self.servers;
            let connection = &mut self.connection;
            let page = patiently(&mut || {
                copy_page(servers, connection, slot, to, &start, &end)
                    .inspect_err(|_| *connection = None)
            })?;
            self.moving.rows += page.rows;
            self.moving.bytes += page.bytes;
            at = page.next;
            self.tell()?;
            while to != PRIMARY && page.rows > 0 && self.waiting(to)?.bytes > MAX_WAITING {
                self.look_again(to)?;
            }
        }
        Ok(())
    }

    /// Waits until a server has written all that was decided so far.
    fn await_written(&mut self, id: u32) -> Result<()> {
        if id == PRIMARY {
            return Ok(());
        }
        let newest = self.waiting(id)?.newest;
        let server = self.servers.server(id)?;
        loop {
            let pool = self.servers.pool(&server)?;
            let sql = "SELECT position FROM firefly_applied WHERE id = 1";
            let sets = pool.read(|connection| connection.run(sql.to_owned()));
            let sets = sets.map_err(|error| server.unavailable(&error.to_string()))?;
            if column::<u64>(last_of(&sets)?, 0)? >= newest {
                return Ok(());
            }
            self.look_again(id)?;
        }
    }

    fn waiting(&self, id: u32) -> Result<Waiting> {
        self.servers
            .primary()
            .read(|connection| waiting(id, connection))
    }

    /// A moment later, unless the server is away or the move is to end.
    fn look_again(&mut self, id: u32) -> Result<()> {
        let server = self.servers.server(id)?;
        if let Some(reason) = server.away() {
            return Err(server.unavailable(&reason));
        }
        server.wake();
        self.tell()?;
        std::thread::sleep(LOOK_PERIOD);
        Ok(())
    }

    /// Removes what is left of slots where they are not any more.
    fn clear(&mut self, slots: &[(u16, Lies)]) -> Result<()> {
        let mut others: Vec<u32> = slots
            .iter()
            .filter_map(|(_, lies)| Some(lies.other?.0))
            .collect();
        others.sort_unstable();
        others.dedup();
        for other in others {
            self.await_written(other)?; // later intents for it hold nothing of these slots
            let mut cleared = Vec::new();
            for (slot, lies) in slots
                .iter()
                .filter(|(_, lies)| lies.other.is_some_and(|(at, _)| at == other))
            {
                self.clear_one(*slot, other)?;
                cleared.push(layout::put_slot(
                    *slot,
                    Lies {
                        other: None,
                        ..*lies
                    },
                ));
            }
            self.change(&mut |_| Ok(cleared.clone()))?;
        }
        Ok(())
    }

    fn clear_one(&mut self, slot: u16, at: u32) -> Result<()> {
        let (servers, mut from) = (self.servers, Vec::new());
        let pool = match at {
            PRIMARY => servers.primary().clone(),
            other => servers.pool(&*servers.server(other)?)?,
        };
        let mut connection = None;
        while let Some((start, end)) = servers.placement().next(slot, &from) {
            let page = patiently(&mut || {
                let connection = match &mut connection {
                    Some(connection) => connection,
                    none => none.insert(pool.connector().open(Use::Write)?),
                };
                Ok(remove_page(servers, connection, slot, &start, &end)?)
            })?;
            self.moving.removed += page.rows;
            from = page.next;
            self.tell()?;
        }
        Ok(())
    }

    fn tell(&mut self) -> Result<()> {
        match (self.tell)(&self.moving) {
            true => Ok(()),
            false => Err(Error::Unavailable(
                "the move was interrupted; the same command goes on with it".into(),
            )),
        }
    }
}

/// What one step did.
struct Page {
    rows: u64,
    bytes: u64,
    /// Where the next one begins.
    next: Vec<u8>,
}

/// Keys of one slot, until others come.
struct Gathering<'e> {
    slot: u16,
    end: &'e [u8],
    next: Option<Vec<u8>>,
}

impl Gathering<'_> {
    /// False for the first key of another slot, behind which the next step begins.
    fn takes(&mut self, servers: &Servers, key: &[u8]) -> bool {
        self.next = Some(after(key));
        servers.placement().slot(key) == Some(self.slot)
    }

    /// Where the next step begins.
    fn next(self, is_full: bool) -> Vec<u8> {
        match self.next {
            Some(next) if is_full => next,
            _ => self.end.to_vec(),
        }
    }
}

/// Copies the first rows of a range by one commit.
fn copy_page(
    servers: &Arc<Servers>,
    connection: &mut Option<Connection>,
    slot: u16,
    to: u32,
    start: &[u8],
    end: &[u8],
) -> Result<Page> {
    let view = View::open(servers, None)?;
    if view.layout().lies(slot).other != Some((to, Stage::Copying)) {
        return Err(Error::Engine(format!(
            "slot {slot} was moved by somebody else meanwhile"
        )));
    }
    let (mut rows, mut bytes, mut is_full) = (Vec::new(), 0, false);
    let mut gathering = Gathering {
        slot,
        end,
        next: None,
    };
    view.walk(start, end, false, PAGE_ROWS, &mut |key, value| {
        is_full = !gathering.takes(servers, key);
        if !is_full {
            bytes += key.len() + value.len();
            rows.push((key.to_vec(), value.to_vec()));
            is_full = rows.len() == PAGE_ROWS || bytes > PAGE_BYTES;
        }
        Ok(!is_full)
    })?;
    let page = Page {
        rows: rows.len() as u64,
        bytes: bytes as u64,
        next: gathering.next(is_full),
    };
    if rows.is_empty() {
        return Ok(page);
    }
    let connection = match connection {
        Some(connection) => connection,
        none => none.insert(servers.primary().connector().open(Use::Write)?),
    };
    let (clock, map) = layout::lock(connection)?;
    if map != view.layout().version {
        return Err(Error::Conflict { attempts: 1 });
    }
    let written = written_since(connection, view.version, clock)?;
    // What was written since has gone to both servers by itself.
    rows.retain(|(key, _)| !written.contains(key));
    let mut split = Split::default();
    rows.iter()
        .for_each(|(key, value)| split.add(to, (key, Some(value))));
    let place = Place {
        base: clock,
        version: clock + 1,
        id: rand::rng().random(),
    };
    for statements in Group::default().commit(place, &split) {
        connection.run(statements)?;
    }
    servers.wake(split.others());
    Ok(page)
}

/// The keys of rows that were written after a version. Conflicts when that is not known any more.
fn written_since(
    connection: &mut Connection,
    version: u64,
    clock: u64,
) -> Result<HashSet<Vec<u8>>> {
    let sql = format!(
        "SELECT version, IF(version = {version}, NULL, written) FROM firefly_commits WHERE version >= {version} \
         ORDER BY version LIMIT {MAX_BEHIND}"
    );
    let sets = connection.run(sql)?;
    let commits = sets.first().map_or(&[][..], Vec::as_slice);
    let at = |row| column::<u64>(row, 0);
    let ends = (
        commits.first().map(at).transpose()?,
        commits.last().map(at).transpose()?,
    );
    if ends != (Some(version), Some(clock)) {
        return Err(Error::Conflict { attempts: 1 });
    }
    let mut written = HashSet::new();
    for row in commits.iter().skip(1) {
        let list: Option<Vec<u8>> = column(row, 1)?;
        let keys = list.as_deref().and_then(read_written);
        let keys = keys.ok_or(Error::Conflict { attempts: 1 })?;
        let rows = keys.iter().filter(|(tag, _)| *tag == ROW);
        written.extend(rows.map(|(_, key)| key[1..].to_vec()));
    }
    Ok(written)
}

/// Removes the first rows of a range on one server.
fn remove_page(
    servers: &Servers,
    connection: &mut Connection,
    slot: u16,
    start: &[u8],
    end: &[u8],
) -> Result<Page, Failure> {
    let mut sql = "SELECT k FROM firefly_rows WHERE k >= ".to_owned();
    push_hex(&mut sql, start);
    sql.push_str(" AND k < ");
    push_hex(&mut sql, end);
    sql.push_str(&format!(" ORDER BY k LIMIT {REMOVED_AT_ONCE}"));
    let sets = connection.run(sql)?;
    let found = sets.first().map_or(&[][..], Vec::as_slice);
    let (mut delete, mut rows) = ("DELETE FROM firefly_rows WHERE k IN (".to_owned(), 0);
    let mut gathering = Gathering {
        slot,
        end,
        next: None,
    };
    let mut is_full = found.len() == REMOVED_AT_ONCE;
    for row in found {
        let key: Vec<u8> = column(row, 0)?;
        if !gathering.takes(servers, &key) {
            is_full = true;
            break;
        }
        if rows > 0 {
            delete.push(',');
        }
        push_hex(&mut delete, &key);
        rows += 1;
    }
    if rows > 0 {
        delete.push(')');
        connection.run(delete)?;
    }
    Ok(Page {
        rows,
        bytes: 0,
        next: gathering.next(is_full),
    })
}

/// Tries again what conflicts or fails in a way that passes.
fn patiently<T>(step: &mut dyn FnMut() -> Result<T>) -> Result<T> {
    let until = Instant::now() + PATIENCE;
    loop {
        match step() {
            Err(Error::Conflict { .. }) if Instant::now() < until => {}
            Err(Error::Unavailable(reason)) if Instant::now() < until => {
                tracing::warn!(reason, "a step of a move is tried again");
                std::thread::sleep(Duration::from_millis(200));
            }
            done => return done,
        }
    }
}
