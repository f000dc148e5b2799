//! Which words find which files.

use crate::bench::Bench;

#[test]
fn words_in_names_texts_and_folder_names() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/Plans/Q3/Budget 2024.txt", "the numbers of spring");
    bench.put(
        &ann,
        "/Plans/notes.md",
        "spring cleaning with firefly lamps",
    );
    bench.put(&ann, "/firefly.txt", "nothing");
    bench.put(&ann, "/other.txt", "Spring has fireflies");
    bench.put(&ann, "/titled.txt", "title: The Lantern Book\nplain body");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("spring ", "/Plans/Q3/Budget 2024.txt /Plans/notes.md /other.txt"),
            ("SPRING cleaning ", "/Plans/notes.md"),
            ("spring AND cleaning ", "/Plans/notes.md"),
            ("budget ", "/Plans/Q3/Budget 2024.txt"),
            ("budget spring ", "/Plans/Q3/Budget 2024.txt"),
            ("firefly ", "/Plans/notes.md /firefly.txt /other.txt"),
            ("fireflies ", "/Plans/notes.md /other.txt"),
            ("lamp ", "/Plans/notes.md"), // stems
            ("lantern ", "/titled.txt"),
            ("lantern body ", "/titled.txt"),
            // Folder names count for all that lies below, however deep.
            ("plans ", "/Plans /Plans/Q3 /Plans/Q3/Budget 2024.txt /Plans/notes.md"),
            ("plans budget ", "/Plans/Q3/Budget 2024.txt"),
            ("q3 spring ", "/Plans/Q3/Budget 2024.txt"),
            ("plans firefly ", "/Plans/notes.md"),
            ("budget OR cleaning ", "/Plans/Q3/Budget 2024.txt /Plans/notes.md"),
            ("spring -cleaning ", "/Plans/Q3/Budget 2024.txt /other.txt"),
            ("spring NOT (cleaning OR fireflies) ", "/Plans/Q3/Budget 2024.txt"),
            ("spring -plans ", "/other.txt"),
            ("(budget OR lantern) -spring ", "/titled.txt"),
            ("-spring -plans ", "/firefly.txt /titled.txt"),
            ("absent ", ""),
            ("spring absent ", ""),
            ("!!! ", "/Plans /Plans/Q3 /Plans/Q3/Budget 2024.txt /Plans/notes.md /firefly.txt /other.txt /titled.txt"),
        ],
    );
}

#[test]
fn phrases_are_words_side_by_side() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/a.txt", "the quick brown fox; The Who played");
    bench.put(&ann, "/b.txt", "brown quick the fox, who the");
    bench.put(&ann, "/c.txt", "don't stop e-mail at 10:30, version 2.6.1");
    bench.put(&ann, "/東京都.txt", "私は東京都に住む");
    bench.put(&ann, "/e.txt", "京都に住む東");
    bench.put(&ann, "/f.txt", "Cafe\u{301} CRÈME");
    bench.put(&ann, "/long quick name.txt", "");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("\"quick brown\"", "/a.txt"),
            ("\"brown quick\"", "/b.txt"),
            ("\"the fox\"", "/b.txt"),
            ("\"the who\"", "/a.txt"),
            ("the who ", "/a.txt /b.txt"),
            ("\"who the\"", "/b.txt"),
            ("\"quick  BROWN, fox\"", "/a.txt"),
            ("\"foxes\"", ""), // no stems in quotes
            ("\"long quick\"", "/long quick name.txt"),
            ("don't ", "/c.txt"),
            ("e-mail ", "/c.txt"),
            ("mail-e ", ""),
            ("10:30 ", "/c.txt"),
            ("2.6.1 ", "/c.txt"),
            ("2.6 ", "/c.txt"),
            ("6.2 ", ""),
            ("東京都 ", "/東京都.txt"),
            ("京都 ", "/e.txt /東京都.txt"),
            ("都 ", "/e.txt /東京都.txt"),
            ("住む ", "/e.txt /東京都.txt"),
            ("cafe ", "/f.txt"),
            ("Café ", "/f.txt"),
            ("\"cafe\u{301} crème\"", "/f.txt"),
            ("creme ", "/f.txt"),
        ],
    );
}

#[test]
fn names_are_found_as_people_type_them() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    for name in [
        "MyHTMLPage.tsx",
        "Report2024-final.pdf",
        "foo bar.txt",
        "foo_bar.txt",
        "new-file.doc",
        "file new.doc",
        "test1.txt",
        "test2.txt",
        "1,000 things.csv",
        "Übergrößen.xlsx",
        "e\u{301}te\u{301}.txt",
        "data.tar.gz",
    ] {
        bench.put(&ann, &format!("/{name}"), "");
    }
    bench.settle();
    bench.table(
        &ann,
        &[
            ("myhtmlpage ", "/MyHTMLPage.tsx"),
            ("html page ", "/MyHTMLPage.tsx"),
            ("html ", "/MyHTMLPage.tsx"),
            ("MyHTMLPage.tsx", "/MyHTMLPage.tsx"),
            ("myhtmlpage.tsx", "/MyHTMLPage.tsx"),
            ("myhtmlpage.ts", "/MyHTMLPage.tsx"),
            ("my-html-page ", "/MyHTMLPage.tsx"),
            ("myhtmlpage.doc", ""),
            ("report2024 ", "/Report2024-final.pdf"),
            ("report ", "/Report2024-final.pdf"),
            ("2024 ", "/Report2024-final.pdf"),
            ("report2024-final.pdf", "/Report2024-final.pdf"),
            ("report2024-final ", "/Report2024-final.pdf"),
            ("Report2024-fin", "/Report2024-final.pdf"),
            ("report2024final ", "/Report2024-final.pdf"),
            ("\"report2024 final\"", "/Report2024-final.pdf"),
            ("foo bar.txt", "/foo bar.txt /foo_bar.txt"),
            ("foo_bar.txt", "/foo bar.txt /foo_bar.txt"),
            ("foobar ", "/foo_bar.txt"),
            ("foobar.txt", "/foo_bar.txt"),
            ("foo-ba", "/foo bar.txt /foo_bar.txt"),
            ("new-f", "/new-file.doc"),
            ("new-file.doc", "/new-file.doc"),
            ("newfile ", "/new-file.doc"),
            ("file-new ", "/file new.doc"),
            ("test1", "/test1.txt"),
            ("test2 ", "/test2.txt"),
            ("test1.txt", "/test1.txt"),
            ("test ", "/test1.txt /test2.txt"),
            ("1,000 ", "/1,000 things.csv"),
            ("1000 ", "/1,000 things.csv"),
            ("ubergrossen ", "/Übergrößen.xlsx"),
            ("ÜBERGRÖSSEN ", "/Übergrößen.xlsx"),
            ("ete ", "/été.txt"),
            ("été ", "/été.txt"),
            ("data.tar.gz", "/data.tar.gz"),
            ("datatar ", "/data.tar.gz"),
        ],
    );
}

#[test]
fn the_last_word_is_a_start() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/a.txt", "quarterly numbers");
    bench.put(&ann, "/Quarry.txt", "stones");
    bench.put(&ann, "/c.txt", "quarterly-report");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("quar", "/Quarry.txt /a.txt /c.txt"),
            ("quarte", "/a.txt /c.txt"),
            // A whole word that no file has is looked for in longer ones.
            ("quar ", "/Quarry.txt /a.txt /c.txt"),
            ("quar stones", "/Quarry.txt"),
            ("\"quar\" stones", ""),
            ("stones quar", "/Quarry.txt"),
            ("quarterly-rep", "/c.txt"),
            ("quar.", "/Quarry.txt /a.txt /c.txt"),
            ("qu", "/Quarry.txt"), // one or two letters start words of names only
            ("\"quar\"", ""),
            ("name:quar", "/Quarry.txt"),
            ("-quar", ""),
        ],
    );
}

#[test]
fn texts_are_stemmed_in_their_own_language() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/d.txt", "lang: deu\nalle Verträge der Häuser");
    bench.put(&ann, "/f.txt", "lang: fra\nle développement des maisons");
    bench.put(&ann, "/r.txt", "lang: rus\nдоговоры и письма");
    bench.put(&ann, "/e.txt", "lang: eng\nhouses and contracts");
    bench.settle();
    bench.table(
        &ann,
        &[
            ("vertrag ", "/d.txt"),
            ("Haus ", "/d.txt"),
            ("\"haus\"", ""), // quotes are exact
            ("\"häuser\"", "/d.txt"),
            ("développer ", "/f.txt"),
            ("maison ", "/f.txt"),
            ("договор ", "/r.txt"),
            ("house ", "/e.txt"),
            ("contract lang:en ", "/e.txt"),
            ("lang:de,ru ", "/d.txt /r.txt"),
            ("haus -lang:german ", ""),
        ],
    );
    let request = crate::bench::asked("vertrag ");
    let answer = bench.ask(&ann, &request).expect("an answer");
    assert_eq!(answer.hits[0].snippet.highlights.len(), 1); // marked as it is found
}

#[test]
fn long_questions_are_relaxed_and_say_so() {
    let bench = Bench::new();
    let ann = bench.account("ann");
    bench.put(&ann, "/a.txt", "wings at high speed");
    bench.put(&ann, "/b.txt", "the heat of high towers");
    bench.put(&ann, "/c.txt", "nothing of the kind");
    bench.settle();
    let question = crate::bench::asked("what is the heat of wings at high speed ");
    let answer = bench.ask(&ann, &question).expect("an answer");
    let paths: Vec<_> = answer
        .hits
        .iter()
        .map(|hit| hit.place.path_display.as_str())
        .collect();
    assert_eq!(paths, ["/a.txt", "/b.txt"]);
    assert_eq!(
        answer.warnings,
        ["few files have all of these words; files with some of them are shown too"]
    );
    // Only stop words: nothing to relax, and what has them all is found.
    assert_eq!(bench.found(&ann, "the of and "), "");
    assert_eq!(bench.found(&ann, "of the kind "), "/c.txt");
    bench.put(&ann, "/the.txt", "this and the other of that");
    bench.settle();
    assert_eq!(bench.found(&ann, "the of and "), "/the.txt");
    bench.put(&ann, "/hamlet.txt", "To be or not to be");
    bench.settle();
    assert_eq!(bench.found(&ann, "to be not to be "), "/hamlet.txt");
}
