//! How all of it is, at one look: what runs here, where things lie, what waits, and whose.

use std::collections::BTreeMap;

use anyhow::Result;
use indexer::status::IndexerStatus;
use serde::Serialize;
use serde_json::{Value, json};
use storage::block::EventKind;
use storage::journal::{LogEntry, Partition};
use storage::meta::{NamespaceId, NodeKind, Reader};

use super::Operations;
use crate::cluster::role::Role;

/// Log entries behind the index that are looked at, one by one; of more it is told that there are more.
const MAX_ENTRIES: usize = 20_000;
/// Jobs of extraction that are counted.
const MAX_JOBS: usize = 100_000;
/// The latest events of blocks that are looked at.
const MAX_EVENTS: usize = 2_000;
/// Files that are looked up for one damaged block.
const MAX_FILES: usize = 20;
/// Namespaces that are named: those that are worst off.
const MAX_NAMESPACES: usize = 10;
/// Folders above a file that are walked through.
const MAX_DEPTH: usize = 300;

/// What is wrong in one namespace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
struct Trouble {
    /// Changes that are not in the index yet.
    unindexed: u64,
    /// Damaged or missing copies of blocks of its files that nobody has repaired.
    bad_copies: u64,
}

/// What waits for the index.
#[derive(Debug, Default)]
struct Behind {
    oldest_ms: Option<i64>,
    by_namespace: BTreeMap<NamespaceId, u64>,
    /// False when there were more than are looked at.
    is_complete: bool,
}

impl Operations {
    /// Everything, for `firefly status`.
    pub(super) fn status(&self) -> Result<Value> {
        let behind = self.behind()?;
        let now_ms = self.node.meta.env().clock.now_ms();
        let waiting: u64 = self
            .node
            .extractions
            .depth(MAX_JOBS)?
            .iter()
            .map(|(_, jobs)| jobs)
            .sum();
        let (namespaces, others) = self.troubled(&behind)?;
        let running = self.running.get();
        // Of an index of which nobody holds a part the cluster's leases tell.
        let index = running.and_then(|_| self.index_status().ok());
        let bus = running.and_then(|running| running.bus.as_deref());
        let broker = bus.map(super::queue::status).transpose()?;
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "roles": self.roles(),
            "cluster": running.and_then(|running| running.member.as_ref()).map(|member| member.describe()).transpose()?,
            "metadata": self.node.metadata,
            "databases": self.databases()?,
            "storage": self.node.blocks.storage_status()?,
            "index": index.as_ref().map(|index| json!({
                "unindexed": match behind.is_complete {
                    true => behind.by_namespace.values().sum(),
                    false => index.lag(),
                },
                "oldest_unindexed_s": behind.oldest_ms.map(|at_ms| (now_ms - at_ms).max(0) / 1000),
                "oldest_is_exact": behind.is_complete,
                "follows": index.is_healthy(),
                "shards": index.shards.iter().filter(|shard| shard.replica == 0).count(),
                "documents": index.shards.iter().filter(|shard| shard.replica == 0).map(|shard| shard.documents).sum::<u64>(),
                "extracting": index.extracting,
                "extracted": index.extracted,
            })),
            "waiting_for_extraction": waiting,
            "broker": broker,
            "namespaces": namespaces,
            "other_namespaces": others,
        }))
    }

    /// The same in Prometheus's text form. Of namespaces only the worst are named, so that the number of lines is bounded.
    pub(super) fn metrics(&self) -> Result<Value> {
        let status = self.status()?;
        let mut text = String::new();
        let mut line = |name: &str, labels: &str, value: &Value| {
            if let Some(value) = value.as_f64().or(value.as_bool().map(f64::from)) {
                text.push_str(&format!("firefly_{name}{labels} {value}\n"));
            }
        };
        let index = &status["index"];
        line("index_unindexed_changes", "", &index["unindexed"]);
        line(
            "index_oldest_unindexed_seconds",
            "",
            &index["oldest_unindexed_s"],
        );
        line("index_follows", "", &index["follows"]);
        line("extraction_waiting", "", &status["waiting_for_extraction"]);
        line(
            "storage_short_extents",
            "",
            &status["storage"]["short_extents"],
        );
        for target in status["storage"]["targets"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let labels = format!("{{target={}}}", quoted(&target["name"]));
            line("target_online", &labels, &target["online"]);
        }
        for server in status["databases"].as_array().into_iter().flatten() {
            let labels = format!("{{server=\"{}\"}}", server["id"]);
            line("database_online", &labels, &json!(server["away"].is_null()));
            line("database_waiting_bytes", &labels, &server["waiting_bytes"]);
        }
        for queue in status["broker"]["queues"].as_array().into_iter().flatten() {
            let labels = format!("{{queue={}}}", quoted(&queue["queue"]));
            line("queue_messages", &labels, &queue["messages"]);
        }
        for named in status["namespaces"].as_array().into_iter().flatten() {
            let labels = format!("{{namespace={}}}", quoted(&named["namespace"]));
            line("namespace_unindexed_changes", &labels, &named["unindexed"]);
            line("namespace_bad_copies", &labels, &named["bad_copies"]);
        }
        Ok(json!({ "text": text }))
    }

    /// How the index is, wherever it is.
    fn index_status(&self) -> Result<IndexerStatus> {
        let status = self.of_index("index/status", Value::Null)?;
        Ok(serde_json::from_value(status)?)
    }

    /// What this process does. Without a server it is nothing: a command looks at what lies there.
    fn roles(&self) -> Vec<&'static str> {
        let Some(running) = self.running.get() else {
            return Vec::new();
        };
        if let Some(member) = &running.member {
            return Role::ALL
                .into_iter()
                .filter(|role| member.roles.has(*role))
                .map(Role::name)
                .collect();
        }
        let mut roles = vec!["web", "extract", "shard", "notify", "blocks"];
        roles.extend(running.bus.is_some().then_some("relay"));
        roles
    }

    /// What the logs have behind the index's last commits.
    fn behind(&self) -> Result<Behind> {
        let mut behind = Behind {
            is_complete: true,
            ..Behind::default()
        };
        let running = self.running.get();
        let Some(indexer) = running.and_then(|running| running.indexer.as_ref()) else {
            behind.is_complete = running.is_none();
            return Ok(behind);
        };
        let checkpoints = indexer.checkpoints();
        let partitions: Vec<Partition> = checkpoints
            .iter()
            .map(|(partition, _)| *partition)
            .collect();
        let heads = self.node.journal.partition_heads(&partitions)?;
        let mut left = MAX_ENTRIES;
        for ((partition, through), head) in checkpoints.into_iter().zip(heads) {
            if head <= through {
                continue;
            }
            let entries = self
                .node
                .journal
                .partition_entries(partition, through, left)?;
            left -= entries.len();
            behind.is_complete &= (entries.len() as u64) >= head - through;
            if let Some(first) = entries.first() {
                let moment = unless_away(self.node.journal.moment(first))?;
                behind.is_complete &= moment.is_some();
                let at_ms = moment.flatten();
                behind.oldest_ms = [behind.oldest_ms, at_ms].into_iter().flatten().min();
            }
            for LogEntry { ns, .. } in entries {
                *behind.by_namespace.entry(ns).or_default() += 1;
            }
        }
        Ok(behind)
    }

    /// The namespaces that are worst off, and how many others are behind, too.
    fn troubled(&self, behind: &Behind) -> Result<(Vec<Value>, usize)> {
        let mut troubles: BTreeMap<NamespaceId, Trouble> = BTreeMap::new();
        for (ns, unindexed) in &behind.by_namespace {
            troubles.entry(*ns).or_default().unindexed = *unindexed;
        }
        let mut reader = self.node.meta.reader()?;
        for hash in self.bad_blocks()? {
            for file in self.node.blocks.files_of(&hash, MAX_FILES)? {
                if let Some(ns) = unless_away(namespace_of(&mut reader, file))?.flatten() {
                    troubles.entry(ns).or_default().bad_copies += 1;
                }
            }
        }
        let mut worst: Vec<(NamespaceId, Trouble)> = troubles.into_iter().collect();
        worst
            .sort_by_key(|(_, trouble)| std::cmp::Reverse((trouble.bad_copies, trouble.unindexed)));
        let others = worst.len().saturating_sub(MAX_NAMESPACES);
        let named = worst.into_iter().take(MAX_NAMESPACES).map(|(ns, trouble)| {
            json!({"namespace": ns.to_string(), "unindexed": trouble.unindexed, "bad_copies": trouble.bad_copies})
        });
        Ok((named.collect(), others))
    }

    /// Blocks of which a copy was found bad lately and not repaired since.
    fn bad_blocks(&self) -> Result<Vec<storage::chunk::BlockHash>> {
        let mut bad = BTreeMap::new();
        for event in self.node.blocks.latest_events(MAX_EVENTS)? {
            // The newest come first: what was said last holds.
            let is_lost = matches!(event.kind, EventKind::Lost { .. });
            bad.entry((event.hash.0, event.target)).or_insert(is_lost);
        }
        let mut hashes: Vec<_> = bad
            .into_iter()
            .filter(|(_, is_lost)| *is_lost)
            .map(|((hash, _), _)| storage::chunk::BlockHash(hash))
            .collect();
        hashes.dedup();
        Ok(hashes)
    }
}

/// What is found out; nothing where it lies on a database server that is away, of which the status tells by itself.
fn unless_away<T>(found: storage::Result<T>) -> Result<Option<T>> {
    match found {
        Err(error) if error.is_retryable() => Ok(None),
        found => Ok(Some(found?)),
    }
}

/// The namespace that a file is in, by the folders above it.
fn namespace_of(
    reader: &mut Reader<'_>,
    file: storage::meta::FileId,
) -> storage::Result<Option<NamespaceId>> {
    let mut at = Some(file);
    for _ in 0..MAX_DEPTH {
        let Some(id) = at else { break };
        let Some((node, _)) = reader.look(id)? else {
            break;
        };
        if let NodeKind::Root { ns } = node.kind {
            return Ok(Some(ns));
        }
        at = node.parent;
    }
    Ok(None)
}

/// A label's value.
fn quoted(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', " ");
    format!("\"{escaped}\"")
}
