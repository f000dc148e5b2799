//! XML: the walk that every XML reader shares, and the reader for XML of no known vocabulary.
//!
//! Entities are never expanded: the five predefined ones, character references and HTML's names stand for themselves,
//! all others for nothing. Documents are walked flat, without a tree, so depth costs nothing.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::decode;
use super::job::{Failure, Job};

/// Longest attribute value looked at, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 1 << 20;

/// One step of a walk through a document. Names are local names, without their prefix.
pub(super) enum Step<'s> {
    /// An element starts; `Tag::is_empty` elements get no `End`.
    Start(Tag<'s>),
    End(&'s str),
    /// Characters, decoded.
    Text(&'s str),
}

/// The start of an element.
pub(super) struct Tag<'s> {
    start: &'s BytesStart<'s>,
    pub is_empty: bool,
}

impl Tag<'_> {
    pub fn name(&self) -> &str {
        local(self.start.name().into_inner())
    }

    /// The value of an attribute, by its local name.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// All attributes, by local name; attributes too long to mean words are left out.
    pub fn attributes(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let mut attributes = self.start.attributes();
        attributes.with_checks(false);
        attributes
            .filter_map(Result::ok)
            .filter(|a| a.value.len() <= MAX_ATTRIBUTE_BYTES)
            .map(|a| {
                let value = quick_xml::escape::unescape_with(
                    &a.value,
                    quick_xml::escape::resolve_html5_entity,
                );
                let value = value.map_or_else(|_| a.value.to_string(), |v| v.into_owned());
                (local(a.key.into_inner()).to_owned(), value)
            })
    }
}

/// Walks `text`, calling `visit` until the end, the first error, or `false`. Tells whether the document was well-formed
/// as far as it was walked.
pub(super) fn walk(text: &str, mut visit: impl FnMut(Step) -> bool) -> bool {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        let go_on = match reader.read_event() {
            Ok(Event::Start(start)) => visit(Step::Start(Tag {
                start: &start,
                is_empty: false,
            })),
            Ok(Event::Empty(start)) => visit(Step::Start(Tag {
                start: &start,
                is_empty: true,
            })),
            Ok(Event::End(end)) => visit(Step::End(local(end.name().into_inner()))),
            Ok(Event::Text(text)) => visit(Step::Text(&text)),
            Ok(Event::CData(data)) => visit(Step::Text(&data)),
            Ok(Event::GeneralRef(reference)) => visit_reference(&reference, &mut visit),
            Ok(Event::Eof) => return true,
            Ok(_) => true,
            Err(_) => return false,
        };
        if !go_on {
            return true;
        }
    }
}

fn visit_reference(reference: &BytesRef, visit: &mut impl FnMut(Step) -> bool) -> bool {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        let mut buffer = [0; 4];
        return visit(Step::Text(character.encode_utf8(&mut buffer)));
    }
    match quick_xml::escape::resolve_html5_entity(reference) {
        Some(value) => visit(Step::Text(value)),
        None => true,
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Writes the character data of any XML; elements separate words.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let text = decode::to_text(bytes, decode::declared(bytes).as_deref());
    let sink = &mut job.sink;
    let well_formed = walk(&text, |step| {
        match step {
            Step::Start(tag) => {
                sink.gap();
                for (key, value) in tag.attributes() {
                    if matches!(
                        key.as_str(),
                        "title" | "alt" | "label" | "summary" | "description"
                    ) {
                        sink.text(&value);
                        sink.gap();
                    }
                }
            }
            Step::End(_) => sink.gap(),
            Step::Text(text) => sink.text(text),
        }
        !sink.stop()
    });
    let damaged = Failure::damaged("this is not well-formed XML");
    if well_formed { Ok(()) } else { Err(damaged) }
}

#[cfg(test)]
mod tests {
    use super::super::{FileType, Limits, Outcome, extract};

    #[test]
    fn elements_separate_words_and_entities_are_never_expanded() {
        let bomb = b"<?xml version='1.0'?><!DOCTYPE r [<!ENTITY a 'boom'><!ENTITY x SYSTEM 'file:///etc/passwd'>]>\
            <r><p>one</p><p>two&a;&x;&amp;&#233;</p></r>";
        let given = extract("a.xml", bomb, &Limits::default());
        assert_eq!(given.detected, FileType::Xml);
        assert_eq!(given.outcome, Outcome::Text);
        assert_eq!(
            given.text.split_whitespace().collect::<Vec<_>>(),
            ["one", "two&é"]
        );
    }
}
