//! Names as tantivy tokens: the first bytes of a field's text are the namespace's marker, which is put before each token
//! after everything else. Text cannot forge it: whatever stands first *is* the marker, and `term` puts it there.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::{NameToken, names, symbols};
use crate::term::PREFIX_BYTES;

/// Parts and joined forms of names, and symbols, without a marker.
#[derive(Clone, Default)]
pub struct WideNameTokenizer;

/// Parts and joined forms of names, and symbols.
#[derive(Clone, Default)]
pub struct NameTokenizer;

/// Marker and text; a text that has no marker has no tokens.
pub(super) fn split(text: &str) -> (&str, &str) {
    text.split_at_checked(PREFIX_BYTES).unwrap_or(("", ""))
}

/// A token of the marker alone.
pub(super) fn marked(marker: &str) -> Token {
    Token {
        text: marker.to_owned(),
        ..Token::default()
    }
}

/// A stream of a name's tokens behind a marker, which may be empty.
pub struct NameStream {
    tokens: std::vec::IntoIter<NameToken>,
    marker_bytes: usize,
    token: Token,
}

/// The words of a name, and its symbols.
fn all(name: &str) -> std::vec::IntoIter<NameToken> {
    let mut tokens = names(name);
    tokens.extend(symbols(name));
    tokens.into_iter()
}

impl Tokenizer for WideNameTokenizer {
    type TokenStream<'a> = NameStream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> NameStream {
        NameStream {
            tokens: all(text),
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
            tokens: all(text),
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
