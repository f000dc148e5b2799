//! Fonts: from the codes of a shown string to text and widths.

use std::collections::HashMap;

use lopdf::{Dictionary, Document, Object};

use super::cmap::CMap;
use super::{MAX_STREAM_BYTES, glyph, truetype};
use composite::Composite;
use simple::Simple;

#[path = "font_composite.rs"]
mod composite;
#[path = "font_simple.rs"]
mod simple;

/// Most bytes of an embedded font program that are read.
const MAX_PROGRAM_BYTES: usize = 16 << 20;

/// A font, ready to decode strings.
pub(super) enum Font {
    Simple(Simple),
    Composite(Box<Composite>),
}

/// One code of a shown string.
pub(super) struct Shown<'f> {
    pub text: &'f str,
    /// How far it moves the pen, for a font size of 1.
    pub width: f64,
    /// Whether word spacing applies: a one-byte code 32.
    pub is_space: bool,
}

impl Font {
    /// Reads a font dictionary; what it lacks is guessed.
    pub fn read(document: &Document, font: &Dictionary, names: &mut GlyphNames) -> Self {
        let is_composite = font
            .get_deref(b"Subtype", document)
            .and_then(Object::as_name)
            .is_ok_and(|s| s == b"Type0");
        if is_composite {
            Self::Composite(Box::new(Composite::read(document, font)))
        } else {
            Self::Simple(Simple::read(document, font, names))
        }
    }

    /// Calls `visit` for every code of a string.
    pub fn decode(&self, bytes: &[u8], visit: impl FnMut(Shown)) {
        match self {
            Self::Simple(font) => font.decode(bytes, visit),
            Self::Composite(font) => font.decode(bytes, visit),
        }
    }

    /// Whether it writes downwards.
    pub fn is_vertical(&self) -> bool {
        matches!(self, Self::Composite(font) if font.vertical)
    }
}

/// Texts of glyph names that were asked for already: looking one up is slow.
#[derive(Default)]
pub(super) struct GlyphNames(HashMap<Vec<u8>, Option<String>>);

impl GlyphNames {
    pub fn text(&mut self, name: &[u8]) -> Option<String> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        let text = glyph::text(name);
        if self.0.len() < 20_000 {
            self.0.insert(name.to_vec(), text.clone());
        }
        text
    }
}

/// The `ToUnicode` map of a font, when it says something.
fn to_unicode(document: &Document, font: &Dictionary) -> Option<CMap> {
    let map = CMap::parse(&stream(document, font, b"ToUnicode", MAX_STREAM_BYTES)?);
    (!map.is_empty()).then_some(map)
}

/// The unpacked content of a stream that a dictionary names.
fn stream(
    document: &Document,
    dictionary: &Dictionary,
    key: &[u8],
    limit: usize,
) -> Option<Vec<u8>> {
    let stream = dictionary.get_deref(key, document).ok()?.as_stream().ok()?;
    stream.decompressed_content_with_limit(limit).ok()
}

fn number(document: &Document, object: &Object) -> Option<f64> {
    let (_, object) = document.dereference(object).ok()?;
    object.as_float().ok().map(f64::from)
}

/// Text that a map gives but that shows nothing.
fn is_meaningless(text: &str) -> bool {
    text.chars()
        .all(|c| c == '\0' || c == '\u{FFFD}' || ('\u{E000}'..='\u{F8FF}').contains(&c))
}
