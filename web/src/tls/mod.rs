//! TLS: certificates from files, or from an authority that the service makes itself; both renewed while it runs.

mod self_made;

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{Error, Result};

/// How often certificates are looked at again.
const RELOAD_EVERY: Duration = Duration::from_secs(3600);

/// Where the service's certificate comes from.
#[derive(Debug, Clone)]
pub enum Tls {
    /// None: plain HTTP.
    None,
    /// PEM files of the operator; read again every hour.
    Files {
        /// The certificate and the chain above it.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// An authority of the service's own in `DIR/tls/ca.pem`, kept over restarts, and a certificate for this
    /// machine's names, made again well before it expires.
    SelfMade {
        /// The data folder.
        dir: PathBuf,
        /// Host names or addresses besides localhost, this machine's name and the listen address.
        names: Vec<String>,
    },
}

impl Tls {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        !matches!(self, Tls::None)
    }
}

/// The certificate that is presented now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(|e| e.into_inner()).clone())
    }
}

/// The server's TLS configuration, kept fresh by a task that ends with the runtime; `None` for plain HTTP.
pub(crate) async fn config(
    tls: &Tls,
    listen: std::net::SocketAddr,
) -> Result<Option<Arc<ServerConfig>>> {
    if !tls.is_on() {
        return Ok(None);
    }
    let source = tls.clone();
    let load = move || load(&source, listen);
    let current = Arc::new(Current(RwLock::new(Arc::new(
        blocking(load.clone()).await?,
    ))));
    tokio::spawn(keep_fresh(Arc::downgrade(&current), load));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Error::Tls(e.to_string()))?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(Arc::new(config)))
}

async fn keep_fresh(
    current: std::sync::Weak<Current>,
    load: impl Fn() -> Result<CertifiedKey> + Clone + Send + 'static,
) {
    loop {
        tokio::time::sleep(RELOAD_EVERY).await;
        let Some(current) = current.upgrade() else {
            return;
        };
        match blocking(load.clone()).await {
            Ok(key) => *current.0.write().unwrap_or_else(|e| e.into_inner()) = Arc::new(key),
            Err(error) => {
                tracing::error!(%error, "the certificate cannot be loaded again; the old one stays")
            }
        }
    }
}

async fn blocking(
    load: impl FnOnce() -> Result<CertifiedKey> + Send + 'static,
) -> Result<CertifiedKey> {
    tokio::task::spawn_blocking(load)
        .await
        .map_err(|e| Error::Tls(e.to_string()))?
}

fn load(tls: &Tls, listen: std::net::SocketAddr) -> Result<CertifiedKey> {
    match tls {
        Tls::None => Err(Error::Tls("no certificate is configured".into())),
        Tls::Files { cert, key } => certified(&read(cert)?, &read(key)?),
        Tls::SelfMade { dir, names } => {
            let (cert, key) = self_made::leaf(&dir.join("tls"), listen.ip(), names)?;
            certified(&cert, &key)
        }
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| Error::io(format!("reading {}", path.display()), e))
}

fn certified(cert: &str, key: &str) -> Result<CertifiedKey> {
    let chain: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(cert.as_bytes()).collect();
    let chain = chain.map_err(|e| Error::Tls(format!("certificate: {e}")))?;
    if chain.is_empty() {
        return Err(Error::Tls("the certificate file has no certificate".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|e| Error::Tls(format!("key: {e}")))?;
    let provider = aws_lc_rs::default_provider();
    CertifiedKey::from_der(chain, key, &provider)
        .map_err(|e| Error::Tls(format!("certificate and key: {e}")))
}
