//! From keys to hits: everything is looked up again as the account sees it now (I6), and marked.

use storage::block::BlockStore;
use storage::extraction::Extractions;
use storage::meta::path;
use storage::meta::{FileId, Meta, Place, View};

use crate::error::Result;
use crate::highlight::{self, Marked, Needles};
use crate::request::{Hit, Matched, Status};

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

    /// Marks what matched in a found place. A text that cannot be read now gives no snippet, and says why in the log.
    pub fn hit(&self, place: Place, needles: &Needles, status: Status, highlights: bool) -> Hit {
        if !highlights {
            return Hit {
                place,
                matched: Matched::Content,
                snippet: Marked::default(),
                name_highlights: Vec::new(),
            };
        }
        let name_highlights = highlight::in_name(&place.node.name, needles);
        let snippet = match status {
            Status::Deleted => Marked::default(),
            Status::Active => highlight::passage(&self.text_or_nothing(&place), needles),
        };
        let matched = match (name_highlights.is_empty(), snippet.highlights.is_empty()) {
            (false, false) => Matched::Both,
            (true, false) => Matched::Content,
            _ => Matched::Name,
        };
        Hit {
            place,
            matched,
            snippet,
            name_highlights,
        }
    }

    fn text_or_nothing(&self, place: &Place) -> String {
        self.text(place).unwrap_or_else(|error| {
            tracing::warn!(file = %place.node.id, %error, "a hit goes without its snippet");
            String::new()
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
    pub fn record(&self, place: &Place) -> Result<Option<storage::extraction::ExtractionRecord>> {
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
