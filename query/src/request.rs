//! What is asked, and what is answered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::extraction::{Letter, Member};
use storage::meta::{Address, NamespaceId, Place};

use crate::highlight::Marked;
use crate::lately::{LATELY, LatelyWeights};
use crate::segment::Covered;

/// Hits on a page unless the caller says otherwise.
pub const DEFAULT_HITS: usize = 20;
/// Hits on a page at most.
pub const MAX_HITS: usize = 1000;

/// A search.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the person typed.
    pub query: String,
    /// Only below this folder; none is everywhere.
    pub below: Option<Address>,
    /// Hits on a page.
    pub max_results: usize,
    /// The order of hits.
    pub order: Order,
    /// Live or deleted files.
    pub status: Status,
    /// Only names count, not texts and folder names.
    pub filename_only: bool,
    /// Only these extensions (lower case, without the dot); empty is all.
    pub extensions: Vec<String>,
    /// Only these categories ([`crate::parse::CATEGORIES`]); empty is all.
    pub categories: Vec<String>,
    /// Only files whose extraction ended in one of these ways (`indexer::document::OUTCOMES`); empty is all files and folders.
    pub outcomes: Vec<String>,
    /// Counts by type, extension, age and size are wanted.
    pub facets: bool,
    /// Counts by folder and owner too.
    pub places: bool,
    /// Each hit says what it owes its rank to.
    pub why: bool,
    /// What is marked in hits.
    pub marks: Marks,
    /// What becomes of matches within files.
    pub members: Members,
    /// What counts beside words.
    pub lately: LatelyWeights,
    /// Words that a start stands for are wanted as they are written, to be shown.
    pub spelled: bool,
}

impl Default for Request {
    fn default() -> Self {
        Request {
            query: String::new(),
            below: None,
            max_results: DEFAULT_HITS,
            order: Order::Relevance,
            status: Status::Active,
            filename_only: false,
            extensions: Vec::new(),
            categories: Vec::new(),
            outcomes: Vec::new(),
            facets: true,
            places: false,
            why: false,
            marks: Marks::All,
            members: Members::Own,
            lately: LATELY,
            spelled: false,
        }
    }
}

/// What becomes of members of files (messages of a mailbox, attachments, files in an archive) that match. Where a query has no
/// words, and in searches of names only, nothing but files are hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Members {
    /// They are hits of their own.
    Own,
    /// Their file is the hit, once.
    File,
    /// They are no hits.
    None,
}

/// The order of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Best first.
    Relevance,
    /// Last modified first.
    Modified,
    /// By name, A first.
    Name,
    /// Largest first.
    Size,
}

/// Which files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Those that are there.
    Active,
    /// Those that were deleted and are still kept.
    Deleted,
}

/// What is said about why something is a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Marks {
    /// Nothing: no text is looked at, and [`Hit::matched`] goes by the name alone.
    None,
    /// What matched; no snippet.
    Kind,
    /// What matched, snippet and marks.
    All,
}

/// One page of hits.
#[derive(Debug)]
pub struct Answer {
    /// Which files these are: the request's, unless the query itself asked for deleted ones.
    pub status: Status,
    /// What is marked, as the search was asked.
    pub marks: Marks,
    /// The hits in order.
    pub hits: Vec<Hit>,
    /// Counts over all hits of the whole search; none on later pages and when not asked for.
    pub facets: Option<Facets>,
    /// Hits of the whole search.
    pub total: u64,
    /// There may be more than `total`: the last word starts more words than were looked at.
    pub estimated: bool,
    /// The query with its typos mended, when that is what was found.
    pub did_you_mean: Option<String>,
    /// Files that the account can search, and how many of them are searchable; none on later pages.
    pub coverage: Option<Covered>,
    /// How long it took here.
    pub took: Duration,
    /// Some shards did not answer in time: there may be more.
    pub partial: bool,
    /// Namespaces of which there may be more, because their shards did not answer, or only in part.
    pub missing: Vec<NamespaceId>,
    /// What to go on with, when there is more.
    pub cursor: Option<String>,
    /// Remarks for a person: what was not understood, or relaxed.
    pub warnings: Vec<String>,
}

/// A found file or folder.
#[derive(Debug)]
pub struct Hit {
    /// Where it is (or was, for deleted files), as the searching account sees it.
    pub place: Place,
    /// What in the file it is; none where it is the file itself. Marks and spot are about this alone.
    pub member: Option<Member>,
    /// The member's number in the file, from 1; 0 for the file itself.
    pub number: u64,
    /// Sender and recipients, where the file itself is a message.
    pub letter: Option<Letter>,
    /// What matched.
    pub matched: Matched,
    /// The best passage of its text, or of its title and author when only they matched.
    pub snippet: Marked,
    /// What matched in its name, `[start, end)` in characters.
    pub name_highlights: Vec<(usize, usize)>,
    /// Where in its text the best passage's first match is; none when the text has none.
    pub spot: Option<Spot>,
    /// What it owes its rank to; when that was asked for.
    pub why: Option<Why>,
    /// It is an old version: the place's node has this version's content, and the present name.
    pub is_old: bool,
}

/// A place in an extracted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// `[start, end)` in characters of the text.
    pub range: (usize, usize),
    /// The page, slide, sheet or other part, and its number from 1; none where a text has no pages.
    pub page: Option<(Leaf, u32)>,
    /// What that part is called: a sheet's name, a message's subject, a path in an archive.
    pub label: Option<String>,
}

/// What texts of a format are divided in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Leaf {
    /// Of a document.
    #[default]
    Page,
    /// Of a presentation.
    Slide,
    /// Of a spreadsheet.
    Sheet,
    /// Of a book.
    Chapter,
    /// Of a mailbox.
    Message,
    /// Of a message.
    Attachment,
    /// Of an archive.
    Member,
}

/// A score and what it is the sum of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// What counts.
    #[serde(alias = "description")]
    pub what: String,
    /// How much.
    #[serde(alias = "value")]
    pub score: f32,
    /// Its parts.
    #[serde(default, alias = "details", skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<Why>,
}

/// What matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// The name, or a folder's name.
    Name,
    /// The text.
    Content,
    /// Both.
    Both,
}

/// Counts over all hits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// By category, most first.
    pub category: Vec<(String, u64)>,
    /// By extension, most first, at most [`MAX_FACET_VALUES`].
    pub extension: Vec<(String, u64)>,
    /// By age: today, week, month, year, older; each file counts once.
    pub modified: Vec<(String, u64)>,
    /// By size: up to 10 kB, 100 kB, 1 MB, 10 MB, 100 MB, or larger; each file counts once, folders as the smallest.
    pub size: Vec<(String, u64)>,
    /// By the language of the text (a code as `lang:` reads it), most first; files whose language is not told are not counted.
    pub language: Vec<(String, u64)>,
    /// By the folder that a file lies in, as the account sees it, most first, at most [`MAX_FACET_VALUES`].
    pub folder: Vec<(String, u64)>,
    /// By the owner of the shared folder that a file lies in (an e-mail address), most first, at most [`MAX_FACET_VALUES`].
    pub owner: Vec<(String, u64)>,
}

/// Extensions that are counted by name.
pub const MAX_FACET_VALUES: usize = 20;
