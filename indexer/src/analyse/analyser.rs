//! A text looked at once: its words with their places, its stems, written down for the fields of a document.
//!
//! Equal words come together, so the index's dictionary is asked once for each different word of a text, not for each word, and
//! each different word is stemmed once. What the fields hold of it is the same as if they had read the text themselves.

use super::stem::hash;
use super::written::{Counts, Places};
use super::{Language, Mode, Stems, WIDE_START, Words, is_stop_word};

/// How often a stem of one text counts; more would not weigh more.
const MAX_REPEATS: u32 = 15;
/// Slots of an empty table; a power of two.
const FEW_SLOTS: usize = 1 << 9;

/// What the text fields of a document get, in the form that [`super::PlacesTokenizer`] and [`super::CountsTokenizer`] read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysed {
    /// Exact words with their positions.
    pub words: String,
    /// The stem of each word that has one, else the word; no stop words, and each at most [`MAX_REPEATS`] times. Where a stem begins
    /// otherwise than its word (`use` of *using*), the word too, once.
    pub wide: String,
}

/// Analyses texts, with memory that is kept from one to the next.
#[derive(Default)]
pub struct Analyser {
    stems: Stems,
    words: Table,
    /// Stems, and words that have none.
    shown: Table,
    /// Of each word of the text in turn, its number in `words` and its position.
    places: Vec<(u32, u32)>,
    /// The same positions, word by word.
    sorted: Vec<u32>,
}

impl Analyser {
    /// The words of a `text` in this language, for every field.
    pub fn analyse(&mut self, text: &str, language: Language) -> Analysed {
        self.read(text);
        self.sort();
        self.stem(language);
        let mut words = Places::with_capacity(text.len() / 2);
        let mut from = 0;
        for entry in &self.words.entries {
            let to = entry.count as usize;
            words.add(self.words.text_of(entry), &self.sorted[from..to]);
            from = to;
        }
        let mut wide = Counts::default();
        for entry in &self.shown.entries {
            let text = self.shown.text_of(entry);
            wide.add(text, entry.count.min(MAX_REPEATS));
        }
        Analysed {
            words: words.into_string(),
            wide: wide.into_string(),
        }
    }

    /// Finds the different words, and where each word of the text is.
    fn read(&mut self, text: &str) {
        self.words.clear();
        self.places.clear();
        let mut stream = Words::new(text, Mode::Index);
        let mut word = String::new();
        while let Some((_, _, position)) = stream.advance(&mut word, 0) {
            let number = self.words.count(&word, 1);
            self.places.push((number as u32, position as u32));
        }
    }

    /// Sorts the places by word; each word's count becomes the end of its places.
    fn sort(&mut self) {
        let mut next = Vec::with_capacity(self.words.entries.len());
        let mut end = 0;
        for entry in &mut self.words.entries {
            next.push(end as usize);
            end += entry.count;
            entry.count = end;
        }
        self.sorted.clear();
        self.sorted.resize(self.places.len(), 0);
        for &(number, position) in &self.places {
            let at = &mut next[number as usize];
            self.sorted[*at] = position;
            *at += 1;
        }
    }

    /// Counts the stems, and the words that have none.
    fn stem(&mut self, language: Language) {
        self.shown.clear();
        let mut text = String::new();
        let mut from = 0;
        for entry in &self.words.entries {
            let times = entry.count - from;
            from = entry.count;
            text.clear();
            text.push_str(self.words.text_of(entry));
            if is_stop_word(&text) {
                continue;
            }
            self.stems.replace(language, &mut text, 0);
            self.shown.count(&text, times);
            let word = self.words.text_of(entry);
            if begins_otherwise(word, &text) {
                self.shown.count(word, 1);
            }
        }
    }
}

/// True when the first letters of a word do not lead to its stem; a word of no more letters is itself found by its stem.
fn begins_otherwise(word: &str, stem: &str) -> bool {
    let start = word
        .char_indices()
        .nth(WIDE_START)
        .map(|(end, _)| &word[..end]);
    start.is_some_and(|start| !stem.starts_with(start))
}

/// Different words in the order in which they came, each with a count.
#[derive(Default)]
struct Table {
    /// Number of an entry and one more; 0 is free. A power of two of them, at most three quarters taken.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    text: String,
}

struct Entry {
    hash: u64,
    start: usize,
    bytes: usize,
    count: u32,
}

impl Table {
    fn clear(&mut self) {
        self.slots.clear();
        self.slots.resize(FEW_SLOTS, 0);
        self.entries.clear();
        self.text.clear();
    }

    fn text_of(&self, entry: &Entry) -> &str {
        &self.text[entry.start..entry.start + entry.bytes]
    }

    /// Counts a word `times` more; returns its number.
    fn count(&mut self, word: &str, times: u32) -> usize {
        let hash = hash(word.as_bytes());
        let slot = self.slot(hash, Some(word));
        if let Some(number) = self.slots[slot].checked_sub(1) {
            let number = number as usize;
            self.entries[number].count += times;
            return number;
        }
        self.entries.push(Entry {
            hash,
            start: self.text.len(),
            bytes: word.len(),
            count: times,
        });
        self.text.push_str(word);
        self.slots[slot] = self.entries.len() as u32;
        if self.entries.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.entries.len() - 1
    }

    /// The slot of a word, or the free one where it belongs (`None`: a word that is nowhere yet).
    fn slot(&self, hash: u64, word: Option<&str>) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = (hash >> 32) as usize & mask;
        while let Some(number) = self.slots[slot].checked_sub(1) {
            let entry = &self.entries[number as usize];
            if word.is_some_and(|word| entry.hash == hash && self.text_of(entry) == word) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let slots = self.slots.len() * 4;
        self.slots.clear();
        self.slots.resize(slots, 0);
        for number in 0..self.entries.len() {
            let slot = self.slot(self.entries[number].hash, None);
            self.slots[slot] = number as u32 + 1;
        }
    }
}
