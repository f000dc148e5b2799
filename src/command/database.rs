//! `firefly database`: the database servers of the metadata.

use std::process::ExitCode;

use anyhow::{Result, bail};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};

use super::admin;
use crate::config::DataArg;

/// The database servers that hold metadata: the one of the settings, the primary, and others that were added. All commits are
/// made on the primary; files, folders, versions and journals of namespaces can be moved to others while they are used.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the servers, what lies there, and what they have yet to write; exit code 1 when one is away
    Status {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Use an empty database on another server, with the password and the authority of the primary's settings
    Add {
        /// mysql://USER@HOST[:PORT]/DATABASE
        url: String,
    },
    /// Move namespaces to a server while they are used. Ended early, the same command goes on
    Move {
        /// Namespaces' numbers
        #[arg(value_name = "NAMESPACE", required_unless_present = "slots")]
        namespaces: Vec<String>,
        /// A share of everything instead: slots FROM-TO of 0-4095. Files from before this release lie in all of them
        #[arg(long, value_name = "FROM-TO", value_parser = slots)]
        slots: Option<(u16, u16)>,
        /// The server's number, as status shows it; 0 is the primary
        #[arg(long, value_name = "SERVER")]
        to: u32,
    },
    /// Move everything off a server, to the primary, and take it off the list
    Drain {
        /// The server's number
        server: u32,
    },
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.action {
        Action::Status { json } => status(data, json),
        Action::Add { url } => {
            let added = admin::call(data, "database/add", json!({"url": url}))?;
            println!(
                "{url} is database server {}; `firefly database move` brings namespaces there",
                added["server"]
            );
            Ok(ExitCode::SUCCESS)
        }
        Action::Move {
            namespaces,
            slots,
            to,
        } => {
            let wanted = json!({"namespaces": namespaces, "slots": slots, "to": to});
            let moved = admin::follow(data, "database/move", wanted, &shown)?;
            println!("{}", shown(&moved));
            Ok(ExitCode::SUCCESS)
        }
        Action::Drain { server } => {
            let moved = admin::follow(data, "database/drain", json!({"server": server}), &shown)?;
            println!("{}; the server can go", shown(&moved));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn status(data: &DataArg, as_json: bool) -> Result<ExitCode> {
    let status = admin::call(data, "database/status", json!({}))?;
    let servers = status["servers"].as_array().map_or(&[][..], Vec::as_slice);
    if as_json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        let placed = servers
            .iter()
            .filter_map(|server| server["slots"].as_u64())
            .sum::<u64>();
        let left = status["slots"].as_u64().unwrap_or(0).saturating_sub(placed);
        println!(
            "0\t{}\tprimary\t{left} slots",
            status["primary"].as_str().unwrap_or_default()
        );
        servers
            .iter()
            .for_each(|server| println!("{}", line(server)));
    }
    Ok(
        match servers.iter().all(|server| server["away"].is_null()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
    )
}

/// A server in one line.
pub fn line(server: &Value) -> String {
    let state = match server["away"].as_str() {
        Some(reason) => format!("AWAY: {reason}"),
        None => "good".into(),
    };
    let mut line = format!(
        "{}\t{}\t{state}\t{} slots",
        server["id"],
        server["url"].as_str().unwrap_or_default(),
        server["slots"]
    );
    for (count, what) in [("arriving", "coming"), ("leaving", "to be removed")] {
        if let Some(slots @ 1..) = server[count].as_u64() {
            line.push_str(&format!(", {slots} {what}"));
        }
    }
    if let Some(bytes @ 1..) = server["waiting_bytes"].as_u64() {
        line.push_str(&format!("\t{} to write or just written", HumanBytes(bytes)));
    }
    line
}

fn shown(moving: &Value) -> String {
    let count = |name: &str| moving[name].as_u64().unwrap_or(0);
    format!(
        "{} of {} slots, {} rows ({}) moved",
        count("copied_slots"),
        count("slots"),
        HumanCount(count("rows")),
        HumanBytes(count("bytes"))
    )
}

fn slots(text: &str) -> Result<(u16, u16)> {
    match text.split_once('-') {
        Some((from, to)) => Ok((from.parse()?, to.parse()?)),
        None => bail!("two numbers with - between them, as 0-2047"),
    }
}
