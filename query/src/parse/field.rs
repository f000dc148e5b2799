//! `field:value` to a filter.

use indexer::analyse::Language;
use time::OffsetDateTime;

use super::operators::{self, Kind, Operator, begins_a_value};
use super::{CATEGORIES, Clause, Filter, LetterPart, Shared, date, size};

/// What a field says.
pub(super) enum Read {
    /// A property.
    Filter(Clause),
    /// The value is a word of the name.
    Name,
    /// Deleted files are asked for.
    Deleted,
    /// Old versions are asked for, with this property.
    Versions(Clause),
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

/// Reads a field; `typing` when it is the last thing typed, so that its value may be a start still.
pub(super) fn read(name: &str, value: &str, typing: bool, now: OffsetDateTime) -> Read {
    let Some(operator) = operators::operator(name) else {
        return Read::NoField;
    };
    if value.is_empty() {
        return Read::Nothing;
    }
    if let Some(part) = letter_part(operator.name) {
        let letter = |text: &str| Filter::Letter {
            part,
            text: text.to_owned(),
            prefix: typing,
        };
        let filters = any(value, |one| Some(letter(one)));
        return filters.map_or(Read::Nothing, Read::Filter);
    }
    match known(operator.name, value, now) {
        Some(read) => read,
        None if typing && begins_a_value(operator, value) => Read::Nothing,
        None => unknown(operator, value),
    }
}

/// What a value means; none when it makes no sense.
fn known(name: &str, value: &str, now: OffsetDateTime) -> Option<Read> {
    let lower = value.to_lowercase();
    let filter = match name {
        "name" => return Some(Read::Name),
        "is" if lower == "deleted" => return Some(Read::Deleted),
        "version" => return version(&lower).map(Read::Versions),
        "asof" => {
            let until = Filter::AsOf(date::end(value, now)?);
            return Some(Read::Versions(Clause::Filter(until)));
        }
        "type" => {
            return any(value, |one| category_of(one).map(Filter::Category)).map(Read::Filter);
        }
        "ext" => {
            let filters = any(value, |one| Some(Filter::Extension(extension(one))));
            return Some(Read::Filter(filters.unwrap_or(Clause::All)));
        }
        "is" => return is(&lower).map(Read::Filter),
        "in" => Filter::In(value.to_owned()),
        "modified" => date::range(value, now).map(|(from, until)| Filter::Modified(from, until))?,
        "sent" => date::range(value, now).map(|(from, until)| Filter::Sent(from, until))?,
        "created" => date::range(value, now).map(|(from, until)| Filter::Created(from, until))?,
        "by" => Filter::By(lower),
        "lang" => {
            let filters = any(&lower, |one| Language::named(one).map(Filter::Language));
            return filters.map(Read::Filter);
        }
        "size" => size::range(value).map(|(from, until)| Filter::Size(from, until))?,
        "owner" => Filter::Owner(lower),
        "shared" => Filter::Shared(shared(lower)),
        "has" => match lower.as_str() {
            "text" => Filter::HasText,
            "link" | "links" => Filter::HasLink,
            _ => return None,
        },
        _ => return None,
    };
    Some(Read::Filter(Clause::Filter(filter)))
}

fn version(value: &str) -> Option<Clause> {
    match value {
        "any" | "all" => Some(Clause::All),
        "old" => Some(Clause::Filter(Filter::Past)),
        _ => None,
    }
}

fn letter_part(name: &str) -> Option<LetterPart> {
    Some(match name {
        "from" => LetterPart::From,
        "to" => LetterPart::To,
        "subject" => LetterPart::Subject,
        _ => return None,
    })
}

fn is(value: &str) -> Option<Clause> {
    let folder = Clause::Filter(Filter::Category("folder"));
    match value {
        "folder" => Some(folder),
        "file" => Some(Clause::Not(Box::new(folder))),
        "shared" => Some(Clause::Filter(Filter::Shared(Shared::Yes))),
        _ => None,
    }
}

fn shared(value: String) -> Shared {
    match value.as_str() {
        "yes" | "true" => Shared::Yes,
        "no" | "false" => Shared::No,
        "by-me" | "byme" => Shared::ByMe,
        "with-me" | "withme" | "me" => Shared::WithMe,
        _ => Shared::With(value),
    }
}

fn unknown(operator: &Operator, value: &str) -> Read {
    let name = operator.name;
    let wanted = match operator.kind {
        Kind::Date => "a date like 2024, 2024-01, >2024-01-31, 2024-01..2024-03 or last-week",
        Kind::Size => "a size like >10mb, <500kb or 1mb..5mb",
        _ => &format!("one of {}", operator.values.join(", ")),
    };
    Read::Unknown(format!(
        "{name}:{value} was searched as words; {name}: takes {wanted}"
    ))
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
