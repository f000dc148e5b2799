//! Plan to the engine's query for one shard. Every term in it is made by `indexer::term` for one of the account's namespaces.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use indexer::analyse::{self, Language, Mode, is_stop_word, stem};
use indexer::document::outcome_code;
use indexer::past;
use indexer::schema::{FLAG_DELETED, FLAG_PAST};
use indexer::term::Tag;
use storage::extraction::Outcome;
use storage::meta::{FileId, NamespaceId, Rev};
use tantivy::Term;
use tantivy::query::{
    BooleanQuery, ConstScoreQuery, EmptyQuery, Occur, Query, RangeQuery, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use crate::excluded::Excluded;
use crate::inside::Inside;
use crate::limits::Limits;
use crate::parse::{Filter, LetterPart, Shared};
use crate::plan::{Plan, Planned, Word};
use crate::request::Status;
use crate::resolve::{Asked, Expansions, Found, Place, Resolved, WEIGHTS};
use crate::scope::Area;
use crate::statistics::Statistics;
use crate::word::{Form, Started, Tagged, WordQuery, Worth};

/// What a word counts that only a folder above has in its name.
const FOLDER_SCORE: f32 = 0.5;
/// What a stem counts where the exact word counts by itself, against one in the wide fields that stands for both.
const STEM_ALONE: f32 = WEIGHTS.stem / (WEIGHTS.stem + WEIGHTS.body);
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
    /// What words are weighed with.
    pub statistics: &'a Statistics,
    /// Stems that the best files are about, with their shares.
    pub feedback: &'a [(Found, f32)],
}

type Compiled = Box<dyn Query>;

impl Compiler<'_> {
    /// The query of a plan.
    pub fn plan(&self, plan: &Plan) -> Compiled {
        match plan {
            Plan::All => self.everything(),
            Plan::Word(index) | Plan::Better(index) => self.word(*index),
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
        let minimum = (telling.len() / 4).clamp(1, 2);
        let about = self.about(telling.len() as f32);
        let any = telling
            .into_iter()
            .map(|index| (Occur::Should, self.loose(*index)))
            .collect();
        let any: Compiled = Box::new(BooleanQuery::with_minimum_required_clauses(any, minimum));
        let Plan::And(sides) = &self.planned.plan else {
            return any;
        };
        let about = about.into_iter().map(|about| (Occur::Should, about));
        let rest = sides
            .iter()
            .filter(|side| !matches!(side, Plan::Word(index) if words.contains(index)));
        let mut clauses = vec![(Occur::Must, any)];
        clauses.extend(rest.map(|side| self.clause(side)));
        clauses.extend(about);
        Box::new(BooleanQuery::new(clauses))
    }

    /// What the best files are about; all of it counts as much as `words` words.
    fn about(&self, words: f32) -> Vec<Compiled> {
        let forms = self.feedback.iter();
        let forms =
            forms.map(|(found, share)| self.form(found, share * words * STEM_ALONE, "about "));
        self.found(forms.collect())
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
            Plan::Better(_) => (Occur::Should, self.plan(side)),
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
        let terms = namespaces
            .iter()
            .map(|ns| (*ns, self.asked.terms(*ns).tag(tag)));
        Box::new(Tagged {
            commit: self.asked.commit.clone(),
            field: self.asked.view.fields.tag,
            terms: Arc::new(terms.collect()),
            score: 0.0,
        })
    }

    fn word(&self, index: usize) -> Compiled {
        let (word, resolved) = (&self.planned.words[index], &self.resolved[index]);
        let forms = match word.tokens.len() {
            1 => self.tokens(index, resolved),
            _ => self.phrase(index, word, resolved),
        };
        let mut any = self.found(forms);
        any.extend(word.in_names.iter().map(|form| self.plan(form)));
        if let Some(areas) = self.folders.get(&index) {
            any.extend(areas.iter().map(|area| self.area(area, FOLDER_SCORE)));
        }
        union(any)
    }

    /// A word of which, if it has several tokens ("slip-flow"), some are enough.
    fn loose(&self, index: usize) -> Compiled {
        let (word, resolved) = (&self.planned.words[index], &self.resolved[index]);
        if word.tokens.len() == 1 {
            return self.word(index);
        }
        let mut forms = self.phrase(index, word, resolved);
        forms.extend(self.tokens(index, resolved));
        let mut any = self.found(forms);
        any.extend(word.in_names.iter().map(|form| self.plan(form)));
        union(any)
    }

    /// The query of a word's forms; none when there are none.
    fn found(&self, forms: Vec<Form>) -> Vec<Compiled> {
        if forms.is_empty() {
            return Vec::new();
        }
        vec![Box::new(WordQuery {
            commit: self.asked.commit.clone(),
            forms: Arc::new(forms),
        })]
    }

    /// The tokens of a word, each for itself.
    fn tokens(&self, index: usize, resolved: &Resolved) -> Vec<Form> {
        let tokens = self.planned.words[index].tokens.iter().zip(&resolved.exact);
        let exact = tokens.flat_map(|((_, token), found)| {
            let alone = self.alone(token);
            found
                .iter()
                .map(move |found| self.form(found, alone(found.field), ""))
        });
        let stems = resolved.stems.iter();
        let stems = stems.map(|found| self.form(found, STEM_ALONE, ""));
        let started = self.started(index, resolved);
        let started = started.map(|found| self.form(found, WEIGHTS.expansion, "start of "));
        let similar = resolved.similar.iter();
        let similar = similar.map(|found| self.form(found, WEIGHTS.similar, "instead: "));
        let forms = exact.chain(stems).chain(started).chain(similar);
        forms.chain(self.rest(index, resolved)).collect()
    }

    /// What a word may be the start of beside the most frequent: one form a field.
    fn rest(&self, index: usize, resolved: &Resolved) -> Vec<Form> {
        let kept = self.kept(index);
        let is_kept = |found: &&Found| kept.contains(found.token.as_str());
        let mut fields: BTreeMap<Field, Vec<Place>> = BTreeMap::new();
        for found in resolved.expansions.iter().filter(|found| !is_kept(found)) {
            let places = fields.entry(found.field).or_default();
            places.extend(found.places.iter().cloned());
        }
        let form = |(field, mut places): (Field, Vec<Place>)| {
            places.sort_by_key(|place| place.segment);
            Form {
                field,
                lengths: self.lengths(field),
                tokens: vec![(0, Arc::new(places))],
                score: Worth::Same(self.weight(field) * WEIGHTS.rest),
                label: self.label(field, "a rarer word that it starts", ""),
            }
        };
        fields.into_iter().map(form).collect()
    }

    /// The expansions of a word that the whole search goes by.
    fn started<'r>(
        &'r self,
        index: usize,
        resolved: &'r Resolved,
    ) -> impl Iterator<Item = &'r Found> {
        let kept = self.kept(index);
        let found = resolved.expansions.iter();
        found.filter(move |found| kept.contains(found.token.as_str()))
    }

    /// What a started word stands for in the whole search. A start may stand for a thousand words in each shard: each is looked up here.
    fn kept(&self, index: usize) -> HashSet<&str> {
        let kept = self.expansions.get(&index).into_iter().flatten();
        kept.map(String::as_str).collect()
    }

    /// All tokens in their order, in one field of one namespace.
    fn phrase(&self, index: usize, word: &Word, resolved: &Resolved) -> Vec<Form> {
        let mut any = Vec::new();
        let whole = word.tokens.len() - usize::from(word.prefix);
        let (ahead, last) = resolved.exact.split_at(whole);
        let Some((first, next)) = ahead.split_first() else {
            return any;
        };
        for first in first {
            let field = first.field;
            let in_field = |found: &'_ [Found]| found.iter().position(|found| found.field == field);
            let next: Option<Vec<&Found>> = next
                .iter()
                .map(|found| in_field(found).map(|at| &found[at]))
                .collect();
            let Some(next) = next else { continue };
            let ahead: Vec<&Found> = std::iter::once(first).chain(next).collect();
            if !word.prefix {
                any.push(self.side_by_side(word, &ahead, 1.0));
                continue;
            }
            let exact = last.iter().flatten().map(|found| (found, 1.0));
            let started = self.started(index, resolved);
            let started = started.map(|found| (found, WEIGHTS.expansion));
            let ends = exact
                .chain(started)
                .filter(|(found, _)| found.field == field);
            any.extend(ends.map(|(end, factor)| {
                let all: Vec<&Found> = ahead.iter().copied().chain([end]).collect();
                self.side_by_side(word, &all, factor)
            }));
        }
        any
    }

    fn side_by_side(&self, word: &Word, found: &[&Found], factor: f32) -> Form {
        let field = found[0].field;
        let tokens: Vec<_> = found.iter().map(|found| found.token.as_str()).collect();
        let weight = self
            .statistics
            .weight_in(field, &tokens, self.lengths(field));
        let offsets = word.tokens.iter().map(|(offset, _)| *offset as u32);
        Form {
            field,
            lengths: self.lengths(field),
            tokens: offsets
                .zip(found.iter().map(|found| found.places.clone()))
                .collect(),
            score: Worth::Bm25(weight).boosted(self.weight(field) * factor),
            label: self.label(field, "", &tokens.join(" ")),
        }
    }

    /// The form of one token.
    pub fn form(&self, found: &Found, factor: f32, kind: &str) -> Form {
        let lengths = self.lengths(found.field);
        let weight = self
            .statistics
            .weight_in(found.field, &[&found.token], lengths);
        Form {
            field: found.field,
            lengths,
            tokens: vec![(0, found.places.clone())],
            score: Worth::Bm25(weight).boosted(self.weight(found.field) * factor),
            label: self.label(found.field, kind, &found.token),
        }
    }

    /// The field whose lengths count for a field's words.
    fn lengths(&self, field: Field) -> Field {
        let fields = &self.asked.view.fields;
        match field {
            field if field == fields.tag => fields.name,
            field if field == fields.body => fields.wide,
            field => field,
        }
    }

    /// How much more an exact word of a field counts that has no stem to be found by too (numbers, codes).
    fn alone(&self, token: &str) -> impl Fn(Field) -> f32 + Copy + use<> {
        let body = self.asked.view.fields.body;
        let is_alone = stem(Language::ENGLISH, token).is_none() && !is_stop_word(token);
        let more = (WEIGHTS.stem + WEIGHTS.body) / WEIGHTS.body;
        move |field| if is_alone && field == body { more } else { 1.0 }
    }

    fn label(&self, field: Field, kind: &str, token: &str) -> String {
        let name = match field == self.asked.view.fields.wide {
            true => "stem",
            false => self.asked.view.searcher.schema().get_field_name(field),
        };
        format!("{kind}{token} in {name}")
    }

    fn weight(&self, field: Field) -> f32 {
        let fields = &self.asked.view.fields;
        match field {
            field if field == fields.name || field == fields.deleted_name => WEIGHTS.name,
            field if field == fields.wide_name || field == fields.tag => WEIGHTS.name,
            field if field == fields.wide => WEIGHTS.stem + WEIGHTS.body,
            field if field == fields.title => WEIGHTS.title,
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
                let sized = self.range(
                    Bound::Included(bytes(*from)),
                    Bound::Excluded(bytes(*until)),
                );
                // A folder's column says 0: it has none.
                let folder = Plan::Not(Box::new(Plan::Filter(Filter::Category("folder"))));
                Box::new(BooleanQuery::new(vec![
                    (Occur::Must, sized),
                    self.clause(&folder),
                ]))
            }
            Filter::Shared(Shared::No) => {
                let shared = Plan::Filter(Filter::Shared(Shared::Yes));
                let own = vec![
                    (Occur::Must, self.everything()),
                    self.clause(&Plan::Not(Box::new(shared))),
                ];
                Box::new(BooleanQuery::new(own))
            }
            Filter::In(_) | Filter::Owner(_) | Filter::Shared(_) => {
                match self.limits.areas.get(filter) {
                    Some(Some(area)) => self.area(area, 0.0),
                    _ => Box::new(EmptyQuery),
                }
            }
            Filter::Created(from, until) => {
                let ms = |seconds: i64| {
                    Term::from_field_i64(fields.created, seconds.saturating_mul(1000))
                };
                self.range(Bound::Included(ms(*from)), Bound::Excluded(ms(*until)))
            }
            Filter::Sent(from, until) => {
                let ms =
                    |seconds: i64| Term::from_field_i64(fields.sent, seconds.saturating_mul(1000));
                self.range(Bound::Included(ms(*from)), Bound::Excluded(ms(*until)))
            }
            Filter::Letter { part, text, prefix } => self.letters(*part, text, *prefix),
            Filter::Language(language) => self.equal(fields.language, language.number()),
            Filter::By(who) => {
                let people = self.limits.authors.get(who).into_iter().flatten();
                union(people.map(|who| self.equal(fields.author, who.0)).collect())
            }
            Filter::AsOf(until) => self.as_of(*until),
            Filter::Past => self.own(Box::new(self.past(i64::MAX))),
            Filter::HasText => {
                let outcomes = [Outcome::Text, Outcome::TooLarge { indexed_bytes: 0 }];
                union(outcomes.map(|outcome| self.outcome(&outcome)).into())
            }
            Filter::Outcome(code) => self.equal(fields.outcome, *code),
            Filter::HasLink => self.own(self.files(&self.limits.linked, 0.0)),
        }
    }

    /// What was the newest version of its file at a time, or a folder that was there.
    fn as_of(&self, until: i64) -> Compiled {
        let fields = &self.asked.view.fields;
        let ms = until.saturating_mul(1000);
        let rev = Rev::next(None, ms, 0).0;
        let stored = (
            Bound::Unbounded,
            Bound::Excluded(Term::from_field_u64(fields.rev, rev)),
        );
        let made = (
            Bound::Unbounded,
            Bound::Excluded(Term::from_field_i64(fields.created, ms)),
        );
        let clauses = vec![
            (Occur::Must, self.range(stored.0, stored.1)),
            (Occur::Must, self.range(made.0, made.1)),
            (
                Occur::MustNot,
                Box::new(Excluded(Box::new(self.past(ms)))) as Compiled,
            ),
        ];
        Box::new(BooleanQuery::new(clauses))
    }

    /// Old versions in whose place a newer one was before a time, milliseconds.
    fn past(&self, until_ms: i64) -> ConstScoreQuery {
        let until = self.asked.view.fields.until;
        let (from, end) = (
            Term::from_field_i64(until, i64::MIN),
            Term::from_field_i64(until, until_ms),
        );
        let range = RangeQuery::new(Bound::Included(from), Bound::Included(end));
        ConstScoreQuery::new(Box::new(range), 0.0)
    }

    /// Messages with all words of a text in a part of their heads.
    fn letters(&self, part: LetterPart, text: &str, prefix: bool) -> Compiled {
        let tokens = analyse::words(text, Mode::Query);
        let started = tokens
            .last()
            .filter(|last| prefix && last.end == text.len());
        let started = started.map(|last| last.position);
        let each = tokens.iter().map(|token| -> Compiled {
            let tag = match part {
                LetterPart::From => Tag::From(&token.text),
                LetterPart::To => Tag::To(&token.text),
                LetterPart::Subject => Tag::Subject(&token.text),
            };
            match started == Some(token.position) {
                true => Box::new(self.starting(tag)),
                false => self.tagged(tag),
            }
        });
        let mut each: Vec<_> = each.collect();
        match each.len() {
            0 => Box::new(EmptyQuery),
            1 => each.remove(0),
            _ => Box::new(BooleanQuery::intersection(each)),
        }
    }

    /// Everything with a tag that starts like this one.
    fn starting(&self, tag: Tag<'_>) -> Started {
        let namespaces = self.asked.namespaces.iter();
        let ranges = namespaces.map(|ns| {
            let terms = self.asked.terms(*ns);
            (*ns, terms.expansion(&tag.token()))
        });
        Started {
            commit: self.asked.commit.clone(),
            field: self.asked.view.fields.tag,
            ranges: Arc::new(ranges.collect()),
        }
    }

    /// Where extraction ended so.
    fn outcome(&self, outcome: &Outcome) -> Compiled {
        self.equal(self.asked.view.fields.outcome, outcome_code(outcome))
    }

    /// Where a column has this value.
    fn equal(&self, field: Field, value: u64) -> Compiled {
        let term = Term::from_field_u64(field, value);
        self.range(Bound::Included(term.clone()), Bound::Included(term))
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
        let flag = match (deleted, past::is_side(ns)) {
            (true, _) => FLAG_DELETED,
            (false, true) => FLAG_PAST,
            (false, false) => 0,
        };
        Box::new(Inside {
            commit: self.asked.commit.clone(),
            folders: folders.clone(),
            flag,
            score,
        })
    }

    /// What lies in an area.
    pub fn area(&self, area: &Area, score: f32) -> Compiled {
        let mine = |ns: &NamespaceId| self.asked.namespaces.contains(ns);
        let mut any = Vec::new();
        let both = |ns: NamespaceId| [ns, past::side_of(ns)];
        let places = area.ns.into_iter().flat_map(both).filter(mine);
        any.extend(places.map(|ns| self.inside(ns, &area.folders, score)));
        let whole = area.whole.iter().copied().flat_map(both).filter(mine);
        let whole: Vec<_> = whole.collect();
        if !whole.is_empty() {
            let all = self.tagged_in(&whole, self.asked.all());
            any.push(Box::new(ConstScoreQuery::new(all, score)));
        }
        if !area.files.is_empty() {
            any.push(self.own(self.files(&area.files, score)));
        }
        union(any)
    }

    fn files(&self, files: &[u64], score: f32) -> Compiled {
        let field = self.asked.view.fields.file;
        let terms = files.iter().map(|id| Term::from_field_u64(field, *id));
        constant(terms.collect(), score)
    }
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
