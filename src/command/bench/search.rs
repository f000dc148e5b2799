//! `bench search`: searches by users with 1, 20 and 500 namespaces over a corpus in many namespaces, while files arrive: seven
//! kinds of queries, and words as they are typed, letter by letter.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::corpus::{Text, files_below, random_of};
use super::load::{Offer, offer};
use super::queries::Words;
use super::report::Report;
use super::setup;
use crate::client::Client;

/// Shared folders of one owner: with the root, an owner has this many namespaces and one more.
const FOLDERS_PER_OWNER: u64 = 500;

/// The class of the user whose files are all in one namespace.
const GIANT: &str = "giant";
/// The class of the user with very many namespaces.
const MANY: &str = "500 namespaces";
/// Files of one folder of the user with one namespace.
const FILES_PER_FOLDER: u64 = 500;
/// Documents that queries are made of, for the user with one namespace.
const MAX_SAMPLES: usize = 500;

/// Searches while files arrive.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Documents
    #[arg(long, default_value_t = 150_000)]
    pub documents: u64,
    /// Namespaces that they lie in
    #[arg(long, default_value_t = 5_000)]
    pub namespaces: u64,
    /// Documents of one more user, all in one namespace
    #[arg(long, default_value_t = 0)]
    pub giant: u64,
    /// Text files to use as documents [default: seeded text]
    #[arg(long, value_name = "DIR")]
    pub corpus: Option<PathBuf>,
    /// Searches offered a second
    #[arg(long, default_value_t = 60.0)]
    pub rate: f64,
    /// Seconds
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Files that arrive a second meanwhile
    #[arg(long, default_value_t = 100.0)]
    pub arriving: f64,
    /// Use the documents that an earlier run has left, as this file describes
    #[arg(long, value_name = "FILE", default_value = "bench-search.json")]
    pub state: PathBuf,
}

/// What was prepared: tokens of the searching users, and words and phrases that are in the documents they see.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Prepared {
    /// Who searches.
    pub users: Vec<User>,
    writer: String,
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct User {
    /// What kind of user it is.
    pub class: String,
    /// A token of it.
    pub token: String,
    /// Words of documents that it sees.
    pub samples: Vec<Vec<String>>,
}

impl User {
    /// True for who has very many files in one namespace, or very many namespaces.
    pub fn is_large(&self) -> bool {
        self.class == GIANT || self.class == MANY
    }
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let text = Arc::new(Text::new(seed));
    let prepared = prepared(admin, args, seed, &text).await?;
    let writer = admin.with_token(&prepared.writer);
    let arrivals = tokio::spawn(arrive(writer, args.arriving, args.seconds, text, seed));
    let users: Vec<_> = prepared
        .users
        .into_iter()
        .map(|user| {
            (
                admin.with_token(&user.token),
                Arc::new((Words::of(&user.samples), user.class)),
            )
        })
        .collect();
    let load = Offer {
        rate: args.rate,
        count: (args.rate * args.seconds as f64) as u64,
        connections: 64,
    };
    let (ends, seconds) = offer(load, |i| {
        let (client, user) = users[(i % users.len() as u64) as usize].clone();
        let (kind, query) = user.0.query(&mut random_of(seed.wrapping_add(2), i));
        async move {
            let options = json!({"max_results": 20, "facets": true, "as_you_type": true});
            let argument = json!({"query": query, "options": options});
            let _answer: Value = client.rpc("firefly/search", &argument).await?;
            Ok(format!("{}, {kind}", user.1))
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

/// What an earlier run has left, or what is stored now.
pub async fn prepared(
    admin: &Client,
    args: &Args,
    seed: u64,
    text: &Arc<Text>,
) -> Result<Prepared> {
    let state = match std::fs::read(&args.state) {
        Ok(state) => state,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
            let prepared = prepare(admin, args, seed, text).await?;
            std::fs::write(&args.state, serde_json::to_vec(&prepared)?)?;
            return Ok(prepared);
        }
        Err(error) => return Err(error).with_context(|| format!("{}", args.state.display())),
    };
    serde_json::from_slice(&state).with_context(|| format!("{}", args.state.display()))
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
        setup::mount(&member, id).await?;
    }
    let single = setup::account(admin, format!("bench-single-{run}@bench.invalid")).await?;
    let samples = fill(args, seed, text, &folders, &single).await?;
    let giant = setup::account(admin, format!("bench-giant-{run}@bench.invalid")).await?;
    let giants = fill_giant(args, seed, text, &giant).await?;
    eprintln!("waiting for the index");
    setup::indexed(&giant).await?;
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
    let many = shared.len().min(FOLDERS_PER_OWNER as usize);
    let mut users = vec![
        user("1 namespace", &single, &samples[0]),
        user(
            "20 namespaces",
            &member,
            &shared[..19.min(shared.len())].concat(),
        ),
        user(MANY, &owners[0], &shared[..many].concat()),
    ];
    if !giants.is_empty() {
        users.push(user(GIANT, &giant, &giants));
    }
    Ok(Prepared {
        users,
        writer: token(&writer),
    })
}

/// Uploads the documents of the one namespace that has them all; returns sample words.
async fn fill_giant(
    args: &Args,
    seed: u64,
    text: &Arc<Text>,
    giant: &Client,
) -> Result<Vec<Vec<String>>> {
    let mut samples = Vec::new();
    let mut uploads = futures::stream::iter(0..args.giant)
        .map(|i| {
            let mut random = random_of(seed.wrapping_add(4), i);
            let name = format!(
                "{} {} {i}.txt",
                text.word(&mut random),
                text.word(&mut random)
            );
            let bytes = random.random_range(200..2_000);
            let body = text.text(&mut random, bytes);
            async move {
                let words = sample(&body);
                let path = format!("/{}/{name}", i / FILES_PER_FOLDER);
                setup::upload(giant, &path, body).await?;
                anyhow::Ok(words)
            }
        })
        .buffer_unordered(setup::PREPARING);
    let mut done = 0;
    while let Some(words) = uploads.try_next().await? {
        done += 1;
        if done % 50_000 == 0 {
            eprintln!("{done} of {} files of the giant uploaded", args.giant);
        }
        if samples.len() < MAX_SAMPLES && words.len() >= 4 {
            samples.push(words);
        }
    }
    Ok(samples)
}

/// Some words of a document.
fn sample(body: &str) -> Vec<String> {
    let words = body
        .split_whitespace()
        .filter(|word| word.chars().all(char::is_alphanumeric) && word.len() > 2);
    words.skip(20).take(12).map(str::to_owned).collect()
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
                let words = sample(&body);
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
