//! What a benchmark found, as a table and as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use super::load::Done;

/// Longest latency that is told apart, microseconds.
const MAX_US: u64 = 600_000_000;

/// A benchmark's result.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// One line about what was measured.
    pub title: String,
    /// Figures by name, with their unit in the name.
    pub figures: BTreeMap<String, f64>,
    /// Latencies by class.
    pub latencies: Vec<Latency>,
    /// The first errors, in words.
    pub errors: Vec<String>,
    /// How many there were.
    pub error_count: u64,
}

/// Percentiles of one class, milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    /// The class.
    pub class: String,
    /// Measurements.
    pub count: u64,
    /// Median.
    pub p50_ms: f64,
    /// 95th percentile.
    pub p95_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Report {
    /// An empty report with a title.
    pub fn new(title: impl Into<String>) -> Self {
        Report {
            title: title.into(),
            ..Report::default()
        }
    }

    /// True when a request failed.
    pub fn has_errors(&self) -> bool {
        self.error_count > 0
    }

    /// Notes an error; the first ten are kept.
    pub fn error(&mut self, error: &anyhow::Error) {
        self.error_count += 1;
        if self.errors.len() < 10 {
            self.errors.push(format!("{error:#}"));
        }
    }

    /// Adds ended requests: one latency row per class, with `prefix` before its name, and one over all classes when there are several.
    pub fn requests(&mut self, prefix: &str, ends: &[Done]) {
        let mut classes: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        for end in ends {
            match &end.class {
                Ok(class) => classes.entry(class).or_default().push(end.latency),
                Err(error) => self.error(error),
            }
        }
        for (class, latencies) in &classes {
            self.latency(format!("{prefix}{class}"), latencies);
        }
        if classes.len() > 1 {
            let all: Vec<_> = classes.into_values().flatten().collect();
            self.latency(format!("{prefix}all"), &all);
        }
    }

    /// Adds how long it took until files were found, once all that were looked for are, and what became an error.
    pub async fn found(
        &mut self,
        mut probed: UnboundedReceiver<JoinHandle<anyhow::Result<Duration>>>,
    ) -> anyhow::Result<()> {
        let mut latencies = Vec::new();
        while let Some(probe) = probed.recv().await {
            match probe.await? {
                Ok(latency) => latencies.push(latency),
                Err(error) => self.error(&error),
            }
        }
        self.latency("acknowledged to found".into(), &latencies);
        Ok(())
    }

    /// Adds one class of latencies.
    pub fn latency(&mut self, class: String, latencies: &[Duration]) {
        let Ok(mut histogram) = Histogram::<u64>::new_with_max(MAX_US, 3) else {
            return;
        };
        for latency in latencies {
            histogram.saturating_record(latency.as_micros() as u64);
        }
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        self.latencies.push(Latency {
            class,
            count: histogram.len(),
            p50_ms: ms(0.5),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            max_ms: histogram.max() as f64 / 1000.0,
        });
    }

    /// Prints the report for a person.
    pub fn print(&self) {
        println!("{}", self.title);
        for (name, value) in &self.figures {
            println!("  {name:<34} {value:>12.1}");
        }
        if !self.latencies.is_empty() {
            println!(
                "  {:<34} {:>8} {:>9} {:>9} {:>9} {:>9}",
                "ms", "count", "p50", "p95", "p99", "max"
            );
        }
        for row in &self.latencies {
            println!(
                "  {:<34} {:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.2}",
                row.class, row.count, row.p50_ms, row.p95_ms, row.p99_ms, row.max_ms
            );
        }
        if self.has_errors() {
            println!("  {} errors, the first:", self.error_count);
        }
        for error in &self.errors {
            println!("    {error}");
        }
    }
}
