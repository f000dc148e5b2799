//! Glyph names to text.

use std::ops::RangeInclusive;

use lopdf::{Dictionary, Document, Object};

/// The text a glyph name stands for: the Adobe list, `uniXXXX`, `uXXXXX`, ligatures joined by `_`, variants after a dot.
pub(super) fn text(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let base = name.split('.').next().filter(|base| !base.is_empty())?;
    let parts: Option<String> = base.split('_').map(component).collect();
    parts.filter(|text| !text.is_empty())
}

fn component(name: &str) -> Option<String> {
    listed(name).or_else(|| by_number(name))
}

fn by_number(name: &str) -> Option<String> {
    let hex = name
        .strip_prefix("uni")
        .or_else(|| name.strip_prefix('u'))?;
    if !(4..=6).contains(&hex.len()) && hex.len() % 4 != 0 || !hex.is_ascii() || hex.is_empty() {
        return None;
    }
    let width = if name.starts_with("uni") {
        4
    } else {
        hex.len()
    };
    let chunks = hex
        .as_bytes()
        .chunks(width)
        .map(|chunk| std::str::from_utf8(chunk).ok());
    chunks
        .map(|chunk| char::from_u32(u32::from_str_radix(chunk?, 16).ok()?))
        .collect()
}

/// lopdf holds the Adobe Glyph List behind font dictionaries: ask with one that has this glyph only.
fn listed(name: &str) -> Option<String> {
    let mut encoding = Dictionary::new();
    encoding.set(
        "Differences",
        vec![Object::Integer(0), Object::Name(name.as_bytes().to_vec())],
    );
    // An unknown name makes lopdf fall back to the standard encoding, where code 0 is nothing.
    texts(Object::Dictionary(encoding), 0..=0).pop().flatten()
}

/// The texts of all 256 codes of a base encoding.
pub(super) fn encoding(base: &[u8]) -> Vec<Option<String>> {
    texts(Object::Name(base.to_vec()), 0..=255)
}

fn texts(encoding: Object, codes: RangeInclusive<u8>) -> Vec<Option<String>> {
    let mut font = Dictionary::new();
    font.set("Type", Object::Name(b"Font".to_vec()));
    font.set("Encoding", encoding);
    let document = Document::new();
    let Ok(encoding) = font.get_font_encoding(&document) else {
        return codes.map(|_| None).collect();
    };
    let text = |code| {
        encoding
            .bytes_to_string(&[code])
            .ok()
            .filter(|text| !text.is_empty())
    };
    codes.map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_form() {
        assert_eq!(text(b"eacute").as_deref(), Some("é"));
        assert_eq!(text(b"uni0416").as_deref(), Some("Ж"));
        assert_eq!(text(b"u1F600").as_deref(), Some("\u{1F600}"));
        assert_eq!(text(b"f_f_i.alt").as_deref(), Some("ffi"));
        assert_eq!(text(b"nosuchglyph"), None);
        assert_eq!(encoding(b"WinAnsiEncoding")[0x80].as_deref(), Some("€"));
    }
}
