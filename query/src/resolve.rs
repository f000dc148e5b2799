//! Which of the query's terms one shard has: found once, so that a word in hundreds of namespaces costs nothing where it is absent.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use indexer::ShardView;
use indexer::analyse;
use indexer::term::{self, Tag, Terms};
use serde::{Deserialize, Serialize};
use storage::meta::NamespaceId;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, Searcher, TERMINATED, Term};

use crate::error::Result;
use crate::plan::{Planned, Word};
use crate::request::Status;
use crate::statistics::Statistics;

/// Words that one typed start may stand for; the most frequent ones.
pub const MAX_EXPANSIONS: usize = 64;
/// Dictionary entries looked at for one start, in one namespace, field and segment.
const MAX_SCANNED: usize = 4096;
/// A start of so many characters or fewer is looked for in names only.
const SHORT_START: usize = 2;
/// Documents whose length is looked at, for a shard's average.
const SAMPLED: u64 = 1024;

/// From how many of an account's namespaces in one shard on, single words are looked up in the two wide fields: once, not once a
/// namespace (docs/decisions/0001). What is found there is filtered by namespace before anything is counted.
const WIDE_FROM: usize = 16;
/// Stands for all namespaces in a [`Found`] of a wide field; no namespace has this number.
pub const EVERYWHERE: NamespaceId = NamespaceId(0);

/// A word found in a shard.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Found {
    /// Where.
    pub field: Field,
    /// In which namespace, or [`EVERYWHERE`].
    pub ns: NamespaceId,
    /// The token.
    pub token: String,
}

/// One word of the query in one shard.
#[derive(Debug, Default, Clone)]
pub struct Resolved {
    /// By token of the word: where it is.
    pub exact: Vec<Vec<Found>>,
    /// Where the stems of the tokens are.
    pub stems: Vec<Found>,
    /// What the started last token may stand for, with its documents.
    pub expansions: Vec<(Found, u64)>,
}

/// The tokens that started words may stand for, by word of the query; frozen in cursors.
pub type Expansions = BTreeMap<usize, Vec<String>>;

/// What a shard is asked with.
pub struct Asked<'a> {
    /// The shard's commit.
    pub view: &'a ShardView,
    /// The account's namespaces in it.
    pub namespaces: &'a [NamespaceId],
    /// Live or deleted files.
    pub status: Status,
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
}

/// Measured with `firefly eval relevance` (docs/benchmarks.md).
pub const WEIGHTS: Weights = Weights {
    name: 3.0,
    title: 1.5,
    body: 0.2,
    stem: 1.0,
    expansion: 0.5,
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

    /// True when a word is cheaper to look up in the wide fields, and can be: they have no phrases and no stop words.
    fn is_wide(&self, word: &Word) -> bool {
        let single = matches!(&word.tokens[..], [(_, token)] if analyse::wide(token).is_some());
        single
            && !word.quoted
            && self.status == Status::Active
            && self.namespaces.len() >= WIDE_FROM
    }

    /// Where a field's words may be.
    fn spaces(&self, field: Field) -> &[NamespaceId] {
        let fields = &self.view.fields;
        match field == fields.wide || field == fields.wide_name {
            true => &[EVERYWHERE],
            false => self.namespaces,
        }
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

    /// The dictionary keys of a field that start like `start`.
    fn starting(&self, ns: NamespaceId, start: &str) -> Range<Vec<u8>> {
        match ns {
            EVERYWHERE => start.as_bytes().to_vec()..storage::kv::prefix_end(start.as_bytes()),
            ns => self.terms(ns).expansion(start),
        }
    }

    /// The terms of a namespace.
    pub fn terms(&self, ns: NamespaceId) -> Terms<'_> {
        Terms::of(&self.view.fields, ns)
    }
}

/// Looks the words of a query up in one shard, and counts what BM25 needs.
pub fn resolve(asked: &Asked<'_>, planned: &Planned) -> Result<(Vec<Resolved>, Statistics)> {
    let mut statistics = Statistics::default();
    for ns in asked.namespaces {
        let term = asked.terms(*ns).tag(asked.all());
        statistics.add_documents(asked.view.searcher.doc_freq(&term)?);
    }
    lengths(asked, &mut statistics)?;
    let mut dictionary = Dictionary {
        asked,
        statistics,
        known: HashMap::new(),
    };
    let words = planned.words.iter().map(|word| dictionary.word(word));
    let words = words.collect::<Result<Vec<_>>>()?;
    Ok((words, dictionary.statistics))
}

/// What was looked up already: a word that is typed twice is counted once.
struct Dictionary<'a> {
    asked: &'a Asked<'a>,
    statistics: Statistics,
    known: HashMap<(Field, String), Vec<Found>>,
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
            for stem in word
                .tokens
                .iter()
                .filter_map(|(_, token)| analyse::stem(token))
            {
                resolved
                    .stems
                    .extend_from_slice(self.find(asked.view.fields.stem, &stem)?);
            }
        }
        if word.prefix {
            resolved.expansions = self.expand(&asked.fields(word), last)?;
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
        if let Some(stem) = analyse::wide(token).filter(|_| !word.names_only) {
            found.extend_from_slice(self.find(fields.wide, &stem)?);
            searched.push(fields.wide);
        }
        resolved.exact.push(found);
        if word.prefix {
            resolved.expansions = self.expand(&searched, token)?;
        }
        Ok(resolved)
    }

    fn expand(&mut self, fields: &[Field], start: &str) -> Result<Vec<(Found, u64)>> {
        let expansions = expand(self.asked, fields, start)?;
        for (found, documents) in &expansions {
            self.statistics
                .add_frequency(found.field, &found.token, *documents);
        }
        Ok(expansions)
    }

    /// The namespaces that have `token` in `field`.
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
        let segments = asked.view.searcher.segment_readers().iter();
        let inverted: Vec<_> = segments
            .map(|segment| segment.inverted_index(field))
            .collect::<tantivy::Result<_>>()?;
        let mut found = Vec::new();
        for &ns in asked.spaces(field) {
            let term = asked.term(field, ns, token);
            let mut documents = 0;
            for inverted in &inverted {
                documents += u64::from(inverted.doc_freq(&term)?);
            }
            if documents > 0 {
                self.statistics.add_frequency(field, token, documents);
                found.push(Found {
                    field,
                    ns,
                    token: token.to_owned(),
                });
            }
        }
        Ok(found)
    }
}

/// The words that start like `start`, most frequent first.
fn expand(asked: &Asked<'_>, fields: &[Field], start: &str) -> Result<Vec<(Found, u64)>> {
    let mut counted: HashMap<Found, u64> = HashMap::new();
    let short = start.chars().count() <= SHORT_START && start.is_ascii();
    let known = &asked.view.fields;
    let names = [known.name, known.deleted_name, known.wide_name];
    for &field in fields
        .iter()
        .filter(|field| !short || names.contains(field))
    {
        for segment in asked.view.searcher.segment_readers() {
            let inverted = segment.inverted_index(field)?;
            for &ns in asked.spaces(field) {
                let range = asked.starting(ns, start);
                let mut stream = inverted
                    .terms()
                    .range()
                    .ge(range.start)
                    .lt(range.end)
                    .into_stream()?;
                let mut scanned = 0;
                while scanned < MAX_SCANNED && stream.advance() {
                    scanned += 1;
                    let token = match ns {
                        EVERYWHERE => std::str::from_utf8(stream.key()).ok(),
                        _ => term::parse(stream.key()).map(|(_, token)| token),
                    };
                    if let Some(token) = token.filter(|token| *token != start) {
                        let found = Found {
                            field,
                            ns,
                            token: token.to_owned(),
                        };
                        *counted.entry(found).or_default() += u64::from(stream.value().doc_freq);
                    }
                }
            }
        }
    }
    let kept = most_frequent(
        counted
            .iter()
            .map(|(found, documents)| (found.token.as_str(), *documents)),
    );
    let kept: std::collections::HashSet<String> = kept.into_iter().collect();
    Ok(counted
        .into_iter()
        .filter(|(found, _)| kept.contains(&found.token))
        .collect())
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

/// Samples how long the account's own documents are.
fn lengths(asked: &Asked<'_>, statistics: &mut Statistics) -> Result<()> {
    let fields = &asked.view.fields;
    let (per_namespace, mut left) = (
        SAMPLED
            .div_ceil(asked.namespaces.len().max(1) as u64)
            .max(8),
        SAMPLED,
    );
    let sampled = [
        fields.body,
        fields.stem,
        fields.name,
        fields.title,
        fields.wide,
        fields.wide_name,
    ];
    for &ns in asked.namespaces {
        if left == 0 {
            return Ok(());
        }
        let term = asked.terms(ns).tag(Tag::Live);
        let seen = sample(
            &asked.view.searcher,
            &term,
            per_namespace.min(left),
            &sampled,
            statistics,
        )?;
        left = left.saturating_sub(seen);
    }
    Ok(())
}

fn sample(
    searcher: &Searcher,
    term: &Term,
    most: u64,
    fields: &[Field],
    statistics: &mut Statistics,
) -> Result<u64> {
    let mut seen = 0;
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(term.field())?;
        let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::Basic)? else {
            continue;
        };
        if postings.doc_freq() == 0 {
            continue;
        }
        let norms: Vec<_> = fields
            .iter()
            .map(|field| Ok((*field, segment.get_fieldnorms_reader(*field)?)))
            .collect::<tantivy::Result<_>>()?;
        let mut doc = postings.doc();
        while doc != TERMINATED && seen < most {
            for (field, norms) in &norms {
                let words = norms.fieldnorm(doc);
                if words > 0 {
                    statistics.add_length(*field, 1, u64::from(words));
                }
            }
            seen += 1;
            doc = postings.advance();
        }
    }
    Ok(seen)
}
