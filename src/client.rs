//! A small HTTP client of the server's own API, for the commands and the benchmark.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Where a running server says how to reach it.
const ADDRESS_FILE: &str = "server.json";
/// Answers of more bytes than this are refused.
const MAX_ANSWER_BYTES: usize = 256 << 20;

/// How to reach a running server; written into its data folder when it starts.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerAddress {
    /// The URL it answers on.
    pub url: String,
    /// Its process.
    pub pid: u32,
}

impl ServerAddress {
    /// Writes the address into the data folder.
    pub fn write(&self, data: &Path) -> Result<()> {
        let temporary = data.join("server.json.new");
        std::fs::write(&temporary, serde_json::to_vec(self)?)?;
        Ok(std::fs::rename(temporary, data.join(ADDRESS_FILE))?)
    }

    /// Removes it again.
    pub fn remove(data: &Path) {
        if let Err(error) = std::fs::remove_file(data.join(ADDRESS_FILE)) {
            tracing::debug!(%error, "no address to remove");
        }
    }

    /// The address of the server that runs on this data folder; none when it does not run.
    pub fn read(data: &Path) -> Option<Self> {
        let text = std::fs::read(data.join(ADDRESS_FILE)).ok()?;
        let address: Self = serde_json::from_slice(&text).ok()?;
        Path::new("/proc")
            .join(address.pid.to_string())
            .exists()
            .then_some(address)
    }
}

/// An error that the server answered.
#[derive(Debug, thiserror::Error)]
#[error("{summary}")]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// Dropbox's error_summary, or the text of the answer.
    pub summary: String,
    /// Seconds to wait, of a 429.
    pub retry_after_s: Option<u64>,
}

/// A client with one token. Cheap to clone; connections are kept and shared.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Arc<str>,
    token: Arc<str>,
}

impl Client {
    /// A client of the server at `url`; `ca` is a PEM file to trust for https, besides what the machine trusts.
    pub fn new(url: &str, token: &str, ca: Option<&Path>) -> Result<Self> {
        let mut http = HttpConnector::new();
        http.set_nodelay(true);
        http.enforce_http(false);
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(ca)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let pool = Pool::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .build(tls);
        Ok(Client {
            pool,
            url: url.trim_end_matches('/').into(),
            token: token.into(),
        })
    }

    /// A client of the server that runs on `data`, as its admin.
    pub fn of_running(data: &Path) -> Result<Self> {
        let Some(address) = ServerAddress::read(data) else {
            bail!(
                "no server runs on {}; start one with: firefly serve --data {0}",
                data.display()
            );
        };
        let token =
            std::fs::read_to_string(data.join("admin.token")).context("read admin.token")?;
        let ca = data.join("tls/ca.pem");
        Self::new(
            &address.url,
            token.trim(),
            ca.exists().then_some(ca.as_path()),
        )
    }

    /// The same connections with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Client {
            token: token.into(),
            ..self.clone()
        }
    }

    /// The bearer token that this client uses.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Calls `/2/{route}` with a JSON argument.
    pub async fn rpc<T: DeserializeOwned>(
        &self,
        route: &str,
        argument: &impl Serialize,
    ) -> Result<T> {
        let body = Bytes::from(serde_json::to_vec(argument)?);
        let request = self
            .request(route)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = self.send(request).await?;
        serde_json::from_slice(&answer).with_context(|| format!("answer of {route}"))
    }

    /// Calls `/2/{route}` with a JSON argument and writes the answer's body to `out` as it comes, of whatever length.
    pub async fn stream(
        &self,
        route: &str,
        argument: &impl Serialize,
        out: &mut impl Write,
    ) -> Result<()> {
        let body = Bytes::from(serde_json::to_vec(argument)?);
        let request = self
            .request(route)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = self.pool.request(request).await;
        let answer = answer.with_context(|| format!("reach {}", self.url))?;
        let status = answer.status();
        if !status.is_success() {
            let body = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER_BYTES);
            let body = body.collect().await;
            let body = body.map_err(|error| anyhow!("answer broke off: {error}"))?;
            let summary = summary(&body.to_bytes());
            let retry_after_s = None;
            return Err(ApiError {
                status,
                summary,
                retry_after_s,
            }
            .into());
        }
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.context("the answer broke off")?;
            if let Some(piece) = frame.data_ref() {
                out.write_all(piece)?;
            }
        }
        Ok(())
    }

    /// Calls a content route with its argument in the header and `content` as the body.
    pub async fn upload(&self, route: &str, argument: &Value, content: Bytes) -> Result<Value> {
        let request = self
            .request(route)
            .header("Dropbox-API-Arg", ascii_json(argument))
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(Full::new(content))?;
        Ok(serde_json::from_slice(&self.send(request).await?)?)
    }

    /// What a GET of `path` answers.
    pub async fn get(&self, path: &str) -> Result<Bytes> {
        let uri = format!("{}{path}", self.url);
        self.send(Request::get(uri).body(Full::default())?).await
    }

    fn request(&self, route: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(Method::POST)
            .uri(format!("{}/2/{route}", self.url))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Bytes> {
        let answer = self
            .pool
            .request(request)
            .await
            .with_context(|| format!("reach {}", self.url))?;
        let status = answer.status();
        let retry_after_s = answer
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok()?.parse().ok());
        let body = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
            .collect()
            .await;
        let body = body
            .map_err(|error| anyhow!("answer broke off: {error}"))?
            .to_bytes();
        if status.is_success() {
            return Ok(body);
        }
        Err(ApiError {
            status,
            summary: summary(&body),
            retry_after_s,
        }
        .into())
    }
}

/// The words of an error answer.
fn summary(body: &[u8]) -> String {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let part = |name: &str| value.as_ref()?.get(name)?.as_str().map(str::to_owned);
    part("user_message")
        .or_else(|| part("error_summary"))
        .unwrap_or_else(|| plain(&String::from_utf8_lossy(body)).to_owned())
}

/// What a text answer says to a person, who called a command and not a function with a body.
fn plain(text: &str) -> &str {
    let of_call = text.strip_prefix("Error in call to API function ");
    let detail = of_call.and_then(|rest| rest.split_once(": "));
    let detail = detail.map_or(text, |(_, detail)| detail);
    detail.strip_prefix("request body: ").unwrap_or(detail)
}

/// JSON with everything outside ASCII escaped, as headers need it.
fn ascii_json(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        if c.is_ascii() && c != '\x7f' {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

fn tls_config(ca: Option<&Path>) -> Result<rustls::ClientConfig> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let mut roots = rustls::RootCertStore::empty();
    // Authorities that this machine trusts; one that cannot be read is no reason to trust none.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|e| anyhow!("{}: {e:?}", path.display()))?
        {
            roots.add(certificate.map_err(|e| anyhow!("{}: {e:?}", path.display()))?)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_ascii() {
        let escaped = ascii_json(&serde_json::json!({"path": "/Ü😀"}));
        assert_eq!(escaped, r#"{"path":"/\u00dc\ud83d\ude00"}"#);
    }

    #[test]
    fn an_error_answer_gives_its_summary() {
        assert_eq!(
            summary(br#"{"error_summary":"path/not_found/..","error":{}}"#),
            "path/not_found/.."
        );
        assert_eq!(summary(b"plain"), "plain");
        assert_eq!(
            summary(b"Error in call to API function \"firefly/x\": request body: there is no account a@b: c"),
            "there is no account a@b: c"
        );
    }
}
