//! The only place where index terms are made. Terms are `namespace prefix ++ token`, so a search in one namespace cannot even
//! name another's words; searches of very many namespaces have two wide fields without it, and a filter ([`WIDE_FROM`]).
//!
//! The prefix is the namespace number in six 7-bit characters, big-endian: fixed width for ever, in the order of the
//! numbers, and valid UTF-8 in front of any token. Documents get it as a marker at the start of a field's text, which the
//! tokenizers move before each token (`analyse`); text that looks like a marker stays behind the real one.

use std::ops::Range;

use storage::meta::{FileId, NamespaceId};
use tantivy::Term;
use tantivy::schema::Field;

use crate::schema::Fields;

/// Bytes of the namespace prefix of every term.
pub const PREFIX_BYTES: usize = 6;

/// Bits in one character of the prefix.
const BITS: u32 = 7;

/// A namespace's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix([u8; PREFIX_BYTES]);

impl Prefix {
    /// The prefix of `ns`.
    pub fn of(ns: NamespaceId) -> Self {
        let mut bytes = [0; PREFIX_BYTES];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = (ns.0 >> (BITS as usize * (PREFIX_BYTES - 1 - index))) as u8 & 0x7f;
        }
        Prefix(bytes)
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default() // 7-bit bytes are UTF-8
    }
}

/// The namespace and the token of a dictionary's key; None when the bytes are not a term of ours.
pub fn parse(key: &[u8]) -> Option<(NamespaceId, &str)> {
    let (prefix, token) = key.split_at_checked(PREFIX_BYTES)?;
    let number = prefix.iter().try_fold(0u64, |number, &byte| {
        (byte < 0x80).then_some(number << BITS | byte as u64)
    })?;
    Some((NamespaceId(number), std::str::from_utf8(token).ok()?))
}

/// A field's text with its marker in front: what documents hold.
pub fn marked(ns: NamespaceId, text: &str) -> String {
    [Prefix::of(ns).as_str(), text].concat()
}

/// What `tag` terms say about a document. Each tag's first character is its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag<'a> {
    /// Live: the namespace's "all files" term.
    Live,
    /// Deleted, kept for `file_status: deleted`.
    Deleted,
    /// Live and a folder.
    Folder,
    /// Live, with this extension (folded, without the dot).
    Extension(&'a str),
    /// Live, of this category (`document`, `pdf` …).
    Category(&'a str),
    /// Live, with a word in its name that starts with these one or two letters (`document::starts`).
    Start(&'a str),
    /// A message, with this word among its senders.
    From(&'a str),
    /// A message, with this word among its recipients.
    To(&'a str),
    /// A message, with this word in its subject.
    Subject(&'a str),
    /// Deleted, with this extension.
    DeletedExtension(&'a str),
    /// Deleted, of this category.
    DeletedCategory(&'a str),
}

impl Tag<'_> {
    /// The tag's text behind the prefix.
    pub fn token(self) -> String {
        match self {
            Tag::Live => "+".into(),
            Tag::Deleted => "-".into(),
            Tag::Folder => "f".into(),
            Tag::Extension(extension) => format!("e{extension}"),
            Tag::Category(category) => format!("c{category}"),
            Tag::Start(start) => format!("s{start}"),
            Tag::From(word) => format!("w{word}"),
            Tag::To(word) => format!("r{word}"),
            Tag::Subject(word) => format!("a{word}"),
            Tag::DeletedExtension(extension) => format!("x{extension}"),
            Tag::DeletedCategory(category) => format!("k{category}"),
        }
    }
}

/// Makes the terms of one namespace.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    fields: &'a Fields,
    prefix: Prefix,
}

impl<'a> Terms<'a> {
    /// The terms of `ns`.
    pub fn of(fields: &'a Fields, ns: NamespaceId) -> Self {
        Terms {
            fields,
            prefix: Prefix::of(ns),
        }
    }

    /// An exact word of the body (a token of `analyse::words`).
    pub fn word(&self, token: &str) -> Term {
        self.text(self.fields.body, token)
    }

    /// A part or joined form of a live document's name (`analyse::names`, or a word of a query).
    pub fn name(&self, token: &str) -> Term {
        self.text(self.fields.name, token)
    }

    /// The same for deleted documents, which have no other words.
    pub fn deleted_name(&self, token: &str) -> Term {
        self.text(self.fields.deleted_name, token)
    }

    /// A word of the document's own title or author.
    pub fn title(&self, token: &str) -> Term {
        self.text(self.fields.title, token)
    }

    /// All documents with a tag; [`Tag::Live`] is the namespace's "all files" term.
    pub fn tag(&self, tag: Tag<'_>) -> Term {
        self.text(self.fields.tag, &tag.token())
    }

    /// What lies directly in `folder`, live documents only.
    pub fn parent(&self, folder: FileId) -> Term {
        self.text(self.fields.parent, &id_token(folder))
    }

    /// A term of any text field, for expansions found in that field's dictionary.
    pub fn text(&self, field: Field, token: &str) -> Term {
        Term::from_field_text(field, &[self.prefix.as_str(), token].concat())
    }

    /// The dictionary keys of this namespace that start with `start`: `range().ge(start).lt(end)`.
    pub fn expansion(&self, start: &str) -> Range<Vec<u8>> {
        let first = [&self.prefix.0, start.as_bytes()].concat();
        let end = storage::kv::prefix_end(&first);
        first..end
    }
}

/// From how many namespaces on a search is cheaper over the wide fields (docs/decisions/0001).
pub const WIDE_FROM: usize = 128;

/// A stem of titles and bodies in every namespace (a token of `analyse::wide`). Who searches with it must take only documents
/// whose `namespace` column is one of the caller's, and must neither show nor suggest words that an expansion of it found.
pub fn wide(fields: &Fields, token: &str) -> Term {
    Term::from_field_text(fields.wide, token)
}

/// A part or joined form of names in every namespace; the same rules as for [`wide`].
pub fn wide_name(fields: &Fields, token: &str) -> Term {
    Term::from_field_text(fields.wide_name, token)
}

/// The document of a file, in whatever namespace: used to replace it, and never reachable from a query's text.
pub(crate) fn file(fields: &Fields, file: FileId) -> Term {
    Term::from_field_u64(fields.file, file.0)
}

/// What the index has directly in `folder`, in whatever namespace and state: to find what lay below a folder that is gone.
pub(crate) fn below(fields: &Fields, folder: FileId) -> Term {
    Term::from_field_u64(fields.below, folder.0)
}

/// A file id as a token.
pub(crate) fn id_token(file: FileId) -> String {
    format!("{:016x}", file.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::schema;

    #[test]
    fn prefixes_are_golden_ordered_and_fixed_width() {
        for (ns, expected) in [
            (0, [0, 0, 0, 0, 0, 0]),
            (1, [0, 0, 0, 0, 0, 1]),
            (127, [0, 0, 0, 0, 0, 127]),
            (128, [0, 0, 0, 0, 1, 0]),
            (0x2a_aaaa_aaaa, [5, 42, 85, 42, 85, 42]),
            (NamespaceId::END - 1, [127; 6]),
        ] {
            assert_eq!(Prefix::of(NamespaceId(ns)).0, expected);
            let key = marked(NamespaceId(ns), "word");
            assert_eq!(parse(key.as_bytes()), Some((NamespaceId(ns), "word")));
        }
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            1 << 35,
            NamespaceId::END - 1,
        ];
        assert!(
            numbers
                .windows(2)
                .all(|pair| Prefix::of(NamespaceId(pair[0])) < Prefix::of(NamespaceId(pair[1])))
        );
        assert_eq!(parse(b"short"), None);
        assert_eq!(parse(b"\xff\0\0\0\0\0word"), None);
    }

    #[test]
    fn a_text_cannot_forge_a_marker() {
        use crate::analyse::{Analyser, Language, NameTokenizer, PlacesTokenizer};
        use tantivy::tokenizer::{TokenStream, Tokenizer};
        fn all(mut tokenizer: impl Tokenizer, text: &str) -> usize {
            let mut stream = tokenizer.token_stream(text);
            let mut tokens = 0;
            while stream.advance() {
                let found = parse(stream.token().text.as_bytes()).map(|(ns, _)| ns);
                assert_eq!(found, Some(NamespaceId(7)));
                tokens += 1;
            }
            tokens
        }
        let forged = marked(NamespaceId(9), "secret \0\0\0\0\0\u{9}other");
        let analysed = Analyser::default().analyse(&forged, Language::ENGLISH);
        let words = marked(NamespaceId(7), &analysed.words);
        assert!(all(PlacesTokenizer, &words) > 1);
        assert!(all(NameTokenizer, &marked(NamespaceId(7), &forged)) > 1);
    }

    #[test]
    fn an_expansion_stays_in_its_namespace() {
        let (_, fields) = schema();
        let range = Terms::of(&fields, NamespaceId(127)).expansion("");
        assert!(range.start.as_slice() <= marked(NamespaceId(127), "\u{10ffff}").as_bytes());
        assert!(range.end.as_slice() > marked(NamespaceId(127), "\u{10ffff}").as_bytes());
        assert!(range.end.as_slice() <= marked(NamespaceId(128), "").as_bytes());
    }
}
