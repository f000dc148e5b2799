//! The leg of a search at a shard of this process.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indexer::past;
use indexer::{Shard, ShardView};
use storage::meta::{FileId, NamespaceId, Rev};
use tantivy::collector::Collector;
use tantivy::query::{EnableScoring, Query};

use crate::collect::{Matches, Page};
use crate::compile::Compiler;
use crate::coverage::{self, Coverage};
use crate::error::{Error, Result};
use crate::explain::why;
use crate::fan;
use crate::folders::Folders;
use crate::leg::{Leg, Looked, MAX_STARTED, Opening, Question, Reply, Shards, Wanted, Weighed};
use crate::named;
use crate::request::{Members, Order, Status};
use crate::resolve::{
    Asked, EVERYWHERE, Found, Resolved, WIDE_FROM, meant, resolve, resolve_stems,
};
use crate::segment::{Commit, Covered, Segments};
use crate::similar::near;
use crate::statistics::Statistics;
use crate::within;
use crate::word::{Form, WordQuery, Worth};

/// From how many of an account's documents in a shard on its segments are searched side by side: below, waking other threads takes
/// longer than the search.
const SIDE_BY_SIDE: u64 = 50_000;

/// One shard's part of a search.
pub struct Part {
    /// The shard's number.
    pub shard: u16,
    /// Its commit.
    pub view: ShardView,
    /// The account's namespaces in it, in order; behind them those of old versions, where these are looked through.
    pub namespaces: Vec<NamespaceId>,
    /// How many of these are not of old versions.
    fronts: usize,
    /// The commit's segments.
    pub commit: Arc<Commit>,
    /// The query's words in it.
    pub resolved: Vec<Resolved>,
    /// What was planned.
    opening: Arc<Opening>,
    statistics: Statistics,
    /// What was looked up since: words that mistyped ones may stand for, and stems.
    meant: Mutex<HashMap<(usize, String), Meant>>,
    stems: Mutex<HashMap<String, Vec<Found>>>,
}

/// Where a word is that was meant, and what it counts.
type Meant = (Vec<Found>, Statistics);

impl Part {
    /// Looks the words of a search up in a shard's last commit, with exclusions moved to its logs' heads (I5). `None` before the first commit.
    pub fn open(
        shard: &Shard,
        segments: &Segments,
        opening: &Arc<Opening>,
        namespaces: Vec<NamespaceId>,
        deadline: Instant,
    ) -> Result<Option<Part>> {
        let Some(view) = shard.view(&namespaces, deadline) else {
            return Ok(None);
        };
        let fronts = namespaces.len();
        let sides = namespaces.iter().map(|ns| past::side_of(*ns));
        let sides: Vec<_> = sides.filter(|_| opening.versions).collect();
        let namespaces = [namespaces, sides].concat();
        let commit = Arc::new(segments.of(shard.number, &view, &namespaces)?);
        let mut part = Part {
            shard: shard.number,
            view,
            namespaces,
            fronts,
            commit,
            resolved: Vec::new(),
            opening: opening.clone(),
            statistics: Statistics::default(),
            meant: Mutex::default(),
            stems: Mutex::default(),
        };
        (part.resolved, part.statistics) = resolve(&part.asked(opening.status), &opening.planned)?;
        Ok(Some(part))
    }

    /// Live or deleted files.
    pub fn status(&self) -> Status {
        self.opening.status
    }

    /// What the shard is asked with.
    pub fn asked(&self, status: Status) -> Asked<'_> {
        Asked {
            view: &self.view,
            commit: &self.commit,
            namespaces: &self.namespaces,
            status,
            spelled: self.opening.spelled,
        }
    }

    /// Calls `ask` with a compiler that knows the words as they are here.
    pub fn compiled<T>(
        &self,
        weighed: &Weighed,
        ask: impl FnOnce(&Compiler<'_>) -> T,
    ) -> Result<T> {
        match weighed.similar.is_empty() {
            true => self.compiled_with(weighed, &self.resolved, ask),
            false => {
                let mut resolved = self.resolved.clone();
                for (index, words) in &weighed.similar {
                    for word in words {
                        let (found, _) = self.meant(*index, word)?;
                        if let Some(resolved) = resolved.get_mut(*index) {
                            resolved.similar.extend(found);
                        }
                    }
                }
                self.compiled_with(weighed, &resolved, ask)
            }
        }
    }

    /// The same with other places of the words.
    pub fn compiled_with<T>(
        &self,
        weighed: &Weighed,
        resolved: &[Resolved],
        ask: impl FnOnce(&Compiler<'_>) -> T,
    ) -> Result<T> {
        debug_assert_eq!(self.resolved.len(), resolved.len());
        let feedback = self.feedback(&weighed.feedback)?;
        Ok(ask(&Compiler {
            asked: &self.asked(self.opening.status),
            planned: &self.opening.planned,
            resolved,
            expansions: &weighed.expansions,
            folders: &weighed.folders,
            limits: &weighed.limits,
            statistics: &weighed.statistics,
            feedback: &feedback,
        }))
    }

    fn query(&self, weighed: &Weighed, relaxed: bool) -> Result<Box<dyn Query>> {
        let planned = &self.opening.planned;
        let relaxable = relaxed.then(|| planned.relaxable(0)).flatten();
        self.compiled(weighed, |compiler| match relaxable {
            Some(words) => compiler.relaxed(&words),
            None => compiler.plan(&planned.plan),
        })
    }

    fn search(&self, weighed: &Weighed, wanted: &Wanted, deadline: Instant) -> Result<Matches> {
        let query = self.query(weighed, wanted.relaxed)?;
        let lately = wanted.lately.clone().map(Arc::new);
        let page = Page {
            commit: &self.commit,
            exclusions: &self.view.exclusions,
            in_folders: weighed.limits.has_folders(),
            order: wanted.order,
            after: wanted.after.as_ref(),
            limit: wanted.limit,
            members: wanted.members,
            newest: wanted.newest,
            facets: wanted.facets,
            places: wanted.places,
            now_ms: wanted.now_ms,
            lately: lately.as_ref(),
            deadline,
        };
        self.collected(&query, &page)
    }

    /// Collects what matches: where the account has much, from the segments side by side.
    pub fn collected(&self, query: &dyn Query, page: &Page<'_>) -> Result<Matches> {
        let searcher = &self.view.searcher;
        if self.statistics.documents() < SIDE_BY_SIDE {
            return Ok(searcher.search(query, page)?);
        }
        let scoring = match page.requires_scoring() {
            true => EnableScoring::enabled_from_searcher(searcher),
            false => EnableScoring::disabled_from_searcher(searcher),
        };
        let weight = query.weight(scoring)?;
        let readers: Vec<_> = (0..).zip(searcher.segment_readers()).collect();
        let collected = fan::side_by_side(&readers, |(number, reader)| {
            Ok(page.collect_segment(&*weight, *number, reader)?)
        })?;
        Ok(page.merge_fruits(collected)?)
    }

    fn below(&self, ns: NamespaceId, status: Status, folders: &[u64]) -> Result<Vec<u64>> {
        let tree = Folders::of(self, ns, status)?;
        let mut found = HashSet::new();
        folders
            .iter()
            .for_each(|folder| tree.below(*folder, &mut found));
        Ok(found.into_iter().collect())
    }

    fn meant(&self, index: usize, token: &str) -> Result<Meant> {
        let key = (index, token.to_owned());
        let mut known = self.meant.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&key) {
            return Ok(known.clone());
        }
        let found = meant(
            &self.asked(self.opening.status),
            self.planned(index)?,
            token,
        )?;
        known.insert(key, found.clone());
        Ok(found)
    }

    fn stems(&self, stems: &[String]) -> Result<Vec<Found>> {
        let mut known = self.stems.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for stem in stems {
            if !known.contains_key(stem) {
                let one = std::slice::from_ref(stem);
                let found = resolve_stems(&self.asked(self.opening.status), one)?;
                known.insert(stem.clone(), found);
            }
            all.extend(known.get(stem).into_iter().flatten().cloned());
        }
        Ok(all)
    }

    fn feedback(&self, chosen: &[(String, f32)]) -> Result<Vec<(Found, f32)>> {
        let mut feedback = Vec::with_capacity(chosen.len());
        for (stem, share) in chosen {
            let found = self.stems(std::slice::from_ref(stem))?;
            feedback.extend(found.into_iter().map(|found| (found, *share)));
        }
        Ok(feedback)
    }

    /// How many of the account's files that are there now have one of the words. // I6
    fn seen(&self, found: &[Found], deadline: Instant) -> Result<u64> {
        if found.is_empty() {
            return Ok(0);
        }
        let form = |found: &Found| Form {
            field: found.field,
            lengths: self.view.fields.name, // what is always the same goes by none
            tokens: vec![(0, found.places.clone())],
            score: Worth::Same(0.0),
            label: String::new(),
        };
        let query = WordQuery {
            commit: self.commit.clone(),
            forms: Arc::new(found.iter().map(form).collect()),
        };
        let page = Page {
            commit: &self.commit,
            exclusions: &self.view.exclusions,
            in_folders: false,
            order: Order::Modified,
            after: None,
            limit: 0,
            members: Members::File,
            newest: false,
            facets: false,
            places: false,
            now_ms: 0,
            lately: None,
            deadline,
        };
        Ok(self.collected(&query, &page)?.total)
    }

    /// A word of the plan.
    pub fn planned(&self, index: usize) -> Result<&crate::plan::Word> {
        let word = self.opening.planned.words.get(index);
        word.ok_or_else(|| Error::Unreachable {
            shard: self.shard,
            why: format!("there is no word {index}"),
        })
    }
}

impl Leg for Part {
    fn shard(&self) -> u16 {
        self.shard
    }

    fn namespaces(&self) -> &[NamespaceId] {
        &self.namespaces[..self.fronts]
    }

    fn is_complete(&self) -> bool {
        self.view.complete
    }

    fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    fn covered(&self) -> Result<Covered> {
        coverage::at_commit(self)
    }

    fn word(&self, index: usize) -> Looked {
        let Some(resolved) = self.resolved.get(index) else {
            return Looked::default();
        };
        let mut places = resolved.all().flat_map(|found| found.places.iter());
        Looked {
            is_found: resolved.all().next().is_some(),
            is_cut: resolved.is_cut,
            is_wide: self.fronts >= WIDE_FROM && places.any(|place| place.ns == EVERYWHERE),
        }
    }

    fn started(&self, index: usize) -> Vec<(&str, u64)> {
        let resolved = self.resolved.get(index).into_iter();
        let found = resolved.flat_map(|word| word.expansions.iter().take(MAX_STARTED));
        found
            .map(|found| (found.token.as_str(), found.documents))
            .collect()
    }

    fn ask(&self, question: &Question<'_>, deadline: Instant) -> Result<Reply> {
        let asked = self.asked(self.opening.status);
        Ok(match question {
            Question::Search(weighed, wanted) => {
                Reply::Matches(Box::new(self.search(weighed, wanted, deadline)?))
            }
            Question::Named(weighed, word) => {
                Reply::Matches(Box::new(named::folders(self, weighed, *word, deadline)?))
            }
            Question::Below(ns, status, folders) => {
                Reply::Folders(self.below(*ns, *status, folders)?)
            }
            Question::Near(word, token, first, typos) => {
                Reply::Near(near(&asked, self.planned(*word)?, (token, first), *typos)?)
            }
            Question::Holding(word, token) => {
                Reply::Holding(within::holding(&asked, self.planned(*word)?, token)?)
            }
            Question::Meant(word, token) => {
                let (found, counted) = self.meant(*word, token)?;
                Reply::Meant((!found.is_empty()).then_some(counted))
            }
            Question::Seen(word, token) => {
                let (found, _) = self.meant(*word, token)?;
                Reply::Count(self.seen(&found, deadline)?)
            }
            Question::Started(word, token) => {
                let tag = self.view.fields.tag;
                let resolved = self.resolved.get(*word).into_iter();
                let found = resolved.flat_map(|word| &word.expansions);
                let found = found.filter(|found| found.token == **token && found.field != tag);
                let found: Vec<_> = found.cloned().collect();
                Reply::Count(self.seen(&found, deadline)?)
            }
            Question::Stems(stems) => {
                let found = self.stems(stems)?.into_iter();
                let found = found.map(|found| (found.field, found.token, found.documents));
                Reply::Stems(found.collect())
            }
            Question::Why(weighed, relaxed, of) => {
                let query = self.query(weighed, *relaxed)?;
                let why = |(file, member): &(u64, u64)| why(self, &*query, *file, *member);
                Reply::Why(of.iter().map(why).collect::<Result<_>>()?)
            }
        })
    }
}

/// Shards of this process.
pub struct Here<F> {
    shards: F,
    segments: Segments,
}

impl<F: Fn() -> Vec<Arc<Shard>> + Send + Sync> Here<F> {
    /// The shards that `shards` gives at each search, in the order of their numbers, all of them.
    pub fn new(shards: F) -> Self {
        Here {
            shards,
            segments: Segments::default(),
        }
    }

    fn shard(&self, number: u16) -> Result<Arc<Shard>> {
        let shard = (self.shards)().into_iter().nth(usize::from(number));
        shard.ok_or_else(|| silent(number))
    }
}

impl<F: Fn() -> Vec<Arc<Shard>> + Send + Sync> Shards for Here<F> {
    fn count(&self) -> u16 {
        (self.shards)().len() as u16
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn open(
        &self,
        shard: u16,
        opening: &Arc<Opening>,
        namespaces: Vec<NamespaceId>,
        deadline: Instant,
    ) -> Result<Box<dyn Leg>> {
        let shard = self.shard(shard)?;
        let part = Part::open(&shard, &self.segments, opening, namespaces, deadline)?;
        let part = part.ok_or_else(|| silent(shard.number))?;
        Ok(Box::new(part))
    }

    fn coverage(
        &self,
        shard: u16,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> Result<Coverage> {
        coverage::of_shard(&*self.shard(shard)?, namespaces, deadline)
    }

    fn shows(&self, shard: u16, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool> {
        Ok(self.shard(shard)?.shows(ns, file, rev)?)
    }
}

fn silent(shard: u16) -> Error {
    Error::Unreachable {
        shard,
        why: "it has no commit yet, or is not here".to_owned(),
    }
}
