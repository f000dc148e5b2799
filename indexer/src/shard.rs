//! A shard as its readers see it: the last commit, and what must not be seen of it any more.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use storage::journal::{Partition, route};
use storage::meta::{FileId, NamespaceId, Rev};
use tantivy::Searcher;

use crate::error::{self, Result};
use crate::exclusion::{ExclusionLog, Exclusions, Truth};
use crate::look;
use crate::payload;
use crate::reconcile::Sources;
use crate::schema::Fields;
use crate::status::ShardStatus;

/// One shard.
pub struct Shard {
    /// Its number.
    pub number: u16,
    shards: u16,
    sources: Sources,
    published: RwLock<Option<Arc<Published>>>,
    status: RwLock<ShardStatus>,
}

/// A commit that is searched.
struct Published {
    searcher: Searcher,
    fields: Fields,
    exclusions: ExclusionLog,
    /// Per owned partition, the sequence up to which the commit has everything.
    checkpoint: Vec<u64>,
    /// False while the first scan of metadata is not through, or the logs cannot be followed.
    complete: bool,
}

/// What one search works on: a whole commit, minus what has gone since. // I5
#[derive(Clone)]
pub struct ShardView {
    /// The commit.
    pub searcher: Searcher,
    /// Its fields.
    pub fields: Fields,
    /// File ids (the `file` column) that must be no hit, no count and no facet. // I6
    pub exclusions: Exclusions,
    /// False when something may be missing, or something gone may be found: the answer is partial.
    pub complete: bool,
}

impl Shard {
    pub(crate) fn new(number: u16, shards: u16, sources: Sources) -> Self {
        Shard {
            number,
            shards,
            sources,
            published: RwLock::default(),
            status: RwLock::new(ShardStatus::new(number)),
        }
    }

    /// The last commit, with exclusions moved on to the present heads of the logs of `namespaces`. Only documents of these
    /// namespaces may be taken from it. `None` before the first commit. At the deadline it says it is not complete.
    pub fn view(&self, namespaces: &[NamespaceId], deadline: Instant) -> Option<ShardView> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()?;
        let Published {
            searcher,
            fields,
            exclusions,
            complete,
            ..
        } = &*published;
        let mut partitions: Vec<Partition> = namespaces
            .iter()
            .flat_map(|&ns| partitions_of(ns))
            .collect();
        partitions.sort_unstable();
        partitions.dedup();
        let (journal, meta) = (&self.sources.journal, &self.sources.meta);
        let truth = Truth {
            journal,
            meta,
            searcher,
            fields,
        };
        let (exclusions, reached) = exclusions.advance(&truth, &partitions, deadline).unwrap_or_else(|error| {
            tracing::warn!(shard = self.number, %error, "a search goes without the newest deletions");
            (exclusions.known(), false)
        });
        Some(ShardView {
            searcher: searcher.clone(),
            fields: *fields,
            exclusions,
            complete: *complete && reached,
        })
    }

    /// True when the shard may hold documents of `ns`.
    pub fn owns(&self, ns: NamespaceId) -> bool {
        partitions_of(ns).any(|partition| payload::place(partition, self.shards).0 == self.number)
    }

    /// True when the last commit shows this very content of a file, with what extraction found in it.
    pub fn shows(&self, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let Some(published) = published else {
            return Ok(false);
        };
        let shown = look::find(&published.searcher, &published.fields, file);
        let shown = shown.map_err(error::index(self.number))?;
        Ok(shown.is_some_and(|shown| (shown.ns, shown.rev) == (ns, rev.0) && shown.is_extracted))
    }

    /// Files of the last commit, by how their extraction ended ([`crate::document::outcome_code`]).
    pub fn outcomes(&self, see: &mut dyn FnMut(FileId, u64)) -> Result<()> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match published {
            Some(published) => look::outcomes(&published.searcher, &published.fields, see)
                .map_err(error::index(self.number)),
            None => Ok(()),
        }
    }

    /// Files of `ns` that log entries after the last commit name: not in the index as they are now. Counts as far as the last
    /// [`Shard::view`] of the namespace looked.
    pub fn waiting(&self, ns: NamespaceId) -> u64 {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        published.map_or(0, |published| published.exclusions.coming(ns))
    }

    /// True when a log entry after the last commit names the file, as far as the last [`Shard::view`] looked.
    pub fn is_coming(&self, file: FileId) -> bool {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        published.is_some_and(|published| published.exclusions.names(file))
    }

    /// Per owned partition, how far the commit is that is searched; empty before the first one.
    pub(crate) fn committed(&self) -> Vec<u64> {
        let published = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        published
            .as_ref()
            .map_or_else(Vec::new, |published| published.checkpoint.clone())
    }

    /// How it is.
    pub fn status(&self) -> ShardStatus {
        self.status
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_status(&self, status: ShardStatus) {
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = status;
    }

    /// Shows nothing any more.
    pub(crate) fn withdraw(&self) {
        *self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner) = None;
        self.set_status(ShardStatus::new(self.number));
    }

    /// Shows a commit to searches from now on.
    pub(crate) fn publish(
        &self,
        searcher: Searcher,
        fields: Fields,
        checkpoint: &[u64],
        complete: bool,
    ) {
        let last = self
            .published
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let exclusions = match last {
            Some(last) => last.exclusions.next(&last.searcher, checkpoint),
            None => ExclusionLog::new(self.number, self.shards, checkpoint),
        };
        let published = Arc::new(Published {
            searcher,
            fields,
            exclusions,
            checkpoint: checkpoint.to_vec(),
            complete,
        });
        *self
            .published
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(published);
    }
}

/// The shard of `shards` that holds a namespace's documents.
pub fn shard_of(ns: NamespaceId, shards: u16) -> u16 {
    payload::place(route(ns, FileId(0)), shards).0
}

/// The partitions in which changes of a namespace's files are logged: today one, whatever the file.
pub fn partitions_of(ns: NamespaceId) -> impl Iterator<Item = Partition> {
    std::iter::once(route(ns, FileId(0)))
}
