//! Helpers of extraction: they read what the ordinary readers cannot, behind everything else, one file at a time.
//!
//! [`ocr`] recognises characters in pictures and scanned pages with Tesseract, [`tika`] asks a Tika server about formats without a
//! reader. Both look whether their helper is there, now and then: files that wait for one wait as long as it takes.

mod lane;
pub mod ocr;
pub mod tika;

pub(crate) use lane::Lane;
pub use ocr::Ocr;
pub use tika::Tika;

use std::collections::BTreeMap;

use storage::extraction::{Helper, Outcome};

use crate::extract::{Extraction, FileType, WorkerCommand};

/// Who helps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HelperOptions {
    /// Languages that Tesseract looks for, as it writes them (`eng+deu`); `None`: pictures are not read.
    pub ocr_languages: Option<String>,
    /// Where a Tika server is (`http://host:9998`).
    pub tika_url: Option<String>,
}

/// Why a helper gave nothing for a file.
#[derive(Debug)]
pub enum Trouble {
    /// It is not there (any more); files wait for it.
    Absent(String),
    /// It was told to stop.
    Stopped,
    /// It is there and cannot read this file.
    Failed(Outcome),
}

/// What the helpers of this machine find in a file, `given` what the ordinary readers found; for measurements, which want it at
/// once. Blocks.
#[must_use]
pub fn help(
    options: &HelperOptions,
    worker: &WorkerCommand,
    name: &str,
    bytes: &[u8],
    given: Extraction,
) -> Extraction {
    let wanted = given.helper();
    match (wanted, &options.ocr_languages, &options.tika_url) {
        (Some(Helper::Ocr), Some(languages), _) => match Ocr::find(languages, worker) {
            Ok(ocr) => {
                let ends = crate::stage::page_ends(&given.text, &given.pages);
                let mut kept = ocr::Kept {
                    pages: written_pages(&given, &ends),
                    ..ocr::Kept::default()
                };
                let read = ocr.read(given.detected, bytes, ends.len(), &mut kept);
                merge(given, read)
            }
            Err(_) => given,
        },
        (Some(Helper::Tika), _, Some(url)) => {
            let read = Tika::new(url).read(name, bytes, TEXT_BYTES);
            merge(given, read.map(|text| vec![text]))
        }
        _ => given,
    }
}

/// Text that is kept of one file, bytes.
const TEXT_BYTES: usize = 8 << 20;

/// The pages of a PDF that have words, by number from 1; `ends` are their ends in bytes. They are not read again.
fn written_pages(given: &Extraction, ends: &[u32]) -> BTreeMap<u32, String> {
    let (mut pages, mut start) = (BTreeMap::new(), 0);
    if given.detected != FileType::Pdf {
        return pages;
    }
    for (number, &end) in (1u32..).zip(ends) {
        let page = given.text.get(start..end as usize).unwrap_or_default();
        start = end as usize;
        if !page.trim().is_empty() {
            pages.insert(number, page.to_owned());
        }
    }
    pages
}

/// What a file gives with what a helper read on its pages: of a PDF all pages, of others what is not in their text yet.
fn merge(mut given: Extraction, read: Result<Vec<String>, Trouble>) -> Extraction {
    let pages = match read {
        Ok(pages) => pages,
        Err(Trouble::Failed(outcome)) => {
            if given.outcome != Outcome::Text {
                given.outcome = outcome;
            }
            return given;
        }
        Err(_) => return given,
    };
    if given.detected == FileType::Pdf {
        given.text.clear();
    }
    let before = given.text.trim_end().len();
    given.text.truncate(before);
    given.pages.clear();
    let (mut starts, mut chars) = (Vec::new(), given.text.chars().count());
    let mut is_cut = false;
    for page in &pages {
        if !given.text.is_empty() {
            given.text.push('\n');
            chars += 1;
        }
        starts.push(u32::try_from(chars).unwrap_or(u32::MAX));
        let page = page.trim();
        let room = TEXT_BYTES.saturating_sub(given.text.len());
        let kept = &page[..page.floor_char_boundary(room)];
        is_cut |= kept.len() < page.len();
        given.text.push_str(kept);
        chars += kept.chars().count();
    }
    if pages.len() > 1 {
        given.pages = starts;
    }
    given.has_scans = false;
    given.is_content = false;
    given.labels.clear();
    given.language = crate::extract::language::of(&given.text);
    given.outcome = match given.text.trim().is_empty() {
        true => Outcome::NothingToExtract,
        false if is_cut => Outcome::TooLarge {
            indexed_bytes: given.text.len() as u64,
        },
        false => Outcome::Text,
    };
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_with_words_are_not_read_again() {
        let mut mixed = Extraction::bare(FileType::Pdf, Outcome::Text);
        mixed.text = "cover\n\nend".to_owned();
        let written = written_pages(&mixed, &[6, 7, 10]);
        assert_eq!(
            written,
            BTreeMap::from([(1, "cover\n".to_owned()), (3, "end".to_owned())])
        );
        let failed = merge(mixed.clone(), Err(Trouble::Failed(Outcome::TimedOut)));
        assert_eq!(failed, mixed);
        let pages = ["cover\n", "scanned words", "end"].map(str::to_owned);
        let read = merge(mixed, Ok(pages.to_vec()));
        assert_eq!(
            (read.text.as_str(), &read.pages[..]),
            ("cover\nscanned words\nend", &[0, 6, 20][..])
        );
    }

    #[test]
    fn pages_of_a_helper_follow_what_was_there() {
        let mut scan = Extraction::bare(FileType::Tiff, Outcome::NeedsOcr);
        scan.text = "größe\n".to_owned();
        let read = merge(
            scan.clone(),
            Ok(vec!["one ".to_owned(), String::new(), "three".to_owned()]),
        );
        assert_eq!(read.text, "größe\none\n\nthree");
        assert_eq!(read.pages, [6, 10, 11]);
        assert_eq!(read.outcome, Outcome::Text);
        let absent = merge(scan.clone(), Err(Trouble::Absent(String::new())));
        assert_eq!(absent, scan);
        let failed = merge(scan, Err(Trouble::Failed(Outcome::TimedOut)));
        assert_eq!(failed.outcome, Outcome::TimedOut);
    }
}
