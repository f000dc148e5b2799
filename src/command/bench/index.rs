//! `bench index`: what Firefly's index costs, beside a plain tantivy index of the same text made in the same run.
//!
//! Needs no server: it works in a temporary folder. Files are stored and marked as extracted first, which is not measured;
//! then the indexer follows the logs, as it does in a server, until everything is committed and merged.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indexer::Indexer;
use rand::Rng;
use storage::chunk::content_hash;
use storage::extraction::{EXTRACTOR_VERSION, ExtractionRecord, Outcome, TextSource};
use storage::meta::{Actor, Address, NewFile, WriteMode};
use tantivy::indexer::IndexWriterOptions;
use tantivy::schema::{FAST, STORED, Schema, TEXT};
use tantivy::{Index, TantivyDocument};

use super::corpus::{Text, files_below, random_of};
use super::report::Report;
use crate::config::{Config, DataArg};
use crate::node::Node;

/// Threads that store files.
const STORING: u64 = 16;
/// Extractions that are recorded at a time.
const RECORDED: usize = 256;
/// How often it is asked whether the index is through.
const LOOK: Duration = Duration::from_millis(100);
/// How long that may take.
const LIMIT: Duration = Duration::from_secs(3600);

/// The costs of the index.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Text files to use as documents [default: seeded text]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Documents of seeded text
    #[arg(long, default_value_t = 150_000)]
    documents: u64,
    /// Namespaces that they lie in, one after the other
    #[arg(long, default_value_t = 5_000)]
    namespaces: u64,
    /// Folder to work in, removed at the end [default: the system's]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

/// The documents.
enum Source {
    Files(Vec<PathBuf>),
    Seeded { text: Text, seed: u64, count: u64 },
}

/// What an index cost.
struct Cost {
    cpu_s: f64,
    bytes: u64,
}

/// Runs it.
pub fn run(args: &Args, seed: u64) -> Result<Report> {
    let source = match &args.corpus {
        Some(folder) => Source::Files(files_below(folder)?),
        None => Source::Seeded {
            text: Text::new(seed),
            seed,
            count: args.documents,
        },
    };
    let scratch = match &args.scratch {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None => tempfile::tempdir()?,
    };
    let data = DataArg {
        data: scratch.path().join("data"),
    };
    let config = Config::without_flags(&data)?;
    eprintln!("plain index");
    let plain_dir = scratch.path().join("plain");
    let memory_bytes = config.shards * config.shard_memory_bytes;
    let (plain, text_bytes) = plain(&source, &plain_dir, memory_bytes)?;
    std::fs::remove_dir_all(&plain_dir)?;
    let node = Node::open(&config)?;
    eprintln!("storing files");
    start(&config, &node)?.stop(); // the logs are followed from here on
    store(&node, &source, args.namespaces.max(1))?;
    eprintln!("Firefly's index");
    let firefly = firefly(&config, &node)?;
    let mut report = Report::new(format!(
        "index: {} documents in {} namespaces, {:.0} MB of text",
        source.len(),
        args.namespaces,
        mb(text_bytes)
    ));
    let blocks = size_of(&config.data.join("blocks"))?;
    let share = |bytes: u64| bytes as f64 / text_bytes.max(1) as f64;
    let figures = [
        ("text_mb", mb(text_bytes)),
        ("plain_cpu_s", plain.cpu_s),
        ("plain_mb", mb(plain.bytes)),
        ("firefly_cpu_s", firefly.cpu_s),
        ("firefly_index_mb", mb(firefly.bytes)),
        ("firefly_stored_text_mb", mb(blocks)),
        ("cpu_ratio", firefly.cpu_s / plain.cpu_s),
        ("plain_per_text", share(plain.bytes)),
        ("index_per_text", share(firefly.bytes)),
        (
            "index_and_stored_text_per_text",
            share(firefly.bytes + blocks),
        ),
    ];
    let figures = figures.map(|(name, value)| (name.to_owned(), value));
    report.figures.extend(figures);
    Ok(report)
}

impl Source {
    fn len(&self) -> u64 {
        match self {
            Source::Files(files) => files.len() as u64,
            Source::Seeded { count, .. } => *count,
        }
    }

    /// Name and text of a document.
    fn document(&self, number: u64) -> Result<(String, String)> {
        match self {
            Source::Files(files) => {
                let path = &files[number as usize];
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let text = std::fs::read_to_string(path);
                Ok((
                    format!("{number} {name}"),
                    text.with_context(|| format!("{}", path.display()))?,
                ))
            }
            Source::Seeded { text, seed, .. } => {
                let mut random = random_of(*seed, number);
                let bytes = random.random_range(1_000..20_000);
                let name = format!("{} {number}.txt", text.word(&mut random));
                Ok((name, text.text(&mut random, bytes)))
            }
        }
    }
}

/// One index with names and bodies, positions and stored text, its writer's memory as much as all shards have together; the size
/// of the text too.
fn plain(source: &Source, dir: &Path, memory_bytes: usize) -> Result<(Cost, u64)> {
    std::fs::create_dir_all(dir)?;
    let mut schema = Schema::builder();
    let number = schema.add_u64_field("number", FAST);
    let name = schema.add_text_field("name", TEXT | STORED);
    let body = schema.add_text_field("body", TEXT | STORED);
    let index = Index::create_in_dir(dir, schema.build())?;
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .memory_budget_per_thread(memory_bytes)
        .build();
    let before = cpu_s()?;
    let mut writer = index.writer_with_options(options)?;
    let mut text_bytes = 0;
    for i in 0..source.len() {
        let (title, text) = source.document(i)?;
        text_bytes += text.len() as u64;
        let mut document = TantivyDocument::new();
        document.add_u64(number, i);
        document.add_text(name, title);
        document.add_text(body, text);
        writer.add_document(document)?;
    }
    writer.commit()?;
    writer.wait_merging_threads()?;
    let cost = Cost {
        cpu_s: cpu_s()? - before,
        bytes: size_of(dir)?,
    };
    Ok((cost, text_bytes))
}

/// Stores the documents in namespaces of their own and records that they are extracted.
fn store(node: &Node, source: &Source, namespaces: u64) -> Result<()> {
    let owners: Vec<Actor> = (0..namespaces)
        .map(|n| {
            let email = format!("owner-{n}@bench.invalid");
            Ok(node.meta.create_account(&email, "", false)?.actor())
        })
        .collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..STORING)
            .map(|first| {
                let owners = &owners;
                scope.spawn(move || -> Result<()> {
                    for i in (first..source.len()).step_by(STORING as usize) {
                        let (name, text) = source.document(i)?;
                        let owner = owners[(i % namespaces) as usize];
                        store_one(node, owner, &name, text.as_bytes())?;
                    }
                    Ok(())
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| match thread.join() {
                Ok(stored) => stored,
                Err(_) => bail!("a thread panicked"),
            })
    })?;
    let record = ExtractionRecord {
        version: EXTRACTOR_VERSION,
        outcome: Outcome::Text,
        file_type: "text".into(),
        category: "text".into(),
        text: TextSource::Content,
        ..ExtractionRecord::default()
    };
    let mut after = None;
    loop {
        let jobs = node.extractions.next_jobs(after, RECORDED, RECORDED)?;
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        after = Some(last.account);
        let finished: Vec<_> = jobs.iter().map(|job| (job, &record)).collect();
        node.extractions.finish_all(&finished)?;
    }
}

fn store_one(node: &Node, owner: Actor, name: &str, text: &[u8]) -> Result<()> {
    let blocks = vec![node.blocks.put(text)?];
    let file = NewFile {
        size: text.len() as u64,
        content_hash: content_hash(&blocks),
        blocks,
        mode: WriteMode::Overwrite,
        autorename: false,
        strict_conflict: false,
        client_modified_ms: None,
    };
    let at = Address::parse(&format!("/{name}"))?;
    node.meta.commit_file(owner, &at, &file)?;
    Ok(())
}

fn start(config: &Config, node: &Node) -> Result<Indexer> {
    let indexer = Indexer::start(
        node.meta.clone(),
        node.journal.clone(),
        node.extractions.clone(),
        node.blocks.clone(),
        &config.data.join("index"),
        indexer::Options {
            shards: u16::try_from(config.shards)?,
            memory_bytes: config.shard_memory_bytes,
            ..indexer::Options::default()
        },
    )?;
    wait(&indexer)?;
    Ok(indexer)
}

/// Follows the logs to their ends.
fn firefly(config: &Config, node: &Node) -> Result<Cost> {
    let before = cpu_s()?;
    start(config, node)?.stop();
    Ok(Cost {
        cpu_s: cpu_s()? - before,
        bytes: size_of(&config.data.join("index"))?,
    })
}

/// Waits until every shard has everything.
fn wait(indexer: &Indexer) -> Result<()> {
    let begun = Instant::now();
    loop {
        let status = indexer.status();
        if let Some(error) = status.shards.iter().find_map(|shard| shard.error.clone()) {
            bail!("the index stands still: {error}");
        }
        let opened = status.shards.iter().all(|shard| shard.complete);
        if opened && status.lag() == 0 {
            return Ok(());
        }
        if begun.elapsed() > LIMIT {
            bail!("not indexed after {LIMIT:?}");
        }
        std::thread::sleep(LOOK);
    }
}

/// Bytes of all files below a folder.
fn size_of(dir: &Path) -> Result<u64> {
    let sizes = files_below(dir)?;
    let sizes = sizes.iter().map(|path| Ok(std::fs::metadata(path)?.len()));
    sizes.sum()
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// CPU time of this process so far, seconds (Linux: 100 ticks a second).
fn cpu_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(str::parse::<u64>).sum::<Result<_, _>>()?;
    Ok(ticks as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_indexes_are_made_and_measured() {
        let args = Args {
            corpus: None,
            documents: 40,
            namespaces: 7,
            scratch: None,
        };
        let report = run(&args, 1).expect("a report");
        for name in [
            "text_mb",
            "plain_mb",
            "firefly_index_mb",
            "firefly_stored_text_mb",
        ] {
            assert!(report.figures[name] > 0.0, "{name}");
        }
    }
}
