//! `firefly check`: verifies what is stored.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::admin;
use crate::config::DataArg;

/// Verifies the invariants over everything stored: every row, every block's bytes on every replica, references, quotas and
/// journals. A damaged block is named with the files it belongs to. Works while the server runs and while it is stopped.
/// Exit code 1 when something is broken.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Do not read the blocks' bytes
    #[arg(long)]
    quick: bool,
    /// Rewrite damaged copies of blocks from good ones
    #[arg(long, conflicts_with = "quick")]
    repair: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let report = admin::call(
        data,
        "check",
        json!({"quick": args.quick, "repair": args.repair}),
    )?;
    let problems = report["problems"].as_array().map_or(&[][..], Vec::as_slice);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for problem in problems {
            println!("broken: {}", problem.as_str().unwrap_or_default());
        }
        if let Some(repaired) = report["repaired"].as_u64().filter(|repaired| *repaired > 0) {
            println!("{repaired} damaged copies were rewritten");
        }
        println!(
            "{} rows of metadata and {} blocks checked: {}",
            report["rows"],
            report["blocks"],
            if problems.is_empty() {
                "all is well".to_owned()
            } else {
                format!("{} problems", problems.len())
            },
        );
    }
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
