//! Scores of a word's forms added up, document by document of one segment.

use tantivy::query::{BitSetDocSet, Scorer};
use tantivy::{BitSet, DocId, DocSet, Score, TERMINATED};

/// With postings for more than one document in this many, a number for each document costs less than sorting.
const SPARSE: u64 = 16;

/// Sums of one segment.
pub enum Sums {
    /// Few: each addend by itself.
    Few(Vec<(DocId, Score)>),
    /// Many: a sum for each document, and who has one.
    Many(BitSet, Vec<Score>),
}

impl Sums {
    /// No sums yet, for a segment of `documents`; about `postings` are going to be added.
    pub fn new(documents: u32, postings: u64) -> Self {
        if postings.saturating_mul(SPARSE) < u64::from(documents) {
            Sums::Few(Vec::with_capacity(postings as usize))
        } else {
            let sums = vec![0.0; documents as usize];
            Sums::Many(BitSet::with_max_value(documents), sums)
        }
    }

    /// Adds to a document's sum.
    #[inline]
    pub fn add(&mut self, doc: DocId, score: Score) {
        match self {
            Sums::Few(addends) => addends.push((doc, score)),
            Sums::Many(found, sums) => {
                found.insert(doc);
                sums[doc as usize] += score;
            }
        }
    }

    /// The documents with their sums.
    pub fn scorer(self) -> Box<dyn Scorer> {
        match self {
            Sums::Few(addends) => Box::new(Few::of(addends)),
            Sums::Many(found, sums) => Box::new(Many::of(found, sums)),
        }
    }

    /// Calls back with every document and its sum, in order: the same without a virtual call for each step.
    pub fn each(self, callback: &mut dyn FnMut(DocId, Score)) {
        match self {
            Sums::Few(addends) => drive(Few::of(addends), callback),
            Sums::Many(found, sums) => drive(Many::of(found, sums), callback),
        }
    }
}

fn drive(mut scorer: impl Scorer, callback: &mut dyn FnMut(DocId, Score)) {
    let mut doc = scorer.doc();
    while doc != TERMINATED {
        callback(doc, scorer.score());
        doc = scorer.advance();
    }
}

struct Few {
    sums: Vec<(DocId, Score)>,
    at: usize,
}

impl Few {
    fn of(mut addends: Vec<(DocId, Score)>) -> Self {
        if !addends.is_sorted_by_key(|(doc, _)| *doc) {
            addends.sort_by_key(|(doc, _)| *doc); // stable: the sum is the same each time
        }
        addends.dedup_by(|next, sum| {
            let same = next.0 == sum.0;
            if same {
                sum.1 += next.1;
            }
            same
        });
        Few {
            sums: addends,
            at: 0,
        }
    }
}

impl DocSet for Few {
    fn advance(&mut self) -> DocId {
        self.at += 1;
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        let rest = self.sums.get(self.at..).unwrap_or(&[]);
        self.at += rest.partition_point(|(doc, _)| *doc < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.sums.get(self.at).map_or(TERMINATED, |(doc, _)| *doc)
    }

    fn size_hint(&self) -> u32 {
        self.sums.len() as u32
    }
}

impl Scorer for Few {
    fn score(&mut self) -> Score {
        self.sums.get(self.at).map_or(0.0, |(_, sum)| *sum)
    }
}

struct Many {
    found: BitSetDocSet,
    sums: Vec<Score>,
}

impl Many {
    fn of(found: BitSet, sums: Vec<Score>) -> Self {
        let found = BitSetDocSet::from(found);
        Many { found, sums }
    }
}

impl DocSet for Many {
    fn advance(&mut self) -> DocId {
        self.found.advance()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.found.seek(target)
    }

    fn doc(&self) -> DocId {
        self.found.doc()
    }

    fn size_hint(&self) -> u32 {
        self.found.size_hint()
    }
}

impl Scorer for Many {
    fn score(&mut self) -> Score {
        self.sums
            .get(self.found.doc() as usize)
            .copied()
            .unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn few_and_many_sum_the_same(
            added in proptest::collection::vec((0u32..500, 1u8..9), 0..200),
            targets in proptest::collection::vec(1u32..80, 0..10),
        ) {
            let mut scorers = [Sums::new(500, 0), Sums::new(500, 500)].map(|mut sums| {
                for (doc, score) in &added {
                    sums.add(*doc, f32::from(*score));
                }
                sums.scorer()
            });
            let mut targets = targets.into_iter();
            loop {
                let [few, many] = &mut scorers;
                proptest::prop_assert_eq!(few.doc(), many.doc());
                if few.doc() == TERMINATED {
                    break;
                }
                proptest::prop_assert_eq!(few.score(), many.score());
                let wanted: f32 = added.iter().filter(|(doc, _)| *doc == few.doc()).map(|(_, s)| f32::from(*s)).sum();
                proptest::prop_assert_eq!(few.score(), wanted);
                match targets.next() {
                    Some(step) => {
                        let target = few.doc() + step;
                        few.seek(target);
                        many.seek(target);
                    }
                    None => {
                        few.advance();
                        many.advance();
                    }
                }
            }
        }
    }
}
