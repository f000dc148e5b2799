//! The `Range` header: one range of bytes.

use std::ops::Range;

use axum::http::{HeaderMap, header};

use super::Failure;

/// What part of `size` bytes a request wants: `None` for all of it (no header, or one that is to be ignored:
/// other units, several ranges), else the range to answer with 206. Refuses a range with no byte in it.
pub fn wanted(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, Failure> {
    let Some(spec) = headers.get(header::RANGE).and_then(|v| v.to_str().ok()) else {
        return Ok(None);
    };
    let Some((first, last)) = spec
        .trim()
        .strip_prefix("bytes=")
        .and_then(|s| s.split_once('-'))
    else {
        return Ok(None);
    };
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(suffix)) if first.trim().is_empty() => size.saturating_sub(suffix)..size,
        _ => return Ok(None),
    };
    if range.start >= range.end {
        Err(Failure::Unsatisfiable(size))
    } else {
        Ok(Some(range))
    }
}

/// The value of a 206's `Content-Range`.
pub fn content_range(range: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", range.start, range.end - 1)
}

fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spec: &str, size: u64) -> Result<Option<Range<u64>>, u64> {
        let mut headers = HeaderMap::new();
        if let Ok(value) = spec.parse() {
            headers.insert(header::RANGE, value);
        }
        wanted(&headers, size).map_err(|_| size)
    }

    #[test]
    fn ranges() {
        assert_eq!(of("bytes=0-9", 100), Ok(Some(0..10)));
        assert_eq!(of("bytes=97-150", 100), Ok(Some(97..100)));
        assert_eq!(of("bytes=93-", 100), Ok(Some(93..100)));
        assert_eq!(of("bytes=-7", 100), Ok(Some(93..100)));
        assert_eq!(of("bytes=-700", 100), Ok(Some(0..100)));
        assert_eq!(of("bytes=0-18446744073709551615", 100), Ok(Some(0..100)));
    }

    #[test]
    fn ranges_without_a_byte_are_refused() {
        for spec in ["bytes=100-", "bytes=200-300", "bytes=-0"] {
            assert_eq!(of(spec, 100), Err(100), "{spec}");
        }
        assert_eq!(of("bytes=0-0", 0), Err(0));
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for spec in [
            "lines=1-2",
            "bytes=5-2",
            "bytes=0-1,3-4",
            "bytes=a-b",
            "bytes=-",
            "bytes=+1-2",
        ] {
            assert_eq!(of(spec, 100), Ok(None), "{spec}");
        }
    }
}
