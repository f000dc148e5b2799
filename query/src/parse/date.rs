//! Dates: `2024`, `2024-q1`, `2024-01`, `2024-01-31`, `31.1.2024`, with `>`, `<`, `>=`, `<=`, `..`; `today`, `yesterday`, `this-week`,
//! `last-month`, `last-quarter`, `last-year`, `7d`, `2w`, `3m`, `1y`, `last-10-days` (the time up to now). All in UTC.

use time::{Date, Duration, Month, OffsetDateTime};

/// The seconds since 1970 `[from, until)` that `value` means; none when it is not a date.
pub(super) fn range(value: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    if let Some((from, until)) = value.split_once("..") {
        return between(from, until, now);
    }
    let split = value.find(|c: char| !"<>=".contains(c))?;
    let (operator, date) = value.split_at(split);
    let (from, until) = span(date, now)?;
    match operator {
        ">" => Some((until, i64::MAX)),
        ">=" => Some((from, i64::MAX)),
        "<" => Some((i64::MIN, from)),
        "<=" => Some((i64::MIN, until)),
        "" | "=" => Some((from, until)),
        _ => None,
    }
}

/// The end of the time that `value` means, as it stands by itself, without a sign or a range; `7d` is seven days ago.
pub(super) fn end(value: &str, now: OffsetDateTime) -> Option<i64> {
    let text = value.to_ascii_lowercase();
    let back = last_few(&text, now).or_else(|| ago(&text, now));
    match back {
        Some((from, _)) => Some(from),
        None => span(value, now).map(|(_, until)| until),
    }
}

/// A range with both ends in it; one of them may be left open.
fn between(from: &str, until: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    let end = |text: &str| match text {
        "" => Some(None),
        text => span(text, now).map(Some),
    };
    match (end(from)?, end(until)?) {
        (None, None) => None,
        (from, until) => Some((
            from.map_or(i64::MIN, |span| span.0),
            until.map_or(i64::MAX, |span| span.1),
        )),
    }
}

fn span(text: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    let text = &text.to_ascii_lowercase();
    named(text, now)
        .or_else(|| quarter_of(text))
        .or_else(|| day_first(text))
        .or_else(|| calendar(text))
        .or_else(|| ago(text, now))
        .or_else(|| last_few(text, now))
}

fn named(text: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    let today = now.date();
    let monday = today - Duration::days(i64::from(today.weekday().number_days_from_monday()));
    let month = Date::from_calendar_date(today.year(), today.month(), 1).ok()?;
    let (from, until) = match text {
        "today" => (today, today + Duration::DAY),
        "yesterday" => (today - Duration::DAY, today),
        "this-week" => (monday, monday + Duration::WEEK),
        "last-week" => (monday - Duration::WEEK, monday),
        "this-month" => (month, months_after(month, 1)?),
        "last-month" => (months_after(month, -1)?, month),
        "this-quarter" => quarter(today.year(), u8::from(today.month()).div_ceil(3))?,
        "last-quarter" => {
            let (first, _) = quarter(today.year(), u8::from(today.month()).div_ceil(3))?;
            (months_after(first, -3)?, first)
        }
        "this-year" => (year(today.year())?, year(today.year() + 1)?),
        "last-year" => (year(today.year() - 1)?, year(today.year())?),
        _ => return None,
    };
    Some((seconds(from), seconds(until)))
}

fn calendar(text: &str) -> Option<(i64, i64)> {
    let parts: Vec<&str> = text.split(['-', '/', '.']).collect();
    if parts[0].len() != 4 || parts.len() > 3 {
        return None;
    }
    let y: i32 = parts[0].parse().ok()?;
    let Some(month) = parts.get(1) else {
        return Some((seconds(year(y)?), seconds(year(y + 1)?)));
    };
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let first = Date::from_calendar_date(y, month, 1).ok()?;
    let Some(day) = parts.get(2) else {
        return Some((seconds(first), seconds(months_after(first, 1)?)));
    };
    let date = Date::from_calendar_date(y, month, day.parse().ok()?).ok()?;
    Some((seconds(date), seconds(date.next_day()?)))
}

/// `2024-q1` and `q1-2024`.
fn quarter_of(text: &str) -> Option<(i64, i64)> {
    let (a, b) = text.split_once('-')?;
    let (number, year) = match a.strip_prefix('q') {
        Some(number) => (number, b),
        None => (b.strip_prefix('q')?, a),
    };
    let year = year.parse().ok().filter(|_| year.len() == 4)?;
    let (from, until) = quarter(year, number.parse().ok()?)?;
    Some((seconds(from), seconds(until)))
}

fn quarter(year: i32, number: u8) -> Option<(Date, Date)> {
    let month = number.checked_sub(1).filter(|n| *n < 4)? * 3 + 1;
    let first = Date::from_calendar_date(year, Month::try_from(month).ok()?, 1).ok()?;
    Some((first, months_after(first, 3)?))
}

/// `31.1.2024`: with dots the day comes first.
fn day_first(text: &str) -> Option<(i64, i64)> {
    let parts: Vec<&str> = text.split('.').collect();
    match parts[..] {
        [day, month, year] if year.len() == 4 => calendar(&format!("{year}-{month}-{day}")),
        [month, year] if year.len() == 4 => calendar(&format!("{year}-{month}")),
        _ => None,
    }
}

/// `last-30-days`, `last-2-weeks`.
fn last_few(text: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    let (count, unit) = text.strip_prefix("last-")?.split_once('-')?;
    let unit = unit.strip_suffix('s').unwrap_or(unit);
    let letter = match unit {
        "day" | "week" | "month" | "year" => &unit[..1],
        _ => return None,
    };
    ago(&format!("{count}{letter}"), now)
}

/// `7d`: the last seven days up to now.
fn ago(text: &str, now: OffsetDateTime) -> Option<(i64, i64)> {
    let unit = text.chars().last().filter(char::is_ascii)?;
    let count: i64 = text[..text.len() - 1]
        .parse()
        .ok()
        .filter(|n| (1..=10_000).contains(n))?;
    let days = match unit {
        'd' => count,
        'w' => count * 7,
        'm' => count * 30,
        'y' => count * 365,
        _ => return None,
    };
    let now = now.unix_timestamp();
    Some((now - days * 86_400, now + 1))
}

fn year(year: i32) -> Option<Date> {
    Date::from_calendar_date(year, Month::January, 1).ok()
}

fn months_after(first: Date, months: i32) -> Option<Date> {
    let index = first.year() * 12 + i32::from(u8::from(first.month())) - 1 + months;
    let month = Month::try_from(u8::try_from(index.rem_euclid(12) + 1).ok()?).ok()?;
    Date::from_calendar_date(index.div_euclid(12), month, 1).ok()
}

fn seconds(date: Date) -> i64 {
    date.midnight().assume_utc().unix_timestamp()
}
