//! What of all files is not searchable, by counts: administrators see no names here; and reading such files once more.

use std::sync::Arc;

use anyhow::{Result, bail};
use indexer::document::OUTCOMES;
use indexer::{Indexer, Shard, Tenure};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::extraction::Extractions;
use storage::meta::FileId;

/// Files that one call has read again.
const MAX_RETRIED: usize = 100_000;

/// Which files.
#[derive(Deserialize)]
pub struct Retry {
    reason: String,
}

/// Has what is being built anew rest, or go on: `{"shards"}`, how many there are.
pub fn pause(indexer: &Indexer, is_paused: bool) -> Result<Value> {
    let shards = indexer.pause_rebuild(is_paused)?;
    Ok(json!({ "shards": shards, "paused": is_paused && shards > 0 }))
}

/// How many files there are for each way in which their extraction ended, as the index has them.
pub fn reasons(indexer: &Indexer) -> Result<Value> {
    let mut counts = [0_u64; OUTCOMES.len()];
    for shard in firsts(indexer) {
        shard.outcomes(&mut |_, outcome| {
            if let Some(count) = counts.get_mut(outcome as usize) {
                *count += 1;
            }
        })?;
    }
    let counted = OUTCOMES.iter().zip(counts).filter(|(_, files)| *files > 0);
    let counted = counted.map(|(reason, files)| json!({ "reason": reason, "files": files }));
    Ok(json!({ "reasons": counted.collect::<Vec<_>>() }))
}

/// The shards whose files this process counts: of several replicas only the first.
fn firsts(indexer: &Indexer) -> impl Iterator<Item = Arc<Shard>> {
    let held = indexer.held().into_iter();
    let first = |tenure: &Option<Tenure>| tenure.as_ref().is_none_or(|own| own.replica() == 0);
    held.filter_map(move |(shard, tenure)| first(&tenure).then_some(shard))
}

/// Has the files read again whose extraction ended in one way.
pub fn retry(indexer: &Indexer, extractions: &Extractions, wanted: Retry) -> Result<Value> {
    let Some(code) = OUTCOMES.iter().position(|known| *known == wanted.reason) else {
        bail!("{} is none of {}", wanted.reason, OUTCOMES.join(", "));
    };
    let mut files: Vec<FileId> = Vec::new();
    for shard in firsts(indexer) {
        shard.outcomes(&mut |file, outcome| {
            if outcome == code as u64 && files.len() < MAX_RETRIED {
                files.push(file);
            }
        })?;
    }
    let mut queued = 0;
    for file in files {
        queued += u64::from(extractions.retry(file)?);
    }
    Ok(json!({ "files": queued }))
}
