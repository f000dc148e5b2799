//! From keys to hits: everything is looked up again as the account sees it now (I6), and marked.

use indexer::analyse::Language;
use storage::block::BlockStore;
use storage::extraction::{ExtractionRecord, Extractions, Letter, Member};
use storage::meta::path;
use storage::meta::{FileId, Meta, Node, NodeKind, Place, Rev, View};

use crate::error::Result;
use crate::highlight::{self, Marked, Needles};
use crate::request::{Hit, Leaf, Marks, Matched, Spot, Status};

/// How hits are marked.
pub struct How<'n> {
    /// What to mark.
    pub needles: &'n Needles,
    /// Live or deleted files.
    pub status: Status,
    /// What is marked.
    pub marks: Marks,
    /// Files stand for their members too.
    pub is_whole: bool,
}

/// Where hits are looked up.
#[derive(Clone)]
pub struct Sources {
    /// Places and access.
    pub meta: Meta,
    /// What extraction found.
    pub extractions: Extractions,
    /// The texts.
    pub blocks: BlockStore,
}

impl Sources {
    /// The file's place as the account of `view` sees it; none when it is gone or not the account's to see. // I6
    pub fn place(&self, view: &View<'_>, file: u64, status: Status) -> Result<Option<Place>> {
        Ok(match status {
            Status::Active => view.place(FileId(file))?,
            Status::Deleted => view.place_deleted(FileId(file))?,
        })
    }

    /// A place as it was with an old version's content; none when the version is gone. // I6
    pub fn back(view: &View<'_>, place: Place, rev: Rev) -> Result<Option<Place>> {
        let version = view.version(place.node.id, rev)?;
        Ok(version.map(|version| Place {
            node: Node {
                kind: NodeKind::File(version),
                ..place.node
            },
            ..place
        }))
    }

    /// The language and the beginning of the text of a file, or of one of its members, at most `most` bytes.
    pub fn beginning(&self, place: &Place, number: u64, most: usize) -> Result<(Language, String)> {
        let (Some(head), Some(record)) = (place.node.head(), self.record(place)?) else {
            return Ok((Language::ENGLISH, String::new()));
        };
        if let Some(member) = self.member(&record, number)? {
            let text = self.text_of(&record, &member, most)?;
            return Ok((spoken(member.language.as_deref()), text));
        }
        let text = indexer::text::load_start(&record, &head.blocks, &self.blocks, most)?;
        Ok((spoken(record.language.as_deref()), text))
    }

    /// The member of a number, from 1; none for the file itself, and when it has changed since.
    fn member(&self, record: &ExtractionRecord, number: u64) -> Result<Option<Member>> {
        let members = record.members.as_ref().zip(u32::try_from(number).ok());
        let found = members.map(|(members, number)| members.get(number, &self.blocks));
        Ok(found.transpose()?.flatten())
    }

    /// The text of a member, at most `most` bytes.
    fn text_of(&self, record: &ExtractionRecord, member: &Member, most: usize) -> Result<String> {
        let (start, end) = member.range;
        let end = end.min(start.saturating_add(u32::try_from(most).unwrap_or(u32::MAX)));
        let range = (start, end);
        Ok(indexer::text::load_range(record, range, &self.blocks)?)
    }

    /// Says what matched in a found place, or in a member of it. A text that cannot be read now gives no snippet, and says why
    /// in the log.
    pub fn hit(&self, place: Place, number: u64, how: &How<'_>) -> Hit {
        let How {
            needles,
            status,
            marks,
            ..
        } = *how;
        let texts = match (status, marks) {
            (Status::Deleted, _) => Texts::default(),
            (_, Marks::None) if number == 0 => Texts::default(),
            (Status::Active, _) => self.texts_or_nothing(&place, number, how),
        };
        let name = texts
            .member
            .as_ref()
            .map_or(&place.node.name, |member| &member.name);
        let name_highlights = highlight::in_name(name, needles);
        let (snippet, spot) = texts.snippet(&needles.in_language(texts.language));
        let in_folders = || highlight::has_any(place.path_display.as_str(), needles);
        let matched = match (name_highlights.is_empty(), snippet.highlights.is_empty()) {
            (false, false) => Matched::Both,
            (true, false) => Matched::Content,
            (false, true) => Matched::Name,
            // Beyond what snippets are made of, or in the name of a folder above, or there was no word to look for.
            (true, true) if needles.is_empty() || status == Status::Deleted || in_folders() => {
                Matched::Name
            }
            (true, true) => Matched::Content,
        };
        let (snippet, name_highlights, spot) = match marks {
            Marks::All => (snippet, name_highlights, spot),
            _ => (Marked::default(), Vec::new(), None),
        };
        Hit {
            place,
            number: texts.member.as_ref().map_or(0, |_| number),
            member: texts.member,
            letter: texts.letter,
            matched,
            snippet,
            name_highlights,
            spot,
            why: None,
            is_old: false,
        }
    }

    fn texts_or_nothing(&self, place: &Place, number: u64, how: &How<'_>) -> Texts {
        self.texts(place, number, how).unwrap_or_else(|error| {
            tracing::warn!(file = %place.node.id, %error, "a hit goes without its snippet");
            Texts::default()
        })
    }

    /// What snippets are made of.
    fn texts(&self, place: &Place, number: u64, how: &How<'_>) -> Result<Texts> {
        let (Some(head), Some(record)) = (place.node.head(), self.record(place)?) else {
            return Ok(Texts::default());
        };
        if let Some(member) = self.member(&record, number)? {
            return self.member_texts(&record, member, how.marks);
        }
        let own = record.members.as_ref().filter(|_| !how.is_whole);
        let most = own.map_or(highlight::MAX_TEXT_BYTES, |members| {
            members.range.0 as usize
        });
        let most = most.min(highlight::MAX_TEXT_BYTES);
        let body = indexer::text::load_start(&record, &head.blocks, &self.blocks, most)?;
        let rest = match own {
            Some(members) => {
                let from = members.range.1;
                let until = from.saturating_add(highlight::MAX_TEXT_BYTES as u32);
                indexer::text::load_range(&record, (from, until), &self.blocks)?
            }
            None => String::new(),
        };
        let language = spoken(record.language.as_deref());
        let leaf = leaf_of(&record);
        let (pages, labels) = (record.pages, record.labels);
        let lines = [record.title, record.author].into_iter().flatten();
        Ok(Texts {
            body,
            rest,
            headline: lines.collect::<Vec<_>>().join(" · "),
            leaf,
            pages,
            labels,
            language,
            letter: record.letter,
            member: None,
        })
    }

    fn member_texts(
        &self,
        record: &ExtractionRecord,
        member: Member,
        marks: Marks,
    ) -> Result<Texts> {
        let body = match marks {
            Marks::None => String::new(),
            _ => self.text_of(record, &member, highlight::MAX_TEXT_BYTES)?,
        };
        let letter = member.letter.iter();
        let lines = letter.flat_map(|letter| [letter.subject.as_str(), &letter.from]);
        Ok(Texts {
            body,
            headline: lines.collect::<Vec<_>>().join(" · "),
            language: spoken(member.language.as_deref()),
            member: Some(member),
            ..Texts::default()
        })
    }

    /// The extracted text of a file; empty when there is none (yet).
    pub fn text(&self, place: &Place) -> Result<String> {
        let Some(head) = place.node.head() else {
            return Ok(String::new());
        };
        match self.record(place)? {
            Some(record) => Ok(indexer::text::load(&record, &head.blocks, &self.blocks)?),
            None => Ok(String::new()),
        }
    }

    /// How extraction of a file's present content ended; none while it waits.
    pub fn record(&self, place: &Place) -> Result<Option<ExtractionRecord>> {
        let Some(head) = place.node.head() else {
            return Ok(None);
        };
        let Some(scope) = self.meta.scope(place.ns)? else {
            return Ok(None);
        };
        let extension = path::extension(&place.node.name);
        Ok(self
            .extractions
            .record(scope, &head.content_hash, &extension)?)
    }
}

/// The language whose stems a text's words have in the index.
fn spoken(told: Option<&str>) -> Language {
    told.and_then(Language::named).unwrap_or_default()
}

/// The words of a file that may be shown.
#[derive(Default)]
struct Texts {
    body: String,
    /// What of the file's own text comes behind its members.
    rest: String,
    /// Title and author.
    headline: String,
    language: Language,
    /// Where each page of the body ends, bytes.
    pages: Vec<u32>,
    /// What each page is called; empty where none has a name.
    labels: Vec<String>,
    /// What its pages are.
    leaf: Leaf,
    /// Sender and recipients, where the file is a message.
    letter: Option<Letter>,
    /// Whose words these are, where they are a member's.
    member: Option<Member>,
}

/// What the pages of a text are.
fn leaf_of(record: &storage::extraction::ExtractionRecord) -> Leaf {
    match (record.file_type.as_str(), record.category.as_str()) {
        ("epub", _) => Leaf::Chapter,
        ("mailbox", _) => Leaf::Message,
        (_, "mail") => Leaf::Attachment,
        (_, "archive") => Leaf::Member,
        (_, "presentation") => Leaf::Slide,
        (_, "spreadsheet") => Leaf::Sheet,
        _ => Leaf::Page,
    }
}

impl Texts {
    /// The best passage of the body, unless only title or author have the words.
    fn snippet(&self, needles: &Needles) -> (Marked, Option<Spot>) {
        let body = highlight::passage(&self.body, needles);
        if !body.highlights.is_empty() || (self.headline.is_empty() && self.rest.is_empty()) {
            let spot = body.first.map(|range| self.spot(range));
            return (body, spot);
        }
        let rest = highlight::passage(&self.rest, needles);
        if !rest.highlights.is_empty() {
            return (rest, None);
        }
        let headline = highlight::passage(&self.headline, needles);
        match headline.highlights.is_empty() {
            true => (body, None),
            false => (headline, None),
        }
    }

    /// A range of the body's bytes, as characters and with its page.
    fn spot(&self, (start, end): (usize, usize)) -> Spot {
        let before = self.body[..start].chars().count();
        let page = self.pages.partition_point(|page| *page as usize <= start);
        let label = self.labels.get(page).filter(|label| !label.is_empty());
        // The first part of a message is the message itself.
        let is_one = page < self.pages.len() && (self.leaf != Leaf::Attachment || label.is_some());
        Spot {
            range: (before, before + self.body[start..end].chars().count()),
            page: is_one.then_some((self.leaf, page as u32 + 1)),
            label: label.cloned(),
        }
    }
}
