use std::io;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsConnector;

use crate::Tls;
use crate::testing::Bench;

/// The first answer on a fresh connection, and the connection.
async fn ask<S: tokio::io::AsyncRead + AsyncWriteExt + Unpin>(
    stream: &mut S,
    path: &str,
) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: whatever.example\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer
        .windows(2)
        .any(|pair| pair == b"}\n" || pair == b"\"}")
        && !answer.ends_with(b"}")
    {
        let mut piece = [0; 4096];
        match stream.read(&mut piece).await? {
            0 => break,
            read => answer.extend_from_slice(&piece[..read]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_self_made_certificate_is_trusted_through_its_authority() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().expect("a folder"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let tls = Tls::SelfMade {
        dir: folder.path().to_owned(),
        names: Vec::new(),
    };
    let served = tokio::spawn(crate::serve(bench.app.clone(), listener, tls, async {
        stopped.await.unwrap_or(())
    }));
    let plain = TcpStream::connect(address).await.expect("a connection");
    let ca = loop {
        match std::fs::read(folder.path().join("tls/leaf.pem"))
            .and_then(|_| std::fs::read(folder.path().join("tls/ca.pem")))
        {
            Ok(pem) => break pem,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(&ca).expect("a certificate"))
        .expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config
        .expect("a configuration")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").expect("a name");
    let mut stream = TlsConnector::from(Arc::new(config))
        .connect(name, plain)
        .await
        .expect("a handshake");
    let answer = ask(&mut stream, "/healthz").await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.send(()).expect("a server");
    assert!(served.await.expect("no panic").is_ok());
    assert_eq!(
        stream.read(&mut [0; 1]).await.unwrap_or(0),
        0,
        "an idle connection ends with the server"
    );
}

#[tokio::test]
async fn plain_http_answers_whatever_the_host_says_and_drains() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(crate::serve(
        bench.app.clone(),
        listener,
        Tls::None,
        async { stopped.await.unwrap_or(()) },
    ));
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    for _ in 0..2 {
        let answer = ask(&mut stream, "/healthz").await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    stop.send(()).expect("a server");
    assert!(served.await.expect("no panic").is_ok());
    assert!(TcpStream::connect(address).await.is_err());
}
