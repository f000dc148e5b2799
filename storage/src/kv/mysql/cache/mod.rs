//! memcached in front of point reads of snapshots: what it answers is believed only where the database's own history says
//! that the row is still the same.
//!
//! A snapshot begins with one round trip, as ever, which also reads the commits since this process last looked:
//! which rows were written, and when. An entry says as of which commit its row was read. It holds at the snapshot when the
//! row was not written between the two; anything else in memcached is as good as nothing. So no read is ever stale, whatever
//! memcached does. Transactions, ranges, log heads and counters never ask it. `docs/decisions/cache.md` says why. In reading
//! order: `entry` (what is stored), `history` (what holds), `client` (the protocol), `rest` (leaving a bad server alone).

mod client;
mod entry;
#[cfg(feature = "fuzz")]
mod fuzz;
mod history;
mod rest;

use std::sync::{Arc, PoisonError, RwLock};

use sqlx::mysql::MySqlRow;

use self::client::Client;
use self::entry::Seal;
use self::history::{History, Point};
use super::connection::{Failure, column};

pub use self::client::Address;
#[cfg(feature = "fuzz")]
pub use self::fuzz::decode;

/// Commits that one snapshot reads to catch up; behind more, no entry made before it holds.
const MAX_BEHIND: usize = 256;
/// Larger rows are not stored: memcached takes 1 MiB unless it is told otherwise.
const MAX_VALUE_BYTES: usize = 512 * 1024;

/// Entries of one database in one memcached.
pub struct Cache {
    client: Client,
    seal: Seal,
    is_cached: fn(&[u8]) -> bool,
    history: RwLock<Arc<History>>,
}

/// What was known when a snapshot began, and the statements that ask for what was not.
pub struct Question {
    history: Arc<History>,
    known: Point,
    /// Selects the commits since, the newest first.
    pub sql: String,
}

/// Cached reads at one snapshot.
pub struct Cached {
    cache: Arc<Cache>,
    history: Arc<History>,
    at: Point,
}

/// The commit in the first two columns of a row.
fn point(row: &MySqlRow) -> Result<Point, Failure> {
    let id: Vec<u8> = column(row, 1)?;
    let id = id.try_into();
    let id = id.map_err(|_| Failure::Refused("a commit's name has another length".into()))?;
    Ok(Point {
        version: column(row, 0)?,
        id,
    })
}

impl Cache {
    /// Entries of the database whose tables are called `store`; connects when it is first needed. `is_cached` says which
    /// keys' rows are kept.
    pub fn new(address: &Address, is_cached: fn(&[u8]) -> bool, store: &[u8]) -> Cache {
        Cache {
            client: Client::new(address),
            seal: Seal::new(store),
            is_cached,
            history: RwLock::new(Arc::new(History::new(Point::default()))),
        }
    }

    /// What a snapshot asks as it begins.
    pub fn question(&self) -> Question {
        let history = self.history();
        let known = history.tip();
        let after = known.version;
        let sql = format!(
            "SELECT version, batch, IF(version = {after}, NULL, written) FROM firefly_commits \
             WHERE version >= {after} ORDER BY version DESC LIMIT {}",
            MAX_BEHIND + 1
        );
        Question {
            history,
            known,
            sql,
        }
    }

    /// Takes in the answer: the commits that a snapshot sees. `None` when the snapshot is to do without: the database was set
    /// back, or rows may still be loaded, which no commit tells of.
    pub fn follow(
        self: &Arc<Self>,
        question: &Question,
        commits: &[MySqlRow],
    ) -> Result<Option<Cached>, Failure> {
        let newest = commits.first().map(point).transpose()?;
        let Some(at) = newest.filter(|newest| newest.version > 0) else {
            return Ok(None);
        };
        let history = if question.learn(commits)? {
            question.history.clone()
        } else {
            self.begin_anew(&question.history, at)
        };
        Ok(Some(Cached {
            cache: self.clone(),
            history,
            at,
        }))
    }

    /// The history from `at` on, where not somebody else has begun it already.
    fn begin_anew(&self, lost: &Arc<History>, at: Point) -> Arc<History> {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&history, lost) {
            *history = Arc::new(History::new(at));
        }
        history.clone()
    }

    fn history(&self) -> Arc<History> {
        let history = self.history.read().unwrap_or_else(PoisonError::into_inner);
        history.clone()
    }
}

impl Question {
    /// Takes in the commits after the known one. False when they are not all there, or others than before.
    fn learn(&self, commits: &[MySqlRow]) -> Result<bool, Failure> {
        let Some((oldest, newer)) = commits.split_last() else {
            return Ok(false);
        };
        if point(oldest)? != self.known {
            return Ok(false);
        }
        let mut points = Vec::with_capacity(newer.len());
        for row in newer.iter().rev() {
            let (point, written): (_, Option<Vec<u8>>) = (point(row)?, column(row, 2)?);
            self.history.write(point.version, written.as_deref());
            points.push(point);
        }
        self.history.publish(&points);
        Ok(true)
    }
}

impl Cached {
    /// What the row is at the snapshot (inner `None`: there is none), when memcached knows and it holds.
    pub fn get(&self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        let cache = &*self.cache;
        if !(cache.is_cached)(key) {
            return None;
        }
        let found = cache.client.get(&cache.seal.name(key));
        let opened = found.and_then(|bytes| cache.seal.open(key, &bytes));
        let (outcome, value) = match opened {
            Some((made_at, value)) if self.history.holds(key, &made_at, &self.at) => {
                ("hit", Some(value))
            }
            Some(_) => ("outdated", None),
            None => ("miss", None),
        };
        metrics::counter!("firefly_metadata_cache_reads_total", "outcome" => outcome).increment(1);
        value
    }

    /// Leaves the row as the snapshot has it for later readers.
    pub fn put(&self, key: &[u8], value: Option<&[u8]>) {
        let cache = &*self.cache;
        let is_small = value.is_none_or(|value| value.len() <= MAX_VALUE_BYTES);
        if is_small && (cache.is_cached)(key) && self.history.holds(key, &self.at, &self.at) {
            let entry = cache.seal.close(key, value, &self.at);
            cache.client.set(&cache.seal.name(key), &entry);
        }
    }
}
