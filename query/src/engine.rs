//! One search: parse, plan, look the words up in every shard, then search with everybody's own statistics, merge, and look
//! every hit up again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::Shard;
use rayon::prelude::*;
use storage::kv::Store;
use storage::meta::Actor;
use storage::seal::Sealer;
use time::OffsetDateTime;

use crate::collect::Key;
use crate::cursor::{Frozen, Left};
use crate::error::{Error, Result};
use crate::hit::Sources;
use crate::parse::parse;
use crate::prepared::{Prepared, narrowed};
use crate::request::{Answer, Facets, MAX_HITS, Request};
use crate::segment::Segments;

/// What a search may take before it answers with what it has.
const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Answers searches. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shards: Arc<dyn Fn() -> Vec<Arc<Shard>> + Send + Sync>,
    sources: Sources,
    sealer: Arc<Sealer>,
    pub(crate) segments: Segments,
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
            segments: Segments::default(),
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
        let facets = (request.facets && frozen.is_none()).then(|| Facets::of(&matches));
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
