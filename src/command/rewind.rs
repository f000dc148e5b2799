//! `firefly rewind`: a folder becomes what it was.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::admin::Shown;
use crate::client::Client;
use crate::command::backup::now_ms;
use crate::config::DataArg;
use crate::moment;

/// Between two looks at a rewind that runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Makes a folder what it was at a moment, whoever changed it since: deleted files come back, moved and renamed ones go back, contents
/// become what they were, and what was made since goes to the trash. Nothing is lost: contents stay as versions, and
/// --undo takes a rewind back. Shared folders inside the folder are not touched; rewind them by themselves.
///
/// It goes back as far as deleted files and old versions are kept. Needs the right to change the folder, and a running server, which
/// goes on with it when this command, or the server, is ended.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder (`/` for all of one's own)
    #[arg(value_name = "FOLDER", required_unless_present_any = ["undo", "list"])]
    folder: Option<String>,
    /// To when (UTC): 2026-03-01T12:00:00Z, 2026-03-01 12:00, 2026-03-01, or so long ago: 30m, 2h, 3d
    #[arg(long, value_name = "MOMENT", required_unless_present_any = ["undo", "list"])]
    to: Option<String>,
    /// Only say what would be done
    #[arg(long, conflicts_with = "undo")]
    dry_run: bool,
    /// Undo the rewind with this id; what others have changed since stays
    #[arg(long, value_name = "ID", conflicts_with_all = ["folder", "to"])]
    undo: Option<String>,
    /// List the latest rewinds
    #[arg(long, conflicts_with_all = ["folder", "to", "undo", "dry_run"])]
    list: bool,
    /// Bearer token of the account that rewinds [default: the admin's]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FIREFLY_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    super::block_on(async {
        let client = Client::of_running(&data.data)?;
        let client = args
            .token
            .as_deref()
            .map_or_else(|| client.clone(), |token| client.with_token(token));
        if args.list {
            let all: Value = client.rpc("firefly/rewind/list", &json!({})).await?;
            for rewind in all["rewinds"].as_array().into_iter().flatten() {
                println!("{}", line(rewind));
            }
            return Ok(ExitCode::SUCCESS);
        }
        let begun: Value = match (&args.undo, &args.folder, &args.to) {
            (Some(id), ..) => {
                client
                    .rpc("firefly/rewind/undo", &json!({"rewind_id": id}))
                    .await?
            }
            (None, Some(folder), Some(to)) => {
                let to = moment::text_ms(moment::parse(to, now_ms())?);
                let path = if folder == "/" { "" } else { folder };
                let wanted = json!({"path": path, "to": to, "dry_run": args.dry_run});
                client.rpc("firefly/rewind", &wanted).await?
            }
            _ => bail!("which folder, and to when?"),
        };
        if args.dry_run {
            println!("would do: {}", counts(&begun["preview"]));
            return Ok(ExitCode::SUCCESS);
        }
        follow(&client, begun["rewind"].clone()).await
    })
}

async fn follow(client: &Client, mut rewind: Value) -> Result<ExitCode> {
    let shown = Shown::new();
    while rewind["state"] == "running" {
        shown.show(&line(&rewind));
        tokio::time::sleep(LOOK_EVERY).await;
        let which = json!({"rewind_id": rewind["rewind_id"]});
        let answer: Value = client.rpc("firefly/rewind/status", &which).await?;
        rewind = answer["rewind"].clone();
    }
    drop(shown);
    println!("{}", line(&rewind));
    if rewind["state"] == "failed" {
        bail!("{}", rewind["error"].as_str().unwrap_or("it failed"));
    }
    println!(
        "to take it back: firefly rewind --undo {}",
        rewind["rewind_id"].as_str().unwrap_or_default()
    );
    Ok(match rewind["counts"]["failed"].as_u64() {
        Some(0) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    })
}

fn line(rewind: &Value) -> String {
    let part = |key: &str| rewind[key].as_str().unwrap_or_default().to_owned();
    let path = match part("path") {
        path if path.is_empty() => "/".to_owned(),
        path => path,
    };
    format!(
        "{}\t{path} to {}\t{}: {}",
        part("rewind_id"),
        part("to"),
        part("state"),
        counts(&rewind["counts"])
    )
}

fn counts(counts: &Value) -> String {
    let number = |key: &str| counts[key].as_u64().unwrap_or(0);
    format!(
        "{} brought back, {} moved back, {} contents restored, {} new ones to the trash, {} as they were, {} left alone, {} not possible",
        number("revived"),
        number("moved"),
        number("restored"),
        number("removed"),
        number("unchanged"),
        number("kept"),
        number("failed"),
    )
}
