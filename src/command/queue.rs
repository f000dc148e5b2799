//! `firefly queue`: the broker's queues.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::admin;
use crate::client::ServerAddress;
use crate::config::{Config, DataArg};
use crate::operations::queue;

/// The queues at the broker (setting `broker`): what waits in them, and the messages that no consumer could act on. All of them
/// are hints; losing every one only delays.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Say how much waits in every queue, how many consumers it has, and how the connections are
    Status,
    /// List dead letters, the oldest first; they stay where they are
    List {
        /// Most letters that are listed
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Put dead letters back into the queues that they come from, the oldest first
    Replay {
        /// Most letters that are put back
        #[arg(long, default_value_t = 10_000)]
        limit: usize,
    },
}

/// Runs the command: asks the running server, or else the broker itself.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let (operation, argument) = match args.action {
        Action::Status => ("status", json!({})),
        Action::List { limit } => ("list", json!({ "limit": limit })),
        Action::Replay { limit } => ("replay", json!({ "limit": limit })),
    };
    let answer = if ServerAddress::read(&data.data).is_some() {
        admin::call(data, &format!("queue/{operation}"), argument)?
    } else {
        let bus = Config::without_flags(data)?.bus()?;
        queue::call(bus.as_ref(), operation, argument)?
    };
    print(operation, &answer)?;
    // A status that says that the broker cannot be reached is no success.
    Ok(match answer["error"].is_string() {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn print(operation: &str, answer: &Value) -> Result<()> {
    match operation {
        "replay" => println!("{} put back", answer["replayed"]),
        _ => println!("{}", serde_json::to_string_pretty(answer)?),
    }
    Ok(())
}
