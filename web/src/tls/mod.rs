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

/// When the first certificate of a PEM file ends, seconds since 1970.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn certificate_ends_s(path: &Path) -> Result<i64> {
    let broken = |e: &dyn std::fmt::Display| Error::Tls(e.to_string());
    let der = CertificateDer::from_pem_slice(read(path)?.as_bytes()).map_err(|e| broken(&e))?;
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).map_err(|e| broken(&e))?;
    Ok(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_when_it_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("cert.pem");
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut wanted = rcgen::CertificateParams::new(vec!["localhost".into()]).expect("a name");
        wanted.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let made = wanted.self_signed(&key).expect("a certificate");
        std::fs::write(&path, made.pem()).expect("a file");
        assert_eq!(certificate_ends_s(&path).expect("a date"), 1_924_992_000);
        std::fs::write(&path, "no certificate").expect("a file");
        assert!(certificate_ends_s(&path).is_err());
    }
}
