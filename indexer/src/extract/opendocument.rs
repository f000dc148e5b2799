//! OpenDocument texts, spreadsheets and presentations: content, then headers and footers of the styles.

use super::FileType;
use super::job::{Failure, Job};
use super::package::{Package, headlines};
use super::sink::Sink;
use super::xml::{Step, Tag, walk};

/// Times a repeated cell or row is written, and spaces of one run.
const MAX_REPEATS: usize = 1;
/// Objects inside the document that are read.
const MAX_OBJECTS: usize = 200;

/// Writes the text of an OpenDocument file.
pub(super) fn read(bytes: &[u8], kind: FileType, job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    if let Some(manifest) = package.xml("META-INF/manifest.xml", job)
        && manifest.contains("encryption-data")
    {
        return Err(Failure::Encrypted);
    }
    if let Some(meta) = package.xml("meta.xml", job) {
        headlines(&meta, "title", "creator", job);
    }
    let Some(content) = package.xml("content.xml", job) else {
        return Err(Failure::damaged("content.xml is missing or unreadable"));
    };
    let body = match kind {
        FileType::Ods => Part::Sheets,
        FileType::Odp => Part::Slides,
        _ => Part::Flow,
    };
    let well_formed = part(&content, body, &mut job.sink);
    if let Some(styles) = package.xml("styles.xml", job) {
        job.sink.line();
        part(&styles, Part::Styles, &mut job.sink);
    }
    objects(&mut package, job);
    if well_formed {
        Ok(())
    } else {
        Err(Failure::damaged("content.xml is not well-formed"))
    }
}

fn objects(package: &mut Package, job: &mut Job) {
    let names = package.names();
    let objects = names
        .iter()
        .filter(|name| name.starts_with("Object ") && name.ends_with("/content.xml"));
    for name in objects.take(MAX_OBJECTS) {
        if let Some(text) = package.xml(name, job) {
            job.sink.line();
            part(&text, Part::Flow, &mut job.sink);
        }
    }
}

/// What a member of the package holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Headers and footers.
    Styles,
    /// Text without pages: they come with its layout.
    Flow,
    Slides,
    Sheets,
}

/// Writes one part. Text counts inside paragraphs and headings only; of styles, inside headers and footers only.
fn part(xml: &str, part: Part, sink: &mut Sink) -> bool {
    let styles = part == Part::Styles;
    let (mut paragraphs, mut margins, mut skipped) = (0u32, 0u32, 0u32);
    walk(xml, |step| {
        match step {
            Step::Start(tag) if skipped > 0 || is_skipped(tag.name()) => {
                skipped += u32::from(!tag.is_empty)
            }
            Step::End(_) if skipped > 0 => skipped -= 1,
            Step::Start(tag) => {
                if !tag.is_empty {
                    paragraphs += u32::from(is_paragraph(tag.name()));
                    margins += u32::from(is_margin(tag.name()));
                }
                start(&tag, part, sink);
            }
            Step::End(name) => {
                paragraphs -= u32::from(is_paragraph(name)).min(paragraphs);
                margins -= u32::from(is_margin(name)).min(margins);
                end(name, sink);
            }
            Step::Text(text) if skipped == 0 && paragraphs > 0 && (!styles || margins > 0) => {
                sink.text(text)
            }
            Step::Text(_) => {}
        }
        !sink.stop()
    })
}

fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "tracked-changes" | "binary-data" | "ruby-text" | "page-number" | "page-count"
    )
}

fn is_paragraph(name: &str) -> bool {
    matches!(name, "p" | "h" | "title" | "desc")
}

fn is_margin(name: &str) -> bool {
    name.starts_with("header") || name.starts_with("footer") || name.starts_with("region-")
}

fn start(tag: &Tag, part: Part, sink: &mut Sink) {
    match tag.name() {
        "tab" => sink.gap(),
        "line-break" => sink.line(),
        "s" => sink.text(&" ".repeat(MAX_REPEATS)),
        "page" if part == Part::Slides => sink.page(),
        "table" if part != Part::Styles => {
            let name = tag.attribute("name").unwrap_or_default();
            if part == Part::Sheets {
                sink.sheet(&name);
            } else {
                sink.line();
                sink.text(&name);
                sink.line();
            }
        }
        "p" | "h" | "note" | "annotation" | "frame" => sink.gap(),
        _ => {}
    }
}

fn end(name: &str, sink: &mut Sink) {
    match name {
        "p" | "h" | "table-row" | "title" | "desc" => sink.line(),
        "table-cell" | "note" | "annotation" => sink.gap(),
        _ => {}
    }
}
