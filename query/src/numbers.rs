//! Numbers as people write them otherwise: `1234.56` is `1,234.56`, and `2.6.1` is `v2.6.1`.

use indexer::analyse::Token;

/// Digits of a number that may be grouped by thousands.
const GROUPED: std::ops::RangeInclusive<usize> = 4..=9;

/// Other tokens that texts may have for a number, each list a phrase.
pub(crate) fn forms(text: &str, tokens: &[Token]) -> Vec<Vec<(usize, String)>> {
    let Some((first, rest)) = tokens.split_first() else {
        return Vec::new();
    };
    if !rest.iter().all(|token| is_digits(&token.text)) || rest.len() > 3 {
        return Vec::new();
    }
    let from_dot = rest
        .first()
        .is_some_and(|next| &text[first.end..next.start] == ".");
    let follow = |heads: Vec<String>| {
        let all = heads
            .into_iter()
            .chain(rest.iter().map(|token| token.text.clone()));
        all.enumerate().collect::<Vec<_>>()
    };
    let mut forms = Vec::new();
    if let Some(groups) = thousands(&first.text).filter(|_| rest.len() < 2) {
        forms.push(follow(groups));
    }
    match first.text.strip_prefix('v') {
        Some(number) if is_digits(number) && from_dot => forms.push(follow(vec![number.into()])),
        None if is_digits(&first.text) && from_dot => {
            forms.push(follow(vec![format!("v{}", first.text)]));
        }
        _ => {}
    }
    forms
}

/// `1234567` as 1, 234, 567; none when it is no such number.
fn thousands(digits: &str) -> Option<Vec<String>> {
    if !is_digits(digits) || !GROUPED.contains(&digits.len()) || digits.starts_with('0') {
        return None;
    }
    let head = (digits.len() - 1) % 3 + 1;
    let (first, rest) = digits.split_at(head);
    let groups = (0..rest.len())
        .step_by(3)
        .map(|at| rest[at..at + 3].to_owned());
    Some([first.to_owned()].into_iter().chain(groups).collect())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use indexer::analyse::{Mode, words};

    #[test]
    fn numbers_have_other_forms() {
        let forms = |text: &str| {
            let forms = super::forms(text, &words(text, Mode::Query));
            let shown = forms.into_iter().map(|form| {
                let tokens: Vec<_> = form.into_iter().map(|(_, token)| token).collect();
                tokens.join(" ")
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(forms("1000"), "1 000");
        assert_eq!(forms("1234567"), "1 234 567");
        assert_eq!(forms("1234.56"), "1 234 56, v1234 56");
        assert_eq!(forms("0815"), "");
        assert_eq!(forms("2.6.1"), "v2 6 1");
        assert_eq!(forms("v2.6.1"), "2 6 1");
        assert_eq!(forms("v2"), "");
        assert_eq!(forms("10:30"), "");
        assert_eq!(forms("plan"), "");
        assert_eq!(forms(""), "");
    }
}
