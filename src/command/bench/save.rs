//! `bench save`: uploads of 1 to 8 kB over kept-alive connections; every acknowledgement comes after fsync.

use anyhow::Result;
use rand::Rng;
use serde_json::json;

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::report::Report;
use super::setup;
use crate::client::Client;

/// Different texts.
const TEXTS: u64 = 2_000;

/// Uploads of small files.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Uploads offered a second
    #[arg(long, default_value_t = 1500.0)]
    rate: f64,
    /// Seconds to offer them
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Connections
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Accounts that upload
    #[arg(long, default_value_t = 4)]
    accounts: u64,
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let run = setup::run_name();
    let clients = setup::accounts(admin, &format!("save-{run}"), args.accounts).await?;
    let texts = texts(seed);
    let load = Offer {
        rate: args.rate,
        count: (args.rate * args.seconds as f64) as u64,
        connections: args.connections,
    };
    let (ends, seconds) = offer(load, |i| {
        let client = clients[(i % args.accounts) as usize].clone();
        let body = format!("{run} {i}\n{}", texts[i as usize % texts.len()]);
        let path = format!("/saved/{}/{i}.txt", i / 500);
        async move {
            client
                .upload(
                    "files/upload",
                    &json!({"path": path, "mute": true}),
                    body.into(),
                )
                .await?;
            Ok("upload".to_owned())
        }
    })
    .await;
    let stored = ends.iter().filter(|end| end.class.is_ok()).count();
    let mut report = Report::new(format!(
        "save: {} files of 1-8 kB offered at {}/s over {} connections",
        load.count, args.rate, args.connections
    ));
    report
        .figures
        .insert("acknowledged_per_s".into(), stored as f64 / seconds);
    report.figures.insert("seconds".into(), seconds);
    report.requests("", &ends);
    Ok(report)
}

/// The texts that are uploaded, each with a first line of its own: made before the clock starts.
fn texts(seed: u64) -> Vec<String> {
    let text = Text::new(seed);
    let one = |i| {
        let mut random = random_of(seed, i);
        let bytes = random.random_range(1000..8000);
        text.text(&mut random, bytes)
    };
    (0..TEXTS).map(one).collect()
}
