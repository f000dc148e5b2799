//! What operators watch: counts and times by route, with bounded labels.

use std::sync::OnceLock;

use axum::http::StatusCode;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Upper bounds of the request-time histogram's buckets, seconds.
const BUCKETS_S: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the process's recorder, once; where another stands already, that one stays.
pub fn install() {
    RECORDER.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS_S).ok()?;
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
