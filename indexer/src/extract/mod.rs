//! From a file's bytes to its text, safely.
//!
//! The way of a file: [`WorkerPool::extract`] hands it to a child process ([`run_worker`]), which calls [`extract`]:
//! [`detect`] names its type by content first and name second, one module per format writes words into a bounded
//! [`sink::Sink`] through a [`job::Job`] that counts what was unpacked, and the [`Outcome`] says what happened. Whatever
//! a hostile file does (panic, abort, endless loop, memory) ends its child only, and is told on the file.

mod archive;
mod decode;
mod detect;
mod docx;
mod epub;
mod file_type;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod html;
mod image;
mod iwork;
mod job;
pub(crate) mod language;
mod mail;
mod members;
mod number;
mod ole;
mod opendocument;
mod package;
mod pdf;
mod pool;
mod pptx;
mod rtf;
mod sandbox;
mod sink;
mod tool;
mod wire;
mod worker;
mod xlsx;
mod xml;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

pub use detect::detect;
pub use file_type::{Category, FileType};
use job::{Failure, Job};
use members::Roll;
pub use pool::{WorkerCommand, WorkerPool};
pub use sandbox::Sandbox;
use sink::Collected;
pub use storage::extraction::{Helper, Outcome};
use storage::extraction::{Letter, Member};
pub use tool::{ToolFailure, ToolLimits, become_tool, find_program, run_tool};
pub use worker::run_worker;

/// The hidden argument with which the executable becomes a worker.
pub const WORKER_ARGUMENT: &str = "extract-worker";

/// The hidden argument with which the executable becomes a program of the system, confined.
pub const TOOL_ARGUMENT: &str = "extract-tool";

/// What a file gave. `text` may hold something with every outcome: what was read before the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// How it ended.
    pub outcome: Outcome,
    /// The words, bounded by [`Limits::text_bytes`].
    pub text: String,
    /// The document's own title, where its format has one.
    pub title: Option<String>,
    /// The document's own author, where its format has one.
    pub author: Option<String>,
    /// ISO 639-3 code, when a sample of the text is enough to be sure.
    pub language: Option<String>,
    /// What the file is.
    pub detected: FileType,
    /// Offsets in characters (Unicode code points) of `text` where pages, slides, sheets, chapters, messages, attachments or
    /// members of an archive start; may be empty.
    pub pages: Vec<u32>,
    /// What each of `pages` is called, where some have names (sheets, subjects, members' paths); else empty.
    pub labels: Vec<String>,
    /// True when some pages of a text are pictures without words.
    pub has_scans: bool,
    /// What is in the file that is found by itself.
    pub members: Vec<Member>,
    /// Sender and recipients, where the file is a message.
    pub letter: Option<Letter>,
    /// True when `text` equals the file's own bytes as UTF-8, so that nothing needs storing.
    pub is_content: bool,
}

/// What one file may cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Address space of a worker, in bytes; its program and stacks count.
    pub memory_bytes: u64,
    /// Wall-clock time for one file, in milliseconds; the worker is killed then.
    pub time_ms: u64,
    /// Text kept per file, in bytes.
    pub text_bytes: usize,
    /// Bytes of a file that are looked at; text is read up to there, other formats are refused beyond.
    pub input_bytes: usize,
    /// Bytes unpacked from one file in all, over all its members and streams.
    pub unpacked_bytes: u64,
    /// Members of one file (archive entries, attachments, parts) that are looked at.
    pub members: u32,
    /// How deep archives and attachments are followed: a member of a member is at depth 2.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 1 << 30,
            time_ms: 30_000,
            text_bytes: 8 << 20,
            input_bytes: 64 << 20,
            unpacked_bytes: 256 << 20,
            members: 10_000,
            depth: 2,
        }
    }
}

impl Extraction {
    /// An extraction that says `outcome` and holds no text.
    #[must_use]
    pub fn bare(detected: FileType, outcome: Outcome) -> Self {
        Self {
            outcome,
            text: String::new(),
            title: None,
            author: None,
            language: None,
            detected,
            pages: Vec::new(),
            labels: Vec::new(),
            has_scans: false,
            members: Vec::new(),
            letter: None,
            is_content: false,
        }
    }
}

/// Why a member is not opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Unopened {
    /// There is no such member.
    #[error("there is no such member")]
    Missing,
    /// The file, or the member, is over the limits.
    #[error("it is larger than what is opened here")]
    TooLarge,
    /// It is encrypted or damaged, or its reader gave up.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl Extraction {
    /// Who may find more in the file: pictures may show words, and Tika reads what nothing here reads.
    #[must_use]
    pub fn helper(&self) -> Option<Helper> {
        use FileType as T;
        let is_picture = matches!(
            self.detected,
            T::Jpeg | T::Png | T::Tiff | T::Gif | T::Webp | T::Image
        );
        match self.outcome {
            Outcome::NeedsOcr => Some(Helper::Ocr),
            Outcome::Text if self.has_scans => Some(Helper::Ocr),
            Outcome::Text | Outcome::NothingToExtract if is_picture => Some(Helper::Ocr),
            Outcome::Unsupported
                if !matches!(self.detected.category(), Category::Audio | Category::Video) =>
            {
                Some(Helper::Tika)
            }
            _ => None,
        }
    }
}

/// The text of `bytes`, a file called `name`. Pure; a panic in a format's reader becomes [`Outcome::Damaged`].
#[must_use]
pub fn extract(name: &str, bytes: &[u8], limits: &Limits) -> Extraction {
    let whole = bytes.len() <= limits.input_bytes;
    let bytes = &bytes[..bytes.len().min(limits.input_bytes)];
    let detected = detect(name, bytes);
    if bytes.is_empty() {
        return Extraction::bare(detected, Outcome::NothingToExtract);
    }
    if !whole && !detected.is_plain() {
        return Extraction::bare(detected, Outcome::TooLarge { indexed_bytes: 0 });
    }
    if detected == FileType::EncryptedOffice
        && let Ok(Some(plain)) = catch_unwind(|| ole::unlock(bytes, limits))
    {
        return Extraction {
            is_content: false,
            ..extract(name, &plain, limits)
        };
    }
    let mut job = Job::new(limits);
    let caught = catch_unwind(AssertUnwindSafe(|| read(name, bytes, detected, &mut job)));
    let ended =
        caught.unwrap_or_else(|_| Err(Failure::damaged("the reader of this format gave up")));
    let ended = ended.and_then(|()| match package::is_whole(bytes) {
        true => Ok(()),
        false => Err(Failure::damaged(
            "the zip container is cut short: its directory is missing",
        )),
    });
    finish(job, detected, ended, whole, bytes)
}

/// The bytes of one member of `bytes`, a file called `name`, by its number from 1 ([`Extraction::members`]).
///
/// # Errors
/// Says why it is not opened.
pub fn open_member(
    name: &str,
    bytes: &[u8],
    number: u32,
    limits: &Limits,
) -> Result<Vec<u8>, Unopened> {
    if bytes.len() > limits.input_bytes {
        return Err(Unopened::TooLarge);
    }
    let detected = detect(name, bytes);
    if !matches!(detected.category(), Category::Mail | Category::Archive) {
        return Err(Unopened::Missing);
    }
    let mut job = Job::new(limits);
    job.roll = Roll::opening(number);
    let ended = catch_unwind(AssertUnwindSafe(|| read(name, bytes, detected, &mut job)));
    let is_there = job.roll.has_wanted();
    match (job.roll.into_opened(), ended) {
        (Some(opened), _) if opened.len() > limits.input_bytes => Err(Unopened::TooLarge),
        (Some(opened), _) => Ok(opened),
        (None, Ok(Err(Failure::Damaged(why)))) => Err(Unopened::Unreadable(why)),
        (None, Err(_)) => Err(Unopened::Unreadable("its reader gave up".to_owned())),
        (None, _) if is_there => Err(Unopened::Unreadable(
            "it is encrypted or damaged".to_owned(),
        )),
        (None, _) => Err(Unopened::Missing),
    }
}

/// Writes the words of one file, or of one member of a file, into the job's sink.
fn read(name: &str, bytes: &[u8], detected: FileType, job: &mut Job) -> Result<(), Failure> {
    use FileType as T;
    match detected {
        T::Html => html::read(bytes, job),
        T::Xml | T::Svg => xml::read(bytes, job),
        T::Docx => docx::read(bytes, job),
        T::Xlsx => xlsx::read(bytes, job),
        T::Pptx => pptx::read(bytes, job),
        T::Odt | T::Ods | T::Odp => opendocument::read(bytes, detected, job),
        T::Pages | T::Numbers | T::Keynote => iwork::read(bytes, job),
        T::Epub => epub::read(bytes, job),
        T::Rtf => rtf::read(bytes, job),
        T::Pdf => pdf::read(bytes, job),
        T::Doc | T::Xls | T::Ppt | T::Msg => ole::read(bytes, detected, job),
        T::Mail => mail::read(bytes, job),
        T::Mailbox => mail::read_mailbox(bytes, job),
        T::Zip | T::Tar | T::Gzip | T::SevenZip | T::Xz | T::Bzip2 | T::Zstandard | T::Archive => {
            archive::read(name, bytes, detected, job)
        }
        T::EncryptedOffice => Err(Failure::Encrypted),
        _ if detected.category() == Category::Image => image::read(bytes, detected, job),
        _ if detected.is_plain() => decode::read(bytes, job),
        _ => Err(Failure::Unsupported),
    }
}

fn finish(
    job: Job,
    detected: FileType,
    ended: Result<(), Failure>,
    whole: bool,
    bytes: &[u8],
) -> Extraction {
    let cut = job.is_cut;
    let Job {
        sink,
        title,
        author,
        has_scans,
        letter,
        roll,
        ..
    } = job;
    let (full, late) = (sink.is_full() || cut, sink.is_late());
    let Collected {
        text,
        pages,
        labels,
    } = sink.into_parts();
    let outcome = match ended {
        _ if late => Outcome::TimedOut,
        Ok(()) if full || !whole => Outcome::TooLarge {
            indexed_bytes: text.len() as u64,
        },
        Ok(()) if text.trim().is_empty() => Outcome::NothingToExtract,
        Ok(()) => Outcome::Text,
        Err(failure) => failure.into_outcome(),
    };
    Extraction {
        outcome,
        is_content: whole && text.as_bytes() == bytes,
        language: language::of(&text),
        members: roll.into_members(&text),
        letter,
        text,
        title,
        author,
        detected,
        pages,
        labels,
        has_scans,
    }
}

#[cfg(test)]
mod tests;
