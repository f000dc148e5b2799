//! Measures searches over many namespaces, two ways: prefixed terms of each namespace, and the wide fields' unprefixed terms
//! with a filter over the namespace column. The table stands in docs/decisions/0001-terms-and-namespaces.md.
//!
//! `cargo run --release -p indexer --example namespaces [DOCUMENTS]`

use std::collections::HashSet;
use std::ops::Range;
use std::time::{Duration, Instant};

use indexer::analyse;
use indexer::schema::{Fields, register, schema};
use indexer::term::{self, Tag, Terms, marked};
use storage::meta::NamespaceId;
use tantivy::collector::{Count, FilterCollector, TopDocs};
use tantivy::indexer::IndexWriterOptions;
use tantivy::query::{AllQuery, BooleanQuery, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, Searcher, TantivyDocument, Term};

/// Namespaces in the shard; sizes fall off as 1 / rank.
const NAMESPACES: u64 = 12_000;
/// Different words; frequencies fall off as 1 / rank.
const WORDS: u64 = 60_000;
/// Words of one document.
const WORDS_PER_DOCUMENT: usize = 150;
/// Words a prefix stands for, at most, in each namespace (or everywhere).
const EXPANSION: usize = 64;
/// Terms in one query, at most.
const MAX_TERMS: usize = 20_000;
/// Queries per cell of the table.
const QUERIES: usize = 40;

struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A rank in 1..=n, the first ones most often.
    fn zipf(&mut self, n: u64) -> u64 {
        ((n as f64).powf(self.unit()) as u64).clamp(1, n)
    }
}

/// A pronounceable word of a rank, so that prefixes are shared as in a language.
fn word(rank: u64) -> String {
    let syllables = [
        "ka", "lo", "mi", "ter", "san", "ve", "no", "ri", "pal", "du", "en", "is", "ba", "cor",
        "fi", "gu",
    ];
    let mut rest = rank.wrapping_mul(0x9e37_79b1) % (1 << 20);
    (0..5)
        .map(|_| {
            let s = syllables[(rest & 15) as usize];
            rest >>= 4;
            s
        })
        .collect()
}

fn build(documents: usize, wide: bool) -> tantivy::Result<(Index, Fields, tempfile::TempDir)> {
    let dir = tempfile::tempdir()?;
    let (schema, fields) = schema();
    let index = Index::create_in_dir(dir.path(), schema)?;
    register(&index);
    let options = IndexWriterOptions::builder()
        .num_worker_threads(1)
        .memory_budget_per_thread(64 << 20)
        .build();
    let mut writer = index.writer_with_options(options)?;
    let mut dice = Dice(42);
    let mut analyser = analyse::Analyser::default();
    let began = Instant::now();
    let cpu = cpu_ms();
    for file in 1..=documents as u64 {
        let ns = NamespaceId(dice.zipf(NAMESPACES));
        let text: String = (0..WORDS_PER_DOCUMENT)
            .map(|_| word(dice.zipf(WORDS)) + " ")
            .collect();
        let name = format!("{}-{}.txt", word(dice.zipf(WORDS)), word(dice.zipf(WORDS)));
        let mut document = TantivyDocument::new();
        document.add_u64(fields.file, file);
        document.add_u64(fields.namespace, ns.0);
        document.add_u64(fields.category, file % 13);
        document.add_text(fields.name, marked(ns, &name));
        let analysed = analyser.analyse(&text, analyse::Language::ENGLISH);
        document.add_text(fields.body, marked(ns, &analysed.words));
        document.add_text(fields.tag, marked(ns, &Tag::Live.token()));
        if wide {
            document.add_text(fields.wide_name, &name);
            document.add_text(fields.wide, &analysed.wide);
        }
        writer.add_document(document)?;
    }
    writer.commit()?;
    writer.wait_merging_threads()?;
    let bytes: u64 = std::fs::read_dir(dir.path())?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .map(|file| file.len())
        .sum();
    println!(
        "built {} documents, wide fields: {wide}: wall {:.1} s, CPU {:.1} s, {} MB",
        documents,
        began.elapsed().as_secs_f64(),
        (cpu_ms() - cpu) as f64 / 1000.0,
        bytes >> 20
    );
    Ok((index, fields, dir))
}

/// CPU time of this process so far, milliseconds (Linux, 100 ticks a second).
fn cpu_ms() -> u64 {
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
    (ticks(11) + ticks(12)) * 10
}

/// The terms among `wanted` that any segment has: absent ones cost a lookup and nothing more.
fn present(searcher: &Searcher, wanted: Vec<Term>) -> tantivy::Result<Vec<Term>> {
    let mut found = Vec::new();
    for term in wanted {
        for segment in searcher.segment_readers() {
            if segment
                .inverted_index(term.field())?
                .terms()
                .get(term.serialized_value_bytes())?
                .is_some()
            {
                found.push(term);
                break;
            }
        }
    }
    Ok(found)
}

fn union(terms: Vec<Term>) -> Box<dyn Query> {
    let queries = terms
        .into_iter()
        .map(|term| Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Box<dyn Query>);
    Box::new(BooleanQuery::union(queries.collect()))
}

/// The most frequent words in a range of a field's dictionary.
fn expand(searcher: &Searcher, range: &Range<Vec<u8>>, field: Field) -> tantivy::Result<Vec<Term>> {
    let mut found: Vec<(u32, Vec<u8>)> = Vec::new();
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(field)?;
        let mut stream = inverted
            .terms()
            .range()
            .ge(&range.start)
            .lt(&range.end)
            .into_stream()?;
        while stream.advance() {
            found.push((stream.value().doc_freq, stream.key().to_vec()));
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    found.dedup_by(|a, b| a.1 == b.1);
    found.truncate(EXPANSION);
    Ok(found
        .into_iter()
        .filter_map(|(_, key)| {
            Some(Term::from_field_text(
                field,
                std::str::from_utf8(&key).ok()?,
            ))
        })
        .collect())
}

struct Bench<'a> {
    searcher: &'a Searcher,
    fields: &'a Fields,
    chosen: &'a [NamespaceId],
    set: HashSet<u64>,
}

impl Bench<'_> {
    fn top(&self, query: &dyn Query, filtered: bool) -> tantivy::Result<usize> {
        let top = TopDocs::with_limit(20).order_by_score();
        if !filtered {
            return Ok(self.searcher.search(query, &(top, Count))?.1);
        }
        let set = self.set.clone();
        let collector = FilterCollector::new(
            "namespace".to_owned(),
            move |ns: u64| set.contains(&ns),
            (top, Count),
        );
        Ok(self.searcher.search(query, &collector)?.1)
    }

    fn each(&self, make: impl Fn(&Terms<'_>) -> Vec<Term>) -> Vec<Term> {
        self.chosen
            .iter()
            .flat_map(|&ns| make(&Terms::of(self.fields, ns)))
            .collect()
    }

    fn words(&self, words: &[String], filtered: bool) -> tantivy::Result<usize> {
        let mut must: Vec<Box<dyn Query>> = Vec::new();
        for word in words {
            let stem =
                analyse::stem(analyse::Language::ENGLISH, word).unwrap_or_else(|| word.clone());
            let wanted = if filtered {
                vec![
                    term::wide_name(self.fields, word),
                    term::wide(self.fields, &stem),
                ]
            } else {
                self.each(|terms| vec![terms.name(word), terms.word(word)])
            };
            must.push(union(present(self.searcher, wanted)?));
        }
        self.top(&BooleanQuery::intersection(must), filtered)
    }

    fn prefix(&self, prefix: &str, filtered: bool) -> tantivy::Result<usize> {
        let mut found = Vec::new();
        if filtered {
            let range = prefix.as_bytes().to_vec()..storage::kv::prefix_end(prefix.as_bytes());
            for field in [self.fields.wide_name, self.fields.wide] {
                found.extend(expand(self.searcher, &range, field)?);
            }
        } else {
            for &ns in self.chosen {
                let range = Terms::of(self.fields, ns).expansion(prefix);
                for field in [self.fields.name, self.fields.body] {
                    found.extend(expand(self.searcher, &range, field)?);
                }
                if found.len() > MAX_TERMS {
                    break;
                }
            }
        }
        self.top(&*union(found), filtered)
    }

    fn facets(&self, filtered: bool) -> tantivy::Result<usize> {
        let query: Box<dyn Query> = if filtered {
            Box::new(AllQuery)
        } else {
            union(self.each(|terms| vec![terms.tag(Tag::Live)]))
        };
        self.top(&*query, filtered)
    }
}

fn timed(mut run: impl FnMut(usize) -> tantivy::Result<usize>) -> tantivy::Result<String> {
    let mut took: Vec<Duration> = Vec::new();
    for query in 0..QUERIES {
        let began = Instant::now();
        run(query)?;
        took.push(began.elapsed());
        if took.iter().sum::<Duration>() > Duration::from_secs(20) {
            break;
        }
    }
    took.sort();
    let ms = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    Ok(format!("{:.2} / {:.2}", ms(0.5), ms(0.95)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let documents = std::env::args()
        .nth(1)
        .map_or(Ok(60_000), |text| text.parse())?;
    build(documents, false)?;
    let (index, fields, _dir) = build(documents, true)?;
    let searcher = index.reader()?.searcher();
    println!(
        "{} segments; milliseconds, p50 / p95, one thread",
        searcher.segment_readers().len()
    );
    println!("| namespaces | query | prefixed terms | wide fields + filter |\n|---|---|---|---|");
    for count in [1u64, 20, 500, 10_000] {
        let first = if count == 1 { 40 } else { 2 };
        let chosen: Vec<NamespaceId> = (0..count)
            .map(|n| NamespaceId(first + n * (NAMESPACES / (count + 1)).max(1) % NAMESPACES))
            .collect();
        let set: HashSet<u64> = chosen.iter().map(|ns| ns.0).collect();
        let bench = Bench {
            searcher: &searcher,
            fields: &fields,
            chosen: &chosen,
            set,
        };
        let pair = |query: usize| vec![word(3 + query as u64 * 7), word(20 + query as u64 * 13)];
        let cells = [
            (
                "one word",
                timed(|q| bench.words(&pair(q)[..1], false))?,
                timed(|q| bench.words(&pair(q)[..1], true))?,
            ),
            (
                "two words",
                timed(|q| bench.words(&pair(q), false))?,
                timed(|q| bench.words(&pair(q), true))?,
            ),
            (
                "prefix of 4",
                timed(|q| bench.prefix(&pair(q)[0][..4], false))?,
                timed(|q| bench.prefix(&pair(q)[0][..4], true))?,
            ),
            (
                "all files",
                timed(|_| bench.facets(false))?,
                timed(|_| bench.facets(true))?,
            ),
        ];
        for (query, prefixed, filtered) in cells {
            println!("| {count} | {query} | {prefixed} | {filtered} |");
        }
    }
    Ok(())
}
