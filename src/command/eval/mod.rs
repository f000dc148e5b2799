//! `firefly eval`: how good extraction and ranking are, on a corpus with known answers.

mod collection;
mod extraction;
mod known;
mod lately;
mod relevance;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use indexer::late::HelperOptions;

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
        /// Read pictures and scans too, in these languages (`eng+deu`)
        #[arg(long, value_name = "LANGUAGES")]
        ocr: Option<String>,
        /// Ask a Tika server about formats without a reader
        #[arg(long, value_name = "URL")]
        tika_url: Option<String>,
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
    /// Store the documents in DIR (docs.jsonl) as files of many ages, some of them opened, and print what each weight of recency and of own activity does to finding them
    Lately {
        /// The collection
        folder: PathBuf,
    },
}

/// Runs the command.
pub fn run(args: Args) -> Result<ExitCode> {
    match args.what {
        What::Extraction {
            folder,
            out,
            ocr,
            tika_url,
        } => {
            let helpers = HelperOptions {
                ocr_languages: ocr,
                tika_url,
            };
            extraction::run(&folder, &out, &helpers)
        }
        What::Relevance { folder, json } => relevance::run(&folder, json),
        What::Known { folder, json } => known::run(&folder, json),
        What::Lately { folder } => lately::run(&folder),
    }?;
    Ok(ExitCode::SUCCESS)
}
