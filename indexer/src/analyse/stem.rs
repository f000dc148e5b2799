//! Stems, for relevance: a field of its own beside the exact words.
//!
//! A text's words get the stems of its language, English ones where it does not tell its language or that has no stems here.
//! Only words of letters that are no stop words have stems; everything else is found by its exact form alone, so the field
//! stays small. Words are stemmed as they are folded, without accents, in documents and queries alike.

use frostem::Stemmer;

use super::language::Language;

/// Shortest word that has a stem, bytes.
const MIN_BYTES: usize = 3;
/// Longest word that has a stem, bytes (longer ones are identifiers).
const MAX_BYTES: usize = 40;
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

/// The stop words that begin so.
pub fn stop_words(start: &str) -> impl Iterator<Item = &'static str> {
    let words = STOP_WORDS.into_iter();
    words.filter(move |word| word.starts_with(start))
}

/// The stem of a folded word in a text of this language, or None when the word has none and only its exact form is indexed.
pub fn stem(language: Language, word: &str) -> Option<String> {
    has_stem(word).then(|| stemmer(language).stem(word).into_owned())
}

/// The different stems that a folded word has in some languages, English always among them.
pub fn stems(languages: &[Language], word: &str) -> Vec<String> {
    let mut stems = Vec::new();
    for language in [Language::ENGLISH].iter().chain(languages) {
        stems.extend(stem(*language, word).filter(|stem| !stems.contains(stem)));
    }
    stems
}

fn stemmer(language: Language) -> Stemmer {
    let of_english = Language::ENGLISH.stems();
    let algorithm = language.stems().or(of_english);
    Stemmer::new(algorithm.unwrap_or(frostem::Algorithm::English))
}

fn has_stem(word: &str) -> bool {
    (MIN_BYTES..=MAX_BYTES).contains(&word.len())
        && word.chars().all(is_letter)
        && !is_stop_word(word)
}

/// Letters of scripts whose languages have stems: Latin and Cyrillic.
fn is_letter(c: char) -> bool {
    c.is_ascii_lowercase() || matches!(c, '\u{430}'..='\u{45f}')
}

/// Stems with a memory, since text repeats itself.
pub struct Stems {
    stemmers: Vec<(Language, Stemmer)>,
    memory: Vec<Remembered>,
}

#[derive(Clone, Copy)]
struct Remembered {
    language: Language,
    word: [u8; MAX_BYTES],
    word_len: u8,
    stem: [u8; MAX_BYTES],
    stem_len: u8,
}

const EMPTY: Remembered = Remembered {
    language: Language::ENGLISH,
    word: [0; MAX_BYTES],
    word_len: 0,
    stem: [0; MAX_BYTES],
    stem_len: 0,
};

impl Default for Stems {
    fn default() -> Self {
        Stems {
            stemmers: Vec::new(),
            memory: vec![EMPTY; REMEMBERED],
        }
    }
}

impl Stems {
    /// Replaces the word behind the first `kept` bytes of `buffer` by its stem; false when it has none.
    pub fn replace(&mut self, language: Language, buffer: &mut String, kept: usize) -> bool {
        let word = &buffer[kept..];
        if !has_stem(word) {
            return false;
        }
        let slot = slot(language, word.as_bytes());
        let known = &self.memory[slot];
        if known.language != language || &known.word[..known.word_len.into()] != word.as_bytes() {
            self.memory[slot] = remember(language, word, &self.stemmer(language).stem(word));
        }
        let found = &self.memory[slot];
        buffer.truncate(kept);
        buffer.push_str(
            std::str::from_utf8(&found.stem[..found.stem_len.into()]).unwrap_or_default(),
        );
        true
    }

    fn stemmer(&mut self, language: Language) -> &Stemmer {
        let known = self
            .stemmers
            .iter()
            .position(|(known, _)| *known == language);
        let at = known.unwrap_or_else(|| {
            self.stemmers.push((language, stemmer(language)));
            self.stemmers.len() - 1
        });
        &self.stemmers[at].1
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

fn slot(language: Language, word: &[u8]) -> usize {
    let hash = hash(word).wrapping_add(language.number() << 40);
    (hash >> 40) as usize & (REMEMBERED - 1)
}

/// Stems are hardly ever longer than their words, and fit; a longer one would keep its word.
fn remember(language: Language, word: &str, stem: &str) -> Remembered {
    let stem = if stem.len() <= MAX_BYTES { stem } else { word };
    let mut entry = Remembered {
        language,
        word_len: word.len() as u8,
        stem_len: stem.len() as u8,
        ..EMPTY
    };
    entry.word[..word.len()].copy_from_slice(word.as_bytes());
    entry.stem[..stem.len()].copy_from_slice(stem.as_bytes());
    entry
}
