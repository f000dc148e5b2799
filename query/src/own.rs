//! An account's own documents of a segment, and the postings of a wide field that are theirs: what others store is neither
//! ranked nor counted.

use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocId, DocSet, InvertedIndexReader, TERMINATED, postings::Postings};

/// With fewer documents than one in this many, they are looked up in postings one by one.
const SPARSE: usize = 16;

/// The documents of an account in one segment.
pub enum Own {
    /// All of them: the segment has nobody else's.
    All,
    /// Few, in order.
    Few(Vec<DocId>),
    /// Many.
    Many(BitSet),
}

impl Own {
    /// Those of `documents` that stand in these lists, each in order.
    pub fn of<'a>(documents: u32, lists: impl Iterator<Item = &'a [DocId]> + Clone) -> Self {
        let count: usize = lists.clone().map(<[DocId]>::len).sum();
        if count * SPARSE < documents as usize {
            let mut few: Vec<DocId> = lists.flatten().copied().collect();
            few.sort_unstable();
            return Own::Few(few);
        }
        let mut many = BitSet::with_max_value(documents);
        for doc in lists.flatten() {
            many.insert(*doc);
        }
        Own::Many(many)
    }

    /// The documents among a word's postings that are theirs, each with how often it has the word; `None` when all are.
    pub fn among(
        &self,
        inverted: &InvertedIndexReader,
        info: &TermInfo,
    ) -> tantivy::Result<Option<Vec<(DocId, u32)>>> {
        match self {
            Own::All => Ok(None),
            Own::Few(few) => looked_up(few, inverted, info).map(Some),
            Own::Many(many) => scanned(many, inverted, info).map(Some),
        }
    }
}

fn looked_up(
    few: &[DocId],
    inverted: &InvertedIndexReader,
    info: &TermInfo,
) -> tantivy::Result<Vec<(DocId, u32)>> {
    let mut postings = inverted.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
    let mut found = Vec::new();
    for &doc in few {
        if postings.doc() < doc {
            postings.seek(doc);
        }
        if postings.doc() == TERMINATED {
            break;
        }
        if postings.doc() == doc {
            found.push((doc, postings.term_freq()));
        }
    }
    Ok(found)
}

fn scanned(
    many: &BitSet,
    inverted: &InvertedIndexReader,
    info: &TermInfo,
) -> tantivy::Result<Vec<(DocId, u32)>> {
    let mut block =
        inverted.read_block_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
    let mut found = Vec::new();
    let mut left = info.doc_freq as usize;
    while left > 0 && block.block_len() > 0 {
        let postings = block.docs().iter().zip(block.freqs());
        let own = postings.filter(|(doc, _)| many.contains(**doc));
        found.extend(own.map(|(doc, frequency)| (*doc, *frequency)));
        left = left.saturating_sub(block.block_len());
        block.advance();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tantivy::schema::{Schema, TEXT};
    use tantivy::{Index, IndexWriter, TantivyDocument, Term};

    proptest::proptest! {
        #[test]
        fn few_and_many_are_the_same(
            words in proptest::collection::vec(0u32..4, 300..900),
            own in proptest::collection::btree_set(0u32..300, 0..40),
        ) {
            let mut schema = Schema::builder();
            let body = schema.add_text_field("body", TEXT);
            let index = Index::create_in_ram(schema.build());
            let mut writer: IndexWriter = index.writer_with_num_threads(1, 15_000_000).expect("a writer");
            for times in &words {
                let mut document = TantivyDocument::new();
                document.add_text(body, "word ".repeat(*times as usize));
                writer.add_document(document).expect("added");
            }
            writer.commit().expect("committed");
            let searcher = index.reader().expect("a reader").searcher();
            let reader = &searcher.segment_readers()[0];
            let inverted = reader.inverted_index(body).expect("a dictionary");
            let own: Vec<DocId> = own.into_iter().collect();
            let expected: Vec<_> = own.iter().map(|doc| (*doc, words[*doc as usize])).filter(|found| found.1 > 0).collect();
            let Some(info) = inverted.get_term_info(&Term::from_field_text(body, "word")).expect("looked up") else {
                return Ok(());
            };
            let mut bits = BitSet::with_max_value(reader.max_doc());
            for doc in &own {
                bits.insert(*doc);
            }
            for own in [Own::Few(own), Own::Many(bits)] {
                let found = own.among(&inverted, &info).expect("read");
                proptest::prop_assert_eq!(found.as_ref(), Some(&expected));
            }
        }
    }
}
