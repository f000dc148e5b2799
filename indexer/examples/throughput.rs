//! Measures what indexing text costs: tokens alone, then documents into an index of one namespace.
//!
//! `cargo run --release -p indexer --example throughput FOLDER [MEGABYTES]`

use std::path::{Path, PathBuf};
use std::time::Instant;

use indexer::analyse::{Analyser, Language, Mode, Stems, Words};
use indexer::schema::{register, schema};
use indexer::term::{Tag, marked};
use storage::meta::NamespaceId;
use tantivy::indexer::{IndexWriterOptions, NoMergePolicy};
use tantivy::{Index, TantivyDocument};

/// Files beyond this are left out, bytes.
const MAX_FILE_BYTES: u64 = 256 << 10;

fn texts(folder: &Path, mut limit: usize) -> std::io::Result<Vec<(String, String)>> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut texts = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && (200..MAX_FILE_BYTES).contains(&entry.metadata()?.len()) {
                let Ok(text) = std::fs::read_to_string(entry.path()) else {
                    continue;
                };
                limit = limit.saturating_sub(text.len());
                texts.push((entry.file_name().to_string_lossy().into_owned(), text));
                if limit == 0 {
                    return Ok(texts);
                }
            }
        }
    }
    Ok(texts)
}

/// CPU time of this process so far, seconds (Linux, 100 ticks a second).
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<u64>().ok())
            .unwrap_or(0)
    };
    (ticks(11) + ticks(12)) as f64 / 100.0
}

fn report(what: &str, megabytes: f64, began: (Instant, f64)) {
    let cpu = cpu_s() - began.1;
    println!(
        "{what}: wall {:.1} s, CPU {cpu:.1} s, {:.1} MB per CPU second",
        began.0.elapsed().as_secs_f64(),
        megabytes / cpu
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("a folder is needed")?);
    let limit: usize = arguments.next().map_or(Ok(200), |text| text.parse())?;
    let texts = texts(&folder, limit << 20)?;
    let bytes: usize = texts.iter().map(|(_, text)| text.len()).sum();
    let megabytes = bytes as f64 / 1e6;
    println!("{} files, {megabytes:.0} MB", texts.len());

    let began = (Instant::now(), cpu_s());
    let (mut tokens, mut buffer) = (0u64, String::new());
    for (_, text) in &texts {
        let mut words = Words::new(text, Mode::Index);
        while words.advance(&mut buffer, 0).is_some() {
            tokens += 1;
        }
    }
    report(&format!("{tokens} words"), megabytes, began);
    let began = (Instant::now(), cpu_s());
    let (mut stems, mut found) = (Stems::default(), 0u64);
    for (_, text) in &texts {
        let mut words = Words::new(text, Mode::Index);
        while words.advance(&mut buffer, 0).is_some() {
            found += u64::from(stems.replace(Language::ENGLISH, &mut buffer, 0));
        }
    }
    report(&format!("{found} stems"), megabytes, began);

    let began = (Instant::now(), cpu_s());
    let (mut analyser, mut written) = (Analyser::default(), 0);
    for (_, text) in &texts {
        let analysed = analyser.analyse(text, Language::ENGLISH);
        written += analysed.words.len() + analysed.wide.len();
    }
    report(&format!("{written} bytes analysed"), megabytes, began);

    for fields_used in ["body", "body+wide"] {
        let dir = tempfile::tempdir()?;
        let (schema, fields) = schema();
        let index = Index::create_in_dir(dir.path(), schema)?;
        register(&index);
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(32 << 20)
            .build();
        let began = (Instant::now(), cpu_s());
        let mut writer = index.writer_with_options(options)?;
        writer.set_merge_policy(Box::new(NoMergePolicy)); // merges would hide what a field costs
        let ns = NamespaceId(3);
        for (file, (name, text)) in texts.iter().enumerate() {
            let mut document = TantivyDocument::new();
            document.add_u64(fields.file, file as u64);
            document.add_u64(fields.namespace, ns.0);
            document.add_text(fields.name, marked(ns, name));
            document.add_text(fields.tag, marked(ns, &Tag::Live.token()));
            let analysed = analyser.analyse(text, Language::ENGLISH);
            document.add_text(fields.body, marked(ns, &analysed.words));
            if fields_used.ends_with("wide") {
                document.add_text(fields.wide, &analysed.wide);
            }
            writer.add_document(document)?;
        }
        writer.commit()?;
        writer.wait_merging_threads()?;
        report(fields_used, megabytes, began);
        let bytes: u64 = std::fs::read_dir(dir.path())?
            .filter_map(|entry| entry.ok()?.metadata().ok())
            .map(|file| file.len())
            .sum();
        println!(
            "  {} segments, {:.0} MB on disk",
            index.searchable_segments()?.len(),
            bytes as f64 / 1e6
        );
    }
    Ok(())
}
