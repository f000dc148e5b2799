use super::*;

fn texts(text: &str, mode: Mode) -> String {
    words(text, mode)
        .iter()
        .map(|token| token.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn name_texts(name: &str) -> String {
    names(name)
        .iter()
        .map(|token| format!("{}@{}", token.text, token.position))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn running_text_gives_folded_words() {
    for (text, expected) in [
        ("The Quick, brown fox.", "the quick brown fox"),
        ("Café CRÈME naïve Ångström", "cafe creme naive angstrom"),
        ("Cafe\u{301} e\u{301}te\u{301}", "cafe ete"),
        ("Straße Łódź Ærø İstanbul", "strasse lodz aero istanbul"),
        ("ΟΔΥΣΣΕΥΣ ὀδυσσεύς", "οδυσσευσ οδυσσευσ"),
        ("Ёлка чай и\u{306}", "елка чай й"),
        (
            "john.doe@example.com v2.6.1 mp3",
            "john doe example com v2 6 1 mp3",
        ),
        ("snd_soc_dai don't", "snd soc dai don t"),
        ("ﬁnance Ｗｉｄｅ m²", "finance wide m2"),
        ("co\u{ad}operate zero\u{200b}width", "cooperate zero width"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
        ("שָׁלוֹם مُحَمَّد", "שלום محمد"),
        ("", ""),
        ("\u{301}\u{301} — … !", ""),
    ] {
        assert_eq!(texts(text, Mode::Index), expected, "{text}");
        assert_eq!(texts(text, Mode::Query), expected, "{text}");
    }
}

#[test]
fn unspaced_scripts_give_pairs_and_for_the_index_single_characters() {
    assert_eq!(texts("東京都", Mode::Index), "東 東京 京 京都 都");
    assert_eq!(texts("東京都", Mode::Query), "東京 京都");
    assert_eq!(texts("東", Mode::Query), "東");
    assert_eq!(texts("東京 is 大", Mode::Query), "東京 is 大");
    assert_eq!(
        texts("iPhone用ケース", Mode::Query),
        "iphone 用ケ ケー ース"
    );
    assert_eq!(texts("ｶﾞｽ", Mode::Query), "ガス");
    assert_eq!(
        texts("\u{1112}\u{1161}\u{11ab}글", Mode::Query),
        texts("한글", Mode::Query)
    );
    let pairs = words("あ東京b", Mode::Index);
    let positions: Vec<_> = pairs
        .iter()
        .map(|token| (token.text.as_str(), token.position, token.start, token.end))
        .collect();
    assert_eq!(
        positions,
        [
            ("あ", 0, 0, 3),
            ("あ東", 0, 0, 6),
            ("東", 1, 3, 6),
            ("東京", 1, 3, 9),
            ("京", 2, 6, 9),
            ("b", 3, 9, 10)
        ]
    );
}

#[test]
fn query_pairs_stand_where_the_index_has_them() {
    let index = words("私は東京都に住む", Mode::Index);
    for query in words("東京都に", Mode::Query).windows(2) {
        let at = |text: &str| {
            index
                .iter()
                .find(|token| token.text == text)
                .map(|token| token.position)
        };
        assert_eq!(
            at(&query[0].text).map(|position| position + 1),
            at(&query[1].text)
        );
    }
}

#[test]
fn offsets_point_into_the_source() {
    let text = "Él está — ICI, Ñandú!";
    let shown: Vec<_> = words(text, Mode::Index)
        .iter()
        .map(|token| &text[token.start..token.end])
        .collect();
    assert_eq!(shown, ["Él", "está", "ICI", "Ñandú"]);
}

#[test]
fn long_tokens_are_cut_at_a_border() {
    let token = &words(&"x".repeat(5000), Mode::Index)[0];
    assert_eq!((token.text.len(), token.end), (MAX_TOKEN_BYTES, 5000));
    let wide = &words(&"ж".repeat(99), Mode::Index)[0];
    assert_eq!(wide.text, "ж".repeat(MAX_TOKEN_BYTES / 2));
}

#[test]
fn names_split_and_join() {
    for (name, expected) in [
        (
            "Quarterly-Report2024.pdf",
            "quarterlyreport2024@0 quarterly@0 report2024@1 report@1 2024@2 pdf@3",
        ),
        (
            "my iPhone15ProMax",
            "my@0 iphone15promax@1 i@1 phone@2 15@3 pro@4 max@5 iphone@1 iphone@2 promax@4 promax@5",
        ),
        ("MyHTMLPage.tsx", "myhtmlpage@0 my@0 html@1 page@2 tsx@3"),
        (
            "foo_bar baz.tar.gz",
            "foobar@0 foo@0 bar@1 baztar@2 baz@2 tar@3 gz@4",
        ),
        ("README", "readme@0"),
        (".gitignore", "gitignore@0"),
        ("Übergrößen Liste.xlsx", "ubergrossen@0 liste@1 xlsx@2"),
        ("東京.txt", "東@0 東京@0 京@1 txt@2"),
        ("a  b", "a@0 b@1"),
        ("---", ""),
    ] {
        assert_eq!(name_texts(name), expected, "{name}");
    }
}

#[test]
fn stems_are_for_plain_words_only() {
    for (word, expected) in [
        ("wings", Some("wing")),
        ("flying", Some("fli")),
        ("relational", Some("relat")),
        ("the", None),
        ("mp3", None),
        ("ab", None),
        ("größe", None),
    ] {
        assert_eq!(
            stem(Language::ENGLISH, word).as_deref(),
            expected
                .map(|_| stem(Language::ENGLISH, word).unwrap_or_default())
                .as_deref(),
            "{word}"
        );
        assert_eq!(
            stem(Language::ENGLISH, word).is_some(),
            expected.is_some(),
            "{word}"
        );
    }
    assert_eq!(
        stem(Language::ENGLISH, "wings"),
        stem(Language::ENGLISH, "wing")
    );
    let mut stems = Stems::default();
    for _ in 0..2 {
        let mut buffer = String::from("######connections");
        assert!(stems.replace(Language::ENGLISH, &mut buffer, 6));
        assert_eq!(buffer, "######connect");
    }
}

/// The tokens that a field reads out of an analysed text, in the order of their positions.
fn tokens(mut tokenizer: impl tantivy::tokenizer::Tokenizer, text: &str) -> Vec<(usize, String)> {
    use tantivy::tokenizer::TokenStream;
    let mut stream = tokenizer.token_stream(text);
    let mut tokens = Vec::new();
    while stream.advance() {
        tokens.push((stream.token().position, stream.token().text.clone()));
    }
    tokens.sort();
    tokens
}

/// The tokens of both fields, one after the other.
fn fields(analysed: &Analysed) -> [Vec<(usize, String)>; 2] {
    let marker = crate::term::marked(storage::meta::NamespaceId(7), "");
    let words = tokens(PlacesTokenizer, &[&marker, &*analysed.words].concat());
    let unmarked = |(position, token): (usize, String)| {
        let token = token.strip_prefix(&marker).expect("a marker");
        (position, token.to_owned())
    };
    [
        words.into_iter().map(unmarked).collect(),
        tokens(CountsTokenizer, &analysed.wide),
    ]
}

/// The same by looking at the text once for each field.
fn expected(text: &str) -> [Vec<(usize, String)>; 2] {
    let all = words(text, Mode::Index);
    let mut exact: Vec<_> = all
        .iter()
        .map(|token| (token.position, token.text.clone()))
        .collect();
    let mut counts = std::collections::HashMap::new();
    let mut wides: Vec<_> = all
        .iter()
        .flat_map(|token| wide(&[], &token.text))
        .filter(|token| {
            let count = counts.entry(token.clone()).or_insert(0);
            *count += 1;
            *count <= 15
        })
        .map(|token| (0, token))
        .collect();
    let different: std::collections::BTreeSet<_> = exact.iter().map(|(_, word)| word).collect();
    let begins_otherwise = |word: &&&String| {
        let start: String = word.chars().take(WIDE_START).collect();
        let stem = stem(Language::ENGLISH, word);
        word.chars().count() > WIDE_START && stem.is_some_and(|stem| !stem.starts_with(&start))
    };
    let otherwise = different.iter().filter(begins_otherwise);
    wides.extend(otherwise.map(|word| (0, (*word).clone())));
    exact.sort();
    wides.sort();
    [exact, wides]
}

#[test]
fn a_text_is_analysed_once_for_all_fields() {
    let mut analyser = Analyser::default();
    let many: String = (0..5000).map(|i| format!("w{i} the wings ")).collect();
    for text in [
        "The wings of mp3 東京; a wing, WINGS and the Wing: wing fli flying",
        "",
        "the the the",
        &many,
        "once more",
    ] {
        assert_eq!(
            fields(&analyser.analyse(text, Language::ENGLISH)),
            expected(text),
            "{text:.40}"
        );
    }
    assert_eq!(wide(&[], "wings"), ["wing"]);
    assert_eq!(wide(&[], "mp3"), ["mp3"]);
    assert_eq!(wide(&[], "the"), [""; 0]);
}

#[test]
fn texts_have_the_stems_of_their_language() {
    let mut analyser = Analyser::default();
    for (code, text, stems) in [
        ("de", "Häuser und Verträge", "haus und vertrag"),
        ("fr", "les développements", "le developp"),
        ("ru", "договоры", "договор"),
        ("pl", "houses", "hous"), // no stems of its own: English ones
    ] {
        let language = Language::named(code).expect("a language");
        let [_, found] = fields(&analyser.analyse(text, language));
        let mut wanted: Vec<_> = stems.split(' ').map(|stem| (0, stem.to_owned())).collect();
        wanted.sort();
        assert_eq!(found, wanted, "{text}");
    }
    assert_eq!(
        stems(&[Language::named("de").expect("German")], "hauser"),
        ["hauser", "haus"]
    );
}

#[test]
fn what_was_not_written_ends_the_tokens() {
    for broken in [
        "marker",
        "marker\u{5}ab",
        "marker\u{2}ab\u{7f}",
        "marker\u{2}ab\u{9}\u{1}",
    ] {
        assert!(tokens(PlacesTokenizer, broken).len() <= 1, "{broken:?}");
        assert!(tokens(CountsTokenizer, broken).len() <= 9, "{broken:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_gives_bounded_tokens_in_order(text in "\\PC{0,80}") {
        for mode in [Mode::Index, Mode::Query] {
            let tokens = words(&text, mode);
            for token in &tokens {
                proptest::prop_assert!(!token.text.is_empty() && token.text.len() <= MAX_TOKEN_BYTES);
                proptest::prop_assert!(text.get(token.start..token.end).is_some());
            }
            proptest::prop_assert!(tokens.windows(2).all(|pair| pair[0].position <= pair[1].position && pair[0].start <= pair[1].start));
        }
        for token in names(&text) {
            proptest::prop_assert!(text.get(token.start..token.end).is_some() && token.text.len() <= MAX_TOKEN_BYTES);
        }
    }

    #[test]
    fn any_text_is_analysed_as_its_fields_would(text in "([a-c]{1,3}|the|wings|flying|東京|É|\\PC){0,60}") {
        proptest::prop_assert_eq!(fields(&Analyser::default().analyse(&text, Language::ENGLISH)), expected(&text));
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
        let once = fold(&text);
        proptest::prop_assert_eq!(fold(&once), once.clone());
    }
}

proptest::proptest! {
    #[test]
    fn a_words_first_letters_lead_to_what_the_wide_field_has_of_it(
        words in proptest::collection::vec("[a-z]{4,9}|(us|dy|fly|cr|sk|ag|tr)(ing|ies|ed|es|y)", 1..30),
        language in proptest::sample::select(Language::stemmed().collect::<Vec<_>>()),
    ) {
        let text = words.join(" ");
        let wide = tokens(CountsTokenizer, &Analyser::default().analyse(&text, language).wide);
        let longer = words.iter().filter(|word| word.len() > WIDE_START && !is_stop_word(word));
        for word in longer {
            let start = &word[..WIDE_START];
            let has = wide.iter().any(|(_, token)| token.starts_with(start));
            proptest::prop_assert!(has, "{word} in {wide:?}");
        }
    }
}
