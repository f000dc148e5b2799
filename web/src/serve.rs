//! Takes connections: bounded in number, encrypted or not, HTTP/1.1 and HTTP/2, and drains them at the end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::frame::limiter::network;
use crate::frame::middleware::Peer;
use crate::line::{Cuttable, Line};
use crate::stall::Stall;
use crate::streams::{self, Streams};
use crate::turns::{Refused, Turn, Turns};
use crate::{App, Error, Result, Tls, tls};

/// Connections at once; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 8_192;
/// How long a TLS handshake may take.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client may take over a request's head, and keep an idle HTTP/1.1 connection.
const HEAD_LIMIT: Duration = Duration::from_secs(75);
/// A client that takes nothing of an answer for so long is gone.
const WRITE_STALL: Duration = Duration::from_secs(60);
/// How long requests may go on after the process is asked to end.
const DRAIN: Duration = Duration::from_secs(15);
/// Requests at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;

/// Serves `app` on `listener` until `shutdown` is done, then drains: idle connections and waiting longpolls end at
/// once, running requests get 15 seconds.
pub async fn serve(
    app: App,
    listener: TcpListener,
    tls: Tls,
    shutdown: impl Future<Output = ()>,
) -> Result<()> {
    let listen = listener
        .local_addr()
        .map_err(|e| Error::io("reading the listen address", e))?;
    let acceptor = tls::config(&tls, listen).await?.map(TlsAcceptor::from);
    let router = crate::router::router(app.clone());
    let resuming = app.clone();
    let resumed = tokio::task::spawn_blocking(move || crate::own::rewind::resume(&resuming)).await;
    if let Ok(Err(error)) = resumed {
        tracing::error!(%error, "rewinds that were interrupted are not gone on with");
    }
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let shares = Shares::new(&app);
    let (ending, ended) = watch::channel(false);
    tokio::pin!(shutdown);
    loop {
        let turn = tokio::select! {
            () = &mut shutdown => break,
            turn = connections.clone().acquire_owned() => turn,
        };
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        let Ok(share) = shares.of(peer.ip()) else {
            tracing::debug!(%peer, "a connection is refused: too many from there");
            continue;
        };
        let (router, acceptor, ended) = (router.clone(), acceptor.clone(), ended.clone());
        tokio::spawn(async move {
            let _turns = (turn, share);
            if let Err(error) = connection(stream, peer, acceptor, router, ended).await {
                tracing::debug!(%peer, %error, "connection ended");
            }
        });
    }
    drop(listener);
    app.stop();
    ending.send_replace(true);
    let all = connections.acquire_many(MAX_CONNECTIONS as u32);
    if tokio::time::timeout(DRAIN, all).await.is_err() {
        tracing::warn!(
            drain_s = DRAIN.as_secs(),
            "some requests were cut off at the end"
        );
    }
    Ok(())
}

/// Connections shared by networks: one has no more than it leaves free for the others.
struct Shares {
    turns: Arc<Turns<IpAddr>>,
    trusted: Vec<IpNet>,
}

impl Shares {
    fn new(app: &App) -> Self {
        Shares {
            turns: Turns::new("connections", MAX_CONNECTIONS),
            trusted: app.settings().trusted_proxies.clone(),
        }
    }

    /// A share of the network's; none is needed for a proxy, which speaks for everybody.
    fn of(&self, peer: IpAddr) -> std::result::Result<Option<Turn<IpAddr>>, Refused> {
        let peer = peer.to_canonical();
        match self.trusted.iter().any(|net| net.contains(&peer)) {
            true => Ok(None),
            false => self.turns.take_now(network(peer)).map(Some),
        }
    }
}

/// A failed accept is about one connection, or about file handles running out, which takes a moment.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        tracing::error!(%error, "a connection cannot be accepted");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    ended: watch::Receiver<bool>,
) -> std::result::Result<(), Failed> {
    stream.set_nodelay(true)?;
    let line = Line::default();
    let stream = Stall::new(Cuttable::new(stream, line.clone()), WRITE_STALL);
    match acceptor {
        None => http(stream, peer, line, router, ended).await,
        Some(acceptor) => {
            let stream = tokio::time::timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await??;
            http(stream, peer, line, router, ended).await
        }
    }
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    line: Line,
    router: Router,
    mut ended: watch::Receiver<bool>,
) -> std::result::Result<(), Failed> {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        let (router, line) = (router.clone(), line.clone());
        async move {
            request.extensions_mut().insert(Peer(peer));
            let line = streams::current().unwrap_or(line);
            request.extensions_mut().insert(line);
            router.oneshot(request).await
        }
    });
    let mut builder = Builder::new(Streams);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT);
    let mut http2 = builder.http2();
    http2
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .adaptive_window(true);
    http2
        .keep_alive_interval(HEAD_LIMIT)
        .keep_alive_timeout(HANDSHAKE_LIMIT);
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        done = connection.as_mut() => return done,
        _ = ended.wait_for(|end| *end) => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_leaves_half_of_the_connections_and_proxies_have_no_share() {
        let shares = Shares {
            turns: Turns::new("connections", MAX_CONNECTIONS),
            trusted: vec!["10.0.0.0/8".parse().expect("a network")],
        };
        let from = |address: &str| shares.of(address.parse().expect("an address"));
        let all: Vec<_> = (0..=MAX_CONNECTIONS).map(|_| from("192.0.2.1")).collect();
        let had = all.iter().filter(|share| share.is_ok()).count();
        assert_eq!(had, MAX_CONNECTIONS / 2);
        assert!(matches!(from("192.0.2.2"), Ok(Some(_))));
        assert!(matches!(from("10.1.2.3"), Ok(None)));
        assert!(matches!(from("::ffff:10.1.2.3"), Ok(None)));
    }
}
