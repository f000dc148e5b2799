//! Backups that the server takes of itself.

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};
use storage::backup::{self, Depot, KeysIncluded, Passphrase, Point, WithKeys};

use super::Operations;
use super::storage_targets::said;

/// Where to, and whether the keys go with it.
#[derive(Deserialize)]
pub(super) struct Start {
    destination: String,
    #[serde(default)]
    with_keys: bool,
    passphrase: Option<String>,
}

impl Operations {
    /// Starts a backup; `{"task": number}`.
    pub(super) fn start_backup(&self, wanted: Start) -> Result<Value> {
        let with = match (wanted.with_keys, &wanted.passphrase) {
            (false, _) => WithKeys::No,
            (true, None) => WithKeys::Plain,
            (true, Some(text)) => WithKeys::Sealed(Passphrase::new(text).map_err(said)?),
        };
        let node = self.node.clone();
        self.tasks.start("backup", move |ticket| {
            let depot = Depot::open(&wanted.destination)?;
            let source = backup::Source {
                store: &*node.store,
                blocks: &node.blocks,
                keys: &node.keys,
                clock: &*node.meta.env().clock,
            };
            let point = backup::take(&source, &depot, &with, &mut |progress| {
                ticket.tell(json!(progress))
            })?;
            tracing::info!(
                point = point.name,
                place = depot.url(),
                lost = point.lost.len(),
                "backup taken"
            );
            Ok(summary(&point))
        })
    }
}

/// A point, for whoever asks.
pub fn summary(point: &Point) -> Value {
    let keys = match point.keys {
        KeysIncluded::No => "no",
        KeysIncluded::Plain => "plain",
        KeysIncluded::Sealed => "sealed",
    };
    json!({
        "point": point.name,
        "at": crate::moment::text(point.at_ms),
        "rows": point.row_count,
        "block_bytes": point.block_bytes(),
        "new_bytes": point.new_bytes,
        "keys": keys,
        "key_versions": point.key_versions,
        "lost": point.lost.iter().map(|lost| &lost.block).collect::<Vec<_>>(),
        "release": point.release,
    })
}
