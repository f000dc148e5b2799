//! Extraction, a stage of its own: takes jobs fairly, reads the content, asks a worker, stores the text, finishes the job.
//!
//! A slow file never holds a shard, nor another account: slow jobs do not count against the number that run at a time, and
//! an account has at most one of them while others wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use storage::chunk::BLOCK_BYTES;
use storage::extraction::{EXTRACTOR_VERSION, ExtractionRecord, Job, Members, TextSource};
use storage::meta::path::extension;
use storage::meta::{AccountId, FileId};
use storage::trace;

use crate::board::Board;
use crate::error::{self, Result};
use crate::extract::{Extraction, WorkerCommand, WorkerPool};
use crate::indexer::{Options, Sharing};
use crate::late::Lane;
use crate::reconcile::Sources;
use crate::text;

/// Jobs of one account, and in all, read from the queue at a time. The first ones are on the board already: a job stays in
/// the queue until it is finished.
const JOBS_PER_LOOK: (usize, usize) = (256, 512);
/// How often all of the queue is looked through, rows of finished jobs too, for those of old versions (a file was renamed, moved
/// to other people, asked for once more): at least, and at most.
const WHOLE_LOOK_PERIOD: (Duration, Duration) =
    (Duration::from_secs(5), Duration::from_millis(500));
/// Such a look rests for so many times what it took.
const REST_AFTER_WHOLE: u32 = 100;
/// The longest wait for a new job.
const LOOK_PERIOD: Duration = Duration::from_millis(500);
/// Between two looks at a queue that has nothing new.
const REST: Duration = Duration::from_millis(10);
/// Finished jobs that are written in one transaction.
const FINISHED_TOGETHER: usize = 256;
/// Texts up to this size are stored with those of other jobs, so that no worker waits for the disk, bytes.
const SMALL_TEXT_BYTES: usize = 64 * 1024;

/// An extraction that took longer is logged by name.
const SLOW: Duration = Duration::from_secs(10);

/// A finished job, and its text where that is not stored yet.
struct Finished {
    job: Job,
    record: ExtractionRecord,
    text: Option<String>,
}

/// The running stage.
pub struct Stage {
    sources: Sources,
    sharing: Option<Sharing>,
    board: Arc<Board>,
    extracted: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Stage {
    /// Starts the workers.
    pub fn start(sources: &Sources, worker: WorkerCommand, options: &Options) -> Result<Self> {
        let at_a_time = options.extractions.max(1);
        let slots = 2 * at_a_time; // the other half is for slow jobs
        let board = Arc::new(Board::new(at_a_time));
        let pool = Arc::new(WorkerPool::new(
            worker.clone(),
            slots,
            options.limits.clone(),
        ));
        let input_bytes = options.limits.input_bytes;
        let extracted = Arc::new(AtomicU64::new(0));
        let (finished, waiting) = sync_channel(FINISHED_TOGETHER);
        let mut threads = Vec::new();
        for slot in 0..slots {
            let (sources, board, pool, finished) = (
                sources.clone(),
                board.clone(),
                pool.clone(),
                finished.clone(),
            );
            threads.push(spawn(format!("extract-{slot}"), move || {
                work(&sources, &board, &pool, input_bytes, &finished)
            })?);
        }
        let (from, jobs, sharing) = (sources.clone(), board.clone(), options.sharing.clone());
        threads.push(spawn("extract-queue".to_owned(), move || {
            feed(&from, &jobs, sharing.as_ref())
        })?);
        for lane in Lane::of(options, &worker) {
            let (sources, board) = (sources.clone(), board.clone());
            threads.push(spawn(lane.name().to_owned(), move || {
                lane.run(&sources, &board)
            })?);
        }
        let (to, jobs, count) = (sources.clone(), board.clone(), extracted.clone());
        threads.push(spawn("extract-finish".to_owned(), move || {
            finish(&to, &jobs, &waiting, &count)
        })?);
        Ok(Stage {
            sources: sources.clone(),
            sharing: options.sharing.clone(),
            board,
            extracted,
            threads,
        })
    }

    /// Takes up a file's job; false when none waits. One that another process has claimed stays there.
    pub fn take_up(&self, file: FileId) -> Result<bool> {
        let Some(job) = self.sources.extractions.waiting(file)? else {
            return Ok(false);
        };
        if !self.board.knows(&job) {
            let mine = claim(&self.sources, vec![job], self.sharing.as_ref())?;
            self.board.offer(mine);
        }
        Ok(true)
    }

    /// What waits and what runs.
    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// Jobs that run, and files extracted since start.
    pub fn counts(&self) -> (usize, u64) {
        (self.board.running(), self.extracted.load(Ordering::Relaxed))
    }

    /// Ends all threads; jobs under way are finished first (each within its time limit).
    pub fn stop(self) {
        self.board.close();
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an extraction thread had panicked");
            }
        }
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let what = format!("starting thread {name}");
    thread::Builder::new()
        .name(name)
        .spawn(body)
        .map_err(error::io(what))
}

/// Puts waiting jobs on the board. Each look goes on where the last one was, but now and then through all of the queue, and
/// where processes share it always: what others took up may be left lying.
fn feed(sources: &Sources, board: &Board, sharing: Option<&Sharing>) {
    let mut after: Option<AccountId> = None;
    let mut version = 0;
    let mut next_whole = Instant::now();
    while board.wait_for_room() {
        let mut begins = board.begins();
        let begun = Instant::now();
        let is_whole = sharing.is_some() || begun >= next_whole;
        if is_whole {
            begins.clear();
            board.forget_idle();
        }
        let (each, all) = JOBS_PER_LOOK;
        let jobs = sources
            .extractions
            .next_jobs_from(&begins, after, each, all);
        if is_whole {
            let (longest, shortest) = WHOLE_LOOK_PERIOD;
            let rest = begun.elapsed().saturating_mul(REST_AFTER_WHOLE);
            next_whole = Instant::now() + rest.clamp(shortest, longest);
        }
        let seen = jobs.and_then(|jobs| {
            let last = jobs.last().map(|job| job.account);
            Ok((
                last,
                !jobs.is_empty(),
                left_lying(sources, board, jobs, sharing)?,
            ))
        });
        match seen {
            Ok((last, any, jobs)) => {
                after = last;
                if board.offer(jobs) == 0 && (after.is_none() || any) {
                    version = rest(sources, version);
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the extraction queue cannot be read; trying again");
                version = rest(sources, version);
            }
        }
    }
}

/// Where extraction is shared: the jobs that nobody took up in time, and that are this process's now.
fn left_lying(
    sources: &Sources,
    board: &Board,
    mut jobs: Vec<Job>,
    sharing: Option<&Sharing>,
) -> storage::Result<Vec<Job>> {
    if let Some(sharing) = sharing {
        let before_ms = sources.meta.env().clock.now_ms() - millis(sharing.patience);
        jobs.retain(|job| job.rev.at_ms() < before_ms && !board.knows(job));
    }
    claim(sources, jobs, sharing)
}

/// Of these jobs, those that this process may run.
fn claim(
    sources: &Sources,
    jobs: Vec<Job>,
    sharing: Option<&Sharing>,
) -> storage::Result<Vec<Job>> {
    let Some(sharing) = sharing else {
        return Ok(jobs);
    };
    if jobs.is_empty() {
        return Ok(jobs);
    }
    let alive = (sharing.alive)()?;
    let now_ms = sources.meta.env().clock.now_ms();
    let until_ms = now_ms + millis(sharing.claim);
    sources
        .extractions
        .claim(jobs, (sharing.owner, &alive), now_ms, until_ms)
}

fn millis(period: Duration) -> i64 {
    i64::try_from(period.as_millis()).unwrap_or(i64::MAX)
}

/// Waits for a commit of the store after `version`, and a moment longer: under load there is one all the time.
fn rest(sources: &Sources, version: u64) -> u64 {
    let newest = sources.meta.store().wait(version, LOOK_PERIOD);
    thread::sleep(REST);
    newest
}

fn work(
    sources: &Sources,
    board: &Board,
    pool: &WorkerPool,
    input_bytes: usize,
    finished: &SyncSender<Finished>,
) {
    while let Some(job) = board.take() {
        let begun = Instant::now();
        let record = trace::during(job.request.as_ref(), || {
            let record = known(sources, &job).and_then(|known| match known {
                Some(known) => Ok((known, None)),
                None => {
                    let bytes = read(sources, &job, input_bytes)?;
                    record(sources, pool.extract(&job.name, &bytes))
                }
            });
            tell(&job, &record, begun.elapsed());
            record
        });
        board.ran(&job);
        match record {
            Ok((record, text)) => {
                if finished.send(Finished { job, record, text }).is_err() {
                    return;
                }
            }
            Err(_) => board.set_aside(&job),
        }
    }
}

/// Says how an extraction ended.
fn tell<T>(job: &Job, record: &storage::Result<(ExtractionRecord, T)>, took: Duration) {
    let (file, took_ms) = (job.file, took.as_secs_f64() * 1000.0);
    match record {
        Ok((record, _)) => {
            let outcome = record.outcome.word();
            match took < SLOW {
                true => tracing::debug!(%file, outcome, took_ms, "extracted"),
                false => tracing::info!(%file, outcome, took_ms, "extracted slowly"),
            }
        }
        Err(error) => tracing::warn!(%file, %error, "not extracted; trying again later"),
    }
}

/// The record of the same content in another file, which was extracted meanwhile.
fn known(sources: &Sources, job: &Job) -> storage::Result<Option<ExtractionRecord>> {
    let extension = extension(&job.name);
    let record = sources
        .extractions
        .record(job.scope, &job.content_hash, &extension)?;
    Ok(record.filter(ExtractionRecord::is_current)) // an older one is what is to be replaced
}

/// The content, as much as extraction looks at and one block more.
pub(crate) fn read(sources: &Sources, job: &Job, input_bytes: usize) -> storage::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity((job.size as usize).min(input_bytes + BLOCK_BYTES));
    for hash in &job.blocks {
        bytes.append(&mut sources.blocks.get(hash)?);
        if bytes.len() > input_bytes {
            break;
        }
    }
    Ok(bytes)
}

/// The record, and the text where it is neither the content itself nor so long that it is stored here and now.
pub(crate) fn record(
    sources: &Sources,
    extraction: Extraction,
) -> storage::Result<(ExtractionRecord, Option<String>)> {
    let is_waiting = !extraction.text.is_empty()
        && !extraction.is_content
        && extraction.text.len() <= SMALL_TEXT_BYTES;
    let text = if extraction.text.is_empty() || is_waiting {
        TextSource::None
    } else if extraction.is_content {
        TextSource::Content
    } else {
        let length = text::piece_bytes(!extraction.members.is_empty());
        let pieces: Vec<&[u8]> = extraction.text.as_bytes().chunks(length).collect();
        TextSource::Blocks {
            blocks: sources.blocks.put_many(&pieces)?,
            bytes: extraction.text.len() as u64,
        }
    };
    let awaits = extraction.helper();
    let record = ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: extraction.outcome,
        file_type: extraction.detected.as_str().to_owned(),
        category: extraction.detected.category().as_str().to_owned(),
        title: extraction.title,
        author: extraction.author,
        language: extraction.language,
        pages: page_ends(&extraction.text, &extraction.pages),
        words: extraction
            .text
            .split_ascii_whitespace()
            .count()
            .try_into()
            .unwrap_or(u32::MAX),
        text,
        labels: extraction.labels,
        awaits,
        members: Members::store(&extraction.members, &sources.blocks)?,
        letter: extraction.letter,
    };
    Ok((record, is_waiting.then_some(extraction.text)))
}

/// Bytes at which pages end, from the characters at which they start.
pub(crate) fn page_ends(text: &str, starts: &[u32]) -> Vec<u32> {
    let mut ends = Vec::with_capacity(starts.len());
    let mut borders = starts.iter().skip(1).peekable();
    for (index, (at, _)) in text.char_indices().enumerate() {
        while borders
            .next_if(|&&border| border as usize == index)
            .is_some()
        {
            ends.push(at as u32);
        }
        if borders.peek().is_none() {
            break;
        }
    }
    ends.resize(starts.len(), text.len() as u32);
    ends
}

/// Writes finished jobs, as many together as are there.
fn finish(sources: &Sources, board: &Board, waiting: &Receiver<Finished>, extracted: &AtomicU64) {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter().take(FINISHED_TOGETHER - 1));
        let written = write(sources, batch.as_mut_slice());
        if let Err(error) = &written {
            tracing::warn!(files = batch.len(), %error, "extractions were not recorded; trying again later");
        }
        for Finished { job, .. } in &batch {
            if written.is_ok() {
                extracted.fetch_add(1, Ordering::Relaxed);
                board.finished(job);
            } else {
                board.set_aside(job);
            }
        }
    }
}

/// Stores the texts that wait, then the records that name them. // I1
fn write(sources: &Sources, batch: &mut [Finished]) -> storage::Result<()> {
    let texts = batch.iter().filter_map(|done| done.text.as_deref());
    let texts: Vec<&[u8]> = texts.map(str::as_bytes).collect();
    let mut stored = sources.blocks.put_many(&texts)?.into_iter();
    for done in batch.iter_mut() {
        if let Some(text) = &done.text
            && let Some(block) = stored.next()
        {
            done.record.text = TextSource::Blocks {
                blocks: vec![block],
                bytes: text.len() as u64,
            };
        }
    }
    let records = batch.iter().map(|done| (&done.job, &done.record));
    sources.extractions.finish_all(&records.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_the_next_starts() {
        assert_eq!(page_ends("äb|cd|e", &[0, 3, 6]), [4, 7, 8]);
        assert_eq!(page_ends("abc", &[0, 0, 9]), [0, 3, 3]);
        assert!(page_ends("abc", &[]).is_empty());
    }
}
