//! `bench fresh`: from an upload's acknowledgement to its first hit, while files arrive at a steady rate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use rand::Rng;
use serde_json::{Value, json};

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::report::Report;
use super::setup;
use crate::client::Client;

/// How often an uploaded word is searched until it is found: what is told may be too long by this, and never too short.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// A word that is not found by then counts as an error.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Files that the bulk importer has on their way; it offers as many as the server takes.
const BULK_AT_ONCE: usize = 48;
/// Size of the file that takes long to extract.
const SLOW_BYTES: usize = 60 << 20;
/// How often it is asked whether the slow file is extracted.
const SLOW_LOOK: Duration = Duration::from_millis(500);

/// From acknowledged to found.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Uploads a second
    #[arg(long, default_value_t = 200.0)]
    rate: f64,
    /// Seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// One upload in this many is searched for until it is found
    #[arg(long, default_value_t = 20)]
    probe_one_in: u64,
    /// Files that another account imports meanwhile
    #[arg(long, default_value_t = 0)]
    bulk: u64,
    /// A third account uploads a file that takes long to extract meanwhile
    #[arg(long)]
    slow: bool,
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let run = setup::run_name();
    let clients = setup::accounts(admin, &format!("fresh-{run}"), 3).await?;
    let text = Arc::new(Text::new(seed));
    let imported = Arc::new(AtomicU64::new(0));
    let bulk = tokio::spawn(bulk(
        clients[1].clone(),
        args.bulk,
        text.clone(),
        seed.wrapping_add(1),
        imported.clone(),
    ));
    let slow = args.slow.then(|| tokio::spawn(slow(clients[2].clone())));
    let load = Offer {
        rate: args.rate,
        count: (args.rate * args.seconds as f64) as u64,
        connections: 64,
    };
    let (probes, probed) = tokio::sync::mpsc::unbounded_channel();
    let (ends, seconds) = offer(load, |i| {
        let (client, probes) = (clients[0].clone(), probes.clone());
        let mut random = random_of(seed, i);
        let bytes = random.random_range(1000..8000);
        let word = word(&run, i);
        let body = format!("{}\n{word}\n", text.text(&mut random, bytes));
        let probe = i % args.probe_one_in == 0;
        async move {
            let path = format!("/fresh/{}/{i}.txt", i / 500);
            setup::upload(&client, &path, body).await?;
            if probe {
                let found = tokio::spawn(found(client, path, word, Instant::now()));
                probes.send(found).ok();
            }
            Ok("upload".to_owned())
        }
    })
    .await;
    drop(probes);
    let imported = imported.load(Ordering::Relaxed);
    let mut report = Report::new(format!(
        "fresh: {}/s for {} s, bulk {}, slow {}",
        args.rate, args.seconds, args.bulk, args.slow
    ));
    report
        .figures
        .insert("acknowledged_per_s".into(), ends.len() as f64 / seconds);
    if args.bulk > 0 {
        let figures = &mut report.figures;
        figures.insert("bulk_imported".into(), imported as f64);
        figures.insert("bulk_per_s".into(), imported as f64 / seconds);
    }
    report.requests("", &ends);
    report.found(probed).await?;
    bulk.abort();
    if let Some(slow) = slow {
        match slow.await? {
            Ok(took) => {
                let figures = &mut report.figures;
                figures.insert("slow_file_extracted_after_s".into(), took.as_secs_f64());
            }
            Err(error) => report.error(&error),
        }
    }
    Ok(report)
}

/// A word that stands in the file with this number only.
pub(super) fn word(run: &str, i: u64) -> String {
    format!("zq{run}{i:08}").replace(char::is_numeric, "x") + &letters(i)
}

/// A number as letters, so that it is one word.
fn letters(mut i: u64) -> String {
    let mut out = String::new();
    for _ in 0..7 {
        out.push(char::from(b'a' + (i % 26) as u8));
        i /= 26;
    }
    out
}

/// Searches for the word, in quotes since a typo in it would be forgiven, until the file at `path` is a hit.
pub(super) async fn found(
    client: Client,
    path: String,
    word: String,
    acknowledged: Instant,
) -> Result<Duration> {
    let query = format!("\"{word}\"");
    while acknowledged.elapsed() < GIVE_UP {
        let argument = json!({"query": query, "options": {"max_results": 1, "facets": false}});
        let answer: Value = client.rpc("firefly/search", &argument).await?;
        if answer["hits"][0]["metadata"]["path_display"] == path.as_str() {
            return Ok(acknowledged.elapsed());
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
    bail!("{word} was not found within {GIVE_UP:?}")
}

/// Imports files as fast as the server takes them; counts them.
async fn bulk(client: Client, files: u64, text: Arc<Text>, seed: u64, imported: Arc<AtomicU64>) {
    let uploads = futures::stream::iter(0..files).map(|i| {
        let body = text.text(&mut random_of(seed, i), 4000);
        let client = client.clone();
        async move { setup::upload(&client, &format!("/bulk/{}/{i}.txt", i / 500), body).await }
    });
    let ended = uploads.buffer_unordered(BULK_AT_ONCE).for_each(|ended| {
        match ended {
            Ok(()) => drop(imported.fetch_add(1, Ordering::Relaxed)),
            Err(error) => eprintln!("a bulk file was refused: {error:#}"),
        }
        std::future::ready(())
    });
    ended.await;
}

/// Uploads the slow file and waits for its extraction; returns how long that took.
async fn slow(client: Client) -> Result<Duration> {
    let argument = json!({"path": "/slow.html", "mode": "overwrite"});
    client
        .upload("files/upload", &argument, slow_file().into())
        .await
        .context("the slow file")?;
    let begun = Instant::now();
    loop {
        let status: Value = client
            .rpc("firefly/index_status", &json!({"path": "/slow.html"}))
            .await?;
        if status["state"] == "indexed" {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(SLOW_LOOK).await;
    }
}

/// A page of titles that never end: each is looked for to the end of the file, so that reading it takes all the time that
/// one file may have.
fn slow_file() -> Vec<u8> {
    b"<title>".repeat(SLOW_BYTES / 7)
}
