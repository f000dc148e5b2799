//! Numbers as spreadsheets show them: dates, percentages, and others without the noise of their last binary digits.

/// Decimals that are shown.
const MAX_DECIMALS: u8 = 15;

/// What a number format makes of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    /// The number itself.
    #[default]
    Plain,
    /// A date, a time, or both.
    Date,
    /// Hundredths, with at least and at most this many decimals.
    Percent(u8, u8),
}

impl Format {
    /// What a format code says.
    pub fn of(code: &str) -> Self {
        if is_date(code) {
            return Self::Date;
        }
        let first = code.split(';').next().unwrap_or_default();
        percent_decimals(first).map_or(Self::Plain, |(least, most)| Self::Percent(least, most))
    }

    /// What the numbers of formats that files need not define stand for.
    pub fn known(id: usize) -> Self {
        match id {
            9 => Self::Percent(0, 0),
            10 => Self::Percent(2, 2),
            14..=22 | 27..=36 | 45..=47 | 50..=58 => Self::Date,
            _ => Self::Plain,
        }
    }

    /// The number as a cell shows it.
    pub fn show(self, number: f64, from_1904: bool) -> String {
        match self {
            Self::Plain => plain(number),
            Self::Date => date(number, from_1904),
            Self::Percent(least, most) => percent(number * 100.0, least.into(), most.into()),
        }
    }
}

/// Spreadsheets keep 15 digits: 0.1 + 0.2 is 0.3 to people.
fn plain(number: f64) -> String {
    let rounded = format!("{number:.14e}").parse().unwrap_or(number);
    rounded.to_string()
}

fn percent(hundredths: f64, least: usize, most: usize) -> String {
    let mut shown = format!("{hundredths:.most$}");
    let spare = (least..most).take_while(|_| shown.ends_with('0') && shown.pop().is_some());
    if spare.count() == most && most > 0 {
        shown.pop(); // the point
    }
    shown + "%"
}

/// How many decimals a percentage has at least and at most; nothing where the code is none.
fn percent_decimals(code: &str) -> Option<(u8, u8)> {
    let (mut is_quoted, mut is_escaped, mut is_behind_point, mut is_percent) =
        (false, false, false, false);
    let (mut least, mut most) = (0u8, 0u8);
    for c in code.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' | '_' | '*' => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '.' => is_behind_point = true,
            '0' | '#' | '?' if is_behind_point => {
                most = (most + 1).min(MAX_DECIMALS);
                least = if c == '0' { most } else { least };
            }
            '%' => is_percent = true,
            _ => {}
        }
    }
    is_percent.then_some((least, most))
}

/// Whether a number format shows a date: it has a date letter outside quotes, brackets and escapes.
fn is_date(code: &str) -> bool {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    for c in code.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' | '_' | '*' => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '[' => bracketed = true,
            ']' => bracketed = false,
            'y' | 'Y' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' | 'm' | 'M' if !bracketed => return true,
            ';' => return false,
            _ => {}
        }
    }
    false
}

/// A serial day number as date, time, or both.
fn date(serial: f64, from_1904: bool) -> String {
    if !(0.0..2_958_466.0).contains(&serial) {
        return plain(serial);
    }
    let mut days = serial.trunc() as i64;
    let mut seconds = (serial.fract() * 86_400.0).round() as i64;
    if seconds == 86_400 {
        (days, seconds) = (days + 1, 0);
    }
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    );
    if days == 0 && !from_1904 {
        return time;
    }
    let day =
        civil(days - if from_1904 { 24_107 } else { 25_569 } + i64::from(!from_1904 && days < 60));
    if seconds == 0 {
        day
    } else {
        format!("{day} {time}")
    }
}

/// Days since 1970-01-01 as a calendar date (proleptic Gregorian).
fn civil(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_become_dates() {
        assert_eq!(date(1.0, false), "1900-01-01");
        assert_eq!(date(61.0, false), "1900-03-01");
        assert_eq!(date(36_526.5, false), "2000-01-01 12:00:00");
        assert_eq!(date(0.25, false), "06:00:00");
        assert_eq!(date(0.0, true), "1904-01-01");
    }

    #[test]
    fn date_formats_are_told_from_others() {
        assert!(is_date("yyyy\\-mm\\-dd"));
        assert!(!is_date("#,##0.00 \"days\""));
        assert!(!is_date("[Red]0.00"));
    }

    #[test]
    fn numbers_are_shown_as_cells_show_them() {
        let shown = |code: &str, number: f64| Format::of(code).show(number, false);
        assert_eq!(shown("General", 0.1 + 0.2), "0.3");
        assert_eq!(shown("0", 4_000_000_000_000.0), "4000000000000");
        assert_eq!(shown("0%", 5.0 / 6.0), "83%");
        assert_eq!(shown("0.0#%;[Red]-0%", 0.0525), "5.25%");
        assert_eq!(shown("0.0#%", 0.05), "5.0%");
        assert_eq!(shown("0.##%", 2.0), "200%");
        assert_eq!(shown("0\\%", 3.0), "3");
        assert_eq!(shown("0\" % of all\"", 3.0), "3");
        assert_eq!(shown("yyyy-mm-dd", 36526.0), "2000-01-01");
        assert_eq!(Format::known(10).show(0.5, false), "50.00%");
        assert_eq!(Format::Date.show(-1.0, false), "-1");
    }
}
