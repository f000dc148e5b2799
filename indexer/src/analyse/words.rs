//! Words of running text, streamed.

use unicode_normalization::char::is_combining_mark;

use super::{cut, fold};

/// What the tokens are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Everything that may be asked for: of unspaced scripts, pairs and single characters.
    Index,
    /// What a query asks for: of unspaced scripts, pairs only, unless a character stands alone.
    Query,
}

/// A stream of the words of a text.
pub struct Words<'a> {
    text: &'a str,
    at: usize,
    position: usize,
    mode: Mode,
    run: Option<Run>,
}

/// A run of an unspaced script, being cut into pairs.
struct Run {
    end: usize,
    alone: bool,
    single_given: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Separator,
    Letter,
    Unspaced,
}

/// For each byte: 0 separator, 1 ASCII letter or digit, 2 part of a longer character.
const BYTES: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = if byte >= 0x80 {
            2
        } else {
            (byte as u8).is_ascii_alphanumeric() as u8
        };
        byte += 1;
    }
    table
};

impl<'a> Words<'a> {
    /// The words of `text` from its start.
    pub fn new(text: &'a str, mode: Mode) -> Self {
        Words {
            text,
            at: 0,
            position: 0,
            mode,
            run: None,
        }
    }

    /// Writes the next token behind the first `kept` bytes of `buffer` and returns its (start, end, position).
    pub fn advance(&mut self, buffer: &mut String, kept: usize) -> Option<(usize, usize, usize)> {
        buffer.truncate(kept);
        if let Some(run) = self.run.take() {
            return Some(self.advance_run(run, buffer));
        }
        let bytes = self.text.as_bytes();
        loop {
            while self.at < bytes.len() && BYTES[bytes[self.at] as usize] == 0 {
                self.at += 1;
            }
            if self.at == bytes.len() {
                return None;
            }
            let start = self.at;
            if BYTES[bytes[start] as usize] == 1 {
                return Some(self.word(start, buffer, kept));
            }
            let c = self.char_at(start)?;
            match class(c) {
                Class::Separator => self.at += c.len_utf8(),
                Class::Letter => {
                    let token = self.word(start, buffer, kept);
                    if buffer.len() > kept {
                        return Some(token);
                    }
                    self.position = token.2; // nothing but marks: no word
                }
                Class::Unspaced => {
                    let run = self.open_run(start);
                    return Some(self.advance_run(run, buffer));
                }
            }
        }
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text[at..].chars().next()
    }

    /// A maximal run of letters and digits from `start`.
    fn word(&mut self, start: usize, buffer: &mut String, kept: usize) -> (usize, usize, usize) {
        let bytes = self.text.as_bytes();
        let mut end = start;
        let mut ascii = true;
        loop {
            while end < bytes.len() && BYTES[bytes[end] as usize] == 1 {
                end += 1;
            }
            match self.char_at(end) {
                Some(c) if !c.is_ascii() && class(c) == Class::Letter => {
                    ascii = false;
                    end += c.len_utf8();
                }
                _ => break,
            }
        }
        if ascii {
            let shown = end.min(start + super::MAX_TOKEN_BYTES);
            buffer.push_str(&self.text[start..shown]);
            buffer[kept..].make_ascii_lowercase();
        } else {
            fold::fold_into(&self.text[start..end], buffer);
            cut(buffer, kept);
        }
        self.at = end;
        self.position += 1;
        (start, end, self.position - 1)
    }

    fn open_run(&self, start: usize) -> Run {
        let end = self.text[start..]
            .char_indices()
            .find(|&(_, c)| class(c) != Class::Unspaced && !is_combining_mark(c))
            .map_or(self.text.len(), |(offset, _)| start + offset);
        Run {
            end,
            alone: self.cluster_end(start, end) == end,
            single_given: false,
        }
    }

    /// End of the character at `at` with the marks on it.
    fn cluster_end(&self, at: usize, end: usize) -> usize {
        let mut chars = self.text[at..end].char_indices();
        chars.next();
        chars
            .find(|&(_, c)| !is_mark(c))
            .map_or(end, |(offset, _)| at + offset)
    }

    fn advance_run(&mut self, run: Run, buffer: &mut String) -> (usize, usize, usize) {
        let (start, position) = (self.at, self.position);
        let middle = self.cluster_end(start, run.end);
        let single =
            run.alone || middle == run.end || (self.mode == Mode::Index && !run.single_given);
        let end = if single {
            middle
        } else {
            self.cluster_end(middle, run.end)
        };
        fold::fold_into(&self.text[start..end], buffer);
        let pair_follows = single && middle < run.end;
        if !pair_follows {
            self.at = middle;
            self.position += 1;
        }
        // The last character is a token by itself only where single characters are indexed, or it stands alone.
        let last = self.at == run.end
            || (self.mode == Mode::Query && self.cluster_end(self.at, run.end) == run.end);
        if last {
            self.at = run.end;
        } else {
            self.run = Some(Run {
                single_given: pair_follows,
                ..run
            });
        }
        (start, end, position)
    }
}

/// Characters that belong to the one before them: marks, half-width voicing, the vowels and ends of Hangul syllables.
fn is_mark(c: char) -> bool {
    is_combining_mark(c) || matches!(c, '\u{ff9e}' | '\u{ff9f}' | '\u{1160}'..='\u{11ff}')
}

/// True for what words are made of.
pub(super) fn is_of_word(c: char) -> bool {
    class(c) != Class::Separator
}

fn class(c: char) -> Class {
    if is_unspaced(c) {
        Class::Unspaced
    } else if c.is_alphanumeric()
        || is_combining_mark(c)
        || matches!(c, '\u{ad}' | '\u{200c}' | '\u{200d}')
    {
        Class::Letter
    } else {
        Class::Separator
    }
}

/// Letters of scripts that put no spaces between words: Han, kana, Hangul, Bopomofo, Thai, Lao, Khmer, Myanmar.
fn is_unspaced(c: char) -> bool {
    c >= '\u{e01}'
        && (matches!(c,
            '\u{4e00}'..='\u{9fff}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}'
            | '\u{ac00}'..='\u{d7a3}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{3fffd}' | '\u{f900}'..='\u{faff}'
            | '\u{3005}'..='\u{3007}' | '\u{3105}'..='\u{312f}' | '\u{3131}'..='\u{318e}' | '\u{31f0}'..='\u{31ff}'
            | '\u{ff66}'..='\u{ff9f}' | '\u{1100}'..='\u{11ff}' | '\u{a960}'..='\u{a97c}' | '\u{d7b0}'..='\u{d7fb}')
            || (matches!(c, '\u{e01}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
                && c.is_alphabetic()))
}
