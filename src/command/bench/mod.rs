//! `firefly bench`: open-loop load on a running server.
//!
//! Requests are sent when they are due, whether or not earlier ones have been answered, and latency counts from when a
//! request was due: a server that stalls cannot hide it (coordinated omission).

mod cluster;
mod corpus;
mod fresh;
mod index;
mod keystrokes;
mod load;
mod prometheus;
mod queries;
mod report;
mod rewind;
mod save;
mod search;
mod setup;

use std::process::ExitCode;

use anyhow::Result;

use crate::client::Client;
use crate::config::DataArg;

/// Measures a running server. The accounts it makes are named bench-….
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Server to measure [default: the one that runs on --data]
    #[arg(long, value_name = "URL", requires = "admin_token", global = true)]
    url: Option<String>,
    /// Bearer token of an admin, with --url
    #[arg(long, value_name = "TOKEN", global = true)]
    admin_token: Option<String>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Seed of everything random
    #[arg(long, default_value_t = 1, global = true)]
    seed: u64,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Uploads of small files: how many a second, and how long each takes to be acknowledged
    Save(save::Args),
    /// From an upload's acknowledgement to its first hit
    Fresh(fresh::Args),
    /// Searches by users with few and many namespaces, while files arrive
    Search(search::Args),
    /// What is answered while one types, with 500,000 files in one namespace and with 500 namespaces
    Keystrokes(keystrokes::Args),
    /// Processes with roles of their own: how long events, files and searches take while ten files are written for each search
    Cluster(cluster::Args),
    /// A folder of many files attacked as ransomware does it, rewound, that undone, and rewound again
    Rewind(rewind::Args),
    /// Processor time and size of the index beside those of a plain tantivy index of the same text; needs no server
    Index(index::Args),
    /// Write a seeded corpus of text files into a folder, to measure imports with
    Corpus(corpus::Args),
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    if let What::Corpus(corpus) = &args.what {
        corpus::write(corpus, args.seed)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = match &args.what {
        What::Index(index) => index::run(index, args.seed)?,
        _ => super::block_on(measure(data, &args))?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(if report.has_errors() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

async fn measure(data: &DataArg, args: &Args) -> Result<report::Report> {
    let admin = match (&args.url, &args.admin_token) {
        (Some(url), Some(token)) => Client::new(url, token, None)?,
        _ => Client::of_running(&data.data)?,
    };
    match &args.what {
        What::Save(save) => save::run(&admin, save, args.seed).await,
        What::Fresh(fresh) => fresh::run(&admin, fresh, args.seed).await,
        What::Search(search) => search::run(&admin, search, args.seed).await,
        What::Keystrokes(keys) => keystrokes::run(&admin, keys, args.seed).await,
        What::Cluster(cluster) => cluster::run(&admin, cluster, args.seed).await,
        What::Rewind(rewind) => rewind::run(&admin, data, rewind).await,
        What::Index(_) | What::Corpus(_) => Ok(report::Report::default()), // they need no server
    }
}
