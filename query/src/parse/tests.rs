use super::*;
use time::macros::datetime;

const NOW: OffsetDateTime = datetime!(2026-03-11 15:00 UTC);

/// A query tree as one line of text.
fn shown(clause: &Clause) -> String {
    let list = |clauses: &[Clause]| clauses.iter().map(shown).collect::<Vec<_>>().join(" ");
    match clause {
        Clause::All => "all".into(),
        Clause::Word {
            text,
            prefix,
            scope,
        } => {
            let field = if *scope == TextScope::Name {
                "name:"
            } else {
                ""
            };
            format!("{field}{text}{}", if *prefix { "*" } else { "" })
        }
        Clause::Phrase { text, scope } => {
            let field = if *scope == TextScope::Name {
                "name:"
            } else {
                ""
            };
            format!("{field}\"{text}\"")
        }
        Clause::Filter(Filter::Modified(from, until)) => {
            format!("modified[{},{})", day(*from), day(*until))
        }
        Clause::Filter(Filter::Size(from, until)) if *until == u64::MAX => format!("size[{from},)"),
        Clause::Filter(Filter::Size(from, until)) => format!("size[{from},{until})"),
        Clause::Filter(filter) => format!("{filter:?}"),
        Clause::And(clauses) => format!("({})", list(clauses)),
        Clause::Or(clauses) => format!("(or {})", list(clauses)),
        Clause::Not(clause) => format!("-{}", shown(clause)),
    }
}

fn day(seconds: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) if at.year().abs() < 9000 => at.date().to_string(),
        _ => String::new(),
    }
}

#[test]
fn trees() {
    for (text, wanted) in [
        ("", "all"),
        ("   ", "all"),
        ("fire", "fire*"),
        ("fire ", "fire"),
        ("fire fly", "(fire fly*)"),
        ("fire AND fly ", "(fire fly)"),
        ("fire OR fly ", "(or fire fly)"),
        ("a OR b c ", "(or a (b c))"),
        ("(a OR b) c ", "((or a b) c)"),
        ("\"fire fly\"", "\"fire fly\""),
        ("\"open quote", "\"open quote\""),
        ("“curly quotes” x ", "(\"curly quotes\" x)"),
        ("report -draft ", "(report -draft)"),
        ("report NOT draft ", "(report -draft)"),
        ("-(a b) c ", "(-(a b) c)"),
        ("well-known ", "well-known"),
        ("- ", "-"),
        ("--x ", "--x"),
        ("OR", "all"),
        ("a OR", "a"),
        ("((((", "all"),
        (")a ", "a"),
        ("type:pdf x ", "(Category(\"pdf\") x)"),
        ("type:photo", "Category(\"image\")"),
        (
            "TYPE:pdf,doc ",
            "(or Category(\"pdf\") Category(\"document\"))",
        ),
        ("ext:.DOCX ", "Extension(\"docx\")"),
        ("in:/Team ", "In(\"/Team\")"),
        ("in:\"/My folder\" x ", "(In(\"/My folder\") x)"),
        ("name:plan", "name:plan*"),
        ("http://example.org/x ", "http://example.org/x"),
        ("10:30 ", "10:30"),
        ("-type:pdf a ", "(-Category(\"pdf\") a)"),
        ("type: a ", "a"),
        ("size:>10mb", "size[10485761,)"),
        ("size:1kb..2kb", "size[1024,2049)"),
        ("modified:2024", "modified[2024-01-01,2025-01-01)"),
        ("modified:>2024-01", "modified[2024-02-01,)"),
        ("modified:<2024-01-31", "modified[,2024-01-31)"),
        (
            "modified:2024-12..2025-01",
            "modified[2024-12-01,2025-02-01)",
        ),
        ("modified:last-week", "modified[2026-03-02,2026-03-09)"),
        ("modified:last-month", "modified[2026-02-01,2026-03-01)"),
        ("modified:7d", "modified[2026-03-04,2026-03-11)"),
        ("modified:last-7-days", "modified[2026-03-04,2026-03-11)"),
        ("modified:2024-q2", "modified[2024-04-01,2024-07-01)"),
        ("modified:Q4-2024", "modified[2024-10-01,2025-01-01)"),
        ("modified:this-quarter", "modified[2026-01-01,2026-04-01)"),
        ("modified:last-quarter", "modified[2025-10-01,2026-01-01)"),
        ("modified:31.1.2024", "modified[2024-01-31,2024-02-01)"),
        ("modified:2.2024", "modified[2024-02-01,2024-03-01)"),
        ("modified:2024..", "modified[2024-01-01,)"),
        ("modified:..2024-02", "modified[,2024-03-01)"),
        ("size:1kb..", "size[1024,)"),
        ("size:..1kb", "size[0,1025)"),
        ("name:\"annual plan\"", "name:\"annual plan\""),
        ("plan* draft ", "(plan* draft)"),
        ("* ", "*"),
        ("c* ", "c*"),
        ("owner:Ann@Example.org x ", "(Owner(\"ann@example.org\") x)"),
        ("owner:\"Ann Lee\"", "Owner(\"ann lee\")"),
        ("shared:with-me", "Shared(WithMe)"),
        ("shared:bob ", "Shared(With(\"bob\"))"),
        ("has:text -has:link ", "(HasText -HasLink)"),
        (
            "lang:de,english ",
            "(or Language(Language(1)) Language(Language(0)))",
        ),
        (
            "by:me created:2024 ",
            "(By(\"me\") Created(1704067200, 1735689600))",
        ),
        ("is:file ", "-Category(\"folder\")"),
        ("-is:file ", "Category(\"folder\")"),
        ("is:shared ", "Shared(Yes)"),
        // Values that are being typed still say nothing yet; the same with a space behind them is not understood.
        ("a type:pd", "a"),
        ("a type:pdf,im", "a"),
        ("a modified:last-", "a"),
        ("a modified:>202", "a"),
    ] {
        assert_eq!(shown(&parse(text, NOW).clause), wanted, "{text:?}");
    }
}

#[test]
fn what_is_not_understood_is_searched_as_words_and_said() {
    for text in [
        "type:fish ",
        "type:fi",
        "type:im ",
        "modified:soon ",
        "modified:.. ",
        "size:big ",
        "size:.. ",
        "is:red ",
        "has:wings ",
        "lang:klingon ",
    ] {
        let query = parse(text, NOW);
        assert!(matches!(query.clause, Clause::Word { .. }), "{text}");
        assert_eq!(query.warnings.len(), 1, "{text}");
    }
    assert!(parse("is:deleted plan ", NOW).deleted);
}

#[test]
fn bounds_are_kept() {
    let long = parse(&"a ".repeat(5000), NOW);
    let Clause::And(words) = long.clause else {
        panic!("no list of words")
    };
    assert_eq!(words.len(), MAX_LEAVES);
    assert_eq!(long.warnings.len(), 2);
    parse(&"(".repeat(1000), NOW);
    parse(&"-".repeat(1000), NOW);
    parse(&"NOT ".repeat(250), NOW);
}

proptest::proptest! {
    #[test]
    fn never_fails(text in "[-a-z0-9:()\"<>=. /ORNT\u{80}-\u{2ff}“”]{0,200}") {
        parse(&text, NOW);
    }
}
