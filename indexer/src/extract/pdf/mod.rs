//! PDF: the words of every page in the order they are drawn, then its annotations and form fields; at last the files inside.
//!
//! lopdf reads objects, streams and encryption; content streams ([`lexer`], [`run`]), fonts ([`font`]) and character
//! maps ([`cmap`]) are read here, because words depend on positions and on every way a font can name its characters.

mod annotation;
mod attachment;
mod cmap;
mod collection;
mod font;
mod glyph;
mod lexer;
mod matrix;
mod operand;
mod page;
mod pen;
mod run;
mod truetype;

use std::borrow::Cow;
use std::collections::HashSet;

use lopdf::{Dictionary, Document, LoadOptions, Object, ObjectId, decode_text_string};
use memchr::memmem;

use super::job::{Failure, Job};
use page::Pages;

/// Most bytes one stream may unpack to.
const MAX_STREAM_BYTES: usize = 48 << 20;
/// Pages that are read.
const MAX_PAGES: usize = 50_000;
/// Ancestors of a page or a field.
const MAX_ANCESTORS: usize = 32;
/// How far into a file its header may be.
const HEADER_BYTES: usize = 8 << 10;

/// Writes the text of a PDF; every page is a page.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let document = load(&readable(bytes))?;
    if document.trailer.has(b"Encrypt") && document.encryption_state.is_none() {
        return Err(Failure::Encrypted);
    }
    headlines(&document, job);
    let ids = page_ids(&document);
    if ids.is_empty() {
        return Err(Failure::damaged("the document has no pages"));
    }
    let from = job.sink.len();
    let mut pages = Pages::new(&document);
    let mut scans = 0;
    for id in ids {
        if job.sink.stop() || job.unpacked_left() == 0 {
            break;
        }
        job.sink.page();
        let start = job.sink.len();
        pages.read(id, job);
        if pages.take_image() && !job.sink.has_words_since(start) {
            scans += 1;
        }
    }
    let has_words = job.sink.has_words_since(from);
    if !document.trailer.has(OPENED) {
        attachment::read(&document, job);
    }
    if scans == 0 {
        return Ok(());
    }
    job.see_scan();
    if has_words {
        Ok(())
    } else {
        Err(Failure::NeedsOcr)
    }
}

/// What `Encrypt` is called in files of which only attachments are encrypted.
const OPENED: &[u8] = b"EncrypX";

/// The file without its `Encrypt` entry when only attachments are encrypted: `Identity` filters leave everything else as it is.
fn readable(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_open = |key: &[u8]| {
        memmem::find_iter(bytes, key).any(|at| {
            let value = bytes[at + key.len()..].trim_ascii_start();
            value.starts_with(b"/Identity")
        })
    };
    if !(is_open(b"/StmF") && is_open(b"/StrF")) {
        return Cow::Borrowed(bytes);
    }
    let mut open = bytes.to_vec();
    for at in memmem::find_iter(bytes, b"/Encrypt") {
        // not `EncryptMetadata`
        if !bytes.get(at + 8).is_some_and(u8::is_ascii_alphanumeric) {
            open[at + 1..at + 8].copy_from_slice(OPENED);
        }
    }
    Cow::Owned(open)
}

/// Opens the document; damaged ones a second time by scanning for their objects.
fn load(bytes: &[u8]) -> Result<Document, Failure> {
    let head = &bytes[..bytes.len().min(HEADER_BYTES)];
    let start = head.windows(5).position(|w| w == b"%PDF-").unwrap_or(0);
    let options = |force_reconstruct| LoadOptions {
        max_decompressed_size: Some(MAX_STREAM_BYTES),
        force_reconstruct,
        ..LoadOptions::default()
    };
    let first = Document::load_mem_with_options(bytes, options(false));
    if let Ok(document) = &first
        && (!page_ids(document).is_empty() || document.trailer.has(b"Encrypt"))
    {
        return first.map_err(|error| Failure::damaged(error.to_string()));
    }
    match (
        Document::load_mem_with_options(&bytes[start..], options(true)),
        first,
    ) {
        (Ok(rebuilt), _) => Ok(rebuilt),
        (Err(_), Ok(document)) => Ok(document),
        (Err(_), Err(lopdf::Error::InvalidPassword | lopdf::Error::Decryption(_))) => {
            Err(Failure::Encrypted)
        }
        (Err(_), Err(error)) => Err(Failure::damaged(format!("no PDF document: {error}"))),
    }
}

fn headlines(document: &Document, job: &mut Job) {
    let info = document
        .trailer
        .get_deref(b"Info", document)
        .and_then(Object::as_dict);
    let text = |key: &[u8]| {
        info.as_ref()
            .ok()
            .and_then(|info| string(document, info, key))
    };
    if let Some(title) = text(b"Title") {
        job.set_title(&title);
    }
    if let Some(author) = text(b"Author") {
        job.set_author(&author);
    }
}

/// A text string of a dictionary.
fn string(document: &Document, dictionary: &Dictionary, key: &[u8]) -> Option<String> {
    let object = dictionary.get_deref(key, document).ok()?;
    let bytes = object.as_str().ok()?;
    if let Some(wide) = bytes.strip_prefix(b"\xFE\xFF") {
        return Some(
            encoding_rs::UTF_16BE
                .decode_without_bom_handling(wide)
                .0
                .into_owned(),
        );
    }
    if let Some(wide) = bytes.strip_prefix(b"\xFF\xFE") {
        return Some(
            encoding_rs::UTF_16LE
                .decode_without_bom_handling(wide)
                .0
                .into_owned(),
        );
    }
    decode_text_string(object).ok()
}

/// The pages in order, each once: from the page tree, or every page object when the tree is lost.
fn page_ids(document: &Document) -> Vec<ObjectId> {
    let (mut ids, mut seen) = (Vec::new(), HashSet::new());
    let root = document
        .catalog()
        .and_then(|catalog| catalog.get(b"Pages"))
        .and_then(Object::as_reference);
    let mut stack: Vec<ObjectId> = root.into_iter().collect();
    while let Some(id) = stack.pop() {
        let Ok(node) = document.get_dictionary(id) else {
            continue;
        };
        if ids.len() >= MAX_PAGES || !seen.insert(id) {
            continue;
        }
        match node.get_deref(b"Kids", document).and_then(Object::as_array) {
            Ok(kids) => stack.extend(kids.iter().rev().filter_map(|kid| kid.as_reference().ok())),
            Err(_) => ids.push(id),
        }
    }
    if ids.is_empty() {
        let is_page = |object: &Object| object.as_dict().is_ok_and(|page| page.has_type(b"Page"));
        ids = document
            .objects
            .iter()
            .filter(|(_, object)| is_page(object))
            .map(|(id, _)| *id)
            .take(MAX_PAGES)
            .collect();
    }
    ids
}

#[cfg(test)]
mod tests;
