//! An object in the making: its parts in their order. Nothing is seen of it before the end.

use bytes::Bytes;
use object_store::{MultipartUpload, PutPayload};

use super::hdfs::Draft;
use super::{failed, unavailable};
use crate::error::Result;

/// Parts are of this size but for the last, bytes.
pub const PART_BYTES: usize = 8 << 20;

/// An object in the making. To be ended by `finish` or `abort`.
pub struct Upload {
    name: String,
    kind: Kind,
    part: Vec<u8>,
    is_remote: bool,
}

pub(super) enum Kind {
    Parts(Box<dyn MultipartUpload>),
    Hdfs(Box<Draft>), // a hundred times as large as the other
}

impl Upload {
    pub(super) fn new(name: &str, kind: Kind, is_remote: bool) -> Self {
        Upload {
            name: name.to_owned(),
            kind,
            part: Vec::new(),
            is_remote,
        }
    }

    /// Takes bytes up to the end of a part; returns how many. [`Upload::is_full`] says when a part is to be sent.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(PART_BYTES - self.part.len());
        self.part.extend_from_slice(&bytes[..taken]);
        taken
    }

    /// True when the part must be sent before more is taken.
    pub fn is_full(&self) -> bool {
        self.part.len() == PART_BYTES
    }

    /// Sends what was taken.
    pub async fn send(&mut self) -> Result<()> {
        let part = Bytes::from(std::mem::take(&mut self.part));
        let sent = match &mut self.kind {
            Kind::Parts(parts) => {
                let sent = parts.put_part(PutPayload::from_bytes(part)).await;
                sent.map_err(|error| failed("storing", &self.name, error))
            }
            Kind::Hdfs(draft) => draft.write(part).await,
        };
        told(sent, self.is_remote)
    }

    /// Sends the rest; from then on the object is there, durably, in place of an older one.
    pub async fn finish(mut self) -> Result<()> {
        if !self.part.is_empty() {
            self.send().await?;
        }
        let done = match self.kind {
            Kind::Parts(mut parts) => {
                let done = parts.complete().await;
                done.map(drop)
                    .map_err(|error| failed("storing", &self.name, error))
            }
            Kind::Hdfs(draft) => draft.finish(true).await,
        };
        told(done, self.is_remote)
    }

    /// Gives it up.
    pub async fn abort(self) -> Result<()> {
        match self.kind {
            Kind::Parts(mut parts) => {
                let ended = parts.abort().await;
                ended.map_err(|error| failed("giving up", &self.name, error))
            }
            Kind::Hdfs(draft) => draft.abort().await,
        }
    }
}

fn told(done: Result<()>, is_remote: bool) -> Result<()> {
    done.map_err(|error| match is_remote {
        true => unavailable(error),
        false => error,
    })
}
