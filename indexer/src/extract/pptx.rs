//! Presentations: slides in order, each with its notes, comments and drawings.

use std::collections::HashMap;

use super::docx::embedded;
use super::job::{Failure, Job};
use super::package::Package;
use super::sink::Sink;
use super::xml::{Step, walk};

/// Slides that are read.
const MAX_SLIDES: usize = 5_000;

/// Writes the text of a presentation; every slide is a page.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    package.core_properties(job);
    let slides = slides(&mut package, job);
    if slides.is_empty() && !package.names().iter().any(|name| name.starts_with("ppt/")) {
        return Err(Failure::damaged("the presentation has no slides"));
    }
    for slide in &slides {
        if !job.next_member() {
            break;
        }
        read_slide(&mut package, slide, job);
    }
    embedded(&mut package, job);
    Ok(())
}

/// The members of the slides: in the presentation's order, or by number when that is unreadable.
fn slides(package: &mut Package, job: &mut Job) -> Vec<String> {
    let relations = package.relations("ppt/presentation.xml", job);
    let mut ordered = Vec::new();
    if let Some(text) = package.xml("ppt/presentation.xml", job) {
        walk(&text, |step| {
            if let Step::Start(tag) = step
                && tag.name() == "sldId"
            {
                let ids = tag
                    .attributes()
                    .filter(|(key, _)| key == "id")
                    .map(|(_, id)| id);
                ordered.extend(
                    ids.filter_map(|id| relations.get(&id))
                        .map(|(_, target)| target.clone())
                        .take(1),
                );
            }
            ordered.len() < MAX_SLIDES
        });
    }
    let mut others: Vec<String> = package
        .names()
        .into_iter()
        .filter(|name| is_slide(name))
        .collect();
    others.sort_by_key(|name| (name.len(), name.clone()));
    if ordered.is_empty() {
        others.truncate(MAX_SLIDES)
    } else {
        others.clear()
    }
    ordered.append(&mut others);
    ordered
}

fn is_slide(name: &str) -> bool {
    name.starts_with("ppt/slides/slide") && name.ends_with(".xml")
}

fn read_slide(package: &mut Package, slide: &str, job: &mut Job) {
    job.sink.page();
    if let Some(text) = package.xml(slide, job) {
        part(&text, &mut job.sink);
    }
    let related: HashMap<_, _> = package.relations(slide, job);
    let mut related: Vec<_> = related.into_iter().collect();
    related.sort();
    for (_, (kind, target)) in related {
        let wanted = matches!(
            kind.as_str(),
            "notesSlide" | "comments" | "diagramData" | "chart"
        );
        if wanted
            && job.next_member()
            && let Some(text) = package.xml(&target, job)
        {
            job.sink.line();
            part(&text, &mut job.sink);
        }
    }
}

/// Writes the words of one DrawingML part. Fields (slide numbers, dates) are left out.
fn part(xml: &str, sink: &mut Sink) {
    let (mut in_text, mut skipped) = (false, 0u32);
    walk(xml, |step| {
        match step {
            Step::Start(tag) if skipped > 0 || matches!(tag.name(), "Fallback" | "fld") => {
                skipped += u32::from(!tag.is_empty);
            }
            Step::End(_) if skipped > 0 => skipped -= 1,
            Step::Start(tag) => match tag.name() {
                "t" | "text" | "v" => in_text = !tag.is_empty,
                "br" => sink.line(),
                "tab" => sink.gap(),
                _ => {}
            },
            Step::End("t") => in_text = false,
            Step::End("text" | "v") => {
                in_text = false;
                sink.line();
            }
            Step::End("p") => sink.line(),
            Step::End("tc") => sink.gap(),
            Step::End(_) => {}
            Step::Text(text) if in_text && skipped == 0 => sink.text(text),
            Step::Text(_) => {}
        }
        !sink.stop()
    });
}
