//! One search: parse, plan, look the words up in every shard, then search with everybody's own statistics, merge, and look
//! every hit up again.

use std::cell::OnceCell;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::{Shard, ShardView};
use rayon::prelude::*;
use storage::kv::Store;
use storage::meta::{Actor, FileId, NamespaceId, View};
use storage::seal::Sealer;
use time::OffsetDateTime;

use crate::collect::{AGES, Key, Matches, Page};
use crate::compile::Compiler;
use crate::cursor::{Frozen, Left, MAX_EXTENSIONS};
use crate::error::{Error, Result};
use crate::folders::Folders;
use crate::hit::Sources;
use crate::limits::{BELOW, Limits, Lookup};
use crate::parse::{Clause, Filter, Query, parse};
use crate::people::People;
use crate::plan::{MAX_TOKENS, Plan, Planned, plan};
use crate::request::{Answer, Facets, MAX_FACET_VALUES, MAX_HITS, Order, Request, Status};
use crate::resolve::{Asked, EVERYWHERE, Expansions, Resolved, most_frequent, resolve};
use crate::scope::{self, Area};
use crate::statistics::Statistics;

/// What a search may take before it answers with what it has.
const TIME_LIMIT: Duration = Duration::from_secs(3);
/// Folders whose name has a word of the query, at most.
const MAX_NAMED_FOLDERS: usize = 50;

/// Answers searches. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shards: Arc<dyn Fn() -> Vec<Arc<Shard>> + Send + Sync>,
    sources: Sources,
    sealer: Arc<Sealer>,
}

/// One shard's part of a search.
struct Part {
    view: ShardView,
    namespaces: Vec<NamespaceId>,
    resolved: Vec<Resolved>,
}

/// A search that is ready to run.
struct Prepared<'a> {
    planned: Planned,
    status: Status,
    parts: Vec<Part>,
    complete: bool,
    statistics: Statistics,
    expansions: Expansions,
    folders: HashMap<usize, Vec<Area>>,
    limits: Limits,
    request: &'a Request,
    now: OffsetDateTime,
    deadline: Instant,
}

impl Engine {
    /// An engine over the shards that `shards` gives at each search.
    pub fn new(
        shards: impl Fn() -> Vec<Arc<Shard>> + Send + Sync + 'static,
        sources: Sources,
        store: &dyn Store,
    ) -> Result<Self> {
        let sealer = Arc::new(Sealer::load(store, b"search")?);
        Ok(Engine {
            shards: Arc::new(shards),
            sources,
            sealer,
        })
    }

    /// Where hits are looked up.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The shards.
    pub fn shards(&self) -> Vec<Arc<Shard>> {
        (self.shards)()
    }

    /// The first page of a search. `now` is the clock that relative dates count from.
    pub fn search(&self, actor: Actor, request: &Request, now: OffsetDateTime) -> Result<Answer> {
        self.run(actor, request, now, None)
    }

    /// The next page. [`Error::Reset`] when the cursor is not of this account or was not made here.
    pub fn resume(&self, actor: Actor, cursor: &str) -> Result<Answer> {
        let frozen = Frozen::open(&self.sealer, actor, cursor)?;
        let request = frozen.request()?;
        let now = OffsetDateTime::from_unix_timestamp(frozen.now_s).map_err(|_| Error::Reset)?;
        self.run(actor, &request, now, Some(frozen))
    }

    fn run(
        &self,
        actor: Actor,
        request: &Request,
        now: OffsetDateTime,
        frozen: Option<Frozen>,
    ) -> Result<Answer> {
        let begun = Instant::now();
        let deadline = begun + TIME_LIMIT;
        let query = narrowed(parse(&request.query, now), request);
        let mut prepared = self.prepare(actor, request, &query, now, deadline)?;
        let mut relaxed = false;
        if let Some(frozen) = &frozen {
            relaxed = frozen.relaxed;
            if let Some((statistics, expansions)) = frozen.weighed.clone() {
                (prepared.statistics, prepared.expansions) = (statistics, expansions);
            }
        }
        let after = frozen.as_ref().map(|frozen| &frozen.after);
        let limit = request.max_results.clamp(1, MAX_HITS);
        let mut warnings = query.warnings;
        let mut matches = prepared.search(after, limit + 1, relaxed)?;
        if frozen.is_none() && prepared.planned.relaxable(matches.total).is_some() {
            let all_words = matches.total;
            matches = prepared.search(None, limit + 1, true)?;
            relaxed = true;
            if matches.total > all_words {
                warnings.push(
                    "few files have all of these words; files with some of them are shown too"
                        .into(),
                );
            }
        }
        warnings.extend(prepared.warnings());
        let facets = (request.facets && frozen.is_none()).then(|| facets(&matches));
        let more = matches.keys.len() > limit;
        matches.keys.truncate(limit);
        let last = matches.keys.last().cloned();
        let (hits, gone) = self.hits(actor, &matches.keys, &prepared)?;
        let total = frozen
            .as_ref()
            .map_or(matches.total, |frozen| frozen.total)
            .saturating_sub(gone);
        let partial = !prepared.complete || matches.is_cut;
        let status = prepared.status;
        let is_wide = prepared.is_wide();
        let weighed = (prepared.statistics, prepared.expansions);
        let left = last.filter(|_| more).map(|after| Left {
            now_s: now.unix_timestamp(),
            relaxed,
            weighed: (!is_wide).then_some(weighed),
            after,
            total,
        });
        let cursor = left.map(|left| Frozen::seal(&self.sealer, actor, request, left));
        let cursor = cursor.transpose()?;
        Ok(Answer {
            status,
            marks: request.marks,
            hits,
            facets,
            total,
            took: begun.elapsed(),
            partial,
            cursor,
            warnings,
        })
    }

    /// Everything that has to be known before the search itself.
    fn prepare<'a>(
        &self,
        actor: Actor,
        request: &'a Request,
        query: &Query,
        now: OffsetDateTime,
        deadline: Instant,
    ) -> Result<Prepared<'a>> {
        let view = self.sources.meta.view(actor.account)?;
        let namespaces = scope::namespaces(&view, actor.root)?;
        let status = if query.deleted {
            Status::Deleted
        } else {
            request.status
        };
        let planned = plan(&query.clause, request.filename_only);
        let (parts, complete) = self.parts(&namespaces, deadline);
        let lookup = Lookup {
            people: People::new(&self.sources.meta, actor),
            view: &view,
            root: actor.root,
            namespaces: &namespaces,
            parts: &parts,
            status,
            mounts: OnceCell::new(),
        };
        let limits = lookup.limits(&query.clause, request.below.as_ref())?;
        let resolved: Vec<(Vec<Resolved>, Statistics)> = parts
            .par_iter()
            .map(|(view, namespaces)| {
                resolve(
                    &Asked {
                        view,
                        namespaces,
                        status,
                    },
                    &planned,
                )
            })
            .collect::<Result<_>>()?;
        let mut statistics = Statistics::default();
        let mut all = Vec::new();
        for ((view, namespaces), (resolved, counted)) in parts.into_iter().zip(resolved) {
            statistics.merge(counted);
            all.push(Part {
                view,
                namespaces,
                resolved,
            });
        }
        let expansions = expansions(&planned, &all);
        let mut prepared = Prepared {
            planned,
            status,
            parts: all,
            complete,
            statistics,
            expansions,
            folders: HashMap::new(),
            limits,
            request,
            now,
            deadline,
        };
        prepared
            .statistics
            .keep(&prepared.planned, &prepared.expansions);
        if !request.filename_only {
            prepared.folders = prepared.named_folders(&view)?;
        }
        Ok(prepared)
    }

    /// The shards that hold the namespaces, with exclusions moved to their logs' heads (I5); false when one cannot answer.
    fn parts(
        &self,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> (Vec<(ShardView, Vec<NamespaceId>)>, bool) {
        let mut complete = true;
        let mut parts = Vec::new();
        for shard in self.shards() {
            let mine: Vec<_> = namespaces
                .iter()
                .copied()
                .filter(|ns| shard.owns(*ns))
                .collect();
            if mine.is_empty() {
                continue;
            }
            match shard.view(&mine, deadline) {
                Some(view) => {
                    complete &= view.complete;
                    parts.push((view, mine));
                }
                None => complete = false,
            }
        }
        (parts, complete)
    }

    fn hits(
        &self,
        actor: Actor,
        keys: &[Key],
        prepared: &Prepared<'_>,
    ) -> Result<(Vec<crate::Hit>, u64)> {
        // A view newer than the exclusions: what went in between is no hit either. // I6
        let view = self.sources.meta.view(actor.account)?;
        let mut seen = HashSet::new();
        let keys = keys.iter().filter(|key| seen.insert(key.file)); // moved, and the shard it left cannot say so in time
        let places = keys.map(|key| self.sources.place(&view, key.file, prepared.status));
        let places: Vec<_> = places.collect::<Result<_>>()?;
        let gone = places.iter().filter(|place| place.is_none()).count() as u64;
        let (needles, marks) = (&prepared.planned.needles, prepared.request.marks);
        let marked = places.into_par_iter().flatten();
        let hits = marked
            .map(|place| self.sources.hit(place, needles, prepared.status, marks))
            .collect();
        Ok((hits, gone))
    }
}

impl Prepared<'_> {
    fn search(&self, after: Option<&Key>, limit: usize, relaxed: bool) -> Result<Matches> {
        let relaxable = relaxed.then(|| self.planned.relaxable(0)).flatten();
        let found: Vec<Matches> = self
            .parts
            .par_iter()
            .map(|part| {
                let asked = part.asked(self.status);
                let compiler = self.compiler(&asked, part);
                let query = match &relaxable {
                    Some(words) => compiler.relaxed(words),
                    None => compiler.plan(&self.planned.plan),
                };
                let namespaces = part.numbers();
                let page = Page {
                    fields: &part.view.fields,
                    namespaces: &namespaces,
                    exclusions: &part.view.exclusions,
                    in_folders: self.limits.has_folders(),
                    order: self.request.order,
                    after,
                    limit,
                    facets: self.request.facets,
                    now_ms: self.now.unix_timestamp() * 1000,
                    deadline: self.deadline,
                };
                Ok(part.view.searcher.search_with_statistics_provider(
                    &query,
                    &page,
                    &self.statistics,
                )?)
            })
            .collect::<Result<_>>()?;
        let mut all = Matches::default();
        for matches in found {
            all.merge(matches, limit);
        }
        Ok(all)
    }

    fn compiler<'c>(&'c self, asked: &'c Asked<'c>, part: &'c Part) -> Compiler<'c> {
        Compiler {
            asked,
            planned: &self.planned,
            resolved: &part.resolved,
            expansions: &self.expansions,
            folders: &self.folders,
            limits: &self.limits,
        }
    }

    /// What lies below folders whose name has a word of the query, by word.
    fn named_folders(&self, view: &View<'_>) -> Result<HashMap<usize, Vec<Area>>> {
        let (mut named, mut trees) = (HashMap::new(), HashMap::new());
        for (index, word) in self.planned.words.iter().enumerate() {
            if word.names_only || word.quoted {
                continue;
            }
            let areas = self.areas(view, self.folders_named(index)?, &mut trees)?;
            if !areas.is_empty() {
                named.insert(index, areas);
            }
        }
        Ok(named)
    }

    /// What lies below some folders, one area for each namespace, by the folders that the index has.
    fn areas(
        &self,
        view: &View<'_>,
        folders: Vec<u64>,
        trees: &mut HashMap<NamespaceId, Folders>,
    ) -> Result<Vec<Area>> {
        let mut found: HashMap<NamespaceId, HashSet<u64>> = HashMap::new();
        let mut whole = Vec::new();
        for folder in folders {
            let place = match self.status {
                Status::Active => view.place(FileId(folder))?,
                Status::Deleted => view.place_deleted(FileId(folder))?,
            };
            let Some(place) = place else { continue };
            let part = self.parts.iter().find(|p| p.namespaces.contains(&place.ns));
            match (place.shared_folder, part) {
                (Some(ns), _) => whole.push(ns),
                (None, Some(part)) => {
                    let tree = match trees.entry(place.ns) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(new) => {
                            new.insert(Folders::of(&part.view, place.ns, self.status)?)
                        }
                    };
                    tree.below(folder, found.entry(place.ns).or_default());
                }
                (None, None) => {}
            }
        }
        if !found.is_empty() {
            let mounts = view.access()?.into_iter();
            let inside = mounts.filter(|access| {
                let is_in = |mount: FileId| found.values().any(|ids| ids.contains(&mount.0));
                access.mount.is_some_and(is_in)
            });
            whole.extend(inside.map(|access| access.ns));
        }
        let mut areas: Vec<Area> = found
            .into_iter()
            .map(|(ns, folders)| Area {
                ns: Some(ns),
                folders: Arc::new(folders),
                ..Area::default()
            })
            .collect();
        if !whole.is_empty() {
            areas.push(Area {
                whole,
                ..Area::default()
            });
        }
        Ok(areas)
    }

    fn folders_named(&self, word: usize) -> Result<Vec<u64>> {
        let mut keys = Matches::default();
        for part in &self.parts {
            let asked = part.asked(self.status);
            let fields = &part.view.fields;
            let names = match self.status {
                Status::Active => [fields.name, fields.wide_name],
                Status::Deleted => [fields.deleted_name; 2],
            };
            let mut resolved = part.resolved.clone();
            for word in &mut resolved {
                word.exact
                    .iter_mut()
                    .for_each(|found| found.retain(|found| names.contains(&found.field)));
                word.expansions
                    .retain(|(found, _)| names.contains(&found.field));
                word.stems.clear();
            }
            if resolved[word].exact.iter().all(Vec::is_empty)
                && resolved[word].expansions.is_empty()
                && self.planned.words[word].in_names.is_empty()
            {
                continue;
            }
            let compiler = Compiler {
                resolved: &resolved,
                ..self.compiler(&asked, part)
            };
            let folders = Plan::And(vec![
                Plan::Word(word),
                Plan::Filter(Filter::Category("folder")),
            ]);
            let namespaces = part.numbers();
            let page = Page {
                fields: &part.view.fields,
                namespaces: &namespaces,
                exclusions: &part.view.exclusions,
                in_folders: false,
                order: Order::Modified,
                after: None,
                limit: MAX_NAMED_FOLDERS,
                facets: false,
                now_ms: 0,
                deadline: self.deadline,
            };
            let found = part.view.searcher.search(&compiler.plan(&folders), &page)?;
            keys.merge(found, MAX_NAMED_FOLDERS);
        }
        Ok(keys.keys.into_iter().map(|key| key.file).collect())
    }

    /// True when words were looked up in everybody's, who may have other words and counts than this account.
    fn is_wide(&self) -> bool {
        let mut resolved = self.parts.iter().flat_map(|part| &part.resolved);
        resolved.any(|word| {
            let started = word.expansions.iter().map(|(found, _)| found);
            let mut found = word.exact.iter().flatten().chain(started);
            found.any(|found| found.ns == EVERYWHERE)
        })
    }

    /// Remarks on words that were left out, and on folders that limit the search.
    fn warnings(&self) -> Vec<String> {
        let cut = self
            .planned
            .is_cut
            .then(|| format!("only the first {MAX_TOKENS} words were searched"));
        cut.into_iter().chain(self.limits.warnings()).collect()
    }
}

impl Part {
    fn numbers(&self) -> Arc<HashSet<u64>> {
        Arc::new(self.namespaces.iter().map(|ns| ns.0).collect())
    }

    fn asked(&self, status: Status) -> Asked<'_> {
        Asked {
            view: &self.view,
            namespaces: &self.namespaces,
            status,
        }
    }
}

/// The query with the request's own limits added.
fn narrowed(mut query: Query, request: &Request) -> Query {
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
    let known = crate::parse::CATEGORIES
        .into_iter()
        .filter(|known| request.categories.iter().any(|c| c == known));
    sides.push(any(known
        .map(|category| Clause::Filter(Filter::Category(category)))
        .collect()));
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
        let found = parts
            .iter()
            .flat_map(|part| &part.resolved[index].expansions);
        expansions.insert(
            index,
            most_frequent(found.map(|(found, n)| (found.token.as_str(), *n))),
        );
    }
    expansions
}

fn facets(matches: &Matches) -> Facets {
    let mut category: Vec<_> = matches
        .category
        .iter()
        .enumerate()
        .filter(|(_, n)| **n > 0)
        .map(|(code, n)| {
            (
                indexer::document::category_of(code as u64)
                    .as_str()
                    .to_owned(),
                *n,
            )
        })
        .collect();
    category.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let mut extension: Vec<_> = matches
        .extension
        .iter()
        .map(|(text, n)| (text.clone(), *n))
        .collect();
    extension.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    extension.truncate(MAX_FACET_VALUES);
    let modified = AGES.iter().zip(matches.age).filter(|(_, n)| *n > 0);
    Facets {
        category,
        extension,
        modified: modified.map(|(name, n)| ((*name).to_owned(), n)).collect(),
    }
}
