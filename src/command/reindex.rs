//! `firefly reindex`: builds the index anew.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;

use super::admin;
use crate::config::DataArg;

/// Builds the index anew from metadata and stored text, beside the live one, which answers until the new one has caught up.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the command.
pub fn run(data: &DataArg, _args: Args) -> Result<ExitCode> {
    let answer = admin::call(data, "reindex", json!({}))?;
    println!("{}", answer["message"].as_str().unwrap_or_default());
    Ok(ExitCode::SUCCESS)
}
