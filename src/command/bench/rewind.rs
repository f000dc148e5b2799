//! `bench rewind`: a folder is attacked as ransomware does it, and made what it was in one operation; that is undone, and done again.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use super::report::Report;
use super::setup;
use crate::client::{Client, ServerAddress};
use crate::command::backup::now_ms;
use crate::config::DataArg;
use crate::moment;

/// Files in one folder.
const IN_A_FOLDER: u64 = 500;
/// Calls under way at the same time.
const AT_ONCE: usize = 64;
/// Between two looks at a rewind that runs.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Times are compared to the millisecond: what was acknowledged before is before.
const APART: Duration = Duration::from_millis(20);

/// An attack on a folder, undone.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files in the folder
    #[arg(long, default_value_t = 50_000)]
    files: u64,
}

/// Runs it.
pub async fn run(admin: &Client, data: &DataArg, args: &Args) -> Result<Report> {
    let account = format!("rewind-{}", setup::run_name());
    let client = setup::accounts(admin, &account, 1).await?.remove(0);
    let mut report = Report::new(format!(
        "rewind: {} files, all scrambled, half of them renamed, a tenth deleted",
        args.files
    ));
    let mut figure = |name: &str, value: f64| {
        report.figures.insert(name.to_owned(), value);
    };
    let whole = |i| format!("quiet page {i} of the ledger, as it was before");
    each(0..args.files, |i| upload(&client, i, whole(i))).await?;
    setup::indexed(&client).await?;
    let before = contents(&client).await?;
    tokio::time::sleep(APART).await;
    let to = moment::text_ms(now_ms());
    tokio::time::sleep(APART).await;
    let begun = Instant::now();
    attack(&client, args.files).await?;
    figure("attack_s", begun.elapsed().as_secs_f64());
    setup::indexed(&client).await?;
    let after = contents(&client).await?;

    let wanted = json!({"path": "/work", "to": to});
    let mut id = Value::Null;
    for (name, then) in [
        ("1_rewind", &before),
        ("2_undo", &after),
        ("3_again", &before),
    ] {
        let (route, argument) = match name {
            "2_undo" => ("firefly/rewind/undo", json!({"rewind_id": id})),
            _ => ("firefly/rewind", wanted.clone()),
        };
        let begun = Instant::now();
        let done = through(&client, route, argument).await?;
        figure(&format!("{name}_s"), begun.elapsed().as_secs_f64());
        setup::indexed(&client).await?;
        figure(&format!("{name}_indexed_s"), begun.elapsed().as_secs_f64());
        ensure!(done["counts"]["failed"] == 0, "{name}: {done}");
        let now = contents(&client).await?;
        ensure!(
            now == *then,
            "{name}: {} files, and not those of then",
            now.len()
        );
        id = done["rewind_id"].clone();
    }
    if let Some(mib) = peak_mib(data) {
        figure("peak_memory_of_server_mib", mib);
    }
    Ok(report)
}

fn path(i: u64) -> String {
    format!("/work/{}/{i}.txt", i / IN_A_FOLDER)
}

/// Every file gets other bytes, every second another name, and every tenth is deleted.
async fn attack(client: &Client, files: u64) -> Result<()> {
    let scrambled = |i: u64| format!("{:016x}", i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(4);
    each(0..files, |i| upload(client, i, scrambled(i))).await?;
    each((0..files).step_by(2), |i| {
        let moved = json!({"from_path": path(i), "to_path": format!("{}.locked", path(i))});
        call(client, "files/move_v2", moved)
    })
    .await?;
    each((1..files).step_by(10), |i| {
        call(client, "files/delete_v2", json!({"path": path(i)}))
    })
    .await
}

async fn upload(client: &Client, i: u64, text: String) -> Result<()> {
    setup::upload(client, &path(i), text).await
}

async fn call(client: &Client, route: &str, argument: Value) -> Result<()> {
    let _answer: Value = client.rpc(route, &argument).await?;
    Ok(())
}

async fn each<F: Future<Output = Result<()>>>(
    numbers: impl Iterator<Item = u64>,
    work: impl Fn(u64) -> F,
) -> Result<()> {
    let calls = futures::stream::iter(numbers).map(work);
    calls.buffer_unordered(AT_ONCE).try_collect().await
}

/// Begins a rewind, and waits until it is through.
async fn through(client: &Client, route: &str, argument: Value) -> Result<Value> {
    let mut answer: Value = client.rpc(route, &argument).await?;
    while answer["rewind"]["state"] == "running" {
        tokio::time::sleep(LOOK_EVERY).await;
        let which = json!({"rewind_id": answer["rewind"]["rewind_id"]});
        answer = client.rpc("firefly/rewind/status", &which).await?;
    }
    let rewind = answer["rewind"].take();
    ensure!(rewind["state"] == "done", "{rewind}");
    Ok(rewind)
}

/// Every file of the account: path and content_hash.
async fn contents(client: &Client) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let all = json!({"path": "", "recursive": true, "limit": 2000});
    let mut page: Value = client.rpc("files/list_folder", &all).await?;
    loop {
        for entry in page["entries"].as_array().context("a page of files")? {
            if let (Some(path), Some(hash)) = (
                entry["path_display"].as_str(),
                entry["content_hash"].as_str(),
            ) {
                found.insert(path.to_owned(), hash.to_owned());
            }
        }
        if page["has_more"] != true {
            return Ok(found);
        }
        let cursor = json!({"cursor": page["cursor"]});
        page = client.rpc("files/list_folder/continue", &cursor).await?;
    }
}

/// The most memory that the server has had, when it runs on this machine.
fn peak_mib(data: &DataArg) -> Option<f64> {
    let server = ServerAddress::read(&data.data)?;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid)).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
