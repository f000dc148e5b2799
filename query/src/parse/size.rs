//! Sizes: `>10mb`, `<=500kb`, `1mb..5mb`, `3mb` (rounded down to its unit).

/// The bytes `[from, until)` that `value` means; none when it is not a size.
pub(super) fn range(value: &str) -> Option<(u64, u64)> {
    if let Some((from, until)) = value.split_once("..") {
        let end = |text: &str, open: u64| match text {
            "" => Some(open),
            text => bytes(text).map(|(bytes, _)| bytes),
        };
        let both = !(from.is_empty() && until.is_empty());
        return both.then_some((end(from, 0)?, end(until, u64::MAX)?.saturating_add(1)));
    }
    let split = value.find(|c: char| !"<>=".contains(c))?;
    let (operator, size) = value.split_at(split);
    let (size, step) = bytes(size)?;
    match operator {
        ">" => Some((size.saturating_add(1), u64::MAX)),
        ">=" => Some((size, u64::MAX)),
        "<" => Some((0, size)),
        "<=" => Some((0, size.saturating_add(1))),
        "" | "=" => Some((size, size.saturating_add(step))),
        _ => None,
    }
}

/// Bytes, and the bytes of one unit of the last digit given.
fn bytes(text: &str) -> Option<(u64, u64)> {
    let lower = text.to_ascii_lowercase();
    let split = lower
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(split);
    let unit: u64 = match unit {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return None,
    };
    let number: f64 = number
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite() && *n >= 0.0)?;
    Some(((number * unit as f64) as u64, unit))
}
