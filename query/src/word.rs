//! One word as the engine's query: all its forms (exact, stem, started, phrase) in all fields and namespaces, summed up
//! document by document. Where the postings are is known already, so nothing is looked up again.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use storage::meta::NamespaceId;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{BlockSegmentPostings, TermInfo};
use tantivy::query::{Bm25Weight, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, InvertedIndexReader, Score, SegmentReader, TERMINATED, TantivyError};

use crate::phrase;
use crate::resolve::{Listed, Place};
use crate::segment::Commit;
use crate::sums::Sums;

/// One way in which a word is found.
#[derive(Clone)]
pub struct Form {
    /// In which field.
    pub field: Field,
    /// The field whose length counts: its own, or the name's for what tags say about names.
    pub lengths: Field,
    /// Its tokens, each with its offset and its postings; several are a phrase.
    pub tokens: Vec<(u32, Arc<Vec<Place>>)>,
    /// What it counts.
    pub score: Worth,
    /// Said in explanations.
    pub label: String,
}

/// What a form counts in a document.
#[derive(Clone)]
pub enum Worth {
    /// By frequency and length.
    Bm25(Bm25Weight),
    /// Always the same.
    Same(Score),
}

/// A word's forms in one shard.
#[derive(Clone)]
pub struct WordQuery {
    /// The shard's commit.
    pub commit: Arc<Commit>,
    /// The forms.
    pub forms: Arc<Vec<Form>>,
}

impl fmt::Debug for WordQuery {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_list()
            .entries(self.forms.iter().map(|form| &form.label))
            .finish()
    }
}

impl Query for WordQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for WordQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let sums = self.sums(reader, boost)?;
        Ok(sums.map_or_else(|| Box::new(EmptyScorer) as _, Sums::scorer))
    }

    fn for_each(
        &self,
        reader: &SegmentReader,
        callback: &mut dyn FnMut(DocId, Score),
    ) -> tantivy::Result<()> {
        if let Some(sums) = self.sums(reader, 1.0)? {
            sums.each(callback);
        }
        Ok(())
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut details = Vec::new();
        for form in self.forms.iter() {
            let alone = WordQuery {
                commit: self.commit.clone(),
                forms: Arc::new(vec![form.clone()]),
            };
            let mut scorer = alone.scorer(reader, 1.0)?;
            if scorer.doc() <= doc && (scorer.doc() == doc || scorer.seek(doc) == doc) {
                details.push((form.label.clone(), scorer.score()));
            }
        }
        if details.is_empty() {
            let what = format!("document {doc} does not match");
            return Err(TantivyError::InvalidArgument(what));
        }
        let sum = details.iter().map(|(_, score)| score).sum();
        let mut explanation = Explanation::new("word", sum);
        for (label, score) in details {
            explanation.add_detail(Explanation::new_with_string(label, score));
        }
        Ok(explanation)
    }
}

impl WordQuery {
    /// What the forms sum up to in a segment; none where they have no postings.
    fn sums(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Option<Sums>> {
        let Some(number) = self.commit.number(reader) else {
            return Ok(None);
        };
        let postings: u64 = self.forms.iter().map(|form| form.postings(number)).sum();
        if postings == 0 {
            return Ok(None);
        }
        let mut sums = Sums::new(reader.max_doc(), postings);
        for form in self.forms.iter() {
            form.add(&self.commit, number, reader, boost, &mut sums)?;
        }
        Ok(Some(sums))
    }
}

impl Form {
    /// Postings that have to be read in a segment, at most.
    fn postings(&self, segment: usize) -> u64 {
        let of = |places: &Arc<Vec<Place>>| {
            let places = &places[in_segment(places, segment)];
            places.iter().map(|place| place.postings.count()).sum()
        };
        self.tokens
            .iter()
            .map(|(_, places)| of(places))
            .min()
            .unwrap_or(0)
    }

    fn add(
        &self,
        commit: &Commit,
        number: usize,
        reader: &SegmentReader,
        boost: Score,
        sums: &mut Sums,
    ) -> tantivy::Result<()> {
        let Some((_, first)) = self.tokens.first() else {
            return Ok(());
        };
        let places = in_segment(first, number);
        let segment = &commit.segments[number].segment;
        let Some(inverted) = segment.inverted(self.field).filter(|_| !places.is_empty()) else {
            return Ok(());
        };
        let opened;
        let norms = match segment.norms(self.lengths) {
            Some(norms) => norms,
            None => {
                opened = reader.get_fieldnorms_reader(self.lengths)?;
                &opened
            }
        };
        let worth = self.score.boosted(boost);
        let mut lists = Lists::new(inverted, &worth);
        for place in &first[places] {
            match self.tokens.len() {
                1 => lists.add(&place.postings, norms, sums)?,
                _ => {
                    let Some(places) = self.places_of(number, place.ns) else {
                        continue;
                    };
                    let frequencies = phrase::frequencies(inverted, &places)?;
                    for (doc, frequency) in frequencies {
                        sums.add(doc, worth.of(norms, doc, frequency));
                    }
                }
            }
        }
        Ok(())
    }

    /// Where all tokens are in one segment of one namespace.
    fn places_of(&self, segment: usize, ns: NamespaceId) -> Option<Vec<(u32, &TermInfo)>> {
        let place = |(offset, places): &'_ (u32, Arc<Vec<Place>>)| -> Option<(u32, usize)> {
            let range = in_segment(places, segment);
            let at = places[range.clone()]
                .iter()
                .position(|place| place.ns == ns)?;
            Some((*offset, range.start + at))
        };
        let found = self.tokens.iter().map(|token| {
            let (offset, at) = place(token)?;
            match &token.1[at].postings {
                Listed::At(info) => Some((offset, info)),
                Listed::Own(_) => None, // stems have no positions
            }
        });
        found.collect()
    }
}

/// The places of a segment; places stand in the order of their segments.
fn in_segment(places: &[Place], segment: usize) -> Range<usize> {
    let from = places.partition_point(|place| place.segment < segment);
    let count = places[from..].partition_point(|place| place.segment == segment);
    from..from + count
}

/// Reads lists of postings one after the other.
struct Lists<'a> {
    inverted: &'a InvertedIndexReader,
    worth: &'a Worth,
    /// The list that was read last: opening the next in its place spares its buffers.
    block: Option<BlockSegmentPostings>,
}

impl<'a> Lists<'a> {
    fn new(inverted: &'a InvertedIndexReader, worth: &'a Worth) -> Self {
        Lists {
            inverted,
            worth,
            block: None,
        }
    }

    fn add(
        &mut self,
        list: &Listed,
        norms: &FieldNormReader,
        sums: &mut Sums,
    ) -> tantivy::Result<()> {
        match list {
            Listed::At(info) => self.add_postings(info, norms, sums)?,
            Listed::Own(own) => own.iter().for_each(|(doc, frequency)| {
                sums.add(*doc, self.worth.of(norms, *doc, *frequency))
            }),
        }
        Ok(())
    }

    fn add_postings(
        &mut self,
        info: &TermInfo,
        norms: &FieldNormReader,
        sums: &mut Sums,
    ) -> tantivy::Result<()> {
        let worth = self.worth;
        self.open(info)?;
        let Some(block) = &mut self.block else {
            return Ok(());
        };
        let mut left = info.doc_freq as usize;
        while left > 0 {
            let count = block.block_len();
            if count == 0 {
                break;
            }
            match worth {
                Worth::Same(score) => block.docs().iter().for_each(|doc| sums.add(*doc, *score)),
                Worth::Bm25(_) if block.freqs().is_empty() => {
                    for doc in block.docs() {
                        sums.add(*doc, worth.of(norms, *doc, 1));
                    }
                }
                Worth::Bm25(_) => {
                    for (doc, frequency) in block.docs().iter().zip(block.freqs()) {
                        sums.add(*doc, worth.of(norms, *doc, *frequency));
                    }
                }
            }
            left = left.saturating_sub(count);
            block.advance();
        }
        Ok(())
    }

    fn open(&mut self, info: &TermInfo) -> tantivy::Result<()> {
        let inverted = self.inverted;
        match &mut self.block {
            Some(block) => inverted.reset_block_postings_from_terminfo(info, block)?,
            none => {
                let with = match self.worth {
                    Worth::Bm25(_) => IndexRecordOption::WithFreqs,
                    Worth::Same(_) => IndexRecordOption::Basic,
                };
                *none = Some(inverted.read_block_postings_from_terminfo(info, with)?);
            }
        }
        Ok(())
    }
}

impl Worth {
    fn of(&self, norms: &FieldNormReader, doc: DocId, frequency: u32) -> Score {
        match self {
            Worth::Bm25(weight) => weight.score(norms.fieldnorm_id(doc), frequency),
            Worth::Same(score) => *score,
        }
    }

    /// The same, counting `boost` times as much.
    pub fn boosted(&self, boost: Score) -> Worth {
        match self {
            Worth::Bm25(weight) => Worth::Bm25(weight.boost_by(boost)),
            Worth::Same(score) => Worth::Same(score * boost),
        }
    }
}

/// Documents with one token in some namespaces, all with the same score: what tags say.
#[derive(Clone)]
pub struct Tagged {
    /// The shard's commit.
    pub commit: Arc<Commit>,
    /// The field.
    pub field: Field,
    /// The terms, each with its namespace.
    pub terms: Arc<Vec<(NamespaceId, tantivy::Term)>>,
    /// The score.
    pub score: Score,
}

impl fmt::Debug for Tagged {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Tagged({} terms)", self.terms.len())
    }
}

impl Query for Tagged {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Tagged {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let part = self.commit.part(reader)?;
        let Some(inverted) = part.segment.inverted(self.field) else {
            return Ok(Box::new(EmptyScorer));
        };
        let mut lists = Vec::new();
        for (ns, term) in self.terms.iter() {
            if part.segment.space(*ns).is_some()
                && let Some(info) = inverted.get_term_info(term)?
            {
                lists.push(info);
            }
        }
        let postings = lists.iter().map(|info| u64::from(info.doc_freq)).sum();
        if postings == 0 {
            return Ok(Box::new(EmptyScorer));
        }
        let mut sums = Sums::new(reader.max_doc(), postings);
        let (worth, norms) = (
            Worth::Same(self.score * boost),
            FieldNormReader::constant(1, 1),
        );
        let mut read = Lists::new(inverted, &worth);
        for info in &lists {
            read.add_postings(info, &norms, &mut sums)?;
        }
        Ok(sums.scorer())
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        if scorer.doc() == TERMINATED || scorer.doc() > doc || scorer.seek(doc) != doc {
            let what = format!("document {doc} does not match");
            return Err(TantivyError::InvalidArgument(what));
        }
        Ok(Explanation::new("is one of those asked for", self.score))
    }
}

/// Documents with a tag that starts in one of some ways.
#[derive(Clone)]
pub struct Started {
    /// The shard's commit.
    pub commit: Arc<Commit>,
    /// The field.
    pub field: Field,
    /// The dictionary keys, of each namespace.
    pub ranges: Arc<Vec<(NamespaceId, Range<Vec<u8>>)>>,
}

/// Tags of one namespace and segment that one start may stand for.
const MAX_STARTED: usize = 512;

impl fmt::Debug for Started {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Started({} ranges)", self.ranges.len())
    }
}

impl Query for Started {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Started {
    /// The tags of one segment.
    fn tagged(&self, reader: &SegmentReader) -> tantivy::Result<Tagged> {
        let part = self.commit.part(reader)?;
        let mut terms = Vec::new();
        for (ns, range) in self.ranges.iter() {
            let inverted = part.segment.inverted(self.field);
            let Some(inverted) = inverted.filter(|_| part.segment.space(*ns).is_some()) else {
                continue;
            };
            let keys = inverted.terms().range().ge(&range.start).lt(&range.end);
            let mut keys = keys.into_stream()?;
            for _ in 0..MAX_STARTED {
                if !keys.advance() {
                    break;
                }
                if let Ok(term) = std::str::from_utf8(keys.key()) {
                    terms.push((*ns, tantivy::Term::from_field_text(self.field, term)));
                }
            }
        }
        Ok(Tagged {
            commit: self.commit.clone(),
            field: self.field,
            terms: Arc::new(terms),
            score: 0.0,
        })
    }
}

impl Weight for Started {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        self.tagged(reader)?.scorer(reader, boost)
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Weight::explain(&self.tagged(reader)?, reader, doc)
    }
}
