//! Text -> tokens, the same for documents, query words and highlights. Pure: no namespace, no index.
//!
//! Words are maximal runs of letters and digits, lowercased, with accents folded. Scripts written without spaces become
//! pairs of characters (and single characters, so that a one-character query finds). Names are split further, see [`names`], and have [`symbols`].

mod analyser;
mod fold;
mod language;
mod names;
mod stem;
mod stop;
mod symbols;
mod tokenizer;
mod words;
mod written;

pub use analyser::{Analysed, Analyser};
pub use fold::fold;
pub use language::Language;
pub use names::{NameToken, names};
pub use stem::{Stems, is_stop_word, stem, stems, stop_words};
pub use stop::{asked_in, is_function_word};
pub use symbols::{is_symbol, symbols};
pub use tokenizer::{NameTokenizer, WideNameTokenizer};
pub use words::{Mode, Words};
pub use written::{CountsTokenizer, PlacesTokenizer};

/// Longest token in bytes of folded text; what is longer is cut here, in documents and in queries alike.
pub const MAX_TOKEN_BYTES: usize = 64;

/// The `wide` field has every word of a text, but for stop words, as something that begins with so many of the word's first letters.
pub const WIDE_START: usize = 3;

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

/// The tokens of the `wide` field for a folded word of a query: its stems in some languages and in English, or itself; none for
/// stop words.
pub fn wide(languages: &[Language], word: &str) -> Vec<String> {
    let mut tokens = stems(languages, word);
    if tokens.is_empty() && !is_stop_word(word) {
        tokens.push(word.to_owned());
    }
    tokens
}

/// Cuts `text` to [`MAX_TOKEN_BYTES`] after the first `kept` bytes, at a character's border.
fn cut(text: &mut String, kept: usize) {
    if text.len() - kept > MAX_TOKEN_BYTES {
        text.truncate(text.floor_char_boundary(kept + MAX_TOKEN_BYTES));
    }
}

#[cfg(test)]
mod tests;
