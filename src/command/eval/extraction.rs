//! The text of every file of a corpus, through the same worker processes that the server uses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use indexer::extract::{Extraction, Limits, WorkerCommand, WorkerPool};
use indexer::late::{HelperOptions, help};

/// Extracts everything below `folder` into `out`, with the help of `helpers`, and prints how it ended by outcome.
pub fn run(folder: &Path, out: &Path, helpers: &HelperOptions) -> Result<()> {
    let files = files(folder)?;
    std::fs::create_dir_all(out).with_context(|| format!("make {}", out.display()))?;
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let worker = WorkerCommand::current_exe()?;
    let pool = WorkerPool::new(worker.clone(), workers, Limits::default());
    let extract = |name: &str, bytes: &[u8]| {
        let given = pool.extract(name, bytes);
        help(helpers, &worker, name, bytes, given)
    };
    let (next, outcomes) = (
        AtomicUsize::new(0),
        Mutex::new(BTreeMap::<String, u64>::new()),
    );
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers)
            .map(|_| scope.spawn(|| work(&files, &next, &extract, out, &outcomes)))
            .collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|_| anyhow::bail!("a thread panicked"))
        })
    })?;
    println!(
        "{} files in {:.1} s",
        files.len(),
        begun.elapsed().as_secs_f64()
    );
    for (outcome, count) in outcomes.into_inner().unwrap_or_default() {
        println!("  {outcome:<24} {count}");
    }
    Ok(())
}

fn work(
    files: &[PathBuf],
    next: &AtomicUsize,
    extract: &(dyn Fn(&str, &[u8]) -> Extraction + Sync),
    out: &Path,
    outcomes: &Mutex<BTreeMap<String, u64>>,
) -> Result<()> {
    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        let extraction = extract(&name, &bytes);
        let title = extraction
            .title
            .map(|title| format!("{title}\n"))
            .unwrap_or_default();
        std::fs::write(out.join(format!("{name}.txt")), title + &extraction.text)?;
        let outcome = format!("{:?}", extraction.outcome);
        let outcome = outcome
            .split([' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned();
        if let Ok(mut outcomes) = outcomes.lock() {
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    Ok(())
}

/// The files that the manifest lists, or all files below a folder without one.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(manifest) = std::fs::read_to_string(folder.join("manifest.jsonl")) else {
        return below(folder);
    };
    let paths = manifest
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line)?;
            Ok(folder.join(
                entry["path"]
                    .as_str()
                    .context("a manifest line without path")?,
            ))
        });
    paths.collect()
}

fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => found.extend(below(&entry.path())?),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found.sort();
    Ok(found)
}
