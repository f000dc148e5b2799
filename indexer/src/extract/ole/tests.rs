use std::io::{Cursor, Write};

use cfb::CompoundFile;
use storage::extraction::MemberKind;

use super::super::{Extraction, FileType, Limits, Outcome, extract};

fn compound(streams: &[(&str, Vec<u8>)]) -> Extraction {
    let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, content) in streams {
        if let Some((storage, _)) = path
            .rsplit_once('/')
            .filter(|(storage, _)| !storage.is_empty())
        {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(path)
            .unwrap()
            .write_all(content)
            .unwrap();
    }
    extract(
        "noname",
        &file.into_inner().into_inner(),
        &Limits::default(),
    )
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn words(given: &Extraction) -> Vec<&str> {
    given.text.split_whitespace().collect()
}

#[test]
fn word_pieces_and_fields() {
    let mut document = vec![0u8; 0x400];
    document[2..4].copy_from_slice(&0xC1u16.to_le_bytes());
    document[0x1A6..0x1AA].copy_from_slice(&(5u32 + 12 + 16).to_le_bytes());
    document[0x200..0x208].copy_from_slice(b"caf\xE9 an\x07");
    let second = utf16("\u{13}HYPERLINK x\u{14}Ж\u{15}\r");
    document[0x300..0x300 + second.len()].copy_from_slice(&second);
    let mut table = vec![2];
    table.extend(28u32.to_le_bytes());
    for cp in [0u32, 8, 8 + second.len() as u32 / 2] {
        table.extend(cp.to_le_bytes());
    }
    for place in [0x4000_0000u32 | (0x200 * 2), 0x300] {
        table.extend([0, 0]);
        table.extend(place.to_le_bytes());
        table.extend([0, 0]);
    }
    let given = compound(&[("/WordDocument", document), ("/0Table", table)]);
    assert_eq!(given.detected, FileType::Doc);
    assert_eq!(words(&given), ["café", "an", "Ж"]);
}

fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    [
        &kind.to_le_bytes()[..],
        &(body.len() as u16).to_le_bytes()[..],
        body,
    ]
    .concat()
}

#[test]
fn excel_cells_and_cut_strings() {
    let mut table = [2u32.to_le_bytes(), 2u32.to_le_bytes()].concat();
    table.extend(b"\x03\x00\x00one\x06\x00\x00spl");
    let records = [
        record(0x0809, &[0x00, 0x06, 5, 0]),
        record(0x00FC, &table),
        record(0x003C, &[&[1u8][..], &utf16("itЖ")].concat()),
        record(0x00FD, &[0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
        record(0x0203, &[&[0u8; 6][..], &1.5f64.to_le_bytes()].concat()),
        record(0x027E, &[0, 0, 0, 0, 0, 0, (7 << 2) | 2, 0, 0, 0]),
    ];
    let given = compound(&[("/Workbook", records.concat())]);
    assert_eq!(given.detected, FileType::Xls);
    assert_eq!(words(&given), ["splitЖ", "1.5", "7"]);
}

#[test]
fn powerpoint_text_without_prompts() {
    let nested = |kind: u16, body: &[u8]| {
        [
            &0xFu16.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &(body.len() as u32).to_le_bytes(),
            body,
        ]
        .concat()
    };
    let atom = |kind: u16, body: &[u8]| {
        [
            &0u16.to_le_bytes()[..],
            &kind.to_le_bytes(),
            &(body.len() as u32).to_le_bytes(),
            body,
        ]
        .concat()
    };
    let placeholder = nested(0xF011, &atom(0x0BC3, &[0; 8]));
    let prompt = nested(
        0xF004,
        &[placeholder, atom(0x0FA8, b"Click to edit")].concat(),
    );
    let drawn = nested(0xF004, &atom(0x0FA8, b"everywhere"));
    let stream = [
        nested(0x03EE, &atom(0x0FA0, &utf16("Folie"))),
        nested(0x03F8, &[prompt, drawn].concat()),
    ];
    let given = compound(&[("/PowerPoint Document", stream.concat())]);
    assert_eq!(
        (given.detected, words(&given)),
        (FileType::Ppt, vec!["Folie", "everywhere"])
    );
}

#[test]
fn outlook_messages_with_attachments() {
    let given = compound(&[
        ("/__properties_version1.0", vec![0; 32]),
        ("/__substg1.0_0037001F", utf16("Betreff")),
        ("/__substg1.0_1000001E", b"the body".to_vec()),
        (
            "/__attach_version1.0_#00000000/__substg1.0_3707001F",
            utf16("note.txt"),
        ),
        (
            "/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"inside".to_vec(),
        ),
    ]);
    assert_eq!(given.title.as_deref(), Some("Betreff"));
    assert_eq!(
        words(&given),
        ["Betreff", "the", "body", "note.txt", "inside"]
    );
}

#[test]
fn outlook_messages_tell_their_heads_and_what_is_attached() {
    const SENT_MS: u64 = 1_700_000_000_000;
    let sent = ((SENT_MS + 11_644_473_600_000) * 10_000).to_le_bytes();
    let mut properties = vec![0; 32];
    properties.extend([0x40, 0, 0x39, 0, 6, 0, 0, 0]);
    properties.extend(sent);
    let inner = "/__attach_version1.0_#00000001/__substg1.0_3701000D";
    let (inner_subject, inner_body) = (
        format!("{inner}/__substg1.0_0037001F"),
        format!("{inner}/__substg1.0_1000001F"),
    );
    let given = compound(&[
        ("/__properties_version1.0", properties),
        ("/__substg1.0_0037001F", utf16("Autumn counts")),
        ("/__substg1.0_0C1A001F", utf16("Ann Lee")),
        ("/__substg1.0_5D01001F", utf16("ann@example.org")),
        ("/__substg1.0_0E04001F", utf16("Bob")),
        (
            "/__recip_version1.0_#00000000/__substg1.0_39FE001F",
            utf16("bob@example.org"),
        ),
        ("/__substg1.0_1000001F", utf16("the letter itself")),
        (
            "/__attach_version1.0_#00000000/__substg1.0_3707001F",
            utf16("list.txt"),
        ),
        (
            "/__attach_version1.0_#00000000/__substg1.0_37010102",
            b"curlews".to_vec(),
        ),
        (&inner_subject, utf16("Forwarded")),
        (&inner_body, utf16("dunlins")),
    ]);
    assert_eq!(given.detected, FileType::Msg);
    let letter = given.letter.as_ref().expect("a letter");
    assert_eq!(letter.from, "Ann Lee, ann@example.org");
    assert_eq!(letter.to, "Bob, bob@example.org");
    assert_eq!(letter.subject, "Autumn counts");
    assert_eq!(letter.sent_ms, Some(SENT_MS as i64));
    let members = given.members.iter().map(|member| {
        let (start, end) = (member.range.0 as usize, member.range.1 as usize);
        (member.kind, member.name.as_str(), &given.text[start..end])
    });
    let members: Vec<_> = members.collect();
    let [
        (file_kind, file, listed),
        (message_kind, subject, forwarded),
    ] = members[..]
    else {
        panic!("{members:?}")
    };
    assert_eq!((file_kind, file), (MemberKind::Attachment, "list.txt"));
    assert_eq!((message_kind, subject), (MemberKind::Message, "Forwarded"));
    assert!(
        listed.contains("curlews") && !listed.contains("dunlins"),
        "{listed}"
    );
    assert!(
        forwarded.contains("dunlins") && !forwarded.contains("letter"),
        "{forwarded}"
    );
}

#[test]
fn encrypted_documents_say_so() {
    assert_eq!(
        compound(&[("/EncryptedPackage", vec![0; 8])]).outcome,
        Outcome::Encrypted
    );
}

#[test]
fn presentations_of_the_mac_give_their_texts() {
    let mut stream = vec![0x0B, 0xAD, 0xDE, 0xED, 0, 0];
    for text in [&b"Caf\x8E e\x7FL\x7Fib"[..], b"odd"] {
        stream.extend((text.len() as u32).to_be_bytes());
        stream.extend(text);
        stream.resize(stream.len().next_multiple_of(2), 0);
        stream.extend(12u16.to_be_bytes());
        stream.extend((text.len() as u32).to_be_bytes());
    }
    stream.extend([0, 0, 0, 200, b'c', b'u', b't']);
    let slides = compound(&[("/PP40", stream)]);
    assert_eq!(slides.detected, FileType::Ppt);
    assert_eq!(words(&slides), ["Café", "eLib", "odd"]);
    let broken = compound(&[("/PP40", vec![1, 2])]);
    assert!(matches!(broken.outcome, Outcome::Damaged { .. }));
}
