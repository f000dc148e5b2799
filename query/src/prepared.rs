//! A search that is ready to run: planned, its words looked up in every shard, its weights and folders known.

use std::cell::OnceCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indexer::document::OUTCOMES;
use indexer::shard::shard_of;
use storage::meta::{Actor, NamespaceId};
use time::OffsetDateTime;

use crate::collect::{Key, Matches};
use crate::cursor::MAX_EXTENSIONS;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::fan::Fan;
use crate::feedback;
use crate::highlight::Needles;
use crate::lately::Lately;
use crate::leg::{Leg, Opening, Wanted, Weighed};
use crate::limits::{BELOW, Lookup};
use crate::parse::{self, Clause, Filter};
use crate::people::People;
use crate::plan::{MAX_TOKENS, Planned, Word, plan};
use crate::request::{MAX_HITS, Members, Order, Request, Status};
use crate::resolve::{Expansions, is_wide, most_frequent};
use crate::scope;
use crate::segment::Covered;
use crate::statistics::Statistics;

/// A search that is ready to run.
pub struct Prepared<'a> {
    /// The plan.
    pub planned: Planned,
    /// Live or deleted files.
    pub status: Status,
    /// The shards.
    pub legs: Vec<Box<dyn Leg>>,
    /// What all of them search with.
    pub weighed: Weighed,
    /// What was asked.
    pub request: &'a Request,
    /// Old versions are looked through too.
    pub versions: bool,
    /// What counts beside words; none where nothing does.
    pub lately: Option<Lately>,
    /// The search's clock.
    pub now: OffsetDateTime,
    /// When to stop.
    pub deadline: Instant,
    fan: Arc<Fan>,
    missing: Missing,
}

/// Namespaces that were searched only in part, or not at all.
#[derive(Default)]
struct Missing {
    namespaces: Mutex<BTreeSet<NamespaceId>>,
}

impl Missing {
    fn add(&self, namespaces: &[NamespaceId]) {
        let mut missing = self
            .namespaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        missing.extend(namespaces);
    }
}

impl Engine {
    /// Everything that has to be known before the search itself.
    pub(crate) fn prepare<'a>(
        &self,
        actor: Actor,
        request: &'a Request,
        query: &parse::Query,
        now: OffsetDateTime,
        deadline: Instant,
    ) -> Result<Prepared<'a>> {
        let view = self.sources().meta.view(actor.account)?;
        let mut namespaces = scope::namespaces(&view, actor.root)?;
        namespaces.sort_unstable();
        let status = match query.deleted {
            true => Status::Deleted,
            false => request.status,
        };
        let planned = plan(&query.clause, request.filename_only);
        let versions = query.versions && status == Status::Active;
        let opening = Opening {
            planned: Planned {
                needles: Needles::default(),
                ..planned.clone()
            },
            status,
            versions,
            spelled: request.spelled,
        };
        let (legs, missing) = self.legs(opening, &namespaces, deadline)?;
        let lookup = Lookup {
            people: People::new(&self.sources().meta, actor),
            view: &view,
            root: actor.root,
            namespaces: &namespaces,
            legs: &legs,
            deadline,
            status,
            mounts: OnceCell::new(),
        };
        let limits = lookup.limits(&query.clause, request.below.as_ref())?;
        let mut statistics = Statistics::default();
        for leg in &legs {
            statistics.merge(leg.statistics().clone());
        }
        let expansions = expansions(&planned, &legs);
        statistics.keep(&planned, &expansions);
        let mut prepared = Prepared {
            planned,
            status,
            legs,
            weighed: Weighed {
                statistics,
                expansions,
                limits,
                ..Weighed::default()
            },
            request,
            versions,
            lately: None,
            now,
            deadline,
            fan: self.fan().clone(),
            missing,
        };
        if !request.filename_only {
            prepared.weighed.folders = prepared.named_folders(&view)?;
        }
        Ok(prepared)
    }

    /// The namespaces by the shards that hold them.
    pub(crate) fn by_shard(&self, namespaces: &[NamespaceId]) -> Vec<(u16, Vec<NamespaceId>)> {
        let shards = self.shards().count();
        let mut owned: Vec<(u16, Vec<NamespaceId>)> =
            (0..shards).map(|shard| (shard, Vec::new())).collect();
        for &ns in namespaces {
            if let Some((_, here)) = owned.get_mut(usize::from(shard_of(ns, shards))) {
                here.push(ns);
            }
        }
        owned.retain(|(_, here)| !here.is_empty());
        owned
    }

    /// The shards that hold the namespaces, with exclusions moved to their logs' heads (I5), and what they cannot say.
    fn legs(
        &self,
        opening: Opening,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> Result<(Vec<Box<dyn Leg>>, Missing)> {
        let (opening, missing) = (Arc::new(opening), Missing::default());
        let opened = self
            .fan()
            .each(&self.by_shard(namespaces), |(shard, here)| {
                match self.shards().open(*shard, &opening, here.clone(), deadline) {
                    Ok(leg) => {
                        if !leg.is_complete() {
                            missing.add(here);
                        }
                        Ok(Some(leg))
                    }
                    Err(Error::Unreachable { shard, why }) => {
                        tracing::debug!(shard, why, "a search goes without a shard");
                        missing.add(here);
                        Ok(None)
                    }
                    Err(error) => Err(error),
                }
            })?;
        Ok((opened.into_iter().flatten().collect(), missing))
    }
}

impl Prepared<'_> {
    /// What `ask` gives for each shard that answers, in the order of their numbers.
    pub fn ask<R: Send>(
        &self,
        ask: impl Fn(&dyn Leg) -> Result<R> + Sync + Send,
    ) -> Result<Vec<R>> {
        let answers = self
            .fan
            .each(&self.legs, |leg| self.ask_one(&**leg, &ask))?;
        Ok(answers.into_iter().flatten().collect())
    }

    /// What `ask` gives; none when the shard does not answer any more: the answer is partial then.
    pub fn ask_one<R>(
        &self,
        leg: &dyn Leg,
        ask: impl Fn(&dyn Leg) -> Result<R>,
    ) -> Result<Option<R>> {
        match ask(leg) {
            Err(Error::Unreachable { shard, why }) => {
                tracing::debug!(shard, why, "a search goes on without a shard");
                self.missing.add(leg.namespaces());
                Ok(None)
            }
            answer => answer.map(Some),
        }
    }

    /// Namespaces that were searched only in part, or not at all.
    pub fn missing(&self) -> Vec<NamespaceId> {
        let missing = self.missing.namespaces.lock();
        let missing = missing.unwrap_or_else(PoisonError::into_inner);
        missing.iter().copied().collect()
    }

    /// Searches all shards: the first `limit` keys after `after`; `relaxed` demands only some of the words.
    pub fn search(&self, after: Option<&Key>, limit: usize, relaxed: bool) -> Result<Matches> {
        let wanted = Wanted {
            relaxed,
            order: self.request.order,
            after: after.cloned(),
            limit,
            members: self.members(),
            newest: self.versions,
            facets: self.request.facets,
            places: self.request.places,
            now_ms: self.now_ms(),
            lately: self.lately.clone(),
        };
        let mut all = Matches::default();
        for matches in self.ask(|leg| leg.search(&self.weighed, &wanted, self.deadline))? {
            all.merge(matches, limit);
        }
        Ok(all)
    }

    /// What becomes of members: they match by words, or by what only messages have.
    fn members(&self) -> Members {
        let is_asked = !self.planned.needles.is_empty() || self.planned.asks_letters;
        match is_asked && !self.request.filename_only {
            true => self.request.members,
            false => Members::None,
        }
    }

    /// True when hits are ordered by what their words are worth.
    pub fn is_ranked(&self) -> bool {
        self.request.order == Order::Relevance && self.status == Status::Active
    }

    /// Has what the account did lately count.
    pub fn note_lately(&mut self, actor: Actor, opened: &[u64]) {
        let account = actor.account.0;
        let lately = Lately::of(self.request.lately, account, opened, self.now_ms());
        self.lately = lately.filter(|_| self.is_ranked());
    }

    /// The search's clock, milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.now.unix_timestamp() * 1000
    }

    /// Hits on a page.
    pub fn limit(&self) -> usize {
        self.request.max_results.clamp(1, MAX_HITS)
    }

    /// The account's files as the shards' last commits have them.
    pub fn covered(&self) -> Result<Covered> {
        let mut sum = Covered::default();
        for leg in &self.legs {
            crate::coverage::add(&mut sum, leg.covered()?);
        }
        Ok(sum)
    }

    /// Looks up what the best files of a question are about, and takes the telling ones of these stems as more words.
    pub fn learn(&mut self, candidates: Vec<(String, f64)>) -> Result<()> {
        let stems: Vec<_> = candidates.iter().map(|(stem, _)| stem.clone()).collect();
        let counted = self.stems(&stems)?;
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for (_, stem, documents) in &counted {
            *counts.entry(stem).or_default() += documents;
        }
        let documents = self.weighed.statistics.documents();
        let frequency = |stem: &str| counts.get(stem).copied().unwrap_or(0);
        let chosen = feedback::chosen(candidates, documents, frequency);
        self.add_feedback(chosen, &counted);
        Ok(())
    }

    /// The same with stems that were chosen already.
    pub fn recall(&mut self, chosen: Vec<(String, f32)>) -> Result<()> {
        let stems: Vec<_> = chosen.iter().map(|(stem, _)| stem.clone()).collect();
        let counted = self.stems(&stems)?;
        self.add_feedback(chosen, &counted);
        Ok(())
    }

    fn stems(&self, stems: &[String]) -> Result<Vec<Counted>> {
        if stems.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.ask(|leg| leg.stems(stems, self.deadline))?;
        Ok(found.into_iter().flatten().collect())
    }

    fn add_feedback(&mut self, chosen: Vec<(String, f32)>, counted: &[Counted]) {
        let mut statistics = Statistics::default();
        for (field, stem, documents) in counted {
            statistics.add_frequency(*field, stem, *documents);
        }
        self.weighed.statistics.complete(statistics);
        self.weighed.feedback = chosen;
    }

    /// True when a start stands for more words than were looked at: there may be more hits.
    pub fn is_cut(&self) -> bool {
        self.any_word(|leg, index| leg.word(index).is_cut)
    }

    /// True when words were looked up in everybody's, who may have other words and counts than this account.
    pub fn is_wide(&self) -> bool {
        let has_other_forms = self.weighed.similar.keys();
        let mut similar = has_other_forms.map(|index| &self.planned.words[*index]);
        self.any_word(|leg, index| leg.word(index).is_wide)
            || similar.any(|word| self.is_wide_word(word))
    }

    /// True when a word is looked up in everybody's somewhere.
    pub fn is_wide_word(&self, word: &Word) -> bool {
        let mut legs = self.legs.iter();
        !self.versions && legs.any(|leg| is_wide(word, self.status, leg.namespaces().len()))
    }

    fn any_word(&self, says: impl Fn(&dyn Leg, usize) -> bool) -> bool {
        let words = 0..self.planned.words.len();
        let of_leg = |leg: &dyn Leg| words.clone().any(|index| says(leg, index));
        self.legs.iter().any(|leg| of_leg(&**leg))
    }

    /// Remarks on words that were left out, and on folders that limit the search.
    pub fn warnings(&self) -> Vec<String> {
        let cut = self
            .planned
            .is_cut
            .then(|| format!("only the first {MAX_TOKENS} words were searched"));
        let said = "there is no letter or digit in this to search for; all files are shown";
        let blank = self.planned.is_blank.then(|| said.to_owned());
        let limits = self.weighed.limits.warnings();
        cut.into_iter().chain(blank).chain(limits).collect()
    }
}

/// A stem in a field of some documents.
type Counted = (tantivy::schema::Field, String, u64);

/// The query with the request's own limits added.
pub fn narrowed(mut query: parse::Query, request: &Request) -> parse::Query {
    let mut sides = vec![query.clause];
    let any = |filters: Vec<Clause>| {
        if filters.is_empty() {
            Clause::All
        } else {
            Clause::Or(filters)
        }
    };
    sides.push(any(request
        .extensions
        .iter()
        .take(MAX_EXTENSIONS)
        .map(|e| Clause::Filter(Filter::Extension(e.clone())))
        .collect()));
    let known = parse::CATEGORIES
        .into_iter()
        .filter(|known| request.categories.iter().any(|c| c == known));
    sides.push(any(known
        .map(|category| Clause::Filter(Filter::Category(category)))
        .collect()));
    let outcomes = (0..).zip(OUTCOMES);
    let outcomes: Vec<_> = outcomes
        .filter(|(_, known)| request.outcomes.iter().any(|word| word == known))
        .map(|(code, _)| Clause::Filter(Filter::Outcome(code)))
        .collect();
    if !outcomes.is_empty() {
        let folder = Clause::Filter(Filter::Category("folder"));
        sides.push(any(outcomes));
        sides.push(Clause::Not(Box::new(folder)));
    }
    if request.below.is_some() {
        sides.push(Clause::Filter(Filter::In(BELOW.into())));
    }
    let mut flat = Vec::new();
    for side in sides {
        match side {
            Clause::All => {}
            Clause::And(inner) => flat.extend(inner),
            other => flat.push(other),
        }
    }
    query.clause = match flat.len() {
        0 => Clause::All,
        1 => flat.remove(0),
        _ => Clause::And(flat),
    };
    query
}

/// What the started words stand for over all shards.
fn expansions(planned: &Planned, legs: &[Box<dyn Leg>]) -> Expansions {
    let words = planned.words.iter().enumerate();
    let started = words.filter(|(_, word)| word.prefix);
    let stands_for = started.map(|(index, _)| {
        let found = legs.iter().flat_map(|leg| leg.started(index));
        (index, most_frequent(found))
    });
    stands_for.collect()
}
