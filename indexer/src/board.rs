//! Which extraction job runs next: the rules of fairness, without any work.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use storage::extraction::Job;
use storage::meta::{AccountId, FileId, NamespaceId, Rev};

/// A job that runs longer is slow.
const SLOW: Duration = Duration::from_secs(1);
/// More jobs are wanted when fewer wait on the board. A look at the queue brings many at once.
const FEW_WAITING: usize = 64;
/// How often the queue is looked at although many wait: there may be jobs of other accounts in it.
const OTHERS_PERIOD: Duration = Duration::from_millis(50);
/// How long a job rests that could not be done.
const ASIDE: Duration = Duration::from_secs(60);
/// Finished jobs that are remembered, so that a look at the queue made before they were finished does not bring them back.
const MAX_FINISHED: usize = 1024;
/// For how long they are: a file may be asked for once more.
const REMEMBERED: Duration = Duration::from_secs(10);
/// How often the rules are looked at again while nothing happens: running jobs become slow.
const PERIOD: Duration = Duration::from_millis(200);

/// A file that was renamed is the same version, to be read another way.
type Key = (FileId, Rev, Vec<u8>);

/// The jobs known to this process.
pub struct Board {
    at_a_time: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    closed: bool,
    waiting: BTreeMap<AccountId, VecDeque<Job>>,
    running: HashMap<Key, (AccountId, Instant)>,
    /// By account, what is waiting, running, or run and not finished.
    known: BTreeMap<AccountId, Known>,
    finished: Finished,
    aside: HashMap<Key, Instant>,
    /// Contents that run, or have run and are not finished: other files with the same one wait for its record.
    busy: HashSet<Vec<u8>>,
    last: Option<AccountId>,
}

/// The jobs of an account.
#[derive(Default)]
struct Known {
    open: BTreeSet<(Rev, FileId)>,
    /// The newest that was ever here.
    newest: Option<Rev>,
}

/// The jobs that were finished last.
#[derive(Default)]
struct Finished {
    keys: HashMap<Key, Instant>,
    order: VecDeque<Key>,
}

impl Finished {
    fn has(&self, key: &Key) -> bool {
        let at = self.keys.get(key);
        at.is_some_and(|at| at.elapsed() < REMEMBERED)
    }

    fn add(&mut self, key: Key) {
        if self.keys.insert(key.clone(), Instant::now()).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > MAX_FINISHED
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

impl Board {
    /// A board from which at most `at_a_time` jobs run that are not slow, and as many of one account.
    pub fn new(at_a_time: usize) -> Self {
        Board {
            at_a_time,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until more jobs are wanted, or those of others; false when the board is closed.
    pub fn wait_for_room(&self) -> bool {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            let left = OTHERS_PERIOD.saturating_sub(begun.elapsed());
            if state.closed || state.waiting_jobs() < FEW_WAITING || left.is_zero() {
                return !state.closed;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Puts jobs on the board that are not known; returns how many.
    pub fn offer(&self, jobs: Vec<Job>) -> usize {
        let mut state = self.lock();
        let now = Instant::now();
        state.aside.retain(|_, until| *until > now);
        let mut taken = 0;
        for job in jobs {
            let key = key(&job);
            if state.aside.contains_key(&key) || state.finished.has(&key) {
                continue;
            }
            let known = state.known.entry(job.account).or_default();
            known.newest = known.newest.max(Some(job.rev));
            if !known.open.insert((job.rev, job.file)) {
                continue;
            }
            state.waiting.entry(job.account).or_default().push_back(job);
            taken += 1;
        }
        self.changed.notify_all();
        taken
    }

    /// True when the job waits here, runs, was finished lately, or rests.
    pub fn knows(&self, job: &Job) -> bool {
        let (state, key) = (self.lock(), key(job));
        let known = state.known.get(&job.account);
        known.is_some_and(|known| known.open.contains(&(job.rev, job.file)))
            || state.finished.has(&key)
            || state.aside.contains_key(&key)
    }

    /// The next job, waiting for one; `None` when the board is closed.
    pub fn take(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.choose(self.at_a_time, Instant::now()) {
                self.changed.notify_all();
                return Some(job);
            }
            state = self.wait(state);
        }
    }

    /// The job's work is done, its result is not written yet.
    pub fn ran(&self, job: &Job) {
        self.lock().running.remove(&key(job));
        self.changed.notify_all();
    }

    /// The job's result is written.
    pub fn finished(&self, job: &Job) {
        let mut state = self.lock();
        state.forget(job);
        state.busy.remove(&job.content());
        state.finished.add(key(job));
        self.changed.notify_all();
    }

    /// The job could not be done, and rests.
    pub fn set_aside(&self, job: &Job) {
        let mut state = self.lock();
        state.forget(job);
        state.busy.remove(&job.content());
        state.aside.insert(key(job), Instant::now() + ASIDE);
    }

    /// By account, the oldest job that is not finished, or else the newest that was: what is older has been seen to, but for
    /// jobs that were set aside and those that are committed later than younger ones.
    pub fn begins(&self) -> BTreeMap<AccountId, Rev> {
        let state = self.lock();
        let begins = state.known.iter().filter_map(|(&account, known)| {
            let oldest = known.open.first().map(|&(rev, _)| rev);
            Some((account, oldest.or(known.newest)?))
        });
        begins.collect()
    }

    /// Forgets how far it was with the accounts that have no jobs here.
    pub fn forget_idle(&self) {
        self.lock().known.retain(|_, known| !known.open.is_empty());
    }

    /// Of each account that could have a job run now, where its next one is, and the version.
    pub fn waiting(&self) -> Vec<(NamespaceId, Rev)> {
        let state = self.lock();
        let now = Instant::now();
        let slow = |account: AccountId| {
            let mut running = state.running.values();
            running.any(|&(running, since)| running == account && is_slow(since, now))
        };
        let able = state.waiting.iter().filter(|&(&account, _)| !slow(account));
        let next = able.filter_map(|(_, jobs)| jobs.front());
        next.map(|job| (job.ns, job.rev)).collect()
    }

    /// How many jobs run.
    pub fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Waits until nothing waits or runs, at most for `patience`; false when the board is closed.
    pub fn wait_for_quiet(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        while !state.closed
            && Instant::now() < until
            && (state.waiting_jobs() > 0 || !state.running.is_empty())
        {
            state = self.wait(state);
        }
        !state.closed
    }

    /// Waits for `period`; returns early when the board is closed.
    pub fn wait_until_closed(&self, period: Duration) {
        let until = Instant::now() + period;
        let mut state = self.lock();
        while !state.closed && Instant::now() < until {
            state = self.wait(state);
        }
    }

    /// Whether no job is taken any more.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// No job is taken any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, PERIOD);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn forget(&mut self, job: &Job) {
        if let Some(known) = self.known.get_mut(&job.account) {
            known.open.remove(&(job.rev, job.file));
        }
    }

    fn waiting_jobs(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// A job of the account that has the fewest running, in turn.
    fn choose(&mut self, at_a_time: usize, now: Instant) -> Option<Job> {
        if self
            .running
            .values()
            .filter(|(_, since)| !is_slow(*since, now))
            .count()
            >= at_a_time
        {
            return None;
        }
        let others = self.waiting.len() > 1;
        let may_run = |account: AccountId| {
            let of_account = self
                .running
                .values()
                .filter(|(running, _)| *running == account);
            let (all, slow) = of_account.fold((0, 0), |(all, slow), (_, since)| {
                (all + 1, slow + usize::from(is_slow(*since, now)))
            });
            (all < at_a_time && !(others && slow > 0)).then_some(all)
        };
        let served = self.last;
        let is_free = |job: &Job| !self.busy.contains(&job.content());
        let (_, _, chosen, place) = self
            .waiting
            .iter()
            .filter_map(|(&account, jobs)| {
                Some((
                    may_run(account)?,
                    served.is_some_and(|last| account <= last),
                    account,
                    jobs.iter().position(is_free)?,
                ))
            })
            .min()?;
        let jobs = self.waiting.get_mut(&chosen)?;
        let job = jobs.remove(place)?;
        self.busy.insert(job.content());
        if jobs.is_empty() {
            self.waiting.remove(&chosen);
        }
        self.last = Some(chosen);
        self.running.insert(key(&job), (chosen, now));
        Some(job)
    }
}

fn is_slow(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) >= SLOW
}

fn key(job: &Job) -> Key {
    (job.file, job.rev, job.content())
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::extraction::Scope;

    fn job(account: u64, file: u64) -> Job {
        Job {
            account: AccountId(account),
            ns: NamespaceId(account),
            file: FileId(file),
            rev: Rev(1),
            name: "a.txt".into(),
            size: 1,
            content_hash: [file as u8; 32],
            blocks: Vec::new(),
            scope: Scope::Account(AccountId(account)),
            request: None,
        }
    }

    fn state(jobs: Vec<Job>) -> State {
        let board = Board::new(2);
        board.offer(jobs);
        board
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[test]
    fn accounts_take_turns() {
        let mut state = state(
            (1..=4)
                .map(|file| job(1, file))
                .chain([job(2, 9), job(3, 8)])
                .collect(),
        );
        let now = Instant::now();
        let order: Vec<u64> = std::iter::from_fn(|| {
            let job = state.choose(2, now)?;
            state.running.clear();
            Some(job.account.0)
        })
        .collect();
        assert_eq!(order, [1, 2, 3, 1, 1, 1]);
    }

    #[test]
    fn slow_jobs_leave_room_for_others() {
        let mut state = state(
            (1..=6)
                .map(|file| job(1, file))
                .chain([job(2, 9), job(2, 10)])
                .collect(),
        );
        let now = Instant::now();
        let first: Vec<_> = (0..3)
            .map(|_| state.choose(2, now).map(|job| job.account.0))
            .collect();
        assert_eq!(first, [Some(1), Some(2), None]);
        let later = now + SLOW;
        state
            .running
            .retain(|_, (account, _)| *account == AccountId(1));
        assert_eq!(
            state.choose(2, later).map(|job| job.account.0),
            Some(2),
            "an account with a slow job waits for others"
        );
        assert_eq!(
            state.choose(2, later).map(|job| job.account.0),
            Some(1),
            "nobody else waits"
        );
        assert_eq!(state.choose(2, later).map(|job| job.account.0), None);
    }

    #[test]
    fn a_content_runs_once_at_a_time() {
        let twin = Job {
            content_hash: [1; 32],
            ..job(1, 2)
        };
        let board = Board::new(2);
        board.offer(vec![job(1, 1), twin, job(1, 3)]);
        let files = [board.take(), board.take()].map(|job| job.expect("a job").file.0);
        assert_eq!(files, [1, 3]);
        board.ran(&job(1, 1));
        board.finished(&job(1, 1));
        assert_eq!(board.take().map(|job| job.file.0), Some(2));
    }

    #[test]
    fn a_job_is_on_the_board_once() {
        let board = Board::new(2);
        assert_eq!(board.offer(vec![job(1, 1), job(1, 1)]), 1);
        let taken = board.take().expect("a job");
        assert_eq!(board.offer(vec![job(1, 1)]), 0);
        board.ran(&taken);
        board.finished(&taken);
        assert_eq!(board.offer(vec![job(1, 1)]), 0);
        board.set_aside(&job(1, 2));
        assert_eq!(board.offer(vec![job(1, 2)]), 0);
    }

    #[test]
    fn a_renamed_file_is_another_job() {
        let board = Board::new(2);
        board.offer(vec![job(1, 1)]);
        let taken = board.take().expect("a job");
        board.ran(&taken);
        board.finished(&taken);
        let renamed = Job {
            name: "a.csv".into(),
            ..job(1, 1)
        };
        assert_eq!(board.offer(vec![renamed, job(1, 1)]), 1);
    }

    #[test]
    fn looks_begin_at_the_oldest_open_job() {
        let board = Board::new(2);
        let at = |rev: u64, account| Job {
            rev: Rev(rev),
            ..job(account, rev)
        };
        board.offer(vec![at(1, 1), at(2, 1), at(3, 1), at(9, 2)]);
        let begins = |account| board.begins().get(&AccountId(account)).copied();
        assert_eq!((begins(1), begins(2)), (Some(Rev(1)), Some(Rev(9))));
        board.finished(&at(2, 1));
        assert_eq!(begins(1), Some(Rev(1)), "an older one is open");
        board.finished(&at(1, 1));
        assert_eq!(begins(1), Some(Rev(3)));
        board.set_aside(&at(3, 1));
        board.finished(&at(9, 2));
        assert_eq!((begins(1), begins(2)), (Some(Rev(3)), Some(Rev(9))));
        board.forget_idle();
        assert_eq!((begins(1), begins(2), begins(3)), (None, None, None));
    }
}
