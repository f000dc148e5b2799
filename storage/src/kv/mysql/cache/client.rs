//! memcached's text protocol: `get` and `set`, each within a time.
//!
//! Ours, for of the crates one takes its limit for each system call rather than for an answer and keeps connections that
//! failed in the middle of one, and the others are experiments.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::MAX_VALUE_BYTES;
use super::entry::OVERHEAD_BYTES;
use super::rest::{Rest, Turn};
use crate::error::{Error, Result};
use crate::kv::mysql::schema::MAX_KEY_BYTES;

/// How long one call may take, connecting included.
const CALL_LIMIT: Duration = Duration::from_millis(100);
/// Connections that are kept; a snapshot uses one at a time, and their number is bounded.
const MAX_IDLE: usize = 64;
/// How long memcached keeps an entry that nobody asks for, seconds. It forgets what it has no room for sooner.
const KEPT_S: u32 = 86_400;
/// An entry is never longer.
const MAX_ENTRY_BYTES: usize = MAX_VALUE_BYTES + MAX_KEY_BYTES + OVERHEAD_BYTES;
/// A line of an answer is never longer.
const MAX_LINE_BYTES: usize = 512;
/// Where memcached listens unless something else is said.
const DEFAULT_PORT: u16 = 11_211;

/// Where memcached is: `memcache://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(url: &str) -> Result<Address> {
        let refuse = || Error::Engine(format!("`{url}` is not memcache://HOST[:PORT]"));
        let rest = url.strip_prefix("memcache://").ok_or_else(refuse)?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && !port.contains(']') => {
                (host, port.parse().map_err(|_| refuse())?)
            }
            _ => (rest, DEFAULT_PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['/', '@', '?']) {
            return Err(refuse());
        }
        Ok(Address {
            host: host.to_owned(),
            port,
        })
    }
}

impl Address {
    /// The address, where it is one and no name.
    fn literal(&self) -> Option<SocketAddr> {
        Some(SocketAddr::new(self.host.parse().ok()?, self.port))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "memcached on {}:{}", self.host, self.port)
    }
}

/// Connections to one server.
pub struct Client {
    address: Arc<Resolved>,
    idle: Mutex<Vec<TcpStream>>,
    rest: Rest,
}

/// The server's name with what it stood for when that was last looked up.
struct Resolved {
    address: Address,
    found: Mutex<Vec<SocketAddr>>,
    looking: AtomicBool,
}

impl Client {
    /// Connects when it is needed.
    pub fn new(address: &Address) -> Client {
        let address = Arc::new(Resolved {
            address: address.clone(),
            found: Mutex::new(Vec::from_iter(address.literal())),
            looking: AtomicBool::new(false),
        });
        address.look();
        Client {
            address,
            idle: Mutex::default(),
            rest: Rest::default(),
        }
    }

    /// What is stored under `name`, if anything and if the server is well.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        let request = format!("get {name}\r\n");
        self.call(request.as_bytes(), &|wire| value(wire, name))?
    }

    /// Stores `bytes` under `name`, if the server is well and wants to.
    pub fn set(&self, name: &str, bytes: &[u8]) {
        let head = format!("set {name} 0 {KEPT_S} {}\r\n", bytes.len());
        let request = [head.as_bytes(), bytes, b"\r\n"].concat();
        let _stored_or_not = self.call(&request, &stored);
    }

    /// Sends a request and reads its answer; `None` when the server is left alone or fails.
    fn call<T>(
        &self,
        request: &[u8],
        read: &dyn Fn(&mut Wire<Timed>) -> io::Result<T>,
    ) -> Option<T> {
        let began = Instant::now();
        if self.rest.is_on(began) {
            return None;
        }
        match self.exchange(began + CALL_LIMIT, request, read) {
            Ok(answer) => {
                let now = Instant::now();
                self.say(self.rest.answered(now, now - began), "it is slow");
                Some(answer)
            }
            Err(error) => {
                self.lock_idle().clear();
                self.address.look();
                metrics::counter!("firefly_metadata_cache_failures_total").increment(1);
                self.say(self.rest.failed(Instant::now()), &error.to_string());
                None
            }
        }
    }

    fn say(&self, turn: Option<Turn>, reason: &str) {
        let server = &self.address.address;
        match turn {
            Some(Turn::Ill) => {
                tracing::warn!(%server, reason, "the metadata cache fails; reads go on without it");
            }
            Some(Turn::Well) => tracing::info!(%server, "the metadata cache is of use again"),
            None => {}
        }
    }

    fn exchange<T>(
        &self,
        until: Instant,
        request: &[u8],
        read: &dyn Fn(&mut Wire<Timed>) -> io::Result<T>,
    ) -> io::Result<T> {
        let idle = self.lock_idle().pop();
        if let Some(stream) = idle {
            match self.exchange_on(stream, until, request, read) {
                // The server was started again, or closes what is idle for long.
                Err(error) if is_closed(&error) => self.lock_idle().clear(),
                done => return done,
            }
        }
        self.exchange_on(self.connect(until)?, until, request, read)
    }

    fn exchange_on<T>(
        &self,
        stream: TcpStream,
        until: Instant,
        request: &[u8],
        read: &dyn Fn(&mut Wire<Timed>) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut wire = Wire::new(Timed { stream, until });
        wire.from.send(request)?;
        let answer = read(&mut wire)?;
        let mut idle = self.lock_idle();
        if wire.waiting.is_empty() && idle.len() < MAX_IDLE {
            idle.push(wire.from.stream);
        }
        Ok(answer)
    }

    fn connect(&self, until: Instant) -> io::Result<TcpStream> {
        let mut failed = io::Error::new(ErrorKind::NotFound, "its name stands for no address");
        for address in self.address.found() {
            match TcpStream::connect_timeout(&address, left(until)?) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolved {
    fn found(&self) -> Vec<SocketAddr> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.clone()
    }

    /// Looks the name up in the background, one at a time: it may take long, and no read waits for it.
    fn look(self: &Arc<Self>) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.clone();
        let look = move || {
            let address = (this.address.host.as_str(), this.address.port);
            match address.to_socket_addrs() {
                Ok(found) => {
                    *this.found.lock().unwrap_or_else(PoisonError::into_inner) = found.collect();
                }
                Err(error) => tracing::warn!(server = %this.address, %error, "its name is unknown"),
            }
            this.looking.store(false, Ordering::Release);
        };
        let started = std::thread::Builder::new()
            .name("kv-cache-name".into())
            .spawn(look);
        if started.is_err() {
            self.looking.store(false, Ordering::Release);
        }
    }
}

/// What is stored under `name`, as the server answers.
pub(super) fn value(wire: &mut Wire<impl Read>, name: &str) -> io::Result<Option<Vec<u8>>> {
    let line = wire.line()?;
    if line == b"END" {
        return Ok(None);
    }
    let bytes = wire.bytes(length_of_value(&line, name).ok_or_else(unexpected)?)?;
    match (&wire.line()?[..], &wire.line()?[..]) {
        (b"", b"END") => Ok(Some(bytes)),
        _ => Err(unexpected()),
    }
}

/// What the server answers when it was told to store something.
pub(super) fn stored(wire: &mut Wire<impl Read>) -> io::Result<()> {
    match &wire.line()?[..] {
        b"STORED" | b"NOT_STORED" => Ok(()),
        full if full.starts_with(b"SERVER_ERROR ") => Ok(()),
        _ => Err(unexpected()),
    }
}

/// A connection in use, until a moment.
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Timed {
    fn send(&mut self, mut request: &[u8]) -> io::Result<()> {
        while !request.is_empty() {
            self.stream.set_write_timeout(Some(left(self.until)?))?;
            match self.stream.write(request)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                sent => request = &request[sent..],
            }
        }
        Ok(())
    }
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        self.stream.read(buffer)
    }
}

/// What comes from a server, with what was read and not yet looked at.
pub(super) struct Wire<R> {
    from: R,
    waiting: Vec<u8>,
}

impl<R: Read> Wire<R> {
    pub(super) fn new(from: R) -> Self {
        Wire {
            from,
            waiting: Vec::new(),
        }
    }

    /// A line, without its end.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.waiting.windows(2).position(|two| two == b"\r\n") {
                let mut line: Vec<u8> = self.waiting.drain(..end + 2).collect();
                line.truncate(end);
                return Ok(line);
            }
            if self.waiting.len() > MAX_LINE_BYTES {
                return Err(unexpected());
            }
            self.read_more(MAX_LINE_BYTES)?;
        }
    }

    fn bytes(&mut self, wanted: usize) -> io::Result<Vec<u8>> {
        while self.waiting.len() < wanted {
            self.read_more(wanted - self.waiting.len() + b"\r\nEND\r\n".len())?;
        }
        Ok(self.waiting.drain(..wanted).collect())
    }

    fn read_more(&mut self, at_most: usize) -> io::Result<()> {
        let before = self.waiting.len();
        self.waiting.resize(before + at_most, 0);
        let read = self.from.read(&mut self.waiting[before..]);
        self.waiting
            .truncate(before + read.as_ref().copied().unwrap_or(0));
        match read? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The time until then; an error when there is none.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// The length in `VALUE name flags length`.
fn length_of_value(line: &[u8], name: &str) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("VALUE ")?.strip_prefix(name)?;
    let length = rest.strip_prefix(" 0 ")?.parse().ok()?;
    (length <= MAX_ENTRY_BYTES).then_some(length)
}

fn unexpected() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "an answer that is none")
}

fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        for (url, shown) in [
            ("memcache://cache", "memcached on cache:11211"),
            ("memcache://10.0.0.1:99/", "memcached on 10.0.0.1:99"),
            ("memcache://[::1]:99", "memcached on ::1:99"),
            ("memcache://[::1]", "memcached on ::1:11211"),
        ] {
            assert_eq!(url.parse::<Address>().unwrap().to_string(), shown);
        }
        for url in [
            "redis://a",
            "memcache://",
            "memcache://a:b",
            "memcache://u@h",
        ] {
            assert!(url.parse::<Address>().is_err(), "{url}");
        }
    }

    #[test]
    fn only_the_value_that_was_asked_for_has_a_length() {
        assert_eq!(length_of_value(b"VALUE a 0 12", "a"), Some(12));
        for line in [
            "VALUE b 0 12",
            "VALUE a 1 12",
            "VALUE a 0 -1",
            "VALUE a 0 9999999",
            "a",
        ] {
            assert_eq!(length_of_value(line.as_bytes(), "a"), None, "{line}");
        }
    }
}
