//! `firefly import FOLDER`: brings a folder in through the running server.

mod remote;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use sync::import::{Destination, Progress, Report};

use crate::client::Client;
use crate::config::DataArg;
pub use remote::RemoteDestination;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// How often progress is printed where there is no terminal.
const PRINT_EVERY: Duration = Duration::from_secs(5);
/// Refused files that are listed on the terminal; the rest is counted.
const LISTED: usize = 50;

/// Brings a folder in. Modification times are kept, files that are there unchanged are skipped (so it goes on where it
/// was interrupted), symbolic links are not followed. Ends with what was refused and why.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder
    folder: PathBuf,
    /// Folder in Firefly that it goes to [default: /NAME-OF-FOLDER]
    #[arg(long, value_name = "PATH")]
    into: Option<String>,
    /// Bearer token of the account that it goes to [default: the admin's]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FIREFLY_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    super::block_on(async {
        let mut client = Client::of_running(&data.data)?;
        if let Some(token) = &args.token {
            client = client.with_token(token);
        }
        let into = args
            .into
            .clone()
            .map_or_else(|| default_target(&args.folder), Ok)?;
        let report = with_progress(&RemoteDestination::new(client), &args.folder, &into).await?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print(&report, &into);
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Where a folder goes when nobody says: to a folder of its own name.
pub fn default_target(folder: &Path) -> Result<String> {
    let full = folder
        .canonicalize()
        .with_context(|| format!("folder {}", folder.display()))?;
    let name = full
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(name.map_or_else(String::new, |name| format!("/{name}")))
}

/// Imports `folder` and shows the progress on the terminal.
pub async fn with_progress(
    destination: &dyn Destination,
    folder: &Path,
    into: &str,
) -> Result<Report> {
    let progress = Arc::new(Progress::default());
    let shown = tokio::spawn(show(progress.clone()));
    let report = sync::import::import(destination, folder, into, &progress).await;
    shown.abort();
    Ok(report?)
}

async fn show(progress: Arc<Progress>) {
    let terminal = std::io::stderr().is_terminal();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    let begun = Instant::now();
    let mut ticks = tokio::time::interval(if terminal { SHOW_EVERY } else { PRINT_EVERY });
    ticks.tick().await;
    loop {
        ticks.tick().await;
        let line = line(&progress, begun.elapsed());
        if terminal {
            bar.set_message(line);
            bar.tick();
        } else {
            eprintln!("{line}");
        }
    }
}

fn line(progress: &Progress, elapsed: Duration) -> String {
    let [found, imported, bytes, unchanged, refused] = [
        &progress.found,
        &progress.imported,
        &progress.bytes,
        &progress.unchanged,
        &progress.refused,
    ]
    .map(|count| count.load(Ordering::Relaxed));
    let rate = imported as f64 / elapsed.as_secs_f64().max(0.001);
    format!(
        "importing: {} files found, {} stored ({}, {rate:.0} files/s), {} unchanged, {} refused",
        HumanCount(found),
        HumanCount(imported),
        HumanBytes(bytes),
        HumanCount(unchanged),
        HumanCount(refused),
    )
}

/// Prints how an import ended.
pub fn print(report: &Report, into: &str) {
    println!(
        "imported {} files ({}) to {}; {} unchanged, {} refused",
        HumanCount(report.imported),
        HumanBytes(report.bytes),
        if into.is_empty() { "/" } else { into },
        HumanCount(report.unchanged),
        report.refused.len(),
    );
    for refused in report.refused.iter().take(LISTED) {
        println!("  refused: {}: {}", refused.path.display(), refused.reason);
    }
    if report.refused.len() > LISTED {
        println!(
            "  … and {} more (--json lists all)",
            report.refused.len() - LISTED
        );
    }
}
