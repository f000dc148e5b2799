//! What processes ask each other.

use std::borrow::Cow;

use query::coverage::Coverage;
use query::leg::{Looked, Opening, Question, Reply};
use query::segment::Covered;
use query::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::meta::{FileId, NamespaceId, Rev};

/// A shard, and the epoch of the lease under which it is asked: an owner of another epoch refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// The shard.
    pub shard: u16,
    /// The epoch.
    pub epoch: u64,
}

/// A call.
#[derive(Debug, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "made to be written at once")]
pub enum Call<'a> {
    /// Looks a search's words up.
    Open {
        /// Where.
        at: At,
        /// The number under which the leg is asked further.
        leg: u64,
        /// The search.
        opening: Cow<'a, Opening>,
        /// Its namespaces in this shard.
        namespaces: Cow<'a, [NamespaceId]>,
    },
    /// Asks an opened leg.
    Ask {
        /// Where.
        at: At,
        /// Which leg.
        leg: u64,
        /// What.
        question: Question<'a>,
    },
    /// Counts files by index state.
    Coverage {
        /// Where.
        at: At,
        /// Of these namespaces.
        namespaces: Cow<'a, [NamespaceId]>,
    },
    /// Whether a content is in the last commit.
    Shows {
        /// Where.
        at: At,
        /// The namespace.
        ns: NamespaceId,
        /// The file.
        file: FileId,
        /// The content.
        rev: Rev,
    },
    /// What an administrator asks about this process's part of the index.
    Operation {
        /// Its name, as behind `/2/firefly/admin/`.
        name: Cow<'a, str>,
        /// Its argument, JSON.
        argument: String,
    },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Call::Open`].
    Opened(Box<Opened>),
    /// To [`Call::Ask`].
    Reply(Reply),
    /// To [`Call::Coverage`].
    Coverage(Coverage),
    /// To [`Call::Shows`].
    Shows(bool),
    /// To [`Call::Operation`]: JSON.
    Operation(String),
    /// The shard is not held here, or under another epoch.
    NotHeld,
    /// There is no such leg any more: open it again.
    NoLeg,
    /// It went wrong.
    Failed(String),
}

/// What a leg knows from the start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    /// Nothing is missing in it.
    pub complete: bool,
    /// What it counts.
    pub statistics: Statistics,
    /// The account's files.
    pub covered: Covered,
    /// What it has of each word of the plan.
    pub words: Vec<Looked>,
    /// What started words stand for, by word.
    pub started: Vec<Vec<(String, u64)>>,
}

impl Opened {
    /// What it has of a word of the plan.
    pub fn word(&self, index: usize) -> Looked {
        self.words.get(index).copied().unwrap_or_default()
    }

    /// What a started word stands for, each with its documents.
    pub fn started(&self, index: usize) -> Vec<(&str, u64)> {
        let started = self.started.get(index).into_iter().flatten();
        started
            .map(|(word, documents)| (word.as_str(), *documents))
            .collect()
    }
}

impl Answer {
    /// An operation's answer.
    pub fn of_operation(answer: &Value) -> Answer {
        Answer::Operation(answer.to_string())
    }
}
