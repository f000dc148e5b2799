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

#[test]
fn word_equations_show_what_they_draw() {
    let text = utf16(
        "駅\u{13} EQ \\* jc2 \\* \"Font:MS Mincho\" \\o\\ad(\\s\\up 10(とうきょう),東京)\u{15}と\u{13} PAGE \u{15}",
    );
    let mut document = vec![0u8; 0x400];
    document[2..4].copy_from_slice(&0xC1u16.to_le_bytes());
    document[0x1A6..0x1AA].copy_from_slice(&(5u32 + 4 * 2 + 8).to_le_bytes());
    document[0x300..0x300 + text.len()].copy_from_slice(&text);
    let mut table = vec![2];
    table.extend(16u32.to_le_bytes());
    for cp in [0u32, text.len() as u32 / 2] {
        table.extend(cp.to_le_bytes());
    }
    table.extend([&[0, 0][..], &0x300u32.to_le_bytes(), &[0, 0]].concat());
    let given = compound(&[("/WordDocument", document), ("/0Table", table)]);
    assert_eq!(words(&given), ["駅", "とうきょう", "東京", "と"]);
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

/// Cells of Excel 2: row, column, three bytes of attributes, the second of which names a format.
fn first_cell(format: u8, value: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, 0, format, 0][..], value].concat()
}

#[test]
fn workbooks_before_compound_files() {
    let first = [
        record(0x0009, &[2, 0, 0x10, 0]),
        record(0x001E, b"\x07General"),
        record(0x001E, b"\x02d/"),
        record(0x0004, &first_cell(0, b"\x04caf\xE9")),
        record(0x0002, &first_cell(0, &[7, 0])),
        record(0x0003, &first_cell(1, &36_526f64.to_le_bytes())),
        record(
            0x0006,
            &first_cell(
                0,
                &1.5f64
                    .to_le_bytes()
                    .into_iter()
                    .chain([0; 3])
                    .collect::<Vec<_>>(),
            ),
        ),
        record(0x001C, b"\0\0\0\0\x06\0remark"),
        record(0x000A, &[]),
    ];
    let given = extract("a.xls", &first.concat(), &Limits::default());
    assert_eq!(given.detected, FileType::Xls);
    assert_eq!(words(&given), ["café", "7", "2000-01-01", "1.5", "remark"]);
    let fourth = [
        record(0x0409, &[0, 4, 0x10, 0, 0, 0]),
        record(0x041E, b"\0\0\x070.0\"x\"%"),
        record(0x0443, &[0, 0, 0, 0]),
        record(0x0204, b"\0\0\0\0\0\0\x05\0label"),
        record(0x0203, &[&[0u8; 6][..], &0.125f64.to_le_bytes()].concat()),
    ];
    let given = extract("noname", &fourth.concat(), &Limits::default());
    assert_eq!(words(&given), ["label", "12.5%"]);
}

#[test]
fn cells_of_a_graph() {
    let records = [
        record(0x0809, &[0x80, 0x06, 5, 0]),
        record(0x0004, &first_cell(0, b"\x07\x001st Qtr")),
        record(0x0003, &first_cell(9, &20.4f64.to_le_bytes())),
    ];
    let given = compound(&[("/Workbook", records.concat())]);
    assert_eq!(words(&given), ["1st", "Qtr", "20.4"]);
}

/// A record with its instance in its head.
fn piece(head: u16, kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_le_bytes();
    [&head.to_le_bytes()[..], &kind.to_le_bytes(), &length, body].concat()
}

fn nested(kind: u16, body: &[u8]) -> Vec<u8> {
    piece(0xF, kind, body)
}

fn atom(kind: u16, body: &[u8]) -> Vec<u8> {
    piece(0, kind, body)
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

#[test]
fn slides_come_in_their_order_without_what_was_written_over() {
    // Ids of objects: 1 the document, 2 and 3 slides, 4 the notes of slide 257, 5 the notes' master.
    let slide = |id: u32, object: u32, outline: &str| {
        let entry = atom(0x03F3, &numbers(&[object, 0, 0, id, 0]));
        [entry, atom(0x0FA0, &utf16(outline))].concat()
    };
    let list = piece(
        0xF,
        0x0FF0,
        &[slide(257, 3, "one"), slide(256, 2, "two")].concat(),
    );
    let shown = |flags: u8, instance: u16| {
        piece(
            instance << 4 | 0xF,
            0x0FD9,
            &atom(0x0FDA, &[0, 0, flags, 0]),
        )
    };
    let facts = atom(0x03E9, &numbers(&[0, 0, 0, 0, 0, 0, 5, 0, 1]));
    let document = nested(0x03E8, &[facts, list, shown(8, 3)].concat());
    let placeholder = nested(0xF011, &atom(0x0BC3, &[0; 8]));
    let prompt = nested(0xF004, &[placeholder, atom(0x0FA8, b"prompt")].concat());
    let notes = |slide: u32, text: Vec<u8>| {
        nested(
            0x03F0,
            &[atom(0x03F1, &numbers(&[slide, 0])), text].concat(),
        )
    };
    let objects = [
        nested(0x03EE, &atom(0x0FA8, b"stale")),
        document,
        nested(0x03EE, &[shown(0, 0), atom(0x0FA8, b"second")].concat()),
        nested(0x03EE, &atom(0x0FA8, b"first")),
        notes(257, atom(0x0FA8, b"spoken")),
        notes(1 << 31, prompt),
    ];
    let mut places = Vec::new();
    let mut stream = Vec::new();
    for object in &objects {
        places.push(stream.len() as u32);
        stream.extend(object);
    }
    let directory = stream.len() as u32;
    stream.extend(atom(
        0x1772,
        &[numbers(&[1 | 5 << 20]), numbers(&places[1..])].concat(),
    ));
    let edition = stream.len() as u32;
    stream.extend(atom(0x0FF5, &numbers(&[0, 0, 0, directory, 1, 6])));
    let current_user = atom(0x0FF6, &numbers(&[20, 0, edition]));
    let deck = compound(&[
        ("/PowerPoint Document", stream.clone()),
        ("/Current User", current_user.clone()),
    ]);
    assert_eq!(
        words(&deck),
        ["one", "first", "1", "spoken", "two", "second"]
    );
    assert_eq!(deck.pages, [0, 19]);
    let mark = memchr::memmem::find(&stream, &shown(0, 0)[8..]).expect("the second slide's");
    stream[mark + 2..mark + 4].copy_from_slice(&0x0FD8u16.to_le_bytes());
    let streams = [
        ("/PowerPoint Document", stream.clone()),
        ("/Current User", current_user),
    ];
    assert_eq!(words(&compound(&streams)).last(), Some(&"2"));
    // Without a way to the last edition, all of the stream is read.
    let endless = atom(0x0FF6, &numbers(&[20, 0, directory]));
    let cut = compound(&[("/PowerPoint Document", stream), ("/Current User", endless)]);
    assert!(words(&cut).contains(&"stale") && words(&cut).contains(&"second"));
}

#[test]
fn powerpoint_text_without_prompts() {
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
