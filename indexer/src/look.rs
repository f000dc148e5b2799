//! What the committed index says: lookups by file and by folder over a searcher.

use storage::meta::{FileId, NamespaceId, Node, Standing};
use tantivy::columnar::Column;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet, Searcher, SegmentReader, TERMINATED, Term};

use crate::schema::{FLAG_DELETED, FLAG_FOLDER, FLAG_MEMBER, FLAG_PAST, Fields};
use crate::term::{self, Tag, Terms};

/// A committed document's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The file.
    pub file: FileId,
    /// Its namespace.
    pub ns: NamespaceId,
    /// The folder it lies in.
    pub parent: FileId,
    /// The rev it shows; 0 for folders.
    pub rev: u64,
    /// True for folders and mounts.
    pub is_folder: bool,
    /// True for deleted ones.
    pub is_deleted: bool,
    /// True when extraction had ended, whatever it gave.
    pub is_extracted: bool,
}

impl Shown {
    /// True when the document shows the content that is there now, where it stands now.
    pub fn agrees(&self, node: &Node, standing: Standing) -> bool {
        match standing {
            Standing::Absent => false,
            Standing::Deleted { ns, .. } => self.is_deleted && self.ns == ns,
            Standing::Live { ns } => {
                let rev = node.head().map_or(0, |head| head.rev.0);
                !self.is_deleted && (self.ns, self.rev) == (ns, rev)
            }
        }
    }
}

/// The document of `file`; `None` when there is none.
pub fn find(searcher: &Searcher, fields: &Fields, file: FileId) -> tantivy::Result<Option<Shown>> {
    let mut found = None;
    visit(searcher, fields, &term::file(fields, file), &mut |shown| {
        found = Some(shown)
    })?;
    Ok(found)
}

/// What lies directly in `folder`.
pub fn below(searcher: &Searcher, fields: &Fields, folder: FileId) -> tantivy::Result<Vec<Shown>> {
    let mut found = Vec::new();
    visit(
        searcher,
        fields,
        &term::below(fields, folder),
        &mut |shown| found.push(shown),
    )?;
    Ok(found)
}

/// What lives in `ns`.
pub fn live(searcher: &Searcher, fields: &Fields, ns: NamespaceId) -> tantivy::Result<Vec<Shown>> {
    let mut found = Vec::new();
    let live = Terms::of(fields, ns).tag(Tag::Live);
    visit(searcher, fields, &live, &mut |shown| found.push(shown))?;
    Ok(found)
}

/// The documents of one segment whose file is `wanted`.
pub fn of_segment(
    segment: &SegmentReader,
    fields: &Fields,
    wanted: impl Fn(FileId) -> bool,
) -> tantivy::Result<Vec<Shown>> {
    let columns = Columns::open(segment, fields)?;
    let is_wanted = |&doc: &DocId| {
        columns
            .file
            .first(doc)
            .is_some_and(|file| wanted(FileId(file)))
    };
    let docs = segment.doc_ids_alive().filter(is_wanted);
    Ok(docs.filter_map(|doc| columns.shown(doc)).collect())
}

/// Files that live, by how their extraction ended ([`crate::document::outcome_code`]; 0 while it is waited for).
pub fn outcomes(
    searcher: &Searcher,
    fields: &Fields,
    see: &mut dyn FnMut(FileId, u64),
) -> tantivy::Result<()> {
    for segment in searcher.segment_readers() {
        let columns = Columns::open(segment, fields)?;
        for doc in segment.doc_ids_alive() {
            if columns.flags.first(doc) == Some(0) {
                let file = FileId(columns.file.first(doc).unwrap_or(0));
                see(file, columns.outcome.first(doc).unwrap_or(0));
            }
        }
    }
    Ok(())
}

fn visit(
    searcher: &Searcher,
    fields: &Fields,
    term: &Term,
    see: &mut dyn FnMut(Shown),
) -> tantivy::Result<()> {
    for segment in searcher.segment_readers() {
        let inverted = segment.inverted_index(term.field())?;
        let Some(mut postings) = inverted.read_postings(term, IndexRecordOption::Basic)? else {
            continue;
        };
        if postings.doc_freq() == 0 {
            continue;
        }
        let columns = Columns::open(segment, fields)?;
        let mut doc = postings.doc();
        while doc != TERMINATED {
            if !segment.is_deleted(doc)
                && let Some(shown) = columns.shown(doc)
            {
                see(shown);
            }
            doc = postings.advance();
        }
    }
    Ok(())
}

struct Columns {
    file: Column<u64>,
    namespace: Column<u64>,
    below: Column<u64>,
    rev: Column<u64>,
    flags: Column<u64>,
    outcome: Column<u64>,
}

impl Columns {
    fn open(segment: &SegmentReader, fields: &Fields) -> tantivy::Result<Self> {
        let schema = segment.schema();
        let column = |field| segment.fast_fields().u64(schema.get_field_name(field));
        Ok(Columns {
            file: column(fields.file)?,
            namespace: column(fields.namespace)?,
            below: column(fields.below)?,
            rev: column(fields.rev)?,
            flags: column(fields.flags)?,
            outcome: column(fields.outcome)?,
        })
    }

    /// What a document shows; none for members and old versions, which are where their file is.
    fn shown(&self, doc: DocId) -> Option<Shown> {
        let value = |column: &Column<u64>| column.first(doc).unwrap_or(0);
        let flags = value(&self.flags);
        if flags & (FLAG_MEMBER | FLAG_PAST) != 0 {
            return None;
        }
        Some(Shown {
            file: FileId(value(&self.file)),
            ns: NamespaceId(value(&self.namespace)),
            parent: FileId(value(&self.below)),
            rev: value(&self.rev),
            is_folder: flags & FLAG_FOLDER != 0,
            is_deleted: flags & FLAG_DELETED != 0,
            is_extracted: value(&self.outcome) != 0,
        })
    }
}
