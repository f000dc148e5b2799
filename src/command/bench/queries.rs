//! Queries made of words that are in the documents which a user sees: the seven kinds that people compare engines by, and words
//! as they are typed.

use std::collections::HashMap;

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Words that count as frequent: those in most documents.
const FREQUENT: usize = 20;
/// Letters of a word in which a typo is made, at least.
const TYPO_FROM: usize = 6;

/// The words of some documents.
pub struct Words {
    documents: Vec<Vec<String>>,
    frequent: Vec<String>,
    rare: Vec<String>,
}

impl Words {
    /// Words in the order in which they stand in documents.
    pub fn of(documents: &[Vec<String>]) -> Self {
        let mut counts: HashMap<&String, u64> = HashMap::new();
        for word in documents.iter().flatten() {
            *counts.entry(word).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        let words = || counts.iter().map(|(word, _)| (*word).clone());
        let least = counts.last().map_or(0, |(_, n)| *n);
        let rare = counts.iter().filter(|(_, n)| *n == least);
        Words {
            documents: documents.to_vec(),
            frequent: words().take(FREQUENT).collect(),
            rare: rare.map(|(word, _)| (*word).clone()).collect(),
        }
    }

    /// A query of a random kind, and the kind.
    pub fn query(&self, random: &mut StdRng) -> (&'static str, String) {
        let side_by_side = self.side_by_side(random);
        let word = |i: usize| side_by_side.get(i).map_or("", String::as_str);
        let start = |letters: usize| word(0).chars().take(letters).collect::<String>();
        match random.random_range(0..10) {
            0 => ("frequent word", any(&self.frequent, random) + " "),
            1 => ("rare word", any(&self.rare, random) + " "),
            2 => ("two words", format!("{} {} ", word(0), word(2))),
            3 => (
                "three words",
                format!("{} {} {} ", word(0), word(1), word(2)),
            ),
            4 => ("phrase", format!("\"{} {}\"", word(0), word(1))),
            5 => ("3-letter prefix", start(3)),
            6 => ("one typo", typo(&side_by_side, random)),
            7 => ("typed: 1 letter", start(1)),
            8 => ("typed: 2 letters", start(2)),
            _ => ("typed: whole word", word(0).to_owned()),
        }
    }

    /// What stands in the box after a random key, and what kind that is.
    pub fn key(&self, random: &mut StdRng) -> (&'static str, String) {
        let words = self.side_by_side(random);
        let start = |letters: usize| -> String {
            let word = words.first().map_or("", String::as_str);
            word.chars().take(letters).collect()
        };
        match random.random_range(0..5) {
            0 => ("1 letter", start(1)),
            1 => ("2 letters", start(2)),
            2 => ("3 letters", start(3)),
            3 => ("whole word", start(usize::MAX)),
            _ => ("one typo", typo(&words, random)),
        }
    }

    fn side_by_side(&self, random: &mut StdRng) -> Vec<String> {
        let Some(words) = self.documents.choose(random) else {
            return Vec::new();
        };
        let at = random.random_range(0..words.len().saturating_sub(3).max(1));
        words[at..].to_vec()
    }
}

fn any(words: &[String], random: &mut StdRng) -> String {
    words.choose(random).cloned().unwrap_or_default()
}

/// A word of which two letters changed places.
fn typo(words: &[String], random: &mut StdRng) -> String {
    let long = words.iter().find(|word| word.chars().count() >= TYPO_FROM);
    let mut letters: Vec<char> = long
        .or(words.first())
        .map_or("", String::as_str)
        .chars()
        .collect();
    let places: Vec<usize> = (1..letters.len().saturating_sub(1))
        .filter(|at| letters[*at] != letters[*at + 1])
        .collect();
    if let Some(at) = places.choose(random) {
        letters.swap(*at, at + 1);
    }
    letters.into_iter().chain([' ']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::bench::corpus::random_of;

    #[test]
    fn every_kind_is_made_of_the_documents_words() {
        let document = ["spring", "budget", "report", "lantern", "firefly"].map(str::to_owned);
        let words = Words::of(&[document.to_vec(), document.to_vec()]);
        let mut kinds = HashMap::new();
        for i in 0..200 {
            let (kind, query) = words.query(&mut random_of(1, i));
            assert!(!query.trim().is_empty(), "{kind}");
            kinds.insert(kind, query);
        }
        assert_eq!(kinds.len(), 10);
        let keys: HashMap<_, _> = (0..100).map(|i| words.key(&mut random_of(2, i))).collect();
        assert_eq!((keys.len(), keys["2 letters"].len()), (5, 2));
        assert_eq!(kinds["3-letter prefix"].len(), 3);
        let typo = kinds["one typo"].trim();
        assert!(!document.iter().any(|word| word == typo), "{typo}");
    }
}
