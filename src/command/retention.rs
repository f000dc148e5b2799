//! `firefly retention`: how long deleted files and old versions are kept, and the room that they take.

use std::process::ExitCode;

use anyhow::Result;
use indicatif::HumanBytes;
use serde_json::json;

use super::admin;
use crate::config::DataArg;

/// Shows how long deleted files and old versions are kept, and how much room they take, by account; or sets for how long. Less
/// deletes for good, within a minute or so, what is older; more never brings back what is gone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Keep so many days from now on, whatever firefly.toml says
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    days: Option<u32>,
    /// Go by the configuration (retention_days) again
    #[arg(long, conflicts_with = "days")]
    by_configuration: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    if args.days.is_some() || args.by_configuration {
        admin::call(data, "retention/set", json!({"days": args.days}))?;
    }
    let answer = admin::call(data, "retention/get", json!({}))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "deleted files and old versions are kept {} days ({})",
        answer["days"],
        answer["set_by"].as_str().unwrap_or_default()
    );
    for account in answer["accounts"].as_array().into_iter().flatten() {
        let bytes = |key: &str| HumanBytes(account[key].as_u64().unwrap_or(0));
        println!(
            "{}\t{} in files\t{} in the trash ({} entries)\t{} in {} old versions",
            account["email"].as_str().unwrap_or_default(),
            bytes("used_bytes"),
            bytes("trash_bytes"),
            account["trashed"],
            bytes("version_bytes"),
            account["versions"],
        );
    }
    if answer["is_complete"] == false {
        println!("(there is more than was counted)");
    }
    Ok(ExitCode::SUCCESS)
}
