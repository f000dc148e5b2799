//! Electronic books: the chapters in the order of the spine.

use std::collections::HashMap;

use super::html;
use super::job::{Failure, Job};
use super::package::{Package, headlines, resolve};
use super::xml::{Step, walk};

/// Writes the text of a book; every chapter is a page.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    let chapters = match root(&mut package, job) {
        Some(root) => spine(&mut package, &root, job),
        None => Vec::new(),
    };
    let chapters = if chapters.is_empty() {
        pages(&package)
    } else {
        chapters
    };
    for chapter in chapters {
        if !job.next_member() {
            break;
        }
        if let Some(text) = package.xml(&chapter, job) {
            job.sink.page();
            html::read_text(&text, job);
        }
    }
    if package
        .names()
        .iter()
        .any(|name| name == "META-INF/encryption.xml")
        && job.sink.len() == 0
    {
        return Err(Failure::Encrypted);
    }
    Ok(())
}

fn root(package: &mut Package, job: &mut Job) -> Option<String> {
    let container = package.xml("META-INF/container.xml", job)?;
    let mut root = None;
    walk(&container, |step| {
        if let Step::Start(tag) = step
            && tag.name() == "rootfile"
        {
            root = tag.attribute("full-path");
        }
        root.is_none()
    });
    root
}

/// The members of the spine, in reading order; keeps the book's title and author.
fn spine(package: &mut Package, root: &str, job: &mut Job) -> Vec<String> {
    let Some(xml) = package.xml(root, job) else {
        return Vec::new();
    };
    headlines(&xml, "title", "creator", job);
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    let (mut items, mut chapters) = (HashMap::new(), Vec::new());
    walk(&xml, |step| {
        let Step::Start(tag) = step else { return true };
        match tag.name() {
            "item" => {
                if let (Some(id), Some(href)) = (tag.attribute("id"), tag.attribute("href")) {
                    items.insert(id, resolve(folder, &unescape(&href)));
                }
            }
            "itemref" => chapters.extend(
                tag.attribute("idref")
                    .and_then(|id| items.get(&id).cloned()),
            ),
            _ => {}
        }
        chapters.len() < 10_000
    });
    chapters
}

/// All pages of the container, for books without a readable spine.
fn pages(package: &Package) -> Vec<String> {
    let is_page = |name: &String| {
        [".xhtml", ".html", ".htm"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    package.names().into_iter().filter(is_page).collect()
}

/// A link without percent encoding and fragment.
fn unescape(href: &str) -> String {
    let href = href.split('#').next().unwrap_or_default();
    let mut bytes = Vec::with_capacity(href.len());
    let mut rest = href.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
