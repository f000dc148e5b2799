//! What the first answers to a long question are about (pseudo-relevance feedback, RM3): the stems that stand out in the best
//! files, as more words of the question. They change the order of what is found, and find nothing by themselves.
//!
//! Bounded: few files, the start of each, few stems. The same files always give the same stems.

use std::collections::HashMap;

use indexer::analyse::{Language, Mode, Stems, Words, is_stop_word};

/// Best files that are read.
pub const FILES: usize = 10;
/// Bytes of a file that are read.
pub const MAX_BYTES: usize = 4096;
/// Words of a file that are counted.
const MAX_WORDS: usize = 300;
/// Stems that are looked up in the index.
const CANDIDATES: usize = 80;
/// Stems that are searched for.
const STEMS: usize = 20;
/// A stem of more than one in so many files tells nothing.
const MOST: u64 = 10;
/// A stem of fewer files than this is a slip of the pen.
const FEWEST: u64 = 2;
/// Shortest stem that is taken, bytes.
const MIN_BYTES: usize = 3;

/// The stems that stand out in some files, each with its share, most first. A file is its score, its language and its start.
pub fn candidates(files: &[(f64, Language, String)]) -> Vec<(String, f64)> {
    let all: f64 = files.iter().map(|(score, _, _)| score).sum();
    let mut shares: HashMap<String, f64> = HashMap::new();
    let mut stems = Stems::default();
    for (score, language, text) in files {
        let found = stems_of(text, *language, &mut stems);
        let share = score / all.max(f64::MIN_POSITIVE) / found.len().max(1) as f64;
        for stem in found {
            *shares.entry(stem).or_default() += share;
        }
    }
    let mut shares: Vec<_> = shares.into_iter().collect();
    sort(&mut shares);
    shares.truncate(CANDIDATES);
    shares
}

/// Of the candidates those to search for, with weights that sum up to one. `frequency` says in how many of `documents` files a
/// stem is.
pub fn chosen(
    candidates: Vec<(String, f64)>,
    documents: u64,
    frequency: impl Fn(&str) -> u64,
) -> Vec<(String, f32)> {
    let weighed = candidates.into_iter().filter_map(|(stem, share)| {
        let found = frequency(&stem);
        let rarity = (1.0 + documents as f64 / found.max(1) as f64).ln();
        (found >= FEWEST && found.saturating_mul(MOST) <= documents)
            .then_some((stem, share * rarity))
    });
    let mut weighed: Vec<_> = weighed.collect();
    sort(&mut weighed);
    weighed.truncate(STEMS);
    let sum: f64 = weighed.iter().map(|(_, weight)| weight).sum();
    let share = |weight: f64| (weight / sum.max(f64::MIN_POSITIVE)) as f32;
    weighed
        .into_iter()
        .map(|(stem, weight)| (stem, share(weight)))
        .collect()
}

/// The stems of a text's first words; words without a stem stand for themselves where they are longer than a digit or two.
fn stems_of(text: &str, language: Language, stems: &mut Stems) -> Vec<String> {
    let (mut words, mut word) = (Words::new(text, Mode::Query), String::new());
    let mut found = Vec::new();
    for _ in 0..MAX_WORDS {
        if words.advance(&mut word, 0).is_none() {
            break;
        }
        if !is_stop_word(&word) && stems.replace(language, &mut word, 0) && word.len() >= MIN_BYTES
        {
            found.push(word.clone());
        }
    }
    found
}

fn sort(weighed: &mut [(String, f64)]) {
    weighed.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_best_files_have_in_common_is_searched_for() {
        let file = |score: f64, text: &str| (score, Language::ENGLISH, text.to_owned());
        let files = [
            file(2.0, "the heated wings of rockets"),
            file(1.0, "a wing heats; budget"),
        ];
        let candidates = candidates(&files);
        let names: Vec<_> = candidates.iter().map(|(stem, _)| stem.as_str()).collect();
        assert_eq!(names, ["heat", "wing", "rocket", "budget"]);
        let frequency = |stem: &str| match stem {
            "heat" => 50, // of a hundred: says nothing
            "budget" => 1,
            _ => 5,
        };
        let chosen = chosen(candidates, 100, frequency);
        let names: Vec<_> = chosen.iter().map(|(stem, _)| stem.as_str()).collect();
        assert_eq!(names, ["wing", "rocket"]);
        let sum: f32 = chosen.iter().map(|(_, weight)| weight).sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
}
