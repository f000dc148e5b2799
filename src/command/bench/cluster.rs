//! `bench cluster`: a set of processes with roles of their own, while ten files are written for each search: from an event's
//! publication to its consumer, from an upload's acknowledgement to its first hit, and searches through the network.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rand::Rng;
use serde_json::{Value, json};

use super::corpus::{Text, random_of};
use super::load::{Offer, offer};
use super::prometheus::Scraped;
use super::queries::Words;
use super::report::{Latency, Report};
use super::{fresh, search, setup};
use crate::client::Client;

/// Accounts that write, so that several shards have something to do.
const WRITERS: u64 = 8;
/// What `/metrics` calls the way of messages.
const WAYS: [(&str, &str, &str); 2] = [
    (
        "firefly_event_taken_seconds",
        "published to taken by",
        "event_taken_worst_p95_ms",
    ),
    (
        "firefly_event_done_seconds",
        "published to done by",
        "event_done_worst_p95_ms",
    ),
];

/// Processes with roles of their own.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Uploads a second
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Uploads for each search
    #[arg(long, default_value_t = 10)]
    writes_per_search: u64,
    /// Seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// One upload in this many is searched for until it is found; these searches come on top
    #[arg(long, default_value_t = 50)]
    probe_one_in: u64,
    /// Documents that are there before
    #[arg(long, default_value_t = 5_000)]
    documents: u64,
    /// Namespaces that they lie in; who searches has 1, 20, or up to 500 of them
    #[arg(long, default_value_t = 500)]
    namespaces: u64,
    /// Use the documents that an earlier run has left, as this file describes
    #[arg(long, value_name = "FILE", default_value = "bench-cluster.json")]
    state: PathBuf,
}

/// Runs it.
pub async fn run(admin: &Client, args: &Args, seed: u64) -> Result<Report> {
    let set = Set::of(admin).await?;
    let text = Arc::new(Text::new(seed));
    let filled = search::Args {
        documents: args.documents,
        namespaces: args.namespaces,
        giant: 0,
        corpus: None,
        rate: 0.0,
        seconds: 0,
        arriving: 0.0,
        state: args.state.clone(),
    };
    let users = search::prepared(admin, &filled, seed, &text).await?.users;
    let users = users.into_iter().map(|user| {
        let words = Words::of(&user.samples);
        (admin.with_token(&user.token), Arc::new((words, user.class)))
    });
    let users: Vec<_> = users.collect();
    let run = setup::run_name();
    let writers = setup::accounts(admin, &format!("cluster-{run}"), WRITERS).await?;
    let (before, load_average) = (set.scrape().await?, load_average());
    let (probes, probed) = tokio::sync::mpsc::unbounded_channel();
    let turn = args.writes_per_search + 1;
    let rate = args.rate * turn as f64 / args.writes_per_search.max(1) as f64;
    let load = Offer {
        rate,
        count: (rate * args.seconds as f64) as u64,
        connections: 64,
    };
    let (ends, seconds) = offer(load, |i| {
        let (write, n) = (i % turn != 0, i / turn);
        let writer = writers[(i % WRITERS) as usize].clone();
        let (searcher, user) = users[(n % users.len() as u64) as usize].clone();
        let mut random = random_of(seed, i);
        let (_, query) = user.0.query(&mut random);
        let word = fresh::word(&run, i);
        let bytes = random.random_range(1000..8000);
        let body = write.then(|| format!("{}\n{word}\n", text.text(&mut random, bytes)));
        let probe = (i - n) % args.probe_one_in.max(1) == 1;
        let probes = probes.clone();
        async move {
            let Some(body) = body else {
                let options = json!({"max_results": 20, "facets": true, "as_you_type": true});
                let argument = json!({"query": query, "options": options});
                let answer: Value = searcher.rpc("firefly/search", &argument).await?;
                if answer["partial"] == true {
                    bail!("a search was partial: {}", answer["missing_namespaces"]);
                }
                return Ok(user.1.clone());
            };
            let path = format!("/cluster/{}/{i}.txt", i / 500);
            setup::upload(&writer, &path, body).await?;
            if probe {
                let found = fresh::found(writer, path, word, Instant::now());
                probes.send(tokio::spawn(found)).ok();
            }
            Ok("upload".to_owned())
        }
    })
    .await;
    drop(probes);
    let mut report = Report::new(format!(
        "cluster: {} files/s and a search for each {} of them offered for {} s to {}; to reach: events taken p95 1,000 ms, found p95 2,000 ms, \
         searches p95 25 ms (promised: 10,000 and 250)",
        args.rate, args.writes_per_search, args.seconds, set.said
    ));
    let stored = ends
        .iter()
        .filter(|end| matches!(&end.class, Ok(class) if class == "upload"));
    let figures = &mut report.figures;
    figures.insert("acknowledged_per_s".into(), stored.count() as f64 / seconds);
    figures.insert("load_average_before".into(), load_average);
    let (searches, uploads): (Vec<_>, Vec<_>) = ends
        .into_iter()
        .partition(|end| matches!(&end.class, Ok(class) if class != "upload"));
    report.requests("", &uploads);
    report.requests("search, ", &searches);
    report.found(probed).await?;
    let after = set.scrape().await?;
    let calls = after.since(&before, "firefly_shard_calls_total");
    let figures = &mut report.figures;
    figures.insert("calls_to_shards_per_s".into(), calls as f64 / seconds);
    for (name, said, figure) in WAYS {
        let rows = after.latencies(&before, name);
        let worst = rows.iter().map(|row| row.p95_ms).fold(0.0, f64::max);
        report.figures.insert(figure.into(), worst);
        let rows = rows.into_iter().map(|row| Latency {
            class: format!("{said} {}", row.class),
            ..row
        });
        report.latencies.extend(rows);
    }
    Ok(report)
}

/// The processes that are measured.
struct Set {
    processes: Vec<Client>,
    /// How many, what each does, and on which engines, in words.
    said: String,
}

impl Set {
    async fn of(admin: &Client) -> Result<Set> {
        let status: Value = admin.rpc("firefly/admin/status", &json!({})).await?;
        let known = status["cluster"]["processes"].as_array();
        let known = known.context("the server is no process of a cluster: start one with tests/cluster up, or see docs/operations.md")?;
        let mut processes = Vec::new();
        let mut roles = Vec::new();
        for process in known {
            let url = process["url"].as_str().unwrap_or_default();
            processes.push(Client::new(url, "", None)?);
            let own = process["roles"].as_array().into_iter().flatten();
            let own: Vec<_> = own.filter_map(Value::as_str).collect();
            roles.push(own.join("+"));
        }
        roles.sort();
        let engine = |name: &Value| {
            let scheme = name.as_str().and_then(|name| name.split_once("://"));
            scheme.map_or("folder", |(scheme, _)| scheme).to_owned()
        };
        let targets = status["storage"]["targets"]
            .as_array()
            .into_iter()
            .flatten();
        let mut engines: BTreeSet<String> = targets.map(|target| engine(&target["name"])).collect();
        engines.insert(engine(&status["metadata"]));
        if let Some(broker) = status["broker"]["broker"].as_str() {
            engines.insert(engine(&broker.into()));
        }
        let engines: Vec<_> = engines.into_iter().collect();
        let said = format!(
            "{} processes ({}) on {}",
            roles.len(),
            roles.join(", "),
            engines.join(", ")
        );
        Ok(Set { processes, said })
    }

    /// What all of them have counted until now.
    async fn scrape(&self) -> Result<Scraped> {
        let mut scraped = Scraped::default();
        for process in &self.processes {
            let text = process.get("/metrics").await?;
            scraped.add(&String::from_utf8_lossy(&text));
        }
        Ok(scraped)
    }
}

/// Of the last minute; 0 where the system does not say.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first.and_then(|first| first.parse().ok()).unwrap_or(0.0)
}
