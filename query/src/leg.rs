//! One shard's leg of a search, wherever the shard is: what is asked of it, and what it answers.
//!
//! A search plans once, opens a leg at each shard that holds one of its namespaces, sums up what they know of the words, and then
//! asks all of them with the same sums: a hit scores the same whoever holds its shard. [`crate::part::Part`] is a leg in this
//! process; one over a network asks another process's part.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use storage::meta::{FileId, NamespaceId, Rev};
use tantivy::schema::Field;

use crate::collect::{Key, Matches};
use crate::coverage::Coverage;
use crate::error::{Error, Result};
use crate::lately::Lately;
use crate::limits::Limits;
use crate::plan::Planned;
use crate::request::{Members, Order, Status, Why};
use crate::resolve::Expansions;
use crate::scope::Area;
use crate::segment::Covered;
use crate::statistics::Statistics;

/// All shards, wherever they are.
pub trait Shards: Send + Sync {
    /// How many there are; a namespace is in one of them ([`indexer::shard::shard_of`]).
    fn count(&self) -> u16;

    /// True when legs wait for a network, and many may wait at once.
    fn is_remote(&self) -> bool;

    /// Looks a search's words up in a shard. [`Error::Unreachable`] when the shard does not answer.
    fn open(
        &self,
        shard: u16,
        opening: &Arc<Opening>,
        namespaces: Vec<NamespaceId>,
        deadline: Instant,
    ) -> Result<Box<dyn Leg>>;

    /// Counts a shard's files by index state.
    fn coverage(
        &self,
        shard: u16,
        namespaces: &[NamespaceId],
        deadline: Instant,
    ) -> Result<Coverage>;

    /// True when a shard's last commit shows this very content of a file.
    fn shows(&self, shard: u16, ns: NamespaceId, file: FileId, rev: Rev) -> Result<bool>;
}

/// One shard's leg of one search: a whole commit with what has gone since (I5), and the search's words in it.
pub trait Leg: Send + Sync {
    /// The shard's number.
    fn shard(&self) -> u16;

    /// The searched namespaces that it holds, in order.
    fn namespaces(&self) -> &[NamespaceId];

    /// False when something may be missing, or something gone may be found.
    fn is_complete(&self) -> bool;

    /// What it counts of the account's documents and the search's words.
    fn statistics(&self) -> &Statistics;

    /// The account's files in it.
    fn covered(&self) -> Result<Covered>;

    /// What it has of the word with this number.
    fn word(&self, index: usize) -> Looked;

    /// What a started word may stand for, the most frequent first, with its documents; at most [`MAX_STARTED`].
    fn started(&self, index: usize) -> Vec<(&str, u64)>;

    /// Asks; answers with the [`Reply`] that belongs to the question. [`Error::Unreachable`] when the shard does not answer any more.
    fn ask(&self, question: &Question<'_>, deadline: Instant) -> Result<Reply>;
}

/// Words that a leg names for a start.
pub const MAX_STARTED: usize = 2 * crate::resolve::MAX_EXPANSIONS;

/// What every leg of a search is opened with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Opening {
    /// The plan.
    pub planned: Planned,
    /// Live or deleted files.
    pub status: Status,
    /// Old versions are looked through too.
    pub versions: bool,
    /// Words that starts stand for are wanted as they are written, to be shown: stems will not do.
    #[serde(default)]
    pub spelled: bool,
}

/// What a shard has of a word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The word itself or one of its forms.
    pub is_found: bool,
    /// The start stands for more words than were looked at.
    pub is_cut: bool,
    /// It was looked up among everybody's words.
    pub is_wide: bool,
}

/// What is summed up over all legs, or known from metadata: with it every leg searches alike.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Weighed {
    /// What words are weighed with.
    pub statistics: Statistics,
    /// What started words stand for.
    pub expansions: Expansions,
    /// What mistyped words stand for.
    pub similar: Expansions,
    /// Stems that the best files are about, with their shares ([`crate::feedback`]); they count where words are relaxed.
    pub feedback: Vec<(String, f32)>,
    /// What lies below folders whose name has a word, by word.
    pub folders: HashMap<usize, Vec<Area>>,
    /// The folders that limit the search.
    pub limits: Limits,
}

/// What is wanted of a shard's matches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    /// Only some of the words are demanded.
    pub relaxed: bool,
    /// The order.
    pub order: Order,
    /// Only what comes after this.
    pub after: Option<Key>,
    /// Keys at most.
    pub limit: usize,
    /// What becomes of members that match.
    pub members: Members,
    /// Facets are counted.
    pub facets: bool,
    /// Facets of folders and namespaces are counted.
    pub places: bool,
    /// Old versions may match: of a file's versions that do, the newest is the hit.
    pub newest: bool,
    /// The clock of the search, milliseconds since 1970.
    pub now_ms: i64,
    /// What counts beside words.
    pub lately: Option<Lately>,
}

/// What a leg is asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Question<'a> {
    /// For its matches.
    Search(Cow<'a, Weighed>, Cow<'a, Wanted>),
    /// For folders whose name has a word.
    Named(Cow<'a, Weighed>, usize),
    /// For the folders below some folders of a namespace, themselves included.
    Below(NamespaceId, Status, Cow<'a, [u64]>),
    /// For words that differ from a mistyped one by so many typos at most, and begin with these letters.
    Near(usize, Cow<'a, str>, Cow<'a, str>, usize),
    /// For words that hold a word.
    Holding(usize, Cow<'a, str>),
    /// For what a word counts that a mistyped one may stand for.
    Meant(usize, Cow<'a, str>),
    /// For how many of the account's files that are there now have such a word. // I6
    Seen(usize, Cow<'a, str>),
    /// For how many of the account's files that are there now have a word that a start stands for. // I6
    Started(usize, Cow<'a, str>),
    /// For stems.
    Stems(Cow<'a, [String]>),
    /// For what files, or their members, owe their scores to; relaxed or not.
    Why(Cow<'a, Weighed>, bool, Cow<'a, [(u64, u64)]>),
}

impl Question<'_> {
    /// The same question, borrowed.
    pub fn borrowed(&self) -> Question<'_> {
        #[expect(
            clippy::ptr_arg,
            reason = "a plain reference would be taken for one to a Cow"
        )]
        fn of<'a, T: ToOwned + ?Sized>(owned: &'a Cow<'_, T>) -> Cow<'a, T> {
            Cow::Borrowed(&**owned)
        }
        match self {
            Question::Search(weighed, wanted) => Question::Search(of(weighed), of(wanted)),
            Question::Named(weighed, word) => Question::Named(of(weighed), *word),
            Question::Below(ns, status, folders) => Question::Below(*ns, *status, of(folders)),
            Question::Near(word, token, first, typos) => {
                Question::Near(*word, of(token), of(first), *typos)
            }
            Question::Holding(word, token) => Question::Holding(*word, of(token)),
            Question::Meant(word, token) => Question::Meant(*word, of(token)),
            Question::Seen(word, token) => Question::Seen(*word, of(token)),
            Question::Started(word, token) => Question::Started(*word, of(token)),
            Question::Stems(stems) => Question::Stems(of(stems)),
            Question::Why(weighed, relaxed, files) => {
                Question::Why(of(weighed), *relaxed, of(files))
            }
        }
    }
}

/// What a leg answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// To [`Question::Search`] and [`Question::Named`].
    Matches(Box<Matches>),
    /// To [`Question::Below`].
    Folders(Vec<u64>),
    /// To [`Question::Near`]: words with how far away they are and their documents.
    Near(HashMap<String, (u8, u64)>),
    /// To [`Question::Holding`]: words with their documents.
    Holding(HashMap<String, u64>),
    /// To [`Question::Meant`]; none when it has no such word.
    Meant(Option<Statistics>),
    /// To [`Question::Seen`] and [`Question::Started`].
    Count(u64),
    /// To [`Question::Stems`]: where they are, and their documents.
    Stems(Vec<(Field, String, u64)>),
    /// To [`Question::Why`]; none where the shard no longer shows it.
    Why(Vec<Option<Why>>),
}

/// Questions with their answers' types.
macro_rules! asked {
    ($leg:expr, $question:expr, $deadline:expr, $reply:ident) => {
        match $leg.ask(&$question, $deadline)? {
            Reply::$reply(answer) => Ok(answer),
            _ => Err(Error::Unreachable {
                shard: $leg.shard(),
                why: "it answers another question than it was asked".to_owned(),
            }),
        }
    };
}

impl dyn Leg + '_ {
    /// Its matches.
    pub fn search(&self, weighed: &Weighed, wanted: &Wanted, by: Instant) -> Result<Matches> {
        let question = Question::Search(Cow::Borrowed(weighed), Cow::Borrowed(wanted));
        asked!(self, question, by, Matches).map(|matches: Box<_>| *matches)
    }

    /// Folders whose name has a word.
    pub fn named(&self, weighed: &Weighed, word: usize, by: Instant) -> Result<Matches> {
        let question = Question::Named(Cow::Borrowed(weighed), word);
        asked!(self, question, by, Matches).map(|matches: Box<_>| *matches)
    }

    /// The folders below some folders of a namespace, themselves included.
    pub fn below(
        &self,
        ns: NamespaceId,
        status: Status,
        folders: &[u64],
        by: Instant,
    ) -> Result<Vec<u64>> {
        let question = Question::Below(ns, status, Cow::Borrowed(folders));
        asked!(self, question, by, Folders)
    }

    /// Words that are near a mistyped one and begin with `first`.
    pub fn near(
        &self,
        word: usize,
        (token, first): (&str, &str),
        typos: usize,
        by: Instant,
    ) -> Result<HashMap<String, (u8, u64)>> {
        let question = Question::Near(word, token.into(), first.into(), typos);
        asked!(self, question, by, Near)
    }

    /// Words that hold a word.
    pub fn holding(&self, word: usize, token: &str, by: Instant) -> Result<HashMap<String, u64>> {
        asked!(self, Question::Holding(word, token.into()), by, Holding)
    }

    /// What a word counts that a mistyped one may stand for.
    pub fn meant(&self, word: usize, token: &str, by: Instant) -> Result<Option<Statistics>> {
        asked!(self, Question::Meant(word, token.into()), by, Meant)
    }

    /// How many files that are there now have a word that a mistyped one may stand for.
    pub fn seen(&self, word: usize, token: &str, by: Instant) -> Result<u64> {
        asked!(self, Question::Seen(word, token.into()), by, Count)
    }

    /// How many files that are there now have a word that a start stands for.
    pub fn seen_started(&self, word: usize, token: &str, by: Instant) -> Result<u64> {
        asked!(self, Question::Started(word, token.into()), by, Count)
    }

    /// Where stems are, and their documents.
    pub fn stems(&self, stems: &[String], by: Instant) -> Result<Vec<(Field, String, u64)>> {
        asked!(self, Question::Stems(Cow::Borrowed(stems)), by, Stems)
    }

    /// What files, or their members, owe their scores to.
    pub fn why(
        &self,
        weighed: &Weighed,
        relaxed: bool,
        of: &[(u64, u64)],
        by: Instant,
    ) -> Result<Vec<Option<Why>>> {
        let question = Question::Why(Cow::Borrowed(weighed), relaxed, Cow::Borrowed(of));
        asked!(self, question, by, Why)
    }
}
