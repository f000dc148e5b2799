//! Old versions of a file as documents of their own: what `version:any` and `asof:` find (docs/decisions/old-versions.md).
//!
//! Their terms are those of a namespace that nobody has, beside the file's: a search that does not ask for old versions cannot
//! even name them. They stand behind the file's document and its members, come and go with it, and are found where it is.

use storage::extraction::{ExtractionRecord, Outcome};
use storage::meta::{NamespaceId, Node, Version, path};
use tantivy::TantivyDocument;

use crate::analyse::{Analyser, Language};
use crate::document::{
    MAX_SORT_BYTES, category_code, category_of_version, extension, outcome_code, starts,
};
use crate::schema::{FLAG_PAST, Fields};
use crate::term::{Tag, id_token, marked};

/// Set in the number of a namespace's other side; namespaces are given out from 1 on and never come so far.
const SIDE: u64 = 1 << 41;
/// Versions of one file that are indexed beside the present one.
pub const MAX_VERSIONS: usize = 10;
/// The newest of them are taken as they are, of the others the last of each day.
const NEWEST: usize = 4;
/// Old versions of a file that are looked at, newest first.
pub const MAX_LOOKED_AT: usize = 200;
/// Text of all old versions of a file together, bytes; what is beyond has its name and dates only.
pub const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The side of a namespace where its old versions are.
pub fn side_of(ns: NamespaceId) -> NamespaceId {
    NamespaceId(ns.0 | SIDE)
}

/// The namespace of either of its sides.
pub fn front_of(ns: NamespaceId) -> NamespaceId {
    NamespaceId(ns.0 & !SIDE)
}

/// True for the side of old versions.
pub fn is_side(ns: NamespaceId) -> bool {
    ns.0 & SIDE != 0
}

/// An old version that is indexed.
#[derive(Debug, serde::Serialize)]
pub struct PastVersion {
    /// The version.
    pub version: Version,
    /// When a newer one took its place, milliseconds.
    pub until_ms: i64,
    /// What extraction found in it, if it did.
    pub record: Option<ExtractionRecord>,
    /// Its text; not what tells one from another.
    #[serde(skip)]
    pub text: String,
}

/// Which of a file's old versions (newest first, with the times when newer ones took their places) are indexed.
pub fn chosen(versions: Vec<(Version, i64)>) -> Vec<(Version, i64)> {
    let mut day = None;
    let mut taken = 0;
    let is_taken = |(_, until_ms): &(Version, i64)| {
        let is_new = day.replace(until_ms.div_euclid(DAY_MS)) != Some(until_ms.div_euclid(DAY_MS));
        let takes = taken < NEWEST || is_new;
        taken += usize::from(takes);
        takes
    };
    let taken = versions.into_iter().filter(is_taken);
    taken.take(MAX_VERSIONS).collect()
}

/// The documents of a live file's old versions; `behind` other documents of the file stand between them and its own.
pub fn documents(
    fields: &Fields,
    (ns, node): (NamespaceId, &Node),
    behind: usize,
    versions: &[PastVersion],
    analyser: &mut Analyser,
) -> Vec<TantivyDocument> {
    let numbers = behind as u64 + 1..;
    let document = |(number, past): (u64, &PastVersion)| {
        let mut doc = TantivyDocument::new();
        doc.add_u64(fields.member, number);
        doc.add_i64(fields.until, past.until_ms);
        add_place(&mut doc, fields, side_of(ns), node)?;
        add_facts(&mut doc, fields, side_of(ns), node, past);
        add_words(&mut doc, fields, side_of(ns), past, analyser);
        Some(doc)
    };
    numbers.zip(versions).filter_map(document).collect()
}

/// Where the file lies now, and what it is called now.
fn add_place(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    node: &Node,
) -> Option<()> {
    let parent = node.parent?;
    doc.add_u64(fields.file, node.id.0);
    doc.add_u64(fields.below, parent.0);
    doc.add_u64(fields.namespace, ns.0);
    doc.add_i64(fields.created, node.created_ms);
    doc.add_u64(fields.flags, FLAG_PAST);
    doc.add_text(fields.parent, marked(ns, &id_token(parent)));
    doc.add_text(fields.tag, marked(ns, &Tag::Live.token()));
    let folded = path::fold(&node.name);
    let sorted = folded.floor_char_boundary(MAX_SORT_BYTES);
    doc.add_text(fields.sort_name, &folded[..sorted]);
    doc.add_text(fields.name, marked(ns, &node.name));
    for start in starts(&node.name) {
        doc.add_text(fields.tag, marked(ns, &Tag::Start(&start).token()));
    }
    let extension = extension(node);
    if !extension.is_empty() {
        doc.add_text(fields.extension, &extension);
        doc.add_text(fields.tag, marked(ns, &Tag::Extension(&extension).token()));
    }
    Some(())
}

fn add_facts(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    node: &Node,
    past: &PastVersion,
) {
    let category = category_of_version(node, past.record.as_ref());
    doc.add_u64(fields.category, category_code(category));
    doc.add_text(
        fields.tag,
        marked(ns, &Tag::Category(category.as_str()).token()),
    );
    doc.add_u64(fields.rev, past.version.rev.0);
    doc.add_u64(fields.size, past.version.size);
    doc.add_i64(fields.modified, past.version.client_modified_ms);
    doc.add_u64(fields.author, past.version.author.0);
    doc.add_u64(fields.language, spoken(past).map_or(0, Language::number));
    let outcome = past
        .record
        .as_ref()
        .map_or(Outcome::NothingToExtract, |record| record.outcome.clone());
    doc.add_u64(fields.outcome, outcome_code(&outcome));
}

fn add_words(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    past: &PastVersion,
    analyser: &mut Analyser,
) {
    let language = spoken(past).unwrap_or_default();
    let lines = past
        .record
        .iter()
        .flat_map(|record| [&record.title, &record.author]);
    for line in lines.flatten() {
        let analysed = analyser.analyse(line, language);
        doc.add_text(fields.title, marked(ns, &analysed.words));
    }
    if !past.text.trim().is_empty() {
        let analysed = analyser.analyse(&past.text, language);
        doc.add_text(fields.body, marked(ns, &analysed.words));
    }
}

fn spoken(past: &PastVersion) -> Option<Language> {
    let told = past.record.as_ref()?.language.as_deref()?;
    Language::named(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::meta::{AccountId, Rev};

    fn version(number: u64) -> Version {
        Version {
            rev: Rev(number),
            size: 1,
            content_hash: [0; 32],
            blocks: Vec::new(),
            client_modified_ms: 0,
            server_modified_ms: 0,
            author: AccountId(1),
        }
    }

    #[test]
    fn the_newest_and_the_last_of_each_day_are_taken() {
        let hours = |hours: i64| hours * 3_600_000;
        // Twelve of one day, an hour apart, then two a day for ten days.
        let today = (0..12).map(|hour| hours(24 * 20 + 23 - hour));
        let before =
            (1..=10).flat_map(|day| [hours(24 * (20 - day) + 20), hours(24 * (20 - day) + 9)]);
        let versions = (1..)
            .zip(today.chain(before))
            .map(|(number, until)| (version(number), until));
        let taken: Vec<_> = chosen(versions.collect())
            .iter()
            .map(|(version, _)| version.rev.0)
            .collect();
        assert_eq!(taken, [1, 2, 3, 4, 13, 15, 17, 19, 21, 23]);
    }

    #[test]
    fn a_side_is_another_namespace_of_the_same_width() {
        let ns = NamespaceId(77);
        assert!(is_side(side_of(ns)) && !is_side(ns));
        assert_eq!((front_of(side_of(ns)), front_of(ns)), (ns, ns));
        assert!(side_of(ns).0 < NamespaceId::END);
    }
}
