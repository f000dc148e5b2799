//! Snapshots of shards among objects: published beside the work, file by file as far as they are new, and begun from where a
//! process has no index of its own, or an older one.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use storage::journal::Partition;
use storage::kv::Store;
use storage::lease::Held;
use storage::object::BlockingObjects;
use storage::snapshot::{Snapshot, Snapshots};
use tantivy::Index;
use tantivy::index::SegmentComponent;

use crate::error::{self, Error, Result};
use crate::generation::Generations;
use crate::payload::{self, Payload};
use crate::tenure::Tenure;

/// Between two snapshots of a shard.
const PERIOD: Duration = Duration::from_secs(30);
/// Bytes that are carried at a time.
const PIECE_BYTES: usize = 8 << 20;
/// What segments are made of, beside what was deleted.
const COMPONENTS: [SegmentComponent; 6] = [
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Terms,
    SegmentComponent::Store,
];
/// Where the engine names what an index is made of, and which files are its own.
const META: &str = "meta.json";
const MANAGED: &str = ".managed.json";

/// Where snapshots are. Cheap to clone.
#[derive(Clone)]
pub struct Place {
    objects: BlockingObjects,
    rows: Snapshots,
}

/// The publishing of one shard.
pub struct Publishing {
    place: Place,
    shard: u16,
    tenure: Tenure,
    last: Instant,
    published: Vec<u64>,
    is_running: Arc<AtomicBool>,
}

impl Place {
    /// Objects at `url`, rows in `store`.
    pub fn open(url: &str, store: Arc<dyn Store>) -> Result<Self> {
        Ok(Place {
            objects: BlockingObjects::open(url)?,
            rows: Snapshots::new(store),
        })
    }

    /// Begins a generation from the shard's snapshot, if there is one that has read further than `own` of this process's.
    pub fn restore(
        &self,
        generations: &Generations,
        shard: u16,
        shards: u16,
        own: Option<&Payload>,
    ) -> Result<bool> {
        let Some(snapshot) = self
            .rows
            .get(shard)?
            .filter(|snapshot| snapshot.shards == shards)
        else {
            return Ok(false);
        };
        let read = |checkpoint: &[u64]| checkpoint.iter().copied().map(u128::from).sum::<u128>();
        if own.is_some_and(|own| {
            own.is_complete() && read(&own.checkpoint) >= read(&snapshot.checkpoint)
        }) {
            return Ok(false);
        }
        let begun = Instant::now();
        generations.fill(|folder| self.fetch(shard, &snapshot, folder))?;
        let bytes = snapshot
            .files
            .iter()
            .fold(0, |sum: u64, (_, length)| sum.saturating_add(*length));
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(
            shard,
            epoch = snapshot.epoch,
            bytes,
            took_ms,
            "the index begins from a snapshot"
        );
        Ok(true)
    }

    fn fetch(&self, shard: u16, snapshot: &Snapshot, folder: &Path) -> Result<()> {
        for (file, length) in &snapshot.files {
            let name = object(shard, file);
            let path = folder.join(file);
            let io = |error| error::io(format!("writing {}", path.display()))(error);
            let mut into = File::create(&path).map_err(io)?;
            let mut at = 0;
            while at < *length {
                let piece = self.objects.get_range(&name, at..at + PIECE_BYTES as u64)?;
                let piece = piece.filter(|piece| !piece.is_empty());
                let piece = piece.ok_or_else(|| missing(&name))?;
                into.write_all(&piece).map_err(io)?;
                at += piece.len() as u64;
            }
            into.sync_all().map_err(io)?;
        }
        let files = snapshot.files.iter().map(|(file, _)| file.as_str());
        let managed: Vec<&str> = files.chain([META]).collect();
        let managed = serde_json::json!(managed).to_string();
        for (file, text) in [(MANAGED, &managed), (META, &snapshot.meta)] {
            let path = folder.join(file);
            fs::write(&path, text).map_err(error::io(format!("writing {}", path.display())))?;
        }
        Ok(())
    }

    /// Publishes the index's last commit. What it shares with the snapshot before is there already.
    fn publish(&self, shard: u16, held: &Held, index: &Index, folder: &Path) -> Result<u64> {
        // Holding on to these keeps the engine from removing their files.
        let metas = index.load_metas().map_err(error::index(shard))?;
        let payload = metas.payload.as_deref().and_then(Payload::decode);
        let Some(payload) = payload.filter(Payload::is_complete) else {
            return Ok(0);
        };
        let before = self.rows.get(shard)?;
        let known = before.as_ref().map_or(&[][..], |before| &before.files);
        let (mut files, mut sent) = (Vec::new(), 0);
        let components = metas.segments.iter().flat_map(|segment| {
            let deletes = segment.has_deletes().then_some(SegmentComponent::Delete);
            let all = COMPONENTS.into_iter().chain(deletes);
            all.map(|component| segment.relative_path(component))
        });
        for file in components {
            let path = folder.join(&file);
            let Ok(found) = fs::metadata(&path) else {
                continue;
            };
            let entry = (file.display().to_string(), found.len());
            if !known.contains(&entry) {
                self.send(&object(shard, &entry.0), &path)?;
                sent += entry.1;
            }
            files.push(entry);
        }
        let snapshot = Snapshot {
            shards: payload.shards,
            epoch: held.epoch,
            checkpoint: payload.checkpoint,
            meta: serde_json::json!(metas).to_string(),
            files,
        };
        self.rows.put(held, shard, &snapshot)?;
        for (file, _) in known.iter().filter(|known| !snapshot.files.contains(known)) {
            self.objects.delete(&object(shard, file))?;
        }
        Ok(sent)
    }

    fn send(&self, name: &str, path: &Path) -> Result<()> {
        let io = |error| error::io(format!("reading {}", path.display()))(error);
        let mut from = File::open(path).map_err(io)?;
        let mut upload = self.objects.upload(name)?;
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            let read = from.read(&mut piece).map_err(io)?;
            if read == 0 {
                return Ok(upload.finish()?);
            }
            upload.write(&piece[..read])?;
        }
    }
}

impl Publishing {
    /// Publishes a shard, while its first replica is held here.
    pub fn new(place: Place, shard: u16, tenure: Tenure) -> Self {
        Publishing {
            place,
            shard,
            tenure,
            last: Instant::now(),
            published: Vec::new(),
            is_running: Arc::default(),
        }
    }

    /// Publishes the last commit beside the work, if it is time and it says something new.
    pub fn look(&mut self, index: &Index, folder: &Path, checkpoint: &[u64]) {
        let is_due = self.last.elapsed() >= PERIOD && checkpoint != self.published;
        let Some(held) = self.tenure.publisher().filter(|_| is_due) else {
            return;
        };
        if self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        (self.last, self.published) = (Instant::now(), checkpoint.to_vec());
        let (place, shard) = (self.place.clone(), self.shard);
        let (index, folder, is_running) =
            (index.clone(), folder.to_owned(), self.is_running.clone());
        let spawned = std::thread::Builder::new()
            .name(format!("publish-{shard:02}"))
            .spawn(move || {
                say(shard, place.publish(shard, &held, &index, &folder));
                is_running.store(false, Ordering::Release);
            });
        if let Err(error) = spawned {
            tracing::warn!(shard, %error, "a snapshot is not published");
            self.is_running.store(false, Ordering::Release);
        }
    }

    /// Publishes the last commit now: whoever holds the shard next goes on from there.
    pub fn end(&self, index: &Index, folder: &Path, checkpoint: &[u64]) {
        let is_new = checkpoint != self.published && !self.is_running.load(Ordering::Acquire);
        if let Some(held) = self.tenure.publisher().filter(|_| is_new) {
            let published = self.place.publish(self.shard, &held, index, folder);
            say(self.shard, published);
        }
    }
}

/// Per partition of the shards that have a snapshot, the sequence below which its log is not needed to go on from it.
pub fn needed(rows: &Snapshots) -> storage::Result<Vec<(Partition, u64)>> {
    let all = rows.all()?.into_iter();
    let needed = all.flat_map(|(shard, row)| payload::owned(shard, row.shards).zip(row.checkpoint));
    Ok(needed.collect())
}

fn say(shard: u16, published: Result<u64>) {
    match published {
        Ok(bytes) => tracing::debug!(shard, bytes, "a snapshot is published"),
        Err(error) => tracing::warn!(shard, %error, "a snapshot is not published; tried again"),
    }
}

fn object(shard: u16, file: &str) -> String {
    format!("shard-{shard:04}/{file}")
}

fn missing(name: &str) -> Error {
    storage::Error::Corrupt {
        what: format!("snapshot object {name}"),
        detail: "it is not there, or cut".into(),
    }
    .into()
}
