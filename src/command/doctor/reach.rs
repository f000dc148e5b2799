//! The running server, and the address that people reach it by.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Finding;
use crate::client::{Client, ServerAddress};
use crate::config::{Config, TlsMode};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do where no server runs.
const START: &str = "start it: firefly serve, or systemctl start firefly";

/// Asks the server at its own address, and nothing else: whether it has to be started anew, as a container's keeper wants to know.
pub async fn answers(config: &Config) -> Vec<Finding> {
    vec![match ServerAddress::read(&config.data) {
        Some(address) => running(config, &address).await,
        None => Finding::broken("no server runs on this data folder", START),
    }]
}

/// Asks the server at its own and at its public address.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    match ServerAddress::read(&config.data) {
        Some(address) => {
            findings.push(running(config, &address).await);
            findings.extend(databases(config, &address).await);
        }
        None => findings.push(Finding::warning(
            "no server runs on this data folder",
            START,
        )),
    }
    if let Some(url) = &config.public_url {
        findings.push(public(url, &config.data).await);
    }
    findings.extend(exposed(config));
    findings
}

async fn running(config: &Config, address: &ServerAddress) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    match health(&address.url, &config.data).await {
        Ok(version) if version != own => Finding::warning(
            format!("the running server is version {version}, this program is {own}"),
            "restart the server after an upgrade",
        ),
        Ok(_) => Finding::ok(format!("the server answers on {}", address.url)),
        Err(error) => Finding::broken(
            format!(
                "the server (process {}) does not answer on {}: {error:#}",
                address.pid, address.url
            ),
            "look at its log: journalctl -u firefly, or the files in log_dir",
        ),
    }
}

/// The database servers that the running server misses.
async fn databases(config: &Config, address: &ServerAddress) -> Vec<Finding> {
    // A server that does not answer has been told of already.
    let answer = ask(&address.url, "/readyz", &config.data)
        .await
        .unwrap_or_default();
    let away = answer["away"].as_array().into_iter().flatten();
    let away = away.filter_map(Value::as_str).map(|server| {
        Finding::broken(
            format!("{server} is away: requests that need its rows fail"),
            "`firefly database status` says why; start it, or mend the way to it: what waits is written then",
        )
    });
    away.collect()
}

async fn public(url: &str, data: &std::path::Path) -> Finding {
    match health(url, data).await {
        Ok(_) => Finding::ok(format!("people reach it on {url}")),
        Err(error) => Finding::broken(
            format!("the public address {url} does not lead here: {error:#}"),
            "look at the name's DNS record, the proxy's configuration (docs/operations has examples) and its certificate",
        ),
    }
}

/// The version that answers `/healthz`.
async fn health(url: &str, data: &std::path::Path) -> Result<String> {
    let answer = ask(url, "/healthz", data).await?;
    let version = answer["version"]
        .as_str()
        .context("something else answers there")?;
    Ok(version.to_owned())
}

async fn ask(url: &str, path: &str, data: &std::path::Path) -> Result<Value> {
    let ca = data.join("tls/ca.pem");
    let client = Client::new(url, "", ca.exists().then_some(ca.as_path()))?;
    let answer = tokio::time::timeout(PATIENCE, client.get(path)).await;
    Ok(serde_json::from_slice(
        &answer.context("no answer in time")??,
    )?)
}

/// What the settings say about who can listen in, and whose word on addresses is taken.
fn exposed(config: &Config) -> Option<Finding> {
    let listen: SocketAddr = config.listen.parse().ok()?;
    let is_public = !is_loopback(listen.ip());
    let is_https = config
        .public_url
        .as_deref()
        .is_some_and(|url| url.starts_with("https://"));
    if is_public && config.tls == TlsMode::Off && !is_https {
        return Some(Finding::warning(
            format!(
                "it listens on {listen} without encryption: passwords and files can be read on the way"
            ),
            "set tls = \"self\" or \"files\", or listen on 127.0.0.1 behind a proxy with a certificate",
        ));
    }
    if is_https && config.tls == TlsMode::Off && config.trusted_proxies.is_empty() {
        return Some(Finding::warning(
            "a proxy seems to stand in front, but none is trusted: all requests seem to come from it, and one person's wrong passwords slow down everybody",
            "set trusted_proxies to the proxy's address (127.0.0.1 when it runs on this machine)",
        ));
    }
    None
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}
