//! Takes the bytes of one call of an upload session into durable blocks.

use super::session::{Append, MAX_PIECES, Piece, Upload};
use crate::block::BlockStore;
use crate::chunk::{self, BLOCK_BYTES, BlockHash, Content, Cutter};
use crate::error::Result;

/// One call's bytes on their way into blocks; holds at most one block in memory. // I1
pub struct UploadReceiver {
    blocks: BlockStore,
    at: u64,
    state: State,
}

enum State {
    /// The session's tail as it is, and bytes that do not fill a block with it.
    Small { tail: Vec<Piece>, fresh: Vec<u8> },
    /// Cutting; the cutter began with the bytes of the session's tail.
    Cutting(Cutter),
}

impl UploadReceiver {
    /// Receives the first call of a session.
    pub fn new(blocks: &BlockStore) -> Self {
        Self::after(blocks, 0, Vec::new())
    }

    /// Receives what follows `upload`.
    pub fn resume(blocks: &BlockStore, upload: &Upload) -> Self {
        Self::after(blocks, upload.offset(), upload.tail.clone())
    }

    fn after(blocks: &BlockStore, at: u64, tail: Vec<Piece>) -> Self {
        let state = State::Small {
            tail,
            fresh: Vec::new(),
        };
        let blocks = blocks.clone();
        UploadReceiver { blocks, at, state }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        if let State::Small { tail, fresh } = &mut self.state {
            if length(tail) + fresh.len() + bytes.len() < BLOCK_BYTES {
                fresh.extend_from_slice(bytes);
                return Ok(());
            }
            let mut cutter = Cutter::resume(Vec::new(), join(&self.blocks, tail)?);
            cutter.push(fresh, |block| self.blocks.put(block))?;
            self.state = State::Cutting(cutter);
        }
        match &mut self.state {
            State::Cutting(cutter) => cutter.push(bytes, |block| self.blocks.put(block)),
            State::Small { .. } => Ok(()),
        }
    }

    /// Stores what is left; the answer is for [`super::Meta::start_upload`] or [`super::Meta::append_upload`].
    pub fn finish(self, close: bool) -> Result<Append> {
        let (blocks, tail) = match self.state {
            State::Small { tail, fresh } => (Vec::new(), lengthen(&self.blocks, tail, &fresh)?),
            State::Cutting(cutter) => {
                let (blocks, rest) = cutter.into_parts();
                (blocks, lengthen(&self.blocks, Vec::new(), &rest)?)
            }
        };
        Ok(Append {
            at: self.at,
            blocks,
            tail,
            close,
        })
    }
}

/// The content of a session whose full blocks are `before` and which `append` ends: its last block is stored in one.
pub fn upload_content(
    store: &BlockStore,
    mut before: Vec<BlockHash>,
    append: &Append,
) -> Result<Content> {
    before.extend(&append.blocks);
    let size = (before.len() * BLOCK_BYTES + length(&append.tail)) as u64;
    match append.tail[..] {
        [] => {}
        [piece] => before.push(piece.hash),
        ref pieces => before.push(store.put(&join(store, pieces)?)?),
    }
    let content_hash = chunk::content_hash(&before);
    Ok(Content {
        blocks: before,
        size,
        content_hash,
    })
}

/// The tail with `fresh` after it; many pieces become one.
fn lengthen(store: &BlockStore, mut tail: Vec<Piece>, fresh: &[u8]) -> Result<Vec<Piece>> {
    if fresh.is_empty() {
        return Ok(tail);
    }
    if tail.len() < MAX_PIECES {
        tail.push(piece(store, fresh)?);
        return Ok(tail);
    }
    let mut whole = join(store, &tail)?;
    whole.extend_from_slice(fresh);
    Ok(vec![piece(store, &whole)?])
}

fn piece(store: &BlockStore, bytes: &[u8]) -> Result<Piece> {
    Ok(Piece {
        hash: store.put(bytes)?,
        bytes: bytes.len() as u32,
    })
}

/// The bytes of `pieces`, one after the other.
fn join(store: &BlockStore, pieces: &[Piece]) -> Result<Vec<u8>> {
    let mut whole = Vec::with_capacity(length(pieces));
    for piece in pieces {
        whole.extend(store.get(&piece.hash)?);
    }
    Ok(whole)
}

fn length(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.bytes as usize).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::block::{Options, Target};
    use crate::key::Keyring;
    use crate::kv::leveldb::{self, LevelDbStore};
    use crate::meta::session::LIFETIME_MS;
    use crate::meta::{AccountId, Address, Env, Meta, NewFile, Refusal, UploadId, WriteMode};
    use crate::{Error, keyspace};

    const ALICE: AccountId = AccountId(7);

    struct Bench {
        _folder: tempfile::TempDir,
        clock: Arc<crate::meta::env::ManualClock>,
        meta: Meta,
        blocks: BlockStore,
    }

    fn bench() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kv");
        let kv = Arc::new(LevelDbStore::open(&path, leveldb::Options::default()).unwrap());
        let (env, clock) = Env::seeded(1, 1_000_000_000_000);
        let targets = vec![Target::new("t".to_owned(), folder.path().join("t"))];
        let keys = Keyring::in_memory().unwrap();
        let blocks =
            BlockStore::open(kv.clone(), targets, Options::default(), keys, clock.clone()).unwrap();
        Bench {
            meta: Meta::open(kv, env).unwrap(),
            _folder: folder,
            clock,
            blocks,
        }
    }

    impl Bench {
        fn start(&self, bytes: &[u8]) -> UploadId {
            let mut receiver = UploadReceiver::new(&self.blocks);
            receiver.push(bytes).unwrap();
            self.meta
                .start_upload(ALICE, &receiver.finish(false).unwrap())
                .unwrap()
        }

        fn append(&self, id: UploadId, bytes: &[u8]) -> u64 {
            let upload = self.meta.upload(ALICE, id).unwrap().unwrap();
            let mut receiver = UploadReceiver::resume(&self.blocks, &upload);
            bytes
                .chunks(1 << 20)
                .for_each(|part| receiver.push(part).unwrap());
            self.meta
                .append_upload(ALICE, id, &receiver.finish(false).unwrap())
                .unwrap()
        }

        fn content(&self, id: UploadId) -> Content {
            let upload = self.meta.upload(ALICE, id).unwrap().unwrap();
            let end = UploadReceiver::resume(&self.blocks, &upload)
                .finish(true)
                .unwrap();
            upload_content(
                &self.blocks,
                self.meta.upload_blocks(ALICE, id).unwrap(),
                &end,
            )
            .unwrap()
        }

        fn rows(&self, table: u8) -> usize {
            let rows = self.meta.store().snapshot().unwrap();
            rows.range(&[table], &[table + 1], false, usize::MAX)
                .unwrap()
                .len()
        }
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length as u64)
            .map(|i| (crate::meta::env::mix(i / 8) >> (i % 8 * 8)) as u8)
            .collect()
    }

    #[test]
    fn pieces_of_any_length_become_the_same_content() {
        let bench = bench();
        let bytes = noise(BLOCK_BYTES * 2 + 123);
        let mut expected = Cutter::new();
        expected
            .push(&bytes, |block| bench.blocks.put(block))
            .unwrap();
        let expected = expected.finish(|block| bench.blocks.put(block)).unwrap();
        let id = bench.start(&bytes[..10]);
        let mut at = 10;
        for length in [1, 0, 5_000_000, 7, 100_000, 3_000_000, usize::MAX] {
            let end = bytes.len().min(at + length.min(bytes.len()));
            assert_eq!(bench.append(id, &bytes[at..end]), end as u64);
            at = end;
        }
        assert_eq!(bench.content(id), expected);
    }

    #[test]
    fn many_small_appends_keep_few_pieces() {
        let bench = bench();
        let id = bench.start(b"");
        let bytes = noise(400);
        for (done, byte) in bytes.iter().enumerate() {
            assert_eq!(bench.append(id, &[*byte]), done as u64 + 1);
        }
        let upload = bench.meta.upload(ALICE, id).unwrap().unwrap();
        assert!(upload.tail.len() <= MAX_PIECES);
        assert_eq!(
            bench.content(id).content_hash,
            chunk::content_hash(&[BlockHash::of(&bytes)])
        );
    }

    #[test]
    fn a_wrong_offset_says_the_right_one() {
        let bench = bench();
        let id = bench.start(b"abc");
        let refused = |append: &Append| match bench.meta.append_upload(ALICE, id, append) {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        };
        let append = Append {
            at: 1,
            ..Append::default()
        };
        assert_eq!(refused(&append), Refusal::IncorrectOffset { correct: 3 });
        assert!(bench.meta.upload(AccountId(8), id).unwrap().is_none());
        let tail = bench.meta.upload(ALICE, id).unwrap().unwrap().tail;
        let close = Append {
            at: 3,
            tail,
            close: true,
            ..Append::default()
        };
        assert_eq!(bench.meta.append_upload(ALICE, id, &close).unwrap(), 3);
        assert_eq!(bench.meta.append_upload(ALICE, id, &close).unwrap(), 3);
        assert_eq!(
            refused(&Append {
                at: 3,
                ..Append::default()
            }),
            Refusal::UploadClosed
        );
        assert_eq!(UploadId::parse(&id.to_string()), Some(id));
    }

    #[test]
    fn sessions_hold_their_blocks_until_they_end() {
        let bench = bench();
        let id = bench.start(&noise(BLOCK_BYTES + 1)[1..]);
        bench.append(id, b"more");
        assert_eq!(bench.meta.check_people(100).unwrap(), Vec::<String>::new());
        assert_eq!(bench.rows(keyspace::REFERENCE), 2); // I7
        let other = bench.start(b"other");
        bench.meta.drop_upload(ALICE, id).unwrap();
        bench.meta.drop_upload(ALICE, id).unwrap();
        assert_eq!(bench.rows(keyspace::REFERENCE), 1);
        bench.clock.advance_ms(LIFETIME_MS - 1);
        assert_eq!(bench.meta.expire_uploads(10).unwrap(), 0);
        bench.clock.advance_ms(2);
        assert!(bench.meta.upload(ALICE, other).unwrap().is_none());
        assert_eq!(bench.meta.expire_uploads(10).unwrap(), 1);
        assert_eq!(
            (
                bench.rows(keyspace::REFERENCE),
                bench.rows(keyspace::UPLOAD)
            ),
            (0, 0)
        );
    }

    #[test]
    fn a_finish_that_is_sent_twice_writes_once() {
        let bench = bench();
        let ann = bench
            .meta
            .create_account("ann@example.com", "", false)
            .unwrap();
        let receiver = UploadReceiver::new(&bench.blocks);
        let start = receiver.finish(false).unwrap();
        let id = bench.meta.start_upload(ann.id, &start).unwrap();
        let upload = bench.meta.upload(ann.id, id).unwrap().unwrap();
        let mut receiver = UploadReceiver::resume(&bench.blocks, &upload);
        receiver.push(b"content").unwrap();
        let end = receiver.finish(true).unwrap();
        let content = upload_content(&bench.blocks, Vec::new(), &end).unwrap();
        let file = NewFile {
            blocks: content.blocks,
            size: content.size,
            content_hash: content.content_hash,
            mode: WriteMode::Add,
            autorename: true,
            strict_conflict: true,
            client_modified_ms: None,
        };
        let at = Address::parse("/a.txt").unwrap();
        let commit = |end: &Append| bench.meta.commit_upload(ann.actor(), id, end, &at, &file);
        let early = commit(&Append {
            at: 1,
            ..end.clone()
        });
        assert!(matches!(
            early,
            Err(Error::Refused(Refusal::IncorrectOffset { correct: 0 }))
        ));
        assert_eq!(commit(&end).unwrap().path_display, "/a.txt");
        assert!(matches!(
            commit(&end),
            Err(Error::Refused(Refusal::NotFound))
        ));
        let counts = (
            bench.rows(keyspace::REFERENCE),
            bench.rows(keyspace::UPLOAD),
        );
        assert_eq!(counts, (1, 0)); // the version's own reference
    }

    #[test]
    fn a_block_that_is_not_stored_is_refused() {
        let bench = bench();
        let append = Append {
            blocks: vec![BlockHash::of(b"never")],
            ..Append::default()
        };
        let refused = bench.meta.start_upload(ALICE, &append);
        assert!(
            matches!(refused, Err(Error::BlockMissing(_))),
            "{refused:?}"
        ); // I1
    }
}
