//! Notes what people look at, behind their requests: which of two files a search shows first may hang on it, nothing else.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use storage::meta::{AccountId, FileId, Meta, Opened};

use crate::App;
use crate::frame::caller::Caller;

/// Looks that wait to be written; what comes while there are more is not noted.
const QUEUE: usize = 10_000;
/// Looks written together.
const GROUP: usize = 1_000;
/// How long looks are gathered.
const PERIOD: Duration = Duration::from_secs(2);

type Look = (AccountId, Opened);

/// Looks on their way to metadata; what is queued is written before the queue goes.
pub struct OpenedQueue {
    sender: Option<SyncSender<Look>>,
    writer: Option<JoinHandle<()>>,
}

impl OpenedQueue {
    /// Starts the thread that writes.
    pub fn start(meta: Meta) -> std::io::Result<Self> {
        let (sender, looks) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("opened".into())
            .spawn(move || write(&meta, &looks))?;
        Ok(OpenedQueue {
            sender: Some(sender),
            writer: Some(writer),
        })
    }

    /// Queues a look; never waits.
    fn push(&self, look: Look) {
        let sent = self.sender.as_ref().map(|sender| sender.try_send(look));
        if !matches!(sent, Some(Ok(()))) {
            tracing::debug!("a look at a file is not noted: too many wait");
        }
    }
}

impl Drop for OpenedQueue {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the thread that notes looks at files panicked");
        }
    }
}

/// Writes looks in groups until nobody sends any more.
fn write(meta: &Meta, looks: &Receiver<Look>) {
    while let Ok(first) = looks.recv() {
        let (mut group, until) = (vec![first], Instant::now() + PERIOD);
        while group.len() < GROUP {
            match looks.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(look) => group.push(look),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut accounts: BTreeMap<AccountId, Vec<Opened>> = BTreeMap::new();
        for (account, opened) in group {
            accounts.entry(account).or_default().push(opened);
        }
        for (account, opened) in accounts {
            if let Err(error) = meta.note_opened(account, &opened) {
                tracing::warn!(%error, "looks at files are not noted");
            }
        }
    }
}

impl App {
    /// Notes that a caller looks at a file. Written within seconds, or never; searches put the file a little higher.
    pub fn note_opened(&self, caller: &Caller, file: FileId) {
        let at_ms = self.meta().env().clock.now_ms();
        self.looks().push((caller.id(), Opened { file, at_ms }));
    }
}
