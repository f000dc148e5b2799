//! The one thread of a process that commits: locks the clock, learns what others wrote, validates, writes a group, answers.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use rand::Rng;
use sqlx::mysql::MySqlRow;

use super::connection::{Connection, Failure, Use, column, number};
use super::group::{self, Group, Place, read_written};
use super::layout::Layout;
use super::pulse::Pulse;
use super::servers::Servers;
use crate::error::{Error, Result};
use crate::kv::optimistic::queue::{AbandonOnExit, Answer, Queue, Request, fail};
use crate::kv::optimistic::{Ledger, Versions};

/// How long a group is tried while the database is away or others hold the clock.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pauses between tries: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));
/// A connection unused for so long is opened anew; the server is about to close it.
const IDLE_LIMIT: Duration = Duration::from_secs(15);
/// Commits of others that are read one by one; behind more, everything is taken for written.
const MAX_BEHIND: usize = 256;
/// Numbers that one statement reads.
const NUMBERS_AT_ONCE: usize = 1_024;

/// The committer's state. All of it is derived from the database and may be forgotten.
pub struct Committer {
    servers: Arc<Servers>,
    /// The map as of the last time that the clock was locked.
    layout: Arc<Layout>,
    versions: Arc<Versions>,
    queue: Arc<Queue>,
    pulse: Arc<Pulse>,
    connection: Option<(Instant, Connection)>,
    ledger: Ledger,
    /// The newest commit that the ledger knows of; `None` when it must begin anew.
    tip: Option<Tip>,
}

/// A commit, as the clock names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// The clock's version with it.
    pub version: u64,
    /// Its name.
    pub id: Vec<u8>,
}

/// The commit in the first two columns of a row.
pub fn tip(row: Option<&MySqlRow>) -> Result<Tip, Failure> {
    let row = row.ok_or_else(|| Failure::Refused("the clock is missing".into()))?;
    Ok(Tip {
        version: column(row, 0)?,
        id: column(row, 1)?,
    })
}

/// A group in the making.
struct Staged {
    group: Group,
    place: Place,
    answers: Vec<(SyncSender<Answer>, Answer)>,
}

impl Committer {
    /// A committer that knows of everything up to `tip`.
    pub fn new(
        tip: Tip,
        servers: Arc<Servers>,
        versions: Arc<Versions>,
        queue: Arc<Queue>,
        pulse: Arc<Pulse>,
    ) -> Committer {
        let mut ledger = Ledger::default();
        ledger.forget_before(tip.version);
        Committer {
            layout: servers.layout(),
            servers,
            versions,
            queue,
            pulse,
            connection: None,
            ledger,
            tip: Some(tip),
        }
    }

    /// Commits groups until the queue is closed and empty.
    pub fn run(mut self) {
        let _abandon = AbandonOnExit(self.queue.clone());
        while let Some(requests) = self.queue.take() {
            self.commit(requests);
            self.ledger.recent.prune(self.versions.oldest_active());
        }
    }

    fn commit(&mut self, requests: Vec<Request>) {
        let until = Instant::now() + PATIENCE;
        let began = self.patiently(until, |committer| {
            let clock = committer.lock_clock()?;
            committer.read_numbers(&requests)?;
            Ok(clock)
        });
        let clock = match began {
            Ok(clock) => clock,
            Err(failure) => {
                let error = failure.into();
                return fail(requests.into_iter().map(|request| request.answer), &error);
            }
        };
        let staged = self.stage(clock, requests);
        let answers = if staged.place.version == clock {
            self.unlock();
            staged.answers
        } else {
            self.write(staged, until)
        };
        // Losers are answered only now: a snapshot taken before the commit would lose again.
        for (to, answer) in answers {
            let _gone = to.send(answer);
        }
    }

    /// Validates each transaction against those before it, assigns sequences. Everything it needs was read.
    fn stage(&mut self, clock: u64, requests: Vec<Request>) -> Staged {
        let place = Place {
            base: clock,
            version: clock,
            id: rand::rng().random(),
        };
        let mut staged = Staged {
            group: Group::default(),
            place,
            answers: Vec::new(),
        };
        for request in requests {
            let accepted = self.ledger.accept(
                request.version,
                &request.reads,
                request.writes,
                staged.place.version + 1,
                &mut |_| Ok(0), // what was not found does not exist yet
                &mut staged.group,
            );
            if let Ok(Some(_)) = accepted {
                staged.place.version += 1;
            }
            staged.answers.push((request.answer, accepted));
        }
        let numbers = &mut staged.group.numbers;
        self.ledger.numbers.write(&mut |at, number| {
            numbers.insert(at.to_vec(), number);
        });
        staged
    }

    /// Writes the group and commits it, over lost connections and deadlocks. The clock is locked.
    fn write(&mut self, mut staged: Staged, until: Instant) -> Vec<(SyncSender<Answer>, Answer)> {
        let place = staged.place;
        let mut sent = self.send(&staged.group, place);
        while let Err(failure) = sent {
            self.connection = None; // whatever is half done there is undone
            if matches!(failure, Failure::Refused(_) | Failure::Full(_)) {
                return self.give_up(staged, failure);
            }
            tracing::warn!(%failure, "a commit is tried again");
            // The clock cannot be had before the lost connection's transaction has ended, one way or the other.
            let found = self.patiently(until, |committer| {
                let clock = committer.lock_clock()?;
                Ok((committer.has_landed(place)?, clock))
            });
            sent = match found {
                Ok((true, _)) => {
                    self.unlock();
                    Ok(())
                }
                Ok((false, clock)) if clock == place.base => self.send(&staged.group, place),
                Ok((false, _)) => {
                    self.unlock();
                    self.tip = None;
                    turn_away(&mut staged);
                    return staged.answers; // others were first: the bodies run again
                }
                Err(failure) => return self.give_up(staged, failure),
            };
        }
        self.tip = Some(Tip {
            version: place.version,
            id: place.id.to_vec(),
        });
        self.versions.publish(place.version);
        self.pulse.note(place.version);
        staged.answers
    }

    /// Nobody knows, or the database refuses: those who were accepted get the error.
    fn give_up(&mut self, staged: Staged, failure: Failure) -> Vec<(SyncSender<Answer>, Answer)> {
        self.tip = None;
        let (accepted, others): (Vec<_>, Vec<_>) = staged
            .answers
            .into_iter()
            .partition(|(_, answer)| matches!(answer, Ok(Some(_))));
        let error: Error = failure.into();
        fail(accepted.into_iter().map(|(to, _)| to), &error);
        others
    }

    fn send(&mut self, group: &Group, place: Place) -> Result<(), Failure> {
        let layout = self.layout.clone();
        let split = group.split(&layout, self.servers.placement());
        let connection = self.connection()?;
        for statements in group.commit(place, &split) {
            connection.run(statements)?;
        }
        self.servers.wake(split.others());
        Ok(())
    }

    /// Locks the clock in a new transaction, takes in what others committed, and returns its version.
    fn lock_clock(&mut self) -> Result<u64, Failure> {
        let seen = self.tip.take();
        let after = seen.as_ref().map_or(u64::MAX, |tip| tip.version);
        let sql = format!(
            "START TRANSACTION; \
             SELECT c.version, c.batch, l.version FROM firefly_clock c JOIN firefly_layout l ON l.id = 1 \
             WHERE c.id = 1 FOR UPDATE; \
             SELECT version, batch, IF(version = {after}, NULL, written) FROM firefly_commits \
             WHERE version >= {after} ORDER BY version LIMIT {}",
            MAX_BEHIND + 2
        );
        let sets = self.connection()?.run(sql)?;
        let row = sets.get(1).and_then(|rows| rows.first());
        let clock = tip(row)?;
        self.follow_layout(row.map_or(Ok(0), |row| column(row, 2))?)?;
        let commits = sets.get(2).map_or(&[][..], Vec::as_slice);
        if !self.follow(seen, &clock, commits)? {
            self.ledger.forget_before(clock.version);
        }
        let version = clock.version;
        self.tip = Some(clock);
        Ok(version)
    }

    /// Has the map of this version. It stays the same while the clock is locked.
    fn follow_layout(&mut self, version: u64) -> Result<(), Failure> {
        if self.layout.version != version {
            let layout = Layout::read(self.connection()?, version)?;
            self.layout = self.servers.learn(layout);
        }
        Ok(())
    }

    /// Takes in the commits after `seen`, up to the clock. False when they are not all there.
    fn follow(
        &mut self,
        seen: Option<Tip>,
        clock: &Tip,
        commits: &[MySqlRow],
    ) -> Result<bool, Failure> {
        let (Some(seen), Some(first)) = (seen, commits.first()) else {
            return Ok(false);
        };
        let (first, last) = (tip(Some(first))?, tip(commits.last())?);
        let another = first.version == seen.version && first.id != seen.id;
        if clock.version < seen.version || another {
            tracing::error!(
                seen = seen.version,
                now = clock.version,
                "the metadata database has lost commits that were seen: it was set back, or does not sync its log in \
                 time; run `firefly check` and `firefly reindex`"
            );
            return Ok(false);
        }
        if first != seen || last != *clock {
            return Ok(false);
        }
        for row in &commits[1..] {
            let (version, written): (u64, Option<Vec<u8>>) = (column(row, 0)?, column(row, 2)?);
            let Some(keys) = written.as_deref().and_then(read_written) else {
                return Ok(false);
            };
            for (tag, key) in keys {
                match tag {
                    group::ROW => self.ledger.recent.add(&key[1..], version),
                    _ => self.ledger.numbers.forget_one(key),
                }
            }
        }
        Ok(true)
    }

    /// Reads the log heads and counters that the transactions need, under the clock's lock.
    fn read_numbers(&mut self, requests: &[Request]) -> Result<(), Failure> {
        let unknown = self
            .ledger
            .numbers
            .unknown(requests.iter().map(|request| &request.writes));
        let unknown: Vec<_> = unknown.into_iter().collect();
        for keys in unknown.chunks(NUMBERS_AT_ONCE) {
            let sets = self.connection()?.run(group::select_numbers(keys.iter()))?;
            for row in sets.iter().flatten() {
                let (at, number) = number(row)?;
                self.ledger.numbers.learn(at, number);
            }
        }
        Ok(())
    }

    /// True when the group is in the database. The clock is locked.
    fn has_landed(&mut self, place: Place) -> Result<bool, Failure> {
        let sql = format!(
            "SELECT version FROM firefly_commits WHERE version = {} AND batch = x'{}'",
            place.version,
            hex::encode(place.id)
        );
        let sets = self.connection()?.run(sql)?;
        Ok(sets.iter().flatten().next().is_some())
    }

    fn unlock(&mut self) {
        let rolled_back = self
            .connection()
            .and_then(|connection| connection.run("ROLLBACK".into()));
        if rolled_back.is_err() {
            self.connection = None; // the server ends the transaction with it
        }
    }

    /// Calls `call` until it succeeds, on a new connection after every failure.
    fn patiently<T>(
        &mut self,
        until: Instant,
        mut call: impl FnMut(&mut Committer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pause = PAUSES.0;
        loop {
            let failure = match call(self) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            self.connection = None;
            let again = matches!(failure, Failure::Lost(_) | Failure::Again(_));
            if !again || Instant::now() + pause > until {
                return Err(failure);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    fn connection(&mut self) -> Result<&mut Connection, Failure> {
        if self
            .connection
            .as_ref()
            .is_some_and(|(used, _)| used.elapsed() > IDLE_LIMIT)
        {
            self.connection = None;
        }
        let open = match self.connection.take() {
            Some((_, connection)) => connection,
            None => self.servers.primary().connector().open_once(Use::Write)?,
        };
        Ok(&mut self.connection.insert((Instant::now(), open)).1)
    }
}

/// Those who were accepted conflict instead.
fn turn_away(staged: &mut Staged) {
    for (_, answer) in &mut staged.answers {
        if let Ok(Some(_)) = answer {
            *answer = Ok(None);
        }
    }
}
