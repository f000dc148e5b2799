//! A node as the index's document. Pure: what is looked up stands in [`Subject`].

use std::collections::BTreeSet;

use storage::extraction::{ExtractionRecord, Member, Outcome};
use storage::meta::path;
use storage::meta::{NamespaceId, Node, NodeKind};
use tantivy::TantivyDocument;

use crate::analyse::{Analysed, Analyser, Language, MAX_TOKEN_BYTES, NameToken, names};
use crate::extract::{Category, detect};
use crate::member::add_letter;
use crate::schema::{FLAG_DELETED, FLAG_FOLDER, Fields};
use crate::term::{Tag, id_token, marked};

/// Longest name kept to sort by, bytes.
pub(crate) const MAX_SORT_BYTES: usize = 64;

/// Letters of a start that is a tag ([`Tag::Start`]).
pub const MAX_START: usize = 2;

/// What a document is made of.
#[derive(Debug)]
pub struct Subject {
    /// Where the node lies (or lay).
    pub ns: NamespaceId,
    /// The node.
    pub node: Node,
    /// When it was deleted, milliseconds; such a document has its name only.
    pub deleted_ms: Option<i64>,
    /// What extraction found, once it has.
    pub extraction: Option<Extracted>,
}

/// A finished extraction and its text.
#[derive(Debug)]
pub struct Extracted {
    /// The record.
    pub record: ExtractionRecord,
    /// The text that `text::load` gave.
    pub text: String,
    /// What is in the file that is found by itself.
    pub members: Vec<Member>,
}

impl Extracted {
    /// The parts of the text that are no member's.
    fn own(&self) -> Vec<&str> {
        let mut own = Vec::new();
        let mut at = 0;
        for member in &self.members {
            let (start, end) = (member.range.0 as usize, member.range.1 as usize);
            own.extend(self.text.get(at..start));
            at = end.max(at);
        }
        own.extend(self.text.get(at..));
        own.retain(|part| !part.trim().is_empty());
        own
    }
}

/// Categories in the order of their codes; append only.
pub const CATEGORIES: [Category; 13] = [
    Category::Document,
    Category::Spreadsheet,
    Category::Presentation,
    Category::Pdf,
    Category::Image,
    Category::Text,
    Category::Code,
    Category::Mail,
    Category::Archive,
    Category::Audio,
    Category::Video,
    Category::Folder,
    Category::Other,
];

/// The value of the `category` field.
pub fn category_code(category: Category) -> u64 {
    let found = CATEGORIES.iter().position(|&known| known == category);
    found.unwrap_or(CATEGORIES.len() - 1) as u64
}

/// The category of a `category` field's value.
pub fn category_of(code: u64) -> Category {
    let known = usize::try_from(code).ok();
    known
        .and_then(|code| CATEGORIES.get(code).copied())
        .unwrap_or(Category::Other)
}

/// The words of the values of the `outcome` field, in their order.
pub const OUTCOMES: [&str; 9] = [
    "waiting",
    "text",
    "nothing_to_extract",
    "encrypted",
    "unsupported",
    "timed_out",
    "too_large",
    "needs_ocr",
    "damaged",
];

/// The value of the `outcome` field; 0 is "not yet".
pub fn outcome_code(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Text => 1,
        Outcome::NothingToExtract => 2,
        Outcome::Encrypted => 3,
        Outcome::Unsupported => 4,
        Outcome::TimedOut => 5,
        Outcome::TooLarge { .. } => 6,
        Outcome::NeedsOcr => 7,
        Outcome::Damaged { .. } => 8,
    }
}

/// The document; `None` for a namespace's root, which is found by the places where it is mounted.
pub fn document(
    fields: &Fields,
    subject: &Subject,
    analyser: &mut Analyser,
) -> Option<TantivyDocument> {
    let node = &subject.node;
    let parent = node.parent?;
    if matches!(node.kind, NodeKind::Root { .. }) {
        return None;
    }
    let ns = subject.ns;
    let mut doc = TantivyDocument::new();
    doc.add_u64(fields.file, node.id.0);
    doc.add_u64(fields.below, parent.0);
    doc.add_u64(fields.namespace, ns.0);
    let folded = path::fold(&node.name);
    let sorted = folded.floor_char_boundary(MAX_SORT_BYTES);
    doc.add_text(fields.sort_name, &folded[..sorted]);
    let extension = extension(node);
    if !extension.is_empty() {
        doc.add_text(fields.extension, &extension);
    }
    let category = category(subject);
    doc.add_u64(fields.category, category_code(category));
    add_version(&mut doc, fields, subject);
    let tag = |doc: &mut TantivyDocument, tag: Tag<'_>| {
        doc.add_text(fields.tag, marked(ns, &tag.token()));
    };
    if subject.deleted_ms.is_some() {
        doc.add_text(fields.deleted_name, marked(ns, &node.name));
        tag(&mut doc, Tag::Deleted);
        tag(&mut doc, Tag::DeletedCategory(category.as_str()));
        if !extension.is_empty() {
            tag(&mut doc, Tag::DeletedExtension(&extension));
        }
        return Some(doc);
    }
    doc.add_text(fields.name, marked(ns, &node.name));
    doc.add_text(fields.wide_name, &node.name);
    doc.add_text(fields.parent, marked(ns, &id_token(parent)));
    tag(&mut doc, Tag::Live);
    tag(&mut doc, Tag::Category(category.as_str()));
    if !node.is_file() {
        tag(&mut doc, Tag::Folder);
    }
    if !extension.is_empty() {
        tag(&mut doc, Tag::Extension(&extension));
    }
    for start in starts(&node.name) {
        tag(&mut doc, Tag::Start(&start));
    }
    add_body(&mut doc, fields, subject, analyser);
    Some(doc)
}

/// The first letter, and the first two, of each word of a name in ASCII: so short a start stands for too many words to
/// look them all up.
pub(crate) fn starts(name: &str) -> BTreeSet<String> {
    let words = names(name);
    let ascii = |length: usize| move |word: &NameToken| Some(word.text.get(..length)?.to_owned());
    let starts = words
        .iter()
        .flat_map(|word| (1..=MAX_START).filter_map(move |length| ascii(length)(word)));
    starts.filter(|start| start.is_ascii()).collect()
}

/// Columns that come from the head version, or stand for it.
fn add_version(doc: &mut TantivyDocument, fields: &Fields, subject: &Subject) {
    let node = &subject.node;
    let head = node.head();
    let shown_ms = head.map_or(node.created_ms, |head| head.client_modified_ms);
    let folder = if node.is_file() { 0 } else { FLAG_FOLDER };
    let deleted = subject.deleted_ms.map_or(0, |_| FLAG_DELETED);
    let outcome = subject.extraction.as_ref();
    doc.add_u64(fields.rev, head.map_or(0, |head| head.rev.0));
    doc.add_u64(fields.size, head.map_or(0, |head| head.size));
    doc.add_i64(fields.modified, subject.deleted_ms.unwrap_or(shown_ms));
    doc.add_u64(fields.flags, folder | deleted);
    doc.add_u64(fields.author, head.map_or(0, |head| head.author.0));
    doc.add_i64(fields.created, node.created_ms);
    let told = outcome.and_then(|found| language(&found.record));
    doc.add_u64(fields.language, told.map_or(0, Language::number));
    doc.add_u64(
        fields.outcome,
        outcome.map_or(0, |found| outcome_code(&found.record.outcome)),
    );
}

/// The language that detection told, if it is a known one.
fn language(record: &ExtractionRecord) -> Option<Language> {
    record.language.as_deref().and_then(Language::named)
}

fn add_body(
    doc: &mut TantivyDocument,
    fields: &Fields,
    subject: &Subject,
    analyser: &mut Analyser,
) {
    let Some(extracted) = &subject.extraction else {
        return;
    };
    let ns = subject.ns;
    let record = &extracted.record;
    let spoken = language(record).unwrap_or_default();
    for text in [&record.title, &record.author].into_iter().flatten() {
        let analysed = analyser.analyse(text, spoken);
        doc.add_text(fields.title, marked(ns, &analysed.words));
        doc.add_text(fields.wide, analysed.wide);
    }
    for text in extracted.own() {
        add_text(doc, fields, ns, &analyser.analyse(text, spoken));
    }
    if let Some(letter) = &record.letter {
        add_letter(doc, fields, ns, letter);
    }
}

/// Adds words of the body.
pub(crate) fn add_text(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    analysed: &Analysed,
) {
    doc.add_text(fields.body, marked(ns, &analysed.words));
    doc.add_text(fields.wide, &analysed.wide);
}

/// The folded extension of a file; folders have none, and a very long one is none.
pub(crate) fn extension(node: &Node) -> String {
    let extension = path::extension(&node.name);
    if node.is_file() && extension.len() <= MAX_TOKEN_BYTES {
        extension
    } else {
        String::new()
    }
}

/// What extraction detected, before that what the name says.
fn category(subject: &Subject) -> Category {
    let record = subject.extraction.as_ref().map(|found| &found.record);
    category_of_version(&subject.node, record)
}

/// The same for any of a node's versions.
pub(crate) fn category_of_version(node: &Node, record: Option<&ExtractionRecord>) -> Category {
    if !node.is_file() {
        return Category::Folder;
    }
    let said = record.and_then(|record| {
        let name = record.category.as_str();
        CATEGORIES.into_iter().find(|known| known.as_str() == name)
    });
    said.unwrap_or_else(|| detect(&node.name, b"").category())
}
