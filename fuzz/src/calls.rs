//! What processes of a cluster ask each other: a search over a shard of another process that answers anything at all.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use call::{Answer, Call, Opened};
use query::coverage::Coverage;
use query::leg::{Leg, Looked, Opening, Question, Reply, Shards};
use query::request::Request;
use query::segment::Covered;
use query::statistics::Statistics;
use query::{Engine, Error, Result};
use storage::extraction::Extractions;
use storage::kv::Store;
use storage::kv::memory::MemoryStore;
use storage::meta::{Account, FileId, NamespaceId, Rev};
use time::OffsetDateTime;

use crate::base;

/// The program's own: what is said, and how it is written.
#[allow(dead_code, reason = "nothing is asked here, only understood")]
#[path = "../../src/rpc/call.rs"]
mod call;

/// What is searched for; the input's first byte chooses.
const QUERIES: [&str; 4] = [
    "heron wat",
    "\"shallow water\" OR heronn -owl type:pdf",
    "in:/a name:heron*",
    "hern",
];

/// The shard of another process. Its answers are those of the input, one after the other.
#[derive(Clone, Default)]
struct Elsewhere(Arc<Mutex<Vec<u8>>>);

struct Here {
    elsewhere: Elsewhere,
    engine: Engine,
    ann: Account,
    _folder: tempfile::TempDir,
}

/// The first byte says what follows: a call, or answers.
pub fn calls(bytes: &[u8]) {
    thread_local! {
        static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
    }
    let Some((&kind, rest)) = bytes.split_first() else {
        return;
    };
    if kind & 0x80 == 0 {
        drop(rmp_serde::from_slice::<Call<'static>>(rest));
        return;
    }
    HERE.with_borrow_mut(|here| {
        if here.is_none() {
            *here = Here::new().ok();
        }
        if let Some(here) = here {
            here.search(kind, rest);
        }
    });
}

impl Here {
    fn new() -> storage::Result<Here> {
        let folder = tempfile::tempdir().map_err(|e| storage::Error::Engine(e.to_string()))?;
        let store: Arc<dyn Store> = Arc::<MemoryStore>::default();
        let meta = base::open(&store)?;
        let ann = meta.create_account("ann@example.org", "Ann", true)?;
        let sources = query::hit::Sources {
            meta,
            extractions: Extractions::new(store.clone()),
            blocks: base::blocks(&store, folder.path())?,
        };
        let elsewhere = Elsewhere::default();
        let engine = Engine::over(Arc::new(elsewhere.clone()), sources, &*store);
        Ok(Here {
            engine: engine.map_err(|e| storage::Error::Engine(e.to_string()))?,
            elsewhere,
            ann,
            _folder: folder,
        })
    }

    fn search(&self, kind: u8, answers: &[u8]) {
        *self.elsewhere.said() = answers.to_vec();
        let request = Request {
            query: QUERIES[usize::from(kind & 3)].to_owned(),
            places: kind & 4 != 0,
            why: kind & 8 != 0,
            ..Request::default()
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        let found = self.engine.search(self.ann.actor(), &request, now);
        if let Ok(answer) = found
            && let Some(cursor) = answer.cursor
        {
            drop(self.engine.resume(self.ann.actor(), &cursor));
        }
    }
}

impl Elsewhere {
    fn said(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Result<Answer> {
        let mut said = self.said();
        let mut rest = said.as_slice();
        let answer = rmp_serde::from_read(&mut rest);
        *said = rest.to_vec();
        answer.map_err(|error| Error::Unreachable {
            shard: 0,
            why: error.to_string(),
        })
    }
}

fn unexpected() -> Error {
    Error::Unreachable {
        shard: 0,
        why: "another answer".to_owned(),
    }
}

impl Shards for Elsewhere {
    fn count(&self) -> u16 {
        1
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn open(
        &self,
        _: u16,
        _: &Arc<Opening>,
        namespaces: Vec<NamespaceId>,
        _: Instant,
    ) -> Result<Box<dyn Leg>> {
        match self.next()? {
            Answer::Opened(opened) => Ok(Box::new(Foreign {
                elsewhere: self.clone(),
                namespaces,
                opened: *opened,
            })),
            _ => Err(unexpected()),
        }
    }

    fn coverage(&self, _: u16, _: &[NamespaceId], _: Instant) -> Result<Coverage> {
        match self.next()? {
            Answer::Coverage(coverage) => Ok(coverage),
            _ => Err(unexpected()),
        }
    }

    fn shows(&self, _: u16, _: NamespaceId, _: FileId, _: Rev) -> Result<bool> {
        match self.next()? {
            Answer::Shows(shows) => Ok(shows),
            _ => Err(unexpected()),
        }
    }
}

/// A leg there.
struct Foreign {
    elsewhere: Elsewhere,
    namespaces: Vec<NamespaceId>,
    opened: Opened,
}

impl Leg for Foreign {
    fn shard(&self) -> u16 {
        0
    }

    fn namespaces(&self) -> &[NamespaceId] {
        &self.namespaces
    }

    fn is_complete(&self) -> bool {
        self.opened.complete
    }

    fn statistics(&self) -> &Statistics {
        &self.opened.statistics
    }

    fn covered(&self) -> Result<Covered> {
        Ok(self.opened.covered)
    }

    fn word(&self, index: usize) -> Looked {
        self.opened.word(index)
    }

    fn started(&self, index: usize) -> Vec<(&str, u64)> {
        self.opened.started(index)
    }

    fn ask(&self, _: &Question<'_>, _: Instant) -> Result<Reply> {
        match self.elsewhere.next()? {
            Answer::Reply(reply) => Ok(reply),
            _ => Err(unexpected()),
        }
    }
}
