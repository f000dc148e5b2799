//! What pictures say about themselves: Exif, IPTC, XMP, PNG text chunks and JPEG comments.

use std::io::{Cursor, Read};

use exif::{Context, Exif, In, Tag, Value};
use flate2::read::ZlibDecoder;

use super::FileType;
use super::decode;
use super::job::{Failure, Job};
use super::sink::Sink;
use super::xml::{Step, walk};

/// Bytes of a picture in which its descriptions are looked for.
const SEARCHED_BYTES: usize = 4 << 20;
/// Longest description, in bytes.
const MAX_VALUE_BYTES: usize = 64 << 10;
/// Chunks or segments looked at.
const MAX_CHUNKS: usize = 10_000;

/// Writes the descriptions inside a picture; a picture without any gives no text.
pub(super) fn read(bytes: &[u8], kind: FileType, job: &mut Job) -> Result<(), Failure> {
    let sink = &mut job.sink;
    if let Some(exif) = exif_of(bytes) {
        write_exif(&exif, sink);
    }
    let head = &bytes[..bytes.len().min(SEARCHED_BYTES)];
    match kind {
        FileType::Png => write_png_texts(bytes, sink),
        FileType::Jpeg => write_jpeg_comments(head, sink),
        _ => {}
    }
    write_iptc(head, sink);
    write_xmp(head, sink);
    match kind {
        // Scanners and fax machines write TIFF; nobody else does any more.
        FileType::Tiff => Err(Failure::NeedsOcr),
        _ => Ok(()),
    }
}

fn exif_of(bytes: &[u8]) -> Option<Exif> {
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let found = reader.read_from_container(&mut Cursor::new(bytes));
    found
        .or_else(|error| error.distill_partial_result(|_| {}))
        .ok()
}

fn write_exif(exif: &Exif, sink: &mut Sink) {
    const TAGS: [Tag; 12] = [
        Tag::ImageDescription,
        Tag::Artist,
        Tag::Copyright,
        Tag::Make,
        Tag::Model,
        Tag::Software,
        Tag::DateTimeOriginal,
        Tag::UserComment,
        Tag::LensModel,
        Tag(Context::Tiff, 0x9C9B),
        Tag(Context::Tiff, 0x9C9C),
        Tag(Context::Tiff, 0x9C9E),
    ];
    for tag in TAGS {
        if let Some(field) = exif.get_field(tag, In::PRIMARY) {
            let text = text_of(&field.value, tag);
            let is_date = tag == Tag::DateTimeOriginal;
            // `2008:05:30 15:56:01`: the day as people write it.
            let day = is_date
                .then(|| text.get(..10))
                .flatten()
                .map(|day| day.replace(':', "-"));
            write_value(&day.unwrap_or(text), sink);
        }
    }
    for (tag, reference) in [
        (Tag::GPSLatitude, Tag::GPSLatitudeRef),
        (Tag::GPSLongitude, Tag::GPSLongitudeRef),
    ] {
        let side = exif
            .get_field(reference, In::PRIMARY)
            .map(|field| field.display_value().to_string());
        if let (Some(field), Some(side)) = (exif.get_field(tag, In::PRIMARY), side)
            && let Value::Rational(parts) = &field.value
        {
            let degrees: f64 = parts
                .iter()
                .zip([1.0, 60.0, 3600.0])
                .map(|(part, unit)| part.to_f64() / unit)
                .sum();
            write_value(&format!("{degrees:.4}° {side}"), sink);
        }
    }
}

fn text_of(value: &Value, tag: Tag) -> String {
    match value {
        Value::Ascii(lines) => lines
            .iter()
            .map(|line| decode::to_text(line, None))
            .collect::<Vec<_>>()
            .join(" "),
        Value::Byte(units) if matches!(tag, Tag(_, 0x9C9B..=0x9C9F)) => {
            let units: Vec<u16> = units
                .as_chunks::<2>()
                .0
                .iter()
                .map(|pair| u16::from_le_bytes(*pair))
                .collect();
            String::from_utf16_lossy(&units)
        }
        Value::Undefined(bytes, _) if bytes.len() > 8 => match &bytes[..8] {
            b"UNICODE\0" => decode::to_text(&bytes[8..], Some("utf-16le")).into_owned(),
            b"ASCII\0\0\0" => String::from_utf8_lossy(&bytes[8..]).into_owned(),
            _ => String::new(),
        },
        _ => String::new(),
    }
}

fn write_value(value: &str, sink: &mut Sink) {
    let value = value.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let shown = &value[..value.floor_char_boundary(MAX_VALUE_BYTES)];
    if !shown.is_empty() {
        sink.line();
        sink.text(shown);
        sink.line();
    }
}

fn write_png_texts(bytes: &[u8], sink: &mut Sink) {
    let mut rest = bytes.get(8..).unwrap_or_default();
    for _ in 0..MAX_CHUNKS {
        let Some((header, after)) = rest.split_first_chunk::<8>() else {
            return;
        };
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let Some(data) = after.get(..length) else {
            return;
        };
        match &header[4..] {
            b"tEXt" => write_png_value(data, false, sink),
            b"zTXt" => write_png_value(data, true, sink),
            b"iTXt" => write_international(data, sink),
            _ => {}
        }
        rest = after.get(length + 4..).unwrap_or_default();
    }
}

fn write_png_value(data: &[u8], packed: bool, sink: &mut Sink) {
    let Some(end) = data.iter().position(|b| *b == 0) else {
        return;
    };
    if data.starts_with(b"XML:com.adobe.xmp") || data.starts_with(b"date:") {
        return;
    }
    let value = &data[end + 1..];
    let value = if packed {
        inflate(value.get(1..).unwrap_or_default())
    } else {
        value.to_vec()
    };
    if data.starts_with(b"Raw profile") {
        return write_iptc(&profile(&value), sink);
    }
    write_value(&decode::to_text(&value, None), sink);
}

/// A profile as ImageMagick writes it: a name, a length, then hexadecimal digits.
fn profile(value: &[u8]) -> Vec<u8> {
    let lines = value
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .skip(2);
    let digits: Vec<u8> = lines
        .flatten()
        .filter_map(|b| (*b as char).to_digit(16))
        .map(|d| d as u8)
        .collect();
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| high << 4 | low)
        .collect()
}

fn write_international(data: &[u8], sink: &mut Sink) {
    let Some(end) = data.iter().position(|b| *b == 0) else {
        return;
    };
    let (Some(&packed), Some(rest)) = (data.get(end + 1), data.get(end + 3..)) else {
        return;
    };
    let Some(value) = rest.splitn(3, |b| *b == 0).nth(2) else {
        return;
    };
    let value = if packed == 1 {
        inflate(value)
    } else {
        value.to_vec()
    };
    if !data.starts_with(b"XML:com.adobe.xmp") {
        write_value(&decode::to_text(&value, None), sink);
    } else if packed == 1 {
        write_xmp(&value, sink);
    }
}

fn inflate(packed: &[u8]) -> Vec<u8> {
    let mut value = Vec::new();
    match ZlibDecoder::new(packed)
        .take(MAX_VALUE_BYTES as u64)
        .read_to_end(&mut value)
    {
        Ok(_) => value,
        Err(_) => Vec::new(),
    }
}

fn write_jpeg_comments(bytes: &[u8], sink: &mut Sink) {
    let mut rest = bytes.get(2..).unwrap_or_default();
    for _ in 0..MAX_CHUNKS {
        let [0xFF, marker, high, low, ..] = *rest else {
            return;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xDA || length < 2 {
            return;
        }
        if marker == 0xFE
            && let Some(comment) = rest.get(4..2 + length)
        {
            write_value(&decode::to_text(comment, None), sink);
        }
        rest = rest.get(2 + length..).unwrap_or_default();
    }
}

/// The texts of IPTC records (title, keywords, author, place, caption …).
fn write_iptc(bytes: &[u8], sink: &mut Sink) {
    let Some(found) = find(bytes, b"8BIM\x04\x04") else {
        return;
    };
    let mut rest = &bytes[found + 6..];
    for _ in 0..MAX_CHUNKS {
        let Some(at) = rest.iter().take(64).position(|b| *b == 0x1C) else {
            return;
        };
        let [0x1C, record, set, high, low, ..] = rest[at..] else {
            return;
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let Some(value) = rest.get(at + 5..at + 5 + length) else {
            return;
        };
        let wanted = matches!(
            set,
            5 | 25 | 80 | 85 | 90 | 92 | 95 | 101 | 105 | 110 | 115 | 116 | 120 | 122
        );
        if record == 2 && wanted {
            write_value(&decode::to_text(value, None), sink);
        }
        rest = &rest[at + 5 + length..];
    }
}

/// The texts of an XMP packet's title, description, subject, creator, rights and camera: elements, or attributes of `rdf:Description`.
fn write_xmp(bytes: &[u8], sink: &mut Sink) {
    let Some(start) = find(bytes, b"<x:xmpmeta").or_else(|| find(bytes, b"<rdf:RDF")) else {
        return;
    };
    let end = find(&bytes[start..], b"<?xpacket end").map_or(bytes.len(), |end| start + end);
    let packet = decode::to_text(&bytes[start..end], Some("utf-8"));
    let mut wanted = 0u32;
    walk(&packet, |step| {
        match step {
            Step::Start(tag) if tag.name() == "Description" => {
                let told = tag.attributes().filter(|(name, _)| is_description(name));
                told.for_each(|(_, value)| write_value(&value, sink));
            }
            Step::Start(tag) if !tag.is_empty => wanted += u32::from(is_description(tag.name())),
            Step::End(name) => wanted -= u32::from(is_description(name)).min(wanted),
            Step::Text(text) if wanted > 0 => write_value(text, sink),
            _ => {}
        }
        !sink.stop()
    });
}

fn is_description(name: &str) -> bool {
    matches!(
        name,
        "title"
            | "description"
            | "subject"
            | "creator"
            | "rights"
            | "Headline"
            | "City"
            | "State"
            | "Country"
            | "Location"
            | "Make"
            | "Model"
    )
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, pattern)
}
