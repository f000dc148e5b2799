//! `firefly eval`: how good extraction and ranking are, on a corpus with known answers.

mod collection;
mod extraction;
mod known;
mod relevance;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

/// Evaluates extraction and relevance on a corpus.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Write the text that is extracted of each file in DIR (manifest.jsonl and files/, or any folder)
    Extraction {
        /// The corpus
        folder: PathBuf,
        /// Where the texts go: OUT/NAME.txt
        #[arg(long)]
        out: PathBuf,
    },
    /// Index a judged collection in DIR (docs.jsonl, queries.tsv, qrels.txt), ask its queries as a person would type them, and print nDCG@10, MAP and Recall@100
    Relevance {
        /// The collection
        folder: PathBuf,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Store the documents in DIR (docs.jsonl) as files with names, look for them by half-remembered words of name and text, and print how well they are found
    Known {
        /// The collection
        folder: PathBuf,
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Extraction { folder, out } => extraction::run(&folder, &out),
        What::Relevance { folder, json } => relevance::run(&folder, json),
        What::Known { folder, json } => known::run(&folder, json),
    }?;
    Ok(ExitCode::SUCCESS)
}
