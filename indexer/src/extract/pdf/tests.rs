use lopdf::{Dictionary, Document, Object, Stream, dictionary};

use super::super::{Extraction, FileType, Limits, Outcome, extract};

/// A document whose pages have these contents and share these fonts.
fn document(contents: &[&str], fonts: Dictionary) -> Document {
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let mut kids = Vec::new();
    for content in contents {
        let content =
            document.add_object(Stream::new(Dictionary::new(), content.as_bytes().to_vec()));
        let page = dictionary! {
            "Type" => "Page", "Parent" => pages, "Contents" => content,
            "Resources" => dictionary! { "Font" => fonts.clone() },
        };
        kids.push(Object::Reference(document.add_object(page)));
    }
    let count = kids.len() as i64;
    let tree = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count };
    document.objects.insert(pages, Object::Dictionary(tree));
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    document.trailer.set("Root", catalog);
    document
}

fn helvetica() -> Dictionary {
    let font = dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
    };
    dictionary! { "F1" => font }
}

fn given(mut document: Document) -> Extraction {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    extract("a.pdf", &bytes, &Limits::default())
}

fn words(given: &Extraction) -> Vec<&str> {
    given.text.split_whitespace().collect()
}

#[test]
fn gaps_kerning_and_lines_make_words() {
    let page = "BT /F1 10 Tf 72 700 Td [(Ker) 20 (ning) -400 (gap)] TJ 0 -12 Td (next) Tj ( line) Tj T* (\\344) Tj ET";
    let pdf = given(document(
        &[page, "BT /F1 10 Tf (second) Tj ET"],
        helvetica(),
    ));
    assert_eq!(pdf.outcome, Outcome::Text);
    assert_eq!(pdf.detected, FileType::Pdf);
    assert_eq!(
        words(&pdf),
        ["Kerning", "gap", "next", "line", "ä", "second"]
    );
    assert_eq!(pdf.pages.len(), 2);
}

#[test]
fn letters_placed_one_by_one_are_one_word() {
    let page =
        "BT /F1 10 Tf 1 0 0 1 10 10 Tm (a) Tj 1 0 0 1 15.5 10 Tm (b) Tj 1 0 0 1 26 10 Tm (c) Tj ET";
    assert_eq!(words(&given(document(&[page], helvetica()))), ["ab", "c"]);
}

#[test]
fn composite_fonts_speak_through_their_maps() {
    let mut pdf = document(&["BT /F2 10 Tf <00010002> Tj ET"], Dictionary::new());
    let map = b"1 begincodespacerange <0000> <FFFF> endcodespacerange 2 beginbfchar <0001> <0416> <0002> <00660069> endbfchar";
    let map = pdf.add_object(Stream::new(Dictionary::new(), map.to_vec()));
    let descendant = dictionary! { "Type" => "Font", "Subtype" => "CIDFontType2", "DW" => 500 };
    let font = dictionary! {
        "Type" => "Font", "Subtype" => "Type0", "Encoding" => "Identity-H", "ToUnicode" => map,
        "DescendantFonts" => vec![Object::Dictionary(descendant)],
    };
    let page = pdf.page_iter().next().unwrap();
    let fonts = dictionary! { "Font" => dictionary! { "F2" => font } };
    pdf.get_dictionary_mut(page)
        .unwrap()
        .set("Resources", fonts);
    assert_eq!(words(&given(pdf)), ["Жfi"]);
}

#[test]
fn forms_and_annotations_are_read_and_endless_forms_end() {
    let mut pdf = document(&["/X Do"], helvetica());
    let id = pdf.new_object_id();
    let form = dictionary! {
        "Type" => "XObject", "Subtype" => "Form",
        "Resources" => dictionary! { "Font" => helvetica(), "XObject" => dictionary! { "X" => id } },
    };
    pdf.objects.insert(
        id,
        Object::Stream(Stream::new(
            form,
            b"BT /F1 9 Tf (inside) Tj ET /X Do".to_vec(),
        )),
    );
    let note = dictionary! { "Subtype" => "Text", "Contents" => Object::string_literal("remark") };
    let page = pdf.page_iter().next().unwrap();
    let dictionary = pdf.get_dictionary_mut(page).unwrap();
    dictionary.set(
        "Resources",
        dictionary! { "XObject" => dictionary! { "X" => id } },
    );
    dictionary.set("Annots", vec![Object::Dictionary(note)]);
    let read = given(pdf);
    assert!(
        words(&read).contains(&"inside") && words(&read).contains(&"remark"),
        "{}",
        read.text
    );
}

#[test]
fn pictures_alone_need_ocr_and_rubbish_is_damaged() {
    let mut pdf = document(&["/I Do"], Dictionary::new());
    let image = pdf.add_object(Stream::new(
        dictionary! { "Subtype" => "Image" },
        vec![0; 4],
    ));
    let page = pdf.page_iter().next().unwrap();
    let resources = dictionary! { "XObject" => dictionary! { "I" => image } };
    pdf.get_dictionary_mut(page)
        .unwrap()
        .set("Resources", resources);
    assert_eq!(given(pdf).outcome, Outcome::NeedsOcr);
    let rubbish = extract("a.pdf", b"%PDF-1.4 and nothing else", &Limits::default());
    assert!(matches!(rubbish.outcome, Outcome::Damaged { .. }));
}

#[test]
fn fonts_that_are_not_embedded_are_read_as_unicode() {
    let descendant = dictionary! {
        "Type" => "Font", "Subtype" => "CIDFontType2", "BaseFont" => "Calibri",
        "CIDSystemInfo" => dictionary! {
            "Registry" => Object::string_literal("Adobe"), "Ordering" => Object::string_literal("Identity"), "Supplement" => 0,
        },
    };
    let font = dictionary! {
        "Type" => "Font", "Subtype" => "Type0", "BaseFont" => "Calibri", "Encoding" => "Identity-H",
        "DescendantFonts" => vec![Object::Dictionary(descendant)],
    };
    let page = "BT /F1 10 Tf <004c011f0103> Tj ET";
    let pdf = given(document(&[page], dictionary! { "F1" => font }));
    assert_eq!(words(&pdf), ["Lğă"]);
}

#[test]
fn encrypted_attachments_leave_the_pages_open() {
    let mut document = document(&["BT /F1 10 Tf (open) Tj ET"], helvetica());
    document.trailer.set(
        "Encrypt",
        dictionary! { "Filter" => "Standard", "V" => 5, "R" => 6, "StmF" => "Identity", "StrF" => "Identity", "EFF" => "StdCF" },
    );
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    assert_eq!(
        words(&extract("a.pdf", &bytes, &Limits::default())),
        ["open"]
    );
    let closed = String::from_utf8_lossy(&bytes).replace("/StmF/Identity", "/StmF/Identitx");
    let closed = extract("a.pdf", closed.as_bytes(), &Limits::default());
    assert_eq!(closed.outcome, Outcome::Encrypted);
}

#[test]
fn files_inside_are_named_and_read() {
    let mut document = document(&["BT /F1 10 Tf (letter) Tj ET"], helvetica());
    let content = document.add_object(Stream::new(
        Dictionary::new(),
        b"the enclosed plan".to_vec(),
    ));
    let file = document.add_object(dictionary! {
        "Type" => "Filespec", "F" => Object::string_literal("plan.txt"), "EF" => dictionary! { "F" => content },
    });
    let leaf =
        dictionary! { "Names" => vec![Object::string_literal("plan"), Object::Reference(file)] };
    let leaf = document.add_object(leaf);
    // A tree that holds itself ends.
    let tree = document.new_object_id();
    let kids = vec![Object::Reference(leaf), Object::Reference(tree)];
    document
        .objects
        .insert(tree, Object::Dictionary(dictionary! { "Kids" => kids }));
    let catalog = document.catalog_mut().unwrap();
    catalog.set("Names", dictionary! { "EmbeddedFiles" => tree });
    let pdf = given(document);
    assert_eq!(
        words(&pdf),
        ["letter", "plan.txt", "the", "enclosed", "plan"]
    );
    assert_eq!(pdf.pages, [0]);
}

#[test]
fn pages_that_are_pictures_are_told_from_those_with_words() {
    let picture = "q 100 0 0 100 0 0 cm BI /W 1 /H 1 /BPC 8 /CS /G ID x EI Q";
    let words = "BT /F1 10 Tf (words) Tj ET";
    let mixed = given(document(&[words, picture], helvetica()));
    assert_eq!((&mixed.outcome, mixed.has_scans), (&Outcome::Text, true));
    let scan = given(document(&[picture, picture], helvetica()));
    assert_eq!((&scan.outcome, scan.pages.len()), (&Outcome::NeedsOcr, 2));
    let both = format!("{words} {picture}");
    assert!(!given(document(&[&both], helvetica())).has_scans);
}
