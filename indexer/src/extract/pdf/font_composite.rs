//! Fonts with codes of several bytes (Type 0): Chinese, Japanese, Korean, and most of what writes Unicode today.

use std::collections::HashMap;

use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, SHIFT_JIS, UTF_8, UTF_16BE};
use lopdf::{Dictionary, Document, Object};

use super::super::{MAX_STREAM_BYTES, collection};
use super::{CMap, MAX_PROGRAM_BYTES, Shown, is_meaningless, number, stream, to_unicode, truetype};

/// Widths that are kept.
const MAX_WIDTHS: usize = 70_000;

/// A composite font.
pub(in super::super) struct Composite {
    codes: Codes,
    to_unicode: Option<CMap>,
    identity: bool,
    /// By glyph number of the embedded font.
    characters: HashMap<u32, char>,
    /// By glyph number of a known collection.
    collection: HashMap<u32, char>,
    glyphs: Option<Vec<u8>>,
    widths: HashMap<u32, f64>,
    default_width: f64,
    pub vertical: bool,
}

/// How bytes are cut into codes, and what the codes mean by themselves.
enum Codes {
    /// Two bytes, glyph numbers.
    Identity,
    /// UTF-16, big-endian.
    Utf16,
    Utf32,
    /// One of the national encodings.
    National(&'static Encoding),
    /// JIS X 0208 rows and columns, two 7-bit bytes.
    Jis,
    /// A map inside the file.
    Map(CMap),
}

impl Composite {
    pub fn read(document: &Document, font: &Dictionary) -> Self {
        let descendant = descendant(document, font);
        let (codes, vertical) = codes(document, font);
        let unicode = font.get_deref(b"ToUnicode", document).ok();
        let says_identity = unicode.is_some_and(|map| {
            map.as_name()
                .is_ok_and(|name| name.starts_with(b"Identity"))
        });
        let to_unicode = to_unicode(document, font);
        // A font that is neither embedded nor of a known collection is looked up by Unicode, as viewers do.
        let is_foreign = descendant
            .is_some_and(|d| !is_embedded(document, d) && ordering(document, d) == b"Identity");
        let identity = says_identity || (to_unicode.is_none() && is_foreign);
        let number_of = |key: &[u8]| {
            descendant
                .and_then(|d| d.get(key).ok())
                .and_then(|w| number(document, w))
        };
        let characters = descendant
            .filter(|_| to_unicode.is_none())
            .map(|d| characters(document, d));
        let collected = descendant
            .filter(|_| to_unicode.is_none())
            .map(|d| collection::characters(&ordering(document, d)));
        Self {
            codes,
            to_unicode,
            identity,
            characters: characters.unwrap_or_default(),
            collection: collected.unwrap_or_default(),
            glyphs: descendant.and_then(|d| stream(document, d, b"CIDToGIDMap", 1 << 20)),
            widths: descendant.map(|d| widths(document, d)).unwrap_or_default(),
            default_width: number_of(b"DW").unwrap_or(1000.0) / 1000.0,
            vertical,
        }
    }

    pub fn decode(&self, bytes: &[u8], mut visit: impl FnMut(Shown)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let length = self.code_length(rest).clamp(1, rest.len());
            let (code_bytes, after) = rest.split_at(length);
            let code = code_bytes
                .iter()
                .fold(0u32, |code, byte| code << 8 | u32::from(*byte));
            let text = self.text(code, code_bytes);
            let width = if self.vertical { 1.0 } else { self.width(code) };
            visit(Shown {
                text: &text,
                width,
                is_space: length == 1 && code == 32,
            });
            rest = after;
        }
    }

    fn code_length(&self, rest: &[u8]) -> usize {
        match &self.codes {
            Codes::Identity | Codes::Jis => 2,
            Codes::Utf32 => 4,
            Codes::Utf16 if matches!(rest[0], 0xD8..=0xDB) => 4,
            Codes::Utf16 => 2,
            Codes::National(encoding) => national_length(encoding, rest[0]),
            Codes::Map(map) => map
                .code_length(rest)
                .or_else(|| map.shortest())
                .unwrap_or(2),
        }
    }

    fn text(&self, code: u32, bytes: &[u8]) -> String {
        if let Some(text) = self.to_unicode.as_ref().and_then(|map| map.text(code))
            && !is_meaningless(text)
        {
            return text.to_owned();
        }
        let national = match &self.codes {
            Codes::Utf16 => Some(UTF_16BE.decode_without_bom_handling(bytes).0.into_owned()),
            Codes::Utf32 => char::from_u32(code).map(String::from),
            Codes::National(encoding) => {
                Some(encoding.decode_without_bom_handling(bytes).0.into_owned())
            }
            Codes::Jis => {
                let high: Vec<u8> = bytes.iter().map(|byte| byte | 0x80).collect();
                Some(EUC_JP.decode_without_bom_handling(&high).0.into_owned())
            }
            Codes::Identity if self.identity => char::from_u32(code).map(String::from),
            Codes::Identity | Codes::Map(_) => None,
        };
        let cid = self.cid(code);
        national
            .or_else(|| self.collection.get(&cid).map(char::to_string))
            .or_else(|| {
                let character = self.characters.get(&self.glyph(cid));
                character.map(char::to_string)
            })
            .unwrap_or_default()
    }

    fn cid(&self, code: u32) -> u32 {
        match &self.codes {
            Codes::Map(map) => map.cid(code).unwrap_or(code),
            _ => code,
        }
    }

    fn glyph(&self, cid: u32) -> u32 {
        let at = cid as usize * 2;
        let pair = self
            .glyphs
            .as_ref()
            .and_then(|glyphs| glyphs.get(at..at + 2));
        pair.map_or(cid, |pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
    }

    fn width(&self, code: u32) -> f64 {
        self.widths
            .get(&self.cid(code))
            .copied()
            .unwrap_or(self.default_width)
    }
}

fn descendant<'d>(document: &'d Document, font: &'d Dictionary) -> Option<&'d Dictionary> {
    let descendants = font.get_deref(b"DescendantFonts", document).ok()?;
    let first = descendants
        .as_array()
        .map_or(Some(descendants), |list| list.first())?;
    document.dereference(first).ok()?.1.as_dict().ok()
}

/// How the font's codes are cut, and whether it writes downwards.
fn codes(document: &Document, font: &Dictionary) -> (Codes, bool) {
    let encoding = font.get_deref(b"Encoding", document);
    if let Ok(name) = encoding.and_then(Object::as_name) {
        return (named(name), name.ends_with(b"-V") || name == b"V");
    }
    let Some(bytes) = stream(document, font, b"Encoding", MAX_STREAM_BYTES) else {
        return (Codes::Identity, false);
    };
    let map = CMap::parse(&bytes);
    let parent = map.parent.clone().or_else(|| {
        let stream = font
            .get_deref(b"Encoding", document)
            .ok()?
            .as_stream()
            .ok()?;
        stream
            .dict
            .get(b"UseCMap")
            .and_then(Object::as_name)
            .ok()
            .map(<[u8]>::to_vec)
    });
    let vertical = map.vertical;
    match parent {
        Some(parent) if map.shortest().is_none() => {
            (named(&parent), vertical || parent.ends_with(b"V"))
        }
        _ => (Codes::Map(map), vertical),
    }
}

/// The predefined maps, by the encodings behind them.
fn named(name: &[u8]) -> Codes {
    let name = String::from_utf8_lossy(name);
    let has = |part: &str| name.contains(part);
    match &*name {
        "H" | "V" | "Ext-H" | "Ext-V" | "Add-H" | "Add-V" => Codes::Jis,
        "EUC-H" | "EUC-V" => Codes::National(EUC_JP),
        _ if has("Identity") => Codes::Identity,
        _ if has("UTF16") || has("UCS2") => Codes::Utf16,
        _ if has("UTF32") => Codes::Utf32,
        _ if has("UTF8") => Codes::National(UTF_8),
        _ if has("RKSJ") => Codes::National(SHIFT_JIS),
        _ if name.starts_with("GB") => Codes::National(GB18030),
        _ if name.starts_with("KSC") => Codes::National(EUC_KR),
        _ if has("B5") || has("HKscs") => Codes::National(BIG5),
        _ => Codes::Identity,
    }
}

fn national_length(encoding: &'static Encoding, first: u8) -> usize {
    if encoding == UTF_8 {
        return match first {
            0xF0.. => 4,
            0xE0.. => 3,
            0xC0.. => 2,
            _ => 1,
        };
    }
    let half_width_kana = encoding == SHIFT_JIS && matches!(first, 0xA0..=0xDF);
    if first < 0x81 || half_width_kana {
        1
    } else {
        2
    }
}

/// The collection the font's glyph numbers belong to.
fn ordering(document: &Document, descendant: &Dictionary) -> Vec<u8> {
    let system = descendant
        .get_deref(b"CIDSystemInfo", document)
        .and_then(Object::as_dict);
    let ordering = system.and_then(|system| system.get_deref(b"Ordering", document)?.as_str());
    ordering.map(<[u8]>::to_vec).unwrap_or_default()
}

fn is_embedded(document: &Document, descendant: &Dictionary) -> bool {
    let descriptor = descendant
        .get_deref(b"FontDescriptor", document)
        .and_then(Object::as_dict);
    descriptor.is_ok_and(|d| {
        [b"FontFile".as_slice(), b"FontFile2", b"FontFile3"]
            .iter()
            .any(|key| d.has(key))
    })
}

/// Glyph number -> character by the embedded font, for files that say nothing else.
fn characters(document: &Document, descendant: &Dictionary) -> HashMap<u32, char> {
    let descriptor = descendant
        .get_deref(b"FontDescriptor", document)
        .and_then(Object::as_dict)
        .ok();
    let program = descriptor.and_then(|d| {
        stream(document, d, b"FontFile2", MAX_PROGRAM_BYTES)
            .or_else(|| stream(document, d, b"FontFile3", MAX_PROGRAM_BYTES))
    });
    program
        .map(|program| truetype::characters(&program))
        .unwrap_or_default()
}

/// The `W` array: `first [w w w]` and `first last w`.
fn widths(document: &Document, descendant: &Dictionary) -> HashMap<u32, f64> {
    let mut widths = HashMap::new();
    let Ok(array) = descendant
        .get_deref(b"W", document)
        .and_then(Object::as_array)
    else {
        return widths;
    };
    let mut rest = array.as_slice();
    while let [first, second, tail @ ..] = rest {
        let Some(first) = number(document, first).map(|first| first as u32) else {
            break;
        };
        if let Ok((_, Object::Array(list))) = document.dereference(second) {
            for (width, cid) in list.iter().zip(first..) {
                widths.insert(cid, number(document, width).unwrap_or(1000.0) / 1000.0);
            }
            rest = tail;
        } else {
            let (last, width) = (
                number(document, second),
                tail.first().and_then(|width| number(document, width)),
            );
            let (Some(last), Some(width)) = (last, width) else {
                break;
            };
            for cid in (first..=last as u32).take(MAX_WIDTHS) {
                widths.insert(cid, width / 1000.0);
            }
            rest = &tail[1..];
        }
        if widths.len() > MAX_WIDTHS {
            break;
        }
    }
    widths
}
