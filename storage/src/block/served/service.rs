//! A block server: keeps extents in its folder for a store elsewhere. It knows no names, no keys and no accounts, and what it is asked
//! it does only for who has the cluster's key.
//!
//! Whoever creates or reopens an extent becomes its only writer: what an earlier one has sent and comes late is refused.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::super::extent::StoreId;
use super::super::folder::Folder;
use super::super::medium::{Handle, Medium};
use super::super::row::ExtentId;
use super::super::target::MARKER;
use super::wire::{Answer, Ask, ClusterKey, MAX_LISTED, Question};
use crate::error::{Error, Result};
use crate::meta::Clock;

/// Clocks may differ by so much, milliseconds; a question that is older is not answered.
const WINDOW_MS: u64 = 60_000;
/// Questions that are remembered, so that none is answered twice; more within the window are refused.
const MAX_HEARD: usize = 1_000_000;
/// Extents and copies that are written at a time; the oldest writer makes room.
const MAX_WRITERS: usize = 256;

/// A block server's answers. Calls block.
pub struct BlockServer {
    path: PathBuf,
    key: ClusterKey,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whose extents these are, and the folder; none before a store has taken it.
    folder: Option<(StoreId, Arc<Folder>)>,
    writers: BTreeMap<u64, Arc<Writer>>,
    heard: HashSet<u64>,
    heard_at: VecDeque<(u64, u64)>,
}

/// An extent, or a copy of one, that is written.
struct Writer {
    extent: ExtentId,
    is_copy: bool,
    /// Taken out when somebody else writes there from now on.
    handle: Mutex<Option<Handle>>,
}

impl BlockServer {
    /// Serves the folder, which is made when a store takes it.
    pub fn new(path: &Path, key: ClusterKey, clock: Arc<dyn Clock>) -> Result<Self> {
        let server = BlockServer {
            path: path.to_owned(),
            key,
            clock,
            state: Mutex::default(),
        };
        if let Ok(marker) = std::fs::read_to_string(path.join(MARKER)) {
            let store = hex::decode(marker.trim()).ok();
            let store = store.and_then(|name| name.try_into().ok()).map(StoreId);
            let store = store.ok_or_else(|| Error::Corrupt {
                what: path.display().to_string(),
                detail: "its marker names no store".into(),
            })?;
            server.take(store, true)?;
        }
        Ok(server)
    }

    /// The answer to a question's frame; none when it does not come from somebody who has the key.
    pub fn answer(&self, frame: &[u8]) -> Option<Result<Vec<u8>>> {
        let (question, bytes) = self.key.asked(frame)?;
        let done = (self.hear(&question)).and_then(|()| self.obey(&question, bytes));
        let (answer, read) = done.unwrap_or_else(|error| {
            tracing::debug!(%error, ask = ?question.ask, "a question is answered with an error");
            (Answer::failed(&error), Vec::new())
        });
        Some(self.key.answer(frame, &answer, &read))
    }

    /// Bytes that are free on its disk.
    pub fn free_bytes(&self) -> Option<u64> {
        self.state().folder.as_ref()?.1.free_bytes()
    }

    /// Each question is answered once, soon after it was asked.
    fn hear(&self, question: &Question) -> Result<()> {
        let now_ms = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        if now_ms.abs_diff(question.asked_ms) > WINDOW_MS {
            return Err(refused(
                "the clocks of the two machines differ by more than a minute",
            ));
        }
        let mut state = self.state();
        while let Some((at_ms, nonce)) = state.heard_at.front().copied() {
            if now_ms.saturating_sub(at_ms) <= 2 * WINDOW_MS {
                break;
            }
            state.heard_at.pop_front();
            state.heard.remove(&nonce);
        }
        if state.heard.len() >= MAX_HEARD {
            return Err(refused("too many questions"));
        }
        if !state.heard.insert(question.nonce) {
            return Err(refused("this question was answered"));
        }
        state.heard_at.push_back((now_ms, question.nonce));
        Ok(())
    }

    fn obey(&self, question: &Question, bytes: &[u8]) -> Result<(Answer, Vec<u8>)> {
        let store = question.store;
        let done = match question.ask {
            Ask::Take { expected } => Answer::Is(self.take(store, expected)?),
            Ask::Marked => Answer::Is(match self.folder(store) {
                Ok(folder) => folder.is_marked()?,
                Err(_) => false,
            }),
            Ask::Close => told(self.folder(store).map(|folder| folder.close()))?,
            Ask::Probe => told(self.folder(store)?.probe())?,
            Ask::Room => self
                .folder(store)?
                .free_bytes()
                .map_or(Answer::Done, Answer::Number),
            Ask::Extents { after } => {
                Answer::Extents(self.folder(store)?.extents(after, MAX_LISTED)?)
            }
            Ask::Length(extent) => Answer::Number(self.folder(store)?.length(extent)?),
            Ask::Create(extent) => {
                let folder = self.folder(store)?;
                self.begin(extent, false, || folder.create(extent))?
            }
            Ask::Reopen { extent, length } => {
                let folder = self.folder(store)?;
                self.begin(extent, false, || folder.reopen(extent, length))?
            }
            Ask::BeginCopy(extent) => {
                let folder = self.folder(store)?;
                self.begin(extent, true, || folder.begin_copy(extent))?
            }
            Ask::EndCopy { writer } => {
                let folder = self.folder(store)?;
                let (extent, handle) = self.end(writer)?;
                folder.end_copy(extent, handle)?;
                Answer::Number(folder.length(extent)?)
            }
            Ask::DropCopy { writer } => {
                let (extent, handle) = self.end(writer)?;
                told(self.folder(store)?.drop_copy(extent, handle))?
            }
            Ask::Write { writer, offset } => {
                self.with(store, writer, |folder, extent, handle| {
                    folder.write(extent, handle, bytes, offset)
                })?
            }
            Ask::Sync { writer } => self.with(store, writer, |folder, extent, handle| {
                folder.sync(extent, handle)
            })?,
            Ask::Cut { writer, length } => self.with(store, writer, |folder, extent, handle| {
                folder.cut(extent, handle, length)
            })?,
            Ask::Mend { extent, offset } => {
                Answer::Is(self.folder(store)?.mend(extent, offset, bytes)?)
            }
            Ask::Read {
                extent,
                offset,
                length,
            } => {
                let length = (length as usize).min(super::wire::MAX_FRAME_BYTES / 2);
                let read = self.folder(store)?.read(extent, offset, length)?;
                return Ok((Answer::Done, read));
            }
            Ask::Remove(extent) => {
                let folder = self.folder(store)?;
                self.fence(extent, false);
                told(folder.remove(extent))?
            }
        };
        Ok((done, Vec::new()))
    }

    fn take(&self, store: StoreId, expected: bool) -> Result<bool> {
        let mut state = self.state();
        let folder = match &state.folder {
            Some((owner, folder)) if *owner == store => folder.clone(),
            Some((owner, _)) => {
                return Err(Error::Corrupt {
                    what: self.path.display().to_string(),
                    detail: format!("it belongs to the store {owner}, not to {store}"),
                });
            }
            None => Arc::new(Folder::new(
                self.path.clone(),
                store,
                false,
                #[cfg(test)]
                Arc::default(),
            )),
        };
        let is_there = folder.take(expected)?;
        state.folder = is_there.then_some((store, folder));
        Ok(is_there)
    }

    fn folder(&self, store: StoreId) -> Result<Arc<Folder>> {
        match &self.state().folder {
            Some((owner, folder)) if *owner == store => Ok(folder.clone()),
            _ => Err(refused("this server has no folder of that store")),
        }
    }

    /// Makes the caller the extent's only writer.
    fn begin(
        &self,
        extent: ExtentId,
        is_copy: bool,
        open: impl FnOnce() -> Result<Handle>,
    ) -> Result<Answer> {
        self.fence(extent, is_copy);
        let writer = Arc::new(Writer {
            extent,
            is_copy,
            handle: Mutex::new(Some(open()?)),
        });
        let mut state = self.state();
        let last = state.writers.last_key_value().map(|(number, _)| *number);
        // Not a number that a client may still hold of an earlier run of this server.
        let number = last.map_or_else(|| u64::from(rand::random::<u32>()) << 16, |last| last + 1);
        state.writers.insert(number, writer);
        if state.writers.len() > MAX_WRITERS {
            state.writers.pop_first();
        }
        Ok(Answer::Number(number))
    }

    /// Ends the earlier writers of an extent, after what they are just writing.
    fn fence(&self, extent: ExtentId, is_copy: bool) {
        let mut ended = Vec::new();
        self.state().writers.retain(|_, writer| {
            let is_of_it = writer.extent == extent && writer.is_copy == is_copy;
            if is_of_it {
                ended.push(writer.clone());
            }
            !is_of_it
        });
        for writer in ended {
            drop(writer.handle().take());
        }
    }

    fn end(&self, writer: u64) -> Result<(ExtentId, Handle)> {
        let found = self.state().writers.remove(&writer);
        let writer = found.ok_or_else(fenced)?;
        let handle = writer.handle().take().ok_or_else(fenced)?;
        Ok((writer.extent, handle))
    }

    fn with(
        &self,
        store: StoreId,
        writer: u64,
        work: impl FnOnce(&Folder, ExtentId, &Handle) -> Result<()>,
    ) -> Result<Answer> {
        let folder = self.folder(store)?;
        let found = self.state().writers.get(&writer).cloned();
        let writer = found.ok_or_else(fenced)?;
        let handle = writer.handle();
        told(work(
            &folder,
            writer.extent,
            handle.as_ref().ok_or_else(fenced)?,
        ))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    fn handle(&self) -> MutexGuard<'_, Option<Handle>> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(done: Result<()>) -> Result<Answer> {
    done.map(|()| Answer::Done)
}

fn fenced() -> Error {
    refused("somebody else writes there by now, or this server has begun anew")
}

fn refused(why: &str) -> Error {
    Error::Unavailable(why.to_owned())
}
