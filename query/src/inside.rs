//! What lies directly in one of many folders, told by the parent column: for sets of folders that are too many for terms.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use indexer::schema::{FLAG_DELETED, FLAG_PAST};
use tantivy::query::{
    BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::{BitSet, DocId, Score, SegmentReader, TantivyError};

use crate::segment::Commit;

/// Documents whose parent is one of `folders`, all with the same score.
#[derive(Clone)]
pub struct Inside {
    /// The shard's commit.
    pub commit: Arc<Commit>,
    /// The folders.
    pub folders: Arc<HashSet<u64>>,
    /// What documents have to be: live, deleted, or old versions.
    pub flag: u64,
    /// The score of each.
    pub score: f32,
}

impl fmt::Debug for Inside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Inside({} folders)", self.folders.len())
    }
}

impl Query for Inside {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Inside {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let columns = &self.commit.part(segment)?.segment;
        let (parent, flags) = (&columns.below, &columns.flags);
        let mut found = BitSet::with_max_value(segment.max_doc());
        for doc in 0..segment.max_doc() {
            let folder = parent.first(doc);
            let is_in = folder.is_some_and(|folder| self.folders.contains(&folder));
            let flag = flags.first(doc).unwrap_or(0) & (FLAG_DELETED | FLAG_PAST);
            if is_in && flag == self.flag {
                found.insert(doc);
            }
        }
        Ok(Box::new(ConstScorer::new(
            BitSetDocSet::from(found),
            boost * self.score,
        )))
    }

    fn explain(&self, segment: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(segment, 1.0)?;
        if scorer.doc() > doc || scorer.seek(doc) != doc {
            let detail = format!("document {doc} does not match");
            return Err(TantivyError::InvalidArgument(detail));
        }
        Ok(Explanation::new("in one of the folders", self.score))
    }
}
