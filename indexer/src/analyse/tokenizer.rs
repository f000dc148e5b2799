//! The analysers as tantivy tokenizers: the first bytes of a field's text are the namespace's marker, which is put before
//! each token after everything else. Text cannot forge it: whatever stands first *is* the marker, and `term` puts it there.

use std::sync::{Arc, Mutex, PoisonError};

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::stem::hash;
use super::{Mode, NameToken, Stems, Words, is_stop_word, names};
use crate::term::PREFIX_BYTES;

/// Exact words of running text.
#[derive(Clone, Default)]
pub struct WordTokenizer;

/// Stems of running text; words without a stem give no token.
#[derive(Default)]
pub struct StemTokenizer(Arc<Mutex<Stems>>);

impl Clone for StemTokenizer {
    /// Each writer's clone has a memory of its own.
    fn clone(&self) -> Self {
        StemTokenizer::default()
    }
}

/// Words of running text without a marker, for searches of very many namespaces: the stem of a word that has one, else the
/// word; no stop words, and each word at most [`MAX_REPEATS`] times.
#[derive(Default)]
pub struct WideTokenizer(Arc<Mutex<WideMemory>>);

/// How often a word of one text counts in the wide field: a third of the postings, most of the weight.
const MAX_REPEATS: u8 = 3;
/// Slots that remember how often a text had a word; a power of two.
const REPEAT_SLOTS: usize = 1 << 14;

/// Stems, and how often the present text had each word.
struct WideMemory {
    stems: Stems,
    /// Hash of the word, number of the text, times.
    repeats: Vec<(u32, u32, u8)>,
    text: u32,
}

impl Default for WideMemory {
    fn default() -> Self {
        WideMemory {
            stems: Stems::default(),
            repeats: vec![(0, 0, 0); REPEAT_SLOTS],
            text: 0,
        }
    }
}

impl WideMemory {
    /// True while the word has not been counted often enough. Two words in one slot displace each other: some count more.
    fn counts(&mut self, word: &str) -> bool {
        let hash = hash(word.as_bytes());
        let slot = &mut self.repeats[(hash >> 48) as usize & (REPEAT_SLOTS - 1)];
        if (slot.0, slot.1) != (hash as u32, self.text) {
            *slot = (hash as u32, self.text, 0);
        }
        slot.2 = slot.2.saturating_add(1);
        slot.2 <= MAX_REPEATS
    }
}

impl Clone for WideTokenizer {
    /// Each writer's clone has a memory of its own.
    fn clone(&self) -> Self {
        WideTokenizer::default()
    }
}

/// Parts and joined forms of names without a marker.
#[derive(Clone, Default)]
pub struct WideNameTokenizer;

/// Parts and joined forms of names.
#[derive(Clone, Default)]
pub struct NameTokenizer;

/// Marker and text; a text that has no marker has no tokens.
fn split(text: &str) -> (&str, &str) {
    text.split_at_checked(PREFIX_BYTES).unwrap_or(("", ""))
}

fn marked(marker: &str) -> Token {
    Token {
        text: marker.to_owned(),
        ..Token::default()
    }
}

/// A stream of exact words behind a marker.
pub struct WordStream<'a> {
    words: Words<'a>,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WordStream<'a> {
        let (marker, text) = split(text);
        WordStream {
            words: Words::new(text, Mode::Index),
            token: marked(marker),
        }
    }
}

impl TokenStream for WordStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((start, end, position)) = self.words.advance(&mut self.token.text, PREFIX_BYTES)
        else {
            return false;
        };
        (
            self.token.offset_from,
            self.token.offset_to,
            self.token.position,
        ) = (start, end, position);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// A stream of stems behind a marker.
pub struct StemStream<'a> {
    words: WordStream<'a>,
    stems: std::sync::MutexGuard<'a, Stems>,
}

impl Tokenizer for StemTokenizer {
    type TokenStream<'a> = StemStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> StemStream<'a> {
        let (marker, text) = split(text);
        let stems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        StemStream {
            words: WordStream {
                words: Words::new(text, Mode::Query),
                token: marked(marker),
            },
            stems,
        }
    }
}

impl TokenStream for StemStream<'_> {
    fn advance(&mut self) -> bool {
        while self.words.advance() {
            if self.stems.replace(&mut self.words.token.text, PREFIX_BYTES) {
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.words.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.words.token
    }
}

/// A stream of stems and words without a marker.
pub struct WideStream<'a> {
    words: Words<'a>,
    token: Token,
    memory: std::sync::MutexGuard<'a, WideMemory>,
}

impl Tokenizer for WideTokenizer {
    type TokenStream<'a> = WideStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WideStream<'a> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.text = memory.text.wrapping_add(1);
        WideStream {
            words: Words::new(text, Mode::Index),
            token: Token::default(),
            memory,
        }
    }
}

impl TokenStream for WideStream<'_> {
    fn advance(&mut self) -> bool {
        while let Some((start, end, position)) = self.words.advance(&mut self.token.text, 0) {
            if is_stop_word(&self.token.text) {
                continue;
            }
            self.memory.stems.replace(&mut self.token.text, 0);
            if self.memory.counts(&self.token.text) {
                (self.token.offset_from, self.token.offset_to) = (start, end);
                self.token.position = position;
                return true;
            }
        }
        false
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

/// A stream of a name's tokens behind a marker, which may be empty.
pub struct NameStream {
    tokens: std::vec::IntoIter<NameToken>,
    marker_bytes: usize,
    token: Token,
}

impl Tokenizer for WideNameTokenizer {
    type TokenStream<'a> = NameStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> NameStream {
        NameStream {
            tokens: names(text).into_iter(),
            marker_bytes: 0,
            token: Token::default(),
        }
    }
}

impl Tokenizer for NameTokenizer {
    type TokenStream<'a> = NameStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> NameStream {
        let (marker, text) = split(text);
        NameStream {
            tokens: names(text).into_iter(),
            marker_bytes: marker.len(),
            token: marked(marker),
        }
    }
}

impl TokenStream for NameStream {
    fn advance(&mut self) -> bool {
        let Some(next) = self.tokens.next() else {
            return false;
        };
        self.token.text.truncate(self.marker_bytes);
        self.token.text.push_str(&next.text);
        (
            self.token.offset_from,
            self.token.offset_to,
            self.token.position,
        ) = (next.start, next.end, next.position);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
