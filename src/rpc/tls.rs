//! Encrypts calls: TLS 1.3 among members of a cluster, each of which shows the other that it has the cluster's key.
//!
//! All of them derive the same pair of Ed25519 keys from the cluster's key. Both ends of a connection show its public half where others show
//! a certificate (RFC 7250), sign the handshake with the private one, and hang up on whoever shows another. The keys that encrypt are made
//! anew for each connection: who learns the cluster's key later cannot read with it what was recorded before.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws_lc_rs::hkdf;
use aws_lc_rs::signature::Ed25519KeyPair;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{AlwaysResolvesClientRawPublicKeys, Resumption};
use rustls::crypto::aws_lc_rs::{default_provider, sign::any_eddsa_type};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, OtherError, ServerConfig,
    SignatureScheme,
};

/// What the pair is derived under. Another pair for the same cluster's key needs another label.
const LABEL: &[u8] = b"firefly calls between processes, ed25519, 1";

/// What a process with the cluster's key shows and demands.
#[derive(Clone)]
pub(super) struct Identity {
    own: Arc<CertifiedKey>,
    peer: Arc<Peer>,
}

impl Identity {
    /// That of the cluster with this key.
    pub fn of(secret: &[u8]) -> Result<Self> {
        let mut seed = [0; 32];
        hkdf::Salt::none(hkdf::HKDF_SHA256)
            .extract(secret)
            .expand(&[LABEL], hkdf::HKDF_SHA256)
            .and_then(|derived| derived.fill(&mut seed))
            .context("derive a key from the cluster's")?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)?.to_pkcs8v1()?;
        let private = any_eddsa_type(&PrivatePkcs8KeyDer::from(pair.as_ref()))?;
        let public = private
            .public_key()
            .context("a key without a public half")?;
        let public = public.into_owned();
        let shown = vec![CertificateDer::from(public.to_vec())];
        let algorithms = default_provider().signature_verification_algorithms;
        Ok(Identity {
            own: Arc::new(CertifiedKey::new(shown, private)),
            peer: Arc::new(Peer { public, algorithms }),
        })
    }

    /// How calls are answered.
    pub fn server(&self) -> Result<Arc<ServerConfig>> {
        let own = AlwaysResolvesServerRawPublicKeys::new(self.own.clone());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(self.peer.clone())
            .with_cert_resolver(Arc::new(own));
        // Whoever connects proves each time that it has the key; connections are kept, so that this is seldom.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// How calls are made.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        let own = AlwaysResolvesClientRawPublicKeys::new(self.own.clone());
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .dangerous() // as rustls calls all that trusts without an authority
            .with_custom_certificate_verifier(self.peer.clone())
            .with_client_cert_resolver(Arc::new(own));
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        Ok(Arc::new(config))
    }
}

/// The other end: it has the same key, or it is nobody.
#[derive(Debug)]
struct Peer {
    public: SubjectPublicKeyInfoDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The other end showed another key.
#[derive(Debug, thiserror::Error)]
#[error("it has another cluster key")]
struct AnotherKey;

type Checked<T> = std::result::Result<T, rustls::Error>;

impl Peer {
    fn is_shown(&self, key: &CertificateDer<'_>) -> Checked<()> {
        match key.as_ref() == self.public.as_ref() {
            true => Ok(()),
            false => Err(OtherError(Arc::new(AnotherKey)).into()),
        }
    }

    fn has_signed(
        &self,
        message: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        verify_tls13_signature_with_raw_key(message, &self.public, signed, &self.algorithms)
    }
}

fn too_old<T>() -> Checked<T> {
    Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
}

impl ServerCertVerifier for Peer {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Checked<ServerCertVerified> {
        self.is_shown(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        self.has_signed(message, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Peer {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Checked<ClientCertVerified> {
        self.is_shown(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        too_old()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Checked<HandshakeSignatureValid> {
        self.has_signed(message, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    fn identity(text: &str) -> Identity {
        Identity::of(text.repeat(32).as_bytes()).unwrap()
    }

    /// How a handshake ends at the caller, and at the process that is called.
    async fn shake(client: Arc<ClientConfig>, server: &Identity) -> [Option<String>; 2] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let acceptor = TlsAcceptor::from(server.server().unwrap());
        let calling = TlsConnector::from(client).connect(super::super::client::any_name(), near);
        let (called, taken) = tokio::join!(calling, acceptor.accept(far));
        [
            called.err().map(|error| error.to_string()),
            taken.err().map(|error| error.to_string()),
        ]
    }

    #[test]
    fn the_public_half_follows_from_the_clusters_key() {
        let shown = |text| identity(text).own.cert[0].to_vec();
        assert_eq!(shown("a"), shown("a"));
        assert_ne!(shown("a"), shown("b"));
        let hex: String = shown("a")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let wanted = "302a300506032b65700321003d0df654a57092e1537bcb3e9b26af152709e77708d6a59a2f19e98a0b1e4abb";
        assert_eq!(hex, wanted, "releases must agree on it");
    }

    #[tokio::test]
    async fn both_ends_prove_that_they_have_the_key() {
        let (ours, other) = (identity("a"), identity("b"));
        let client = |identity: &Identity| identity.client().unwrap();
        assert_eq!(shake(client(&ours), &ours).await, [None, None]);

        // The called one has another key: the caller says nothing to it.
        let [caller, _] = shake(client(&ours), &other).await;
        assert!(caller.unwrap().contains("it has another cluster key"));

        // The caller has another key, and does not mind who is called.
        let careless = Identity {
            own: other.own.clone(),
            peer: ours.peer.clone(),
        };
        let [_, called] = shake(client(&careless), &ours).await;
        assert!(called.unwrap().contains("it has another cluster key"));

        // It shows the right key, which is no secret, and cannot sign with it.
        let shown = ours.own.cert.clone();
        let thief = Identity {
            own: Arc::new(CertifiedKey::new(shown, other.own.key.clone())),
            peer: ours.peer.clone(),
        };
        let [_, called] = shake(client(&thief), &ours).await;
        assert!(called.unwrap().contains("BadSignature"));
        let [caller, _] = shake(client(&ours), &thief).await;
        assert!(caller.unwrap().contains("BadSignature"));

        // It shows nothing.
        let silent = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(ours.peer.clone())
            .with_no_client_auth();
        let [_, called] = shake(Arc::new(silent), &ours).await;
        assert!(called.is_some());
    }
}
