//! Zip containers of documents: their members by name, each bounded, all of them together bounded.

mod repair;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::FileType;
use super::decode;
use super::job::{Failure, Job};
use super::members::moment_ms;
use super::xml::{Step, walk};

/// Most bytes one member of a document may unpack to.
const MAX_MEMBER_BYTES: u64 = 96 << 20;
/// Bytes of an archive's member that tell whether to unpack it all.
const PEEK_BYTES: u64 = 16 << 10;
/// Members of a zip that are looked at to tell what it is.
const DETECT_MEMBERS: usize = 4_000;

/// An open zip container.
pub(super) struct Package<'b> {
    archive: ZipArchive<Cursor<Cow<'b, [u8]>>>,
}

impl<'b> Package<'b> {
    /// Opens the container, also one whose directory at the end was cut off; fails when there are no members either.
    pub fn open(bytes: &'b [u8]) -> Result<Self, Failure> {
        let archive = ZipArchive::new(Cursor::new(Cow::Borrowed(bytes)));
        let archive = archive.or_else(|error| match repair::with_directory(bytes) {
            Some(repaired) => ZipArchive::new(Cursor::new(Cow::Owned(repaired))),
            None => Err(error),
        });
        let archive = archive.map_err(|error| {
            Failure::damaged(format!("the zip directory is unreadable: {error}"))
        })?;
        Ok(Self { archive })
    }

    /// The names of all members, in the directory's order.
    pub fn names(&self) -> Vec<String> {
        self.archive
            .file_names_raw()
            .map(|raw| decode::to_text(raw, None).into_owned())
            .collect()
    }

    /// The bytes of one member as far as limits allow, `None` when there is none of this name or it cannot be read.
    pub fn member(&mut self, name: &str, job: &mut Job) -> Option<Vec<u8>> {
        let index = self.archive.index_for_name(name.trim_start_matches('/'))?;
        self.member_at(index, job)
    }

    /// The bytes of the member at a place of the directory.
    pub fn member_at(&mut self, index: usize, job: &mut Job) -> Option<Vec<u8>> {
        let bytes = self.read_at(index, job.unpacked_left().min(MAX_MEMBER_BYTES))?;
        job.spend(bytes.len() as u64);
        Some(bytes)
    }

    /// Whether the member at a place of the directory is encrypted.
    pub fn is_encrypted(&self, index: usize) -> bool {
        self.archive
            .by_index_data(index)
            .is_ok_and(|entry| entry.encrypted())
    }

    /// Whether the member is a file: no folder, no link.
    pub fn is_file(&self, index: usize) -> bool {
        self.archive
            .by_index_data(index)
            .is_ok_and(|entry| !entry.is_dir() && !entry.is_symlink())
    }

    /// How large a member is unpacked, bytes, and when it was changed, milliseconds since 1970, where that is told.
    pub fn facts(&self, index: usize) -> (Option<u64>, Option<i64>) {
        let Ok(entry) = self.archive.by_index_data(index) else {
            return (None, None);
        };
        let modified_ms = entry.last_modified().and_then(|at| {
            let date = (at.year(), at.month(), at.day());
            moment_ms(date, (at.hour(), at.minute(), at.second()))
        });
        (Some(entry.size()), modified_ms)
    }

    /// The bytes of a member that may hold words: its start decides whether the rest is unpacked.
    pub fn wordy_member_at(&mut self, index: usize, name: &str, job: &mut Job) -> Option<Vec<u8>> {
        let start = self.read_at(index, PEEK_BYTES.min(job.unpacked_left()))?;
        job.spend(start.len() as u64);
        if (start.len() as u64) < PEEK_BYTES {
            return Some(start);
        }
        let kind = super::detect(name, &start);
        let opaque = match kind {
            FileType::Archive => !super::archive::is_other(&start),
            kind => matches!(kind, FileType::Binary | FileType::Audio | FileType::Video),
        };
        if opaque {
            None
        } else {
            self.member_at(index, job)
        }
    }

    fn read_at(&mut self, index: usize, limit: u64) -> Option<Vec<u8>> {
        let member = self.archive.by_index(index).ok()?;
        let mut bytes = Vec::new();
        let read = member.take(limit).read_to_end(&mut bytes);
        (read.is_ok() || !bytes.is_empty()).then_some(bytes)
    }

    /// The text of an XML member.
    pub fn xml(&mut self, name: &str, job: &mut Job) -> Option<String> {
        let bytes = self.member(name, job)?;
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            let bytes = error.as_bytes();
            decode::to_text(bytes, decode::declared(bytes).as_deref()).into_owned()
        });
        Some(match text.strip_prefix('\u{FEFF}') {
            Some(unmarked) => unmarked.to_owned(),
            None => text,
        })
    }

    /// The relationships of a part: id -> (type's last word, target as a member name).
    pub fn relations(&mut self, part: &str, job: &mut Job) -> HashMap<String, (String, String)> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let path = if folder.is_empty() {
            format!("_rels/{file}.rels")
        } else {
            format!("{folder}/_rels/{file}.rels")
        };
        let mut relations = HashMap::new();
        let Some(text) = self.xml(&path, job) else {
            return relations;
        };
        walk(&text, |step| {
            if let Step::Start(tag) = step
                && tag.name() == "Relationship"
                && let (Some(id), Some(target)) = (tag.attribute("Id"), tag.attribute("Target"))
            {
                let kind = tag.attribute("Type").unwrap_or_default();
                let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
                relations.insert(id, (kind, resolve(folder, &target)));
            }
            relations.len() < 10_000
        });
        relations
    }

    /// Keeps title and author from the core properties of an Office document.
    pub fn core_properties(&mut self, job: &mut Job) {
        if let Some(text) = self.xml("docProps/core.xml", job) {
            headlines(&text, "title", "creator", job);
        }
    }
}

/// Keeps the texts of two elements as title and author.
pub(super) fn headlines(xml: &str, title: &str, author: &str, job: &mut Job) {
    let mut current = String::new();
    walk(xml, |step| {
        match step {
            Step::Start(tag) => current = tag.name().to_owned(),
            Step::End(_) => current.clear(),
            Step::Text(text) if current == title => job.set_title(text),
            Step::Text(text) if current == author => job.set_author(text),
            Step::Text(_) => {}
        }
        true
    });
}

/// A target relative to a folder, as a member name.
pub(super) fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether the bytes are a zip container with a directory, or none at all.
pub(super) fn is_whole(bytes: &[u8]) -> bool {
    !bytes.starts_with(repair::MEMBER) || ZipArchive::new(Cursor::new(bytes)).is_ok()
}

/// Whether the bytes hold a zip directory.
pub(super) fn opens(bytes: &[u8]) -> bool {
    Package::open(bytes).is_ok_and(|package| !package.archive.is_empty())
}

/// What a zip container is, by the members that make a document.
pub(super) fn detect(bytes: &[u8]) -> Option<FileType> {
    let mut package = Package::open(bytes).ok()?;
    if let Some(mimetype) = package.archive.index_for_name("mimetype")
        && let Some(content) = package.read_at(mimetype, 200)
        && let Some(found) = by_mimetype(content.trim_ascii())
    {
        return Some(found);
    }
    let names: Vec<String> = package.names().into_iter().take(DETECT_MEMBERS).collect();
    let has = |start: &str| {
        names
            .iter()
            .any(|name| name.trim_start_matches('/').starts_with(start))
    };
    let is_apple = has("Index/Document.iwa")
        || has("Index.zip")
        || (has("buildVersionHistory.plist") && (has("index.xml") || has("index.apxl")));
    if is_apple {
        return Some(FileType::Pages);
    }
    if !has("[Content_Types].xml") && !has("_rels/") {
        let open_document = has("content.xml") && has("META-INF/manifest.xml");
        return open_document.then_some(FileType::Odt);
    }
    [
        ("word/", FileType::Docx),
        ("xl/", FileType::Xlsx),
        ("ppt/", FileType::Pptx),
    ]
    .into_iter()
    .find_map(|(folder, kind)| has(folder).then_some(kind))
}

fn by_mimetype(content: &[u8]) -> Option<FileType> {
    let content = std::str::from_utf8(content).ok()?;
    if content == "application/epub+zip" {
        return Some(FileType::Epub);
    }
    let kind = content.strip_prefix("application/vnd.oasis.opendocument.")?;
    Some(match kind.split('-').next()? {
        "spreadsheet" | "chart" => FileType::Ods,
        "presentation" | "graphics" => FileType::Odp,
        _ => FileType::Odt,
    })
}
