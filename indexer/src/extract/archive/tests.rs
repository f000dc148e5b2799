use super::super::{Extraction, FileType, Limits, Outcome, extract, open_member};

fn given(name: &str, bytes: &[u8]) -> Extraction {
    let given = extract(name, bytes, &Limits::default());
    assert_eq!(given.detected, FileType::Archive, "{name}");
    given
}

fn words(given: &Extraction) -> Vec<&str> {
    given.text.split_whitespace().collect()
}

fn paths(given: &Extraction) -> Vec<(&str, Option<i64>)> {
    let members = given.members.iter();
    members
        .map(|member| (member.path.as_str(), member.modified_ms))
        .collect()
}

fn ar_member(name: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let header = format!(
        "{name:<16}{:<12}{:<6}{:<6}{:<8}{length:<10}`\n",
        1_700_000_000, 0, 0, 100_644
    );
    let mut member = [header.as_bytes(), content].concat();
    member.resize(member.len().next_multiple_of(2), b'\n');
    member
}

#[test]
fn unix_archives_name_and_read_their_members() {
    let archive = [
        b"!<arch>\n".to_vec(),
        ar_member("/", b"symbols"),
        ar_member("//", b"a rather long name.txt/\nother.txt/\n"),
        ar_member("short.txt/", b"lapwing"),
        ar_member("/0", b"dunlin"),
        ar_member("#1/8", b"bsd.txt\0whimbrel"),
        ar_member(
            "control.tar",
            &tar_without_magic("./control", b"Package: curlew"),
        ),
    ];
    let archive = archive.concat();
    let read = given("noname", &archive);
    assert_eq!(read.outcome, Outcome::Text);
    for word in [
        "short.txt",
        "lapwing",
        "dunlin",
        "whimbrel",
        "curlew",
        "./control",
    ] {
        assert!(words(&read).contains(&word), "{word}: {}", read.text);
    }
    let named: Vec<_> = paths(&read).into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        named,
        [
            "short.txt",
            "a rather long name.txt",
            "bsd.txt",
            "control.tar"
        ]
    );
    assert_eq!(read.members[0].modified_ms, Some(1_700_000_000_000));
    let opened = open_member("noname", &archive, 2, &Limits::default());
    assert_eq!(opened.as_deref(), Ok(&b"dunlin"[..]));
    let cut = given("noname", &archive[..archive.len() - 600]);
    assert!(
        matches!(cut.outcome, Outcome::Damaged { .. }),
        "{:?}",
        cut.outcome
    );
    assert!(cut.text.contains("whimbrel"));
}

/// A tar of the seventh edition of Unix: no magic, a checksum.
fn tar_without_magic(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"000644 ");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header.extend(content);
    header.resize(header.len().next_multiple_of(512) + 1024, 0);
    header
}

#[test]
fn the_first_tars_are_known_by_their_checksum() {
    let read = extract(
        "noname",
        &tar_without_magic("a.txt", b"godwit"),
        &Limits::default(),
    );
    assert_eq!(read.detected, FileType::Tar);
    assert_eq!(words(&read), ["a.txt", "godwit"]);
}

fn hexadecimal(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let fields = [
        1,
        mode,
        0,
        0,
        1,
        1_700_000_000,
        content.len() as u32,
        0,
        0,
        0,
        0,
        name.len() as u32 + 1,
        0,
    ];
    let fields: String = fields.iter().map(|field| format!("{field:08X}")).collect();
    let mut member = format!("070701{fields}{name}\0").into_bytes();
    member.resize(member.len().next_multiple_of(4), 0);
    member.extend(content);
    member.resize(member.len().next_multiple_of(4), 0);
    member
}

fn octal(name: &str, content: &[u8]) -> Vec<u8> {
    let (name_bytes, size) = (name.len() + 1, content.len());
    let head = format!(
        "070707{:06o}{:06o}{:06o}{:024o}{:011o}{name_bytes:06o}{size:011o}{name}\0",
        1, 1, 0o100_644, 0, 1
    );
    [head.as_bytes(), content].concat()
}

fn binary(name: &str, content: &[u8]) -> Vec<u8> {
    let mut fields = [0u16; 13];
    (fields[0], fields[3]) = (0o070_707, 0o100_644);
    (fields[10], fields[12]) = (name.len() as u16 + 1, content.len() as u16);
    let mut member: Vec<u8> = fields
        .iter()
        .flat_map(|field| field.to_le_bytes())
        .collect();
    for part in [[name.as_bytes(), &[0]].concat(), content.to_vec()] {
        member.extend(part);
        member.resize(member.len().next_multiple_of(2), 0);
    }
    member
}

type MemberWriter = fn(&str, &[u8]) -> Vec<u8>;

#[test]
fn cpio_archives_of_every_kind_are_read() {
    let modern = [
        hexadecimal("docs", 0o040_755, b""),
        hexadecimal("docs/a.txt", 0o100_644, b"avocet"),
        hexadecimal("docs/b.txt", 0o100_644, b"plover"),
        hexadecimal("TRAILER!!!", 0, b""),
    ];
    let read = given("a.cpio", &modern.concat());
    assert_eq!(
        words(&read),
        ["docs", "docs/a.txt", "avocet", "docs/b.txt", "plover"]
    );
    let moment = Some(1_700_000_000_000);
    assert_eq!(
        paths(&read),
        [("docs/a.txt", moment), ("docs/b.txt", moment)]
    );
    for kind in [octal as MemberWriter, binary] {
        let archive = [
            kind("a.txt", b"avocet"),
            kind("b.txt", b"plovers"),
            kind("TRAILER!!!", b""),
        ]
        .concat();
        let read = given("noname", &archive);
        assert_eq!(words(&read), ["a.txt", "avocet", "b.txt", "plovers"]);
        assert_eq!(read.outcome, Outcome::Text);
        let cut = given("noname", &archive[..50 + archive.len() / 3]);
        assert!(matches!(cut.outcome, Outcome::Damaged { .. }), "{cut:?}");
    }
}

#[test]
fn texts_that_begin_like_a_cpio_are_texts() {
    for text in [
        "070707 is a number",
        "070701 another, and some more text behind it",
    ] {
        let read = extract("a.txt", text.as_bytes(), &Limits::default());
        assert_eq!(read.detected, FileType::Text);
    }
}

fn rar_4(kind: u8, flags: u16, body: &[u8], content: &[u8]) -> Vec<u8> {
    let length = (7 + body.len()) as u16;
    [
        &[0, 0, kind][..],
        &flags.to_le_bytes(),
        &length.to_le_bytes(),
        body,
        content,
    ]
    .concat()
}

fn rar_4_file(name: &[u8], flags: u16, method: u8, content: &[u8]) -> Vec<u8> {
    let size = (content.len() as u32).to_le_bytes();
    let noon = (44u32 << 25 | 1 << 21 | 31 << 16 | 12 << 11).to_le_bytes();
    let name_bytes = (name.len() as u16).to_le_bytes();
    let body = [
        &size[..],
        &size,
        &[2, 0, 0, 0, 0],
        &noon,
        &[29, method],
        &name_bytes,
        &[0; 4],
        name,
    ]
    .concat();
    rar_4(0x74, 0x8000 | flags, &body, content)
}

#[test]
fn older_rars_name_their_members_and_read_what_is_stored() {
    let start = [b"Rar!\x1A\x07\x00".to_vec(), rar_4(0x73, 0, &[0; 6], b"")].concat();
    let stored = rar_4_file(b"docs\\a.txt", 0, 0x30, b"knot");
    // "Ж.txt" packed: one character in full, then a run of the plain name.
    let name = [&b"?.txt\0"[..], &[0x04, 0b1011_0000, 0x16, 0x04, 2]].concat();
    let packed = rar_4_file(&name, 0x200, 0x33, b"\x01\x02");
    let end = rar_4(0x7B, 0, b"", b"");
    let read = given("a.rar", &[&start[..], &stored, &end].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["docs/a.txt", "knot"], &Outcome::Text)
    );
    assert_eq!(paths(&read), [("docs/a.txt", Some(1_706_702_400_000))]);
    let read = given("a.rar", &[&start[..], &stored, &packed, &end].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["docs/a.txt", "knot", "Ж.txt"], &Outcome::Unsupported)
    );
    let secret = rar_4_file(b"a.txt", 4, 0x30, b"????");
    let read = given("a.rar", &[&start[..], &secret].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["a.txt"], &Outcome::Encrypted)
    );
    let hidden = [
        b"Rar!\x1A\x07\x00".to_vec(),
        rar_4(0x73, 0x80, &[0; 6], b""),
    ]
    .concat();
    assert_eq!(given("a.rar", &hidden).outcome, Outcome::Encrypted);
    let cut = given("a.rar", &[&start[..], &stored[..20]].concat());
    assert!(matches!(cut.outcome, Outcome::Damaged { .. }));
}

fn rar_5(fields: &[u8], content: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, fields.len() as u8][..], fields, content].concat()
}

#[test]
fn newer_rars_name_their_members_and_read_what_is_stored() {
    let start = [b"Rar!\x1A\x07\x01\x00".to_vec(), rar_5(&[1, 0, 0], b"")].concat();
    let file = |flags: u8, method: u8, extra: &[u8], name: &str, content: &[u8]| {
        let block = if extra.is_empty() { 2 } else { 3 };
        let mut fields = vec![2, block];
        fields.extend((!extra.is_empty()).then_some(extra.len() as u8));
        fields.extend([content.len() as u8, flags, content.len() as u8, 0]);
        fields.extend([method << 7 | 0x80, method >> 1, 1, name.len() as u8]);
        fields.extend(name.as_bytes());
        fields.extend(extra);
        rar_5(&fields, content)
    };
    let folder = file(1, 0, &[], "docs", b"");
    let stored = file(0, 0, &[], "docs/ä.txt", b"ruff");
    let end = rar_5(&[5, 0, 0], b"");
    let read = given("a.rar", &[&start[..], &folder, &stored, &end].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["docs", "docs/ä.txt", "ruff"], &Outcome::Text)
    );
    let packed = file(0, 3, &[], "b.txt", b"\x01");
    let read = given("a.rar", &[&start[..], &packed, &end].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["b.txt"], &Outcome::Unsupported)
    );
    let secret = file(0, 0, &[2, 1, 0], "c.txt", b"????");
    let read = given("a.rar", &[&start[..], &secret, &end].concat());
    assert_eq!(
        (words(&read), &read.outcome),
        (vec!["c.txt"], &Outcome::Encrypted)
    );
}
