//! `firefly status`: how all of it is, at one look.

use std::process::ExitCode;

use anyhow::Result;
use indicatif::HumanCount;
use serde_json::{Value, json};

use super::admin;
use crate::config::DataArg;

/// How this installation is: what runs, where metadata and blocks lie, how far the index is and how old the oldest change is that is not in
/// it, what waits in queues, and which namespaces are worst off. Exit code 1 when something is not as it should be: a target or a
/// database server is gone or cannot be written, copies are missing or bad, a shard stands still, the broker cannot be reached.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let status = admin::call(data, "status", json!({}))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        table(&status);
    }
    Ok(match is_well(&status) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn is_well(status: &Value) -> bool {
    let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let targets = all(&status["storage"]["targets"]);
    let good = |target: &Value| {
        target["draining"] == true || (target["online"] == true && target["failing"] == false)
    };
    let namespaces = all(&status["namespaces"]);
    targets.iter().all(good)
        && status["storage"]["short_extents"] == 0
        && status["index"]["follows"] != false
        && status["cluster"]["missing"].as_u64().unwrap_or(0) == 0
        && !status["broker"]["error"].is_string()
        && all(&status["databases"])
            .iter()
            .all(|server| server["away"].is_null())
        && namespaces.iter().all(|named| named["bad_copies"] == 0)
}

fn table(status: &Value) {
    let row = |name: &str, what: String| println!("{name:<12}{what}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let count = |value: &Value| HumanCount(value.as_u64().unwrap_or(0)).to_string();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let roles: Vec<String> = list(&status["roles"]).iter().map(text).collect();
    row(
        "server",
        match roles.is_empty() {
            true => "does not run".into(),
            false => format!("{}: {}", text(&status["version"]), roles.join(", ")),
        },
    );
    let cluster = &status["cluster"];
    for process in list(&cluster["processes"]) {
        let roles: Vec<String> = list(&process["roles"]).iter().map(text).collect();
        row(
            "process",
            format!(
                "{}: {}, {}{}",
                text(&process["url"]),
                text(&process["version"]),
                roles.join(", "),
                match process["tls"] == true {
                    true => "",
                    false => "; ITS CALLS ARE IN CLEAR: it is of an earlier release",
                }
            ),
        );
    }
    for lease in list(&cluster["shards"])
        .iter()
        .chain(&list(&cluster["duties"]))
    {
        row(
            "lease",
            format!(
                "{}\t{}, epoch {}",
                text(&lease["lease"]),
                text(&lease["holder"]),
                lease["epoch"]
            ),
        );
    }
    if let Some(missing @ 1..) = cluster["missing"].as_u64() {
        row(
            "",
            format!("{missing} SHARDS ARE HELD BY NOBODY: searches are partial"),
        );
    }
    row("metadata", text(&status["metadata"]));
    for server in list(&status["databases"]) {
        row("", super::database::line(&server));
    }
    let storage = &status["storage"];
    for target in list(&storage["targets"]) {
        row("blocks", super::storage::line(&target));
    }
    row(
        "copies",
        format!(
            "{} of each block, {} at present; {} extents are short of them",
            storage["replicas"], storage["replicas_now"], storage["short_extents"]
        ),
    );
    let index = &status["index"];
    if index.is_object() {
        let oldest = match index["oldest_unindexed_s"].as_i64() {
            Some(seconds) => format!(", the oldest {seconds} s old"),
            None => String::new(),
        };
        let state = match index["follows"] == true {
            true => "",
            false => "; NOT ALL SHARDS FOLLOW (firefly index status)",
        };
        row(
            "index",
            format!(
                "{} documents in {} shards, {} changes wait{oldest}{state}",
                count(&index["documents"]),
                index["shards"],
                count(&index["unindexed"])
            ),
        );
    }
    row(
        "extraction",
        format!("{} files wait", count(&status["waiting_for_extraction"])),
    );
    let broker = &status["broker"];
    if broker.is_object() {
        let error = broker["error"].as_str();
        row(
            "broker",
            error.map_or(text(&broker["broker"]), |e| format!("AWAY: {e}")),
        );
        for queue in list(&broker["queues"]) {
            row(
                "queue",
                format!("{}\t{} messages", text(&queue["queue"]), queue["messages"]),
            );
        }
    }
    for named in list(&status["namespaces"]) {
        row(
            "namespace",
            format!(
                "{}\t{} changes wait, {} bad copies",
                text(&named["namespace"]),
                named["unindexed"],
                named["bad_copies"]
            ),
        );
    }
    if let Some(others @ 1..) = status["other_namespaces"].as_u64() {
        row("", format!("and {others} namespaces more"));
    }
}
