//! `firefly storage`: disks for blocks.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::admin;
use crate::client::ServerAddress;
use crate::config::DataArg;

/// Between two looks with --wait.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The places that hold blocks: how they are, and how they come and go. Copying happens in the running server, in the background.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show targets, their room, and what is short of copies; exit code 1 when something is
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Use another folder, bucket or HDFS folder, or one that was drained, for blocks
    Add {
        /// A folder, s3://BUCKET/FOLDER?endpoint=URL&credentials=FILE, or hdfs://HOST:PORT/FOLDER
        #[arg(value_name = "PLACE")]
        folder: String,
        /// What fails together with it (a machine, a room); copies go to different zones where there are enough
        #[arg(long)]
        zone: Option<String>,
    },
    /// Move everything off a target, so that its disk can go
    Drain {
        /// The target, as status names it
        target: String,
        /// Wait until it is empty
        #[arg(long)]
        wait: bool,
    },
    /// Add a folder or URL in the place of a target, which is drained, or given up when it is gone
    Replace {
        /// The target that goes
        old: String,
        /// The folder or URL that comes
        new: String,
        /// Wait until everything has its copies
        #[arg(long)]
        wait: bool,
    },
    /// Take a target anew whose folder is empty (a new disk at the old path), and fill it from the others
    Adopt {
        /// The target
        target: String,
        /// Wait until everything has its copies
        #[arg(long)]
        wait: bool,
    },
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Status { json } => status(data, json),
        Action::Add { folder, zone } => {
            let folder = absolute(&folder)?;
            let added = admin::call(data, "storage/add", json!({"target": folder, "zone": zone}))?;
            println!("{} is in use", added["target"].as_str().unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
        Action::Drain { target, wait } => {
            admin::call(data, "storage/drain", json!({"target": target}))?;
            println!("{target} is being emptied; `firefly storage status` says how far that is");
            await_copies(data, wait)
        }
        Action::Replace { old, new, wait } => {
            let new = absolute(&new)?;
            admin::call(data, "storage/replace", json!({"old": old, "new": new}))?;
            println!("{new} takes the place of {old}");
            await_copies(data, wait)
        }
        Action::Adopt { target, wait } => {
            admin::call(data, "storage/adopt", json!({"target": target}))?;
            println!("{target} is in use again, and gets the copies that it misses");
            await_copies(data, wait)
        }
    }
}

/// A folder as it is written here is counted from where this command runs.
fn absolute(folder: &str) -> Result<String> {
    if storage::object::is_url(folder) {
        return Ok(folder.to_owned());
    }
    Ok(std::path::absolute(folder)?.display().to_string())
}

fn status(data: &DataArg, as_json: bool) -> Result<ExitCode> {
    let status = admin::call(data, "storage/status", json!({}))?;
    let short = status["short_extents"].as_u64().unwrap_or(0);
    if as_json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        for target in status["targets"].as_array().into_iter().flatten() {
            println!("{}", line(target));
        }
        println!(
            "every block has {} copies; at present a write gets {} (at least {})",
            status["replicas"], status["replicas_now"], status["min_replicas"]
        );
        match short {
            0 => println!("all extents have their copies"),
            n => println!(
                "{n} extents ({}) are short of copies",
                HumanBytes(status["short_bytes"].as_u64().unwrap_or(0))
            ),
        }
    }
    Ok(if short == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// A target in one line.
pub fn line(target: &Value) -> String {
    let is = |key: &str| target[key] == true;
    let state = match (is("online"), is("draining"), target["extents"].as_u64()) {
        (_, true, Some(0)) => "drained: it can go",
        (true, true, _) => "being emptied",
        (false, ..) => "GONE",
        (true, false, _) if is("failing") => "CANNOT BE WRITTEN",
        _ => "good",
    };
    let room = match target["free_bytes"].as_u64() {
        Some(free) => format!("{} free", HumanBytes(free)),
        None if target["name"].as_str().is_some_and(storage::object::is_url) => {
            "on other machines".into()
        }
        None => "room unknown".into(),
    };
    let reason = target["reason"]
        .as_str()
        .map(|reason| format!("\t{reason}"))
        .unwrap_or_default();
    format!(
        "{}\t{state}\t{} extents, {}\t{room}{reason}",
        target["name"].as_str().unwrap_or_default(),
        target["extents"],
        HumanBytes(target["bytes"].as_u64().unwrap_or(0)),
    )
}

/// Waits until nothing is to be copied or moved any more.
fn await_copies(data: &DataArg, wait: bool) -> Result<ExitCode> {
    if !wait {
        return Ok(ExitCode::SUCCESS);
    }
    if ServerAddress::read(&data.data).is_none() {
        bail!("no server runs, and it is the server that copies");
    }
    let shown = admin::Shown::new();
    loop {
        let status = admin::call(data, "storage/status", json!({}))?;
        let number = |key: &str| status[key].as_u64().unwrap_or(0);
        let (short, draining) = (number("short_extents"), number("draining_extents"));
        if short == 0 && draining == 0 {
            drop(shown);
            println!("all extents have their copies");
            return Ok(ExitCode::SUCCESS);
        }
        shown.show(&format!(
            "{short} extents short of copies, {draining} to be moved, {} copied",
            HumanBytes(number("copied_bytes"))
        ));
        std::thread::sleep(LOOK_EVERY);
    }
}
