//! `bench fresh`: from an upload's acknowledgement to its first hit, while files arrive at a steady rate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rand::Rng;
use serde_json::{Value, json};

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::report::Report;
use super::setup;
use crate::client::Client;

/// How often an uploaded word is searched until it is found.
const PROBE_EVERY: Duration = Duration::from_millis(25);
/// A word that is not found by then counts as an error.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Uploads a second of the bulk importer, at most: as fast as the server takes them.
const BULK_CONNECTIONS: usize = 8;
/// Cells of the file that takes long to extract.
const SLOW_BYTES: usize = 60 << 20;

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
    let background = tokio::spawn(background(
        clients.clone(),
        args.bulk,
        args.slow,
        text.clone(),
        seed,
    ));
    let load = Offer {
        rate: args.rate,
        count: (args.rate * args.seconds as f64) as u64,
        connections: 64,
    };
    let (probes, mut probed) = tokio::sync::mpsc::unbounded_channel();
    let (ends, seconds) = offer(load, |i| {
        let (client, probes) = (clients[0].clone(), probes.clone());
        let mut random = random_of(seed, i);
        let bytes = random.random_range(1000..8000);
        let word = format!("zq{run}{i:08}").replace(char::is_numeric, "x") + &letters(i);
        let body = format!("{}\n{word}\n", text.text(&mut random, bytes));
        let probe = i % args.probe_one_in == 0;
        async move {
            setup::upload(&client, &format!("/fresh/{}/{i}.txt", i / 500), body).await?;
            if probe {
                let found = tokio::spawn(found(client, word, Instant::now()));
                probes.send(found).ok();
            }
            Ok("upload".to_owned())
        }
    })
    .await;
    drop(probes);
    let mut report = Report::new(format!(
        "fresh: {}/s for {} s, bulk {}, slow {}",
        args.rate, args.seconds, args.bulk, args.slow
    ));
    report
        .figures
        .insert("acknowledged_per_s".into(), ends.len() as f64 / seconds);
    report.requests("", &ends);
    let mut latencies = Vec::new();
    while let Some(probe) = probed.recv().await {
        match probe.await? {
            Ok(latency) => latencies.push(latency),
            Err(error) => report.error(&error),
        }
    }
    report.latency("acknowledged to found".into(), &latencies);
    background.abort();
    Ok(report)
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

async fn found(client: Client, word: String, acknowledged: Instant) -> Result<Duration> {
    while acknowledged.elapsed() < GIVE_UP {
        let argument = json!({"query": word, "options": {"max_results": 1, "facets": false}});
        let answer: Value = client.rpc("firefly/search", &argument).await?;
        if answer["hits"]
            .as_array()
            .is_some_and(|hits| !hits.is_empty())
        {
            return Ok(acknowledged.elapsed());
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
    bail!("{word} was not found within {GIVE_UP:?}")
}

/// The other accounts' work.
async fn background(clients: Vec<Client>, bulk: u64, slow: bool, text: Arc<Text>, seed: u64) {
    if slow {
        let argument = json!({"path": "/slow.csv", "mode": "overwrite"});
        let body = slow_file().into();
        if let Err(error) = clients[2].upload("files/upload", &argument, body).await {
            eprintln!("the slow file was refused: {error:#}");
        }
    }
    let load = Offer {
        rate: 1e6,
        count: bulk,
        connections: BULK_CONNECTIONS,
    };
    let importer = clients[1].clone();
    offer(load, |i| {
        let client = importer.clone();
        let body = text.text(&mut random_of(seed.wrapping_add(1), i), 4000);
        async move {
            setup::upload(&client, &format!("/bulk/{}/{i}.txt", i / 500), body).await?;
            Ok(String::new())
        }
    })
    .await;
}

/// A large file of one-letter words.
fn slow_file() -> Vec<u8> {
    b"a,b,c,d;e f g h\n".repeat(SLOW_BYTES / 16)
}
