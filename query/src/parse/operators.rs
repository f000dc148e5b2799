//! The operators of the query language and what may stand behind them: one table for the parser, for completion and for docs/search.md.

use super::CATEGORIES;

/// An operator: `name:value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// What is typed before the colon.
    pub name: &'static str,
    /// What it does, in a few words for a person.
    pub about: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// Values to offer; for [`Kind::Choice`] all that there are but synonyms.
    pub values: &'static [&'static str],
}

/// What the value of an operator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of its values.
    Choice,
    /// A word or a phrase.
    Text,
    /// The extension of a name.
    Extension,
    /// The path of a folder.
    Folder,
    /// An e-mail address, a name, or `me`.
    Person,
    /// A date, a range of dates, or one of its values.
    Date,
    /// A size or a range of sizes.
    Size,
}

impl Kind {
    /// The kind's name for programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Choice => "choice",
            Kind::Text => "text",
            Kind::Extension => "extension",
            Kind::Folder => "folder",
            Kind::Person => "person",
            Kind::Date => "date",
            Kind::Size => "size",
        }
    }
}

/// Relative dates that have a name.
const DATES: &[&str] = &[
    "today",
    "yesterday",
    "this-week",
    "last-week",
    "this-month",
    "last-month",
    "this-quarter",
    "last-quarter",
    "this-year",
    "last-year",
    "7d",
    "30d",
    "1y",
];

/// Every operator, in the order in which they are offered.
pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "type",
        about: "only this kind of file",
        kind: Kind::Choice,
        values: &CATEGORIES,
    },
    Operator {
        name: "ext",
        about: "only names with this extension",
        kind: Kind::Extension,
        values: &["pdf", "docx", "xlsx", "pptx", "odt", "txt", "md", "jpg"],
    },
    Operator {
        name: "in",
        about: "only in this folder and below",
        kind: Kind::Folder,
        values: &[],
    },
    Operator {
        name: "name",
        about: "the word is in the file's own name",
        kind: Kind::Text,
        values: &[],
    },
    Operator {
        name: "modified",
        about: "changed then",
        kind: Kind::Date,
        values: DATES,
    },
    Operator {
        name: "created",
        about: "first stored then",
        kind: Kind::Date,
        values: DATES,
    },
    Operator {
        name: "size",
        about: "of this size",
        kind: Kind::Size,
        values: &[">1mb", ">10mb", ">100mb", "<100kb", "1mb..10mb"],
    },
    Operator {
        name: "owner",
        about: "in this person's files",
        kind: Kind::Person,
        values: &["me"],
    },
    Operator {
        name: "by",
        about: "last changed by this person",
        kind: Kind::Person,
        values: &["me"],
    },
    Operator {
        name: "shared",
        about: "in shared folders, or shared with a person",
        kind: Kind::Person,
        values: &["yes", "no", "by-me", "with-me"],
    },
    Operator {
        name: "has",
        about: "with text in it, or with a shared link of yours",
        kind: Kind::Choice,
        values: &["text", "link"],
    },
    Operator {
        name: "lang",
        about: "with a text in this language",
        kind: Kind::Choice,
        values: &[
            "en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb", "fi", "ru", "pl", "cs",
            "zh", "ja", "ko",
        ],
    },
    Operator {
        name: "from",
        about: "a message of this person: words of the name or address",
        kind: Kind::Text,
        values: &[],
    },
    Operator {
        name: "to",
        about: "a message that this person got",
        kind: Kind::Text,
        values: &[],
    },
    Operator {
        name: "subject",
        about: "a message about this: words of the subject",
        kind: Kind::Text,
        values: &[],
    },
    Operator {
        name: "sent",
        about: "a message that was sent then",
        kind: Kind::Date,
        values: DATES,
    },
    Operator {
        name: "version",
        about: "old versions too, or only these",
        kind: Kind::Choice,
        values: &["any", "old"],
    },
    Operator {
        name: "asof",
        about: "what files contained then",
        kind: Kind::Date,
        values: &["yesterday", "7d", "30d", "last-week", "last-month"],
    },
    Operator {
        name: "is",
        about: "deleted, a folder, a file, or shared",
        kind: Kind::Choice,
        values: &["deleted", "folder", "file", "shared"],
    },
];

/// The operator of this name (in lower case).
pub fn operator(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == name)
}

/// True when what was typed may become a value of the operator.
pub(super) fn begins_a_value(operator: &Operator, typed: &str) -> bool {
    let last = typed.rsplit(',').next().unwrap_or(typed);
    let last = last.to_ascii_lowercase();
    let is_number = |c: char| c.is_ascii_digit() || "<>=.-".contains(c);
    match operator.kind {
        Kind::Date | Kind::Size if last.chars().all(is_number) => true,
        _ => operator.values.iter().any(|value| value.starts_with(&last)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page that people read names every operator and every value of those that have a closed list.
    #[test]
    fn the_page_tells_every_operator() {
        let page = include_str!("../../../docs/search.md");
        for operator in OPERATORS {
            let row = format!("| `{}:` |", operator.name);
            assert!(page.contains(&row), "{row}");
            let told = |value: &&str| page.contains(&format!("`{value}`"));
            let choices = operator
                .values
                .iter()
                .filter(|_| operator.kind != Kind::Size);
            for value in choices {
                assert!(told(value), "{}:{value}", operator.name);
            }
        }
    }
}
