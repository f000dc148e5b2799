//! `bench keystrokes`: from a key to its answer over HTTP, with snippets and facets, for one user with very many files in one namespace
//! and one with very many namespaces: one letter, two, three, whole words, and words with a typo. Nothing arrives meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use serde_json::{Value, json};

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::queries::Words;
use super::report::Report;
use super::search::{self, prepared};
use crate::client::Client;

/// Documents of each namespace of the user with very many.
const DOCUMENTS_EACH: u64 = 20;
/// Searches before those that count.
const WARMING: u64 = 50;

/// What is answered while one types.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files of one user, all in one namespace
    #[arg(long, default_value_t = 500_000)]
    giant: u64,
    /// Namespaces of another user, with 20 files each
    #[arg(long, default_value_t = 500)]
    namespaces: u64,
    /// Keys a second, of both users together
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// Use the documents that an earlier run has left, as this file describes
    #[arg(long, value_name = "FILE", default_value = "bench-keystrokes.json")]
    state: PathBuf,
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let text = Arc::new(Text::new(seed));
    let filled = search::Args {
        documents: args.namespaces * DOCUMENTS_EACH,
        namespaces: args.namespaces,
        giant: args.giant,
        corpus: None,
        rate: args.rate,
        seconds: args.seconds,
        arriving: 0.0,
        state: args.state.clone(),
    };
    let users = prepared(admin, &filled, seed, &text).await?.users;
    let users = users.into_iter().filter(|user| user.is_large());
    let users = users.map(|user| {
        let words = Words::of(&user.samples);
        (admin.with_token(&user.token), Arc::new((words, user.class)))
    });
    let users: Vec<_> = users.collect();
    let press = |i: u64| {
        let (client, user) = users[(i % users.len() as u64) as usize].clone();
        let (kind, query) = user.0.key(&mut random_of(seed.wrapping_add(5), i));
        async move {
            let options = json!({"max_results": 20, "facets": true, "as_you_type": true});
            let argument = json!({"query": query, "options": options});
            let _answer: Value = client.rpc("firefly/search", &argument).await?;
            Ok(format!("{}, {kind}", user.1))
        }
    };
    let load = |count| Offer {
        rate: args.rate,
        count,
        connections: 16,
    };
    let _warm = offer(load(WARMING), press).await;
    let count = (args.rate * args.seconds as f64) as u64;
    let (ends, _) = offer(load(count), |i| press(WARMING + i)).await;
    let mut report = Report::new(format!(
        "keystrokes: {} files in one namespace, {} namespaces; to reach: p95 of letters and words 20 ms, of typos 30 ms",
        args.giant, args.namespaces
    ));
    report.requests("", &ends);
    for (figure, is_typo) in [
        ("letters_and_words_worst_p95_ms", false),
        ("typos_worst_p95_ms", true),
    ] {
        let latencies = report.latencies.iter();
        let of_kind = latencies.filter(|latency| {
            latency.class.contains(", ") && latency.class.ends_with("typo") == is_typo
        });
        let worst = of_kind.map(|latency| latency.p95_ms).fold(0.0, f64::max);
        report.figures.insert(figure.into(), worst);
    }
    Ok(report)
}
