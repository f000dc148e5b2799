//! Words side by side: positions of several tokens compared.

use tantivy::postings::{Postings, SegmentPostings, TermInfo};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, InvertedIndexReader, TERMINATED};

/// Documents in which the tokens stand at their offsets from each other, with how often they do.
pub fn frequencies(
    inverted: &InvertedIndexReader,
    places: &[(u32, &TermInfo)],
) -> tantivy::Result<Vec<(DocId, u32)>> {
    let longest = places.iter().map(|(offset, _)| *offset).max().unwrap_or(0);
    let mut ordered = places.to_vec();
    ordered.sort_by_key(|(_, info)| info.doc_freq);
    let with = IndexRecordOption::WithFreqsAndPositions;
    let open = |(offset, info): &(u32, &TermInfo)| {
        let postings = inverted.read_postings_from_terminfo(info, with)?;
        Ok((longest - offset, postings))
    };
    let mut lists: Vec<_> = ordered.iter().map(open).collect::<tantivy::Result<_>>()?;
    let Some(((shift, first), others)) = lists.split_first_mut() else {
        return Ok(Vec::new());
    };
    let (mut found, mut ends, mut positions) = (Vec::new(), Vec::new(), Vec::new());
    let mut doc = first.doc();
    while doc != TERMINATED {
        let behind = behind(others, doc);
        if behind > doc {
            doc = if behind == TERMINATED {
                behind
            } else {
                first.seek(behind)
            };
            continue;
        }
        first.positions_with_offset(*shift, &mut ends);
        for (shift, list) in others.iter_mut() {
            list.positions_with_offset(*shift, &mut positions);
            keep_common(&mut ends, &positions);
        }
        if !ends.is_empty() {
            found.push((doc, ends.len() as u32));
        }
        doc = first.advance();
    }
    Ok(found)
}

/// Moves the lists on to `doc`; returns it, or a later document before which not all of them have one.
fn behind(lists: &mut [(u32, SegmentPostings)], doc: DocId) -> DocId {
    for (_, list) in lists {
        let at = if list.doc() < doc {
            list.seek(doc)
        } else {
            list.doc()
        };
        if at > doc {
            return at;
        }
    }
    doc
}

/// Keeps what both ordered lists have.
fn keep_common(kept: &mut Vec<u32>, other: &[u32]) {
    let mut at = 0;
    kept.retain(|position| {
        while at < other.len() && other[at] < *position {
            at += 1;
        }
        at < other.len() && other[at] == *position
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_positions_are_kept() {
        for (mut kept, other, wanted) in [
            (vec![1, 3, 5], vec![3, 5, 7], vec![3, 5]),
            (vec![1], vec![], vec![]),
            (vec![], vec![1], vec![]),
            (vec![4, 9], vec![4, 9], vec![4, 9]),
        ] {
            keep_common(&mut kept, &other);
            assert_eq!(kept, wanted);
        }
    }
}
