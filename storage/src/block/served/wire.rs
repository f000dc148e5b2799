//! What a store and its block servers say to each other: questions and answers, each sealed with the cluster's key (HMAC-SHA-256), so that
//! nobody else asks, and nobody else acknowledges. Blocks are encrypted before they come here.

use std::path::Path;

use aws_lc_rs::{digest, hmac};
use serde::{Deserialize, Serialize};

use super::super::extent::StoreId;
use super::super::row::ExtentId;
use crate::error::{Error, Result};

/// Where a block server takes questions: HTTP POST, the question as the body. The number is the version of what is said.
pub const PATH: &str = "/block/1";
/// No question and no answer is longer, bytes: one group of blocks, and some.
pub const MAX_FRAME_BYTES: usize = 32 << 20;
/// Extents that one answer lists.
pub const MAX_LISTED: usize = 100_000;
/// A key in a file has so many characters at least.
const MIN_KEY_CHARACTERS: usize = 32;
const SEAL_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;

/// What a cluster's processes know each other by.
#[derive(Debug, Clone)]
pub struct ClusterKey(hmac::Key);

/// What is asked, by which store, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    pub store: StoreId,
    /// Milliseconds since 1970: an old question is not answered again.
    pub asked_ms: u64,
    /// Random: the same question is answered once.
    pub nonce: u64,
    pub ask: Ask,
}

/// The calls of a medium. What is written comes behind, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    Marked,
    Take {
        expected: bool,
    },
    Close,
    Probe,
    Room,
    Extents {
        after: ExtentId,
    },
    Create(ExtentId),
    Reopen {
        extent: ExtentId,
        length: u64,
    },
    BeginCopy(ExtentId),
    EndCopy {
        writer: u64,
    },
    DropCopy {
        writer: u64,
    },
    Write {
        writer: u64,
        offset: u64,
    },
    Sync {
        writer: u64,
    },
    Cut {
        writer: u64,
        length: u64,
    },
    Mend {
        extent: ExtentId,
        offset: u64,
    },
    Read {
        extent: ExtentId,
        offset: u64,
        length: u32,
    },
    Remove(ExtentId),
    Length(ExtentId),
}

/// What is answered. What was read comes behind, as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done,
    Is(bool),
    /// A writer, a length or room, bytes.
    Number(u64),
    Extents(Vec<(ExtentId, u64)>),
    Failed {
        why: Why,
        what: String,
    },
}

/// What a caller acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    NoSpace,
    Corrupt,
    NotFound,
    AlreadyExists,
    Short,
    Other,
}

impl ClusterKey {
    /// Reads it from a file; white space around it does not count.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Error::io(format!("reading {}", file.display()), error))?;
        Self::new(text.trim()).map_err(|_| {
            Error::Key(format!(
                "{} has less than {MIN_KEY_CHARACTERS} characters: make it with `openssl rand -hex 32`",
                file.display()
            ))
        })
    }

    /// Of a secret text.
    pub fn new(secret: &str) -> Result<Self> {
        if secret.len() < MIN_KEY_CHARACTERS {
            return Err(Error::Key("the cluster's key is too short".into()));
        }
        let key = digest::digest(&digest::SHA256, secret.as_bytes());
        Ok(ClusterKey(hmac::Key::new(hmac::HMAC_SHA256, key.as_ref())))
    }

    /// A question with what is written; its seal names the answer's question.
    pub fn ask(&self, question: &Question, bytes: &[u8]) -> Result<Vec<u8>> {
        self.seal(b"ask", &crate::row::encode(question)?, bytes)
    }

    /// The question and what is to be written; none: it does not come from somebody who has the key.
    pub fn asked<'a>(&self, frame: &'a [u8]) -> Option<(Question, &'a [u8])> {
        let (head, bytes) = self.open(b"ask", frame)?;
        Some((crate::row::decode("a question", head).ok()?, bytes))
    }

    /// The answer to a question's frame.
    pub fn answer(&self, asked: &[u8], answer: &Answer, bytes: &[u8]) -> Result<Vec<u8>> {
        let context = asked.get(..SEAL_BYTES).unwrap_or_default();
        self.seal(context, &crate::row::encode(answer)?, bytes)
    }

    /// What was answered to a question's frame.
    pub fn answered<'a>(&self, asked: &[u8], frame: &'a [u8]) -> Option<(Answer, &'a [u8])> {
        let (head, bytes) = self.open(asked.get(..SEAL_BYTES)?, frame)?;
        Some((crate::row::decode("an answer", head).ok()?, bytes))
    }

    pub(super) fn seal(&self, context: &[u8], head: &[u8], bytes: &[u8]) -> Result<Vec<u8>> {
        let length = u32::try_from(head.len()).map_err(|_| Error::Engine("too long".into()))?;
        let total = SEAL_BYTES + LENGTH_BYTES + head.len() + bytes.len();
        let mut frame = Vec::with_capacity(total);
        frame.resize(SEAL_BYTES, 0);
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(head);
        frame.extend_from_slice(bytes);
        let seal = self.tag(context, &frame[SEAL_BYTES..]);
        frame[..SEAL_BYTES].copy_from_slice(seal.as_ref());
        Ok(frame)
    }

    fn open<'a>(&self, context: &[u8], frame: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (seal, rest) = frame.split_at_checked(SEAL_BYTES)?;
        let mut signed = Vec::with_capacity(context.len() + rest.len());
        signed.extend_from_slice(context);
        signed.extend_from_slice(rest);
        hmac::verify(&self.0, &signed, seal).ok()?;
        let (length, rest) = rest.split_first_chunk::<LENGTH_BYTES>()?;
        rest.split_at_checked(u32::from_be_bytes(*length) as usize)
    }

    fn tag(&self, context: &[u8], frame: &[u8]) -> hmac::Tag {
        let mut sealing = hmac::Context::with_key(&self.0);
        sealing.update(context);
        sealing.update(frame);
        sealing.sign()
    }
}

impl Answer {
    /// An error as it is told.
    pub fn failed(error: &Error) -> Self {
        use std::io::ErrorKind;
        let why = match error {
            Error::NoSpace(_) => Why::NoSpace,
            Error::Corrupt { .. } => Why::Corrupt,
            Error::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound => Why::NotFound,
                ErrorKind::AlreadyExists => Why::AlreadyExists,
                ErrorKind::UnexpectedEof => Why::Short,
                _ => Why::Other,
            },
            _ => Why::Other,
        };
        Answer::Failed {
            why,
            what: error.to_string(),
        }
    }
}

impl Why {
    /// The error that was told, by a server of this name.
    pub fn error(self, server: &str, what: String) -> Error {
        use std::io::ErrorKind;
        let what = format!("{server}: {what}");
        let io = |kind: ErrorKind| Error::io(what.clone(), kind.into());
        match self {
            Why::NoSpace => Error::NoSpace(what),
            Why::Corrupt => Error::Corrupt {
                what: server.to_owned(),
                detail: what,
            },
            Why::NotFound => io(ErrorKind::NotFound),
            Why::AlreadyExists => io(ErrorKind::AlreadyExists),
            Why::Short => io(ErrorKind::UnexpectedEof),
            Why::Other => Error::Unavailable(what),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_the_key_asks_and_answers() {
        let key = ClusterKey::new(&"k".repeat(32)).unwrap();
        let other = ClusterKey::new(&"o".repeat(32)).unwrap();
        let question = Question {
            store: StoreId([7; 16]),
            asked_ms: 1,
            nonce: 2,
            ask: Ask::Create(ExtentId(3)),
        };
        let asked = key.ask(&question, b"bytes").unwrap();
        assert_eq!(key.asked(&asked), Some((question, &b"bytes"[..])));
        assert_eq!(other.asked(&asked), None);
        let mut changed = asked.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(key.asked(&changed), None);
        assert_eq!(key.asked(b"short"), None);

        let answer = key.answer(&asked, &Answer::Number(5), b"read").unwrap();
        let found = key.answered(&asked, &answer);
        assert_eq!(found, Some((Answer::Number(5), &b"read"[..])));
        assert_eq!(other.answered(&asked, &answer), None);
        // An answer to another question says nothing here.
        assert_eq!(key.answered(&changed[1..], &answer), None);
        assert!(ClusterKey::new("short").is_err());
    }
}
