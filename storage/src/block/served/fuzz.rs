//! Both ends of a block server's line with any questions and answers, for the fuzz targets: as if somebody with the cluster's key had
//! been taken over.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::meta::Env;
use crate::row::VERSION;

const STORE: StoreId = StoreId([1; 16]);
const ONE: ExtentId = ExtentId(1);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Questions that one input has at most.
const MAX_QUESTIONS: usize = 32;
/// What is written and read.
const BYTES: [u8; 100] = [7; 100];

/// The first byte says which end the rest is for; pieces have their length before them.
pub(crate) fn talk(bytes: &[u8]) {
    let (Ok(key), Some((&kind, rest))) = (ClusterKey::new(SECRET), bytes.split_first()) else {
        return;
    };
    match kind % 3 {
        0 => ask(&key, &pieces(rest)),
        1 => drop(hear(key, pieces(rest))),
        _ => {
            // Nobody has sealed it.
            assert!(key.asked(rest).is_none() && key.answered(&BYTES, rest).is_none());
        }
    }
}

fn pieces(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    while let Some((&length, rest)) = bytes.split_first()
        && pieces.len() < MAX_QUESTIONS
    {
        let (piece, rest) = rest.split_at(usize::from(length).min(rest.len()));
        pieces.push([&[VERSION], piece].concat());
        bytes = rest;
    }
    pieces
}

/// Asks a block server in a temporary folder.
fn ask(key: &ClusterKey, asked: &[Vec<u8>]) {
    static NONCE: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static SERVER: RefCell<Option<(tempfile::TempDir, BlockServer)>> = const { RefCell::new(None) };
    }
    let clock = Env::system().clock;
    let mut writer = 0;
    let mut one = |server: &BlockServer, ask: Ask| {
        let question = Question {
            store: STORE,
            asked_ms: clock.now_ms().max(0) as u64,
            nonce: NONCE.fetch_add(1, Ordering::Relaxed),
            ask: with_writer(ask, writer),
        };
        let frame = key.ask(&question, &BYTES).ok()?;
        let Some(Ok(answered)) = server.answer(&frame) else {
            panic!("a question with the key has no answer: {question:?}");
        };
        let (answer, _) = key.answered(&frame, &answered)?;
        if let (Answer::Number(number), Ask::Create(_) | Ask::Reopen { .. } | Ask::BeginCopy(_)) =
            (&answer, &question.ask)
        {
            writer = *number;
        }
        Some(answer)
    };
    SERVER.with_borrow_mut(|kept| {
        if kept.is_none() {
            let folder = tempfile::tempdir().ok();
            *kept = folder.and_then(|folder| {
                let server =
                    BlockServer::new(&folder.path().join("b"), key.clone(), Env::system().clock);
                Some((folder, server.ok()?))
            });
        }
        let Some((_, server)) = kept else { return };
        one(server, Ask::Take { expected: false });
        for asked in asked {
            if let Ok(ask) = crate::row::decode("a question", asked) {
                one(server, ask);
            }
        }
        // The next input finds the folder as this one did.
        let after = ExtentId(0);
        if let Some(Answer::Extents(extents)) = one(server, Ask::Extents { after }) {
            for (extent, _) in extents {
                one(server, Ask::Remove(extent));
            }
        }
    });
}

/// A number that an input cannot know: the last one that was given out.
fn with_writer(ask: Ask, writer: u64) -> Ask {
    match ask {
        Ask::Write { offset, .. } => Ask::Write { writer, offset },
        Ask::Cut { length, .. } => Ask::Cut { writer, length },
        Ask::Sync { .. } => Ask::Sync { writer },
        Ask::EndCopy { .. } => Ask::EndCopy { writer },
        Ask::DropCopy { .. } => Ask::DropCopy { writer },
        ask => ask,
    }
}

/// A block server that answers what it likes.
struct Said {
    key: ClusterKey,
    answers: Mutex<std::vec::IntoIter<Vec<u8>>>,
}

impl Line for Said {
    fn ask(&self, question: Vec<u8>) -> Result<Vec<u8>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = answers.next();
        let answer = answer.ok_or_else(|| Error::Unavailable("nothing more is said".into()))?;
        let context = question.get(..32).unwrap_or_default();
        self.key.seal(context, &answer, &BYTES)
    }
}

fn hear(key: ClusterKey, answers: Vec<Vec<u8>>) -> Result<()> {
    let line = Said {
        key: key.clone(),
        answers: Mutex::new(answers.into_iter()),
    };
    let served = Served::with("block://fuzz:1", Box::new(line), key, STORE);
    drop(served.is_marked());
    drop(served.take(true));
    served.free_bytes();
    served.has(ONE, 100);
    let handle = served.create(ONE)?;
    served.write(ONE, &handle, &BYTES, u64::MAX - 200)?;
    served.sync(ONE, &handle)?;
    drop(served.read(ONE, 0, BYTES.len()));
    drop(served.mend(ONE, 0, &BYTES));
    let copy = served.begin_copy(ONE)?;
    served.end_copy(ONE, copy)?;
    let handle = served.reopen(ONE, 64)?;
    drop(served.cut(ONE, &handle, 64));
    served.remove(ONE)
}
