//! `bench search`: searches by users with 1, 20 and 500 namespaces over a corpus in many namespaces, while files arrive.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::report::Report;
use super::setup;
use crate::client::Client;

/// Shared folders of one owner: with the root, an owner has this many namespaces and one more.
const FOLDERS_PER_OWNER: u64 = 500;

/// Searches while files arrive.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Documents
    #[arg(long, default_value_t = 150_000)]
    documents: u64,
    /// Namespaces that they lie in
    #[arg(long, default_value_t = 5_000)]
    namespaces: u64,
    /// Text files to use as documents [default: seeded text]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Searches offered a second
    #[arg(long, default_value_t = 60.0)]
    rate: f64,
    /// Seconds
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Files that arrive a second meanwhile
    #[arg(long, default_value_t = 100.0)]
    arriving: f64,
    /// Use the documents that an earlier run has left, as this file describes
    #[arg(long, value_name = "FILE", default_value = "bench-search.json")]
    state: PathBuf,
}

/// What was prepared: tokens of the searching users, and words and phrases that are in the documents they see.
#[derive(serde::Serialize, serde::Deserialize)]
struct Prepared {
    users: Vec<User>,
    writer: String,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct User {
    class: String,
    token: String,
    samples: Vec<Vec<String>>,
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let text = Arc::new(Text::new(seed));
    let prepared: Prepared = match std::fs::read(&args.state) {
        Ok(state) => {
            serde_json::from_slice(&state).with_context(|| format!("{}", args.state.display()))?
        }
        Err(_) => {
            let prepared = prepare(admin, args, seed, &text).await?;
            std::fs::write(&args.state, serde_json::to_vec(&prepared)?)?;
            prepared
        }
    };
    let writer = admin.with_token(&prepared.writer);
    let arrivals = tokio::spawn(arrive(writer, args.arriving, args.seconds, text, seed));
    let users: Vec<_> = prepared
        .users
        .into_iter()
        .map(|user| (admin.with_token(&user.token), Arc::new(user)))
        .collect();
    let load = Offer {
        rate: args.rate,
        count: (args.rate * args.seconds as f64) as u64,
        connections: 64,
    };
    let (ends, seconds) = offer(load, |i| {
        let (client, user) = users[(i % users.len() as u64) as usize].clone();
        let (kind, query) = query(&user, &mut random_of(seed.wrapping_add(2), i));
        async move {
            let argument = json!({"query": query, "options": {"max_results": 20, "facets": true}});
            let _answer: Value = client.rpc("firefly/search", &argument).await?;
            Ok(format!("{} namespaces, {kind}", user.class))
        }
    })
    .await;
    let mut report = Report::new(format!(
        "search: {} documents in {} namespaces, {} searches/s while {} files/s arrive",
        args.documents, args.namespaces, args.rate, args.arriving
    ));
    report
        .figures
        .insert("searches_per_s".into(), ends.len() as f64 / seconds);
    report
        .figures
        .insert("arrived_per_s".into(), arrivals.await? as f64 / seconds);
    report.requests("", &ends);
    Ok(report)
}

/// A query of a random kind out of a document that the user sees.
fn query(user: &User, random: &mut StdRng) -> (&'static str, String) {
    let words = &user.samples[random.random_range(0..user.samples.len())];
    let at = random.random_range(0..words.len().saturating_sub(3).max(1));
    let word = |i: usize| words.get(at + i).map_or("", String::as_str);
    match random.random_range(0..5) {
        0 => ("one word", word(0).to_owned()),
        1 => ("two words", format!("{} {}", word(0), word(2))),
        2 => (
            "three words",
            format!("{} {} {}", word(0), word(1), word(2)),
        ),
        3 => (
            "last word typed in part",
            format!(
                "{} {}",
                word(0),
                word(1).chars().take(3).collect::<String>()
            ),
        ),
        _ => ("phrase", format!("\"{} {}\"", word(0), word(1))),
    }
}

async fn arrive(writer: Client, rate: f64, seconds: u64, text: Arc<Text>, seed: u64) -> u64 {
    let load = Offer {
        rate: rate.max(0.001),
        count: (rate * seconds as f64) as u64,
        connections: 16,
    };
    let run = setup::run_name();
    let (ends, _) = offer(load, |i| {
        let client = writer.clone();
        let (path, body) = (
            format!("/arriving/{run}/{i}.txt"),
            text.text(&mut random_of(seed.wrapping_add(3), i), 4000),
        );
        async move {
            setup::upload(&client, &path, body).await?;
            Ok(String::new())
        }
    })
    .await;
    ends.iter().filter(|end| end.class.is_ok()).count() as u64
}

async fn prepare(admin: &Client, args: &Args, seed: u64, text: &Arc<Text>) -> Result<Prepared> {
    let run = setup::run_name();
    let owners = args.namespaces.div_ceil(FOLDERS_PER_OWNER);
    let owners = setup::accounts(admin, &format!("owner-{run}"), owners).await?;
    eprintln!("sharing {} folders", args.namespaces);
    let folders: Vec<(Client, String, String)> = futures::stream::iter(0..args.namespaces)
        .map(|n| {
            let owner = owners[(n / FOLDERS_PER_OWNER) as usize].clone();
            async move {
                let path = format!("/team {n}");
                let id = setup::shared_folder(&owner, &path).await?;
                anyhow::Ok((owner, path, id))
            }
        })
        .buffered(setup::PREPARING)
        .try_collect()
        .await?;
    let member_email = format!("bench-member-{run}@bench.invalid");
    let member = setup::account(admin, member_email.clone()).await?;
    for (owner, _, id) in folders.iter().take(19) {
        setup::add_member(owner, id, &member_email).await?;
    }
    let single = setup::account(admin, format!("bench-single-{run}@bench.invalid")).await?;
    let samples = fill(args, seed, text, &folders, &single).await?;
    eprintln!("waiting for the index");
    setup::indexed(&single).await?;
    for owner in &owners {
        setup::indexed(owner).await?;
    }
    let writer = setup::account(admin, format!("bench-writer-{run}@bench.invalid")).await?;
    let token = |client: &Client| client.token().to_owned();
    let user = |class: &str, client: &Client, samples: &[Vec<String>]| User {
        class: class.into(),
        token: token(client),
        samples: samples.to_vec(),
    };
    let shared = &samples[1..];
    Ok(Prepared {
        users: vec![
            user("1", &single, &samples[0]),
            user("20", &member, &shared[..19.min(shared.len())].concat()),
            user(
                "500",
                &owners[0],
                &shared[..shared.len().min(FOLDERS_PER_OWNER as usize)].concat(),
            ),
        ],
        writer: token(&writer),
    })
}

/// Uploads the documents; returns sample words of each namespace: the single user's first, then the shared folders'.
async fn fill(
    args: &Args,
    seed: u64,
    text: &Arc<Text>,
    folders: &[(Client, String, String)],
    single: &Client,
) -> Result<Vec<Vec<Vec<String>>>> {
    let files = match &args.corpus {
        Some(folder) => files_below(folder)?,
        None => Vec::new(),
    };
    let spaces = folders.len() as u64 + 1;
    let mut samples = vec![Vec::new(); spaces as usize];
    let mut uploads = futures::stream::iter(0..args.documents)
        .map(|i| {
            let space = i % spaces;
            let (client, folder) = match space {
                0 => (single.clone(), String::new()),
                _ => (
                    folders[space as usize - 1].0.clone(),
                    folders[space as usize - 1].1.clone(),
                ),
            };
            let mut random = random_of(seed, i);
            let (name, body) = document(i, &files, text, &mut random);
            async move {
                let body = body?;
                let words = body
                    .split_whitespace()
                    .filter(|w| w.chars().all(char::is_alphanumeric) && w.len() > 2);
                let words: Vec<_> = words.skip(20).take(12).map(str::to_owned).collect();
                setup::upload(&client, &format!("{folder}/{name}"), body).await?;
                anyhow::Ok((space, words))
            }
        })
        .buffer_unordered(setup::PREPARING);
    let mut done = 0;
    while let Some((space, words)) = uploads.try_next().await? {
        done += 1;
        if done % 10_000 == 0 {
            eprintln!("{done} of {} documents uploaded", args.documents);
        }
        if words.len() >= 4 && samples[space as usize].len() < 8 {
            samples[space as usize].push(words);
        }
    }
    Ok(samples)
}

fn document(
    i: u64,
    files: &[PathBuf],
    text: &Text,
    random: &mut StdRng,
) -> (String, Result<String>) {
    if files.is_empty() {
        let bytes = random.random_range(1_000..20_000);
        return (
            format!("{} {i}.txt", text.word(random)),
            Ok(text.text(random, bytes)),
        );
    }
    let file = &files[(i % files.len() as u64) as usize];
    let name = file
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let body = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()));
    (format!("{i} {name}"), body)
}

fn files_below(folder: &std::path::Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found.sort();
    Ok(found)
}
