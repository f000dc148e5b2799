//! Words in pictures: Tesseract reads them, and `pdftoppm` (Poppler) makes pictures of a scanned PDF's pages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use storage::extraction::Outcome;

use super::Trouble;
use crate::extract::{FileType, ToolFailure, ToolLimits, WorkerCommand, find_program, run_tool};

/// Pages of one file that are read; pages that have words already do not count.
pub const MAX_PAGES: usize = 500;
/// Pixels of the longer side of a page's picture: 300 an inch on A4.
const PAGE_PIXELS: &str = "3508";
/// What one page may cost.
const LIMITS: ToolLimits = ToolLimits {
    memory_bytes: 3 << 30,
    time_ms: 120_000,
    output_bytes: 64 << 20,
};
/// Words that Tesseract is less sure of are left out, per cent.
const SURE: f32 = 55.0;
/// A picture with fewer words than this shows writing only if it is surer of them.
const FEW_WORDS: usize = 3;
/// How sure it has to be then, per cent.
const VERY_SURE: f32 = 85.0;

/// Tesseract, found.
#[derive(Debug, Clone)]
pub struct Ocr {
    worker: WorkerCommand,
    tesseract: PathBuf,
    pdftoppm: Option<PathBuf>,
    languages: String,
    /// `--psm`: 1 turns pages upright first, for which it needs the data of `osd`.
    segmentation: &'static str,
}

/// Takes a page's number and text.
pub type Keep<'k> = &'k mut dyn FnMut(u32, &str);

/// Pages that are read already, and what to do with new ones.
#[derive(Default)]
pub struct Kept<'k> {
    /// Texts by page, from 1.
    pub pages: BTreeMap<u32, String>,
    /// Called with each new page of a file of several.
    pub keep: Option<Keep<'k>>,
    /// Asked now and then whether to stop.
    pub stop: Option<&'k dyn Fn() -> bool>,
    /// Called before each page; false to stop.
    pub wait: Option<&'k dyn Fn() -> bool>,
}

impl Ocr {
    /// Looks for the commands and the languages' data.
    ///
    /// # Errors
    /// What is missing, in a sentence.
    pub fn find(languages: &str, worker: &WorkerCommand) -> Result<Self, String> {
        let tesseract = find_program("tesseract").ok_or("the command tesseract is not there")?;
        let listed = Command::new(&tesseract).arg("--list-langs").output();
        let listed = listed.map_err(|error| format!("tesseract does not start: {error}"))?;
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let has = |language: &str| listed.lines().any(|line| line.trim() == language);
        let (present, missing): (Vec<&str>, Vec<&str>) = languages
            .split('+')
            .map(str::trim)
            .partition(|language| has(language));
        if present.is_empty() {
            return Err(format!("tesseract has no data for {languages}"));
        }
        if !missing.is_empty() {
            tracing::warn!(
                missing = missing.join("+"),
                "tesseract has no data for some languages"
            );
        }
        Ok(Self {
            worker: worker.clone(),
            tesseract,
            pdftoppm: find_program("pdftoppm"),
            languages: present.join("+"),
            segmentation: if has("osd") { "1" } else { "3" },
        })
    }

    /// The words on each page of a picture or of a scanned PDF, which has `pages` pages. Blocks.
    ///
    /// # Errors
    /// [`Trouble::Absent`] for a PDF without `pdftoppm`.
    pub fn read(
        &self,
        kind: FileType,
        bytes: &[u8],
        pages: usize,
        kept: &mut Kept,
    ) -> Result<Vec<String>, Trouble> {
        if kind == FileType::Pdf {
            self.read_pdf(bytes, pages.max(1), kept)
        } else {
            self.recognise(bytes, kept).map_err(trouble)
        }
    }

    fn read_pdf(
        &self,
        bytes: &[u8],
        pages: usize,
        kept: &mut Kept,
    ) -> Result<Vec<String>, Trouble> {
        let Some(pdftoppm) = &self.pdftoppm else {
            return Err(Trouble::Absent(
                "the command pdftoppm is not there".to_owned(),
            ));
        };
        let (mut texts, mut failure, mut read) = (Vec::new(), None, 0);
        for number in (1u32..).take(pages) {
            let known = kept.pages.remove(&number);
            if known.is_some() || read >= MAX_PAGES {
                texts.push(known.unwrap_or_default());
                continue;
            }
            read += 1;
            if kept.wait.is_some_and(|wait| !wait()) {
                return Err(Trouble::Stopped);
            }
            let page = number.to_string();
            let args = [
                "-gray",
                "-scale-to",
                PAGE_PIXELS,
                "-f",
                &page,
                "-l",
                &page,
                "-",
            ];
            let picture = self.run(pdftoppm, &args, bytes, kept);
            let read = picture.and_then(|picture| self.recognise(&picture, kept));
            let text = match read {
                Ok(texts) => texts.join("\n"),
                Err(ToolFailure::Stopped) => return Err(Trouble::Stopped),
                Err(error) => {
                    // The other pages are read all the same.
                    failure = Some(error);
                    String::new()
                }
            };
            if let Some(keep) = &mut kept.keep {
                keep(number, &text);
            }
            texts.push(text);
        }
        match failure {
            Some(failure) if texts.iter().all(String::is_empty) => Err(trouble(failure)),
            _ => Ok(texts),
        }
    }

    /// The words of a picture; of several pages when it has them.
    fn recognise(&self, picture: &[u8], kept: &Kept) -> Result<Vec<String>, ToolFailure> {
        let args = [
            "stdin",
            "stdout",
            "-l",
            &self.languages,
            "--psm",
            self.segmentation,
            "tsv",
        ];
        let table = self.run(&self.tesseract, &args, picture, kept)?;
        Ok(words(&String::from_utf8_lossy(&table)))
    }

    fn run(
        &self,
        program: &std::path::Path,
        args: &[&str],
        input: &[u8],
        kept: &Kept,
    ) -> Result<Vec<u8>, ToolFailure> {
        let stop = || kept.stop.is_some_and(|stop| stop());
        run_tool(
            &self.worker,
            program.as_os_str(),
            args,
            input,
            &LIMITS,
            &stop,
        )
    }
}

fn trouble(failure: ToolFailure) -> Trouble {
    match failure {
        ToolFailure::Late => Trouble::Failed(Outcome::TimedOut),
        ToolFailure::Stopped => Trouble::Stopped,
        ToolFailure::Failed(words) => {
            tracing::debug!(words, "a picture was not read");
            Trouble::Failed(Outcome::Damaged {
                detail: "its pictures cannot be read".to_owned(),
            })
        }
    }
}

/// A word: its block, paragraph and line, how sure it is, its characters.
type Word<'t> = ([u32; 3], f32, &'t str);

/// The texts of the pages in Tesseract's table: level, page, block, paragraph, line, word, place (4), sureness, text.
pub(crate) fn words(table: &str) -> Vec<String> {
    let mut found: BTreeMap<u32, Vec<Word>> = BTreeMap::new();
    for row in table.lines().skip(1) {
        let cells: Vec<&str> = row.split('\t').collect();
        let [
            level,
            page,
            block,
            paragraph,
            line,
            _,
            _,
            _,
            _,
            _,
            sure,
            text,
        ] = cells[..]
        else {
            continue;
        };
        let number = |cell: &str| cell.parse().unwrap_or(0);
        let words = found.entry(number(page)).or_default();
        let sure: f32 = sure.parse().unwrap_or(-1.0);
        if level == "5" && sure >= SURE && text.chars().any(char::is_alphanumeric) {
            words.push(([number(block), number(paragraph), number(line)], sure, text));
        }
    }
    found.into_values().map(|words| page(&words)).collect()
}

fn page(words: &[Word]) -> String {
    let (mut text, mut last) = (String::new(), None);
    if words.len() < FEW_WORDS && words.iter().any(|(_, sure, _)| *sure < VERY_SURE) {
        return text;
    }
    for (line, _, word) in words {
        if let Some(last) = last.replace(line) {
            text.push(if last == line { ' ' } else { '\n' });
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(page: u32, line: u32, sure: f32, text: &str) -> String {
        format!("5\t{page}\t1\t1\t{line}\t1\t0\t0\t9\t9\t{sure}\t{text}\n")
    }

    #[test]
    fn sure_words_make_lines_and_pages() {
        let table = [
            "level\tpage_num\t…\n".to_owned(),
            "1\t1\t0\t0\t0\t0\t0\t0\t9\t9\t-1\t\n".to_owned(),
            row(1, 1, 96.0, "This"),
            row(1, 1, 95.0, "is"),
            row(1, 1, 20.0, "~~x"),
            row(1, 2, 90.0, "paper"),
            row(1, 2, 99.0, "—"),
            row(2, 1, 70.0, "Ee"),
            row(3, 1, 92.0, "ACME"),
        ]
        .concat();
        assert_eq!(words(&table), ["This is\npaper", "", "ACME"]);
        assert!(words("not a table").is_empty());
    }
}
