//! Plan to the engine's query for one shard. Every term in it is made by `indexer::term` for one of the account's namespaces.

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use indexer::document::outcome_code;
use indexer::term::Tag;
use storage::extraction::Outcome;
use storage::meta::{FileId, NamespaceId};
use tantivy::Term;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery,
    TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::excluded::Excluded;
use crate::inside::Inside;
use crate::limits::Limits;
use crate::parse::Filter;
use crate::plan::{Plan, Planned, Word};
use crate::request::Status;
use crate::resolve::{Asked, Expansions, Found, Resolved, WEIGHTS};
use crate::scope::Area;

/// What a word counts that only a folder above has in its name.
const FOLDER_SCORE: f32 = 0.5;
/// More folders than this are told by the parent column, not by a term each.
const MAX_TERMS: usize = 32;

/// Compiles for one shard.
pub struct Compiler<'a> {
    /// The shard.
    pub asked: &'a Asked<'a>,
    /// The plan's words.
    pub planned: &'a Planned,
    /// Where they are in this shard.
    pub resolved: &'a [Resolved],
    /// What started words stand for.
    pub expansions: &'a Expansions,
    /// Folders whose name has a word, by word: what is below them.
    pub folders: &'a HashMap<usize, Vec<Area>>,
    /// What filters stand for that the index cannot tell.
    pub limits: &'a Limits,
}

type Compiled = Box<dyn Query>;

impl Compiler<'_> {
    /// The query of a plan.
    pub fn plan(&self, plan: &Plan) -> Compiled {
        match plan {
            Plan::All => self.everything(),
            Plan::Word(index) => self.word(*index),
            Plan::Filter(filter) => self.filter(filter),
            Plan::Or(sides) => union(sides.iter().map(|side| self.plan(side)).collect()),
            Plan::And(sides) => self.all_of(sides),
            Plan::Not(_) => self.all_of(std::slice::from_ref(plan)),
        }
    }

    /// The words of a plan without demanding them all: at least `minimum`; the rest of the plan stays demanded.
    pub fn relaxed(&self, words: &[usize]) -> Compiled {
        let telling: Vec<_> = words
            .iter()
            .filter(|index| self.planned.tells(**index))
            .collect();
        let minimum = (telling.len() / 4).clamp(1, 3);
        let any = telling
            .into_iter()
            .map(|index| (Occur::Should, self.loose(*index)))
            .collect();
        let any: Compiled = Box::new(BooleanQuery::with_minimum_required_clauses(any, minimum));
        let Plan::And(sides) = &self.planned.plan else {
            return any;
        };
        let rest = sides
            .iter()
            .filter(|side| !matches!(side, Plan::Word(index) if words.contains(index)));
        let mut clauses = vec![(Occur::Must, any)];
        clauses.extend(rest.map(|side| self.clause(side)));
        Box::new(BooleanQuery::new(clauses))
    }

    fn all_of(&self, sides: &[Plan]) -> Compiled {
        let mut clauses: Vec<_> = sides.iter().map(|side| self.clause(side)).collect();
        if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
            clauses.push((Occur::Must, self.everything()));
        }
        Box::new(BooleanQuery::new(clauses))
    }

    fn clause(&self, side: &Plan) -> (Occur, Compiled) {
        match side {
            Plan::Not(inner) => (Occur::MustNot, Box::new(Excluded(self.plan(inner)))),
            other => (Occur::Must, self.plan(other)),
        }
    }

    /// All files of the account in this shard.
    fn everything(&self) -> Compiled {
        self.tagged(self.asked.all())
    }

    fn tagged(&self, tag: Tag<'_>) -> Compiled {
        self.tagged_in(self.asked.namespaces, tag)
    }

    fn tagged_in(&self, namespaces: &[NamespaceId], tag: Tag<'_>) -> Compiled {
        let terms = namespaces.iter().map(|ns| self.asked.terms(*ns).tag(tag));
        constant(terms.collect(), 0.0)
    }

    fn word(&self, index: usize) -> Compiled {
        let (word, resolved) = (&self.planned.words[index], &self.resolved[index]);
        let mut any = match word.tokens.len() {
            1 => self.tokens(index, resolved),
            _ => self.phrase(index, word, resolved),
        };
        any.extend(word.in_names.iter().map(|form| self.plan(form)));
        if let Some(areas) = self.folders.get(&index) {
            any.extend(areas.iter().map(|area| self.area(area, FOLDER_SCORE)));
        }
        union(any)
    }

    /// A word of which, if it has several tokens ("slip-flow"), some are enough.
    fn loose(&self, index: usize) -> Compiled {
        let (word, resolved) = (&self.planned.words[index], &self.resolved[index]);
        match word.tokens.len() {
            1 => self.word(index),
            _ => union(
                self.phrase(index, word, resolved)
                    .into_iter()
                    .chain(self.tokens(index, resolved))
                    .chain(word.in_names.iter().map(|form| self.plan(form)))
                    .collect(),
            ),
        }
    }

    /// The tokens of a word, each for itself.
    fn tokens(&self, index: usize, resolved: &Resolved) -> Vec<Compiled> {
        let exact = resolved
            .exact
            .iter()
            .flatten()
            .map(|found| self.scored(found, 1.0));
        let stems = resolved.stems.iter().map(|found| self.scored(found, 1.0));
        let started = self
            .started(index, resolved)
            .map(|found| self.scored(found, WEIGHTS.expansion));
        exact.chain(stems).chain(started).collect()
    }

    /// The expansions of a word that the whole search goes by.
    fn started<'r>(
        &'r self,
        index: usize,
        resolved: &'r Resolved,
    ) -> impl Iterator<Item = &'r Found> {
        let kept = self.expansions.get(&index);
        let found = resolved.expansions.iter().map(|(found, _)| found);
        found.filter(move |found| kept.is_some_and(|kept| kept.contains(&found.token)))
    }

    /// All tokens in their order, in one field of one namespace.
    fn phrase(&self, index: usize, word: &Word, resolved: &Resolved) -> Vec<Compiled> {
        let mut any = Vec::new();
        let whole = if word.prefix {
            word.tokens.len() - 1
        } else {
            word.tokens.len()
        };
        for first in &resolved.exact[0] {
            let (field, ns) = (first.field, first.ns);
            let has = |found: &[Found]| {
                found
                    .iter()
                    .any(|found| found.field == field && found.ns == ns)
            };
            if !resolved.exact[..whole].iter().all(|found| has(found)) {
                continue;
            }
            let terms = |tokens: &[(usize, String)]| {
                tokens
                    .iter()
                    .map(|(at, token)| (*at, self.asked.terms(ns).text(field, token)))
                    .collect::<Vec<_>>()
            };
            if !word.prefix || has(&resolved.exact[whole]) {
                any.push(boosted(phrase(terms(&word.tokens)), self.weight(field)));
            }
            if word.prefix {
                let last = self
                    .started(index, resolved)
                    .filter(|found| found.field == field && found.ns == ns);
                any.extend(last.map(|found| {
                    let mut tokens = word.tokens.clone();
                    tokens[whole].1.clone_from(&found.token);
                    boosted(
                        phrase(terms(&tokens)),
                        self.weight(field) * WEIGHTS.expansion,
                    )
                }));
            }
        }
        any
    }

    fn scored(&self, found: &Found, factor: f32) -> Compiled {
        let term = self.asked.term(found.field, found.ns, &found.token);
        let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
        boosted(Box::new(query), self.weight(found.field) * factor)
    }

    fn weight(&self, field: Field) -> f32 {
        let fields = &self.asked.view.fields;
        match field {
            field if field == fields.name || field == fields.deleted_name => WEIGHTS.name,
            field if field == fields.wide_name => WEIGHTS.name,
            field if field == fields.wide => WEIGHTS.stem + WEIGHTS.body,
            field if field == fields.title => WEIGHTS.title,
            field if field == fields.stem => WEIGHTS.stem,
            _ => WEIGHTS.body,
        }
    }

    fn filter(&self, filter: &Filter) -> Compiled {
        let fields = &self.asked.view.fields;
        let deleted = self.asked.status == Status::Deleted;
        match filter {
            Filter::Category(category) if deleted => self.tagged(Tag::DeletedCategory(category)),
            Filter::Category(category) => self.tagged(Tag::Category(category)),
            Filter::Extension(extension) if deleted => {
                self.tagged(Tag::DeletedExtension(extension))
            }
            Filter::Extension(extension) => self.tagged(Tag::Extension(extension)),
            Filter::Modified(from, until) => {
                let ms = |seconds: i64| {
                    Term::from_field_i64(fields.modified, seconds.saturating_mul(1000))
                };
                self.range(Bound::Included(ms(*from)), Bound::Excluded(ms(*until)))
            }
            Filter::Size(from, until) => {
                let bytes = |bytes: u64| Term::from_field_u64(fields.size, bytes);
                self.range(
                    Bound::Included(bytes(*from)),
                    Bound::Excluded(bytes(*until)),
                )
            }
            Filter::In(_) | Filter::Owner(_) | Filter::Shared(_) => {
                match self.limits.areas.get(filter) {
                    Some(Some(area)) => self.area(area, 0.0),
                    _ => Box::new(EmptyQuery),
                }
            }
            Filter::HasText => {
                let outcomes = [Outcome::Text, Outcome::TooLarge { indexed_bytes: 0 }];
                union(outcomes.map(|outcome| self.outcome(&outcome)).into())
            }
            Filter::HasLink => {
                let files = self.limits.linked.iter();
                let terms = files.map(|id| Term::from_field_u64(fields.file, *id));
                self.own(constant(terms.collect(), 0.0))
            }
        }
    }

    /// Where extraction ended so.
    fn outcome(&self, outcome: &Outcome) -> Compiled {
        let code = outcome_code(outcome);
        let code = Term::from_field_u64(self.asked.view.fields.outcome, code);
        self.range(Bound::Included(code.clone()), Bound::Included(code))
    }

    fn range(&self, from: Bound<Term>, until: Bound<Term>) -> Compiled {
        let range = RangeQuery::new(from, until);
        self.own(Box::new(ConstScoreQuery::new(Box::new(range), 0.0)))
    }

    /// The account's own files among some: columns know neither whose a file is nor whether it lives. // I6
    fn own(&self, some: Compiled) -> Compiled {
        Box::new(BooleanQuery::intersection(vec![self.everything(), some]))
    }

    /// What lies directly in one of some folders of a namespace.
    fn inside(&self, ns: NamespaceId, folders: &Arc<HashSet<u64>>, score: f32) -> Compiled {
        let deleted = self.asked.status == Status::Deleted;
        if folders.len() <= MAX_TERMS && !deleted {
            let terms = self.asked.terms(ns);
            let each = folders.iter().map(|&folder| terms.parent(FileId(folder)));
            return constant(each.collect(), score);
        }
        let fields = &self.asked.view.fields;
        let name = |field| self.asked.view.searcher.schema().get_field_name(field);
        Box::new(Inside {
            parent: name(fields.below).to_owned(),
            flags: name(fields.flags).to_owned(),
            folders: folders.clone(),
            deleted,
            score,
        })
    }

    /// What lies in an area.
    pub fn area(&self, area: &Area, score: f32) -> Compiled {
        let mine = |ns: &NamespaceId| self.asked.namespaces.contains(ns);
        let mut any = Vec::new();
        if area.ns.as_ref().is_some_and(mine) {
            any.extend(area.ns.map(|ns| self.inside(ns, &area.folders, score)));
        }
        let whole: Vec<_> = area.whole.iter().copied().filter(|ns| mine(ns)).collect();
        if !whole.is_empty() {
            let terms = whole
                .iter()
                .map(|ns| self.asked.terms(*ns).tag(self.asked.all()));
            any.push(constant(terms.collect(), score));
        }
        union(any)
    }
}

fn phrase(terms: Vec<(usize, Term)>) -> Compiled {
    Box::new(PhraseQuery::new_with_offset(terms))
}

fn boosted(query: Compiled, by: f32) -> Compiled {
    Box::new(BoostQuery::new(query, by))
}

fn constant(mut terms: Vec<Term>, score: f32) -> Compiled {
    let query: Compiled = match terms.len() {
        0 => return Box::new(EmptyQuery),
        1 => Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::Basic)),
        _ => Box::new(TermSetQuery::new(terms)),
    };
    Box::new(ConstScoreQuery::new(query, score))
}

fn union(mut any: Vec<Compiled>) -> Compiled {
    match any.len() {
        0 => Box::new(EmptyQuery),
        1 => any.remove(0),
        _ => Box::new(BooleanQuery::union(any)),
    }
}
