//! The database servers of the metadata: which there are, and what lies where.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::kv::mysql::{Moving, MySqlStore};
use storage::meta::{NamespaceId, keys};
use storage::slots::{self, SLOTS};

use super::Operations;
use super::storage_targets::said;

/// The number of the server that everything is on at first.
const PRIMARY: u32 = 0;

/// An address to add.
#[derive(Deserialize)]
pub(super) struct Add {
    url: String,
}

/// Namespaces, or slots from the first up to the second, and where they go.
#[derive(Deserialize)]
pub(super) struct Move {
    #[serde(default)]
    namespaces: Vec<String>,
    slots: Option<(u16, u16)>,
    to: u32,
}

/// A server's number.
#[derive(Deserialize)]
pub(super) struct Which {
    server: u32,
}

impl Operations {
    pub(super) fn database_status(&self) -> Result<Value> {
        self.database()?;
        Ok(json!({"primary": self.node.metadata, "slots": SLOTS, "servers": self.databases()?}))
    }

    /// The servers beside the primary.
    pub(super) fn databases(&self) -> Result<Vec<Value>> {
        let Some(database) = &self.node.database else {
            return Ok(Vec::new());
        };
        let servers = database.databases()?;
        let servers = servers.into_iter().map(|server| {
            json!({
                "id": server.id,
                "url": server.url,
                "slots": server.slots,
                "arriving": server.arriving,
                "leaving": server.leaving,
                "waiting_bytes": server.waiting_bytes,
                "away": server.away,
            })
        });
        Ok(servers.collect())
    }

    /// The numbers of servers with rows that are away, as far as this process has noticed.
    pub(super) fn away_databases(&self) -> Vec<String> {
        let database = self.node.database.iter();
        let away = database.flat_map(|database| database.away_databases());
        away.map(|id| format!("database server {id}")).collect()
    }

    pub(super) fn add_database(&self, wanted: Add) -> Result<Value> {
        let id = self.database()?.add_database(&wanted.url).map_err(said)?;
        Ok(json!({"server": id}))
    }

    pub(super) fn move_namespaces(&self, wanted: Move) -> Result<Value> {
        let database = self.database()?.clone();
        let mut moved = Vec::new();
        for namespace in &wanted.namespaces {
            moved.extend(self.slots_of(namespace)?);
        }
        if let Some((first, last)) = wanted.slots {
            if first > last || last >= SLOTS {
                bail!("slots are numbered from 0 to {}", SLOTS - 1);
            }
            moved.extend(first..=last);
        }
        moved.sort_unstable();
        moved.dedup();
        self.tasks.start("database move", move |ticket| {
            let mut tell = |moving: &Moving| ticket.tell(progress(moving));
            let moving = database
                .move_slots(&moved, wanted.to, &mut tell)
                .map_err(said)?;
            Ok(progress(&moving))
        })
    }

    pub(super) fn drain_database(&self, which: Which) -> Result<Value> {
        let database = self.database()?.clone();
        database.slots_on(which.server).map_err(said)?;
        self.tasks.start("database move", move |ticket| {
            let mut tell = |moving: &Moving| ticket.tell(progress(moving));
            let slots = database.slots_on(which.server).map_err(said)?;
            let moving = database
                .move_slots(&slots, PRIMARY, &mut tell)
                .map_err(said)?;
            database.remove_database(which.server).map_err(said)?;
            Ok(progress(&moving))
        })
    }

    /// Where a namespace's journal is, and where its files are.
    fn slots_of(&self, namespace: &str) -> Result<[u16; 2]> {
        let ns = NamespaceId::parse(namespace);
        let ns = ns.with_context(|| format!("{namespace} is no namespace's number"))?;
        let snapshot = self.node.store.snapshot()?;
        let row = keys::get_namespace(&*snapshot, ns)?;
        let row = row.with_context(|| format!("there is no namespace {namespace}"))?;
        Ok([slots::of_namespace(ns), slots::of_file(row.root)])
    }

    fn database(&self) -> Result<&Arc<MySqlStore>> {
        let database = self.node.database.as_ref();
        database.context("metadata is embedded: several servers go with metadata = \"mysql://…\"")
    }
}

fn progress(moving: &Moving) -> Value {
    json!({
        "slots": moving.slots,
        "copied_slots": moving.copied_slots,
        "rows": moving.rows,
        "bytes": moving.bytes,
        "removed": moving.removed,
    })
}
