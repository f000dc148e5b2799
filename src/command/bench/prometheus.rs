//! Histograms of a Prometheus text, and percentiles between two of them.

use std::collections::BTreeMap;

use super::report::Latency;

/// What the buckets of a set of processes counted, by histogram and label.
#[derive(Debug, Default, Clone)]
pub struct Scraped {
    /// By name and value of the first label, by upper bound in microseconds: measurements up to there.
    buckets: BTreeMap<(String, String), BTreeMap<u64, u64>>,
    /// Sums of counters, whatever their labels.
    counters: BTreeMap<String, u64>,
}

impl Scraped {
    /// Adds what one process says.
    pub fn add(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((series, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let value = value.parse::<f64>().unwrap_or(0.0) as u64;
            match name.strip_suffix("_bucket") {
                Some(name) => self.bucket(name, labels, value),
                None => *self.counters.entry(name.to_owned()).or_default() += value,
            }
        }
    }

    fn bucket(&mut self, name: &str, labels: &str, value: u64) {
        let labels = labels.trim_end_matches('}').split(',');
        let (mut bound, mut class) = (None, String::new());
        for (key, label) in labels.filter_map(|label| label.split_once('=')) {
            let label = label.trim_matches('"');
            match key {
                "le" => bound = label.parse::<f64>().ok(),
                _ if class.is_empty() => class = label.to_owned(),
                _ => {}
            }
        }
        if let Some(bound) = bound {
            let bound_us = (bound * 1e6) as u64; // that of no bound saturates
            let histogram = self.buckets.entry((name.to_owned(), class)).or_default();
            *histogram.entry(bound_us).or_default() += value;
        }
    }

    /// How much a counter has grown since.
    pub fn since(&self, before: &Scraped, counter: &str) -> u64 {
        let of = |scraped: &Scraped| scraped.counters.get(counter).copied().unwrap_or(0);
        of(self).saturating_sub(of(before))
    }

    /// What a histogram's classes measured since, as far as its buckets tell: percentiles lie in their buckets as if these were filled
    /// evenly, and the longest is a bucket's end.
    pub fn latencies(&self, before: &Scraped, name: &str) -> Vec<Latency> {
        let own = self.buckets.iter().filter(|((of, _), _)| of == name);
        let own = own.filter_map(|(key, buckets)| {
            let known = before.buckets.get(key);
            let grown = buckets.iter().map(|(bound, count)| {
                let known = known.and_then(|known| known.get(bound)).copied();
                (*bound, count.saturating_sub(known.unwrap_or(0)))
            });
            latency(&key.1, &grown.collect::<Vec<_>>())
        });
        own.collect()
    }
}

/// None when nothing was measured.
fn latency(class: &str, cumulative: &[(u64, u64)]) -> Option<Latency> {
    let count = cumulative.last()?.1;
    let at = |quantile: f64| {
        let rank = quantile * count as f64;
        let mut below = (0, 0);
        for (bound, upto) in cumulative {
            if *upto as f64 >= rank && *upto > below.1 {
                let share = (rank - below.1 as f64) / (*upto - below.1) as f64;
                let end = if *bound == u64::MAX { below.0 } else { *bound };
                return (below.0 as f64 + share * (end - below.0) as f64) / 1000.0;
            }
            below = (*bound, *upto);
        }
        0.0
    };
    (count > 0).then(|| Latency {
        class: class.to_owned(),
        count,
        p50_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: at(1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_several_processes_lie_between_two_looks() {
        let one = |a: u64, b: u64| {
            format!(
                "# TYPE taken histogram\ntaken_bucket{{group=\"index\",le=\"0.1\"}} {a}\n\
                 taken_bucket{{group=\"index\",le=\"0.5\"}} {b}\n\
                 taken_bucket{{group=\"index\",le=\"+Inf\"}} {b}\ntaken_count{{group=\"index\"}} {b}\ncalls 7\n"
            )
        };
        let (mut before, mut after) = (Scraped::default(), Scraped::default());
        before.add(&one(10, 10));
        after.add(&one(50, 60));
        after.add(&one(50, 50));
        let rows = after.latencies(&before, "taken");
        assert_eq!((rows.len(), rows[0].count), (1, 100));
        assert_eq!((rows[0].class.as_str(), rows[0].p99_ms), ("index", 460.0));
        assert!((rows[0].p50_ms - 55.555).abs() < 0.01, "{rows:?}");
        assert_eq!(after.since(&before, "calls"), 7);
        assert!(after.latencies(&after, "taken").is_empty());
    }
}
