//! nDCG@10, MAP and Recall@100 of a judged collection, through the real store, extraction, index and query parser.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use query::Request;
use serde::{Deserialize, Serialize};
use storage::chunk::content_hash;
use storage::meta::{Actor, Address, NewFile, WriteMode};
use time::OffsetDateTime;

use crate::command::serve::Services;
use crate::config::{Config, DataArg};
use crate::node::Node;

/// How many hits are judged.
const DEPTH: usize = 100;
/// How long to wait until the collection is indexed.
const INDEX_LIMIT: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Document {
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

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
    let temporary = tempfile::tempdir()?;
    let data = DataArg {
        data: temporary.path().join("data"),
    };
    let config = Config::without_flags(&data)?;
    let node = Node::open(&config)?;
    let services = Services::start(&config, &node)?;
    let actor = node
        .meta
        .create_account("eval@localhost", "eval", false)?
        .actor();
    let names = store(&node, actor, &folder.join("docs.jsonl"))?;
    wait(&services, actor)?;
    let judgements = judgements(&folder.join("qrels.txt"))?;
    let queries = std::fs::read_to_string(folder.join("queries.tsv")).context("queries.tsv")?;
    let mut all = Vec::new();
    for line in queries.lines() {
        let (id, text) = line
            .split_once('\t')
            .with_context(|| format!("query line {line}"))?;
        if let Some(relevant) = judgements
            .get(id)
            .filter(|relevant| relevant.values().any(|gain| *gain > 0))
        {
            let ranking = ask(&services, actor, text, &names)?;
            all.push(score(&ranking, relevant));
        }
    }
    services.stop();
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

/// Stores every document as a file of its own; returns the document of each file name.
fn store(node: &Node, actor: Actor, path: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let mut names = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let document: Document =
            serde_json::from_str(line).with_context(|| format!("line {}", number + 1))?;
        // A name that no query can mean: ids are numbers, and numbers are words.
        let name = format!("{}.txt", letters(number));
        let body = format!("{}\n\n{}\n", document.title, document.text);
        let blocks = vec![node.blocks.put(body.as_bytes())?];
        let file = NewFile {
            size: body.len() as u64,
            content_hash: content_hash(&blocks),
            blocks,
            mode: WriteMode::Overwrite,
            autorename: false,
            strict_conflict: false,
            client_modified_ms: None,
        };
        node.meta
            .commit_file(actor, &Address::parse(&format!("/{name}"))?, &file)?;
        names.insert(name, document.id);
    }
    Ok(names)
}

fn letters(mut number: usize) -> String {
    let mut out = String::from("zq");
    for _ in 0..5 {
        out.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    out
}

fn wait(services: &Services, actor: Actor) -> Result<()> {
    let begun = Instant::now();
    while services.engine.coverage(actor)?.waiting > 0 {
        if begun.elapsed() > INDEX_LIMIT {
            bail!("not indexed after {INDEX_LIMIT:?}");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
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

/// The first documents for a query, best first.
fn ask(
    services: &Services,
    actor: Actor,
    text: &str,
    names: &HashMap<String, String>,
) -> Result<Vec<String>> {
    let request = Request {
        query: format!("{text} "), // typed to the end: the last word is whole
        max_results: DEPTH,
        facets: false,
        marks: query::Marks::None,
        ..Request::default()
    };
    let answer = services
        .engine
        .search(actor, &request, OffsetDateTime::now_utc())?;
    let documents = answer
        .hits
        .iter()
        .filter_map(|hit| names.get(&hit.place.node.name).cloned());
    Ok(documents.collect())
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
