//! What counts beside words, measured: files that changed lately, and files that were opened, found again by few words.
//!
//! Half-remembered words of known items ([`super::known`]) leave several files that fit. People look for new files more often than
//! for old ones, and for what they had in hand more often than for the rest; the scores are weighted by how often, as it was observed:
//! of what people searched for on their own machines, 22 of 100 were a week old at most and 46 a month (Dumais and others, Stuff I've
//! Seen, SIGIR 2003); of all searches, 39 of 100 look for something again (Teevan and others, SIGIR 2007). Beside that stands what the others
//! lose. The files' ages reach back a year, denser the newer: every seventh file is a week old at most, two of seven a month.

use std::path::Path;

use anyhow::Result;
use query::LatelyWeights;
use storage::meta::Opened;
use time::{Duration, OffsetDateTime};

use super::collection::{Collection, Filed, documents};
use super::known::{names, query, reciprocal};

/// Hits among which the file must be to count as found.
const DEPTH: usize = 10;
/// Every so many-th document is looked for.
const EVERY: usize = 8;
/// Every so many-th document was opened lately.
const OPENED_EVERY: usize = 28;
/// What is remembered: words of the name, of the text, and wrong ones.
const REMEMBERED: [[usize; 3]; 3] = [[1, 0, 0], [0, 2, 0], [1, 1, 0]];
/// Weights that are tried.
const WEIGHTS: [f32; 5] = [0.0, 0.05, 0.1, 0.2, 0.4];
/// Days back to where files go.
const DAYS: i64 = 365;
/// Up to which age (days) a file is in which share of the searches.
const AGES: [(i64, f64); 3] = [(7, 0.22), (30, 0.24), (DAYS, 0.54)];
/// The share of searches for what was in hand before.
const AGAIN: f64 = 0.39;

/// Days after which what was stored is nobody's own any more.
const STORED_LONG_AGO: i64 = 40;

const DAY_MS: i64 = 86_400_000;

/// Stores the collection as files of many ages and prints what each weight does.
pub fn run(folder: &Path) -> Result<()> {
    let documents = documents(folder)?;
    let names = names(&documents);
    let now_ms = OffsetDateTime::now_utc().unix_timestamp() * 1000;
    let days = |number: usize| {
        // A step that shares no factor with the number of days spreads the ages over any order of the collection.
        let evenly = (number as i64 * 149 + 3) % DAYS;
        evenly * evenly / DAYS
    };
    let collection = Collection::store(&documents, |number, document| Filed {
        name: names[number].clone(),
        text: document.text.clone(),
        modified_ms: Some(now_ms - days(number) * DAY_MS - DAY_MS / 2),
    })?;
    let mut asked = Vec::new();
    for number in (0..documents.len()).step_by(EVERY) {
        let queries = REMEMBERED.map(|parts| query(&documents, &names, number, parts));
        asked.extend(queries.into_iter().flatten().map(|query| (number, query)));
    }
    let now = OffsetDateTime::now_utc();
    // What one stored lately is one's own too: by then nothing is.
    let later = now + Duration::days(STORED_LONG_AGO);
    let rank = |number: usize, query: &str, weights, now| -> Result<f64> {
        let found = collection.ask_with(query, DEPTH, weights, now)?;
        Ok(reciprocal(
            found.iter().position(|id| *id == documents[number].id),
        ))
    };
    println!("{} searches; MRR@10", asked.len());
    println!("recent   as people search   week    month   older   all alike");
    for recent in WEIGHTS {
        let weights = LatelyWeights { recent, own: 0.0 };
        let mut means = [Mean::default(); AGES.len()];
        for (number, query) in &asked {
            let age = AGES.iter().position(|(most, _)| days(*number) < *most);
            means[age.unwrap_or(AGES.len() - 1)].add(rank(*number, query, weights, now)?);
        }
        let people: f64 = means
            .iter()
            .zip(AGES)
            .map(|(mean, (_, share))| mean.get() * share)
            .sum();
        let [week, month, older] = means.map(|mean| mean.get());
        let all = means.into_iter().fold(Mean::default(), Mean::with).get();
        println!("{recent:<8} {people:<18.4} {week:<7.4} {month:<7.4} {older:<7.4} {all:.4}");
    }
    let is_opened = |number: usize| number.is_multiple_of(OPENED_EVERY);
    let opened = (0..documents.len()).filter(|number| is_opened(*number));
    let opened: Vec<Opened> = opened
        .filter_map(|number| collection.file(&names[number]))
        .map(|file| Opened {
            file,
            at_ms: later.unix_timestamp() * 1000,
        })
        .collect();
    collection.note_opened(&opened)?;
    println!("own      as people search   opened  others");
    for own in WEIGHTS {
        let weights = LatelyWeights { recent: 0.0, own };
        let mut means = [Mean::default(); 2];
        for (number, query) in &asked {
            means[usize::from(!is_opened(*number))].add(rank(*number, query, weights, later)?);
        }
        let [opened, others] = means.map(|mean| mean.get());
        let people = AGAIN * opened + (1.0 - AGAIN) * others;
        println!("{own:<8} {people:<18.4} {opened:<7.4} {others:.4}");
    }
    collection.stop();
    Ok(())
}

#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn with(self, other: Mean) -> Mean {
        Mean {
            sum: self.sum + other.sum,
            count: self.count + other.count,
        }
    }

    fn get(self) -> f64 {
        self.sum / self.count.max(1) as f64
    }
}
