//! Hostile files: bombs, fuzzed formats, odd names. The server answers others meanwhile and says what became of each file.

use std::io::{Cursor, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use zip::write::SimpleFileOptions;

use crate::program::{Server, until};
use crate::user::User;

/// Another account's requests must not take longer while the files are looked at.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// All files must have an outcome by then, seconds; an extraction ends after 30 by itself.
const OUTCOME_LIMIT_S: u64 = 240;
/// A word must be found by then, seconds; what was uploaded before it is extracted and indexed first.
const FOUND_LIMIT_S: u64 = 180;
/// Every random choice comes from here.
const SEED: u64 = 41;
/// What can become of a file.
const OUTCOMES: [&str; 8] = [
    "text",
    "nothing_to_extract",
    "encrypted",
    "unsupported",
    "timed_out",
    "too_large",
    "needs_ocr",
    "damaged",
];
/// Damaged variants of each format.
const VARIANTS: usize = 6;

#[test]
fn hostile_files_hurt_nobody() {
    let server = Server::start(false);
    let (victim, user) = (server.user("victim"), server.user("careless"));
    victim.put("/calm.txt", b"a calm word: serendipity");
    until("the victim's word", FOUND_LIMIT_S, || {
        (victim.found("serendipity").len() == 1).then_some(())
    });
    let files = hostile_files();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _over_at_the_end = SetWhenDropped(&over);
        let others = scope.spawn(|| slowest_answer(&victim, &over));
        for (name, content, _) in &files {
            user.put(&format!("/{name}"), content);
        }
        for (name, _, wanted) in &files {
            let status = until(&format!("an outcome of {name}"), OUTCOME_LIMIT_S, || {
                Some(user.index_status(&format!("/{name}")))
                    .filter(|status| status["state"] != "waiting")
            });
            let seen = status["outcome"].as_str().unwrap();
            match wanted {
                Some(outcome) => assert_eq!(seen, *outcome, "{name}: {status}"),
                None => assert!(OUTCOMES.contains(&seen), "{name}: {status}"),
            }
        }
        over.store(true, Ordering::Relaxed);
        let slowest = others.join().unwrap();
        assert!(slowest < ANSWER_LIMIT, "another account waited {slowest:?}");
    });
    user.put("/after.txt", b"a word after the storm: halcyon");
    until("a word after the storm", FOUND_LIMIT_S, || {
        (user.found("halcyon") == ["/after.txt"]).then_some(())
    });
    for (name, _, _) in &files {
        let stem = name.split('.').next().unwrap();
        assert!(
            user.found(&format!("name:{stem}"))
                .contains(&format!("/{name}")),
            "{name} is found by its name"
        );
    }
    server.check();
}

/// Sets a flag also when a test fails meanwhile, so that nobody waits for it for ever.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Searches and lists until it is over; the longest time that an answer took.
fn slowest_answer(victim: &User, over: &AtomicBool) -> Duration {
    let mut slowest = Duration::ZERO;
    while !over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        assert_eq!(victim.found("serendipity"), ["/calm.txt"]);
        assert_eq!(victim.files().len(), 1);
        slowest = slowest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(50));
    }
    slowest
}

/// Names, contents, and what must become of them; of fuzzed ones anything may, but something must.
fn hostile_files() -> Vec<(String, Vec<u8>, Option<&'static str>)> {
    let mut files = vec![
        ("bomb.docx", docx(&word_bomb()), "too_large"),
        ("bomb.xlsx", xlsx(&sheet_bomb()), "too_large"),
        (
            "bomb.zip",
            zipped([("blanks.txt".into(), vec![b' '; 300 << 20])]),
            "too_large",
        ),
        ("russian-doll.zip", nested_zip(30), "text"),
        ("many-members.zip", many_members(20_000), "text"),
        ("laughs.docx", docx(&laughs()), "nothing_to_extract"),
        ("laughs.xml", laughs().into_bytes(), "nothing_to_extract"),
        ("laughs.svg", laughs().into_bytes(), "nothing_to_extract"),
        ("wide.xlsx", xlsx(WIDE_SHEET), "text"),
        (
            "deep.html",
            format!("<html>{}deep", "<div>".repeat(300_000)).into_bytes(),
            "text",
        ),
        (
            "deep.xml",
            "<a>".repeat(300_000).into_bytes(),
            "nothing_to_extract",
        ),
        ("deep.json", "[".repeat(500_000).into_bytes(), "text"),
        (
            "attributes.html",
            format!("<p {}>x", "a=b ".repeat(200_000)).into_bytes(),
            "text",
        ),
        ("deep.eml", deep_mail(3_000), "text"),
        (
            "deep.rtf",
            format!("{{\\rtf1 {}deep", "{\\b ".repeat(200_000)).into_bytes(),
            "text",
        ),
        ("circle.pdf", CIRCLE_PDF.into(), "damaged"),
        (
            "huge-length.pdf",
            simple_pdf()
                .replace("/Length 44", "/Length 99999999999")
                .into_bytes(),
            "text",
        ),
        ("huge.png", HUGE_PNG.to_vec(), "damaged"),
        ("one-word.txt", vec![b'w'; 8 << 20], "text"),
        ("zeros.txt", vec![0; 4 << 20], "unsupported"),
        (
            "half-utf16.txt",
            [b"\xff\xfe".to_vec(), vec![0xd8; 100_001]].concat(),
            "text",
        ),
        ("empty.docx", Vec::new(), "nothing_to_extract"),
        (
            "lies.pdf",
            b"PK\x03\x04 this is no zip and no pdf".to_vec(),
            "damaged",
        ),
        ("lies.xlsx", simple_pdf().into_bytes(), "text"),
    ]
    .into_iter()
    .map(|(name, content, outcome)| (name.to_owned(), content, Some(outcome)))
    .collect::<Vec<_>>();
    let mut random = StdRng::seed_from_u64(SEED);
    let originals = [
        ("pdf", simple_pdf().into_bytes()),
        (
            "docx",
            docx(
                "<w:document xmlns:w=\"w\"><w:body><w:p><w:r><w:t>fuzzed</w:t></w:r></w:p></w:body></w:document>",
            ),
        ),
        ("zip", many_members(5)),
        ("odt", odt("<office><text:p>fuzzed</text:p></office>")),
    ];
    for (kind, original) in originals {
        for variant in 0..VARIANTS {
            files.push((
                format!("fuzzed-{kind}-{variant}.{kind}"),
                damaged(&original, &mut random),
                None,
            ));
        }
    }
    files
}

/// Some bytes changed, some cut out, some repeated.
fn damaged(original: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..random.random_range(1..12) {
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..4) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 if bytes.len() > 20 => drop(bytes.drain(at..(at + 7).min(bytes.len()))),
            _ => {
                let copy = bytes[at..(at + 30).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
    bytes
}

fn zipped(members: impl IntoIterator<Item = (String, Vec<u8>)>) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(&content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A document of 60 MB of text, packed small.
fn word_bomb() -> String {
    let run = "<w:p><w:r><w:t>boom boom boom boom</w:t></w:r></w:p>";
    let body = run.repeat((60 << 20) / run.len());
    format!("<w:document xmlns:w=\"w\"><w:body>{body}</w:body></w:document>")
}

/// A sheet of 60 MB of cells, packed small.
fn sheet_bomb() -> String {
    let row = "<row><c t=\"inlineStr\"><is><t>boom boom</t></is></c></row>";
    let rows = row.repeat((60 << 20) / row.len());
    format!("<worksheet><sheetData>{rows}</sheetData></worksheet>")
}

fn docx(document: &str) -> Vec<u8> {
    package(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "_rels/.rels",
            "<Relationships><Relationship Id=\"r\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"word/document.xml\"/></Relationships>",
        ),
        ("word/document.xml", document),
    ])
}

fn xlsx(sheet: &str) -> Vec<u8> {
    package(&[
        ("[Content_Types].xml", "<Types/>"),
        (
            "_rels/.rels",
            "<Relationships><Relationship Id=\"r\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"one\" sheetId=\"1\" r:id=\"s\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships><Relationship Id=\"s\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
        ),
        ("xl/worksheets/sheet1.xml", sheet),
    ])
}

fn odt(content: &str) -> Vec<u8> {
    package(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        ("content.xml", content),
    ])
}

fn package(members: &[(&str, &str)]) -> Vec<u8> {
    zipped(
        members
            .iter()
            .map(|(name, content)| ((*name).to_owned(), content.as_bytes().to_vec())),
    )
}

fn nested_zip(depth: usize) -> Vec<u8> {
    (0..depth).fold(b"the innermost words".to_vec(), |inner, n| {
        zipped([(format!("{n}.zip"), inner)])
    })
}

fn many_members(count: usize) -> Vec<u8> {
    zipped((0..count).map(|n| (format!("{n}.txt"), format!("member {n}").into_bytes())))
}

/// Entities that would unfold to 10^9 copies.
fn laughs() -> String {
    let mut entities = String::from("<!ENTITY l0 \"laugh\">");
    for level in 1..10 {
        entities.push_str(&format!(
            "<!ENTITY l{level} \"{}\">",
            format!("&l{};", level - 1).repeat(10)
        ));
    }
    format!("<?xml version=\"1.0\"?><!DOCTYPE d [{entities}]><svg><text>&l9;</text></svg>")
}

fn deep_mail(depth: usize) -> Vec<u8> {
    let mut mail = String::from("From: a@example.org\r\nSubject: deep\r\nMIME-Version: 1.0\r\n");
    for level in 0..depth {
        mail.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"
        ));
    }
    mail.into_bytes()
}

fn simple_pdf() -> String {
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
     3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj\n\
     4 0 obj<</Length 44>>stream\nBT /F1 24 Tf 100 700 Td (fuzzed words) Tj ET\nendstream endobj\n\
     5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
        .to_owned()
}

/// A page tree that is its own parent and child.
const CIRCLE_PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[2 0 R 3 0 R]/Count 9999>>endobj\n\
    3 0 obj<</Type/Pages/Kids[2 0 R]/Parent 3 0 R>>endobj\ntrailer<</Root 1 0 R/Prev 0>>\nstartxref\n0\n%%EOF";

/// A sheet that claims every cell there can be.
const WIDE_SHEET: &str = "<worksheet><dimension ref=\"A1:XFD1048576\"/><sheetData><row r=\"1048576\"><c r=\"XFD1048576\" t=\"s\"><v>4294967295</v></c></row></sheetData></worksheet>";

/// The head of a picture of 2,147,483,647 by 2,147,483,647 points.
const HUGE_PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\0\0\0\0\0\0\0";

/// 41 names that other programs stumble over; each is stored and found as it is, or refused as malformed.
const NAMES: [&str; 41] = [
    "con",
    "nul.txt",
    "aux.c",
    "-rf",
    "--help",
    "~",
    "~root",
    "$HOME",
    "`id`.txt",
    "$(reboot).txt",
    "; rm -rf x",
    "| cat",
    "a\\b.txt",
    "..\\up.txt",
    "%2e%2e%2f.txt",
    "%00.txt",
    "<script>alert(1)<script>.html",
    "\"quoted\".txt",
    "'single'.txt",
    "a:b.txt",
    "*?.txt",
    "[x].txt",
    "{x}.txt",
    "trailing dot.",
    "trailing space ",
    " leading space",
    "...",
    ".. ",
    "\u{202e}gnp.exe",
    "\u{200b}",
    "\u{feff}bom.txt",
    "Ⅸ.txt",
    "ﬁle.txt",
    "İstanbul.txt",
    "ǅ.txt",
    "e\u{301}\u{302}\u{303}.txt",
    "\u{1F468}\u{200D}\u{1F469}.txt",
    "new\nline.txt",
    "tab\t.txt",
    "\u{7f}.txt",
    "\u{fffd}.txt",
];

#[test]
fn hostile_names_come_back_as_they_are_or_are_refused() {
    let server = Server::shared(false);
    let user = server.user("namer");
    let mut kept = 0;
    for (number, name) in NAMES.iter().enumerate() {
        let (path, content) = (format!("/n/{name}"), format!("name number {number}"));
        let answer = user.upload(&path, content.as_bytes()).unwrap();
        if answer.status == 409 {
            assert_eq!(answer.refusal(), "path/malformed_path", "{name:?}");
            assert!(
                name.chars().any(char::is_control) || [".. ", "..."].contains(name),
                "{name:?} is refused"
            );
            continue;
        }
        assert_eq!(answer.status, 200, "{name:?}: {}", answer.text());
        assert_eq!(
            answer.json()["path_display"],
            path.as_str().nfc(),
            "{name:?}"
        );
        assert_eq!(user.download(&path).text(), content, "{name:?}");
        kept += 1;
    }
    assert!(kept >= 36, "{kept} of {} names are kept", NAMES.len());
    assert_eq!(user.files().len(), kept);
    until("the names' contents are found", FOUND_LIMIT_S, || {
        (user.found("\"name number\"").len() == kept).then_some(())
    });
}

/// Names are stored composed.
trait Composed {
    fn nfc(self) -> String;
}

impl Composed for &str {
    fn nfc(self) -> String {
        unicode_normalization::UnicodeNormalization::nfc(self).collect()
    }
}
