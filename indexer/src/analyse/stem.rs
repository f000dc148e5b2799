//! English stems, for relevance: a field of its own beside the exact words.
//!
//! Only words of ASCII letters that are no stop words have stems; everything else is found by its exact form alone, so
//! the field stays small. Other languages' words get an English stem too, the same in documents and queries.

use frostem::{Algorithm, Stemmer};

/// Shortest word that has a stem, bytes.
const MIN_BYTES: usize = 3;
/// Longest word that has a stem, bytes (longer ones are identifiers).
const MAX_BYTES: usize = 24;
/// Words whose stems are remembered; a power of two.
const REMEMBERED: usize = 1 << 13;

/// Lucene's English stop words: no stems, so no weight in long questions. Their exact forms stay findable.
const STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these",
    "they", "this", "to", "was", "will", "with",
];

/// True for a folded English word that carries no meaning of its own.
pub fn is_stop_word(word: &str) -> bool {
    word.len() <= 5 && STOP_WORDS.binary_search(&word).is_ok()
}

/// The stem of a folded word, or None when the word has none and only its exact form is indexed.
pub fn stem(word: &str) -> Option<String> {
    has_stem(word).then(|| Stemmer::new(Algorithm::English).stem(word).into_owned())
}

fn has_stem(word: &str) -> bool {
    (MIN_BYTES..=MAX_BYTES).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_lowercase())
        && !is_stop_word(word)
}

/// Stems with a memory, since text repeats itself.
pub struct Stems {
    stemmer: Stemmer,
    memory: Vec<Remembered>,
}

#[derive(Clone, Copy)]
struct Remembered {
    word: [u8; MAX_BYTES],
    word_len: u8,
    stem: [u8; MAX_BYTES],
    stem_len: u8,
}

impl Default for Stems {
    fn default() -> Self {
        let empty = Remembered {
            word: [0; MAX_BYTES],
            word_len: 0,
            stem: [0; MAX_BYTES],
            stem_len: 0,
        };
        Stems {
            stemmer: Stemmer::new(Algorithm::English),
            memory: vec![empty; REMEMBERED],
        }
    }
}

impl Stems {
    /// Replaces the word behind the first `kept` bytes of `buffer` by its stem; false when it has none.
    pub fn replace(&mut self, buffer: &mut String, kept: usize) -> bool {
        let word = &buffer[kept..];
        if !has_stem(word) {
            return false;
        }
        let slot = slot(word.as_bytes());
        let known = self.memory[slot];
        if known.word_len as usize != word.len() || &known.word[..word.len()] != word.as_bytes() {
            self.memory[slot] = remember(word, &self.stemmer.stem(word));
        }
        let found = &self.memory[slot];
        buffer.truncate(kept);
        buffer.push_str(
            std::str::from_utf8(&found.stem[..found.stem_len as usize]).unwrap_or_default(),
        );
        true
    }
}

/// A fast hash of a short word, eight bytes at a time; its high bits are the better ones.
pub(super) fn hash(word: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = word.len() as u64;
    for piece in word.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..piece.len()].copy_from_slice(piece);
        hash = (hash.rotate_left(23) ^ u64::from_le_bytes(bytes)).wrapping_mul(FACTOR);
    }
    hash ^ hash >> 29
}

fn slot(word: &[u8]) -> usize {
    (hash(word) >> 40) as usize & (REMEMBERED - 1)
}

/// English stems are never longer than their words by more than they lost, and fit; a longer one would keep its word.
fn remember(word: &str, stem: &str) -> Remembered {
    let stem = if stem.len() <= MAX_BYTES { stem } else { word };
    let mut entry = Remembered {
        word: [0; MAX_BYTES],
        word_len: word.len() as u8,
        stem: [0; MAX_BYTES],
        stem_len: stem.len() as u8,
    };
    entry.word[..word.len()].copy_from_slice(word.as_bytes());
    entry.stem[..stem.len()].copy_from_slice(stem.as_bytes());
    entry
}
