//! A search that is ready to run: planned, its words looked up in every shard, its weights and folders known.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use indexer::ShardView;
use indexer::document::OUTCOMES;
use storage::meta::{Actor, NamespaceId};
use tantivy::query::Query;
use time::OffsetDateTime;

use crate::collect::{Key, Matches, Page};
use crate::compile::Compiler;
use crate::cursor::MAX_EXTENSIONS;
use crate::engine::Engine;
use crate::error::Result;
use crate::fan::each;
use crate::feedback;
use crate::limits::{BELOW, Limits, Lookup};
use crate::parse::{self, Clause, Filter};
use crate::people::People;
use crate::plan::{MAX_TOKENS, Planned, plan};
use crate::request::{MAX_HITS, Members, Request, Status};
use crate::resolve::{
    Asked, EVERYWHERE, Expansions, Found, MAX_EXPANSIONS, Resolved, WIDE_FROM, most_frequent,
    resolve, resolve_stems,
};
use crate::scope::{self, Area};
use crate::segment::Commit;
use crate::statistics::Statistics;

/// One shard's part of a search.
pub struct Part {
    /// Its commit.
    pub view: ShardView,
    /// The account's namespaces in it, in order.
    pub namespaces: Vec<NamespaceId>,
    /// The commit's segments.
    pub commit: Arc<Commit>,
    /// The query's words in it.
    pub resolved: Vec<Resolved>,
    /// Stems that the best files are about.
    pub feedback: Vec<(Found, f32)>,
}

/// A search that is ready to run.
pub struct Prepared<'a> {
    /// The plan.
    pub planned: Planned,
    /// Live or deleted files.
    pub status: Status,
    /// The shards.
    pub parts: Vec<Part>,
    /// False when a shard cannot answer.
    pub complete: bool,
    /// What words are weighed with.
    pub statistics: Statistics,
    /// What started words stand for.
    pub expansions: Expansions,
    /// What mistyped words stand for.
    pub similar: Expansions,
    /// Stems that the best files are about, with their shares ([`crate::feedback`]); they count where words are relaxed.
    pub feedback: Vec<(String, f32)>,
    /// What lies below folders whose name has a word, by word.
    pub folders: HashMap<usize, Vec<Area>>,
    /// The folders that limit the search.
    pub limits: Limits,
    /// What was asked.
    pub request: &'a Request,
    /// The search's clock.
    pub now: OffsetDateTime,
    /// When to stop.
    pub deadline: Instant,
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
        let (mut parts, complete) = self.parts(&namespaces, deadline)?;
        let lookup = Lookup {
            people: People::new(&self.sources().meta, actor),
            view: &view,
            root: actor.root,
            namespaces: &namespaces,
            parts: &parts,
            status,
            mounts: OnceCell::new(),
        };
        let limits = lookup.limits(&query.clause, request.below.as_ref())?;
        let resolved = each(&parts, |part| resolve(&part.asked(status), &planned))?;
        let mut statistics = Statistics::default();
        for (part, (resolved, counted)) in parts.iter_mut().zip(resolved) {
            part.resolved = resolved;
            statistics.merge(counted);
        }
        let expansions = expansions(&planned, &parts);
        statistics.keep(&planned, &expansions);
        let mut prepared = Prepared {
            planned,
            status,
            parts,
            complete,
            statistics,
            expansions,
            similar: Expansions::new(),
            feedback: Vec::new(),
            folders: HashMap::new(),
            limits,
            request,
            now,
            deadline,
        };
        if !request.filename_only {
            prepared.folders = prepared.named_folders(&view)?;
        }
        Ok(prepared)
    }

    /// The shards that hold the namespaces, with exclusions moved to their logs' heads (I5); false when one cannot answer.
    fn parts(&self, namespaces: &[NamespaceId], deadline: Instant) -> Result<(Vec<Part>, bool)> {
        let mut owned = Vec::new();
        for shard in self.shards() {
            let is_here = |ns: &NamespaceId| shard.owns(*ns);
            let here: Vec<_> = namespaces.iter().copied().filter(is_here).collect();
            if !here.is_empty() {
                owned.push((shard, here));
            }
        }
        let parts = each(&owned, |(shard, namespaces)| {
            let Some(view) = shard.view(namespaces, deadline) else {
                return Ok((None, false));
            };
            let commit = Arc::new(self.segments.of(shard.number, &view, namespaces)?);
            let complete = view.complete;
            let part = Part {
                view,
                namespaces: namespaces.clone(),
                commit,
                resolved: Vec::new(),
                feedback: Vec::new(),
            };
            Ok((Some(part), complete))
        })?;
        let complete = parts.iter().all(|(_, complete)| *complete);
        let parts = parts.into_iter().filter_map(|(part, _)| part);
        Ok((parts.collect(), complete))
    }
}

impl Prepared<'_> {
    /// Searches all shards: the first `limit` keys after `after`; `relaxed` demands only some of the words.
    pub fn search(&self, after: Option<&Key>, limit: usize, relaxed: bool) -> Result<Matches> {
        let search = |part: &Part| -> Result<Matches> {
            let asked = part.asked(self.status);
            let query = self.query(&asked, part, relaxed);
            let page = Page {
                commit: &part.commit,
                exclusions: &part.view.exclusions,
                in_folders: self.limits.has_folders(),
                order: self.request.order,
                after,
                limit,
                members: self.members(),
                facets: self.request.facets,
                places: self.request.places,
                now_ms: self.now.unix_timestamp() * 1000,
                deadline: self.deadline,
            };
            Ok(part.view.searcher.search(&query, &page)?)
        };
        let found = each(&self.parts, search)?;
        let mut all = Matches::default();
        for matches in found {
            all.merge(matches, limit);
        }
        Ok(all)
    }

    /// The query for one shard.
    pub fn query(&self, asked: &Asked<'_>, part: &Part, relaxed: bool) -> Box<dyn Query> {
        let compiler = self.compiler(asked, part, &part.resolved);
        let relaxable = relaxed.then(|| self.planned.relaxable(0)).flatten();
        match relaxable {
            Some(words) => compiler.relaxed(&words),
            None => compiler.plan(&self.planned.plan),
        }
    }

    /// What becomes of members: they match by words, or by what only messages have.
    fn members(&self) -> Members {
        let is_asked = !self.planned.needles.is_empty() || self.planned.asks_letters;
        match is_asked && !self.request.filename_only {
            true => self.request.members,
            false => Members::None,
        }
    }

    /// Hits on a page.
    pub fn limit(&self) -> usize {
        self.request.max_results.clamp(1, MAX_HITS)
    }

    /// Looks up what the best files of a question are about, and takes the telling ones of these stems as more words.
    pub fn learn(&mut self, candidates: Vec<(String, f64)>) -> Result<()> {
        let stems: Vec<_> = candidates.iter().map(|(stem, _)| stem.clone()).collect();
        let found = self.stems(&stems)?;
        let mut counts: HashMap<&str, u64> = HashMap::new();
        for found in found.iter().flatten() {
            *counts.entry(&found.token).or_default() += found.documents;
        }
        let documents = self.statistics.documents();
        let frequency = |stem: &str| counts.get(stem).copied().unwrap_or(0);
        let chosen = feedback::chosen(candidates, documents, frequency);
        self.add_feedback(chosen, found);
        Ok(())
    }

    /// The same with stems that were chosen already.
    pub fn recall(&mut self, chosen: Vec<(String, f32)>) -> Result<()> {
        let stems: Vec<_> = chosen.iter().map(|(stem, _)| stem.clone()).collect();
        let found = self.stems(&stems)?;
        self.add_feedback(chosen, found);
        Ok(())
    }

    fn stems(&self, stems: &[String]) -> Result<Vec<Vec<Found>>> {
        each(&self.parts, |part| {
            resolve_stems(&part.asked(self.status), stems)
        })
    }

    fn add_feedback(&mut self, chosen: Vec<(String, f32)>, found: Vec<Vec<Found>>) {
        let mut counted = Statistics::default();
        for found in found.iter().flatten() {
            counted.add_frequency(found.field, &found.token, found.documents);
        }
        self.statistics.complete(counted);
        for (part, found) in self.parts.iter_mut().zip(found) {
            let shared = |found: Found| {
                let (_, share) = chosen.iter().find(|(stem, _)| *stem == found.token)?;
                Some((found, *share))
            };
            part.feedback = found.into_iter().filter_map(shared).collect();
        }
        self.feedback = chosen;
    }

    /// Compiles for one shard, with the query's words as they are there.
    pub fn compiler<'c>(
        &'c self,
        asked: &'c Asked<'c>,
        part: &'c Part,
        resolved: &'c [Resolved],
    ) -> Compiler<'c> {
        debug_assert_eq!(part.resolved.len(), resolved.len());
        Compiler {
            asked,
            planned: &self.planned,
            resolved,
            expansions: &self.expansions,
            folders: &self.folders,
            limits: &self.limits,
            statistics: &self.statistics,
            feedback: &part.feedback,
        }
    }

    /// True when a start stands for more words than were looked at: there may be more hits.
    pub fn is_cut(&self) -> bool {
        let mut resolved = self.parts.iter().flat_map(|part| &part.resolved);
        resolved.any(|word| word.is_cut)
    }

    /// True when words were looked up in everybody's, who may have other words and counts than this account.
    pub fn is_wide(&self) -> bool {
        let parts = self.parts.iter();
        let many = parts.filter(|part| part.namespaces.len() >= WIDE_FROM);
        let mut places = many
            .flat_map(|part| &part.resolved)
            .flat_map(|word| word.all())
            .flat_map(|found| found.places.iter());
        places.any(|place| place.ns == EVERYWHERE)
    }

    /// Remarks on words that were left out, and on folders that limit the search.
    pub fn warnings(&self) -> Vec<String> {
        let cut = self
            .planned
            .is_cut
            .then(|| format!("only the first {MAX_TOKENS} words were searched"));
        cut.into_iter().chain(self.limits.warnings()).collect()
    }
}

impl Part {
    /// What the shard is asked with.
    pub fn asked(&self, status: Status) -> Asked<'_> {
        Asked {
            view: &self.view,
            commit: &self.commit,
            namespaces: &self.namespaces,
            status,
        }
    }
}

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
fn expansions(planned: &Planned, parts: &[Part]) -> Expansions {
    let mut expansions = Expansions::new();
    for (index, _) in planned
        .words
        .iter()
        .enumerate()
        .filter(|(_, word)| word.prefix)
    {
        let found = parts.iter().flat_map(|part| {
            part.resolved[index]
                .expansions
                .iter()
                .take(2 * MAX_EXPANSIONS)
        });
        expansions.insert(
            index,
            most_frequent(found.map(|found| (found.token.as_str(), found.documents))),
        );
    }
    expansions
}
