//! Moments as people write them.

use anyhow::{Result, bail};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

/// Milliseconds since 1970 of `2026-03-01T12:00:00Z`, `2026-03-01 12:00[:30]` or `2026-03-01` (UTC), or of `90s`, `30m`, `2h`, `3d`:
/// so long before `now_ms`.
pub fn parse(text: &str, now_ms: i64) -> Result<i64> {
    let text = text.trim();
    if let Some(ago_ms) = ago(text) {
        return Ok(now_ms.saturating_sub(ago_ms));
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok((at.unix_timestamp_nanos() / 1_000_000) as i64);
    }
    let seconds = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    let minutes = format_description!("[year]-[month]-[day] [hour]:[minute]");
    let day = format_description!("[year]-[month]-[day]");
    let at = PrimitiveDateTime::parse(text, &seconds)
        .or_else(|_| PrimitiveDateTime::parse(text, &minutes))
        .or_else(|_| Date::parse(text, &day).map(Date::midnight));
    match at {
        Ok(at) => Ok(at.assume_utc().unix_timestamp() * 1000),
        Err(_) => bail!(
            "{text:?} is no moment: write 2026-03-01T12:00:00Z, 2026-03-01 12:00, 2026-03-01, or how long ago: 30m, 2h, 3d"
        ),
    }
}

/// A moment as RFC 3339, to the millisecond.
pub fn text_ms(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok();
    let text = at.and_then(|at| at.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{at_ms} ms"))
}

/// A moment as RFC 3339, to the second.
pub fn text(at_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000)).ok();
    let text = at.and_then(|at| at.format(&Rfc3339).ok());
    text.unwrap_or_else(|| format!("{at_ms} ms"))
}

fn ago(text: &str) -> Option<i64> {
    let unit_ms = match text.chars().last()? {
        's' => 1_000,
        'm' => 60_000,
        'h' => 3_600_000,
        'd' => 86_400_000,
        _ => return None,
    };
    text[..text.len() - 1]
        .parse::<u32>()
        .ok()
        .map(|n| i64::from(n) * unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_and_written() {
        let day = 1_772_323_200_000; // 2026-03-01
        for (text, wanted) in [
            ("2026-03-01", day),
            ("2026-03-01 12:30", day + 45_000_000),
            ("2026-03-01 12:30:01", day + 45_001_000),
            ("2026-03-01T12:30:00+01:00", day + 41_400_000),
            ("2h", 100_000_000 - 7_200_000),
        ] {
            assert_eq!(parse(text, 100_000_000).unwrap(), wanted, "{text}");
        }
        assert_eq!(text(day), "2026-03-01T00:00:00Z");
        for wrong in ["", "d", "yesterday", "2026-13-01", "-1h", "\u{e9}"] {
            assert!(parse(wrong, 0).is_err(), "{wrong}");
        }
    }
}
