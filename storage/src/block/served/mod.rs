//! Extents on block servers: `block://HOST:PORT?key=FILE` is the folder of another machine, one copy as any folder is. `wire` is what is
//! said, `line` how it gets there, `service` the other end.

#[cfg(feature = "fuzz")]
pub(crate) mod fuzz;
mod line;
mod service;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use line::Line;
pub use service::BlockServer;
pub use wire::{ClusterKey, MAX_FRAME_BYTES, PATH};

use super::extent::{self, StoreId};
use super::medium::{Handle, Medium};
use super::row::ExtentId;
use crate::error::{Error, Result};
use crate::object;
use wire::{Answer, Ask, MAX_LISTED, Question};

/// How a block server's URL begins.
pub const SCHEME: &str = "block://";
/// What may stand in its query.
const KEY: &str = "key";

/// The folder of a block server.
pub struct Served {
    name: String,
    line: Box<dyn Line>,
    key: ClusterKey,
    store: StoreId,
    /// True after a call that got no answer: what is asked by the way is not asked until one does.
    is_failing: AtomicBool,
    /// The lengths of extents there, at least: what grows since is asked for.
    lengths: Mutex<HashMap<ExtentId, u64>>,
}

impl Served {
    /// Of a URL; nothing is asked of it yet.
    pub fn new(url: &str, store: StoreId) -> Result<Self> {
        let place = object::shown(url);
        let address = place.strip_prefix(SCHEME).unwrap_or_default();
        let is_address = |address: &str| {
            let port = address.rsplit_once(':').map(|(_, port)| port);
            port.is_some_and(|port| port.parse::<u16>().is_ok())
        };
        let key = url.split_once('?').and_then(|(_, query)| {
            let (name, file) = query.split_once('=')?;
            (name == KEY && !file.contains('&')).then_some(file)
        });
        let (true, Some(key)) = (is_address(address), key) else {
            return Err(Error::Engine(format!(
                "a block server is named {SCHEME}HOST:PORT?{KEY}=FILE, not {place}"
            )));
        };
        let key = ClusterKey::read(Path::new(key))?;
        Ok(Self::with(
            place,
            Box::new(line::Http::new(address)),
            key,
            store,
        ))
    }

    /// Over a line of one's own.
    pub fn with(name: &str, line: Box<dyn Line>, key: ClusterKey, store: StoreId) -> Self {
        Served {
            name: name.to_owned(),
            line,
            key,
            store,
            is_failing: AtomicBool::new(false),
            lengths: Mutex::default(),
        }
    }

    fn ask(&self, ask: Ask) -> Result<Answer> {
        self.send(ask, &[]).map(|(answer, _)| answer)
    }

    /// Asks, and sends bytes with it; the answer and what was read.
    fn send(&self, ask: Ask, bytes: &[u8]) -> Result<(Answer, Vec<u8>)> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let question = Question {
            store: self.store,
            asked_ms: now.map_or(0, |now| now.as_millis() as u64),
            nonce: rand::random(),
            ask,
        };
        let asked = self.key.ask(&question, bytes)?;
        let answered = self.line.ask(asked.clone());
        self.is_failing.store(answered.is_err(), Ordering::SeqCst);
        let frame = answered?;
        let answered = self.key.answered(&asked, &frame);
        let (answer, read) = answered.ok_or_else(|| {
            Error::Unavailable(format!("{} answers without the cluster's key", self.name))
        })?;
        match answer {
            Answer::Failed { why, what } => Err(why.error(&self.name, what)),
            answer => Ok((answer, read.to_vec())),
        }
    }

    fn is(&self, ask: Ask) -> Result<bool> {
        match self.ask(ask)? {
            Answer::Is(is) => Ok(is),
            other => Err(self.unexpected(&other)),
        }
    }

    fn number(&self, ask: Ask) -> Result<u64> {
        match self.ask(ask)? {
            Answer::Number(number) => Ok(number),
            other => Err(self.unexpected(&other)),
        }
    }

    fn unexpected(&self, answer: &Answer) -> Error {
        Error::Unavailable(format!("{} answers {answer:?}", self.name))
    }

    /// The lengths of all extents there.
    fn list(&self) -> Result<HashMap<ExtentId, u64>> {
        let mut all = HashMap::new();
        let mut after = ExtentId(0);
        loop {
            let found = match self.ask(Ask::Extents { after })? {
                Answer::Extents(found) => found,
                other => return Err(self.unexpected(&other)),
            };
            let is_last = found.len() < MAX_LISTED;
            let last = found.last().map_or(after, |(extent, _)| *extent);
            if !is_last && last <= after {
                return Err(Error::Unavailable(format!(
                    "{} lists the same extents again and again",
                    self.name
                )));
            }
            after = last;
            all.extend(found);
            if is_last {
                return Ok(all);
            }
        }
    }

    fn lengths(&self) -> MutexGuard<'_, HashMap<ExtentId, u64>> {
        self.lengths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Medium for Served {
    fn is_marked(&self) -> Result<bool> {
        self.is(Ask::Marked)
    }

    fn take(&self, expected: bool) -> Result<bool> {
        let is_there = self.is(Ask::Take { expected })?;
        if is_there {
            *self.lengths() = self.list()?;
        }
        Ok(is_there)
    }

    fn close(&self) {
        if !self.is_failing.load(Ordering::SeqCst)
            && let Err(error) = self.ask(Ask::Close)
        {
            tracing::debug!(%error, "a block server keeps its files open");
        }
    }

    fn probe(&self) -> Result<()> {
        self.ask(Ask::Probe).map(drop)
    }

    fn free_bytes(&self) -> Option<u64> {
        if self.is_failing.load(Ordering::SeqCst) {
            return None;
        }
        self.number(Ask::Room).ok()
    }

    fn has(&self, extent: ExtentId, length: u64) -> bool {
        let known = self.lengths().get(&extent).copied();
        if known.is_some_and(|there| there >= length) {
            return true;
        }
        // Another process of the cluster may have written since.
        if self.is_failing.load(Ordering::SeqCst) {
            return false;
        }
        let found = self.number(Ask::Length(extent)).unwrap_or(0);
        if found >= length {
            self.lengths().insert(extent, found);
        }
        found >= length
    }

    fn is_whole(&self, _: ExtentId) -> bool {
        true
    }

    fn create(&self, extent: ExtentId) -> Result<Handle> {
        let writer = self.number(Ask::Create(extent))?;
        self.lengths().insert(extent, extent::HEADER_BYTES);
        Ok(served(writer))
    }

    fn reopen(&self, extent: ExtentId, length: u64) -> Result<Handle> {
        let writer = self.number(Ask::Reopen { extent, length })?;
        self.lengths().insert(extent, length);
        Ok(served(writer))
    }

    fn begin_copy(&self, extent: ExtentId) -> Result<Handle> {
        let writer = self.number(Ask::BeginCopy(extent))?;
        Ok(Handle::Served {
            writer,
            is_copy: true,
        })
    }

    fn end_copy(&self, extent: ExtentId, copy: Handle) -> Result<()> {
        let writer = writer(&copy)?;
        let length = self.number(Ask::EndCopy { writer })?;
        self.lengths().insert(extent, length);
        Ok(())
    }

    fn drop_copy(&self, _: ExtentId, copy: Handle) -> Result<()> {
        let writer = writer(&copy)?;
        self.ask(Ask::DropCopy { writer }).map(drop)
    }

    fn write(&self, extent: ExtentId, handle: &Handle, bytes: &[u8], offset: u64) -> Result<()> {
        let writer = writer(handle)?;
        self.send(Ask::Write { writer, offset }, bytes)?;
        // Of a copy nothing is there before its end.
        if matches!(handle, Handle::Served { is_copy: false, .. }) {
            let mut lengths = self.lengths();
            let length = lengths.entry(extent).or_default();
            *length = (*length).max(offset + bytes.len() as u64);
        }
        Ok(())
    }

    fn sync(&self, _: ExtentId, handle: &Handle) -> Result<()> {
        let writer = writer(handle)?;
        self.ask(Ask::Sync { writer }).map(drop)
    }

    fn cut(&self, _: ExtentId, handle: &Handle, length: u64) -> Result<()> {
        let writer = writer(handle)?;
        self.ask(Ask::Cut { writer, length }).map(drop)
    }

    fn mend(&self, extent: ExtentId, offset: u64, record: &[u8]) -> Result<bool> {
        let (answer, _) = self.send(Ask::Mend { extent, offset }, record)?;
        Ok(answer == Answer::Is(true))
    }

    fn read(&self, extent: ExtentId, offset: u64, length: usize) -> Result<Vec<u8>> {
        let ask = Ask::Read {
            extent,
            offset,
            length: u32::try_from(length).unwrap_or(u32::MAX),
        };
        let read = self.send(ask, &[]).map(|(_, read)| read);
        if is_gone(&read) {
            self.lengths().remove(&extent);
        }
        let read = read?;
        match read.len() == length {
            true => Ok(read),
            false => Err(Error::io(
                format!("reading {extent} on {}", self.name),
                std::io::ErrorKind::UnexpectedEof.into(),
            )),
        }
    }

    fn remove(&self, extent: ExtentId) -> Result<()> {
        self.ask(Ask::Remove(extent))?;
        self.lengths().remove(&extent);
        Ok(())
    }
}

/// True when a store has taken the block server.
pub fn is_taken(url: &str) -> Result<bool> {
    let nobody = StoreId([0; 16]);
    let served = Served::new(url, nobody)?;
    // Whoever has taken it before is refused as soon as another store comes.
    match served.is(Ask::Take { expected: true }) {
        Ok(_) => Ok(false),
        Err(Error::Corrupt { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// An extent that grows there.
fn served(writer: u64) -> Handle {
    Handle::Served {
        writer,
        is_copy: false,
    }
}

fn writer(handle: &Handle) -> Result<u64> {
    match handle {
        Handle::Served { writer, .. } => Ok(*writer),
        _ => Err(Error::Engine("this extent is on no block server".into())),
    }
}

fn is_gone(read: &Result<Vec<u8>>) -> bool {
    matches!(read, Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound)
}
