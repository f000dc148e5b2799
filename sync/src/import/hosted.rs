//! Imports of this machine's folders that administrators ask for over the network: from configured roots only, into their own files.
//!
//! A record of each is kept in the data folder, so that a report can be read, and an import be gone on with, after a stop.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use storage::block::BlockStore;
use storage::meta::{AccountId, Actor, Meta};

use super::folder::{Entry, Folder, text};
use super::{Import, LocalDestination, Progress, Report, Rules};
use crate::Pace;
use crate::error::{Error, Result};

/// Imports that run at once.
const MAX_RUNNING: usize = 3;
/// Records that are kept.
const MAX_RECORDS: usize = 50;
/// Names of a folder that are shown.
const MAX_NAMES: usize = 1_000;

/// The imports of one server. Clones share them.
#[derive(Clone)]
pub struct Hosted(Arc<Inner>);

struct Inner {
    meta: Meta,
    blocks: BlockStore,
    pace: Pace,
    roots: Vec<PathBuf>,
    closed: Vec<PathBuf>,
    records: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<u64, Record>,
    running: BTreeMap<u64, Arc<Progress>>,
}

/// What these imports stand on.
pub struct Settings {
    /// Folders that may be imported, and everything below them.
    pub roots: Vec<PathBuf>,
    /// Folders that nothing is imported from: Firefly's own.
    pub closed: Vec<PathBuf>,
    /// Where records are kept; made when it is not there.
    pub records: PathBuf,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// One of the roots, as configured.
    pub root: PathBuf,
    /// The folder, below the root.
    pub path: PathBuf,
    /// The folder in Firefly that it goes to.
    pub into: String,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// Leave out what [`super::DEFAULT_EXCLUDES`] says, too.
    pub default_excludes: bool,
}

/// Why an import is not begun, or a folder not shown.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// There is no such folder, or import.
    #[error("not found")]
    NotFound,
    /// It lies outside the roots, behind a link, or is Firefly's own.
    #[error("not allowed: {0}")]
    NotAllowed(String),
    /// Too many run.
    #[error("other imports run")]
    Busy,
    /// A pattern cannot be read.
    #[error("{0}")]
    BadPattern(String),
    /// Something failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// How an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stand {
    /// It runs.
    Running,
    /// All was looked at.
    Done,
    /// Somebody has ended it.
    Cancelled,
    /// It could not go on.
    Failed,
    /// The server has ended meanwhile.
    Interrupted,
}

/// What is kept of an import.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its number.
    pub id: u64,
    /// Whose it is.
    pub account: String,
    /// The root.
    pub root: PathBuf,
    /// The folder below it.
    pub path: PathBuf,
    /// Where it goes.
    pub into: String,
    /// Patterns of what is left out.
    pub exclude: Vec<String>,
    /// How it is.
    pub state: Stand,
    /// When it was begun, milliseconds since 1970.
    pub begun_ms: i64,
    /// When it ended.
    pub ended_ms: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
    /// How it ended; empty until then.
    #[serde(default)]
    pub report: Report,
}

/// What is in a folder of the server.
#[derive(Debug, Default, Serialize)]
pub struct Shown {
    /// Folders, by name.
    pub folders: Vec<String>,
    /// Regular files.
    pub files: usize,
    /// There are more than are shown.
    pub more: bool,
}

type Outcome<T> = std::result::Result<T, Denied>;

impl Hosted {
    /// Reads the records of earlier imports; what ran then was interrupted.
    pub fn open(meta: Meta, blocks: BlockStore, pace: Pace, settings: Settings) -> Result<Hosted> {
        let records = settings.records;
        let io = |source| Error::Io {
            what: format!("records of imports in {}", records.display()),
            source,
        };
        std::fs::create_dir_all(&records).map_err(io)?;
        let state = State {
            records: read(&records).map_err(io)?,
            running: BTreeMap::new(),
        };
        Ok(Hosted(Arc::new(Inner {
            meta,
            blocks,
            pace,
            roots: settings.roots,
            closed: settings.closed,
            state: Mutex::new(state),
            records,
        })))
    }

    /// The folders that may be imported.
    pub fn roots(&self) -> &[PathBuf] {
        &self.0.roots
    }

    /// What is in a folder below a root. Blocks.
    pub fn browse(&self, root: &Path, path: &Path) -> Outcome<Shown> {
        let (folder, rules) = self.reach(root, path, &[], false)?;
        let names = folder.names().map_err(|error| failed(&folder, error))?;
        let mut shown = Shown::default();
        for name in names {
            match folder.look(&name) {
                Ok(Entry::File { .. }) => shown.files += 1,
                Ok(Entry::Folder) => {
                    let own = folder
                        .enter(&name)
                        .and_then(|below| rules.is_closed(&below));
                    match text(&name) {
                        Some(name) if !own.unwrap_or(false) => shown.folders.push(name.to_owned()),
                        _ => {}
                    }
                }
                _ => {}
            }
            if shown.folders.len() > MAX_NAMES {
                shown.folders.pop();
                shown.more = true;
                break;
            }
        }
        Ok(shown)
    }

    /// Begins an import into `actor`'s files. Must be called within the runtime that it is to run in.
    pub fn start(&self, actor: Actor, wanted: Wanted) -> Outcome<Record> {
        let (folder, rules) = self.reach(
            &wanted.root,
            &wanted.path,
            &wanted.exclude,
            wanted.default_excludes,
        )?;
        let inner = &self.0;
        let own = LocalDestination::new(
            inner.meta.clone(),
            inner.blocks.clone(),
            actor,
            inner.pace.clone(),
        );
        let import = Import::new(Arc::new(own), &wanted.into, rules);
        let record = self.begin(actor.account, wanted, import.progress())?;
        let (hosted, id) = (self.clone(), record.id);
        tokio::spawn(async move {
            let ended = import.run(&folder).await;
            hosted.end(id, ended);
        });
        Ok(record)
    }

    /// An import of the account's, and its counts while it runs.
    pub fn find(&self, account: AccountId, id: u64) -> Outcome<(Record, Option<Arc<Progress>>)> {
        let state = self.lock();
        let record = state.records.get(&id);
        let record = record.filter(|record| record.account == account.to_string());
        let record = record.ok_or(Denied::NotFound)?;
        Ok((record.clone(), state.running.get(&id).cloned()))
    }

    /// The account's imports, newest first.
    pub fn list(&self, account: AccountId) -> Vec<(Record, Option<Arc<Progress>>)> {
        let (state, account) = (self.lock(), account.to_string());
        let own = state.records.values().rev();
        let own = own.filter(|record| record.account == account);
        own.map(|record| (record.clone(), state.running.get(&record.id).cloned()))
            .collect()
    }

    /// Ends an import after the files at hand.
    pub fn cancel(&self, account: AccountId, id: u64) -> Outcome<(Record, Option<Arc<Progress>>)> {
        let found = self.find(account, id)?;
        if let Some(progress) = &found.1 {
            progress.cancel();
        }
        Ok(found)
    }

    /// Opens a folder below a root, name by name, and says what is left out.
    fn reach(
        &self,
        root: &Path,
        path: &Path,
        exclude: &[String],
        defaults: bool,
    ) -> Outcome<(Folder, Rules)> {
        let not_allowed = |why: &str| Err(Denied::NotAllowed(why.to_owned()));
        if !self.0.roots.iter().any(|known| known == root) {
            return not_allowed("not one of import_roots");
        }
        let rules = Rules::new(exclude, defaults, &self.0.closed);
        let rules = rules.map_err(|error| match error {
            Error::Pattern(why) => Denied::BadPattern(why),
            other => Denied::Failed(other),
        })?;
        let opened = Folder::open(root).and_then(|root| root.below(path));
        let folder = match opened {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Denied::NotFound),
            // A link, a file, `..`, or one without the right to read it.
            Err(error) => return not_allowed(&error.to_string()),
        };
        match rules.is_below_closed(&folder) {
            Ok(false) => Ok((folder, rules)),
            Ok(true) => not_allowed("Firefly's own data"),
            Err(error) => Err(failed(&folder, error)),
        }
    }

    fn begin(
        &self,
        account: AccountId,
        wanted: Wanted,
        progress: Arc<Progress>,
    ) -> Outcome<Record> {
        let account = account.to_string();
        let mut state = self.lock();
        let runs = |id: &u64| state.records.get(id).is_some_and(|r| r.account == account);
        if state.running.len() >= MAX_RUNNING || state.running.keys().any(runs) {
            return Err(Denied::Busy);
        }
        let record = Record {
            id: state.records.last_key_value().map_or(1, |(id, _)| id + 1),
            account,
            root: wanted.root,
            path: wanted.path,
            into: wanted.into,
            exclude: wanted.exclude,
            state: Stand::Running,
            begun_ms: self.0.meta.env().clock.now_ms(),
            ended_ms: None,
            error: None,
            report: Report::default(),
        };
        self.write(&record)?;
        while state.records.len() >= MAX_RECORDS
            && let Some((&oldest, _)) = state
                .records
                .iter()
                .find(|(id, _)| !state.running.contains_key(id))
        {
            state.records.remove(&oldest);
            if let Err(error) = std::fs::remove_file(self.path(oldest)) {
                tracing::warn!(import = oldest, %error, "a record of an import stays");
            }
        }
        state.running.insert(record.id, progress);
        state.records.insert(record.id, record.clone());
        Ok(record)
    }

    fn end(&self, id: u64, ended: Result<Report>) {
        let mut state = self.lock();
        let progress = state.running.remove(&id);
        let Some(record) = state.records.get_mut(&id) else {
            return;
        };
        record.ended_ms = Some(self.0.meta.env().clock.now_ms());
        match ended {
            Ok(report) => {
                record.state = match report.cancelled {
                    true => Stand::Cancelled,
                    false => Stand::Done,
                };
                record.report = report;
            }
            Err(error) => {
                record.state = Stand::Failed;
                record.error = Some(error.to_string());
            }
        }
        let found = progress.map_or(0, |progress| progress.found.load(Ordering::Relaxed));
        tracing::info!(import = id, found, state = ?record.state, "an import has ended");
        if let Err(error) = self.write(record) {
            tracing::error!(import = id, %error, "the report of an import was not kept");
        }
    }

    /// Writes a record, whole or not at all.
    fn write(&self, record: &Record) -> Result<()> {
        let path = self.path(record.id);
        let io = |source| Error::Io {
            what: format!("write {}", path.display()),
            source,
        };
        let temporary = path.with_extension("new");
        let text = serde_json::to_vec(record).map_err(|error| io(error.into()))?;
        std::fs::write(&temporary, text).map_err(io)?;
        std::fs::rename(&temporary, &path).map_err(io)
    }

    fn path(&self, id: u64) -> PathBuf {
        self.0.records.join(format!("{id}.json"))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(folder: &Folder, source: io::Error) -> Denied {
    Denied::Failed(Error::Io {
        what: format!("read folder {}", folder.path().display()),
        source,
    })
}

/// All records; one that cannot be read is told of and left out.
fn read(folder: &Path) -> io::Result<BTreeMap<u64, Record>> {
    let mut records = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        match serde_json::from_slice::<Record>(&std::fs::read(&path)?) {
            Ok(mut record) => {
                if record.state == Stand::Running {
                    record.state = Stand::Interrupted;
                }
                records.insert(record.id, record);
            }
            Err(error) => tracing::warn!(path = %path.display(), %error, "no record of an import"),
        }
    }
    Ok(records)
}
