//! Cuts content into blocks and names them.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Size of every block but a file's last, bytes (Dropbox's content_hash is defined over the same size).
pub const BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// A block's name: the SHA-256 of its plaintext.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub struct BlockHash(pub [u8; 32]);

impl BlockHash {
    /// The name of a block with this plaintext.
    pub fn of(plain: &[u8]) -> Self {
        BlockHash(Sha256::digest(plain).into())
    }
}

impl std::fmt::Display for BlockHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::str::FromStr for BlockHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).map_err(|error| Error::Corrupt {
            what: "a block's name".into(),
            detail: error.to_string(),
        })?;
        Ok(BlockHash(hash))
    }
}

impl std::fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// Dropbox's content_hash of a file that consists of `blocks`: the SHA-256 over the blocks' names, concatenated.
pub fn content_hash(blocks: &[BlockHash]) -> [u8; 32] {
    let mut hash = Sha256::new();
    blocks.iter().for_each(|block| hash.update(block.0));
    hash.finalize().into()
}

/// Content that was cut: everything a version says about its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The blocks in order; none for empty content.
    pub blocks: Vec<BlockHash>,
    /// Length, bytes.
    pub size: u64,
    /// Dropbox's content_hash.
    pub content_hash: [u8; 32],
}

/// Cuts a stream into blocks; holds at most one block in memory.
///
/// Each whole block goes to `store`, which keeps it and returns its name (`BlockStore::put`, say). An error from
/// `store` is returned; the cutter must not be used after it.
#[derive(Debug, Default)]
pub struct Cutter {
    blocks: Vec<BlockHash>,
    tail: Vec<u8>,
}

impl Cutter {
    /// A cutter at the start of its content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Continues after `blocks` (all of them whole) and a `tail` shorter than a block, as [`Cutter::into_parts`] gave them.
    pub fn resume(blocks: Vec<BlockHash>, tail: Vec<u8>) -> Self {
        debug_assert!(tail.len() < BLOCK_BYTES);
        Cutter { blocks, tail }
    }

    /// Bytes taken so far.
    pub fn size(&self) -> u64 {
        (self.blocks.len() * BLOCK_BYTES + self.tail.len()) as u64
    }

    /// Takes the next bytes of the stream.
    pub fn push(
        &mut self,
        mut bytes: &[u8],
        mut store: impl FnMut(&[u8]) -> Result<BlockHash>,
    ) -> Result<()> {
        while self.tail.len() + bytes.len() >= BLOCK_BYTES {
            if self.tail.is_empty() {
                let (block, rest) = bytes.split_at(BLOCK_BYTES);
                self.blocks.push(store(block)?);
                bytes = rest;
                continue;
            }
            let (head, rest) = bytes.split_at(BLOCK_BYTES - self.tail.len());
            self.tail.extend_from_slice(head);
            self.blocks.push(store(&self.tail)?);
            self.tail.clear();
            bytes = rest;
        }
        self.tail.extend_from_slice(bytes);
        Ok(())
    }

    /// Ends the stream: stores the last, short block and says what the content is.
    pub fn finish(mut self, mut store: impl FnMut(&[u8]) -> Result<BlockHash>) -> Result<Content> {
        let size = self.size();
        if !self.tail.is_empty() {
            self.blocks.push(store(&self.tail)?);
        }
        let content_hash = content_hash(&self.blocks);
        Ok(Content {
            blocks: self.blocks,
            size,
            content_hash,
        })
    }

    /// The whole blocks stored so far and the bytes after them, for [`Cutter::resume`].
    pub fn into_parts(self) -> (Vec<BlockHash>, Vec<u8>) {
        (self.blocks, self.tail)
    }
}

/// Computes a content_hash from a stream, in constant memory.
#[derive(Debug, Clone, Default)]
pub struct Hasher {
    content: Sha256,
    block: Sha256,
    filled: usize,
}

impl Hasher {
    /// A hasher of empty content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream.
    pub fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (part, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - self.filled));
            self.block.update(part);
            self.filled += part.len();
            if self.filled == BLOCK_BYTES {
                self.content.update(self.block.finalize_reset());
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    /// The content_hash of everything taken.
    pub fn finish(mut self) -> [u8; 32] {
        if self.filled > 0 {
            self.content.update(self.block.finalize());
        }
        self.content.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(bytes: &[u8], piece: usize) -> Content {
        let mut cutter = Cutter::new();
        for part in bytes.chunks(piece) {
            cutter.push(part, |block| Ok(BlockHash::of(block))).unwrap();
        }
        cutter.finish(|block| Ok(BlockHash::of(block))).unwrap()
    }

    fn hash(bytes: &[u8], piece: usize) -> [u8; 32] {
        let mut hasher = Hasher::new();
        bytes.chunks(piece).for_each(|part| hasher.update(part));
        hasher.finish()
    }

    #[test]
    fn golden_vectors() {
        let vectors = [
            (
                0,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                1,
                "1406e05881e299367766d313e26c05564ec91bf721d31726bd6e46e60689539a",
            ),
            (
                BLOCK_BYTES - 1,
                "e1d05b9adf4293b7fec11b099ce74116fc06dfa733a9833be9166ab4c769da43",
            ),
            (
                BLOCK_BYTES,
                "b9654428408015906b44a00935b70af33830aa344b780b0eabd535a133150d04",
            ),
            (
                BLOCK_BYTES + 1,
                "4a6cc0a344febaa07772e7c974834b2fb1d24594d4ba15f27c97a54699709f44",
            ),
            (
                2 * BLOCK_BYTES + 5,
                "ca8fd9d4e4569dded35738038c5a4ff54a8463680059e32fb2ccf1c1019b79d5",
            ),
        ];
        for (size, golden) in vectors {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let content = cut(&bytes, 1_000_003);
            assert_eq!(hex::encode(content.content_hash), golden, "{size} bytes");
            assert_eq!(hash(&bytes, 65_537), content.content_hash);
            assert_eq!(content.size, size as u64);
            assert_eq!(content.blocks.len(), size.div_ceil(BLOCK_BYTES));
        }
    }

    #[test]
    fn pieces_do_not_matter_and_a_cutter_resumes() {
        let bytes: Vec<u8> = (0..BLOCK_BYTES * 2 + 777)
            .map(|i| (i / 7 % 256) as u8)
            .collect();
        let whole = cut(&bytes, bytes.len());
        for piece in [
            BLOCK_BYTES,
            BLOCK_BYTES - 1,
            BLOCK_BYTES + 1,
            4096 * 100 + 1,
        ] {
            assert_eq!(cut(&bytes, piece), whole);
        }
        let mut first = Cutter::new();
        first
            .push(&bytes[..5_000_000], |block| Ok(BlockHash::of(block)))
            .unwrap();
        let (blocks, tail) = first.into_parts();
        let mut second = Cutter::resume(blocks, tail);
        assert_eq!(second.size(), 5_000_000);
        second
            .push(&bytes[5_000_000..], |block| Ok(BlockHash::of(block)))
            .unwrap();
        assert_eq!(
            second.finish(|block| Ok(BlockHash::of(block))).unwrap(),
            whole
        );
    }
}
