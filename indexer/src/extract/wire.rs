//! Frames between the pool and its workers: a length (u32, little-endian), then postcard; a request's file follows raw.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Most bytes a frame may claim.
const MAX_FRAME_BYTES: u32 = 256 << 20;

/// Room that is made at once for what is claimed.
const FIRST_BYTES: usize = 1 << 20;

/// What a worker is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// The text of the file whose `bytes` bytes follow; answered by an [`super::Extraction`].
    Extract { name: String, bytes: u32 },
    /// A member of the file whose `bytes` bytes follow; answered by how many bytes it has (or why it has none), and these.
    Open {
        name: String,
        bytes: u32,
        number: u32,
    },
    /// What it can still do; answered by a [`super::Sandbox`].
    Sandbox,
}

/// Writes one frame and, in the same flush, the raw bytes that belong to it.
pub(super) fn send<T: Serialize>(to: &mut impl Write, value: &T, raw: &[u8]) -> io::Result<()> {
    let mut frame = vec![0; 4];
    frame = postcard::to_extend(value, frame).map_err(io::Error::other)?;
    let length = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    if raw.len() < 64 << 10 {
        frame.extend_from_slice(raw);
        to.write_all(&frame)?;
    } else {
        to.write_all(&frame)?;
        to.write_all(raw)?;
    }
    to.flush()
}

/// Reads one frame; `None` when the other side has closed.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length);
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::other("a frame claims too many bytes"));
    }
    let frame = receive_raw(from, length)?;
    postcard::from_bytes(&frame)
        .map(Some)
        .map_err(io::Error::other)
}

/// Reads `length` raw bytes. What was claimed takes memory only as it comes.
pub(super) fn receive_raw(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity((length as usize).min(FIRST_BYTES));
    from.take(length.into()).read_to_end(&mut bytes)?;
    match bytes.len() == length as usize {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
