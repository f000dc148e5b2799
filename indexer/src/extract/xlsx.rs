//! Workbooks: sheets in order, cell by cell, then their headers, footers, comments and drawings.

use std::collections::HashMap;

use super::docx::embedded;
use super::job::{Failure, Job};
use super::number::Format;
use super::package::Package;
use super::sink::Sink;
use super::xml::{Step, Tag, walk};

/// Sheets that are read.
const MAX_SHEETS: usize = 1_000;
/// Shared strings that are kept.
const MAX_STRINGS: usize = 4_000_000;

/// What cells refer to.
#[derive(Default)]
struct Workbook {
    strings: Vec<String>,
    styles: Vec<Format>,
    from_1904: bool,
}

/// Writes the text of a workbook; every sheet is a page that starts with its name.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let mut package = Package::open(bytes)?;
    package.core_properties(job);
    let (sheets, from_1904) = sheets(&mut package, job)?;
    let strings = package
        .xml("xl/sharedStrings.xml", job)
        .map(|xml| strings(&xml))
        .unwrap_or_default();
    let styles = package
        .xml("xl/styles.xml", job)
        .map(|xml| styles(&xml))
        .unwrap_or_default();
    let book = Workbook {
        strings,
        styles,
        from_1904,
    };
    for (name, member) in sheets.into_iter().take(MAX_SHEETS) {
        if !job.next_member() {
            break;
        }
        job.sink.sheet(&name);
        if let Some(xml) = package.xml(&member, job) {
            sheet(&xml, &book, &mut job.sink);
        }
        side_parts(&mut package, &member, job);
    }
    embedded(&mut package, job);
    Ok(())
}

/// Names and members of the sheets in order, and whether dates count from 1904.
fn sheets(package: &mut Package, job: &mut Job) -> Result<(Vec<(String, String)>, bool), Failure> {
    let main = package
        .relations("", job)
        .into_values()
        .find(|(kind, _)| kind == "officeDocument");
    let main = main.map_or_else(|| "xl/workbook.xml".to_owned(), |(_, target)| target);
    let relations = package.relations(&main, job);
    let Some(xml) = package.xml(&main, job) else {
        return Err(Failure::damaged(
            "the workbook part is missing or unreadable",
        ));
    };
    let (mut sheets, mut from_1904) = (Vec::new(), false);
    walk(&xml, |step| {
        let Step::Start(tag) = step else { return true };
        match tag.name() {
            "workbookPr" => {
                from_1904 = tag
                    .attribute("date1904")
                    .is_some_and(|v| v == "1" || v == "true")
            }
            "sheet" => {
                let target = tag
                    .attribute("id")
                    .and_then(|id| relations.get(&id))
                    .map(|(_, target)| target.clone());
                let fallback = format!("xl/worksheets/sheet{}.xml", sheets.len() + 1);
                sheets.push((
                    tag.attribute("name").unwrap_or_default(),
                    target.unwrap_or(fallback),
                ));
            }
            _ => {}
        }
        sheets.len() < MAX_SHEETS
    });
    Ok((sheets, from_1904))
}

/// The shared strings, without phonetic guides.
fn strings(xml: &str) -> Vec<String> {
    let (mut strings, mut current, mut in_text, mut phonetic) =
        (Vec::new(), String::new(), false, false);
    walk(xml, |step| {
        match step {
            Step::Start(tag) => match tag.name() {
                "si" if tag.is_empty => strings.push(String::new()),
                "t" => in_text = !tag.is_empty,
                "rPh" => phonetic = !tag.is_empty,
                _ => {}
            },
            Step::End("si") => strings.push(std::mem::take(&mut current)),
            Step::End("t") => in_text = false,
            Step::End("rPh") => phonetic = false,
            Step::End(_) => {}
            Step::Text(text) if in_text && !phonetic => current.push_str(text),
            Step::Text(_) => {}
        }
        strings.len() < MAX_STRINGS
    });
    strings
}

/// How each cell style shows numbers.
fn styles(xml: &str) -> Vec<Format> {
    let (mut formats, mut styles, mut in_cells) = (HashMap::new(), Vec::new(), false);
    walk(xml, |step| {
        match step {
            Step::Start(tag) if tag.name() == "numFmt" => {
                if let (Some(id), Some(code)) =
                    (number(&tag, "numFmtId"), tag.attribute("formatCode"))
                {
                    formats.insert(id, Format::of(&code));
                }
            }
            Step::Start(tag) if tag.name() == "cellXfs" => in_cells = !tag.is_empty,
            Step::End("cellXfs") => in_cells = false,
            Step::Start(tag) if in_cells && tag.name() == "xf" => {
                let id = number(&tag, "numFmtId").unwrap_or(0);
                let own = formats.get(&id).copied();
                styles.push(own.unwrap_or_else(|| Format::known(id)));
            }
            _ => {}
        }
        true
    });
    styles
}

fn number(tag: &Tag, name: &str) -> Option<usize> {
    tag.attribute(name)?.parse().ok()
}

/// Writes the cells of one sheet.
fn sheet(xml: &str, book: &Workbook, sink: &mut Sink) {
    let (mut kind, mut style, mut value, mut kept) =
        (String::new(), 0, String::new(), Kept::Nothing);
    walk(xml, |step| {
        match step {
            Step::Start(tag) => match tag.name() {
                "c" => {
                    kind = tag.attribute("t").unwrap_or_default();
                    style = number(&tag, "s").unwrap_or(0);
                    value.clear();
                }
                "v" | "t" => {
                    kept = if tag.is_empty {
                        Kept::Nothing
                    } else {
                        Kept::Value
                    }
                }
                "rPh" | "f" => kept = Kept::Nothing,
                name if is_margin(name) && !tag.is_empty => {
                    kept = Kept::Value;
                    value.clear();
                }
                _ => {}
            },
            Step::End("c") => cell(&kind, style, &value, book, sink),
            Step::End("row") => sink.line(),
            Step::End("v" | "t") => kept = Kept::Nothing,
            Step::End(name) if is_margin(name) => {
                kept = Kept::Nothing;
                sink.line();
                sink.text(&margin_text(&value));
                sink.line();
            }
            Step::End(_) => {}
            Step::Text(text) if matches!(kept, Kept::Value) => value.push_str(text),
            Step::Text(_) => {}
        }
        !sink.stop()
    });
}

/// Whether the characters that come now belong to the cell.
enum Kept {
    Nothing,
    Value,
}

fn is_margin(name: &str) -> bool {
    matches!(
        name,
        "oddHeader" | "oddFooter" | "evenHeader" | "evenFooter" | "firstHeader" | "firstFooter"
    )
}

fn cell(kind: &str, style: usize, value: &str, book: &Workbook, sink: &mut Sink) {
    if value.is_empty() {
        return;
    }
    match kind {
        "s" => {
            let string = value
                .trim()
                .parse()
                .ok()
                .and_then(|index: usize| book.strings.get(index));
            sink.text(string.map_or("", String::as_str));
        }
        "b" => sink.text(if value.trim() == "1" { "TRUE" } else { "FALSE" }),
        "str" | "inlineStr" | "e" | "d" => sink.text(value),
        _ => match value.trim().parse::<f64>() {
            Ok(number) => {
                let format = book.styles.get(style).copied().unwrap_or_default();
                sink.text(&format.show(number, book.from_1904));
            }
            Err(_) => sink.text(value),
        },
    }
    if !sink.is_full() {
        sink.text("\t");
    }
}

/// A header or footer without its codes (`&L`, `&"Arial,Bold"`, `&12`, `&P` …).
pub(super) fn margin_text(codes: &str) -> String {
    let mut text = String::new();
    let mut chars = codes.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '&' {
            text.push(c);
            continue;
        }
        match chars.next() {
            Some('&') => text.push('&'),
            Some('"') => while chars.next().is_some_and(|c| c != '"') {},
            Some('K') => drop(chars.by_ref().take(6).count()),
            Some(digit) if digit.is_ascii_digit() => {
                while chars.next_if(char::is_ascii_digit).is_some() {}
            }
            _ => text.push(' '),
        }
    }
    text
}

/// Comments, drawings and charts of a sheet.
fn side_parts(package: &mut Package, sheet: &str, job: &mut Job) {
    let mut related: Vec<_> = package.relations(sheet, job).into_values().collect();
    related.sort();
    for (kind, target) in related {
        if !matches!(kind.as_str(), "comments" | "drawing" | "threadedComment")
            || !job.next_member()
        {
            continue;
        }
        if let Some(xml) = package.xml(&target, job) {
            side_part(&xml, &mut job.sink);
        }
        if kind == "drawing" {
            charts(package, &target, job);
        }
    }
}

fn charts(package: &mut Package, drawing: &str, job: &mut Job) {
    let mut charts: Vec<_> = package
        .relations(drawing, job)
        .into_values()
        .filter(|(k, _)| k == "chart")
        .collect();
    charts.sort();
    for (_, target) in charts {
        if job.next_member()
            && let Some(xml) = package.xml(&target, job)
        {
            side_part(&xml, &mut job.sink);
        }
    }
}

fn side_part(xml: &str, sink: &mut Sink) {
    let mut in_text = false;
    walk(xml, |step| {
        match step {
            Step::Start(tag) => in_text = tag.name() == "t" && !tag.is_empty,
            Step::End("t") => in_text = false,
            Step::End("comment" | "p" | "text") => sink.line(),
            Step::End(_) => {}
            Step::Text(text) if in_text => sink.text(text),
            Step::Text(_) => {}
        }
        !sink.stop()
    });
    sink.line();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_understood() {
        assert_eq!(
            margin_text("&L&\"Arial,Bold\"&12Left&RPage &P && more"),
            " Left Page   & more"
        );
    }
}
