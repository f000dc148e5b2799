//! How much of what an account can read is searchable.

use std::time::{Duration, Instant};

use indexer::ShardView;
use indexer::schema::FLAG_FOLDER;
use indexer::term::{Tag, Terms};
use storage::meta::{Actor, FileId, NamespaceId};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, TERMINATED};

use crate::engine::Engine;
use crate::error::Result;
use crate::scope;

/// What the count may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Files of an account by index state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// All files: those that are searchable and those that wait.
    pub files: u64,
    /// Files in the index as they are now, whose extraction has ended, whatever it gave.
    pub searchable: u64,
    /// Files whose text is not there yet, and files of which a change is not in the index yet.
    pub waiting: u64,
}

impl Engine {
    /// Counts over everything the account can read.
    pub fn coverage(&self, actor: Actor) -> Result<Coverage> {
        let view = self.sources().meta.view(actor.account)?;
        let namespaces = scope::namespaces(&view, actor.root)?;
        let deadline = Instant::now() + TIME_LIMIT;
        let mut coverage = Coverage::default();
        for shard in self.shards() {
            let mine: Vec<_> = namespaces
                .iter()
                .copied()
                .filter(|ns| shard.owns(*ns))
                .collect();
            let view = shard.view(&mine, deadline).filter(|view| view.complete);
            let Some(view) = view else {
                coverage.waiting += mine.len() as u64; // before its first scan is through a shard can say nothing
                continue;
            };
            for ns in mine {
                coverage.waiting += shard.waiting(ns);
                let is_coming = |file| shard.is_coming(FileId(file));
                count(&view, ns, &is_coming, &mut coverage)?;
            }
        }
        coverage.files = coverage.searchable + coverage.waiting;
        Ok(coverage)
    }
}

/// Counts the documents of files that are not about to come anew, which are counted as waiting already.
fn count(
    view: &ShardView,
    ns: NamespaceId,
    is_coming: &dyn Fn(u64) -> bool,
    coverage: &mut Coverage,
) -> Result<()> {
    let fields = &view.fields;
    let live = Terms::of(fields, ns).tag(Tag::Live);
    for segment in view.searcher.segment_readers() {
        let inverted = segment.inverted_index(live.field())?;
        let Some(mut postings) = inverted.read_postings(&live, IndexRecordOption::Basic)? else {
            continue;
        };
        if postings.doc_freq() == 0 {
            continue;
        }
        let column = |field| {
            segment
                .fast_fields()
                .u64(segment.schema().get_field_name(field))
        };
        let (flags, outcomes, files) = (
            column(fields.flags)?,
            column(fields.outcome)?,
            column(fields.file)?,
        );
        let mut doc = postings.doc();
        while doc != TERMINATED {
            let is_folder = flags.first(doc).unwrap_or(0) & FLAG_FOLDER != 0;
            let file = files.first(doc).unwrap_or(0);
            let gone = segment.is_deleted(doc) || view.exclusions.contains(file);
            if !gone && !is_folder && !is_coming(file) {
                match outcomes.first(doc).unwrap_or(0) {
                    0 => coverage.waiting += 1,
                    _ => coverage.searchable += 1,
                }
            }
            doc = postings.advance();
        }
    }
    Ok(())
}
