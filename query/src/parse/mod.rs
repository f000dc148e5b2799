//! Text to query. Never fails: what cannot be understood is searched as words, with a warning that says so.
//!
//! ```text
//! query  = or
//! or     = and { "OR" and }
//! and    = unary { [ "AND" ] unary }
//! unary  = "-" unary | "NOT" unary | "(" or ")" | '"' words '"' | field ":" value | word
//! ```

mod date;
mod field;
mod lex;
mod operators;
mod size;

use indexer::analyse::Language;
use lex::{Token, lex};
pub use operators::{Kind, OPERATORS, Operator};
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;

/// Characters of a query that are read; the rest is left out with a warning.
pub const MAX_CHARACTERS: usize = 1000;
/// Words, phrases and filters of one query.
pub const MAX_LEAVES: usize = 64;
/// Depth of parentheses and negations.
const MAX_DEPTH: usize = 16;

/// A parsed query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// What to look for.
    pub clause: Clause,
    /// What was not understood or left out, in words for a person.
    pub warnings: Vec<String>,
    /// The query itself asks for deleted files (`is:deleted`).
    pub deleted: bool,
    /// Old versions are asked for too (`version:`, `asof:`).
    pub versions: bool,
}

/// A node of the query tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// Everything (an empty query).
    All,
    /// Text as typed between spaces; the analyser may make several tokens of it, which then are a phrase.
    Word {
        /// The text.
        text: String,
        /// It was typed last, with nothing after it: every word that starts like this counts.
        prefix: bool,
        /// Where it must be.
        scope: TextScope,
    },
    /// Words in this order next to each other.
    Phrase {
        /// The text between the quotes.
        text: String,
        /// Where it must be.
        scope: TextScope,
    },
    /// A property.
    Filter(Filter),
    /// All of these.
    And(Vec<Clause>),
    /// At least one of these.
    Or(Vec<Clause>),
    /// Not this.
    Not(Box<Clause>),
}

/// Where a word must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextScope {
    /// In the name, a folder's name or the text.
    Anywhere,
    /// In the name (`name:`).
    Name,
}

/// One of [`CATEGORIES`]. By a name of its own, or it would be borrowed from what another process sent.
type Name = &'static str;

/// A property of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Filter {
    /// The category, one of [`CATEGORIES`].
    Category(#[serde(deserialize_with = "category")] Name),
    /// The name's extension, lower case, without the dot.
    Extension(String),
    /// Below this folder; a path from the root.
    In(String),
    /// Modified in `[from, until)`, seconds since 1970; an end that is open is `i64::MIN` or `i64::MAX`.
    Modified(i64, i64),
    /// Bytes in `[from, until)`; an open end is `u64::MAX`.
    Size(u64, u64),
    /// A message with these words among its senders, its recipients or in its subject.
    Letter {
        /// Where.
        part: LetterPart,
        /// The words, all of them, in any order.
        text: String,
        /// The last one is the start of a word.
        prefix: bool,
    },
    /// A message sent in `[from, until)`, as [`Filter::Modified`].
    Sent(i64, i64),
    /// First stored in `[from, until)`, as [`Filter::Modified`].
    Created(i64, i64),
    /// Last changed by this person: an e-mail address, a name or `me`, in lower case.
    By(String),
    /// The text is in this language.
    Language(Language),
    /// In the files of this person: an e-mail address, a name or `me`, in lower case.
    Owner(String),
    /// By how it is shared.
    Shared(Shared),
    /// The content of files before this time, seconds since 1970: the version that was the newest then.
    AsOf(i64),
    /// An old version.
    Past,
    /// Extraction found text in it.
    HasText,
    /// How its extraction ended: a number into `indexer::document::OUTCOMES`. Not to be typed.
    Outcome(u64),
    /// The searching account made a shared link to it.
    HasLink,
}

/// A part of a message's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LetterPart {
    /// Who wrote it.
    From,
    /// Who got it, or a copy.
    To,
    /// What it is about.
    Subject,
}

/// How something is shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Shared {
    /// It is a shared folder, or lies in one.
    Yes,
    /// It does not.
    No,
    /// In a shared folder of the searching account's own.
    ByMe,
    /// In a shared folder of somebody else.
    WithMe,
    /// In a shared folder that has this person as a member: an e-mail address or a name, in lower case.
    With(String),
}

/// Every value of `type:`.
pub const CATEGORIES: [&str; 13] = [
    "document",
    "spreadsheet",
    "presentation",
    "pdf",
    "image",
    "text",
    "code",
    "mail",
    "archive",
    "audio",
    "video",
    "folder",
    "other",
];

/// The category of a name that another process sent.
fn category<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<&'static str, D::Error> {
    let name = String::deserialize(from)?;
    let known = CATEGORIES.into_iter().find(|known| *known == name);
    known.ok_or_else(|| serde::de::Error::custom(format!("no category {name}")))
}

/// Parses `text` as a person types it; relative dates count from `now`.
pub fn parse(text: &str, now: OffsetDateTime) -> Query {
    let mut warnings = Vec::new();
    let mut kept = text;
    if let Some((end, _)) = text.char_indices().nth(MAX_CHARACTERS) {
        kept = &text[..end];
        warnings.push(format!(
            "only the first {MAX_CHARACTERS} characters were searched"
        ));
    }
    let tokens = lex(kept);
    let typing = !kept.ends_with(|c: char| c.is_whitespace() || c == '"' || c == ')');
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        leaves: 0,
        typing,
        deleted: false,
        versions: false,
        warnings,
        now,
    };
    let clause = parser.or(0);
    let mut clauses = vec![clause];
    while parser.at < tokens.len() {
        parser.at += 1; // a closing parenthesis that nothing opened
        clauses.push(parser.or(0));
    }
    Query {
        clause: all_of(clauses),
        deleted: parser.deleted,
        versions: parser.versions,
        warnings: parser.warnings,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    leaves: usize,
    typing: bool,
    deleted: bool,
    versions: bool,
    warnings: Vec<String>,
    now: OffsetDateTime,
}

impl Parser<'_> {
    fn or(&mut self, depth: usize) -> Clause {
        let mut sides = vec![self.and(depth)];
        while self.peek() == Some(&Token::Or) {
            self.at += 1;
            sides.push(self.and(depth));
        }
        sides.retain(|side| *side != Clause::All);
        match sides.len() {
            0 => Clause::All,
            1 => sides.remove(0),
            _ => Clause::Or(sides),
        }
    }

    fn and(&mut self, depth: usize) -> Clause {
        let mut sides = Vec::new();
        while let Some(token) = self.peek() {
            match token {
                Token::Or | Token::Close => break,
                _ => sides.push(self.unary(depth)),
            }
        }
        all_of(sides)
    }

    fn unary(&mut self, depth: usize) -> Clause {
        let last = self.at + 1 == self.tokens.len();
        let Some(token) = self.tokens.get(self.at) else {
            return Clause::All;
        };
        self.at += 1;
        match token {
            Token::Not if depth < MAX_DEPTH => match self.peek() {
                None | Some(Token::Or | Token::Close) => Clause::All,
                Some(_) => negated(self.unary(depth + 1)),
            },
            Token::Open if depth < MAX_DEPTH => {
                let inner = self.or(depth + 1);
                if self.peek() == Some(&Token::Close) {
                    self.at += 1;
                }
                inner
            }
            Token::Phrase(text) => self.leaf(Clause::Phrase {
                text: text.clone(),
                scope: TextScope::Anywhere,
            }),
            Token::Field(name, value) => self.field(name, value, last),
            Token::Quoted(name, value) => self.quoted(name, value),
            Token::Word(text) => self.word(text, last, TextScope::Anywhere),
            Token::Not | Token::Open | Token::Or | Token::And | Token::Close => Clause::All,
        }
    }

    /// A word; a star at its end makes it a start, wherever it stands.
    fn word(&mut self, text: &str, last: bool, scope: TextScope) -> Clause {
        let start = text.trim_end_matches('*');
        let is_start = start.len() < text.len() && start.ends_with(char::is_alphanumeric);
        let prefix = is_start || (last && self.typing);
        self.leaf(Clause::Word {
            text: if is_start { start } else { text }.to_owned(),
            prefix,
            scope,
        })
    }

    fn field(&mut self, name: &str, value: &str, last: bool) -> Clause {
        match field::read(name, value, last && self.typing, self.now) {
            field::Read::Filter(clause) => self.leaf(clause),
            field::Read::Name => self.word(value, last, TextScope::Name),
            field::Read::Deleted => {
                self.deleted = true;
                Clause::All
            }
            field::Read::Versions(clause) => {
                self.versions = true;
                self.leaf(clause)
            }
            field::Read::Nothing => Clause::All,
            field::Read::Unknown(warning) => {
                self.warnings.push(warning);
                self.word(&format!("{name}:{value}"), last, TextScope::Anywhere)
            }
            field::Read::NoField => {
                self.word(&format!("{name}:{value}"), last, TextScope::Anywhere)
            }
        }
    }

    /// `name:"two words"` is a phrase of the name; in other fields quotes only hold a value together.
    fn quoted(&mut self, name: &str, value: &str) -> Clause {
        match field::read(name, value, false, self.now) {
            field::Read::Name => self.leaf(Clause::Phrase {
                text: value.to_owned(),
                scope: TextScope::Name,
            }),
            _ => self.field(name, value, false),
        }
    }

    fn leaf(&mut self, leaf: Clause) -> Clause {
        self.leaves += 1;
        if self.leaves == MAX_LEAVES + 1 {
            self.warnings
                .push(format!("only the first {MAX_LEAVES} words were searched"));
        }
        if self.leaves > MAX_LEAVES {
            Clause::All
        } else {
            leaf
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }
}

fn negated(clause: Clause) -> Clause {
    match clause {
        Clause::All => Clause::All,
        Clause::Not(inner) => *inner,
        other => Clause::Not(Box::new(other)),
    }
}

fn all_of(mut sides: Vec<Clause>) -> Clause {
    sides.retain(|side| *side != Clause::All);
    match sides.len() {
        0 => Clause::All,
        1 => sides.remove(0),
        _ => Clause::And(sides),
    }
}

#[cfg(test)]
mod tests;
