//! `firefly migrate`: carries a stopped store to other engines or folders, and back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use storage::block::{self, Place, Target};
use storage::kv::{Store, Transaction, carry};

use crate::client::ServerAddress;
use crate::config::{Config, DataArg, Settings};
use crate::metadata;
use crate::node::{self, Node};
use crate::operations::Operations;

/// Between two lines about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Carries metadata, blocks and keys of a stopped store to where another settings file says: from the data folder to a database,
/// to other disks, to S3 or HDFS, and back. Compares instead of sending again what an interrupted run has brought, verifies rows by a hash
/// and every block by reading it. The store that it comes from stays as it is; nothing may be written to it from the start
/// of this command on.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings file of the destination; the folder that it lies in becomes the data folder there
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Do not read every block at the end (`firefly check` does it later)
    #[arg(long)]
    quick: bool,
}

/// Runs the command.
pub fn run(data: &DataArg, args: Args) -> Result<ExitCode> {
    let from = Config::without_flags(data)?;
    let to = destination(&args.to)?;
    if from.data == to.data {
        bail!(
            "{} is in the data folder that is to be carried",
            args.to.display()
        );
    }
    for folder in [&from.data, &to.data] {
        if ServerAddress::read(folder).is_some() {
            bail!("a server runs on {}: stop it first", folder.display());
        }
    }
    let begun = Instant::now();
    println!(
        "writes pause from now until the server is started on {}",
        to.data.display()
    );
    {
        let (source, destination) = (metadata::open(&from)?.store, metadata::open_empty(&to)?);
        let way = way(&from, &to, &*source)?;
        let carried = carry_blocks(way, to.replicas, &*source)?;
        carry_metadata(&*source, &*destination, carried.as_ref())?;
    }
    carry_keys(&from, &to)?;
    let answer =
        Operations::new(Node::open_stopped(&to)?).call("check", json!({"quick": args.quick}))?;
    let problems = answer["problems"].as_array().map_or(&[][..], Vec::as_slice);
    for problem in problems {
        println!("broken: {}", problem.as_str().unwrap_or_default());
    }
    if !problems.is_empty() {
        bail!(
            "the destination has {} problems; the store that it came from is as it was",
            problems.len()
        );
    }
    println!(
        "all is well with {} rows and {} blocks after {:.0} s; start the server with --data {}, where the index is made anew",
        answer["rows"],
        answer["blocks"],
        begun.elapsed().as_secs_f64(),
        to.data.display()
    );
    Ok(ExitCode::SUCCESS)
}

/// The destination's settings: its file alone, since the environment belongs to the store that it comes from.
fn destination(file: &Path) -> Result<Config> {
    let file = std::path::absolute(file)?;
    let folder = file
        .parent()
        .context("the settings file lies in no folder")?;
    let data = DataArg {
        data: folder.to_owned(),
    };
    Config::load(&data, Some(&file), Settings::default())
}

fn carry_metadata(
    source: &dyn Store,
    destination: &dyn Store,
    blocks: Option<&block::Carried>,
) -> Result<()> {
    let mut told = Instant::now();
    let mut progress = |rows| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            println!("{rows} rows so far");
        }
    };
    let mut place = |txn: &mut dyn Transaction| blocks.map_or(Ok(()), |blocks| blocks.place(txn));
    let carried = carry::carry_and(source, destination, &mut progress, &mut place)?;
    println!(
        "{} rows ({} of them sent), {} log heads and counters; SHA-256 on both sides: {}",
        carried.rows,
        carried.sent,
        carried.numbers,
        carried
            .digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    );
    Ok(())
}

/// How blocks get to the destination.
enum Way {
    /// The destination has targets of the same names: these folders are copied, file by file; places on other machines are the same.
    Folders(Vec<(PathBuf, PathBuf)>),
    /// It has others: every extent is made anew there.
    Anew { from: Vec<Target>, to: Vec<Target> },
}

fn way(from: &Config, to: &Config, source: &dyn Store) -> Result<Way> {
    let there = node::targets(to);
    let here = block::known_targets(source, node::targets(from))?;
    let mut folders = Vec::new();
    for target in &here {
        match there.iter().find(|other| other.name == target.name) {
            Some(other) if other.place == target.place => {}
            // Else it is one bucket, with other options.
            Some(other) => {
                if let (Place::Folder(from), Place::Folder(to)) = (&target.place, &other.place) {
                    folders.push((from.clone(), to.clone()));
                }
            }
            None => {
                return Ok(Way::Anew {
                    from: here,
                    to: there,
                });
            }
        }
    }
    Ok(Way::Folders(folders))
}

/// Brings the blocks; returns what the rows of the destination are to say of them, where that is something else.
fn carry_blocks(way: Way, replicas: usize, source: &dyn Store) -> Result<Option<block::Carried>> {
    let (from, to) = match way {
        Way::Anew { from, to } => (from, to),
        Way::Folders(folders) => {
            for (from, to) in &folders {
                let (files, bytes) = copy_folder(from, to)?;
                println!(
                    "{}: {files} files with {bytes} bytes copied to {}",
                    from.display(),
                    to.display()
                );
            }
            return Ok(None);
        }
    };
    let mut told = Instant::now();
    let carried = block::carry(source, from, to, replicas, &mut |bytes| {
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            println!("{bytes} bytes of blocks so far");
        }
    })?;
    println!(
        "{} extents with {} bytes of blocks made anew, {} were there; {} blocks have no undamaged copy",
        carried.extents, carried.bytes, carried.were_there, carried.lost
    );
    Ok(Some(carried))
}

/// Copies the files that are not there in the same length; returns how many, and their bytes.
fn copy_folder(from: &Path, to: &Path) -> Result<(u64, u64)> {
    fs::create_dir_all(to).with_context(|| format!("make {}", to.display()))?;
    let (mut files, mut copied) = (0, 0);
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((0, 0)),
        entries => entries.with_context(|| format!("list {}", from.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        let (length, target) = (entry.metadata()?.len(), to.join(entry.file_name()));
        let there = fs::metadata(&target).is_ok_and(|there| there.len() == length);
        if entry.file_type()?.is_file() && !there {
            copied += copy_file(&entry.path(), &target)?;
            files += 1;
        }
    }
    File::open(to)?.sync_all()?;
    Ok((files, copied))
}

/// Copies a file, whole and synced or not at all, with its permissions.
fn copy_file(from: &Path, to: &Path) -> Result<u64> {
    let temporary = to.with_extension("carrying");
    let copied = fs::copy(from, &temporary)
        .and_then(|bytes| File::open(&temporary)?.sync_all().map(|()| bytes))
        .with_context(|| format!("copy {} to {}", from.display(), temporary.display()))?;
    fs::rename(&temporary, to)?;
    Ok(copied)
}

/// The keys, when they are a file, and the admin's token.
fn carry_keys(from: &Config, to: &Config) -> Result<()> {
    for name in ["keys/kek.json", "admin.token"] {
        let (source, target) = (from.data.join(name), to.data.join(name));
        let of_a_command = name.starts_with("keys/") && to.kek_command.is_some();
        if of_a_command || !source.exists() {
            continue;
        }
        if !target.exists() {
            if let Some(folder) = target.parent() {
                crate::node::make_private_folder(folder)?;
            }
            copy_file(&source, &target)?;
        } else if fs::read(&source)? != fs::read(&target)? {
            bail!("{} is there already, and another one", target.display());
        }
    }
    Ok(())
}
