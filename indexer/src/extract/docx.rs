//! Word documents: the body, then headers, footers, notes and comments.

use super::job::{Failure, Job};
use super::package::Package;
use super::sink::Sink;
use super::xml::{Step, Tag, walk};

/// Writes the text of a Word document.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    package.core_properties(job);
    let main = main_part(&mut package, job);
    let Some(body) = package.xml(&main, job) else {
        return Err(Failure::damaged(
            "the document's main part is missing or unreadable",
        ));
    };
    let well_formed = part(&body, &mut job.sink);
    for name in package.names().iter().filter(|name| is_side_part(name)) {
        if !job.next_member() {
            break;
        }
        if let Some(text) = package.xml(name, job) {
            job.sink.line();
            part(&text, &mut job.sink);
        }
    }
    embedded(&mut package, job);
    if well_formed {
        Ok(())
    } else {
        Err(Failure::damaged(
            "the document's main part is not well-formed XML",
        ))
    }
}

fn main_part(package: &mut Package, job: &mut Job) -> String {
    let relations = package.relations("", job);
    let main = relations
        .into_values()
        .find(|(kind, _)| kind == "officeDocument")
        .map(|(_, target)| target);
    main.unwrap_or_else(|| "word/document.xml".to_owned())
}

fn is_side_part(name: &str) -> bool {
    let Some(name) = name
        .trim_start_matches('/')
        .strip_prefix("word/")
        .and_then(|n| n.strip_suffix(".xml"))
    else {
        return false;
    };
    [
        "header",
        "footer",
        "footnotes",
        "endnotes",
        "comments",
        "diagrams/data",
        "charts/chart",
    ]
    .iter()
    .any(|start| {
        name.starts_with(start) && !name.starts_with("commentsE") && !name.starts_with("commentsI")
    })
}

/// Writes the words of documents inside the document.
pub(super) fn embedded(package: &mut Package, job: &mut Job) {
    for (index, name) in package.names().iter().enumerate() {
        let inside = name.contains("/embeddings/")
            || name.contains("/afchunk")
            || name.starts_with("subdoc");
        if inside && !name.ends_with('/') && job.may_descend() && job.next_member() {
            let Some(bytes) = package.member_at(index, job) else {
                continue;
            };
            job.sink.line();
            job.read_member(name, &bytes);
        }
    }
}

/// Writes one WordprocessingML or DrawingML part; false when it is not well-formed.
fn part(xml: &str, sink: &mut Sink) -> bool {
    let (mut in_text, mut skipped) = (false, 0u32);
    walk(xml, |step| {
        match step {
            Step::Start(tag) if skipped > 0 || is_skipped(tag.name()) => {
                skipped += u32::from(!tag.is_empty)
            }
            Step::End(_) if skipped > 0 => skipped -= 1,
            Step::Start(tag) => start(&tag, &mut in_text, sink),
            Step::End(name) => end(name, &mut in_text, sink),
            Step::Text(text) if in_text && skipped == 0 => sink.text(text),
            Step::Text(_) => {}
        }
        !sink.stop()
    })
}

/// The old twin of a drawing, deleted text and field codes are not what a reader sees.
fn is_skipped(name: &str) -> bool {
    matches!(
        name,
        "Fallback" | "delText" | "instrText" | "del" | "moveFrom"
    )
}

fn start(tag: &Tag, in_text: &mut bool, sink: &mut Sink) {
    match tag.name() {
        "t" | "v" => *in_text = !tag.is_empty,
        "tab" | "ptab" => sink.gap(),
        "br" | "cr" => sink.line(),
        "noBreakHyphen" => sink.char('-'),
        "docPr" => {
            if let Some(description) = tag.attribute("descr") {
                sink.gap();
                sink.text(&description);
                sink.gap();
            }
        }
        _ => {}
    }
}

fn end(name: &str, in_text: &mut bool, sink: &mut Sink) {
    match name {
        "t" => *in_text = false,
        "v" => {
            *in_text = false;
            sink.gap();
        }
        "p" | "tr" => sink.line(),
        "tc" | "footnote" | "comment" => sink.gap(),
        _ => {}
    }
}
