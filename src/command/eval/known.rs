//! Known items: files found again by half-remembered words of their names and texts.
//!
//! Every document becomes a file that is named by the first words of its title, as people name files (with spaces, dashes,
//! underscores, or none). The queries are made of its words by fixed rules; the same collection always gives the same queries.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::collection::{Collection, Document, Filed, documents};

/// Hits among which the file must be to count as found.
const DEPTH: usize = 10;
/// Every so many-th document is looked for.
const EVERY: usize = 3;
/// Words of a title that make a name.
const NAME_WORDS: usize = 6;
/// Shorter words are not remembered.
const MIN_LETTERS: usize = 5;

/// What people remember.
const KINDS: [(&str, [usize; 3]); 5] = [
    // Words of the name, of the text, and words that are in neither.
    ("two words of the name", [2, 0, 0]),
    ("one of the name, two of the text", [1, 2, 0]),
    ("three of the text", [0, 3, 0]),
    ("two of the name, two of the text, one wrong", [2, 2, 1]),
    ("five of the text, one wrong", [0, 5, 1]),
];

/// How well files of one kind of query are found.
#[derive(Debug, Serialize)]
struct Scores {
    kind: &'static str,
    queries: usize,
    /// Mean of 1/rank, 0 beyond the tenth.
    mrr: f64,
    first: f64,
    among_ten: f64,
}

/// Stores the collection as files with names and prints how well they are found again.
pub fn run(folder: &Path, json: bool) -> Result<()> {
    let documents = documents(folder)?;
    let names = names(&documents);
    let collection = Collection::store(&documents, |number, document| Filed {
        name: names[number].clone(),
        text: document.text.clone(),
        modified_ms: None,
    })?;
    let mut all = Vec::new();
    for (kind, parts) in KINDS {
        let mut ranks = Vec::new();
        for (number, document) in documents.iter().enumerate().step_by(EVERY) {
            if let Some(query) = query(&documents, &names, number, parts) {
                let found = collection.ask(&query, DEPTH)?;
                ranks.push(found.iter().position(|id| *id == document.id));
            }
        }
        all.push(scores(kind, &ranks));
    }
    collection.stop();
    if json {
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(());
    }
    for scores in all {
        println!(
            "{:<45} {:>5} queries   MRR@10 {:.3}   first {:.3}   among ten {:.3}",
            scores.kind, scores.queries, scores.mrr, scores.first, scores.among_ten
        );
    }
    Ok(())
}

fn scores(kind: &'static str, ranks: &[Option<usize>]) -> Scores {
    let mean = |worth: fn(usize) -> f64| {
        let sum: f64 = ranks.iter().flatten().map(|rank| worth(*rank)).sum();
        sum / ranks.len().max(1) as f64
    };
    Scores {
        kind,
        queries: ranks.len(),
        mrr: mean(|rank| 1.0 / (rank + 1) as f64),
        first: mean(|rank| f64::from(u8::from(rank == 0))),
        among_ten: mean(|_| 1.0),
    }
}

/// What a rank is worth in the mean: nothing where it was not found.
pub fn reciprocal(rank: Option<usize>) -> f64 {
    rank.map_or(0.0, |rank| 1.0 / (rank + 1) as f64)
}

/// File names from titles, each one once.
pub fn names(documents: &[Document]) -> Vec<String> {
    let mut taken: HashMap<String, usize> = HashMap::new();
    let each = documents.iter().enumerate().map(|(number, document)| {
        let words: Vec<&str> = words(&document.title).take(NAME_WORDS).collect();
        let stem = match number % 4 {
            0 => words.join(" "),
            1 => words.join("-"),
            2 => words.join("_"),
            _ => words.iter().map(|word| capitalised(word)).collect(),
        };
        let times = taken.entry(stem.clone()).or_default();
        *times += 1;
        match *times {
            1 => format!("{stem}.txt"),
            again => format!("{stem} {again}.txt"),
        }
    });
    each.collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// What somebody types who remembers so many words of a document's name and text, and some that are of another one.
pub fn query(
    documents: &[Document],
    names: &[String],
    number: usize,
    [of_name, of_text, wrong]: [usize; 3],
) -> Option<String> {
    let in_name: Vec<&str> = words(&documents[number].title).take(NAME_WORDS).collect();
    debug_assert!(names[number].ends_with(".txt"));
    let other = &documents[(number + documents.len() / 2) % documents.len()];
    let mut typed = remembered(in_name.into_iter(), of_name, number)?;
    typed.extend(remembered(words(&documents[number].text), of_text, number)?);
    typed.extend(remembered(words(&other.text), wrong, number)?);
    Some(typed.join(" "))
}

/// `count` different words that are long enough, spread over a text; none when there are too few.
fn remembered<'t>(
    words: impl Iterator<Item = &'t str>,
    count: usize,
    seed: usize,
) -> Option<Vec<&'t str>> {
    let mut long: Vec<&str> = Vec::new();
    for word in
        words.filter(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= MIN_LETTERS)
    {
        if !long.contains(&word) {
            long.push(word);
        }
    }
    if long.len() < count {
        return None;
    }
    let step = long.len() / count.max(1);
    Some(
        (0..count)
            .map(|i| long[i * step + seed % step.max(1)])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_made_of_the_files_own_words() {
        let document = |id: &str, title: &str, text: &str| Document {
            id: id.into(),
            title: title.into(),
            text: text.into(),
        };
        let documents = [
            document(
                "1",
                "heated wings of rockets",
                "about transfer, friction and boundary layers",
            ),
            document(
                "2",
                "heated wings of rockets",
                "something entirely different",
            ),
        ];
        let names = names(&documents);
        assert_eq!(
            names,
            ["heated wings of rockets.txt", "heated-wings-of-rockets.txt"]
        );
        let query = |parts| super::query(&documents, &names, 0, parts);
        assert_eq!(
            query([1, 2, 1]).as_deref(),
            Some("heated about friction something")
        );
        assert_eq!(query([4, 0, 0]), None);
    }

    #[test]
    fn ranks_are_scored() {
        let scores = scores("x", &[Some(0), Some(1), None, None]);
        assert_eq!(
            (scores.mrr, scores.first, scores.among_ten),
            (0.375, 0.25, 0.5)
        );
    }
}
