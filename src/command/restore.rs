//! `firefly restore`: a backup becomes a store again.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use storage::backup::{self, Destination};
use storage::key::Keyring;
use storage::meta::{AuditAction, AuditEvent};

use super::{admin, backup as take};
use crate::client::ServerAddress;
use crate::config::{Config, DataArg, Metadata};
use crate::metadata;
use crate::node::{self, Node};

/// Restores a point of a backup into the data folder (--data), in which there must be no store yet. A firefly.toml put there
/// before says where blocks go, how many copies are made, and in which database metadata are, if in one: it must be empty. A
/// restore that was killed is begun again by the same command.
///
/// Afterwards everything is as it was at that moment; the search index is made anew at the next start, clients list their folders
/// anew, and browsers and programs stay signed in.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the backups are: a folder, or the URL of a place for objects
    source: String,
    /// Which point
    #[command(flatten)]
    which: take::Which,
    /// Your copy of keys/kek.json [default: what is in the data folder, else the keys in the backup]
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// The passphrase of the keys in the backup
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    if ServerAddress::read(&data.data).is_some() {
        bail!("a server runs on {}", data.data.display());
    }
    let depot = take::existing(&args.source)?;
    let point = args.which.find(&depot)?;
    let passphrase = args
        .passphrase_file
        .as_deref()
        .map(take::passphrase)
        .transpose()?;
    node::make_private_folder(&data.data)?;
    let config = Config::without_flags(data)?;
    let database = match config.metadata {
        Metadata::Embedded => None,
        Metadata::Database { .. } => Some(metadata::open_empty(&config)?),
    };
    let keys = node::key_source(&config);
    if let Some(path) = &args.keys {
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("key ring {}", path.display()))?;
        Keyring::install(keys.clone(), &text)?;
    }
    let into = Destination {
        data: &config.data,
        database: database.as_deref(),
        keys,
        targets: node::targets(&config),
        replicas: config.replicas,
    };
    let shown = admin::Shown::new();
    backup::restore(
        &depot,
        &point,
        passphrase.as_ref(),
        &into,
        &mut |progress| take::show(&shown, progress),
    )?;
    drop(shown);
    // Opened again as a server does, which one process at a time may.
    drop(database);
    let node = Node::open_stopped(&config)?;
    let problems = node.meta.check(100, &mut |_| {})?;
    node.meta.audit(AuditEvent {
        at_ms: take::now_ms(),
        actor: None,
        action: AuditAction::Admin,
        subject: format!("restore {} from {}", point.name, depot.url()),
        address: None,
    })?;
    for problem in &problems {
        println!("broken: {problem}");
    }
    for lost in &point.lost {
        println!("was lost before the backup: block {}", lost.block);
    }
    println!(
        "{} is as it was at {} ({} rows). `firefly check` reads every block; `firefly serve` makes the index anew.",
        config.data.display(),
        crate::moment::text(point.at_ms),
        point.row_count,
    );
    Ok(if problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
