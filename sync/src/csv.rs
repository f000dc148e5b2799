//! Values of CSV files.

/// A value of a CSV file, in quotes (RFC 4180). One that a spreadsheet would take for a formula gets an apostrophe in front: names
/// of files come from anybody.
pub fn quoted(value: &str) -> String {
    let formula = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let escaped = value.replace('"', "\"\"");
    format!("\"{}{escaped}\"", if formula { "'" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        assert_eq!(quoted("/a \"b\", c"), "\"/a \"\"b\"\", c\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
    }
}
