//! One file's extraction under way: where words go, what it may still unpack, how it failed.

use storage::extraction::Letter;

use super::members::{Entry, Roll, Turn};
use super::sink::Sink;
use super::{FileType, Limits, Outcome, detect, read};

/// Longest title or author kept, in characters.
const HEADLINE_CHARS: usize = 300;

/// Why a reader stopped before the end.
#[derive(Debug)]
pub(super) enum Failure {
    Encrypted,
    Unsupported,
    NeedsOcr,
    Damaged(String),
}

impl Failure {
    pub(super) fn damaged(detail: impl Into<String>) -> Self {
        Self::Damaged(detail.into())
    }

    pub(super) fn into_outcome(self) -> Outcome {
        match self {
            Self::Encrypted => Outcome::Encrypted,
            Self::Unsupported => Outcome::Unsupported,
            Self::NeedsOcr => Outcome::NeedsOcr,
            Self::Damaged(detail) => Outcome::Damaged { detail },
        }
    }
}

/// What the readers of one file share.
pub(super) struct Job<'l> {
    pub limits: &'l Limits,
    pub sink: Sink,
    pub title: Option<String>,
    pub author: Option<String>,
    /// Something was too large to be unpacked, so the text is not all of it.
    pub is_cut: bool,
    /// Pages of the file itself are pictures without words.
    pub has_scans: bool,
    /// Sender and recipients, where the file is a message.
    pub letter: Option<Letter>,
    /// What is in it.
    pub roll: Roll,
    unpacked_left: u64,
    members_left: u32,
    depth: u32,
}

impl<'l> Job<'l> {
    pub fn new(limits: &'l Limits) -> Self {
        Self {
            limits,
            sink: Sink::new(limits.text_bytes, limits.time_ms),
            title: None,
            author: None,
            is_cut: false,
            has_scans: false,
            letter: None,
            roll: Roll::default(),
            unpacked_left: limits.unpacked_bytes,
            members_left: limits.members,
            depth: 0,
        }
    }

    /// Bytes that may still be unpacked.
    pub fn unpacked_left(&self) -> u64 {
        self.unpacked_left
    }

    /// Takes `bytes` from what may be unpacked.
    pub fn spend(&mut self, bytes: u64) {
        self.unpacked_left = self.unpacked_left.saturating_sub(bytes);
        self.is_cut |= self.unpacked_left == 0;
    }

    /// Counts one more member; false when there have been enough, of members, bytes, text or time.
    pub fn next_member(&mut self) -> bool {
        let has_room = self.members_left > 0 && self.unpacked_left > 0 && !self.sink.is_full();
        let more = has_room && !self.roll.is_done();
        self.members_left = self.members_left.saturating_sub(1);
        more
    }

    /// Whether members may be opened here, or only named.
    pub fn may_descend(&self) -> bool {
        self.depth < self.limits.depth
    }

    /// The next member of the file itself; what is in members belongs to them.
    pub fn enter(&mut self, entry: Entry<'_>) -> Turn {
        if self.sink.is_nested() {
            return Turn::Read;
        }
        self.sink.line();
        self.roll.enter(entry, self.sink.len())
    }

    /// What comes next is the file's own again.
    pub fn leave(&mut self) {
        if !self.sink.is_nested() {
            self.sink.line();
            self.roll.leave(self.sink.len());
        }
    }

    /// Writes the words of a member, or hands it out.
    pub fn take_member(&mut self, turn: Turn, name: &str, bytes: &[u8]) {
        match turn {
            Turn::Read => self.read_member(name, bytes),
            Turn::Open => self.roll.keep(bytes.to_vec()),
            Turn::Pass => {}
        }
    }

    /// Writes the words of a member. Its failure is its own: what it gave stays, and the container goes on.
    pub fn read_member(&mut self, name: &str, bytes: &[u8]) {
        if !self.may_descend() || bytes.is_empty() {
            return;
        }
        let detected = detect(name, bytes);
        if !self.sink.is_nested() {
            self.roll.is_of_type(detected);
        }
        if matches!(detected, FileType::Binary) {
            return;
        }
        self.descend(|job| {
            if read(name, bytes, detected, job).is_err() {
                job.sink.line();
            }
        });
        self.sink.line();
    }

    /// Does something one level deeper.
    pub fn descend(&mut self, act: impl FnOnce(&mut Self)) {
        self.depth += 1;
        let nested = self.sink.nest(true);
        act(self);
        self.sink.nest(nested);
        self.depth -= 1;
    }

    /// A page of the file, or of a member, is a picture without words.
    pub fn see_scan(&mut self) {
        self.has_scans |= self.depth == 0;
    }

    /// Keeps the file's own title, the first one found.
    pub fn set_title(&mut self, title: &str) {
        set_headline(&mut self.title, title, self.depth);
    }

    /// Keeps the file's own author, the first one found.
    pub fn set_author(&mut self, author: &str) {
        set_headline(&mut self.author, author, self.depth);
    }
}

fn set_headline(slot: &mut Option<String>, value: &str, depth: u32) {
    if depth > 0 || slot.is_some() {
        return;
    }
    let clean: String = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let clean: String = clean
        .chars()
        .filter(|c| !c.is_control())
        .take(HEADLINE_CHARS)
        .collect();
    if !clean.is_empty() {
        *slot = Some(clean);
    }
}
