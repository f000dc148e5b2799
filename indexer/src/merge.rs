//! Which segments are merged, and when: equals with equals, and what is mostly deleted by itself.

use tantivy::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// Segments with fewer documents all count as this big.
const FLOOR_DOCS: u32 = 1_000;
/// How many times bigger the segments of the next layer are.
const LAYER_FACTOR: u32 = 12;
/// Segments of one layer that are merged together. Fewer would be merged again and again: merging is half of an import.
const MERGED_TOGETHER: usize = 12;
/// A segment at least as big as the floor is rewritten when more of it than this is deleted.
const DELETED_SHARE: f64 = 0.3;
/// Segments of a shard at which the small ones are merged whatever their size.
const MAX_SEGMENTS: usize = 48;

/// The policy of every shard.
#[derive(Debug, Clone, Copy)]
pub struct Layers;

impl MergePolicy for Layers {
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let mut by_size: Vec<&SegmentMeta> = segments.iter().collect();
        by_size.sort_by_key(|segment| segment.num_docs());
        let mut candidates = Vec::new();
        let mut alone = Vec::new();
        for layer in by_size.chunk_by(|a, b| layer(a.num_docs()) == layer(b.num_docs())) {
            for group in layer.chunks(MERGED_TOGETHER) {
                if group.len() == MERGED_TOGETHER {
                    candidates.push(candidate(group));
                } else {
                    alone.extend(group.iter().copied());
                }
            }
        }
        if alone.len() > MAX_SEGMENTS {
            candidates.push(candidate(&alone[..MAX_SEGMENTS / 2]));
            return candidates;
        }
        let wasteful = alone.into_iter().filter(|segment| is_wasteful(segment));
        candidates.extend(wasteful.map(|segment| candidate(&[segment])));
        candidates
    }
}

fn layer(docs: u32) -> u32 {
    (docs.max(FLOOR_DOCS) / FLOOR_DOCS).ilog(LAYER_FACTOR)
}

fn is_wasteful(segment: &SegmentMeta) -> bool {
    let deleted = f64::from(segment.num_deleted_docs());
    segment.max_doc() >= FLOOR_DOCS && deleted > DELETED_SHARE * f64::from(segment.max_doc())
}

fn candidate(segments: &[&SegmentMeta]) -> MergeCandidate {
    MergeCandidate(segments.iter().map(|segment| segment.id()).collect())
}
