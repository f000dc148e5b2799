//! Takes connections of other processes: encrypted ones, and plain ones, by which releases before encryption call, and on which anybody may ask
//! how the process is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections that begin at once; more wait in the system's queue.
const MAX_BEGINNING: usize = 1_024;
/// How long a connection may take to begin.
const BEGIN_LIMIT: Duration = Duration::from_secs(10);
/// The pause after a connection could not be taken: file handles have run out, say.
const PAUSE: Duration = Duration::from_millis(200);
/// What an encrypted connection begins with (a TLS record with a handshake), and no HTTP request does.
const HANDSHAKE: u8 = 0x16;

/// A connection.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// It has shown that it has the cluster's key, and nobody between can read what is said.
    pub is_encrypted: bool,
}

/// The listener.
pub struct Listener {
    tcp: TcpListener,
    tls: TlsAcceptor,
    beginning: JoinSet<Option<(Box<dyn Stream>, Peer)>>,
}

impl Listener {
    /// Takes connections of `tcp`.
    pub fn new(tcp: TcpListener, tls: TlsAcceptor) -> Self {
        let beginning = JoinSet::new();
        Listener {
            tcp,
            tls,
            beginning,
        }
    }

    async fn taken(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        match accepted {
            Ok((stream, address)) => {
                self.beginning
                    .spawn(begin(stream, address, self.tls.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of another process cannot be taken");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Box<dyn Stream>;
    type Addr = Peer;

    async fn accept(&mut self) -> (Self::Io, Peer) {
        loop {
            tokio::select! {
                accepted = self.tcp.accept(), if self.beginning.len() < MAX_BEGINNING => self.taken(accepted).await,
                Some(begun) = self.beginning.join_next() => {
                    if let Ok(Some(connection)) = begun {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer {
            address: self.tcp.local_addr()?,
            is_encrypted: false,
        })
    }
}

impl Connected<IncomingStream<'_, Listener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        *stream.remote_addr()
    }
}

/// A connection that can be talked on; none when it has ended before.
async fn begin(
    stream: TcpStream,
    address: SocketAddr,
    tls: TlsAcceptor,
) -> Option<(Box<dyn Stream>, Peer)> {
    let begun = tokio::time::timeout(BEGIN_LIMIT, secure(stream, tls)).await;
    match begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok((stream, is_encrypted)) => Some((
            stream,
            Peer {
                address,
                is_encrypted,
            },
        )),
        Err(error) => {
            tracing::debug!(%address, %error, "a connection ended before its first call");
            None
        }
    }
}

/// Goes by the first byte; true when the connection is encrypted.
async fn secure(stream: TcpStream, tls: TlsAcceptor) -> io::Result<(Box<dyn Stream>, bool)> {
    stream.set_nodelay(true)?;
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match first {
        [HANDSHAKE] => Ok((Box::new(tls.accept(stream).await?), true)),
        _ => Ok((Box::new(stream), false)),
    }
}
