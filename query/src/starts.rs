//! The words that a start stands for in one shard, the most frequent first.
//!
//! They are looked for among the words of each namespace. Where an account has many namespaces in a segment, and much of what is in
//! it, a short start is looked for in the two wide fields instead: once, not once a namespace. Of each list that is found there only
//! what is in the account's own documents is kept, and a word that none of them has is none: what others store shows nowhere.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexer::analyse::{self, WIDE_START};
use indexer::document::MAX_START;
use storage::meta::NamespaceId;
use tantivy::postings::TermInfo;
use tantivy::schema::Field;
use tantivy_fst::automaton::AlwaysMatch;

use crate::error::Result;
use crate::own::Own;
use crate::plan::Word;
use crate::request::Status;
use crate::resolve::{Asked, EVERYWHERE, Found, Listed, MAX_EXPANSIONS, Place};
use crate::segment::Part;
use crate::spaces;

/// Words of one shard that may be among a start's most frequent.
pub const MAX_CANDIDATES: usize = 2 * MAX_EXPANSIONS;
/// Dictionary entries looked at for one start, in one namespace, field and segment.
const MAX_SCANNED: usize = 8192;
/// Postings of one shard that are read for a start's words beyond [`MAX_EXPANSIONS`].
const MAX_REST: u64 = 1_000_000;
/// From how many of an account's namespaces in a segment on short starts are looked for in the wide fields (docs/benchmarks.md).
const WIDE_FROM: usize = 16;

/// The words of some fields that begin like `start`, the end of `word`; true when there are more.
pub fn started(
    asked: &Asked<'_>,
    word: &Word,
    fields: &[Field],
    start: &str,
) -> Result<(Vec<Found>, bool)> {
    let mut starts = Starts {
        asked,
        start,
        found: BTreeMap::new(),
        is_cut: false,
    };
    let known = &asked.view.fields;
    let names = [known.name, known.deleted_name, known.wide_name];
    let letters = start.chars().count();
    let short = letters <= MAX_START && start.is_ascii();
    let in_stems = word.tokens.len() == 1 && letters <= WIDE_START && !asked.spelled;
    let searched = fields.iter().copied();
    let searched: Vec<_> = searched
        .filter(|field| !short || names.contains(field))
        .collect();
    let only_names = searched.iter().all(|field| names.contains(field));
    for (segment, part) in asked.commit.segments.iter().enumerate() {
        if !(in_stems && starts.may_be_wide(part) && starts.wide(segment, part, only_names)?) {
            starts.narrow(segment, part, &searched)?;
        }
    }
    Ok(starts.most_frequent())
}

/// Words found so far.
struct Starts<'a> {
    asked: &'a Asked<'a>,
    start: &'a str,
    found: BTreeMap<Field, HashMap<String, (u64, Vec<Place>)>>,
    is_cut: bool,
}

impl Starts<'_> {
    /// True for a segment where the wide fields are cheaper.
    fn may_be_wide(&self, part: &Part) -> bool {
        let few = self.asked.many().min(part.present.len()) < WIDE_FROM;
        let is_live = self.asked.status == Status::Active;
        is_live && !few && !matches!(part.own(), Own::Few(_))
    }

    /// Looks in each namespace.
    fn narrow(&mut self, segment: usize, part: &Part, fields: &[Field]) -> Result<()> {
        for &field in fields {
            let Some(inverted) = part.segment.inverted(field) else {
                continue;
            };
            let (start, words) = (self.start, self.found.entry(field).or_default());
            let take = |ns, token: &str, info: &TermInfo| {
                if token != start {
                    let postings = Listed::At(info.clone());
                    add(
                        words,
                        token,
                        Place {
                            segment,
                            ns,
                            postings,
                        },
                    );
                }
            };
            let spaces = self.asked.spaces(part, field);
            let all = |_: &[u8]| AlwaysMatch;
            self.is_cut |= spaces::each(inverted.terms(), spaces, start, all, MAX_SCANNED, take)?;
        }
        Ok(())
    }

    /// Looks in the wide fields, and for stop words, which these do not have; false when they have too many such words.
    fn wide(&mut self, segment: usize, part: &Part, only_names: bool) -> Result<bool> {
        let asked = self.asked;
        let fields = &asked.view.fields;
        let mut listed = Vec::new();
        for field in [fields.wide_name, fields.wide] {
            let Some(inverted) = part.segment.inverted(field) else {
                continue;
            };
            if only_names && field == fields.wide {
                continue;
            }
            let take = |_, token: &str, info: &TermInfo| {
                listed.push((field, token.to_owned(), info.clone()));
            };
            let all = |_: &[u8]| AlwaysMatch;
            let terms = inverted.terms();
            if spaces::each(terms, &[EVERYWHERE], self.start, all, MAX_SCANNED, take)? {
                return Ok(false);
            }
        }
        for (field, token, info) in listed {
            let Some(inverted) = part.segment.inverted(field).filter(|_| token != self.start)
            else {
                continue;
            };
            let own = part.own().among(inverted, &info)?;
            let postings = own.map_or(Listed::At(info), Listed::Own);
            self.add(field, &token, segment, EVERYWHERE, postings);
        }
        if !only_names {
            self.stop_words(segment, part)?;
        }
        Ok(true)
    }

    fn stop_words(&mut self, segment: usize, part: &Part) -> Result<()> {
        let (asked, start) = (self.asked, self.start);
        let fields = &asked.view.fields;
        let others = analyse::stop_words(start).filter(|word| *word != start);
        for word in others {
            for field in [fields.title, fields.body] {
                let Some(inverted) = part.segment.inverted(field) else {
                    continue;
                };
                for &ns in &part.present {
                    if let Some(info) = inverted.get_term_info(&asked.term(field, ns, word))? {
                        self.add(field, word, segment, ns, Listed::At(info));
                    }
                }
            }
        }
        Ok(())
    }

    fn add(
        &mut self,
        field: Field,
        token: &str,
        segment: usize,
        ns: NamespaceId,
        postings: Listed,
    ) {
        if postings.count() > 0 {
            let words = self.found.entry(field).or_default();
            add(
                words,
                token,
                Place {
                    segment,
                    ns,
                    postings,
                },
            );
        }
    }

    /// As many as may be read.
    fn most_frequent(self) -> (Vec<Found>, bool) {
        let of_field = |(field, words): (Field, HashMap<String, (u64, Vec<Place>)>)| {
            words
                .into_iter()
                .map(move |(token, (documents, places))| Found {
                    field,
                    token,
                    documents,
                    places: Arc::new(places),
                })
        };
        let mut found: Vec<Found> = self.found.into_iter().flat_map(of_field).collect();
        let order = |found: &Found| (Reverse(found.documents), found.field.field_id());
        found.sort_unstable_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.token.cmp(&b.token)));
        let mut postings = 0;
        let few = found.iter().enumerate().position(|(at, found)| {
            postings += found.documents;
            at >= MAX_CANDIDATES && postings > MAX_REST
        });
        found.truncate(few.unwrap_or(found.len()));
        (found, self.is_cut || few.is_some())
    }
}

fn add(words: &mut HashMap<String, (u64, Vec<Place>)>, token: &str, place: Place) {
    let documents = place.postings.count();
    match words.get_mut(token) {
        Some(entry) => {
            entry.0 += documents;
            entry.1.push(place);
        }
        None => {
            words.insert(token.to_owned(), (documents, vec![place]));
        }
    }
}
