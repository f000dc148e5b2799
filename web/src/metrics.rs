//! What operators watch: counts and times by route, with bounded labels.

use std::sync::OnceLock;

use axum::http::StatusCode;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the request-time histogram's buckets, seconds.
const BUCKETS_S: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// The same for what takes its time between processes: narrow enough to tell percentiles by.
const NARROW_BUCKETS_S: [f64; 30] = [
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.035, 0.05, 0.075, 0.1, 0.15,
    0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.5, 2.0, 5.0, 10.0, 60.0, 600.0,
];
/// What the names of these begin with.
const NARROW: [&str; 2] = ["firefly_event_", "firefly_shard_call_"];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder, once; where another stands already, that one stays.
pub fn install() {
    RECORDER.get_or_init(|| {
        let mut builder = PrometheusBuilder::new().set_buckets(&BUCKETS_S).ok()?;
        for start in NARROW {
            let names = Matcher::Prefix(start.to_owned());
            builder = builder
                .set_buckets_for_metric(names, &NARROW_BUCKETS_S)
                .ok()?;
        }
        builder.install_recorder().ok()
    });
}

/// Everything recorded so far, in Prometheus's text form; empty without a recorder.
pub fn render() -> String {
    let handle = RECORDER.get().and_then(Option::as_ref);
    handle
        .map(|handle| {
            handle.run_upkeep();
            handle.render()
        })
        .unwrap_or_default()
}

/// Records one answered request. `route` is the router's pattern, never a path from outside.
pub fn request(route: &str, status: StatusCode, took_s: f64) {
    let class = match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        429 => "429",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("firefly_http_requests_total", "route" => route.to_string(), "status" => class).increment(1);
    metrics::histogram!("firefly_http_request_seconds", "route" => route.to_string())
        .record(took_s);
}
