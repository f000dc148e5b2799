//! Carries file content between byte streams and blocks, bounded by a few blocks of memory per transfer.

use std::io;
use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt, pin_mut};
use storage::block::BlockStore;
use storage::chunk::{BLOCK_BYTES, BlockHash, content_hash};

use crate::error::{Error, Result};

/// Blocks read ahead of a download's reader.
const READ_AHEAD_BLOCKS: usize = 2;

/// Content that is durably stored as blocks (I1) and may now be named by a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The blocks in order.
    pub blocks: Vec<BlockHash>,
    /// Bytes in all.
    pub size: u64,
    /// Dropbox's content_hash.
    pub content_hash: [u8; 32],
}

/// A body that was received whole. Small ones wait in memory so that storing and committing them is one blocking step.
#[derive(Debug)]
pub enum Body {
    /// At most one block, not stored yet.
    Small(Vec<u8>),
    /// Larger, stored while it arrived.
    Stored(Received),
}

impl Body {
    /// Bytes in the body.
    pub fn size(&self) -> u64 {
        match self {
            Body::Small(bytes) => bytes.len() as u64,
            Body::Stored(received) => received.size,
        }
    }

    /// Makes the content durable and names it. Blocks until every replica has it on disk.
    pub fn store(self, blocks: &BlockStore) -> Result<Received> {
        let bytes = match self {
            Body::Stored(received) => return Ok(received),
            Body::Small(bytes) => bytes,
        };
        let mut names = Vec::new();
        if !bytes.is_empty() {
            names.push(blocks.put(&bytes)?);
        }
        Ok(received(names, bytes.len() as u64))
    }
}

fn received(blocks: Vec<BlockHash>, size: u64) -> Received {
    let content_hash = content_hash(&blocks);
    Received {
        blocks,
        size,
        content_hash,
    }
}

/// Receives a body of at most `limit_bytes`, cutting it into blocks as it arrives. What `turn` gives is held while a block is stored.
pub async fn receive<S, F>(
    blocks: &BlockStore,
    body: S,
    limit_bytes: u64,
    turn: impl Fn() -> F,
) -> Result<Body>
where
    S: Stream<Item = io::Result<Bytes>>,
    F: Future<Output: Send + 'static>,
{
    pin_mut!(body);
    let (mut names, mut size, mut tail) = (Vec::new(), 0u64, Vec::new());
    while let Some(piece) = body.next().await {
        let mut piece = piece.map_err(Error::Body)?;
        size += piece.len() as u64;
        if size > limit_bytes {
            return Err(Error::TooLarge { limit_bytes });
        }
        while tail.len() + piece.len() > BLOCK_BYTES {
            tail.extend_from_slice(&piece.split_to(BLOCK_BYTES - tail.len()));
            names.push(put(blocks, std::mem::take(&mut tail), turn().await).await?);
        }
        tail.extend_from_slice(&piece);
    }
    if names.is_empty() {
        return Ok(Body::Small(tail));
    }
    names.push(put(blocks, tail, turn().await).await?);
    Ok(Body::Stored(received(names, size)))
}

async fn put(blocks: &BlockStore, bytes: Vec<u8>, turn: impl Send + 'static) -> Result<BlockHash> {
    let blocks = blocks.clone();
    let stored = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        blocks.put(&bytes)
    })
    .await;
    Ok(stored.map_err(|_| Error::Stopped)??)
}

/// Streams the bytes `range` of the content that `names` make up. Each item is verified by the block store. What `turn` gives is
/// held while a block is read.
pub fn open<F>(
    blocks: BlockStore,
    names: Vec<BlockHash>,
    range: Range<u64>,
    turn: impl Fn() -> F + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    let first = (range.start / BLOCK_BYTES as u64) as usize;
    let end = (range.end.div_ceil(BLOCK_BYTES as u64) as usize).min(names.len());
    let wanted: Vec<(usize, BlockHash)> = (first..end.max(first)).map(|i| (i, names[i])).collect();
    futures::stream::iter(wanted)
        .map(move |(index, name)| {
            let (blocks, range, turn) = (blocks.clone(), range.clone(), turn());
            async move {
                let turn = turn.await;
                let read = tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    blocks.get(&name)
                })
                .await;
                let bytes = read.map_err(io::Error::other)?.map_err(io::Error::other)?;
                Ok(cut(Bytes::from(bytes), index, &range))
            }
        })
        .buffered(READ_AHEAD_BLOCKS)
}

/// The part of block `index` that lies in `range`.
fn cut(block: Bytes, index: usize, range: &Range<u64>) -> Bytes {
    let offset = index as u64 * BLOCK_BYTES as u64;
    let start = range.start.saturating_sub(offset).min(block.len() as u64) as usize;
    let end = range.end.saturating_sub(offset).min(block.len() as u64) as usize;
    block.slice(start..end.max(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_out_of_each_block() {
        let block = Bytes::from(vec![7u8; BLOCK_BYTES]);
        let edge = BLOCK_BYTES as u64;
        assert_eq!(cut(block.clone(), 0, &(edge - 5..edge + 5)).len(), 5);
        assert_eq!(cut(block.clone(), 1, &(edge - 5..edge + 5)).len(), 5);
        assert_eq!(cut(block, 0, &(0..10)).len(), 10);
    }
}
