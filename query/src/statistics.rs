//! Statistics of the searching account's own namespaces: what others store must not change a ranking, nor be inferred from it.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tantivy::query::Bm25Weight;
use tantivy::schema::Field;

use indexer::analyse::{Language, stems};

use crate::plan::Planned;
use crate::resolve::Expansions;

/// Words of an average document by field when nothing is known.
const DEFAULT_LENGTH: f32 = 200.0;

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

    /// Documents of the account.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Forgets the words that the search does not go by: of what started words might stand for only some were kept.
    pub fn keep(&mut self, planned: &Planned, expansions: &Expansions) {
        let tokens = planned.words.iter().flat_map(|word| &word.tokens);
        let mut kept: HashSet<String> = tokens.map(|(_, token)| token.clone()).collect();
        let languages: Vec<_> = Language::stemmed().collect();
        let stems = kept.iter().flat_map(|token| stems(&languages, token));
        let stems: Vec<_> = stems.collect();
        kept.extend(stems);
        kept.extend(expansions.values().flatten().cloned());
        self.frequencies
            .retain(|(_, token), _| kept.contains(token));
    }

    /// Takes over the frequencies of words that were not counted yet.
    pub fn complete(&mut self, counted: Statistics) {
        for (key, documents) in counted.frequencies {
            self.frequencies.entry(key).or_insert(documents);
        }
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

impl Statistics {
    /// What the tokens count side by side in a field; one token by itself.
    pub fn weight(&self, field: Field, tokens: &[&str]) -> Bm25Weight {
        self.weight_in(field, tokens, field)
    }

    /// The same, where the length of the field `lengths` counts.
    pub fn weight_in(&self, field: Field, tokens: &[&str], lengths: Field) -> Bm25Weight {
        let length = match self.lengths.get(&lengths.field_id()) {
            Some((documents, words)) if *documents > 0 => *words as f32 / *documents as f32,
            _ => DEFAULT_LENGTH,
        };
        let weight = |token: &&str| {
            let frequency = self.frequency(field, token).max(1);
            let documents = self.documents.max(frequency);
            Bm25Weight::for_one_term_without_explain(frequency, documents, length.max(1.0))
        };
        let mut weights = tokens.iter().map(weight);
        let first = weights.next().unwrap_or_else(|| weight(&""));
        // Side by side the words' rarities add up.
        let rarity = |weight: &Bm25Weight| weight.max_score();
        let sum = weights.map(|weight| rarity(&weight)).sum::<f32>() + rarity(&first);
        first.boost_by(sum / rarity(&first).max(f32::MIN_POSITIVE))
    }
}
