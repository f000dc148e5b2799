//! Members of a file as documents of their own: a message of a mailbox, an attachment, a file in an archive. They stand behind the
//! file's document, come and go with it, and are found where it is. // I5 I6

use std::collections::BTreeSet;

use storage::extraction::{Letter, Member, MemberKind, Outcome};
use storage::meta::{NamespaceId, path};
use tantivy::TantivyDocument;

use crate::analyse::{Analyser, Language, MAX_TOKEN_BYTES, Mode, words};
use crate::document::{
    CATEGORIES, Extracted, MAX_SORT_BYTES, Subject, add_text, category_code, outcome_code, starts,
};
use crate::extract::Category;
use crate::schema::{FLAG_MEMBER, Fields};
use crate::term::{Tag, id_token, marked};

/// Words of senders, recipients and subject of one message that are searched by, each.
const MAX_WORDS: usize = 200;

/// The documents of a live file's members, in the order of their numbers.
pub fn documents(
    fields: &Fields,
    subject: &Subject,
    analyser: &mut Analyser,
) -> Vec<TantivyDocument> {
    let live = subject.deleted_ms.is_none();
    let Some(extracted) = subject.extraction.as_ref().filter(|_| live) else {
        return Vec::new();
    };
    let members = (1..).zip(&extracted.members);
    let document = |(number, member): (u64, &Member)| {
        let mut doc = TantivyDocument::new();
        doc.add_u64(fields.member, number);
        add_place(&mut doc, fields, subject)?;
        add_name(&mut doc, fields, subject.ns, member);
        add_facts(&mut doc, fields, subject, member);
        add_words(&mut doc, fields, subject.ns, extracted, member, analyser);
        Some(doc)
    };
    members.filter_map(document).collect()
}

/// What it has of its file: where it lies, and who wrote it.
fn add_place(doc: &mut TantivyDocument, fields: &Fields, subject: &Subject) -> Option<()> {
    let (node, ns) = (&subject.node, subject.ns);
    let (parent, head) = (node.parent?, node.head()?);
    doc.add_u64(fields.file, node.id.0);
    doc.add_u64(fields.below, parent.0);
    doc.add_u64(fields.namespace, ns.0);
    doc.add_u64(fields.rev, head.rev.0);
    doc.add_u64(fields.author, head.author.0);
    doc.add_i64(fields.created, node.created_ms);
    doc.add_u64(fields.flags, FLAG_MEMBER);
    doc.add_text(fields.parent, marked(ns, &id_token(parent)));
    doc.add_text(fields.tag, marked(ns, &Tag::Live.token()));
    Some(())
}

/// Its name, and what the name tells. A subject is no name of a file: it is searched like the title that it is.
fn add_name(doc: &mut TantivyDocument, fields: &Fields, ns: NamespaceId, member: &Member) {
    let folded = path::fold(&member.name);
    let sorted = folded.floor_char_boundary(MAX_SORT_BYTES);
    doc.add_text(fields.sort_name, &folded[..sorted]);
    if member.kind == MemberKind::Message {
        return;
    }
    doc.add_text(fields.name, marked(ns, &member.name));
    doc.add_text(fields.wide_name, &member.name);
    for start in starts(&member.name) {
        doc.add_text(fields.tag, marked(ns, &Tag::Start(&start).token()));
    }
    let extension = path::extension(&member.name);
    if !extension.is_empty() && extension.len() <= MAX_TOKEN_BYTES {
        doc.add_text(fields.extension, &extension);
        doc.add_text(fields.tag, marked(ns, &Tag::Extension(&extension).token()));
    }
}

fn add_facts(doc: &mut TantivyDocument, fields: &Fields, subject: &Subject, member: &Member) {
    let known = CATEGORIES.into_iter();
    let category = known
        .clone()
        .find(|known| known.as_str() == member.category);
    let category = category.unwrap_or(Category::Other);
    let shown_ms = subject
        .node
        .head()
        .map_or(0, |head| head.client_modified_ms);
    doc.add_u64(fields.category, category_code(category));
    let tag = Tag::Category(category.as_str());
    doc.add_text(fields.tag, marked(subject.ns, &tag.token()));
    doc.add_u64(fields.size, member.size.unwrap_or(0));
    doc.add_i64(fields.modified, member.modified_ms.unwrap_or(shown_ms));
    let language = language(member).map_or(0, Language::number);
    doc.add_u64(fields.language, language);
}

fn add_words(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    extracted: &Extracted,
    member: &Member,
    analyser: &mut Analyser,
) {
    let (start, end) = (member.range.0 as usize, member.range.1 as usize);
    let text = extracted.text.get(start..end).unwrap_or_default();
    let spoken = language(member).unwrap_or_default();
    let outcome = match text.trim().is_empty() {
        true => Outcome::NothingToExtract,
        false => Outcome::Text,
    };
    doc.add_u64(fields.outcome, outcome_code(&outcome));
    if outcome == Outcome::Text {
        add_text(doc, fields, ns, &analyser.analyse(text, spoken));
    }
    let Some(letter) = &member.letter else { return };
    for line in [&letter.subject, &letter.from] {
        let analysed = analyser.analyse(line, spoken);
        doc.add_text(fields.title, marked(ns, &analysed.words));
        doc.add_text(fields.wide, analysed.wide);
    }
    add_letter(doc, fields, ns, letter);
}

/// What `from:`, `to:`, `subject:` and `sent:` go by.
pub(crate) fn add_letter(
    doc: &mut TantivyDocument,
    fields: &Fields,
    ns: NamespaceId,
    letter: &Letter,
) {
    if let Some(sent_ms) = letter.sent_ms {
        doc.add_i64(fields.sent, sent_ms);
    }
    let mut add = |text: &str, tag: fn(&str) -> Tag<'_>| {
        let tokens = words(text, Mode::Index).into_iter().take(MAX_WORDS);
        for token in tokens.map(|token| token.text).collect::<BTreeSet<_>>() {
            doc.add_text(fields.tag, marked(ns, &tag(&token).token()));
        }
    };
    add(&letter.from, |word| Tag::From(word));
    add(&letter.to, |word| Tag::To(word));
    add(&letter.subject, |word| Tag::Subject(word));
}

fn language(member: &Member) -> Option<Language> {
    member.language.as_deref().and_then(Language::named)
}
