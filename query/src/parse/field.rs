//! `field:value` to a filter.

use time::OffsetDateTime;

use super::{CATEGORIES, Clause, Filter, date, size};

/// What a field says.
pub(super) enum Read {
    /// A property.
    Filter(Clause),
    /// The value is a word of the name.
    Name,
    /// Deleted files are asked for.
    Deleted,
    /// A field whose value is still being typed.
    Nothing,
    /// A field of ours with a value that makes no sense: a warning.
    Unknown(String),
    /// Not a field of ours: `http://…`, `10:30`.
    NoField,
}

/// Other words that people use for a category.
const SYNONYMS: [(&str, &str); 26] = [
    ("doc", "document"),
    ("docs", "document"),
    ("documents", "document"),
    ("word", "document"),
    ("sheet", "spreadsheet"),
    ("excel", "spreadsheet"),
    ("spreadsheets", "spreadsheet"),
    ("slides", "presentation"),
    ("powerpoint", "presentation"),
    ("presentations", "presentation"),
    ("pdfs", "pdf"),
    ("images", "image"),
    ("photo", "image"),
    ("photos", "image"),
    ("picture", "image"),
    ("source", "code"),
    ("email", "mail"),
    ("mails", "mail"),
    ("message", "mail"),
    ("zip", "archive"),
    ("archives", "archive"),
    ("music", "audio"),
    ("sound", "audio"),
    ("videos", "video"),
    ("movie", "video"),
    ("folders", "folder"),
];

/// Reads a field.
pub(super) fn read(name: &str, value: &str, now: OffsetDateTime) -> Read {
    let known = matches!(
        name,
        "type" | "ext" | "in" | "modified" | "size" | "name" | "is"
    );
    if known && value.is_empty() {
        return Read::Nothing;
    }
    match name {
        "name" => Read::Name,
        "type" => category(value),
        "ext" => Read::Filter(
            any(value, |ext| Some(Filter::Extension(extension(ext)))).unwrap_or(Clause::All),
        ),
        "in" => Read::Filter(Clause::Filter(Filter::In(value.to_owned()))),
        "modified" => match date::range(value, now) {
            Some((from, until)) => Read::Filter(Clause::Filter(Filter::Modified(from, until))),
            None => unknown(
                name,
                value,
                "a date like 2024, 2024-01, >2024-01-31, 2024-01..2024-03 or last-week",
            ),
        },
        "size" => match size::range(value) {
            Some((from, until)) => Read::Filter(Clause::Filter(Filter::Size(from, until))),
            None => unknown(name, value, "a size like >10mb, <500kb or 1mb..5mb"),
        },
        "is" if value.eq_ignore_ascii_case("deleted") => Read::Deleted,
        "is" if value.eq_ignore_ascii_case("folder") => {
            Read::Filter(Clause::Filter(Filter::Category("folder")))
        }
        "is" => unknown(name, value, "deleted or folder"),
        _ => Read::NoField,
    }
}

fn unknown(name: &str, value: &str, wanted: &str) -> Read {
    Read::Unknown(format!(
        "{name}:{value} was searched as words; {name}: takes {wanted}"
    ))
}

fn category(value: &str) -> Read {
    match any(value, |one| category_of(one).map(Filter::Category)) {
        Some(clause) => Read::Filter(clause),
        None => unknown("type", value, &format!("one of {}", CATEGORIES.join(", "))),
    }
}

fn category_of(value: &str) -> Option<&'static str> {
    let value = value.to_ascii_lowercase();
    let synonym = SYNONYMS
        .iter()
        .find(|(word, _)| *word == value)
        .map(|(_, category)| *category);
    synonym.or_else(|| CATEGORIES.into_iter().find(|category| *category == value))
}

/// `a,b` is any of both; none when one of them is not understood.
fn any(value: &str, one: impl Fn(&str) -> Option<Filter>) -> Option<Clause> {
    let parts = value.split(',').filter(|part| !part.is_empty());
    let mut filters: Vec<_> = parts
        .map(|part| one(part).map(Clause::Filter))
        .collect::<Option<_>>()?;
    match filters.len() {
        0 => None,
        1 => filters.pop(),
        _ => Some(Clause::Or(filters)),
    }
}

fn extension(value: &str) -> String {
    value.trim_start_matches(['.', '*']).to_lowercase()
}
