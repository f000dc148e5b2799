//! Statistics of the searching account's own namespaces: what others store must not change a ranking, nor be inferred from it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tantivy::Term;
use tantivy::query::Bm25StatisticsProvider;
use tantivy::schema::Field;

use indexer::analyse::stem;
use indexer::term;

use crate::plan::Planned;
use crate::resolve::Expansions;

/// Words of an average document by field when nothing is known.
const DEFAULT_LENGTH: u64 = 200;

/// Numbers that BM25 needs, over all namespaces and shards of one search. Frozen in cursors.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Statistics {
    documents: u64,
    frequencies: BTreeMap<(u32, String), u64>,
    lengths: BTreeMap<u32, (u64, u64)>,
}

impl Statistics {
    /// Counts `documents` more.
    pub fn add_documents(&mut self, documents: u64) {
        self.documents += documents;
    }

    /// Counts `documents` more that have `token` in `field`.
    pub fn add_frequency(&mut self, field: Field, token: &str, documents: u64) {
        *self
            .frequencies
            .entry((field.field_id(), token.to_owned()))
            .or_default() += documents;
    }

    /// Counts a sample of documents with `tokens` words in `field` all together.
    pub fn add_length(&mut self, field: Field, documents: u64, tokens: u64) {
        let length = self.lengths.entry(field.field_id()).or_default();
        *length = (length.0 + documents, length.1 + tokens);
    }

    /// Documents with `token` in `field`.
    pub fn frequency(&self, field: Field, token: &str) -> u64 {
        self.frequencies
            .get(&(field.field_id(), token.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    /// Forgets the words that the search does not go by: of what started words might stand for only some were kept.
    pub fn keep(&mut self, planned: &Planned, expansions: &Expansions) {
        let tokens = planned.words.iter().flat_map(|word| &word.tokens);
        let mut kept: HashSet<String> = tokens.map(|(_, token)| token.clone()).collect();
        let stems: Vec<_> = kept.iter().filter_map(|token| stem(token)).collect();
        kept.extend(stems);
        kept.extend(expansions.values().flatten().cloned());
        self.frequencies
            .retain(|(_, token), _| kept.contains(token));
    }

    /// Takes over what another shard counted.
    pub fn merge(&mut self, other: Statistics) {
        self.documents += other.documents;
        for (key, documents) in other.frequencies {
            *self.frequencies.entry(key).or_default() += documents;
        }
        for (field, (documents, tokens)) in other.lengths {
            let length = self.lengths.entry(field).or_default();
            *length = (length.0 + documents, length.1 + tokens);
        }
    }
}

impl Bm25StatisticsProvider for Statistics {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        let average = match self.lengths.get(&field.field_id()) {
            Some((documents, tokens)) if *documents > 0 => {
                (*tokens as f64 / *documents as f64).max(1.0)
            }
            _ => DEFAULT_LENGTH as f64,
        };
        Ok((average * self.total_num_docs()? as f64) as u64)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        let most = self.frequencies.values().max().copied().unwrap_or(0);
        Ok(self.documents.max(most).max(1))
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        let bytes = term.serialized_value_bytes();
        // A wide field's term is the token itself, the others have the namespace before it.
        let whole =
            std::str::from_utf8(bytes).map_or(0, |token| self.frequency(term.field(), token));
        let token = term::parse(bytes).map_or("", |(_, token)| token);
        Ok(whole.max(self.frequency(term.field(), token)).max(1))
    }
}
