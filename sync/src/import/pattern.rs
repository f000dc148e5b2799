//! A pattern as a line of `.gitignore` has it, matched in time that is bounded by the lengths of pattern and path.

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As it was written.
    pub text: String,
    /// It takes back what an earlier one leaves out.
    pub is_negated: bool,
    of_folders: bool,
    any_case: bool,
    parts: Vec<Part>,
}

/// What one name of a path, or any number of names, must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any names, also none.
    Names,
    /// One name.
    Name(Vec<Token>),
}

/// What one character, or any number of characters, must be.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Many,
    One,
    Is(char),
    Within {
        ranges: Vec<(char, char)>,
        is_negated: bool,
    },
}

impl Pattern {
    /// Reads a pattern; the error says what is wrong with it.
    pub fn parse(text: &str, any_case: bool) -> Result<Pattern, &'static str> {
        let (rest, is_negated) = match text.strip_prefix('!') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (rest, of_folders) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        let is_anchored = rest.contains('/');
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Err("there is nothing to match");
        }
        let mut parts = Vec::new();
        if !is_anchored {
            parts.push(Part::Names);
        }
        for name in rest.split('/') {
            parts.push(match name {
                "**" => Part::Names,
                "" => return Err("two slashes in a row"),
                name => Part::Name(tokens(name, any_case)?),
            });
        }
        Ok(Pattern {
            text: text.to_owned(),
            is_negated,
            of_folders,
            any_case,
            parts,
        })
    }

    /// Whether the thing at `path`, with `/` between names, is what the pattern names.
    pub fn matches(&self, path: &str, is_folder: bool) -> bool {
        if self.of_folders && !is_folder {
            return false;
        }
        let names: Vec<Vec<char>> = path.split('/').map(|name| self.characters(name)).collect();
        // A last `**` is what is inside, not the folder itself.
        let is_inside = self.parts.len() > 1 && self.parts.last() == Some(&Part::Names);
        let fits = |part: &Part, name: &Vec<char>| match part {
            Part::Names => true,
            Part::Name(tokens) => run(tokens, name, |token, c| token.fits(*c)),
        };
        let length = self
            .parts
            .iter()
            .filter(|part| **part != Part::Names)
            .count();
        (!is_inside || names.len() > length) && run(&self.parts, &names, fits)
    }

    fn characters(&self, name: &str) -> Vec<char> {
        match self.any_case {
            true => name.chars().flat_map(char::to_lowercase).collect(),
            false => name.chars().collect(),
        }
    }
}

/// What stands for any number of items.
trait Wild {
    fn is_many(&self) -> bool;
}

impl Wild for Part {
    fn is_many(&self) -> bool {
        *self == Part::Names
    }
}

impl Wild for Token {
    fn is_many(&self) -> bool {
        *self == Token::Many
    }
}

/// Whether `items` are what `wanted` says, one after the other. Only the last wild one is ever tried again: what came before it
/// fits as it is.
fn run<W: Wild, I>(wanted: &[W], items: &[I], fits: impl Fn(&W, &I) -> bool) -> bool {
    let (mut at, mut item, mut again) = (0, 0, None);
    while item < items.len() {
        match wanted.get(at) {
            Some(wild) if wild.is_many() => {
                again = Some((at, item));
                at += 1;
            }
            Some(one) if fits(one, &items[item]) => {
                at += 1;
                item += 1;
            }
            _ => {
                let Some((wild, taken)) = again else {
                    return false;
                };
                again = Some((wild, taken + 1));
                (at, item) = (wild + 1, taken + 1);
            }
        }
    }
    wanted[at..].iter().all(Wild::is_many)
}

impl Token {
    fn fits(&self, c: char) -> bool {
        match self {
            Token::Many | Token::One => true,
            Token::Is(wanted) => *wanted == c,
            Token::Within { ranges, is_negated } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) != *is_negated
            }
        }
    }
}

fn tokens(name: &str, any_case: bool) -> Result<Vec<Token>, &'static str> {
    let folded: String = match any_case {
        true => name.chars().flat_map(char::to_lowercase).collect(),
        false => name.to_owned(),
    };
    let mut characters = folded.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = characters.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Is(characters.next().ok_or("a backslash at the end")?),
            '[' => within(&mut characters)?,
            c => Token::Is(c),
        });
    }
    Ok(tokens)
}

/// What stands between brackets, of which the first has been read.
fn within(
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
) -> Result<Token, &'static str> {
    const OPEN: &str = "a bracket is not closed";
    let is_negated = characters.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let from = match characters.next().ok_or(OPEN)? {
            ']' if !ranges.is_empty() => return Ok(Token::Within { ranges, is_negated }),
            '\\' => characters.next().ok_or(OPEN)?,
            c => c,
        };
        let mut ahead = characters.clone();
        let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
        let to = if is_range {
            characters.next();
            characters.next().ok_or(OPEN)?
        } else {
            from
        };
        ranges.push((from, to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_git_says() {
        for (pattern, path, is_folder, wanted) in [
            ("*.bak", "x.bak", false, true),
            ("*.bak", "deep/er/x.bak", false, true),
            ("*.bak", "x.bak.txt", false, false),
            ("x", "a/x", false, true),
            ("/x", "a/x", false, false),
            ("/x", "x", false, true),
            ("a/x", "b/a/x", false, false),
            ("x/", "x", false, false),
            ("x/", "a/x", true, true),
            ("**/x", "a/b/x", false, true),
            ("**/x", "x", false, true),
            ("a/**", "a/b/c", false, true),
            ("a/**", "a", true, false),
            ("a/**/b", "a/b", false, true),
            ("a/**/b", "a/x/y/b", false, true),
            ("a/**/b/*/c", "a/b/b/x/c", false, true),
            ("a/**/b", "a/x/y/c", false, false),
            ("a*b*c", "aXbYbZc", false, true),
            ("a*b*c", "aXbYbZ", false, false),
            ("a*", "a/b", false, false),
            ("?.txt", "ü.txt", false, true),
            ("[a-c]x[!0-9]", "bxq", false, true),
            ("[a-c]x[!0-9]", "bx7", false, false),
            ("[]x-]", "]", false, true),
            ("[]x-]", "-", false, true),
            ("\\*", "*", false, true),
            ("\\*", "a", false, false),
            ("Thumbs.db", "thumbs.db", false, false),
        ] {
            let parsed = Pattern::parse(pattern, false).unwrap();
            assert_eq!(parsed.matches(path, is_folder), wanted, "{pattern} {path}");
        }
        let any_case = Pattern::parse("THUMBS.[D]b", true).unwrap();
        assert!(any_case.matches("a/Thumbs.DB", false));
        let back = Pattern::parse("!a", false).unwrap();
        assert!(back.is_negated && back.matches("a", false));
        for bad in ["", "/", "!", "a//b", "[a", "[", "a\\"] {
            assert!(Pattern::parse(bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn many_stars_take_no_long() {
        let pattern = Pattern::parse(&"*a".repeat(50), false).unwrap();
        assert!(!pattern.matches(&"a".repeat(49), false));
        assert!(!pattern.matches(&format!("{}b", "a".repeat(5_000)), false));
    }
}
