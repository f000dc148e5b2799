//! Writes audit events of frequent actions in groups, so that a download does not wait for a disk of its own.
//!
//! What changes who may do what (sign-in, tokens, sharing, links) is written before it is answered, by
//! [`crate::App::record`]; downloads and deletions wait here for at most a moment.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use storage::meta::{AuditAction, AuditEvent, Meta};

use crate::App;
use crate::frame::Failure;
use crate::frame::caller::Caller;

/// Events waiting; more make callers wait.
const QUEUE: usize = 10_000;
/// Events written in one transaction.
const GROUP: usize = 500;
/// How often a group is tried, and how long after a failure.
const ATTEMPTS: usize = 600;
const AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

/// Events on their way to the log; what is queued is written before the queue goes.
pub struct AuditQueue {
    sender: Option<SyncSender<AuditEvent>>,
    writer: Option<JoinHandle<()>>,
}

impl AuditQueue {
    /// Starts the thread that writes.
    pub fn start(meta: Meta) -> std::io::Result<Self> {
        let (sender, events) = sync_channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || write(&meta, &events))?;
        Ok(AuditQueue {
            sender: Some(sender),
            writer: Some(writer),
        })
    }

    /// Queues one event; blocks while the queue is full.
    pub fn push(&self, event: AuditEvent) {
        let sent = self.sender.as_ref().map(|sender| sender.send(event));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!("an audit event cannot be written: its thread has ended");
        }
    }

    /// Queues one event, unless the queue is full: then it comes back.
    fn try_push(&self, event: AuditEvent) -> Result<(), AuditEvent> {
        use std::sync::mpsc::TrySendError::{Disconnected, Full};
        match self.sender.as_ref().map(|sender| sender.try_send(event)) {
            Some(Err(Full(event) | Disconnected(event))) => Err(event),
            _ => Ok(()),
        }
    }
}

impl Drop for AuditQueue {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the audit thread panicked");
        }
    }
}

fn write(meta: &Meta, events: &Receiver<AuditEvent>) {
    while let Ok(first) = events.recv() {
        let mut group = vec![first];
        while group.len() < GROUP {
            match events.try_recv() {
                Ok(event) => group.push(event),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        // What cannot be written now (a full disk, say) is kept; callers wait once the queue is full.
        for attempt in 0..ATTEMPTS {
            match meta.audit_all(&group) {
                Ok(()) => break,
                Err(error) if attempt + 1 == ATTEMPTS => {
                    tracing::error!(%error, events = group.len(), "audit events are lost");
                }
                Err(error) => {
                    tracing::warn!(%error, events = group.len(), "audit events cannot be written yet");
                    std::thread::sleep(AGAIN_AFTER);
                }
            }
        }
    }
}

impl App {
    /// Notes what a caller did; written within a moment.
    pub async fn note(&self, caller: &Caller, action: AuditAction, subject: impl Into<String>) {
        if let Err(event) = self
            .audit()
            .try_push(self.event(caller, action, subject.into()))
        {
            // Full: wait on a blocking thread, whose bound is the back-pressure.
            if self
                .blocking(move |app| app.audit().push(event))
                .await
                .is_err()
            {
                tracing::error!("an audit event is lost: the service is overloaded");
            }
        }
    }

    /// Notes what a caller did, from a blocking thread.
    pub fn note_here(&self, caller: &Caller, action: AuditAction, subject: impl Into<String>) {
        self.audit()
            .push(self.event(caller, action, subject.into()));
    }

    /// Writes what a caller did, durably. Blocks.
    pub fn record(
        &self,
        caller: &Caller,
        action: AuditAction,
        subject: impl Into<String>,
    ) -> Result<(), Failure> {
        self.meta()
            .audit(self.event(caller, action, subject.into()))
            .map_err(Failure::from_storage)
    }

    fn event(&self, caller: &Caller, action: AuditAction, subject: String) -> AuditEvent {
        AuditEvent {
            at_ms: self.meta().env().clock.now_ms(),
            actor: Some(caller.id()),
            action,
            subject,
            address: Some(caller.address.to_string()),
        }
    }
}
