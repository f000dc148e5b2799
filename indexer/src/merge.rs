//! Which segments are merged, and when: equals with equals, and what is mostly deleted by itself.

use tantivy::SegmentMeta;
use tantivy::index::SegmentId;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// Segments with fewer documents all count as this big.
const FLOOR_DOCS: u32 = 64;
/// How many times bigger the segments of the next layer are, and how many of one layer are merged together: a document is
/// written once more for each layer that it goes through, and a search asks every segment. A layer must not be wider than
/// what its merges make: else each merge of small ones writes a big one again.
const LAYER_FACTOR: u32 = 8;
/// Segments with fewer documents are not rewritten for what is deleted in them: they are merged soon.
const WASTEFUL_DOCS: u32 = 1_000;
/// A bigger segment is rewritten when more of it than this is deleted.
const DELETED_SHARE: f64 = 0.3;
/// No merge makes a bigger segment, unless there are very many: a search reads segments side by side, so a large namespace in one
/// is read by one processor alone (docs/benchmarks.md). The least that a segment of the top layer has.
const MAX_DOCS: u32 = FLOOR_DOCS * LAYER_FACTOR.pow(4);
/// Segments of a shard at which the small ones are merged whatever their size.
const MAX_SEGMENTS: usize = 48;

/// Bigger segments are not merged just because nothing changes.
const MOST_DOCS: u32 = 100_000;

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
            for (group, is_merged) in groups(layer) {
                match is_merged {
                    true => candidates.push(candidate(group)),
                    false => alone.extend(group.iter().copied()),
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

/// What to merge while nothing changes: the smallest segments that are of one layer.
pub fn when_quiet(segments: &[SegmentMeta]) -> Option<Vec<SegmentId>> {
    let few = segments.iter().filter(|meta| meta.num_docs() < MOST_DOCS);
    let mut by_size: Vec<&SegmentMeta> = few.collect();
    by_size.sort_by_key(|segment| segment.num_docs());
    let mut layers = by_size.chunk_by(|a, b| layer(a.num_docs()) == layer(b.num_docs()));
    let merged = layers.find_map(|layer| {
        Some(fitting(layer))
            .filter(|fit| *fit > 1)
            .map(|fit| &layer[..fit])
    });
    Some(merged?.iter().map(|segment| segment.id()).collect())
}

/// The segments of one layer, the smallest first, in groups; true for those that are to be merged: whole ones, and smaller ones that fill
/// more than half of a segment and have no room for the next, so that few documents are merged in this layer again.
fn groups<'l, 's>(mut layer: &'l [&'s SegmentMeta]) -> Vec<(&'l [&'s SegmentMeta], bool)> {
    let mut groups = Vec::new();
    while !layer.is_empty() {
        let fit = fitting(layer);
        let (group, rest) = layer.split_at(fit.clamp(1, LAYER_FACTOR as usize));
        let docs: u32 = group.iter().map(|segment| segment.num_docs()).sum();
        let is_full = group.len() > 1 && fit < layer.len() && docs > MAX_DOCS / 2;
        groups.push((group, is_full || group.len() == LAYER_FACTOR as usize));
        layer = rest;
    }
    groups
}

/// How many of these segments are together no more than a segment may have.
fn fitting(segments: &[&SegmentMeta]) -> usize {
    let mut docs = 0u64;
    let all = segments.iter().take_while(|segment| {
        docs += u64::from(segment.num_docs());
        docs <= u64::from(MAX_DOCS)
    });
    all.count()
}

fn layer(docs: u32) -> u32 {
    (docs.max(FLOOR_DOCS) / FLOOR_DOCS).ilog(LAYER_FACTOR)
}

fn is_wasteful(segment: &SegmentMeta) -> bool {
    let deleted = f64::from(segment.num_deleted_docs());
    segment.max_doc() >= WASTEFUL_DOCS && deleted > DELETED_SHARE * f64::from(segment.max_doc())
}

fn candidate(segments: &[&SegmentMeta]) -> MergeCandidate {
    MergeCandidate(segments.iter().map(|segment| segment.id()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::Index;
    use tantivy::schema::Schema;

    /// Commits `docs` documents `commits` times and merges what the policy says; returns how often a document was written,
    /// on average, the most segments there were, and the documents of the biggest.
    fn load(docs: u32, commits: u32) -> (f64, usize, u32) {
        let index = Index::create_in_ram(Schema::builder().build());
        let segment = |docs| index.new_segment_meta(SegmentId::generate_random(), docs);
        let (mut segments, mut written, mut most) = (Vec::new(), 0, 0);
        for _ in 0..commits {
            segments.push(segment(docs));
            written += u64::from(docs);
            loop {
                let candidates = Layers.compute_merge_candidates(&segments);
                if candidates.is_empty() {
                    break;
                }
                for MergeCandidate(ids) in candidates {
                    let (merged, others): (Vec<SegmentMeta>, Vec<_>) = segments
                        .into_iter()
                        .partition(|segment| ids.contains(&segment.id()));
                    let docs = merged.iter().map(SegmentMeta::num_docs).sum();
                    written += u64::from(docs);
                    segments = others;
                    segments.push(segment(docs));
                }
            }
            most = most.max(segments.len());
        }
        let biggest = segments.iter().map(SegmentMeta::num_docs).max();
        let written = written as f64 / f64::from(docs * commits);
        (written, most, biggest.unwrap_or(0))
    }

    #[test]
    fn documents_are_not_written_again_and_again() {
        // Below the floor a document may be written more often: so few of them come that it costs little.
        for (docs, commits, most, many) in [
            (1, 4_000, 40.0, 30),
            (10, 4_000, 8.0, 30),
            (40, 4_000, 5.0, 30),
            (450, 400, 4.0, 30),
            (450, 4_000, 6.0, 40),
            (20_000, 200, 4.0, 40),
        ] {
            let (written, segments, biggest) = load(docs, commits);
            assert!(written < most, "{docs} at a time: written {written} times");
            assert!(segments < many, "{docs} at a time: {segments} segments");
            assert!(biggest <= MAX_DOCS, "{docs} at a time: {biggest} in one");
        }
    }
}
