//! What an operator does with the servers of a store: add one, move slots, remove one, look.

use super::MySqlStore;
use super::applier::waiting;
use super::committer::{Tip, tip};
use super::connection::{Connector, Use};
use super::group::push_hex;
use super::layout::{self, Layout, PRIMARY, Stage};
use super::moving::{Mover, Moving, Tell};
use super::schema::prepare_other;
use crate::error::{Error, Result};

/// A server that is not the primary, as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its number.
    pub id: u32,
    /// Its address.
    pub url: String,
    /// Slots that are read there.
    pub slots: usize,
    /// Slots that are being copied to it.
    pub arriving: usize,
    /// Slots of which it has rows that are to be removed.
    pub leaving: usize,
    /// Bytes that it has yet to write, and of what it has written in the last seconds.
    pub waiting_bytes: u64,
    /// Why it cannot be used, or is not written to, if so.
    pub away: Option<String>,
}

impl MySqlStore {
    /// Takes a database without rows as another server; returns its number. Nothing moves there by itself.
    pub fn add_database(&self, url: &str) -> Result<u32> {
        let primary = self.servers.primary().connector().clone();
        let connector = self.servers.connector(url)?;
        let known = layout::present(&primary)?;
        let id = free(&known, url)?;
        if connector.max_statement() < primary.max_statement() {
            return Err(Error::Engine(format!(
                "the max_allowed_packet of {url} is below the primary's, so that large rows would not go there: raise it"
            )));
        }
        // What was decided before it came is not for it.
        prepare_other(&connector, self.servers.name()?, id, &newest(&primary)?)?;
        layout::change(&primary, &mut |layout| {
            if free(layout, url)? != id {
                return Err(Error::Engine(
                    "another database server was added at the same time; do it again".into(),
                ));
            }
            let mut sql = format!("INSERT INTO firefly_servers VALUES ({id}, ");
            push_hex(&mut sql, url.as_bytes());
            Ok(vec![sql + ", 0, 0)"])
        })?;
        self.servers.learn(layout::present(&primary)?);
        Ok(id)
    }

    /// Takes a server off the list from which everything was moved.
    pub fn remove_database(&self, id: u32) -> Result<()> {
        let primary = self.servers.primary().connector();
        layout::change(primary, &mut |layout| {
            if !layout.servers.contains_key(&id) {
                return Err(Error::Engine(format!("there is no database server {id}")));
            }
            let has_rows = |(at, other): (u32, Option<u32>)| at == id || other == Some(id);
            let slots = layout.slots.values();
            let mut slots = slots.map(|lies| (lies.server, lies.other.map(|(other, _)| other)));
            if slots.any(has_rows) {
                return Err(Error::Engine(format!(
                    "database server {id} still has rows: drain it first"
                )));
            }
            Ok(vec![
                format!("DELETE FROM firefly_servers WHERE id = {id}"),
                format!("DELETE FROM firefly_intents WHERE server = {id}"),
            ])
        })?;
        self.servers.learn(layout::present(primary)?);
        Ok(())
    }

    /// Moves slots to a server, 0 being the primary, while they are read and written. Interrupted, the same call goes on.
    pub fn move_slots(&self, slots: &[u16], to: u32, tell: Tell<'_>) -> Result<Moving> {
        Mover::new(&self.servers, tell).run(slots, to)
    }

    /// The slots that have rows on a server that is not the primary.
    pub fn slots_on(&self, id: u32) -> Result<Vec<u16>> {
        let layout = layout::present(self.servers.primary().connector())?;
        if !layout.servers.contains_key(&id) {
            return Err(Error::Engine(format!("there is no database server {id}")));
        }
        let slots = layout.slots.iter();
        let slots = slots.filter(|(_, lies)| {
            lies.server == id || lies.other.is_some_and(|(other, _)| other == id)
        });
        Ok(slots.map(|(slot, _)| *slot).collect())
    }

    /// The servers beside the primary, asked now.
    pub fn databases(&self) -> Result<Vec<Database>> {
        let primary = self.servers.primary().connector();
        let layout = layout::present(primary)?;
        if layout.servers.is_empty() {
            return Ok(Vec::new());
        }
        let layout = self.servers.learn(layout);
        let mut connection = primary.open(Use::Read)?;
        let servers = layout.servers.iter().map(|(id, url)| {
            let slots = layout.slots.values();
            let with = |stage| {
                let slots = slots
                    .clone()
                    .filter(move |lies| lies.other == Some((*id, stage)));
                slots.count()
            };
            Ok(Database {
                id: *id,
                url: url.clone(),
                slots: slots.clone().filter(|lies| lies.server == *id).count(),
                arriving: with(Stage::Copying),
                leaving: with(Stage::Clearing),
                waiting_bytes: waiting(*id, &mut connection)?.bytes,
                away: self.why_away(*id)?,
            })
        });
        servers.collect()
    }

    /// Servers that have rows and are not there, as this process last saw them: what `/readyz` says.
    pub fn away_databases(&self) -> Vec<u32> {
        let layout = self.servers.layout();
        let servers = layout
            .in_use
            .iter()
            .filter_map(|id| self.servers.server(*id).ok());
        let away = servers.filter_map(|server| server.trouble().map(|_| server.id));
        away.collect()
    }

    fn why_away(&self, id: u32) -> Result<Option<String>> {
        let server = self.servers.server(id)?;
        let asked = self.servers.pool(&server).and_then(|pool| {
            pool.read(|connection| {
                connection.run("SELECT position FROM firefly_applied WHERE id = 1".into())
            })
        });
        Ok(server
            .trouble()
            .or(asked.err().map(|error| error.to_string())))
    }
}

/// The newest commit.
fn newest(primary: &Connector) -> Result<Tip> {
    let sql = "SELECT version, batch FROM firefly_clock WHERE id = 1".to_owned();
    let sets = primary.open(Use::Read)?.run(sql)?;
    Ok(tip(sets.first().and_then(|rows| rows.first()))?)
}

/// The number of the next server, whose address is not on the list yet.
fn free(layout: &Layout, url: &str) -> Result<u32> {
    if let Some((id, _)) = layout.servers.iter().find(|(_, known)| *known == url) {
        return Err(Error::Engine(format!(
            "{url} is database server {id} already"
        )));
    }
    Ok(layout
        .servers
        .keys()
        .next_back()
        .map_or(PRIMARY, |last| *last)
        + 1)
}
