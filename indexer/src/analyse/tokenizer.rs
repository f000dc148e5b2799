//! The analysers as tantivy tokenizers: the first bytes of a field's text are the namespace's marker, which is put before
//! each token after everything else. Text cannot forge it: whatever stands first *is* the marker, and `term` puts it there.

use std::sync::{Arc, Mutex, PoisonError};

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

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
/// word; no stop words.
#[derive(Default)]
pub struct WideTokenizer(Arc<Mutex<Stems>>);

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
    stems: std::sync::MutexGuard<'a, Stems>,
}

impl Tokenizer for WideTokenizer {
    type TokenStream<'a> = WideStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WideStream<'a> {
        WideStream {
            words: Words::new(text, Mode::Index),
            token: Token::default(),
            stems: self.0.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl TokenStream for WideStream<'_> {
    fn advance(&mut self) -> bool {
        while let Some((start, end, position)) = self.words.advance(&mut self.token.text, 0) {
            if !is_stop_word(&self.token.text) {
                self.stems.replace(&mut self.token.text, 0);
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
