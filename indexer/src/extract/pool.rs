//! The parent's side: a pool of child processes that are killed and replaced when they break their limits.

use std::ffi::OsString;
use std::io::{self, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use storage::extraction::MAX_MEMBERS;

use super::detect::by_name;
use super::wire::{self, Request};
use super::{Extraction, Limits, Outcome, Sandbox, Unopened, WORKER_ARGUMENT};

/// How often the watch looks for workers that are late.
const WATCH_PERIOD: Duration = Duration::from_millis(100);
/// Watch periods without work after which the watch sleeps.
const IDLE_PERIODS: u32 = 20;
/// Files after which a worker is replaced, so that fragmented memory does not pile up.
const FILES_PER_WORKER: u32 = 20_000;
/// Bytes of a dead worker's last words that are read.
const LAST_WORDS_BYTES: u64 = 4 << 10;

/// How a worker is started.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments; with them it calls [`super::run_worker`].
    pub args: Vec<OsString>,
}

impl WorkerCommand {
    /// This very executable with the hidden argument.
    ///
    /// # Errors
    /// When the executable's path cannot be found.
    pub fn current_exe() -> io::Result<Self> {
        // A link that still works when the executable was replaced on disk.
        let link = Path::new("/proc/self/exe");
        let program = if link.exists() {
            link.to_owned()
        } else {
            std::env::current_exe()?
        };
        Ok(Self {
            program,
            args: vec![WORKER_ARGUMENT.into()],
        })
    }
}

/// A bounded pool of extraction workers. Workers start when first needed, and end with the pool.
pub struct WorkerPool {
    shared: Arc<Shared>,
}

struct Shared {
    command: WorkerCommand,
    limits: Limits,
    idle: Mutex<Vec<Option<Worker>>>,
    freed: Condvar,
    watched: Vec<Arc<Watched>>,
    busy: Mutex<Busy>,
    woken: Condvar,
    started: Instant,
}

#[derive(Default)]
struct Busy {
    count: usize,
    /// The watch sleeps until it is woken; else it looks again by itself.
    asleep: bool,
    closed: bool,
}

/// What the watch needs to know of one worker. A deadline of zero is none.
#[derive(Default)]
struct Watched {
    deadline_ms: AtomicU64,
    expired: AtomicBool,
    child: Mutex<Option<Child>>,
}

struct Worker {
    slot: usize,
    pipes: Option<Pipes>,
    files: u32,
}

struct Pipes {
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    errors: ChildStderr,
    /// It has not been told its limits yet.
    is_new: bool,
}

impl WorkerPool {
    /// A pool of at most `workers` (at least one) children, each under `limits`.
    #[must_use]
    pub fn new(command: WorkerCommand, workers: usize, limits: Limits) -> Self {
        let workers = workers.max(1);
        let idle = (0..workers)
            .map(|slot| {
                Some(Worker {
                    slot,
                    pipes: None,
                    files: 0,
                })
            })
            .collect();
        let shared = Arc::new(Shared {
            command,
            limits,
            idle: Mutex::new(idle),
            freed: Condvar::new(),
            watched: (0..workers).map(|_| Arc::default()).collect(),
            busy: Mutex::default(),
            woken: Condvar::new(),
            started: Instant::now(),
        });
        let watch = Arc::clone(&shared);
        if let Err(error) = thread::Builder::new()
            .name("extract-watch".into())
            .spawn(move || watch.watch())
        {
            tracing::error!(%error, "extraction runs without a watch: a hanging file will not be killed");
        }
        Self { shared }
    }

    /// Extracts in a free worker, waiting for one. Blocks; never fails, the outcome says what happened.
    #[must_use]
    pub fn extract(&self, name: &str, bytes: &[u8]) -> Extraction {
        let shared = &self.shared;
        let limit = shared.limits.input_bytes;
        let sent = &bytes[..bytes.len().min(limit.saturating_add(1))];
        let mut worker = shared.take();
        let given = shared.ask(&mut worker, name, sent);
        shared.give_back(worker);
        restore(given, bytes, &shared.limits)
    }

    /// Opens a member of a file in a free worker, waiting for one. Blocks.
    ///
    /// # Errors
    /// Says why it is not opened; a worker that breaks its limits is [`Unopened::Unreadable`].
    pub fn open_member(&self, name: &str, bytes: &[u8], number: u32) -> Result<Vec<u8>, Unopened> {
        let shared = &self.shared;
        if bytes.len() > shared.limits.input_bytes {
            return Err(Unopened::TooLarge);
        }
        let mut worker = shared.take();
        let opened = shared.ask_open(&mut worker, name, bytes, number);
        shared.give_back(worker);
        opened.unwrap_or_else(|error| Err(Unopened::Unreadable(error.to_string())))
    }

    /// What a worker can reach besides its pipes, tried out in one. Blocks.
    ///
    /// # Errors
    /// When no worker starts, or it ends.
    pub fn sandbox(&self) -> io::Result<Sandbox> {
        let shared = &self.shared;
        let mut worker = shared.take();
        let told = shared.ask_sandbox(&mut worker);
        shared.give_back(worker);
        told
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        lock(&self.shared.busy).closed = true;
        self.shared.woken.notify_all();
        lock(&self.shared.idle).clear();
        for watched in &self.shared.watched {
            end(watched);
        }
    }
}

/// Text that is the file's own content does not travel back. A worker that a file has taken over answers what it likes: nothing of
/// it may be more than a worker's own limits allow.
pub(super) fn restore(mut given: Extraction, bytes: &[u8], limits: &Limits) -> Extraction {
    if given.is_content {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.clone_into(&mut given.text),
            Err(_) => given.is_content = false,
        }
    }
    let kept = given.text.floor_char_boundary(limits.text_bytes);
    if kept < given.text.len() {
        given.text.truncate(kept);
        given.is_content = false;
    }
    given.members.truncate(MAX_MEMBERS);
    given
}

impl Shared {
    fn take(&self) -> Worker {
        let mut idle = lock(&self.idle);
        loop {
            // The last one returned is the one with warm memory.
            if let Some(worker) = idle.pop().flatten() {
                return worker;
            }
            idle = self
                .freed
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, worker: Worker) {
        lock(&self.idle).push(Some(worker));
        self.freed.notify_one();
    }

    fn ask(&self, worker: &mut Worker, name: &str, bytes: &[u8]) -> Extraction {
        let watched = &self.watched[worker.slot];
        if worker.files >= FILES_PER_WORKER {
            worker.pipes = None;
            end(watched);
        }
        let pipes = match self.pipes(worker) {
            Ok(pipes) => pipes,
            Err(error) => {
                let detail = format!("the extraction worker did not start: {error}");
                return broken(name, detail);
            }
        };
        self.begin(watched);
        let given = converse(pipes, &self.limits, name, bytes);
        self.finish(watched);
        given.unwrap_or_else(|error| {
            let dead = worker.pipes.take();
            self.autopsy(watched, dead, name, &error)
        })
    }

    fn ask_sandbox(&self, worker: &mut Worker) -> io::Result<Sandbox> {
        let watched = &self.watched[worker.slot];
        let pipes = self.pipes(worker)?;
        self.begin(watched);
        let told = tell_limits(pipes, &self.limits)
            .and_then(|()| wire::send(&mut pipes.requests, &Request::Sandbox, &[]))
            .and_then(|()| answer(pipes));
        self.finish(watched);
        if told.is_err() {
            worker.pipes = None;
            end(watched);
        }
        told
    }

    fn ask_open(
        &self,
        worker: &mut Worker,
        name: &str,
        bytes: &[u8],
        number: u32,
    ) -> io::Result<Result<Vec<u8>, Unopened>> {
        let watched = &self.watched[worker.slot];
        let pipes = self.pipes(worker)?;
        self.begin(watched);
        let opened = converse_open(pipes, &self.limits, name, bytes, number);
        self.finish(watched);
        if opened.is_err() {
            worker.pipes = None;
            end(watched);
        }
        opened
    }

    /// The pipes of a worker, which is started where it does not run.
    fn pipes<'w>(&self, worker: &'w mut Worker) -> io::Result<&'w mut Pipes> {
        worker.files += 1;
        match &mut worker.pipes {
            Some(pipes) => Ok(pipes),
            none => {
                worker.files = 1;
                Ok(none.insert(self.spawn(&self.watched[worker.slot])?))
            }
        }
    }

    fn spawn(&self, watched: &Watched) -> io::Result<Pipes> {
        let mut child = Command::new(&self.command.program)
            .args(&self.command.args)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        *lock(&watched.child) = Some(child);
        watched.expired.store(false, Ordering::SeqCst);
        let (Some(requests), Some(answers), Some(errors)) = pipes else {
            return Err(io::Error::other("its pipes are missing"));
        };
        Ok(Pipes {
            requests,
            answers: BufReader::with_capacity(64 << 10, answers),
            errors,
            is_new: true,
        })
    }

    fn begin(&self, watched: &Watched) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        watched
            .deadline_ms
            .store(now + self.limits.time_ms.max(1), Ordering::SeqCst);
        let mut busy = lock(&self.busy);
        busy.count += 1;
        if busy.asleep {
            busy.asleep = false;
            self.woken.notify_one();
        }
    }

    fn finish(&self, watched: &Watched) {
        watched.deadline_ms.store(0, Ordering::SeqCst);
        lock(&self.busy).count -= 1;
    }

    /// Kills workers that are late, until the pool closes. Sleeps when none has worked for a while: to be woken for every
    /// small file would cost more than the file.
    fn watch(&self) {
        let mut busy = lock(&self.busy);
        let mut idle_periods = 0;
        while !busy.closed {
            idle_periods = if busy.count == 0 { idle_periods + 1 } else { 0 };
            busy = if idle_periods > IDLE_PERIODS {
                busy.asleep = true;
                self.woken
                    .wait(busy)
                    .unwrap_or_else(PoisonError::into_inner)
            } else {
                self.woken
                    .wait_timeout(busy, WATCH_PERIOD)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            };
            let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            for watched in &self.watched {
                let deadline = watched.deadline_ms.load(Ordering::SeqCst);
                if deadline != 0 && now > deadline {
                    watched.expired.store(true, Ordering::SeqCst);
                    kill(watched);
                }
            }
        }
    }

    /// What the death of a worker says about the file it had.
    fn autopsy(
        &self,
        watched: &Watched,
        dead: Option<Pipes>,
        name: &str,
        error: &io::Error,
    ) -> Extraction {
        const SIGXCPU: i32 = 24;
        let last_words = dead.map(|pipes| {
            drop(pipes.requests);
            kill(watched);
            let mut words = String::new();
            let read = pipes
                .errors
                .take(LAST_WORDS_BYTES)
                .read_to_string(&mut words);
            if read.is_err() { String::new() } else { words }
        });
        let signal = end(watched).and_then(|status| status.signal());
        let last_words = last_words.unwrap_or_default();
        if watched.expired.load(Ordering::SeqCst) || signal == Some(SIGXCPU) {
            return Extraction::bare(by_name(name), Outcome::TimedOut);
        }
        let detail = if last_words.contains("memory allocation") {
            "extraction ran out of memory".to_owned()
        } else if last_words.contains("overflowed its stack") {
            "the file is nested too deeply".to_owned()
        } else {
            format!("the extraction worker died: {error}")
        };
        broken(name, detail)
    }
}

fn converse(
    pipes: &mut Pipes,
    limits: &Limits,
    name: &str,
    bytes: &[u8],
) -> io::Result<Extraction> {
    tell_limits(pipes, limits)?;
    let request = Request::Extract {
        name: name.to_owned(),
        bytes: u32::try_from(bytes.len()).map_err(io::Error::other)?,
    };
    wire::send(&mut pipes.requests, &request, bytes)?;
    answer(pipes)
}

fn converse_open(
    pipes: &mut Pipes,
    limits: &Limits,
    name: &str,
    bytes: &[u8],
    number: u32,
) -> io::Result<Result<Vec<u8>, Unopened>> {
    tell_limits(pipes, limits)?;
    let request = Request::Open {
        name: name.to_owned(),
        bytes: u32::try_from(bytes.len()).map_err(io::Error::other)?,
        number,
    };
    wire::send(&mut pipes.requests, &request, bytes)?;
    match answer::<Result<u32, Unopened>>(pipes)? {
        Ok(length) if length as usize > limits.input_bytes => {
            Err(io::Error::other("a worker answers too much"))
        }
        Ok(length) => wire::receive_raw(&mut pipes.answers, length).map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

/// A new worker hears its limits first.
fn tell_limits(pipes: &mut Pipes, limits: &Limits) -> io::Result<()> {
    if std::mem::take(&mut pipes.is_new) {
        wire::send(&mut pipes.requests, limits, &[])?;
    }
    Ok(())
}

fn answer<T: DeserializeOwned>(pipes: &mut Pipes) -> io::Result<T> {
    wire::receive(&mut pipes.answers)?.ok_or_else(|| io::Error::other("it closed its pipe"))
}

/// The type is told from the name only: what killed a worker is not to be read here.
fn broken(name: &str, detail: String) -> Extraction {
    Extraction::bare(by_name(name), Outcome::Damaged { detail })
}

fn kill(watched: &Watched) {
    if let Some(child) = lock(&watched.child).as_mut()
        && let Err(error) = child.kill()
    {
        tracing::warn!(%error, "a late extraction worker could not be killed");
    }
}

/// Kills and reaps the worker, if there is one.
fn end(watched: &Watched) -> Option<std::process::ExitStatus> {
    let mut child = lock(&watched.child).take()?;
    if let Err(error) = child.kill() {
        tracing::warn!(%error, "an extraction worker could not be killed");
    }
    child.wait().ok()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, limits: Limits) -> WorkerPool {
        let command = WorkerCommand {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), script.into()],
        };
        WorkerPool::new(command, 1, limits)
    }

    #[test]
    fn a_worker_that_never_answers_is_killed_in_time() {
        let pool = shell(
            "while read x; do :; done",
            Limits {
                time_ms: 50,
                ..Limits::default()
            },
        );
        assert_eq!(pool.extract("a.txt", b"text").outcome, Outcome::TimedOut);
        assert_eq!(pool.extract("b.txt", b"text").outcome, Outcome::TimedOut);
    }

    #[test]
    fn a_worker_that_dies_says_why_and_the_pool_goes_on() {
        let pool = shell(
            "echo memory allocation of 9 bytes failed >&2; exit 3",
            Limits::default(),
        );
        for _ in 0..2 {
            let given = pool.extract("a.pdf", b"text");
            let detail = "extraction ran out of memory".to_owned();
            assert_eq!(given.outcome, Outcome::Damaged { detail });
        }
    }

    #[test]
    fn a_worker_that_cannot_start_is_told() {
        let command = WorkerCommand {
            program: "/nonexistent".into(),
            args: Vec::new(),
        };
        let pool = WorkerPool::new(command, 1, Limits::default());
        assert!(matches!(
            pool.extract("a", b"x").outcome,
            Outcome::Damaged { .. }
        ));
    }
}
