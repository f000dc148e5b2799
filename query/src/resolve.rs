//! Which of the query's terms one shard has, and where their postings are: each dictionary is asked once.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexer::ShardView;
use indexer::analyse::{self, Language};
use indexer::document::MAX_START;
use indexer::past;
use indexer::term::{self, Tag, Terms};
use serde::{Deserialize, Serialize};
use storage::meta::NamespaceId;
use tantivy::postings::TermInfo;
use tantivy::schema::Field;
use tantivy::{DocId, InvertedIndexReader, Term};

use crate::error::Result;
use crate::plan::{Planned, Word};
use crate::request::Status;
use crate::segment::{self, Commit};
use crate::starts::{MAX_CANDIDATES, started};
use crate::statistics::Statistics;

/// Words that one typed start may stand for; the most frequent ones.
pub const MAX_EXPANSIONS: usize = 64;

/// From how many of an account's namespaces in one shard on, single words are looked up in the two wide fields: once, not once a
/// namespace (docs/decisions/0001). What is found there is filtered by namespace before anything is counted.
pub const WIDE_FROM: usize = term::WIDE_FROM;
/// Stands for all namespaces in a [`Place`] of a wide field; no namespace has this number.
pub const EVERYWHERE: NamespaceId = NamespaceId(0);

/// A word found in a shard.
#[derive(Debug, Clone)]
pub struct Found {
    /// In which field.
    pub field: Field,
    /// The token.
    pub token: String,
    /// Documents that have it.
    pub documents: u64,
    /// Where its postings are.
    pub places: Arc<Vec<Place>>,
}

/// Postings of a token in one segment.
#[derive(Debug, Clone)]
pub struct Place {
    /// The segment's number in its commit.
    pub segment: usize,
    /// Whose they are, or [`EVERYWHERE`].
    pub ns: NamespaceId,
    /// The postings.
    pub postings: Listed,
}

/// A list of postings.
#[derive(Debug, Clone)]
pub enum Listed {
    /// Where the index has it.
    At(TermInfo),
    /// What of it is in the account's own documents: each with how often it has the token.
    Own(Vec<(DocId, u32)>),
}

impl Listed {
    /// How many there are.
    pub fn count(&self) -> u64 {
        match self {
            Listed::At(info) => info.doc_freq.into(),
            Listed::Own(own) => own.len() as u64,
        }
    }
}

/// One word of the query in one shard.
#[derive(Debug, Default, Clone)]
pub struct Resolved {
    /// By token of the word: where it is, by field.
    pub exact: Vec<Vec<Found>>,
    /// Where the stems of the tokens are.
    pub stems: Vec<Found>,
    /// What the started last token may stand for, the most frequent first.
    pub expansions: Vec<Found>,
    /// Words that were meant, if the word is a typo.
    pub similar: Vec<Found>,
    /// The start stands for more words than were looked at.
    pub is_cut: bool,
}

impl Resolved {
    /// Everything that was found.
    pub fn all(&self) -> impl Iterator<Item = &Found> {
        let exact = self.exact.iter().flatten();
        let forms = exact.chain(&self.stems).chain(&self.expansions);
        forms.chain(&self.similar)
    }

    /// The word in some fields alone, without its stems.
    pub fn only_in(&self, fields: &[Field]) -> Resolved {
        let only = |found: &[Found]| -> Vec<Found> {
            let kept = found.iter().filter(|found| fields.contains(&found.field));
            kept.cloned().collect()
        };
        Resolved {
            exact: self.exact.iter().map(|found| only(found)).collect(),
            expansions: only(&self.expansions),
            similar: only(&self.similar),
            ..Resolved::default()
        }
    }
}

/// The tokens that started words may stand for, by word of the query; frozen in cursors.
pub type Expansions = BTreeMap<usize, Vec<String>>;

/// What a shard is asked with.
pub struct Asked<'a> {
    /// The shard's commit.
    pub view: &'a ShardView,
    /// Its segments.
    pub commit: &'a Arc<Commit>,
    /// The account's namespaces in it.
    pub namespaces: &'a [NamespaceId],
    /// Live or deleted files.
    pub status: Status,
    /// Words that starts stand for are wanted as they are written, to be shown: stems will not do.
    pub spelled: bool,
}

/// How much one field counts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Weights {
    /// Words of the name.
    pub name: f32,
    /// Words of title and author.
    pub title: f32,
    /// Exact words of the text.
    pub body: f32,
    /// Stems of the text.
    pub stem: f32,
    /// A word that only starts with what was typed, against the whole word.
    pub expansion: f32,
    /// Such a word that is none of the most frequent ones: always the same.
    pub rest: f32,
    /// A word that is meant, if what was typed is a typo.
    pub similar: f32,
}

/// Measured with `firefly eval relevance` (docs/benchmarks.md).
pub const WEIGHTS: Weights = Weights {
    name: 3.0,
    title: 1.5,
    body: 0.2,
    stem: 1.0,
    expansion: 0.5,
    rest: 0.5,
    similar: 0.7,
};

impl Asked<'_> {
    /// The fields that words are looked for in.
    pub fn fields(&self, word: &Word) -> Vec<Field> {
        let fields = &self.view.fields;
        match (self.status, word.names_only) {
            (Status::Deleted, _) => vec![fields.deleted_name],
            (Status::Active, true) => vec![fields.name],
            (Status::Active, false) => vec![fields.name, fields.title, fields.body],
        }
    }

    /// The tag of everything that is asked for.
    pub fn all(&self) -> Tag<'static> {
        match self.status {
            Status::Active => Tag::Live,
            Status::Deleted => Tag::Deleted,
        }
    }

    /// The tag that stands for all names with a word that starts as a short one does.
    fn start(&self, word: &Word) -> Option<String> {
        let (_, token) = word.tokens.first().filter(|_| word.tokens.len() == 1)?;
        let has_tag = token.is_ascii() && token.len() <= MAX_START && self.status == Status::Active;
        has_tag.then(|| Tag::Start(token).token())
    }

    /// How many namespaces there are to ask in; few where old versions are asked for, which the wide fields do not have.
    pub fn many(&self) -> usize {
        match self.namespaces.last() {
            Some(last) if past::is_side(*last) => 0,
            _ => self.namespaces.len(),
        }
    }

    /// True when a word is cheaper to look up in the wide fields, and can be: they have no phrases and no stop words.
    pub fn is_wide(&self, word: &Word) -> bool {
        is_wide(word, self.status, self.many())
    }

    /// The fields that a word's own forms are looked up in.
    pub fn searched(&self, word: &Word) -> Vec<Field> {
        let fields = &self.view.fields;
        match (self.is_wide(word), word.names_only) {
            (false, _) => self.fields(word),
            (true, true) => vec![fields.wide_name],
            (true, false) => vec![fields.wide_name, fields.wide],
        }
    }

    /// Where a field's words may be in a segment.
    pub fn spaces<'p>(&self, part: &'p segment::Part, field: Field) -> &'p [NamespaceId] {
        let fields = &self.view.fields;
        match field == fields.wide || field == fields.wide_name {
            true => &[EVERYWHERE],
            false => &part.present,
        }
    }

    /// What of a list of a wide field is the account's; all of it for whoever has very many namespaces.
    fn own(
        &self,
        part: &segment::Part,
        inverted: &InvertedIndexReader,
        info: TermInfo,
    ) -> Result<Listed> {
        if self.many() >= WIDE_FROM {
            return Ok(Listed::At(info));
        }
        let own = part.own().among(inverted, &info)?;
        Ok(own.map_or(Listed::At(info), Listed::Own))
    }

    /// The term of a found word.
    pub fn term(&self, field: Field, ns: NamespaceId, token: &str) -> Term {
        let fields = &self.view.fields;
        match ns {
            EVERYWHERE if field == fields.wide_name => term::wide_name(fields, token),
            EVERYWHERE => term::wide(fields, token),
            ns => self.terms(ns).text(field, token),
        }
    }

    /// The terms of a namespace.
    pub fn terms(&self, ns: NamespaceId) -> Terms<'_> {
        Terms::of(&self.view.fields, ns)
    }
}

/// True when a word is looked up in the wide fields by whoever has so many namespaces in a shard.
pub fn is_wide(word: &Word, status: Status, namespaces: usize) -> bool {
    let in_texts = |token| !word.quoted && !analyse::wide(&[], token).is_empty();
    // Names have every word as it is in their wide field.
    let single = matches!(&word.tokens[..], [(_, token)] if word.names_only || in_texts(token));
    single && status == Status::Active && namespaces >= WIDE_FROM
}

/// Looks the words of a query up in one shard, and counts what BM25 needs.
pub fn resolve(asked: &Asked<'_>, planned: &Planned) -> Result<(Vec<Resolved>, Statistics)> {
    let mut dictionary = Dictionary {
        asked,
        statistics: counted(asked),
        languages: asked.commit.languages(),
        known: HashMap::new(),
    };
    let words = planned.words.iter().map(|word| dictionary.word(word));
    let words = words.collect::<Result<Vec<_>>>()?;
    Ok((words, dictionary.statistics))
}

/// How many documents the account has in a shard, and how long they are.
fn counted(asked: &Asked<'_>) -> Statistics {
    let mut statistics = Statistics::default();
    for part in &asked.commit.segments {
        let present = part.present.iter();
        for space in present.filter_map(|ns| part.segment.space(*ns)) {
            let documents = match asked.status {
                Status::Active => space.live,
                Status::Deleted => space.deleted,
            };
            statistics.add_documents((documents as f64 * part.alive).ceil() as u64);
            for (field, documents, words) in part.segment.lengths(space) {
                statistics.add_length(field, documents, words);
            }
        }
    }
    statistics
}

/// What was looked up already: a word that is typed twice is counted once.
struct Dictionary<'a> {
    asked: &'a Asked<'a>,
    statistics: Statistics,
    languages: Vec<Language>,
    known: HashMap<(Field, String), Vec<Found>>,
}

/// Looks stems up in one shard.
pub fn resolve_stems(asked: &Asked<'_>, stems: &[String]) -> Result<Vec<Found>> {
    let mut dictionary = Dictionary {
        asked,
        statistics: Statistics::default(),
        languages: Vec::new(),
        known: HashMap::new(),
    };
    let mut found = Vec::new();
    for stem in stems {
        found.extend_from_slice(dictionary.find(asked.view.fields.wide, stem)?);
    }
    Ok(found)
}

impl Dictionary<'_> {
    fn word(&mut self, word: &Word) -> Result<Resolved> {
        let asked = self.asked;
        if asked.is_wide(word) {
            return self.wide(word);
        }
        let mut resolved = Resolved::default();
        for (_, token) in &word.tokens {
            let mut found = Vec::new();
            for field in asked.fields(word) {
                found.extend_from_slice(self.find(field, token)?);
            }
            resolved.exact.push(found);
        }
        let Some((_, last)) = word.tokens.last() else {
            return Ok(resolved);
        };
        if !word.quoted && !word.names_only && asked.status == Status::Active {
            let stems = |(_, token): &(usize, String)| analyse::stems(&self.languages, token);
            let stems: Vec<String> = word.tokens.iter().flat_map(stems).collect();
            for stem in stems {
                resolved
                    .stems
                    .extend_from_slice(self.find(asked.view.fields.wide, &stem)?);
            }
        }
        if word.prefix {
            match asked.start(word) {
                Some(start) => {
                    resolved.expansions = self.find(asked.view.fields.tag, &start)?.to_vec()
                }
                None => self.expand(word, &asked.fields(word), last, &mut resolved)?,
            }
        }
        Ok(resolved)
    }

    /// A single word in the wide fields: names have it as it is, texts have its stem.
    fn wide(&mut self, word: &Word) -> Result<Resolved> {
        let fields = &self.asked.view.fields;
        let mut resolved = Resolved::default();
        let Some((_, token)) = word.tokens.first() else {
            return Ok(resolved);
        };
        let mut found = self.find(fields.wide_name, token)?.to_vec();
        let mut searched = vec![fields.wide_name];
        if !word.names_only {
            for stem in analyse::wide(&self.languages, token) {
                found.extend_from_slice(self.find(fields.wide, &stem)?);
            }
            searched.push(fields.wide);
        }
        resolved.exact.push(found);
        if word.prefix {
            match self.asked.start(word) {
                Some(start) => resolved.expansions = self.find(fields.tag, &start)?.to_vec(),
                None => self.expand(word, &searched, token, &mut resolved)?,
            }
        }
        Ok(resolved)
    }

    fn expand(
        &mut self,
        word: &Word,
        fields: &[Field],
        start: &str,
        resolved: &mut Resolved,
    ) -> Result<()> {
        (resolved.expansions, resolved.is_cut) = started(self.asked, word, fields, start)?;
        for found in resolved.expansions.iter().take(MAX_CANDIDATES) {
            self.statistics
                .add_frequency(found.field, &found.token, found.documents);
        }
        Ok(())
    }

    /// Where `token` is in `field`; at most one.
    fn find(&mut self, field: Field, token: &str) -> Result<&[Found]> {
        let key = (field, token.to_owned());
        if !self.known.contains_key(&key) {
            let found = self.look(field, token)?;
            self.known.insert(key.clone(), found);
        }
        Ok(self.known.get(&key).map_or(&[], Vec::as_slice))
    }

    fn look(&mut self, field: Field, token: &str) -> Result<Vec<Found>> {
        let asked = self.asked;
        let (mut places, mut documents) = (Vec::new(), 0);
        for (segment, part) in asked.commit.segments.iter().enumerate() {
            let Some(inverted) = part.segment.inverted(field) else {
                continue;
            };
            for &ns in asked.spaces(part, field) {
                let term = asked.term(field, ns, token);
                let Some(info) = inverted.get_term_info(&term)? else {
                    continue;
                };
                let postings = match field == asked.view.fields.wide {
                    true => asked.own(part, inverted, info)?,
                    false => Listed::At(info),
                };
                documents += postings.count();
                places.push(Place {
                    segment,
                    ns,
                    postings,
                });
            }
        }
        if documents == 0 {
            return Ok(Vec::new());
        }
        self.statistics.add_frequency(field, token, documents);
        Ok(vec![Found {
            field,
            token: token.to_owned(),
            documents,
            places: Arc::new(places),
        }])
    }
}

/// Where the exact word and the stem of `token` are that is meant by `word`.
pub fn meant(asked: &Asked<'_>, word: &Word, token: &str) -> Result<(Vec<Found>, Statistics)> {
    let mut dictionary = Dictionary {
        asked,
        statistics: Statistics::default(),
        languages: asked.commit.languages(),
        known: HashMap::new(),
    };
    let mut found = Vec::new();
    for field in asked.searched(word) {
        found.extend_from_slice(dictionary.find(field, token)?);
    }
    let has_stems = !word.names_only && asked.status == Status::Active && !asked.is_wide(word);
    let stems = analyse::stems(&dictionary.languages, token);
    for stem in stems.iter().filter(|_| has_stems) {
        found.extend_from_slice(dictionary.find(asked.view.fields.wide, stem)?);
    }
    Ok((found, dictionary.statistics))
}

/// The [`MAX_EXPANSIONS`] tokens that are in most documents.
pub fn most_frequent<'a>(tokens: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let mut sums: HashMap<&str, u64> = HashMap::new();
    for (token, documents) in tokens {
        *sums.entry(token).or_default() += documents;
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    sums.into_iter()
        .take(MAX_EXPANSIONS)
        .map(|(token, _)| token.to_owned())
        .collect()
}
