//! Asks other processes. Calls block, until their deadline at most; connections are kept and shared.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::ServerName;
use storage::trace::Id;
use tokio::runtime::Handle;

use super::call::{Answer, Call};
use super::key::ClusterKey;
use super::{
    DEADLINE_HEADER, MAC_HEADER, MAX_BYTES, PATH, REQUEST_HEADER, SENT_HEADER, VERSION_HEADER,
    version_text,
};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// How long a connection is kept that nothing is asked on, and after how long of silence the system looks whether the other end is there.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// A client with the cluster's key. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    key: ClusterKey,
    runtime: Handle,
}

impl Client {
    /// A client whose waiting is done by `runtime`.
    pub fn new(key: ClusterKey, runtime: Handle) -> Self {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_LIMIT));
        http.set_keepalive(Some(IDLE_LIMIT));
        http.enforce_http(false);
        let names = Arc::new(FixedServerNameResolver::new(any_name()));
        let connector = HttpsConnector::new(http, key.client.clone(), false, names);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_LIMIT)
            .build(connector);
        Client { pool, key, runtime }
    }

    /// Asks the process at `url`: encrypted where that begins with https, in clear where it begins with http. Must not be called on a thread that runs tasks.
    pub fn call(&self, url: &str, call: &Call<'_>, deadline: Instant) -> Result<Answer> {
        self.wait(self.ask(url, call, deadline))
    }

    /// Waits on this thread. Must not be called on a thread that runs tasks.
    pub fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }

    /// The same as [`Client::call`], for a task, or for [`Client::wait`]. The call is dropped with the future.
    pub async fn ask(&self, url: &str, call: &Call<'_>, deadline: Instant) -> Result<Answer> {
        let body = Bytes::from(rmp_serde::to_vec_named(call).context("encode a call")?);
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("no time is left");
        }
        let answered = tokio::time::timeout(left, self.send(url, body, left)).await;
        let answered = answered.context("no answer in time").flatten();
        let bytes = answered.with_context(|| format!("call {url}"))?;
        rmp_serde::from_slice(&bytes).context("decode an answer")
    }

    async fn send(&self, url: &str, body: Bytes, left: Duration) -> Result<Bytes> {
        let (version, sent_ms) = (version_text(), now_ms());
        let mac = self.key.sign(&version, sent_ms, &body);
        let id = Id::present().unwrap_or_else(Id::random);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{url}{PATH}"))
            .header(VERSION_HEADER, version)
            .header(SENT_HEADER, sent_ms)
            .header(MAC_HEADER, mac)
            .header(DEADLINE_HEADER, left.as_millis().to_string())
            .header(REQUEST_HEADER, id.as_str())
            .body(Full::new(body))?;
        let response = self.pool.request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BYTES)
            .collect()
            .await;
        let body = body.map_err(|error| anyhow::anyhow!("read an answer: {error}"))?;
        let body = body.to_bytes();
        if !status.is_success() {
            bail!("{status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }
}

/// A name for TLS, which wants one: a process is known by its key and not by its name, which nobody looks at.
pub(super) fn any_name() -> ServerName<'static> {
    IpAddr::V4(Ipv4Addr::UNSPECIFIED).into()
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
