use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};

use super::{Extraction, FileType, Limits, Outcome, extract};

fn zipped(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn zipped_bytes(name: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .start_file(name, SimpleFileOptions::default())
        .unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().into_inner()
}

fn given(name: &str, bytes: &[u8]) -> Extraction {
    extract(name, bytes, &Limits::default())
}

fn words(given: &Extraction) -> Vec<&str> {
    given.text.split_whitespace().collect()
}

#[test]
fn plain_text_is_its_own_content() {
    let plain = given("notes.txt", "Grüße aus dem Garten".as_bytes());
    assert_eq!((plain.outcome, plain.is_content), (Outcome::Text, true));
    let legacy = given("notes.txt", b"Gr\xFC\xDFe aus dem Garten");
    assert!(!legacy.is_content);
    assert_eq!(legacy.text, "Grüße aus dem Garten");
    assert_eq!(given("a.txt", b"").outcome, Outcome::NothingToExtract);
}

#[test]
fn the_text_limit_cuts_between_characters() {
    let limits = Limits {
        text_bytes: 5,
        ..Limits::default()
    };
    let cut = extract("a.txt", "aééé".as_bytes(), &limits);
    assert_eq!(cut.text, "aéé");
    assert_eq!(cut.outcome, Outcome::TooLarge { indexed_bytes: 5 });
}

#[test]
fn texts_beyond_the_input_limit_are_read_up_to_it_and_other_files_refused() {
    let limits = Limits {
        input_bytes: 8,
        ..Limits::default()
    };
    let cut = extract("a.txt", b"first second", &limits);
    assert_eq!((cut.text.as_str(), cut.is_content), ("first se", false));
    assert!(matches!(cut.outcome, Outcome::TooLarge { .. }));
    assert_eq!(
        extract("a.rtf", b"{\\rtf1 text}", &limits).outcome,
        Outcome::TooLarge { indexed_bytes: 0 }
    );
}

#[test]
fn the_language_is_told() {
    let text = "Der schnelle braune Fuchs springt über den faulen Hund, und alle Kinder lachen laut darüber.";
    assert_eq!(
        given("a.txt", text.as_bytes()).language.as_deref(),
        Some("deu")
    );
}

#[test]
fn word_documents() {
    let body = r#"<w:document xmlns:w="w"><w:body><w:p><w:r><w:t>Hel</w:t></w:r><w:r><w:t>lo</w:t></w:r><w:r><w:tab/>
        <w:t>world</w:t></w:r></w:p><w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r><w:t>next</w:t></w:r></w:p>
        </w:body></w:document>"#;
    let bytes = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "docProps/core.xml",
            "<c><dc:title>A title</dc:title><dc:creator>An author</dc:creator></c>",
        ),
        ("word/document.xml", body),
        (
            "word/header1.xml",
            "<w:hdr><w:p><w:r><w:t>headword</w:t></w:r></w:p></w:hdr>",
        ),
        (
            "word/footnotes.xml",
            "<w:f><w:footnote><w:p><w:r><w:t>noteword</w:t></w:r></w:p></w:footnote></w:f>",
        ),
    ]);
    let document = given("noextension", &bytes);
    assert_eq!(document.detected, FileType::Docx);
    assert_eq!(document.outcome, Outcome::Text);
    assert_eq!(
        words(&document),
        ["Hello", "world", "next", "headword", "noteword"]
    );
    assert_eq!(
        (document.title.as_deref(), document.author.as_deref()),
        (Some("A title"), Some("An author"))
    );
}

#[test]
fn workbooks() {
    let sheet = r#"<worksheet><sheetData><row><c t="s"><v>1</v></c><c s="1"><v>36526</v></c><c><v>1.5</v></c></row>
        <row><c t="inlineStr"><is><t>inline</t></is></c><c t="b"><v>1</v></c></row></sheetData>
        <headerFooter><oddHeader>&amp;Ctop</oddHeader></headerFooter></worksheet>"#;
    let bytes = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "xl/workbook.xml",
            r#"<workbook><sheets><sheet name="Budget" sheetId="1" r:id="r1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<R><Relationship Id="r1" Type="x/worksheet" Target="worksheets/s.xml"/></R>"#,
        ),
        (
            "xl/sharedStrings.xml",
            "<sst><si><t>no</t></si><si><r><t>sha</t></r><r><t>red</t></r></si></sst>",
        ),
        (
            "xl/styles.xml",
            r#"<s><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></s>"#,
        ),
        ("xl/worksheets/s.xml", sheet),
    ]);
    let book = given("a.xlsx", &bytes);
    assert_eq!(
        words(&book),
        [
            "Budget",
            "shared",
            "2000-01-01",
            "1.5",
            "inline",
            "TRUE",
            "top"
        ]
    );
    assert_eq!(book.pages, [0]);
    assert_eq!(book.labels, ["Budget"]);
}

#[test]
fn presentations_go_by_their_own_order() {
    let slide = |text: &str| format!("<p:sld><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>");
    let relation = |id: &str, target: &str| {
        format!(r#"<Relationship Id="{id}" Type="x/slide" Target="slides/{target}"/>"#)
    };
    let bytes = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "ppt/presentation.xml",
            r#"<p><p:sldIdLst><p:sldId id="256" r:id="b"/><p:sldId id="257" r:id="a"/></p:sldIdLst></p>"#,
        ),
        (
            "ppt/_rels/presentation.xml.rels",
            &format!(
                "<R>{}{}</R>",
                relation("a", "slide1.xml"),
                relation("b", "slide2.xml")
            ),
        ),
        ("ppt/slides/slide1.xml", &slide("one")),
        ("ppt/slides/slide2.xml", &slide("two")),
    ]);
    let slides = given("a.pptx", &bytes);
    assert_eq!(slides.detected, FileType::Pptx);
    assert_eq!(
        (words(&slides), slides.pages.as_slice()),
        (vec!["two", "one"], [0, 4].as_slice())
    );
}

#[test]
fn open_documents_and_books() {
    let content = "<o><office:body><text:p>para<text:tab/>graph</text:p><text:h>head</text:h>\
        <text:tracked-changes><text:p>gone</text:p></text:tracked-changes></office:body></o>";
    let odt = zipped(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", content),
    ]);
    let document = given("a", &odt);
    assert_eq!(document.detected, FileType::Odt);
    assert_eq!(words(&document), ["para", "graph", "head"]);

    let tables = "<o><table:table table:name='Plan'><text:p>one</text:p></table:table>\
        <table:table table:name='Größe'><text:p>two</text:p></table:table></o>";
    let sheets = |mime: &str| given("a", &zipped(&[("mimetype", mime), ("content.xml", tables)]));
    let ods = sheets("application/vnd.oasis.opendocument.spreadsheet");
    assert_eq!(words(&ods), ["Plan", "one", "Größe", "two"]);
    assert_eq!(
        (&ods.pages[..], ods.labels),
        (&[0, 9][..], vec!["Plan".to_owned(), "Größe".to_owned()])
    );
    let odt = sheets("application/vnd.oasis.opendocument.text");
    assert_eq!((odt.pages, odt.labels), (vec![], vec![]));
    let inside = zipped_bytes(
        "ods/a.ods",
        &zipped(&[
            ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
            ("content.xml", tables),
        ]),
    );
    let archive = given("a.zip", &inside);
    assert!(words(&archive).contains(&"two"));
    assert_eq!(
        (archive.pages, archive.labels),
        (vec![0], vec!["ods/a.ods".to_owned()])
    );

    let epub = zipped(&[
        ("mimetype", "application/epub+zip"),
        (
            "META-INF/container.xml",
            r#"<c><rootfile full-path="O/c.opf"/></c>"#,
        ),
        (
            "O/c.opf",
            r#"<p><dc:title>Book</dc:title><item id="1" href="a%20b.xhtml"/><item id="2" href="c.xhtml"/>
            <spine><itemref idref="2"/><itemref idref="1"/></spine></p>"#,
        ),
        ("O/a b.xhtml", "<html><p>last</p></html>"),
        ("O/c.xhtml", "<html><p>first</p></html>"),
    ]);
    let book = given("a.epub", &epub);
    assert_eq!(words(&book), ["first", "last"]);
    assert_eq!(book.title.as_deref(), Some("Book"));
}

#[test]
fn archives_are_followed_to_a_depth_and_named_below() {
    let deepest = zipped(&[("deep.txt", "deepword")]);
    let wrap = |name: &str, inner: &[u8]| {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(inner).unwrap();
        writer.finish().unwrap().into_inner()
    };
    let two = wrap("level2.zip", &deepest);
    assert!(given("a.zip", &two).text.contains("deepword"));
    let three = wrap("level1.zip", &two);
    let archive = given("a.zip", &three);
    assert!(
        archive.text.contains("deep.txt") && !archive.text.contains("deepword"),
        "{}",
        archive.text
    );
}

#[test]
fn what_unpacks_to_too_much_is_bounded() {
    let bomb = zipped(&[("a.txt", &"word ".repeat(2 << 20))]);
    let limits = Limits {
        unpacked_bytes: 1 << 20,
        ..Limits::default()
    };
    assert!(extract("a.zip", &bomb, &limits).text.len() <= 1 << 20);
}

#[test]
fn broken_containers_are_told() {
    assert!(matches!(
        given("a.zip", b"PK\x03\x04 and no directory").outcome,
        Outcome::Damaged { .. }
    ));
    let empty = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        ("word/other.xml", "<x/>"),
    ]);
    assert!(matches!(
        given("a.docx", &empty).outcome,
        Outcome::Damaged { .. }
    ));
}

#[test]
fn what_was_cut_short_gives_what_it_has() {
    let bytes = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "word/document.xml",
            "<w:document><w:body><w:p><w:r><w:t>sandpiper</w:t></w:r></w:p></w:body></w:document>",
        ),
        ("word/media/a.txt", "the rest"),
    ]);
    let directory = memchr::memmem::find(&bytes, b"PK\x01\x02").unwrap();
    let cut = given("a.docx", &bytes[..directory - 4]);
    assert_eq!(
        (cut.detected, words(&cut)),
        (FileType::Docx, vec!["sandpiper"])
    );
    assert!(
        matches!(cut.outcome, Outcome::Damaged { .. }),
        "{:?}",
        cut.outcome
    );
    // Members whose size is behind them.
    let mut writer = ZipWriter::new_stream(Vec::new());
    for (name, content) in [
        ("a.txt", "turnstone ".repeat(40)),
        ("b.txt", "dotterel ".repeat(40)),
    ] {
        writer
            .start_file(name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    let streamed = writer.finish().unwrap().into_inner();
    let directory = memchr::memmem::find(&streamed, b"PK\x01\x02").unwrap();
    let cut = given("a.zip", &streamed[..directory]);
    assert_eq!(cut.members.len(), 2);
    assert!(
        cut.text.contains("turnstone") && cut.text.contains("dotterel"),
        "{}",
        cut.text
    );
}

#[test]
fn cameras_tell_themselves_in_attributes_of_xmp() {
    let xmp = r#"<x:xmpmeta><rdf:RDF><rdf:Description tiff:Make="Acme" tiff:Model="Box 2" photoshop:City="Bergen" tiff:Orientation="1">
        <dc:title><rdf:Alt><rdf:li>Harbour</rdf:li></rdf:Alt></dc:title></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"#;
    let length = (xmp.len() + 2) as u16;
    let picture = [
        b"\xFF\xD8\xFF\xE1",
        &length.to_be_bytes()[..],
        xmp.as_bytes(),
        b"\xFF\xD9",
    ]
    .concat();
    assert_eq!(
        words(&given("a.jpg", &picture)),
        ["Acme", "Box", "2", "Bergen", "Harbour"]
    );
}

#[test]
fn compressed_archives_are_opened() {
    use lzma_rust2::{XzOptions, XzWriter};
    let mut xz = XzWriter::new(Vec::new(), XzOptions::with_preset(1)).unwrap();
    xz.write_all(b"under the xz").unwrap();
    let xz = xz.finish().unwrap();
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(b"under the bzip2").unwrap();
    let bzip2 = bzip2.finish().unwrap();
    let zstd = zstd::encode_all(&b"under the zstd"[..], 1).unwrap();
    for (bytes, name, kind) in [
        (xz, "a.txt.xz", FileType::Xz),
        (bzip2, "a.txt.bz2", FileType::Bzip2),
        (zstd, "a.txt.zst", FileType::Zstandard),
    ] {
        let packed = given(name, &bytes);
        assert_eq!(packed.detected, kind);
        assert_eq!(words(&packed), ["under", "the", kind.as_str()]);
        let cut = given(name, &bytes[..bytes.len() / 2]);
        assert!(!matches!(cut.outcome, Outcome::Text), "{cut:?}");
    }
}

#[test]
fn seven_zip_members_are_named_and_read() {
    let mut writer = sevenz_rust2::ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    for (name, content) in [
        ("folder/plan.txt", "the secret plan"),
        ("b.html", "<p>page</p>"),
    ] {
        let entry = sevenz_rust2::ArchiveEntry::new_file(name);
        writer
            .push_archive_entry(entry, Some(content.as_bytes()))
            .unwrap();
    }
    let bytes = writer.finish().unwrap().into_inner();
    let archive = given("a.7z", &bytes);
    assert_eq!(
        (archive.detected, &archive.outcome),
        (FileType::SevenZip, &Outcome::Text)
    );
    assert_eq!(
        words(&archive),
        ["folder/plan.txt", "the", "secret", "plan", "b.html", "page"]
    );
    assert_eq!(archive.labels, ["folder/plan.txt", "b.html"]);
    let cut = given("a.7z", &bytes[..bytes.len() - 9]);
    assert!(matches!(cut.outcome, Outcome::Damaged { .. }));
    let small = Limits {
        unpacked_bytes: 4,
        ..Limits::default()
    };
    let cut = extract("a.7z", &bytes, &small);
    assert!(matches!(cut.outcome, Outcome::TooLarge { .. }), "{cut:?}");
}
