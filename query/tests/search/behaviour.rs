//! docs/search-behaviour.md is the test: each section's files are stored and indexed, each of its queries is asked.

use std::collections::BTreeSet;

use crate::bench::{Bench, asked};

/// Rows of queries that the page promises at least.
const MIN_ROWS: usize = 120;

/// A section of the page: files with their texts, and queries with what they find.
#[derive(Default)]
struct Section<'p> {
    title: &'p str,
    files: Vec<(String, String)>,
    queries: Vec<(String, String)>,
}

/// The sections; a table with the head `Name` has files, one with the head `Typed` has queries.
fn sections(page: &str) -> Vec<Section<'_>> {
    let mut sections = Vec::new();
    let mut in_files = false;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            sections.push(Section {
                title,
                ..Section::default()
            });
        }
        let Some(section) = sections.last_mut() else {
            continue;
        };
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        match cells[..] {
            _ if !line.starts_with('|') || cells[0].starts_with("---") => {}
            ["Name", ..] => in_files = true,
            ["Typed", ..] => in_files = false,
            [name, text] if in_files => section.files.push((code(name), spelled(text))),
            [typed, found, ..] if !in_files => section.queries.push((code(typed), code(found))),
            _ => panic!("a row of neither table: {line}"),
        }
    }
    sections
}

/// What stands in `code`, with the pipe that a table cannot have.
fn code(cell: &str) -> String {
    spelled(&cell.replace('`', "")).replace("(nothing)", "")
}

/// `\u{301}` as its character, `¦` as a pipe.
fn spelled(cell: &str) -> String {
    let mut parts = cell.split("\\u{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_once('}').expect("a closing brace");
        let digits = u32::from_str_radix(digits, 16).expect("hex digits");
        text.push(char::from_u32(digits).expect("a character"));
        text.push_str(rest);
    }
    text.replace('¦', "|")
}

/// `a, b` are found in any order, `a > b` in this one.
fn is_as_told(found: &[String], told: &str) -> bool {
    let names = |separator: &str| -> Vec<String> {
        let parts = told.split(separator).map(str::trim);
        parts
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    };
    if told.contains(" > ") {
        return found == names(" > ");
    }
    let told: BTreeSet<String> = names(", ").into_iter().collect();
    found.len() == told.len() && found.iter().all(|name| told.contains(name))
}

#[test]
fn the_page_tells_what_searches_find() {
    let sections = sections(include_str!("../../../docs/search-behaviour.md"));
    let bench = Bench::new();
    let mut accounts = Vec::new();
    for (number, section) in sections.iter().enumerate() {
        let account = bench.account(&format!("reader{number}"));
        for (name, text) in &section.files {
            bench.put(&account, &format!("/{name}"), text);
        }
        accounts.push(account);
    }
    bench.settle();
    let (mut rows, mut wrong) = (0, Vec::new());
    for (section, account) in sections.iter().zip(&accounts) {
        for (typed, told) in &section.queries {
            rows += 1;
            let paths = bench.paths(account, &asked(typed));
            let found: Vec<_> = paths.iter().map(|path| path[1..].to_owned()).collect();
            if !is_as_told(&found, told) {
                let title = section.title;
                wrong.push(format!(
                    "{title}: {typed:?}\n  told  {told}\n  found {}",
                    found.join(" > ")
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {rows}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(rows >= MIN_ROWS, "{rows} rows");
}
