//! From keys to hits: everything is looked up again as the account sees it now (I6), and marked.

use indexer::analyse::Language;
use storage::block::BlockStore;
use storage::extraction::{ExtractionRecord, Extractions};
use storage::meta::path;
use storage::meta::{FileId, Meta, Place, View};

use crate::error::Result;
use crate::highlight::{self, Marked, Needles};
use crate::request::{Hit, Leaf, Marks, Matched, Spot, Status};

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

    /// The language and the beginning of a file's text, at most `most` bytes.
    pub fn beginning(&self, place: &Place, most: usize) -> Result<(Language, String)> {
        let (Some(head), Some(record)) = (place.node.head(), self.record(place)?) else {
            return Ok((Language::ENGLISH, String::new()));
        };
        let text = indexer::text::load_start(&record, &head.blocks, &self.blocks, most)?;
        Ok((language(&record), text))
    }

    /// Says what matched in a found place. A text that cannot be read now gives no snippet, and says why in the log.
    pub fn hit(&self, place: Place, needles: &Needles, status: Status, marks: Marks) -> Hit {
        let name_highlights = highlight::in_name(&place.node.name, needles);
        let texts = match (status, marks) {
            (Status::Deleted, _) | (_, Marks::None) => Texts::default(),
            (Status::Active, _) => self.texts_or_nothing(&place),
        };
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
            matched,
            snippet,
            name_highlights,
            spot,
            why: None,
        }
    }

    fn texts_or_nothing(&self, place: &Place) -> Texts {
        self.texts(place).unwrap_or_else(|error| {
            tracing::warn!(file = %place.node.id, %error, "a hit goes without its snippet");
            Texts::default()
        })
    }

    /// What snippets are made of.
    fn texts(&self, place: &Place) -> Result<Texts> {
        let (Some(head), Some(record)) = (place.node.head(), self.record(place)?) else {
            return Ok(Texts::default());
        };
        let body = indexer::text::load_start(
            &record,
            &head.blocks,
            &self.blocks,
            highlight::MAX_TEXT_BYTES,
        )?;
        let language = language(&record);
        let leaf = leaf_of(&record);
        let (pages, labels) = (record.pages, record.labels);
        let lines = [record.title, record.author].into_iter().flatten();
        Ok(Texts {
            body,
            headline: lines.collect::<Vec<_>>().join(" · "),
            leaf,
            pages,
            labels,
            language,
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
        let Some(scope) = self.meta.reader()?.scope(place.ns)? else {
            return Ok(None);
        };
        let extension = path::extension(&place.node.name);
        Ok(self
            .extractions
            .record(scope, &head.content_hash, &extension)?)
    }
}

/// The language whose stems a text's words have in the index.
fn language(record: &ExtractionRecord) -> Language {
    let told = record.language.as_deref().and_then(Language::named);
    told.unwrap_or_default()
}

/// The words of a file that may be shown.
#[derive(Default)]
struct Texts {
    body: String,
    /// Title and author.
    headline: String,
    language: Language,
    /// Where each page of the body ends, bytes.
    pages: Vec<u32>,
    /// What each page is called; empty where none has a name.
    labels: Vec<String>,
    /// What its pages are.
    leaf: Leaf,
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
        if !body.highlights.is_empty() || self.headline.is_empty() {
            let spot = body.first.map(|range| self.spot(range));
            return (body, spot);
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
