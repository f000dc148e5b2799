//! `firefly keys`: the key-encryption keys.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::admin;
use crate::config::DataArg;

/// The keys that wrap every block's own key. Without them no block can be read: keep a copy elsewhere.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say where the keys are, which version is in use, and how many blocks each version wraps
    Status,
    /// Make a new version and wrap every block's key with it; no data is rewritten
    Rotate,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let operation = match args.action {
        Action::Status => "keys/status",
        Action::Rotate => "keys/rotate",
    };
    let answer = admin::call(data, operation, json!({}))?;
    println!("{}", serde_json::to_string_pretty(&answer)?);
    Ok(ExitCode::SUCCESS)
}
