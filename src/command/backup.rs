//! `firefly backup`: points in time of everything, in another place.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use indicatif::{HumanBytes, HumanCount};
use serde_json::{Value, json};
use storage::backup::{self, Depot, Keep, KeysIncluded, Passphrase, Point, Progress};
use storage::key::{Keyring, Source};
use storage::object;

use super::admin;
use crate::config::DataArg;
use crate::moment;
use crate::operations::backup::summary;

/// Takes a backup of everything that is stored, while the server runs or while it is stopped: accounts, folders, versions, sharing,
/// links, and every block. It holds one moment of all of it. What an earlier backup in the same place has is not copied again, and
/// one that was killed goes on where it was.
///
/// Files in it are encrypted as they are in the store. The key ring is not in it unless --with-keys says so: then a backup without
/// a copy of keys/kek.json cannot be read by anybody. Names of files and accounts are in it as they are. The index, firefly.toml
/// and tls/ are not.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// A folder (better on another machine's disk), s3://BUCKET/FOLDER?endpoint=URL&credentials=FILE, or hdfs://HOST:PORT/FOLDER
    #[arg(value_name = "DEST", required = true)]
    destination: Option<String>,
    /// Put the key ring into the backup: whoever has the backup can read every file
    #[arg(long)]
    with_keys: bool,
    /// Seal the key ring in the backup with the passphrase in this file
    #[arg(long, value_name = "FILE", requires = "with_keys")]
    passphrase_file: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the points that can be restored
    List {
        /// Where the backups are
        source: String,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Read a point back, every row and block; exit code 1 when something is wrong
    Verify {
        /// Where the backups are
        source: String,
        /// Which point
        #[command(flatten)]
        which: Which,
        /// The key ring to decrypt with [default: the one in the backup, else that of the data folder]
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
        /// The passphrase of the keys in the backup
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// Look at checksums alone
        #[arg(long, conflicts_with = "keys")]
        without_keys: bool,
    },
    /// Remove old points and what only they need. The newest always stays
    Prune {
        /// Where the backups are
        source: String,
        /// Keep so many of the newest
        #[arg(long, value_name = "N", required_unless_present = "keep_since")]
        keep_last: Option<usize>,
        /// Keep what is younger: 30d, or from this moment on
        #[arg(long, value_name = "MOMENT")]
        keep_since: Option<String>,
    },
}

/// Which point of a backup.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// This point of `firefly backup list` [default: the newest]
    #[arg(long, value_name = "POINT", conflicts_with = "at")]
    point: Option<String>,
    /// The newest at or before this moment (UTC): 2026-03-01T12:00:00Z, 2026-03-01, or so long ago: 30m, 2h, 3d
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

impl Which {
    /// Finds it.
    pub fn find(&self, depot: &Depot) -> Result<Point> {
        let at_ms = self.at.as_deref().map(|at| moment::parse(at, now_ms()));
        Ok(backup::choose(
            depot,
            self.point.as_deref(),
            at_ms.transpose()?,
        )?)
    }
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    match args.action {
        None => take(data, &args),
        Some(Action::List { source, json }) => list(&source, json),
        Some(Action::Verify {
            source,
            which,
            keys,
            passphrase_file,
            without_keys,
        }) => {
            let depot = existing(&source)?;
            let point = which.find(&depot)?;
            let ring = match keys {
                Some(path) => Some(Keyring::load(Source::File(path))?),
                None if without_keys => None,
                None => own_ring(data, &point)?,
            };
            verify(&depot, &point, ring, passphrase_file.as_deref())
        }
        Some(Action::Prune {
            source,
            keep_last,
            keep_since,
        }) => {
            let since = keep_since
                .as_deref()
                .map(|since| moment::parse(since, now_ms()));
            let keep = Keep {
                last: keep_last.unwrap_or(1),
                since_ms: since.transpose()?,
            };
            prune(&source, keep)
        }
    }
}

/// A folder for backups, which must not lie in what is backed up.
fn beside(data: &DataArg, folder: PathBuf) -> Result<String> {
    if folder.starts_with(std::path::absolute(&data.data)?) {
        bail!(
            "{} is inside the data folder: a backup there would be lost with it",
            folder.display()
        );
    }
    Ok(folder.display().to_string())
}

fn take(data: &DataArg, args: &Args) -> Result<ExitCode> {
    let Some(destination) = &args.destination else {
        bail!("where to?");
    };
    let destination = match destination.contains("://") {
        true => with_files(destination)?,
        false => beside(data, std::path::absolute(destination)?)?,
    };
    let passphrase = args.passphrase_file.as_deref().map(read_passphrase);
    let wanted = json!({"destination": destination, "with_keys": args.with_keys, "passphrase": passphrase.transpose()?});
    let point = admin::follow(data, "backup/start", wanted, &|progress| line(progress))?;
    let lost = point["lost"].as_array().map_or(&[][..], Vec::as_slice);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&point)?);
    } else {
        println!(
            "backup {} holds {} rows and {} of blocks; {} were new",
            point["point"].as_str().unwrap_or_default(),
            HumanCount(point["rows"].as_u64().unwrap_or(0)),
            HumanBytes(point["block_bytes"].as_u64().unwrap_or(0)),
            HumanBytes(point["new_bytes"].as_u64().unwrap_or(0)),
        );
        println!("{}", about_keys(&point));
        for block in lost {
            println!(
                "not in it, because no copy of it is undamaged: block {}",
                block.as_str().unwrap_or_default()
            );
        }
    }
    Ok(if lost.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a person must know about the keys of a backup.
fn about_keys(point: &Value) -> String {
    match point["keys"].as_str() {
        Some("plain") => "The keys are in it: whoever has this backup can read every file.".into(),
        Some("sealed") => {
            "The keys are in it, sealed: without the passphrase its files cannot be read.".into()
        }
        _ => format!(
            "The keys are NOT in it: without a copy of the key ring (versions {}) nobody can read its files. Keep keys/kek.json elsewhere.",
            point["key_versions"]
        ),
    }
}

fn list(source: &str, json: bool) -> Result<ExitCode> {
    let points = backup::points(&existing(source)?)?;
    if json {
        let all: Vec<Value> = points.iter().map(summary).collect();
        println!("{}", serde_json::to_string_pretty(&all)?);
        return Ok(ExitCode::SUCCESS);
    }
    for point in &points {
        let keys = match point.keys {
            KeysIncluded::No => "without keys",
            KeysIncluded::Plain => "with keys",
            KeysIncluded::Sealed => "with sealed keys",
        };
        let lost = match point.lost.len() {
            0 => String::new(),
            n => format!("\t{n} BLOCKS LOST"),
        };
        println!(
            "{}\t{}\t{} rows\t{}\t{keys}{lost}",
            point.name,
            moment::text(point.at_ms),
            point.row_count,
            HumanBytes(point.block_bytes()),
        );
    }
    println!("{} points", points.len());
    Ok(ExitCode::SUCCESS)
}

fn verify(
    depot: &Depot,
    point: &Point,
    ring: Option<Keyring>,
    passphrase_file: Option<&Path>,
) -> Result<ExitCode> {
    let passphrase = passphrase_file.map(passphrase).transpose()?;
    // The rows are opened as a store, in the folder for temporary files ($TMPDIR), readable by this user alone.
    let scratch = tempfile::tempdir()?;
    let shown = admin::Shown::new();
    let report = backup::verify(
        depot,
        point,
        ring,
        passphrase.as_ref(),
        scratch.path(),
        &mut |progress| {
            shown.show(&line(&json!(progress)));
            true
        },
    )?;
    drop(shown);
    for problem in &report.problems {
        println!("broken: {problem}");
    }
    println!(
        "{}: {} rows and {} blocks ({}) read back, {}: {}",
        point.name,
        HumanCount(report.rows),
        HumanCount(report.blocks),
        HumanBytes(report.bytes),
        match report.decrypted {
            true => "every block decrypted and hashed",
            false =>
                "checksums only, for want of the keys: whether your copy of them fits was NOT tried",
        },
        match report.problems.len() {
            0 => "all is well".to_owned(),
            n => format!("{n} problems"),
        },
    );
    Ok(if report.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn prune(source: &str, keep: Keep) -> Result<ExitCode> {
    let report = backup::prune(&existing(source)?, keep, now_ms())?;
    for name in &report.removed {
        println!("removed {name}");
    }
    println!(
        "{} points are left; {} objects ({}) went",
        report.kept,
        HumanCount(report.objects),
        HumanBytes(report.bytes)
    );
    Ok(ExitCode::SUCCESS)
}

/// The ring of the data folder, where the backup has none.
fn own_ring(data: &DataArg, point: &Point) -> Result<Option<Keyring>> {
    let path = data.data.join("keys/kek.json");
    match point.keys == KeysIncluded::No && path.exists() {
        true => Ok(Some(Keyring::load(Source::File(path))?)),
        false => Ok(None),
    }
}

/// A place that must be there already.
pub fn existing(source: &str) -> Result<Depot> {
    if !source.contains("://") && !Path::new(source).is_dir() {
        bail!("there is no folder {source}");
    }
    Ok(Depot::open(&with_files(source)?)?)
}

/// A URL's options may name files, counted from where this command runs.
fn with_files(place: &str) -> Result<String> {
    Ok(object::with_folder(place, &std::env::current_dir()?))
}

/// The passphrase in a file.
pub fn passphrase(file: &Path) -> Result<Passphrase> {
    Ok(Passphrase::new(&read_passphrase(file)?)?)
}

fn read_passphrase(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("passphrase file {}", file.display()))
}

/// How far it is.
fn line(progress: &Value) -> String {
    let number = |key: &str| progress[key].as_u64().unwrap_or(0);
    let total = match number("bytes_total") {
        0 => String::new(),
        total => format!(" of at most {}", HumanBytes(total)),
    };
    format!(
        "{}: {} rows, {} blocks, {}{total}",
        progress["phase"].as_str().unwrap_or("starting"),
        HumanCount(number("rows")),
        HumanCount(number("blocks")),
        HumanBytes(number("bytes")),
    )
}

/// Shows a restore's progress.
pub fn show(shown: &admin::Shown, progress: &Progress) -> bool {
    shown.show(&line(&json!(progress)));
    true
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    storage::meta::Env::system().clock.now_ms()
}
