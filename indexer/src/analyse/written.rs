//! Analysed words as the text of a field: how they are written, and the tokenizers that read them.
//!
//! Each word is its length, the word, and numbers: how often it stands in the text and, with [`Places`], the distances between
//! its positions. A length is one ASCII byte, a number several of six bits each, so that all of it is text as the index
//! demands. In front stands a namespace's marker, as in every other field (see `tokenizer`).

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use super::tokenizer::{marked, split};

/// Bits of a number in one byte.
const BITS: u32 = 6;
/// The bit that says that more of a number follows.
const MORE: u8 = 1 << BITS;

/// Words with positions, being written.
#[derive(Default)]
pub(super) struct Places(Vec<u8>);

impl Places {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Places(Vec::with_capacity(bytes))
    }

    /// A word that stands at `positions`, in ascending order.
    pub(super) fn add(&mut self, word: &str, positions: &[u32]) {
        write_word(&mut self.0, word);
        write_number(&mut self.0, positions.len() as u32);
        let mut last = 0;
        for &position in positions {
            write_number(&mut self.0, position - last);
            last = position;
        }
    }

    pub(super) fn into_string(self) -> String {
        text(self.0)
    }
}

/// Words with counts, being written.
#[derive(Default)]
pub(super) struct Counts(Vec<u8>);

impl Counts {
    /// A word that counts so many times; none is not written.
    pub(super) fn add(&mut self, word: &str, times: u32) {
        if times > 0 {
            write_word(&mut self.0, word);
            write_number(&mut self.0, times);
        }
    }

    pub(super) fn into_string(self) -> String {
        text(self.0)
    }
}

fn write_word(out: &mut Vec<u8>, word: &str) {
    out.push(word.len() as u8); // at most MAX_TOKEN_BYTES
    out.extend_from_slice(word.as_bytes());
}

fn write_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= u32::from(MORE) {
        out.push(number as u8 & (MORE - 1) | MORE);
        number >>= BITS;
    }
    out.push(number as u8);
}

/// Words are text and the rest is ASCII, so nothing is ever lost here.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// Reads what was written.
struct Written<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Written<'a> {
    fn word(&mut self) -> Option<&'a str> {
        let bytes = usize::from(*self.text.as_bytes().get(self.at)?);
        let start = self.at + 1;
        self.at = start + bytes;
        self.text.get(start..self.at)
    }

    fn number(&mut self) -> Option<u32> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            self.at += 1;
            number |= u32::from(byte & (MORE - 1)).checked_shl(shift)?;
            if byte & MORE == 0 {
                return Some(number);
            }
            shift += BITS;
        }
    }
}

/// Words with their positions behind a marker.
#[derive(Clone, Default)]
pub struct PlacesTokenizer;

/// Words with their counts, without a marker.
#[derive(Clone, Default)]
pub struct CountsTokenizer;

/// The tokens of a written text.
pub struct WrittenStream<'a> {
    written: Written<'a>,
    marker_bytes: usize,
    has_places: bool,
    /// How often the present word still comes.
    left: u32,
    token: Token,
}

impl<'a> WrittenStream<'a> {
    fn new(marker: &str, text: &'a str, has_places: bool) -> Self {
        WrittenStream {
            written: Written { text, at: 0 },
            marker_bytes: marker.len(),
            has_places,
            left: 0,
            token: marked(marker),
        }
    }

    fn next(&mut self) -> Option<()> {
        if self.left == 0 {
            let word = self.written.word()?;
            self.token.text.truncate(self.marker_bytes);
            self.token.text.push_str(word);
            self.token.position = 0;
            self.left = self.written.number()?;
        }
        self.left = self.left.checked_sub(1)?;
        if self.has_places {
            self.token.position += self.written.number()? as usize;
        }
        Some(())
    }
}

impl Tokenizer for PlacesTokenizer {
    type TokenStream<'a> = WrittenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WrittenStream<'a> {
        let (marker, text) = split(text);
        WrittenStream::new(marker, text, true)
    }
}

impl Tokenizer for CountsTokenizer {
    type TokenStream<'a> = WrittenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> WrittenStream<'a> {
        WrittenStream::new("", text, false)
    }
}

impl TokenStream for WrittenStream<'_> {
    fn advance(&mut self) -> bool {
        self.next().is_some()
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
