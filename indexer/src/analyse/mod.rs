//! Text -> tokens, the same for documents, query words and highlights. Pure: no namespace, no index.
//!
//! Words are maximal runs of letters and digits, lowercased, with accents folded. Scripts written without spaces become
//! pairs of characters (and single characters, so that a one-character query finds). Names are split further, see [`names`].

mod analyser;
mod fold;
mod names;
mod stem;
mod tokenizer;
mod words;
mod written;

pub use analyser::{Analysed, Analyser};
pub use fold::fold;
pub use names::{NameToken, names};
pub use stem::{Stems, is_stop_word, stem};
pub use tokenizer::{NameTokenizer, WideNameTokenizer};
pub use words::{Mode, Words};
pub use written::{CountsTokenizer, PlacesTokenizer};

/// Longest token in bytes of folded text; what is longer is cut here, in documents and in queries alike.
pub const MAX_TOKEN_BYTES: usize = 64;

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The folded text, at most [`MAX_TOKEN_BYTES`].
    pub text: String,
    /// First byte in the source text.
    pub start: usize,
    /// One past the last byte in the source text.
    pub end: usize,
    /// Number of the word in the text, from 0; phrases are consecutive positions.
    pub position: usize,
}

/// The tokens of running text, collected; for queries and short texts ([`Words`] streams).
pub fn words(text: &str, mode: Mode) -> Vec<Token> {
    let mut stream = Words::new(text, mode);
    let mut tokens = Vec::new();
    let mut buffer = String::new();
    while let Some((start, end, position)) = stream.advance(&mut buffer, 0) {
        tokens.push(Token {
            text: buffer.clone(),
            start,
            end,
            position,
        });
    }
    tokens
}

/// The token of the `wide` field for a folded word of a query: its stem, or itself; `None` for stop words.
pub fn wide(word: &str) -> Option<String> {
    (!is_stop_word(word)).then(|| stem(word).unwrap_or_else(|| word.to_owned()))
}

/// Cuts `text` to [`MAX_TOKEN_BYTES`] after the first `kept` bytes, at a character's border.
fn cut(text: &mut String, kept: usize) {
    if text.len() - kept > MAX_TOKEN_BYTES {
        text.truncate(text.floor_char_boundary(kept + MAX_TOKEN_BYTES));
    }
}

#[cfg(test)]
mod tests;
