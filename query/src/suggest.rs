//! What somebody may be about to type: names that match already, and words that what was typed starts.
//!
//! A word is suggested only when a file has it that the account can see now. // I6

use std::collections::BTreeMap;
use std::time::Instant;

use indexer::analyse::{self, Mode};
use storage::meta::Actor;
use time::OffsetDateTime;

use crate::engine::{Engine, TIME_LIMIT};
use crate::error::Result;
use crate::highlight;
use crate::parse::parse;
use crate::prepared::{Prepared, narrowed};
use crate::request::{Hit, Marks, Request};

/// Words that are looked at more closely.
const MAX_CANDIDATES: usize = 12;

/// Suggestions for what was typed.
#[derive(Debug, Default)]
pub struct Suggestions {
    /// Files and folders whose name matches, best first, without snippets.
    pub names: Vec<Hit>,
    /// Queries with the last word completed, and how many files have that word, most first.
    pub words: Vec<(String, u64)>,
}

impl Engine {
    /// At most `limit` names and `limit` words for what was typed so far.
    pub fn suggest(
        &self,
        actor: Actor,
        typed: &str,
        limit: usize,
        now: OffsetDateTime,
    ) -> Result<Suggestions> {
        let deadline = Instant::now() + TIME_LIMIT;
        let of_names = Request {
            query: typed.to_owned(),
            filename_only: true,
            max_results: limit,
            facets: false,
            marks: Marks::None,
            ..Request::default()
        };
        let query = narrowed(parse(typed, now), &of_names);
        let mut prepared = self.prepare(actor, &of_names, &query, now, deadline)?;
        prepared.forgive(None)?;
        let mut names = Vec::new();
        if prepared
            .planned
            .words
            .iter()
            .any(|word| !word.tokens.is_empty())
        {
            let matches = prepared.search(None, prepared.limit(), false)?;
            (names, _) = self.hits(actor, &matches.keys, &prepared)?;
        }
        for hit in &mut names {
            let needles = &prepared.planned.needles;
            hit.name_highlights = highlight::in_name(&hit.place.node.name, needles);
        }
        let of_all = Request {
            filename_only: false,
            spelled: true,
            ..of_names.clone()
        };
        let query = narrowed(parse(typed, now), &of_all);
        let prepared = self.prepare(actor, &of_all, &query, now, deadline)?;
        let words = prepared.completed(typed, limit)?;
        Ok(Suggestions { names, words })
    }
}

impl Prepared<'_> {
    /// What was typed with its last word completed.
    fn completed(&self, typed: &str, limit: usize) -> Result<Vec<(String, u64)>> {
        let tokens = analyse::words(typed, Mode::Query);
        let (Some(last), Some(index)) = (tokens.last(), self.started()) else {
            return Ok(Vec::new());
        };
        let before = &typed[..last.start];
        let mut words = Vec::new();
        for word in self.candidates_of(index) {
            let seen =
                self.ask(
                    |leg| match leg.started(index).iter().any(|(w, _)| *w == word) {
                        true => leg.seen_started(index, word, self.deadline),
                        false => Ok(0),
                    },
                )?;
            let files: u64 = seen.into_iter().sum();
            if files > 0 {
                words.push((format!("{before}{word}"), files));
            }
        }
        words.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.truncate(limit);
        Ok(words)
    }

    /// The word that is being typed, unless its words would be found in everybody's dictionary.
    fn started(&self) -> Option<usize> {
        let words = self.planned.words.iter().enumerate();
        let mut started = words.filter(|(_, word)| word.prefix && word.tokens.len() == 1);
        let (index, word) = started.find(|(_, word)| !word.names_only)?;
        (!self.is_wide_word(word)).then_some(index)
    }

    /// The words that are in most documents, of all fields.
    fn candidates_of(&self, index: usize) -> Vec<&str> {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (token, documents) in self.legs.iter().flat_map(|leg| leg.started(index)) {
            *sums.entry(token).or_default() += documents;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, documents)| std::cmp::Reverse(*documents));
        sums.into_iter()
            .take(MAX_CANDIDATES)
            .map(|(word, _)| word)
            .collect()
    }
}
