//! `firefly index`: how the index is, whether it is right, and making it anew.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::admin;
use crate::client::Client;
use crate::config::DataArg;

/// The index of the running server.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// How far each shard is
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compare every file with the index: nothing may be missing or too much; exit code 1 otherwise
    Verify {
        /// Print the findings as JSON
        #[arg(long)]
        json: bool,
    },
    /// Have files read once more: one of yours, or all that ended in one way
    #[command(group = clap::ArgGroup::new("which").required(true))]
    Retry {
        /// The file's path, or its id
        #[arg(group = "which")]
        path: Option<String>,
        /// damaged, encrypted, timed_out, too_large, needs_ocr, unsupported …
        #[arg(long, value_name = "REASON", group = "which")]
        reason: Option<String>,
    },
    /// Build the index anew beside the live one, which answers until the new one has caught up; goes on after a restart
    Rebuild,
    /// Have building the index anew rest until `resume`, also after a restart; what changes is followed meanwhile
    Pause,
    /// Go on with building the index anew
    Resume,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.what {
        What::Status { json } => {
            let mut answer = admin::call(data, "index/status", json!({}))?;
            let reasons = admin::call(data, "index/reasons", json!({}))?;
            answer["reasons"] = reasons["reasons"].clone();
            status(&answer, json)
        }
        What::Verify { json } => verify(&admin::call(data, "index/verify", json!({}))?, json),
        What::Retry { path, reason } => retry(data, path, reason),
        What::Rebuild => {
            let answer = admin::call(data, "reindex", json!({}))?;
            println!("{}", answer["message"].as_str().unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
        What::Pause => rest(&admin::call(data, "index/pause", json!({}))?, "rest"),
        What::Resume => rest(&admin::call(data, "index/resume", json!({}))?, "go on"),
    }
}

/// Says how many shards rest or go on; exit code 1 when none is being built anew.
fn rest(answer: &Value, what: &str) -> Result<ExitCode> {
    if answer["shards"] == 0 {
        println!("no index is being built anew");
        return Ok(ExitCode::FAILURE);
    }
    println!("{} shards that are built anew {what}", answer["shards"]);
    Ok(ExitCode::SUCCESS)
}

fn status(answer: &Value, as_json: bool) -> Result<ExitCode> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    for shard in answer["shards"].as_array().into_iter().flatten() {
        let state = match (&shard["error"], &shard["rebuilding"], &shard["complete"]) {
            (Value::String(error), _, _) => format!("stands still: {error}"),
            (_, Value::Bool(true), _) => {
                let rests = if shard["paused"] == true {
                    ", resting"
                } else {
                    ""
                };
                format!(
                    "being built anew ({} documents so far{rests})",
                    shard["rebuilt_documents"]
                )
            }
            (_, _, Value::Bool(false)) => "reading all files for the first time".to_owned(),
            _ => "follows".to_owned(),
        };
        let replica = match shard["replica"].as_u64() {
            None | Some(0) => String::new(),
            Some(replica) => format!(", replica {replica}"),
        };
        println!(
            "shard {}{replica}: {} documents in {} segments, {} changes wait, {state}",
            shard["shard"], shard["documents"], shard["segments"], shard["lag"]
        );
    }
    for counted in answer["reasons"].as_array().into_iter().flatten() {
        let reason = counted["reason"].as_str().unwrap_or_default();
        println!("{} files: {}", counted["files"], reason.replace('_', " "));
    }
    println!(
        "{} files being extracted now, {} since start",
        answer["extracting"], answer["extracted"]
    );
    Ok(ExitCode::SUCCESS)
}

fn retry(data: &DataArg, path: Option<String>, reason: Option<String>) -> Result<ExitCode> {
    let answer = match path {
        Some(path) => {
            let client = Client::of_running(&data.data)?;
            let argument = json!({"path": path});
            super::block_on(async { client.rpc("firefly/index/retry", &argument).await })?
        }
        None => admin::call(data, "index/retry", json!({"reason": reason}))?,
    };
    println!("{} files are read again", answer["files"]);
    Ok(ExitCode::SUCCESS)
}

fn verify(answer: &Value, as_json: bool) -> Result<ExitCode> {
    let right = answer["is_right"] == true;
    if as_json {
        println!("{}", serde_json::to_string_pretty(answer)?);
    } else {
        for what in ["missing", "extra", "unknown"] {
            for named in answer[what].as_array().into_iter().flatten() {
                println!("{what}: {}", named.as_str().unwrap_or_default());
            }
        }
        println!(
            "{} files and folders in {} namespaces compared with the index, {} of them still waiting: {}",
            answer["nodes"],
            answer["namespaces"],
            answer["waiting"],
            if right {
                "nothing missing, nothing extra"
            } else {
                "the index is wrong; `firefly index rebuild` makes it anew"
            }
        );
    }
    Ok(if right {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
