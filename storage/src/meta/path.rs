//! Names and addresses: NFC, case-insensitive and case-preserving.

use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::ids::{FileId, NamespaceId, RevId};
use super::refusal::Refusal;

/// Longest name, bytes of NFC.
pub const NAME_BYTES: usize = 255;
/// Longest path, bytes as given.
pub const PATH_BYTES: usize = 4096;
/// Most names in a path.
pub const PATH_SEGMENTS: usize = 256;

/// How a request names a node. Names are NFC and checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Address {
    /// Below the actor's root; empty: the root.
    Path(Vec<String>),
    /// A node, or a path below it.
    Id(FileId, Vec<String>),
    /// A version of a file.
    Rev(RevId),
    /// A namespace's root, or a path below it.
    Namespace(NamespaceId, Vec<String>),
}

impl Address {
    /// Parses `""`, `/a/b`, `id:…`, `id:…/a`, `rev:…`, `ns:7`, `ns:7/a`. Doubled slashes count once. An id, rev or
    /// namespace that cannot exist is [`Refusal::NotFound`].
    pub fn parse(text: &str) -> Result<Address, Refusal> {
        if text.len() > PATH_BYTES {
            return Err(malformed("the path is too long"));
        }
        let (head, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
        let names = names(rest)?;
        if head.is_empty() {
            Ok(Address::Path(names))
        } else if head.starts_with("id:") {
            Ok(Address::Id(
                FileId::parse(head).ok_or(Refusal::NotFound)?,
                names,
            ))
        } else if let Some(rev) = head.strip_prefix("rev:") {
            RevId::parse(rev)
                .filter(|_| names.is_empty())
                .map(Address::Rev)
                .ok_or(Refusal::NotFound)
        } else if let Some(ns) = head.strip_prefix("ns:") {
            Ok(Address::Namespace(
                NamespaceId::parse(ns).ok_or(Refusal::NotFound)?,
                names,
            ))
        } else {
            Err(Refusal::BadPathFormat)
        }
    }
}

/// The checked names of a path's part from its first slash.
fn names(text: &str) -> Result<Vec<String>, Refusal> {
    let names: Vec<_> = text
        .split('/')
        .filter(|n| !n.is_empty())
        .map(clean_name)
        .collect::<Result<_, _>>()?;
    if names.len() > PATH_SEGMENTS {
        return Err(malformed("the path has too many names"));
    }
    Ok(names)
}

/// The name in NFC, or why it cannot be one.
pub fn clean_name(name: &str) -> Result<String, Refusal> {
    let name = if is_nfc(name) {
        name.to_owned()
    } else {
        name.nfc().collect()
    };
    if name.is_empty() || name == "." || name == ".." {
        return Err(malformed("a name is empty, . or .."));
    }
    if name.chars().any(|c| c == '/' || c.is_control()) {
        return Err(malformed("a name holds a slash or a control character"));
    }
    if name.len() > NAME_BYTES {
        return Err(malformed("a name is longer than 255 bytes"));
    }
    Ok(name)
}

/// What names are compared by: NFC, each character lowercase, NFC again. Folding twice changes nothing.
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let lower: String = name.nfc().flat_map(char::to_lowercase).collect();
    if is_nfc(&lower) {
        lower
    } else {
        lower.nfc().collect()
    }
}

/// The name's extension, folded, without the dot; empty when there is none.
pub fn extension(name: &str) -> String {
    fold(split_extension(name).1.trim_start_matches('.'))
}

/// `name` with ` (tag)` before its extension, cut so that it stays a name.
pub fn renamed(name: &str, tag: &str) -> String {
    let (stem, extension) = split_extension(name);
    let room = NAME_BYTES.saturating_sub(extension.len() + tag.len() + 3);
    let mut cut = stem.len().min(room);
    while !stem.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{} ({tag}){extension}", &stem[..cut])
}

/// Stem, and extension with its dot: one to sixteen characters after the last dot that is not the first character.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && (2..=17).contains(&name[dot..].chars().count()) => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

fn malformed(why: &str) -> Refusal {
    Refusal::MalformedPath(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> String {
        match Address::parse(text) {
            Ok(address) => format!("{address:?}"),
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn addresses_have_golden_forms() {
        assert_eq!(parsed(""), "Path([])");
        assert_eq!(parsed("/"), "Path([])");
        assert_eq!(parsed("//a///B c/"), r#"Path(["a", "B c"])"#);
        assert_eq!(
            parsed("id:AAAAAAAAAAAAAAAAAAAAAB/x"),
            r#"Id(FileId(1), ["x"])"#
        );
        assert_eq!(
            parsed("rev:00000000000000010000000000000002"),
            "Rev(RevId { rev: Rev(1), file: FileId(2) })"
        );
        assert_eq!(parsed("ns:7/a"), r#"Namespace(NamespaceId(7), ["a"])"#);
        assert_eq!(parsed("ns:7"), "Namespace(NamespaceId(7), [])");
        assert_eq!(parsed("id:AAAAAAAAAAAAAAAAAAAAAA"), "not found");
        assert_eq!(parsed("rev:00"), "not found");
        assert_eq!(parsed("no-slash.txt"), Refusal::BadPathFormat.to_string());
    }

    #[test]
    fn bad_names_are_malformed() {
        for path in [
            "/..",
            "/a/../b",
            "/./a",
            "/a\0",
            "/a\nb",
            &format!("/{}", "n".repeat(256)),
            &"/a".repeat(300),
        ] {
            assert!(
                matches!(Address::parse(path), Err(Refusal::MalformedPath(_))),
                "{path:?}"
            );
        }
        assert!(Address::parse(&format!("/{}.txt", "n".repeat(251))).is_ok());
        assert!(matches!(
            Address::parse(&format!("/{}", "abc/".repeat(1100))),
            Err(Refusal::MalformedPath(_))
        ));
    }

    #[test]
    fn nfd_is_nfc_and_case_folds() {
        assert_eq!(Address::parse("/Cafe\u{301}"), Address::parse("/Café"));
        assert_eq!(fold("CAFÉ Ünï ΣΑΣ"), "café ünï σασ");
        assert_eq!(fold("E\u{301}"), "é");
    }

    #[test]
    fn renaming_keeps_the_extension() {
        assert_eq!(renamed("a.txt", "1"), "a (1).txt");
        assert_eq!(renamed(".bashrc", "2"), ".bashrc (2)");
        assert_eq!(renamed("a.", "2"), "a. (2)");
        assert_eq!(renamed("archive.tar.gz", "1"), "archive.tar (1).gz");
        let long = renamed(&format!("{}.txt", "é".repeat(125)), "12");
        assert!(
            long.len() <= NAME_BYTES && long.ends_with("é (12).txt"),
            "{long}"
        );
        assert_eq!(extension("A.PDF"), "pdf");
        assert_eq!(extension("none"), "");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(name in "\\PC{0,20}") {
            let once = fold(&name);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert_eq!(fold(&once.nfd().collect::<String>()), once);
        }
    }
}
