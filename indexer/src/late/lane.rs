//! The lane of one helper: waits for its helper, for a file, for a quiet moment; then one file, then again.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use storage::extraction::later::Later;
use storage::extraction::{ExtractionRecord, Helper, Outcome, TextSource};
use storage::meta::{AccountId, FileId, Rev};

use super::{HelperOptions, Ocr, Tika, Trouble, merge, ocr, written_pages};
use crate::board::Board;
use crate::extract::{Extraction, FileType, WorkerCommand};
use crate::indexer::Options;
use crate::reconcile::Sources;
use crate::{stage, text};

/// How long a file waits for ordinary extraction to be through; helpers step back behind it anyway.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a helper that is not there is looked for.
const SEARCH_PERIOD: Duration = Duration::from_secs(10);
/// How long a file rests that could not be done, the first time and at most: a file may be what brings a helper down.
const ASIDE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(3600));
/// Files that rest and are remembered.
const MAX_ASIDE: usize = 10_000;
/// The longest wait between two looks for a file.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// One helper's lane.
pub(crate) struct Lane {
    kind: Helper,
    options: HelperOptions,
    worker: WorkerCommand,
    input_bytes: usize,
}

/// A helper that is there.
enum Present {
    Ocr(Ocr),
    Tika(Tika),
}

/// What a lane remembers between files.
#[derive(Default)]
struct Memory {
    after: Option<AccountId>,
    /// Until when files rest, and how long they have rested.
    aside: HashMap<(FileId, Rev), (Instant, Duration)>,
}

impl Lane {
    /// The lanes that the options ask for.
    pub fn of(options: &Options, worker: &WorkerCommand) -> Vec<Lane> {
        let lane = |kind| Lane {
            kind,
            options: options.helpers.clone(),
            worker: worker.clone(),
            input_bytes: options.limits.input_bytes,
        };
        let ocr = options
            .helpers
            .ocr_languages
            .as_ref()
            .map(|_| lane(Helper::Ocr));
        let tika = options
            .helpers
            .tika_url
            .as_ref()
            .map(|_| lane(Helper::Tika));
        ocr.into_iter().chain(tika).collect()
    }

    /// The name of its thread.
    pub fn name(&self) -> &'static str {
        match self.kind {
            Helper::Ocr => "extract-ocr",
            Helper::Tika => "extract-tika",
        }
    }

    /// Works until the board is closed.
    pub fn run(&self, sources: &Sources, board: &Board) {
        let (mut memory, mut was_absent) = (Memory::default(), false);
        while !board.is_closed() {
            let found = memory.next(sources, self.kind);
            let later = match found {
                Ok(Some(later)) => later,
                Ok(None) => {
                    board.wait_until_closed(LOOK_PERIOD);
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the files that wait for a helper cannot be read; trying again");
                    board.wait_until_closed(SEARCH_PERIOD);
                    continue;
                }
            };
            let done = self.find().and_then(|helper| {
                if board.wait_for_quiet(PATIENCE) {
                    self.work(sources, board, &helper, &later, &mut memory)
                } else {
                    Ok(())
                }
            });
            if let Err(missing) = &done {
                if !was_absent {
                    tracing::info!(missing, "files wait for a helper of extraction");
                }
                board.wait_until_closed(SEARCH_PERIOD);
            }
            was_absent = done.is_err();
        }
    }

    fn find(&self) -> Result<Present, String> {
        match (self.kind, &self.options) {
            (
                Helper::Ocr,
                HelperOptions {
                    ocr_languages: Some(languages),
                    ..
                },
            ) => Ocr::find(languages, &self.worker).map(Present::Ocr),
            (
                Helper::Tika,
                HelperOptions {
                    tika_url: Some(url),
                    ..
                },
            ) => Ok(Present::Tika(Tika::new(url))),
            _ => Err("it is switched off".to_owned()),
        }
    }

    /// One file. What is missing, when the helper is not there after all.
    fn work(
        &self,
        sources: &Sources,
        board: &Board,
        helper: &Present,
        later: &Later,
        memory: &mut Memory,
    ) -> Result<(), String> {
        memory.after = Some(later.job.account);
        let done = self.read(sources, board, helper, later);
        match done {
            Ok(Ok(())) => {
                memory.aside.remove(&(later.job.file, later.job.rev));
                Ok(())
            }
            Ok(Err(Trouble::Absent(missing))) => {
                memory.put_aside(later);
                Err(missing)
            }
            Ok(Err(Trouble::Stopped | Trouble::Failed(_))) => Ok(()),
            Err(error) => {
                tracing::warn!(file = %later.job.file, %error, "not read by a helper; trying again later");
                memory.put_aside(later);
                board.wait_until_closed(LOOK_PERIOD);
                Ok(())
            }
        }
    }

    /// Reads a file and writes what was found; the inner trouble is one that leaves the file waiting.
    fn read(
        &self,
        sources: &Sources,
        board: &Board,
        helper: &Present,
        later: &Later,
    ) -> storage::Result<Result<(), Trouble>> {
        let job = &later.job;
        let given = extraction(sources, later)?;
        let bytes = stage::read(sources, job, self.input_bytes)?;
        if bytes.len() > self.input_bytes {
            let given = Extraction {
                outcome: Outcome::TooLarge {
                    indexed_bytes: given.text.len() as u64,
                },
                ..given
            };
            finish(sources, later, given)?; // no helper takes more than the workers do
            return Ok(Ok(()));
        }
        let read = match helper {
            Present::Tika(tika) => tika
                .read(&job.name, &bytes, super::TEXT_BYTES)
                .map(|text| vec![text]),
            Present::Ocr(ocr) => {
                let pages = later.record.pages.len();
                let mut lost = None;
                let mut keep = |page: u32, text: &str| {
                    if let Err(error) = sources.extractions.keep_page(later, page, text) {
                        lost = Some(error);
                    }
                };
                let mut written = written_pages(&given, &later.record.pages);
                written.extend(sources.extractions.kept_pages(later)?);
                let mut kept = ocr::Kept {
                    pages: written,
                    keep: Some(&mut keep),
                    stop: Some(&|| board.is_closed()),
                    wait: Some(&|| board.wait_for_quiet(PATIENCE)),
                };
                let read = ocr.read(given.detected, &bytes, pages, &mut kept);
                if let Some(error) = lost {
                    tracing::warn!(file = %job.file, %error, "pages that were read are not kept");
                }
                read
            }
        };
        match read {
            Err(trouble @ (Trouble::Absent(_) | Trouble::Stopped)) => Ok(Err(trouble)),
            read => {
                finish(sources, later, merge(given, read))?;
                Ok(Ok(()))
            }
        }
    }
}

impl Memory {
    fn next(&self, sources: &Sources, kind: Helper) -> storage::Result<Option<Later>> {
        let now = Instant::now();
        let resting = self.aside.iter().filter(|(_, (until, _))| *until > now);
        let resting = resting.map(|(key, _)| *key).collect();
        sources.extractions.next_later(kind, self.after, &resting)
    }

    fn put_aside(&mut self, later: &Later) {
        if self.aside.len() >= MAX_ASIDE {
            self.aside.clear();
        }
        let key = (later.job.file, later.job.rev);
        let rest = self
            .aside
            .get(&key)
            .map_or(ASIDE.0, |(_, last)| (*last * 2).min(ASIDE.1));
        self.aside.insert(key, (Instant::now() + rest, rest));
    }
}

/// What the ordinary readers found.
fn extraction(sources: &Sources, later: &Later) -> storage::Result<Extraction> {
    let record = &later.record;
    let detected = FileType::from_name(&record.file_type).unwrap_or(FileType::Binary);
    Ok(Extraction {
        text: text::load(record, &later.job.blocks, &sources.blocks)?,
        title: record.title.clone(),
        author: record.author.clone(),
        language: record.language.clone(),
        ..Extraction::bare(detected, record.outcome.clone())
    })
}

/// Stores what was found; the file waits no more.
fn finish(sources: &Sources, later: &Later, found: Extraction) -> storage::Result<()> {
    let (record, text) = stage::record(sources, found)?;
    let mut record = ExtractionRecord {
        awaits: None,
        ..record
    };
    if let Some(text) = text {
        record.text = TextSource::Blocks {
            blocks: vec![sources.blocks.put(text.as_bytes())?], // I1
            bytes: text.len() as u64,
        };
    }
    sources.extractions.finish_later(later, &record)
}
