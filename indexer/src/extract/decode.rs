//! Bytes to characters: byte order marks, declared encodings, UTF-16 without a mark, and guesses for the rest.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_8859_2, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1252};

use super::job::{Failure, Job};

/// Bytes that decide whether a file is text at all, and whether it is UTF-16.
const SAMPLE_BYTES: usize = 8 << 10;
/// Bytes in which a document may declare its encoding.
const DECLARATION_BYTES: usize = 2 << 10;
/// Bytes the statistical detector is fed.
const GUESS_BYTES: usize = 256 << 10;

/// Writes a plain text file as it is.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let text = to_text(bytes, None);
    if text.contains('\0') {
        job.sink.raw(&text.replace('\0', " "));
    } else {
        job.sink.raw(&text);
    }
    Ok(())
}

/// The characters of `bytes`; `declared` is the encoding that a header or the document itself names.
pub(super) fn to_text<'b>(bytes: &'b [u8], declared: Option<&str>) -> Cow<'b, str> {
    if let Some(text) = marked(bytes) {
        return text;
    }
    if let Some(big_endian) = utf32_without_mark(bytes) {
        return Cow::Owned(utf32(bytes, big_endian));
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    let end = complete_utf8(bytes);
    if let Ok(text) = std::str::from_utf8(&bytes[..end])
        && !bytes.contains(&0x1B)
    {
        return Cow::Borrowed(text);
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.trim().as_bytes()));
    let encoding = declared
        .filter(|e| *e != UTF_8 && !is_utf16(e))
        .unwrap_or_else(|| guess(bytes));
    encoding.decode_without_bom_handling(bytes).0
}

/// The encoding an XML or HTML document names in its first lines.
pub(super) fn declared(bytes: &[u8]) -> Option<String> {
    let head =
        String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]).to_ascii_lowercase();
    let after = ["charset=", "encoding="]
        .iter()
        .find_map(|key| head.split_once(key).map(|(_, rest)| rest))?;
    let label = after.trim_start_matches(['"', '\'', ' ']);
    let end = label
        .find(|c: char| !c.is_ascii_alphanumeric() && !"-_:".contains(c))
        .unwrap_or(label.len());
    (end > 0).then(|| label[..end].to_owned())
}

/// Whether a sample of `bytes` can be text in some encoding.
pub(super) fn looks_like_text(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    if Encoding::for_bom(sample).is_some()
        || utf32_mark(sample).is_some()
        || utf32_without_mark(sample).is_some()
        || utf16_without_mark(sample).is_some()
    {
        return true;
    }
    let controls = sample
        .iter()
        .filter(|b| matches!(b, 0..=8 | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F))
        .count();
    let valid = std::str::from_utf8(&sample[..complete_utf8(sample)]).is_ok();
    // A short text with controls is worth a look; noise is not, and is rarely short.
    let allowed = if valid || sample.len() < 256 { 40 } else { 3 };
    controls * 100 <= sample.len() * allowed
}

fn marked(bytes: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(big_endian) = utf32_mark(bytes) {
        return Some(Cow::Owned(utf32(&bytes[4..], big_endian)));
    }
    let (encoding, length) = Encoding::for_bom(bytes)?;
    Some(encoding.decode_without_bom_handling(&bytes[length..]).0)
}

/// Whether a UTF-32 mark starts the bytes, and which.
fn utf32_mark(bytes: &[u8]) -> Option<bool> {
    match bytes.get(..4)? {
        [0xFF, 0xFE, 0, 0] => Some(false),
        [0, 0, 0xFE, 0xFF] => Some(true),
        _ => None,
    }
}

fn utf32(bytes: &[u8], big_endian: bool) -> String {
    let units = bytes.as_chunks::<4>().0.iter();
    units
        .map(|unit| {
            if big_endian {
                u32::from_be_bytes(*unit)
            } else {
                u32::from_le_bytes(*unit)
            }
        })
        .map(|unit| char::from_u32(unit).unwrap_or('\u{FFFD}'))
        .collect()
}

/// UTF-32 shows by its zero upper bytes; tells whether it is big-endian.
fn utf32_without_mark(bytes: &[u8]) -> Option<bool> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES) & !3];
    let units = sample.as_chunks::<4>().0;
    let fits = |unit: u32| unit != 0 && char::from_u32(unit).is_some();
    let all =
        |read: fn([u8; 4]) -> u32| units.len() >= 4 && units.iter().all(|unit| fits(read(*unit)));
    match (all(u32::from_be_bytes), all(u32::from_le_bytes)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// UTF-16 shows by the zero high bytes of its spaces, line ends and ASCII letters, on one side only.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES) & !1];
    let pairs = sample.as_chunks::<2>().0;
    let ascii = |b: u8| matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7E);
    let little = pairs.iter().filter(|p| p[1] == 0 && ascii(p[0])).count();
    let big = pairs.iter().filter(|p| p[0] == 0 && ascii(p[1])).count();
    let (encoding, most, least) = if little >= big {
        (UTF_16LE, little, big)
    } else {
        (UTF_16BE, big, little)
    };
    // Where no byte is above ASCII nearly every unit must be a Latin letter; a stray zero byte is no sign.
    let share = if sample.is_ascii() { 2 } else { 50 };
    let enough = pairs.len() >= 4 && most * share > pairs.len() && most > least * 8;
    (enough && !encoding.decode_without_bom_handling(sample).1).then_some(encoding)
}

fn is_utf16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

/// The length without a character cut at the very end.
fn complete_utf8(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if mostly_utf8(bytes) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(GUESS_BYTES)], true);
    let guessed = detector.guess(None, Utf8Detection::Allow);
    let is_central = guessed == WINDOWS_1250 || guessed == ISO_8859_2;
    if is_central && are_pounds(bytes) {
        WINDOWS_1252
    } else {
        guessed
    }
}

/// Whether all that is not ASCII is a byte in front of digits that is a pound sign in western Europe, and an Ł in the middle of it,
/// which no number has.
fn are_pounds(bytes: &[u8]) -> bool {
    const POUND: u8 = 0xA3;
    let is_pound =
        |at: usize| bytes[at] == POUND && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
    let mut places = (0..bytes.len().min(GUESS_BYTES)).filter(|&at| !bytes[at].is_ascii());
    places.all(is_pound)
}

/// UTF-8 with a few broken places: most of its non-ASCII bytes belong to valid sequences.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let sample = &bytes[..bytes.len().min(GUESS_BYTES)];
    let valid: usize = sample
        .utf8_chunks()
        .map(|c| c.valid().bytes().filter(|b| *b >= 0x80).count())
        .sum();
    let broken: usize = sample.utf8_chunks().map(|c| c.invalid().len()).sum();
    valid >= 8 && valid > broken * 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_pounds() {
        let english =
            b"They stand to win \xA3825, which is not bad for a \xA32 bet on three draws.";
        assert!(to_text(english, None).contains("\u{A3}825"));
        let polish =
            b"Jad\xEA do \xA3odzi, a potem do Gda\xF1ska na d\xB3ugie wakacje z rodzin\xB1.";
        assert!(to_text(polish, None).contains("Łodzi"));
    }

    #[test]
    fn marks_and_zeroes_tell_wide_encodings() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|u| {
                    if big {
                        u.to_be_bytes()
                    } else {
                        u.to_le_bytes()
                    }
                })
                .collect()
        };
        assert_eq!(to_text(b"\xEF\xBB\xBFfirst", None), "first");
        assert_eq!(
            to_text(&[b"\xFF\xFE".to_vec(), wide("größe", false)].concat(), None),
            "größe"
        );
        assert_eq!(
            to_text(&wide("no mark at all", false), None),
            "no mark at all"
        );
        assert_eq!(
            to_text(&wide("no mark at all", true), None),
            "no mark at all"
        );
        assert_eq!(to_text(b"\xFF\xFE\0\0a\0\0\0", None), "a");
    }

    #[test]
    fn legacy_encodings_are_declared_or_guessed() {
        assert_eq!(
            to_text(b"caf\xE9 cr\xE8me, d\xE9j\xE0 vu", None),
            "café crème, déjà vu"
        );
        assert_eq!(
            to_text(b"\xEF\xF0\xE8\xE2\xE5\xF2", Some("windows-1251")),
            "привет"
        );
        assert_eq!(
            declared(b"<?xml version='1.0' encoding='ISO-8859-2'?>").as_deref(),
            Some("iso-8859-2")
        );
        assert_eq!(declared(b"<meta charset=utf-8>").as_deref(), Some("utf-8"));
    }

    #[test]
    fn noise_is_not_text() {
        let noise: Vec<u8> = (0..4096u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        assert!(!looks_like_text(&noise));
        assert!(looks_like_text(b"words and words"));
    }
}
