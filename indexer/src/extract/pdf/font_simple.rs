//! Fonts with one-byte codes.

use lopdf::{Dictionary, Document, Object};

use super::{
    GlyphNames, MAX_PROGRAM_BYTES, Shown, glyph, is_meaningless, number, stream, to_unicode,
    truetype,
};

/// A Type 1, TrueType or Type 3 font.
pub(in super::super) struct Simple {
    texts: Vec<String>,
    widths: Vec<f64>,
}

impl Simple {
    pub fn read(document: &Document, font: &Dictionary, names: &mut GlyphNames) -> Self {
        let mut texts = encoded(document, font, names);
        if let Some(map) = to_unicode(document, font) {
            for (code, text) in texts.iter_mut().enumerate() {
                if let Some(mapped) = map
                    .text(code as u32)
                    .filter(|mapped| !is_meaningless(mapped))
                {
                    *text = Some(mapped.to_owned());
                }
            }
        }
        let texts: Vec<String> = texts.into_iter().map(Option::unwrap_or_default).collect();
        let widths = widths(document, font, &texts);
        Self { texts, widths }
    }

    pub fn decode(&self, bytes: &[u8], mut visit: impl FnMut(Shown)) {
        for &byte in bytes {
            let code = usize::from(byte);
            visit(Shown {
                text: &self.texts[code],
                width: self.widths[code],
                is_space: byte == 32,
            });
        }
    }
}

/// What the codes mean by the font's encoding: a named one, its differences, or the font program's own.
fn encoded(document: &Document, font: &Dictionary, names: &mut GlyphNames) -> Vec<Option<String>> {
    let encoding = font.get_deref(b"Encoding", document).ok();
    let dictionary = encoding.and_then(|encoding| encoding.as_dict().ok());
    let base = match dictionary {
        Some(dictionary) => dictionary
            .get_deref(b"BaseEncoding", document)
            .and_then(Object::as_name)
            .ok(),
        None => encoding.and_then(|encoding| encoding.as_name().ok()),
    };
    let mut texts = match base {
        Some(base) if is_known(base) => glyph::encoding(base),
        _ => builtin(document, font, names),
    };
    let differences =
        dictionary.and_then(|d| d.get_deref(b"Differences", document).ok()?.as_array().ok());
    let is_type3 = is_type3(document, font);
    let mut code = 0usize;
    for entry in differences.into_iter().flatten() {
        match document.dereference(entry).map(|(_, entry)| entry) {
            Ok(Object::Integer(number)) => {
                code = usize::try_from(*number).unwrap_or(usize::MAX - 512)
            }
            Ok(Object::Name(name)) => {
                if let Some(slot) = texts.get_mut(code) {
                    let named = names.text(name).or_else(|| by_code(name));
                    *slot = if is_type3 { drawn(named, code) } else { named };
                }
                code += 1;
            }
            _ => {}
        }
    }
    texts
}

fn is_known(base: &[u8]) -> bool {
    matches!(
        base,
        b"StandardEncoding"
            | b"MacRomanEncoding"
            | b"MacExpertEncoding"
            | b"WinAnsiEncoding"
            | b"PDFDocEncoding"
    )
}

fn is_type3(document: &Document, font: &Dictionary) -> bool {
    let subtype = font
        .get_deref(b"Subtype", document)
        .and_then(Object::as_name);
    subtype.is_ok_and(|subtype| subtype == b"Type3")
}

/// Type 3 fonts name their drawings as they like: a letter's code says more than the name of a sign.
fn drawn(named: Option<String>, code: usize) -> Option<String> {
    let letter = u8::try_from(code)
        .ok()
        .filter(u8::is_ascii_alphanumeric)
        .map(|code| char::from(code).to_string());
    let is_word = named
        .as_ref()
        .is_some_and(|text| text.chars().all(char::is_alphanumeric));
    if is_word { named } else { letter.or(named) }
}

/// Names like `a65` or `C65` that writers make up from character codes.
fn by_code(name: &[u8]) -> Option<String> {
    let [first, digits @ ..] = name else {
        return None;
    };
    if !first.is_ascii_alphabetic() || !(2..=3).contains(&digits.len()) {
        return None;
    }
    let code: u8 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (32..127)
        .contains(&code)
        .then(|| char::from(code).to_string())
}

/// The encoding inside the font program, or what readers assume.
fn builtin(document: &Document, font: &Dictionary, names: &mut GlyphNames) -> Vec<Option<String>> {
    let name = font
        .get_deref(b"BaseFont", document)
        .and_then(Object::as_name)
        .unwrap_or_default();
    let subtype = font
        .get_deref(b"Subtype", document)
        .and_then(Object::as_name)
        .unwrap_or_default();
    let descriptor = font
        .get_deref(b"FontDescriptor", document)
        .and_then(Object::as_dict)
        .ok();
    if let Some(program) =
        descriptor.and_then(|d| stream(document, d, b"FontFile", MAX_PROGRAM_BYTES))
        && let Some(texts) = type1(&program, names)
    {
        return texts;
    }
    if let Some(program) =
        descriptor.and_then(|d| stream(document, d, b"FontFile2", MAX_PROGRAM_BYTES))
        && let Some(texts) = symbolic(&program)
    {
        return texts;
    }
    match name {
        b"Symbol" => symbol(),
        _ if subtype == b"TrueType" => glyph::encoding(b"WinAnsiEncoding"),
        _ => glyph::encoding(b"StandardEncoding"),
    }
}

/// `dup 65 /A put` of a Type 1 program.
fn type1(program: &[u8], names: &mut GlyphNames) -> Option<Vec<Option<String>>> {
    let clear = &program[..program.len().min(64 << 10)];
    let start = clear.windows(9).position(|w| w == b"/Encoding")?;
    let text = String::from_utf8_lossy(&clear[start..]);
    let head: String = text
        .split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ");
    if head.contains("StandardEncoding") {
        return Some(glyph::encoding(b"StandardEncoding"));
    }
    let mut texts: Vec<Option<String>> = vec![None; 256];
    let mut found = false;
    for entry in text.split("dup ").skip(1).take(256) {
        let mut parts = entry
            .split([' ', '/', '\n', '\r', '\t'])
            .filter(|part| !part.is_empty());
        let (Some(code), Some(name)) = (
            parts.next().and_then(|c| c.parse::<usize>().ok()),
            parts.next(),
        ) else {
            continue;
        };
        if let Some(slot) = texts.get_mut(code) {
            *slot = names.text(name.as_bytes());
            found = true;
        }
    }
    found.then_some(texts)
}

/// A symbolic TrueType font: its one-byte table names glyphs, its Unicode table says what they show.
fn symbolic(program: &[u8]) -> Option<Vec<Option<String>>> {
    let (symbols, characters) = (truetype::symbols(program), truetype::characters(program));
    if symbols.is_empty() || characters.is_empty() {
        return None;
    }
    let text = |code: u32| {
        symbols
            .get(&code)
            .and_then(|glyph| characters.get(glyph))
            .map(char::to_string)
    };
    Some((0..256).map(text).collect())
}

/// The Greek letters and common signs of the Symbol font.
fn symbol() -> Vec<Option<String>> {
    const CAPITALS: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
    const SMALL: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    let mut texts: Vec<Option<String>> = (0..=255u8)
        .map(|code| matches!(code, b' '..=b'@' | b'['..=b'_').then(|| char::from(code).to_string()))
        .collect();
    for (letters, first) in [(CAPITALS, b'A'), (SMALL, b'a')] {
        for (index, letter) in letters.chars().enumerate() {
            texts[usize::from(first) + index] = Some(letter.to_string());
        }
    }
    for (code, sign) in [
        (0xA3, '≤'),
        (0xB0, '°'),
        (0xB1, '±'),
        (0xB3, '≥'),
        (0xB4, '×'),
        (0xB7, '•'),
        (0xA5, '∞'),
    ] {
        texts[code] = Some(String::from(sign));
    }
    texts
}

fn widths(document: &Document, font: &Dictionary, texts: &[String]) -> Vec<f64> {
    let scale = type3_scale(document, font).unwrap_or(0.001);
    let given = font
        .get_deref(b"Widths", document)
        .and_then(Object::as_array)
        .ok();
    let Some(given) = given else {
        return texts.iter().map(|text| typical_width(text)).collect();
    };
    let first = font
        .get(b"FirstChar")
        .ok()
        .and_then(|first| number(document, first))
        .unwrap_or(0.0) as usize;
    let descriptor = font
        .get_deref(b"FontDescriptor", document)
        .and_then(Object::as_dict)
        .ok();
    let missing = descriptor
        .and_then(|d| d.get(b"MissingWidth").ok())
        .and_then(|w| number(document, w))
        .unwrap_or(0.0);
    let width = |code: usize| {
        let given = code.checked_sub(first).and_then(|index| given.get(index));
        given
            .and_then(|width| number(document, width))
            .unwrap_or(missing)
            * scale
    };
    (0..256).map(width).collect()
}

fn type3_scale(document: &Document, font: &Dictionary) -> Option<f64> {
    let matrix = font
        .get_deref(b"FontMatrix", document)
        .ok()?
        .as_array()
        .ok()?;
    number(document, matrix.first()?).map(f64::abs)
}

/// Roughly Helvetica, for the standard fonts that come without widths.
fn typical_width(text: &str) -> f64 {
    match text.chars().next().unwrap_or(' ') {
        'i' | 'j' | 'l' | '\'' | '|' => 0.22,
        ' ' | '.' | ',' | ':' | ';' | '!' | '/' | 'I' | 'f' | 't' | '(' | ')' | '-' => 0.28,
        'r' => 0.33,
        'm' | 'M' | '%' => 0.83,
        'w' | 'W' => 0.8,
        c if c.is_uppercase() => 0.68,
        _ => 0.54,
    }
}
