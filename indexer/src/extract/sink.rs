//! The bounded place where readers put words.

use std::time::{Duration, Instant};

/// Pages, slides or sheets whose start is remembered.
const MAX_PAGES: usize = 20_000;
/// Longest name of a page that is kept, characters.
const MAX_LABEL_CHARS: usize = 100;
/// Names of pages that are kept in all, bytes: they are in the record, which every hit reads.
const MAX_LABEL_BYTES: usize = 64 << 10;

/// Collects text up to a size and a time; silently ignores what comes after, and says so when asked.
pub(super) struct Sink {
    text: String,
    limit: usize,
    full: bool,
    late: bool,
    deadline: Instant,
    writes: u32,
    pages: Vec<u32>,
    labels: Vec<String>,
    label_bytes: usize,
    /// Members of the file are read: their pages are not the file's.
    is_nested: bool,
    counted: (usize, u32),
}

/// What was collected.
pub(super) struct Collected {
    pub text: String,
    /// Characters at which pages start.
    pub pages: Vec<u32>,
    /// What the pages are called; empty where none has a name.
    pub labels: Vec<String>,
}

impl Sink {
    /// A sink for `limit` bytes that is full a little before `time_ms` have passed.
    pub fn new(limit: usize, time_ms: u64) -> Self {
        Self {
            text: String::new(),
            limit,
            full: false,
            late: false,
            deadline: Instant::now() + Duration::from_millis(time_ms / 10 * 8),
            writes: 0,
            pages: Vec::new(),
            labels: Vec::new(),
            label_bytes: 0,
            is_nested: false,
            counted: (0, 0),
        }
    }

    /// Adds text without what cannot be shown or searched: controls become spaces, soft hyphens go.
    pub fn text(&mut self, text: &str) {
        if self.stop() {
            return;
        }
        let room = self.limit - self.text.len();
        let kept = if text.len() > room {
            self.cut(text, room)
        } else {
            text
        };
        if is_clean(kept) {
            self.text.push_str(kept);
        } else {
            self.text.extend(kept.chars().filter_map(clean));
        }
    }

    /// Adds text as it is.
    pub fn raw(&mut self, text: &str) {
        let room = self.limit.saturating_sub(self.text.len());
        let kept = if text.len() > room {
            self.cut(text, room)
        } else {
            text
        };
        self.text.push_str(kept);
    }

    /// Adds one character.
    pub fn char(&mut self, c: char) {
        let mut buffer = [0; 4];
        self.text(c.encode_utf8(&mut buffer));
    }

    /// The next word is another word.
    pub fn gap(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with([' ', '\n', '\t']) && !self.full {
            self.text.push(' ');
        }
    }

    /// The next word starts a line.
    pub fn line(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with('\n') && !self.full {
            self.text.push('\n');
        }
    }

    /// The next word starts a page or slide.
    pub fn page(&mut self) {
        self.named_page("");
    }

    /// The next word starts a sheet, with its name as the first line.
    pub fn sheet(&mut self, name: &str) {
        self.named_page(name);
        self.text(name);
        self.line();
    }

    /// The next word starts a part that has a name of its own: a message, an attachment, an archive's member.
    pub fn part(&mut self, name: &str) {
        self.named_page(name);
    }

    /// Whether what follows is a member's, until this is told again; returns what held before.
    pub fn nest(&mut self, is_nested: bool) -> bool {
        std::mem::replace(&mut self.is_nested, is_nested)
    }

    /// Whether a member of the file is being read.
    pub fn is_nested(&self) -> bool {
        self.is_nested
    }

    fn named_page(&mut self, name: &str) {
        self.line();
        if self.pages.len() < MAX_PAGES && !self.is_nested {
            let (bytes, chars) = self.counted;
            let chars = chars
                + u32::try_from(self.text[bytes..].chars().count()).unwrap_or(u32::MAX - chars);
            self.counted = (self.text.len(), chars);
            self.pages.push(chars);
            let name: String = name
                .chars()
                .filter_map(clean)
                .take(MAX_LABEL_CHARS)
                .collect();
            self.label_bytes += name.len();
            let has_room = self.label_bytes <= MAX_LABEL_BYTES;
            self.labels
                .push(if has_room { name } else { String::new() });
        }
    }

    /// Whether more would be ignored; readers stop then.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether it is the clock that filled it.
    pub fn is_late(&self) -> bool {
        self.late
    }

    /// For loops that produce nothing for long: looks at the clock, and tells whether to stop.
    pub fn stop(&mut self) -> bool {
        self.writes = self.writes.wrapping_add(1);
        if self.writes.is_multiple_of(256) && Instant::now() > self.deadline {
            self.full = true;
            self.late = true;
        }
        self.full
    }

    /// Bytes collected so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether a word has been written since the text was `len` bytes long.
    pub fn has_words_since(&self, len: usize) -> bool {
        self.text
            .get(len..)
            .is_some_and(|new| !new.trim().is_empty())
    }

    /// What has been collected since the text was `len` bytes long.
    pub fn since(&self, len: usize) -> &str {
        self.text.get(len..).unwrap_or_default()
    }

    /// The text, where its pages start, and their names.
    pub fn into_parts(self) -> Collected {
        let is_named = self.labels.iter().any(|label| !label.is_empty());
        Collected {
            text: self.text,
            pages: self.pages,
            labels: if is_named { self.labels } else { Vec::new() },
        }
    }

    fn cut<'t>(&mut self, text: &'t str, room: usize) -> &'t str {
        self.full = true;
        &text[..text.floor_char_boundary(room)]
    }
}

fn is_clean(text: &str) -> bool {
    text.bytes()
        .all(|b| (0x20..0x7F).contains(&b) || b == b'\n')
        || text.chars().all(|c| clean(c) == Some(c))
}

fn clean(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(c),
        '\u{AD}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => None,
        '\u{A0}' => Some(' '),
        '\r' => Some('\n'),
        c if c.is_control() => Some(' '),
        c => Some(c),
    }
}
