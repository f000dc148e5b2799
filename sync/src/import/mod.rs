//! Brings a local folder in: keeps modification times, skips what is unchanged, leaves what is newer in Firefly, goes on after
//! a kill, and ends with a list of what was refused and why. It can go on following the folder, and delete in Firefly what it has
//! brought and what is gone from the folder since.
//!
//! Symbolic links are never followed: they are listed as refused. What is not a regular file or folder is refused too. What people
//! do not mean to keep is left out by [`Rules`].

mod file;
mod folder;
mod follow;
pub mod hosted;
mod ledger;
pub mod local;
mod pattern;
mod report;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{Stream, StreamExt};

use crate::error::{Error, Result};
use file::{Step, There};
pub use folder::{Folder, Source};
use follow::{Dirty, Heard, Watches};
pub use ledger::Ledger;
pub use local::LocalDestination;
pub use report::{MAX_LISTED, Progress, Refused, Report};
pub use rules::{DEFAULT_EXCLUDES, Rules};
use walk::{Found, Kind, Walk};

/// Files on their way at the same time.
const CONCURRENT_FILES: usize = 48;
/// Between two looks at a whole folder that is followed: what the kernel does not tell (network folders) is found by then;
const LOOK_EVERY: Duration = Duration::from_secs(15 * 60);
/// where not everything can be watched;
const LOOK_OFTEN: Duration = Duration::from_secs(60);
/// where something is to be tried again. However fast changes are lost, looks at the whole are not closer together.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Where an import goes: this process's storage, or a server over HTTP.
#[async_trait]
pub trait Destination: Send + Sync {
    /// Every live file below `folder` by lower-case path; empty when there is no such folder.
    async fn existing(&self, folder: &str) -> Result<HashMap<String, Existing>>;

    /// The live file at `path`; none when there is no file.
    async fn look(&self, path: &str) -> Result<Option<Existing>>;

    /// Makes `path` a file with the content of `source`, replacing what is there; the revision that it has now.
    async fn put(&self, path: &str, source: &Source, modified_s: i64) -> Result<String>;

    /// Makes sure that there is a folder at `path`.
    async fn folder(&self, path: &str) -> Result<()>;

    /// Deletes the file at `path` into the trash if it is still at `rev`.
    async fn delete(&self, path: &str, rev: &str) -> Result<Deleted>;
}

/// What the destination already has at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// Bytes.
    pub size: u64,
    /// The client's modification time, seconds since 1970.
    pub modified_s: i64,
    /// Dropbox's content_hash, lower-case hex.
    pub content_hash: String,
    /// Its revision.
    pub rev: String,
}

/// How a deletion ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It is in the trash.
    Done,
    /// It was not there any more.
    Gone,
    /// It has changed since, and stays.
    Changed,
}

/// What happens while a folder is followed.
#[derive(Debug)]
pub enum Told<'a> {
    /// Some names, or all of them, have been looked at.
    Looked(&'a Report),
    /// The folder or the destination could not be looked at; it is tried again soon.
    Failed(&'a Error),
}

/// The import of folders to one place.
pub struct Import {
    destination: Arc<dyn Destination>,
    into: String,
    rules: Arc<Rules>,
    ledger: Option<Mutex<Ledger>>,
    progress: Arc<Progress>,
}

impl Import {
    /// Imports go to the folder `into` ("" is the root) of the destination.
    pub fn new(destination: Arc<dyn Destination>, into: &str, rules: Rules) -> Import {
        Import {
            destination,
            into: into.trim_end_matches('/').to_owned(),
            rules: Arc::new(rules),
            ledger: None,
            progress: Arc::default(),
        }
    }

    /// What `ledger` says was brought, and is gone from the folder, is deleted.
    pub fn deleting(self, ledger: Ledger) -> Import {
        Import {
            ledger: Some(Mutex::new(ledger)),
            ..self
        }
    }

    /// The counts, which grow while it runs.
    pub fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }

    /// Imports everything below `folder`.
    ///
    /// Errors only when the folder itself cannot be read, is Firefly's own, or the destination cannot be listed; what concerns one
    /// file is in the report.
    pub async fn run(&self, folder: &Folder) -> Result<Report> {
        self.whole(folder, None).await
    }

    /// Imports everything below the folder at `path`, and then what changes there, for ever. Ends when it is dropped.
    pub async fn follow(
        &self,
        path: &Path,
        told: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> std::convert::Infallible {
        loop {
            let begun = Instant::now();
            let watches = match Watches::new() {
                Ok(watches) => Some(Arc::new(watches)),
                Err(error) => {
                    tracing::warn!(%error, "the folder cannot be watched: it is looked at every minute");
                    None
                }
            };
            let is_soon = self.look(path, &watches, told).await;
            let is_watched = watches.as_ref().is_some_and(|w| !w.is_missing_some());
            let wait = match (is_soon, is_watched) {
                (true, _) => TRY_AGAIN,
                (false, false) => LOOK_OFTEN,
                (false, true) => LOOK_EVERY,
            };
            if let (Some(watches), Ok(folder)) = (&watches, Folder::open(path)) {
                self.changes(&folder, watches, Instant::now() + wait, told)
                    .await;
            } else {
                tokio::time::sleep(wait).await;
            }
            tokio::time::sleep_until((begun + TRY_AGAIN).into()).await;
        }
    }

    /// Looks at the whole folder; true when that is to be done again soon.
    async fn look(
        &self,
        path: &Path,
        watches: &Option<Arc<Watches>>,
        told: &mut (dyn FnMut(Told<'_>) + Send),
    ) -> bool {
        let looked = match open(path) {
            Ok(folder) => self.whole(&folder, watches.clone()).await,
            Err(error) => Err(error),
        };
        match looked {
            Ok(report) => {
                told(Told::Looked(&report));
                report.passing > 0
            }
            Err(error) => {
                told(Told::Failed(&error));
                true
            }
        }
    }

    /// Imports what changes, until it is time, or changes were lost, to look at everything.
    async fn changes(
        &self,
        folder: &Folder,
        watches: &Arc<Watches>,
        mut until: Instant,
        told: &mut (dyn FnMut(Told<'_>) + Send),
    ) {
        let mut dirty = Dirty::default();
        loop {
            let wake = dirty.next().map_or(until, |due| due.min(until));
            tokio::select! {
                heard = watches.listen(&mut dirty) => match heard {
                    Ok(Heard::All) => {}
                    Ok(Heard::NotAll) => return,
                    Err(error) => {
                        tracing::warn!(%error, "changes cannot be read");
                        return;
                    }
                },
                () = tokio::time::sleep_until(wake.into()) => {}
            }
            let now = Instant::now();
            if now >= until {
                return;
            }
            let due = dirty.take_due(now);
            if due.is_empty() {
                continue;
            }
            match self.names(folder, due, watches.clone()).await {
                Ok(report) => {
                    if report.passing > 0 {
                        until = until.min(Instant::now() + TRY_AGAIN);
                    }
                    told(Told::Looked(&report));
                }
                Err(error) => {
                    told(Told::Failed(&error));
                    until = until.min(Instant::now() + TRY_AGAIN);
                }
            }
        }
    }

    async fn whole(&self, folder: &Folder, watches: Option<Arc<Watches>>) -> Result<Report> {
        let io = |source| Error::Io {
            what: format!("read folder {}", folder.path().display()),
            source,
        };
        folder.names().map_err(io)?;
        if self.rules.is_below_closed(folder).map_err(io)? {
            let own = "it holds Firefly's own data, which are not imported";
            return Err(io(std::io::Error::other(own)));
        }
        let there = There::All(self.destination.existing(&self.into).await?);
        if let Some(mut ledger) = self.ledger() {
            ledger.begin();
        }
        let mut pass = self
            .pass(folder, vec![String::new()], there, watches)
            .await?;
        let Some(unseen) = self.ledger().map(|ledger| ledger.unseen()) else {
            return Ok(pass.finish());
        };
        if pass.is_empty && !unseen.is_empty() {
            let reason =
                "the folder is empty, so nothing is deleted in Firefly: is its disk there?";
            pass.report.refuse(Refused {
                path: folder.path().to_owned(),
                reason: reason.to_owned(),
            });
        } else if !pass.report.cancelled {
            let unseen = unseen.into_iter().filter(|(path, _)| !pass.keeps(path));
            self.delete(folder, unseen.collect(), &mut pass.report)
                .await?;
        }
        Ok(pass.finish())
    }

    async fn names(
        &self,
        folder: &Folder,
        names: Vec<String>,
        watches: Arc<Watches>,
    ) -> Result<Report> {
        let mut pass = self.pass(folder, names, There::Each, Some(watches)).await?;
        let gone = std::mem::take(&mut pass.gone);
        let gone = match self.ledger() {
            Some(ledger) => gone.iter().flat_map(|path| ledger.below(path)).collect(),
            None => Vec::new(),
        };
        self.delete(folder, gone, &mut pass.report).await?;
        Ok(pass.finish())
    }

    /// Imports what is at these paths, and below them.
    async fn pass(
        &self,
        folder: &Folder,
        at: Vec<String>,
        there: There,
        watches: Option<Arc<Watches>>,
    ) -> Result<Pass> {
        let walk = Walk {
            top: folder.clone(),
            rules: self.rules.clone(),
            watches,
        };
        let found = walk.start(at)?;
        let mut pass = Pass::new();
        let steps = self.steps(found, &there);
        futures::pin_mut!(steps);
        while let Some((relative, step)) = steps.next().await {
            self.note(relative, step, &mut pass)?;
            if self.progress.is_cancelled() {
                pass.report.cancelled = true;
                break;
            }
        }
        Ok(pass)
    }

    fn steps(
        &self,
        found: impl Stream<Item = Found>,
        there: &There,
    ) -> impl Stream<Item = (String, Step)> {
        let end = futures::stream::poll_fn(|_| {
            self.progress.walked.store(true, Ordering::Relaxed);
            std::task::Poll::Ready(None)
        });
        found
            .chain(end)
            .map(move |found| self.step(found, there))
            .buffer_unordered(CONCURRENT_FILES)
    }

    async fn step(&self, found: Found, there: &There) -> (String, Step) {
        let path = format!("{}/{}", self.into, found.relative);
        let refused = |reason| Refused {
            path: found.path.clone(),
            reason,
        };
        let step = match found.kind {
            Kind::EmptyFolder => match self.destination.folder(&path).await {
                Ok(()) => Step::Folder,
                Err(error) => Step::refused(&found.path, &error),
            },
            Kind::Gone => Step::Gone,
            Kind::Excluded(pattern) => Step::Excluded(refused(pattern)),
            Kind::Refused(reason) => Step::Refused(refused(reason), false),
            Kind::File {
                ref source,
                size,
                modified_s,
            } => {
                self.progress.found.fetch_add(1, Ordering::Relaxed);
                let done = file::bring(&*self.destination, there, &path, source, size, modified_s);
                done.await
            }
        };
        (found.relative, step)
    }

    fn note(&self, relative: String, step: Step, pass: &mut Pass) -> Result<()> {
        let progress = &self.progress;
        let seen = |rev: Option<&str>| match self.ledger() {
            Some(mut ledger) => ledger.seen(&relative, rev).map_err(ledger_failed),
            None => Ok(()),
        };
        pass.is_empty = false;
        match step {
            Step::Imported { bytes, rev } => {
                pass.report.imported += 1;
                pass.report.bytes += bytes;
                progress.imported.fetch_add(1, Ordering::Relaxed);
                progress.bytes.fetch_add(bytes, Ordering::Relaxed);
                seen(Some(&rev))?;
            }
            Step::Unchanged { rev } => {
                pass.report.unchanged += 1;
                progress.unchanged.fetch_add(1, Ordering::Relaxed);
                seen(Some(&rev))?;
            }
            Step::Folder => {}
            Step::Gone => pass.gone.push(relative),
            Step::Refused(refused, is_passing) => {
                pass.report.passing += u64::from(is_passing);
                pass.report.refuse(refused);
                progress.refused.fetch_add(1, Ordering::Relaxed);
                pass.keep(relative, self.ledger.is_some());
            }
            Step::Excluded(excluded) => {
                pass.report.exclude(excluded);
                progress.excluded.fetch_add(1, Ordering::Relaxed);
                pass.keep(relative, self.ledger.is_some());
            }
        }
        Ok(())
    }

    /// Deletes what was brought, at these revisions. What has changed since stays.
    async fn delete(
        &self,
        folder: &Folder,
        brought: Vec<(String, String)>,
        report: &mut Report,
    ) -> Result<()> {
        let deletions = futures::stream::iter(brought).map(|(relative, rev)| async move {
            let path = format!("{}/{relative}", self.into);
            (relative, self.destination.delete(&path, &rev).await)
        });
        let deletions = deletions.buffer_unordered(CONCURRENT_FILES);
        futures::pin_mut!(deletions);
        while let Some((relative, deleted)) = deletions.next().await {
            let refused = |reason: String| Refused {
                path: folder.path().join(&relative),
                reason,
            };
            match deleted {
                Ok(Deleted::Done) => {
                    report.deleted += 1;
                    self.progress.deleted.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Deleted::Gone) => {}
                Ok(Deleted::Changed) => {
                    let reason = "gone from the folder, but changed in Firefly since: it stays";
                    report.refuse(refused(reason.to_owned()));
                }
                Err(error) => {
                    report.passing += u64::from(error.is_retryable());
                    report.refuse(refused(format!(
                        "gone from the folder, but not deleted: {error}"
                    )));
                    continue;
                }
            }
            if let Some(mut ledger) = self.ledger() {
                ledger.forget(&relative).map_err(ledger_failed)?;
            }
        }
        Ok(())
    }

    fn ledger(&self) -> Option<MutexGuard<'_, Ledger>> {
        let ledger = self.ledger.as_ref();
        ledger.map(|ledger| ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What one walk has shown so far.
struct Pass {
    report: Report,
    gone: Vec<String>,
    kept: HashSet<String>,
    is_empty: bool,
}

impl Pass {
    fn new() -> Pass {
        Pass {
            report: Report::default(),
            gone: Vec::new(),
            kept: HashSet::new(),
            is_empty: true,
        }
    }

    /// Nothing is known of what is at `relative` and below it, so nothing there is deleted.
    fn keep(&mut self, relative: String, matters: bool) {
        if matters {
            self.kept.insert(relative);
        }
    }

    fn keeps(&self, path: &str) -> bool {
        let mut at = Some(path);
        std::iter::from_fn(|| {
            let now = at?;
            at = now.rsplit_once('/').map(|(above, _)| above);
            Some(now)
        })
        .any(|above| self.kept.contains(above))
    }

    fn finish(mut self) -> Report {
        self.report.sort();
        self.report
    }
}

/// Opens the folder that is to be imported.
pub fn open(path: &Path) -> Result<Folder> {
    Folder::open(path).map_err(|source| Error::Io {
        what: format!("read folder {}", path.display()),
        source,
    })
}

fn ledger_failed(source: std::io::Error) -> Error {
    Error::Io {
        what: "write the import's ledger".to_owned(),
        source,
    }
}
