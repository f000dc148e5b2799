//! nDCG@10, MAP and Recall@100 of a judged collection, through the real store, extraction, index and query parser.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::collection::{Collection, Filed, documents};

/// How many hits are judged.
const DEPTH: usize = 100;

/// Means over all queries that have a relevant document.
#[derive(Debug, Serialize)]
struct Scores {
    queries: usize,
    ndcg_at_10: f64,
    map: f64,
    recall_at_100: f64,
}

/// Indexes the collection in a temporary store and prints its scores.
pub fn run(folder: &Path, json: bool) -> Result<()> {
    let documents = documents(folder)?;
    let judgements = judgements(&folder.join("qrels.txt"))?;
    let queries = std::fs::read_to_string(folder.join("queries.tsv")).context("queries.tsv")?;
    // A name that no query can mean: ids are numbers, and numbers are words.
    let collection = Collection::store(&documents, |number, document| {
        let body = format!("{}\n\n{}\n", document.title, document.text);
        Filed {
            name: format!("{}.txt", letters(number)),
            text: body,
            modified_ms: None,
        }
    })?;
    let mut all = Vec::new();
    for line in queries.lines() {
        let (id, text) = line
            .split_once('\t')
            .with_context(|| format!("query line {line}"))?;
        if let Some(relevant) = judgements
            .get(id)
            .filter(|relevant| relevant.values().any(|gain| *gain > 0))
        {
            let ranking = collection.ask(text, DEPTH)?;
            all.push(score(&ranking, relevant));
        }
    }
    collection.stop();
    let mean = |part: fn(&(f64, f64, f64)) -> f64| {
        all.iter().map(part).sum::<f64>() / all.len().max(1) as f64
    };
    let scores = Scores {
        queries: all.len(),
        ndcg_at_10: mean(|s| s.0),
        map: mean(|s| s.1),
        recall_at_100: mean(|s| s.2),
    };
    if json {
        println!("{}", serde_json::to_string_pretty(&scores)?);
    } else {
        println!("queries     {}", scores.queries);
        println!("nDCG@10     {:.4}", scores.ndcg_at_10);
        println!("MAP         {:.4}", scores.map);
        println!("Recall@100  {:.4}", scores.recall_at_100);
    }
    Ok(())
}

fn letters(mut number: usize) -> String {
    let mut out = String::from("zq");
    for _ in 0..5 {
        out.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    out
}

/// Query -> document -> gain.
fn judgements(path: &Path) -> Result<HashMap<String, HashMap<String, i32>>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let mut all: HashMap<String, HashMap<String, i32>> = HashMap::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, gain] = parts[..] else {
            bail!("judgement line {line}")
        };
        all.entry(query.into())
            .or_default()
            .insert(document.into(), gain.parse()?);
    }
    Ok(all)
}

/// nDCG@10, average precision and recall at the depth of one ranking.
fn score(ranking: &[String], gains: &HashMap<String, i32>) -> (f64, f64, f64) {
    let gain = |document: &String| gains.get(document).copied().unwrap_or(0).max(0);
    let discounted = |gains: &mut dyn Iterator<Item = i32>| -> f64 {
        gains
            .take(10)
            .enumerate()
            .map(|(rank, gain)| f64::from(gain) / (rank as f64 + 2.0).log2())
            .sum()
    };
    let mut ideal: Vec<i32> = gains.values().copied().filter(|gain| *gain > 0).collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let relevant = ideal.len() as f64;
    let ndcg = discounted(&mut ranking.iter().map(gain)) / discounted(&mut ideal.into_iter());
    let (mut found, mut precision) = (0.0, 0.0);
    for (rank, document) in ranking.iter().enumerate() {
        if gain(document) > 0 {
            found += 1.0;
            precision += found / (rank + 1) as f64;
        }
    }
    (ndcg, precision / relevant, found / relevant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_ranking_scores_one_and_an_empty_one_nothing() {
        let gains = HashMap::from([
            ("a".to_owned(), 1),
            ("b".to_owned(), 1),
            ("c".to_owned(), 0),
        ]);
        let (ndcg, map, recall) = score(&["a".into(), "b".into(), "c".into()], &gains);
        assert!(
            (ndcg - 1.0).abs() < 1e-9 && (map - 1.0).abs() < 1e-9 && (recall - 1.0).abs() < 1e-9
        );
        assert_eq!(score(&[], &gains), (0.0, 0.0, 0.0));
        assert!((score(&["c".into(), "a".into()], &gains).1 - 0.25).abs() < 1e-9);
    }
}
