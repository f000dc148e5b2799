//! The one writer of one index: bounded memory, one commit at a time with its payload.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use storage::meta::FileId;
use tantivy::index::SegmentId;
use tantivy::indexer::{IndexWriterOptions, UserOperation};
use tantivy::schema::Field;
use tantivy::schema::document::CompactDocValue;
use tantivy::{Document, FutureResult, Index, IndexWriter, SegmentMeta, TantivyDocument};

use crate::error::{self, Error, Result};
use crate::merge::Layers;
use crate::payload::Payload;
use crate::schema::Fields;
use crate::term;

/// Bytes of text that wait for the indexing thread, at most (one bigger document goes alone).
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// How long a document may wait for room before the writer counts as dead.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Writes one index. Never dropped between commits: that would kill its merges.
pub struct Writer {
    shard: u16,
    fields: Fields,
    writer: IndexWriter<Weighed>,
    gate: Arc<Gate>,
    /// What was added under each folder since the last commit, which no searcher shows yet.
    added: HashMap<FileId, Vec<FileId>>,
    /// Files that were put or removed since the last commit.
    touched: HashSet<FileId>,
    dirty: bool,
}

impl Writer {
    /// A writer of `index` that flushes a segment at `memory_bytes`.
    pub fn open(shard: u16, index: &Index, fields: Fields, memory_bytes: usize) -> Result<Self> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(memory_bytes)
            .build();
        let writer = index
            .writer_with_options(options)
            .map_err(error::index(shard))?;
        writer.set_merge_policy(Box::new(Layers));
        Ok(Writer {
            shard,
            fields,
            writer,
            gate: Arc::default(),
            added: HashMap::new(),
            touched: HashSet::new(),
            dirty: false,
        })
    }

    /// Makes `documents` the only ones of `file` from the next commit on: they stand side by side in one segment, in this order.
    pub fn put(
        &mut self,
        file: FileId,
        parent: FileId,
        documents: Vec<TantivyDocument>,
        bytes: usize,
    ) -> Result<()> {
        self.remove(file);
        let permit = self
            .gate
            .enter(bytes.min(MAX_WAITING_BYTES))
            .ok_or_else(|| self.stuck())?;
        let permit = Arc::new(permit);
        let weighed = documents.into_iter().map(|document| {
            UserOperation::Add(Weighed {
                document,
                _permit: permit.clone(),
            })
        });
        let added = self.writer.run(weighed);
        added.map_err(error::index(self.shard))?;
        self.added.entry(parent).or_default().push(file);
        Ok(())
    }

    /// Leaves no document of `file` from the next commit on.
    pub fn remove(&mut self, file: FileId) {
        self.writer.delete_term(term::file(&self.fields, file));
        self.touched.insert(file);
        self.dirty = true;
    }

    /// True when the last commit does not show what this writer has of `file`.
    pub fn has_touched(&self, file: FileId) -> bool {
        self.touched.contains(&file)
    }

    /// What was put under `folder` since the last commit.
    pub fn added_below(&self, folder: FileId) -> &[FileId] {
        self.added.get(&folder).map_or(&[], Vec::as_slice)
    }

    /// True when there is something to commit.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Makes everything so far durable, together with the payload. // I4
    pub fn commit(&mut self, payload: &Payload) -> Result<()> {
        let mut prepared = self
            .writer
            .prepare_commit()
            .map_err(error::index(self.shard))?;
        prepared.set_payload(&payload.encode());
        prepared.commit().map_err(error::index(self.shard))?;
        self.added.clear();
        self.touched.clear();
        self.dirty = false;
        Ok(())
    }

    /// Begins to merge segments of the last commit.
    pub fn merge(&mut self, segments: &[SegmentId]) -> FutureResult<Option<SegmentMeta>> {
        self.writer.merge(segments)
    }

    /// Ends the writer after its merges.
    pub fn close(self) -> Result<()> {
        self.writer
            .wait_merging_threads()
            .map_err(error::index(self.shard))
    }

    fn stuck(&self) -> Error {
        let source = tantivy::TantivyError::ErrorInThread(
            "the indexing thread takes no documents".to_owned(),
        );
        Error::Index {
            shard: self.shard,
            source,
        }
    }
}

/// A document that counts, with those of the same file, against the gate until the indexing thread takes it up.
struct Weighed {
    document: TantivyDocument,
    _permit: Arc<Permit>,
}

impl Document for Weighed {
    type Value<'a> = CompactDocValue<'a>;
    type FieldsValuesIter<'a> = Box<dyn Iterator<Item = (Field, CompactDocValue<'a>)> + 'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        Box::new(self.document.field_values())
    }

    fn into_tantivy_document(self) -> TantivyDocument {
        self.document
    }
}

/// Bounds the bytes between the owner and the indexing thread.
#[derive(Default)]
struct Gate {
    waiting: Mutex<usize>,
    left: Condvar,
}

impl Gate {
    /// Waits for room; `None` when nothing moved for too long.
    fn enter(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > MAX_WAITING_BYTES;
        let waited = self.left.wait_timeout_while(waiting, MAX_WAIT, full);
        let (mut waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return None;
        }
        *waiting += bytes;
        Some(Permit {
            gate: self.clone(),
            bytes,
        })
    }
}

struct Permit {
    gate: Arc<Gate>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut waiting = self
            .gate
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *waiting -= self.bytes;
        self.gate.left.notify_all();
    }
}
