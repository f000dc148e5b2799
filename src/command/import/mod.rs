//! `firefly import FOLDER`: brings a folder in through the running server.

mod remote;

use std::collections::HashSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use serde_json::Value;
use sync::import::{DEFAULT_EXCLUDES, Destination, Import, Ledger, Progress, Report, Rules, Told};

use crate::client::Client;
use crate::config::{Config, DataArg};
pub use remote::RemoteDestination;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);
/// How often progress is printed where there is no terminal.
const PRINT_EVERY: Duration = Duration::from_secs(5);
/// Refused files that are listed on the terminal; the rest is counted.
const LISTED: usize = 50;
/// Refusals that are remembered while a folder is followed, so that each is told once.
const REMEMBERED: usize = 10_000;

/// Brings a folder in. Modification times are kept, files that are there unchanged are skipped (so it goes on where it
/// was interrupted), a file that is newer in Firefly stays, symbolic links are not followed. Ends with what was refused and why.
#[derive(Debug, clap::Args)]
#[command(after_long_help = left_out())]
pub struct Args {
    /// The folder
    folder: PathBuf,
    /// Folder in Firefly that it goes to [default: /NAME-OF-FOLDER]
    #[arg(long, value_name = "PATH")]
    into: Option<String>,
    /// How
    #[command(flatten)]
    how: How,
    /// Bearer token of the account that it goes to [default: the admin's]
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FIREFLY_TOKEN",
        hide_env_values = true
    )]
    token: Option<String>,
    /// Write what was refused or left out, and why: FILE.csv as CSV, else as JSON
    #[arg(long, value_name = "FILE", conflicts_with = "watch")]
    report: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

/// How a folder is imported, by `import` and by `serve --import`.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct How {
    /// Leave out what matches, as a line of .gitignore does (`*.bak`, `/build/`, `!keep.bak`); may be given often
    #[arg(long, value_name = "PATTERN", allow_hyphen_values = true)]
    pub exclude: Vec<String>,
    /// Bring also what is left out by default (Thumbs.db, .DS_Store, ~$*, *.part …: `firefly import --help` lists all)
    #[arg(long)]
    pub no_default_excludes: bool,
    /// Go on following the folder: what changes there is brought within seconds
    #[arg(long)]
    pub watch: bool,
    /// Delete (into the trash) what an import with --delete has brought, is unchanged in Firefly since, and is gone from the folder
    #[arg(long)]
    pub delete: bool,
}

impl How {
    /// What is left out; nothing is brought from Firefly's own folders.
    pub fn rules(&self, closed: &[PathBuf]) -> Result<Rules> {
        Ok(Rules::new(
            &self.exclude,
            !self.no_default_excludes,
            closed,
        )?)
    }

    /// The import of `folder`, which remembers in the data folder what it has brought when it is to delete.
    pub fn import(
        &self,
        destination: Arc<dyn Destination>,
        account: &str,
        folder: &Path,
        into: &str,
        rules: Rules,
        data: &Path,
    ) -> Result<Import> {
        let import = Import::new(destination, into, rules);
        if !self.delete {
            return Ok(import);
        }
        let full = folder
            .canonicalize()
            .with_context(|| format!("folder {}", folder.display()))?;
        let ledger = Ledger::open(&data.join(RECORDS), &full, account, into)?;
        Ok(import.deleting(ledger))
    }
}

/// The folder in the data folder for what imports remember.
pub const RECORDS: &str = "imports";

fn left_out() -> String {
    let patterns = DEFAULT_EXCLUDES.map(|pattern| pattern.replace('\r', "(CR)"));
    format!(
        "Left out by default, whatever the case (--no-default-excludes brings it, --exclude '!PATTERN' one of them):\n  {}\n\n\
         --delete never touches what somebody else has put into Firefly, what was changed there, what is left out or refused; it deletes \n\
         nothing when the folder is empty (its disk may not be there). Folders that become empty in Firefly stay.",
        patterns.join("  ")
    )
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
        let closed = own_folders(&Config::without_flags(data)?);
        let account: Value = client
            .rpc("users/get_current_account", &Value::Null)
            .await?;
        let account = account["account_id"].as_str().unwrap_or_default();
        let import = args.how.import(
            Arc::new(RemoteDestination::new(client)),
            account,
            &args.folder,
            &into,
            args.how.rules(&closed)?,
            &data.data,
        )?;
        if args.how.watch {
            follow(&import, &args.folder, &into).await?;
        }
        let report = with_progress(&import, &args.folder).await?;
        if let Some(file) = &args.report {
            write(&report, file)?;
        }
        if args.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            print(&report, &into);
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Firefly's own folders, from which nothing is imported.
pub fn own_folders(config: &Config) -> Vec<PathBuf> {
    let mut folders = vec![config.data.clone()];
    folders.extend(config.targets.iter().filter_map(|place| match place {
        storage::block::Place::Folder(folder) => Some(folder.clone()),
        storage::block::Place::Url(_) => None,
    }));
    folders.extend(config.log.folder.iter().cloned());
    folders
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
pub async fn with_progress(import: &Import, folder: &Path) -> Result<Report> {
    let shown = tokio::spawn(show(import.progress()));
    let report = import.run(&sync::import::open(folder)?).await;
    shown.abort();
    Ok(report?)
}

/// Imports `folder`, goes on following it, and tells what changes. Ends with the process, or when the folder is not there.
pub async fn follow(
    import: &Import,
    folder: &Path,
    into: &str,
) -> Result<std::convert::Infallible> {
    sync::import::open(folder)?;
    let mut shown = Some(tokio::spawn(show(import.progress())));
    let mut known = HashSet::new();
    let mut tell = |told: Told<'_>| {
        if let Some(shown) = shown.take() {
            shown.abort();
            println!("following {}", folder.display());
        }
        match told {
            Told::Looked(report) => tell_news(report, into, &mut known),
            Told::Failed(error) => eprintln!("firefly: import of {}: {error}", folder.display()),
        }
    };
    Ok(import.follow(folder, &mut tell).await)
}

/// Prints what is new in a report.
fn tell_news(report: &Report, into: &str, known: &mut HashSet<(PathBuf, String)>) {
    let mut report = report.clone();
    if known.len() > REMEMBERED {
        known.clear();
    }
    let refused = &mut report.refused;
    refused.retain(|refused| known.insert((refused.path.clone(), refused.reason.clone())));
    if report.is_news() {
        print(&report, into);
    }
}

/// Writes what was refused or left out, as the file's ending says.
fn write(report: &Report, file: &Path) -> Result<()> {
    let text = match file.extension() {
        Some(extension) if extension.eq_ignore_ascii_case("csv") => report.csv(),
        _ => serde_json::to_string_pretty(report)?,
    };
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))
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
    let [found, imported, bytes, unchanged, refused, excluded] = [
        &progress.found,
        &progress.imported,
        &progress.bytes,
        &progress.unchanged,
        &progress.refused,
        &progress.excluded,
    ]
    .map(|count| count.load(Ordering::Relaxed));
    let rate = imported as f64 / elapsed.as_secs_f64().max(0.001);
    format!(
        "importing: {} files found, {} stored ({}, {rate:.0} files/s), {} unchanged, {} refused, {} left out",
        HumanCount(found),
        HumanCount(imported),
        HumanBytes(bytes),
        HumanCount(unchanged),
        HumanCount(refused),
        HumanCount(excluded),
    )
}

/// Prints how an import ended.
pub fn print(report: &Report, into: &str) {
    println!(
        "imported {} files ({}) to {}; {} unchanged, {} deleted, {} refused, {} left out",
        HumanCount(report.imported),
        HumanBytes(report.bytes),
        if into.is_empty() { "/" } else { into },
        HumanCount(report.unchanged),
        HumanCount(report.deleted),
        report.refused.len(),
        report.excluded.len(),
    );
    for refused in report.refused.iter().take(LISTED) {
        println!("  refused: {}: {}", refused.path.display(), refused.reason);
    }
    if report.refused.len() > LISTED {
        println!(
            "  … and {} more (--report FILE lists all)",
            report.refused.len() - LISTED
        );
    }
}
