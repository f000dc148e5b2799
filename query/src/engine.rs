//! One search: parse, plan, look the words up in every shard, then search with everybody's own statistics, merge, and look
//! every hit up again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indexer::Shard;
use indexer::shard::shard_of;
use storage::kv::Store;
use storage::meta::{Actor, FileId, NamespaceId, Place, Rev};
use storage::seal::Sealer;
use time::OffsetDateTime;

use crate::collect::{Key, Matches};
use crate::cursor::{Frozen, Left};
use crate::error::{Error, Result};
use crate::fan::{Fan, each};
use crate::feedback;
use crate::hit::{How, Sources};
use crate::lately;
use crate::leg::Shards;
use crate::parse::{Query, parse};
use crate::part::Here;
use crate::prepared::{Prepared, narrowed};
use crate::request::{Answer, Facets, Members, Request, Status};

/// What a search may take before it answers with what it has.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(3);

/// Answers searches. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    shards: Arc<dyn Shards>,
    fan: Arc<Fan>,
    sources: Sources,
    sealer: Arc<Sealer>,
}

impl Engine {
    /// An engine over the shards of this process that `shards` gives at each search.
    pub fn new(
        shards: impl Fn() -> Vec<Arc<Shard>> + Send + Sync + 'static,
        sources: Sources,
        store: &dyn Store,
    ) -> Result<Self> {
        Self::over(Arc::new(Here::new(shards)), sources, store)
    }

    /// An engine over shards, wherever they are.
    pub fn over(shards: Arc<dyn Shards>, sources: Sources, store: &dyn Store) -> Result<Self> {
        let fan = match shards.is_remote() {
            true => Fan::over_network(),
            false => Fan::default(),
        };
        Ok(Engine {
            shards,
            fan: Arc::new(fan),
            sources,
            sealer: Arc::new(Sealer::load(store, b"search")?),
        })
    }

    /// Where hits are looked up.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// True when searches meet this very content of a file: its shard has committed it.
    pub fn shows(&self, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool> {
        let shard = shard_of(ns, self.shards.count());
        match self.shards.shows(shard, ns, file, rev) {
            Err(Error::Unreachable { .. }) => Ok(false),
            shown => shown,
        }
    }

    /// The shards.
    pub(crate) fn shards(&self) -> &dyn Shards {
        &*self.shards
    }

    /// How they are asked.
    pub(crate) fn fan(&self) -> &Arc<Fan> {
        &self.fan
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
        let is_first = frozen.is_none();
        let mut query = narrowed(parse(&request.query, now), request);
        if query.versions && is_first {
            query.warnings.extend(of_versions(&query, request));
        }
        let mut prepared = self.prepare(actor, request, &query, now, begun + TIME_LIMIT)?;
        let opened = match &frozen {
            Some(frozen) => frozen.opened.clone(),
            None => self.opened(actor, &prepared)?,
        };
        prepared.note_lately(actor, &opened);
        let similar = frozen.as_ref().and_then(|frozen| frozen.similar.as_ref());
        prepared.forgive(similar)?;
        let mut warnings = query.warnings;
        let Found {
            mut matches,
            relaxed,
        } = self.found(actor, &mut prepared, frozen.as_ref(), &mut warnings)?;
        warnings.extend(prepared.warnings());
        let facets = (request.facets && frozen.is_none()).then(|| Facets::of(&matches));
        let mut facets = facets.unwrap_or_default();
        if request.places && frozen.is_none() {
            self.add_places(actor, &matches, &mut facets)?;
        }
        let limit = prepared.limit();
        let more = matches.keys.len() > limit;
        matches.keys.truncate(limit);
        let (mut hits, gone) = self.hits(actor, &matches.keys, &prepared)?;
        if request.why {
            prepared.explain(&mut hits, relaxed)?;
        }
        let counted = frozen.as_ref().map_or(matches.total, |frozen| frozen.total);
        let total = counted.saturating_sub(gone);
        let mended = prepared.mended(&request.query);
        let left = matches.keys.pop().filter(|_| more).map(|after| {
            let is_own = !prepared.is_wide();
            Left {
                opened,
                now_s: now.unix_timestamp(),
                relaxed,
                weighed: is_own.then(|| {
                    let weighed = &prepared.weighed;
                    (weighed.statistics.clone(), weighed.expansions.clone())
                }),
                feedback: prepared.weighed.feedback.clone(),
                similar: is_own.then(|| prepared.weighed.similar.clone()),
                after,
                total,
            }
        });
        let missing = prepared.missing();
        let cursor = left.map(|left| Frozen::seal(&self.sealer, actor, request, left));
        Ok(Answer {
            status: prepared.status,
            marks: request.marks,
            hits,
            facets: (request.facets && frozen.is_none()).then_some(facets),
            total,
            estimated: prepared.is_cut(),
            did_you_mean: mended.filter(|_| total > 0),
            coverage: is_first.then(|| prepared.covered()).transpose()?,
            took: begun.elapsed(),
            partial: matches.is_cut || !missing.is_empty(),
            missing,
            cursor: cursor.transpose()?,
            warnings,
        })
    }

    /// What the account opened lately, for a search that is ranked.
    fn opened(&self, actor: Actor, prepared: &Prepared<'_>) -> Result<Vec<u64>> {
        if !prepared.is_ranked() {
            return Ok(Vec::new());
        }
        let opened = self.sources.meta.opened(actor.account)?;
        Ok(lately::counted(&opened, prepared.now_ms()))
    }

    /// Searches; with few files that have all words of a question, for some of them too.
    fn found(
        &self,
        actor: Actor,
        prepared: &mut Prepared<'_>,
        frozen: Option<&Frozen>,
        warnings: &mut Vec<String>,
    ) -> Result<Found> {
        let limit = prepared.limit() + 1;
        if let Some(frozen) = frozen {
            if let Some((statistics, expansions)) = frozen.weighed.clone() {
                let weighed = &mut prepared.weighed;
                (weighed.statistics, weighed.expansions) = (statistics, expansions);
            }
            prepared.recall(frozen.feedback.clone())?;
            let matches = prepared.search(Some(&frozen.after), limit, frozen.relaxed)?;
            let relaxed = frozen.relaxed;
            return Ok(Found { matches, relaxed });
        }
        let matches = prepared.search(None, limit, false)?;
        let relaxed = prepared.planned.relaxable(matches.total).is_some();
        if !relaxed {
            return Ok(Found { matches, relaxed });
        }
        let all_words = matches.total;
        let mut matches = prepared.search(None, limit.max(feedback::FILES + 1), true)?;
        if self.learn(actor, prepared, &matches)? {
            matches = prepared.search(None, limit, true)?;
        }
        matches.keys.truncate(limit);
        if matches.total > all_words {
            let said = "few files have all of these words; files with some of them are shown too";
            warnings.push(said.into());
        }
        Ok(Found { matches, relaxed })
    }

    /// Takes what the best files of a relaxed question are about as more words of it; false when they tell nothing.
    fn learn(&self, actor: Actor, prepared: &mut Prepared<'_>, found: &Matches) -> Result<bool> {
        if !prepared.is_ranked() || found.keys.len() <= feedback::FILES {
            return Ok(false);
        }
        let view = self.sources.meta.view(actor.account)?;
        let mut files = Vec::new();
        for key in &found.keys[..feedback::FILES] {
            if let Some(place) = self.sources.place(&view, key.file, prepared.status)? {
                let most = feedback::MAX_BYTES;
                if key.version().is_some() {
                    continue; // its words are not the present text's
                }
                let (language, text) = self.sources.beginning(&place, key.member, most)?;
                files.push((key.score(), language, text));
            }
        }
        prepared.learn(feedback::candidates(&files))?;
        Ok(!prepared.weighed.feedback.is_empty())
    }

    /// Looks hits up again as the account sees them now; says how many are gone.
    pub(crate) fn hits(
        &self,
        actor: Actor,
        keys: &[Key],
        prepared: &Prepared<'_>,
    ) -> Result<(Vec<crate::Hit>, u64)> {
        // A view newer than the exclusions: what went in between is no hit either. // I6
        let view = self.sources.meta.view(actor.account)?;
        let mut seen = HashSet::new();
        let keys = keys
            .iter()
            .filter(|key| seen.insert((key.file, key.member))); // moved, and the shard it left cannot say so in time
        let places = keys.map(|key| {
            let mut place = self.sources.place(&view, key.file, prepared.status)?;
            if let (Some(now), Some(rev)) = (&place, key.version()) {
                place = Sources::back(&view, now.clone(), rev)?;
            }
            Ok(place.map(|place| (place, key)))
        });
        let places: Vec<_> = places.collect::<Result<_>>()?;
        let gone = places.iter().filter(|place| place.is_none()).count() as u64;
        let how = How {
            needles: &prepared.planned.needles,
            status: prepared.status,
            marks: prepared.request.marks,
            is_whole: prepared.request.members != Members::Own,
        };
        let places: Vec<(Place, &Key)> = places.into_iter().flatten().collect();
        let mark = |(place, key): &(Place, &Key)| {
            let is_old = key.version().is_some();
            if !is_old {
                return Ok(self.sources.hit(place.clone(), key.member, &how));
            }
            let whole = How {
                is_whole: true,
                ..how
            };
            Ok(crate::Hit {
                is_old,
                ..self.sources.hit(place.clone(), 0, &whole)
            })
        };
        let hits = each(&places, mark)?;
        Ok((hits, gone))
    }
}

/// What a search of old versions cannot say.
fn of_versions(query: &Query, request: &Request) -> Option<String> {
    let is_deleted = query.deleted || request.status == Status::Deleted;
    let said = match is_deleted {
        true => "old versions of deleted files are not searched",
        false => "names and folders are today's; files deleted since are found with is:deleted",
    };
    Some(said.into())
}

/// What a page is made of.
struct Found {
    matches: Matches,
    /// Files with some of the words are among it.
    relaxed: bool,
}
