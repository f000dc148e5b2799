//! Messages and mailboxes: who, what about, the body, and the attachments as members.

use std::borrow::Cow;

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use storage::extraction::{Letter, MemberKind};

use super::job::{Failure, Job};
use super::members::{Entry, Turn, sent_ms};
use super::sink::Sink;
use super::{FileType, decode, html};

/// Bytes of a header that are checked.
const HEADER_BYTES: usize = 16 << 10;
/// Boundaries of one message that are looked for outside line starts, and their longest length.
const MAX_BOUNDARIES: usize = 20;
const MAX_BOUNDARY_BYTES: usize = 70;
/// Parts of one message that are read.
const MAX_PARTS: usize = 2_000;
/// Addresses that are written per header field.
const MAX_ADDRESSES: usize = 1_000;
/// Addresses, and bytes of addresses, that are kept to search senders and recipients by.
const MAX_KNOWN: (usize, usize) = (50, 2_000);
/// Longest subject that is kept, bytes.
const MAX_SUBJECT_BYTES: usize = 500;
/// A plain alternative shorter than this is not trusted to say what the page says.
const MIN_PLAIN_BYTES: usize = 200;

/// Writes a message.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let bytes = with_boundaries_at_line_starts(bytes);
    let Some(message) = MessageParser::default().parse(&*bytes) else {
        return Err(Failure::damaged(
            "no header field and no body can be told apart",
        ));
    };
    if let Some(subject) = message.subject() {
        job.set_title(subject);
    }
    if let Some(from) = message.from().and_then(Address::first) {
        job.set_author(from.name().or_else(|| from.address()).unwrap_or_default());
    }
    job.letter = Some(letter(&message));
    job.sink.part("");
    write(&message, Some(""), job);
    job.leave();
    if let Some(header) = broken_header(&bytes) {
        job.sink.line();
        job.sink.text(&decode::to_text(header, None));
    }
    Ok(())
}

/// The whole header, when a line of its start is none: what the parser could not tell apart is text.
fn broken_header(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(HEADER_BYTES)];
    let end =
        memchr::memmem::find(head, b"\n\n").or_else(|| memchr::memmem::find(head, b"\n\r\n"))?;
    let is_field = |line: &[u8]| {
        let name = line.split(|b| *b == b':').next().unwrap_or_default();
        line.first()
            .is_none_or(|b| matches!(b, b' ' | b'\t' | b'\r'))
            || (name.len() < line.len() && name.iter().all(|b| (33..127).contains(b)))
    };
    let whole = head[..end].split(|b| *b == b'\n').all(is_field);
    (!whole).then_some(&head[..end])
}

/// The parser takes a boundary for one wherever it stands; in the middle of a line it is text, and is made to look so.
fn with_boundaries_at_line_starts(bytes: &[u8]) -> Cow<'_, [u8]> {
    let mut bytes = Cow::Borrowed(bytes);
    for boundary in boundaries(&bytes) {
        let mut from = 0;
        while let Some(at) = find(&bytes[from..], &boundary).map(|at| from + at) {
            if at > 0 && !matches!(bytes[at - 1], b'\n' | b'\r') {
                bytes.to_mut()[at] = b' ';
            }
            from = at + boundary.len();
        }
    }
    bytes
}

/// The boundaries that header fields name, with their leading dashes.
fn boundaries(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut boundaries: Vec<Vec<u8>> = Vec::new();
    let mut rest = bytes;
    while let Some(at) = find(rest, b"boundary=").filter(|_| boundaries.len() < MAX_BOUNDARIES) {
        rest = &rest[at + 9..];
        let value = rest.strip_prefix(b"\"").unwrap_or(rest);
        let end = value
            .iter()
            .position(|b| matches!(b, b'"' | b';' | b'\r' | b'\n'))
            .unwrap_or(0);
        let boundary = [b"--", &value[..end]].concat();
        if (1..=MAX_BOUNDARY_BYTES).contains(&end) && !boundaries.contains(&boundary) {
            boundaries.push(boundary);
        }
    }
    boundaries
}

fn find(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, pattern)
}

/// Writes the messages of a mailbox; every message is a page with its subject. Messages are numbered from 1.
pub(super) fn read_mailbox(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    for (index, bytes) in messages(bytes).enumerate() {
        if !job.next_member() {
            break;
        }
        let message = MessageParser::default().parse(bytes);
        let subject = message.as_ref().and_then(Message::subject);
        job.sink.part(subject.unwrap_or_default());
        let number = (index + 1).to_string();
        if let Some(message) = message {
            if enter_message(&message, &number, bytes.len(), job) == Turn::Open {
                job.roll.keep(bytes.to_vec());
            }
            write(&message, Some(&format!("{number}/")), job);
        }
    }
    Ok(())
}

/// A message as a member of the file.
fn enter_message(message: &Message, path: &str, bytes: usize, job: &mut Job) -> Turn {
    let letter = letter(message);
    let modified_ms = letter.sent_ms;
    job.enter(Entry {
        kind: MemberKind::Message,
        path,
        name: &letter.subject.clone(),
        size: Some(bytes as u64),
        modified_ms,
        letter: Some(letter),
        file_type: Some(FileType::Mail),
    })
}

/// Who wrote what to whom.
fn letter(message: &Message) -> Letter {
    let subject = message.subject().unwrap_or_default();
    let subject = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    Letter {
        from: people([message.from(), message.sender()]),
        to: people([message.to(), message.cc(), message.bcc()]),
        subject: subject[..subject.floor_char_boundary(MAX_SUBJECT_BYTES)].to_owned(),
        sent_ms: message.date().and_then(sent_ms),
    }
}

/// The names and addresses of some fields, each once.
fn people<const N: usize>(fields: [Option<&Address>; N]) -> String {
    let (most, bytes) = MAX_KNOWN;
    let mut known: Vec<String> = Vec::new();
    let everybody = fields.into_iter().flatten().flat_map(Address::iter);
    for person in everybody.take(most) {
        let shown = match (person.name(), person.address()) {
            (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
            (name, address) => address.or(name).unwrap_or_default().to_owned(),
        };
        if !shown.is_empty() && !known.contains(&shown) {
            known.push(shown);
        }
    }
    let all = known.join(", ");
    all[..all.floor_char_boundary(bytes)].to_owned()
}

/// The messages between the `From ` lines.
fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let start = rest
            .iter()
            .position(|b| *b == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let start = if rest.starts_with(b"From ") { start } else { 0 };
        let body = &rest[start..];
        let end = separator(body).unwrap_or(body.len());
        rest = &body[end..];
        Some(&body[..end])
    })
}

/// Where the next `From ` line starts that follows a line end.
fn separator(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = bytes[from..]
        .iter()
        .position(|b| *b == b'\n')
        .map(|at| from + at + 1)
    {
        if bytes[at..].starts_with(b"From ") {
            return Some(at);
        }
        from = at;
    }
    None
}

/// Writes one message. Where it is the file itself, or one of a mailbox, what is attached is entered under `above`.
fn write(message: &Message, above: Option<&str>, job: &mut Job) {
    headers(message, &mut job.sink);
    let plain: usize = message
        .text_bodies()
        .map(|part| part.text_contents().map_or(0, |t| t.trim().len()))
        .sum();
    let bodies = message.text_body.iter().chain(if plain < MIN_PLAIN_BYTES {
        &message.html_body[..]
    } else {
        &[]
    });
    let mut ids: Vec<u32> = Vec::new();
    for &id in bodies.chain(&message.attachments).take(MAX_PARTS) {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let parts = ids.into_iter().filter_map(|id| message.part(id));
    // What the message says comes first: from the first attachment on all is the attachments'.
    let (attached, own): (Vec<_>, Vec<_>) = parts.partition(|part| is_attached(part));
    for part in own.into_iter().chain(attached) {
        if !job.sink.is_full() {
            write_part(part, above, job);
        }
    }
}

fn is_attached(part: &MessagePart) -> bool {
    let is_text = matches!(part.body, PartType::Text(_) | PartType::Html(_));
    !is_text || part.attachment_name().is_some_and(|name| !name.is_empty())
}

fn headers(message: &Message, sink: &mut Sink) {
    if let Some(subject) = message.subject() {
        sink.text(subject);
        sink.line();
    }
    for field in [
        message.from(),
        message.to(),
        message.cc(),
        message.reply_to(),
    ]
    .into_iter()
    .flatten()
    {
        for address in field.iter().take(MAX_ADDRESSES) {
            for part in [address.name(), address.address()].into_iter().flatten() {
                sink.text(part);
                sink.gap();
            }
        }
        sink.line();
    }
    sink.line();
}

fn write_part(part: &MessagePart, above: Option<&str>, job: &mut Job) {
    job.sink.line();
    let turn = match above {
        Some(above) if is_attached(part) => enter_part(part, above, job),
        _ => Turn::Read,
    };
    let name = part.attachment_name().unwrap_or_default();
    if !name.is_empty() {
        if above == Some("") {
            job.sink.part(name);
        }
        job.sink.text(name);
        job.sink.line();
    }
    if turn == Turn::Open {
        job.roll.keep(bytes_of(part).to_vec());
        return;
    }
    match &part.body {
        _ if turn == Turn::Pass => {}
        PartType::Text(text) => job.sink.text(text),
        PartType::Html(page) => html::read_text(page, job),
        PartType::Message(message) if job.may_descend() && job.next_member() => {
            job.descend(|job| write(message, None, job))
        }
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
            if job.next_member() {
                job.spend(bytes.len() as u64);
                job.read_member(name, bytes);
            }
        }
        PartType::Message(_) | PartType::Multipart(_) => {}
    }
    job.sink.line();
}

/// An attachment as a member of the file. One without a name is called what it is.
fn enter_part(part: &MessagePart, above: &str, job: &mut Job) -> Turn {
    let name = part.attachment_name().unwrap_or_default();
    if let PartType::Message(message) = &part.body {
        let name = if name.is_empty() { "message.eml" } else { name };
        let bytes = message.raw_message.len();
        return enter_message(message, &format!("{above}{name}"), bytes, job);
    }
    let kind = part.content_type().and_then(|kind| kind.subtype());
    let unnamed = format!("attachment.{}", kind.unwrap_or("bin"));
    let name = if name.is_empty() { &unnamed } else { name };
    job.enter(Entry {
        kind: MemberKind::Attachment,
        path: &format!("{above}{name}"),
        name,
        size: Some(bytes_of(part).len() as u64),
        ..Entry::default()
    })
}

/// What an attachment holds.
fn bytes_of<'p>(part: &'p MessagePart) -> &'p [u8] {
    match &part.body {
        PartType::Message(message) => &message.raw_message,
        _ => part.contents(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FileType, Limits, Unopened, extract, open_member};

    #[test]
    fn headers_bodies_and_attachments_are_read() {
        let mail = "From: Ann Example <ann@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
            MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
            the body\r\n--b\r\nContent-Type: application/octet-stream; name=\"note.txt\"\r\nContent-Disposition: attachment; \
            filename=\"note.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\naW5zaWRl\r\n--b--\r\n";
        let given = extract("a.eml", mail.as_bytes(), &Limits::default());
        assert_eq!(given.detected, FileType::Mail);
        assert_eq!(given.title.as_deref(), Some("Grüße"));
        assert_eq!(given.author.as_deref(), Some("Ann Example"));
        assert_eq!(given.labels, ["", "note.txt"]);
        for word in ["Grüße", "ann@example.org", "the body", "note.txt", "inside"] {
            assert!(given.text.contains(word), "{word} in {}", given.text);
        }
        let letter = given.letter.unwrap();
        assert_eq!(
            (letter.from.as_str(), letter.subject.as_str()),
            ("Ann Example <ann@example.org>", "Grüße")
        );
        let [note] = &given.members[..] else {
            panic!("{:?}", given.members)
        };
        assert_eq!((note.path.as_str(), note.size), ("note.txt", Some(6)));
        assert_eq!(
            given.text[note.range.0 as usize..note.range.1 as usize].trim(),
            "note.txt\ninside"
        );
        let opened = open_member("a.eml", mail.as_bytes(), 1, &Limits::default());
        assert_eq!(opened.as_deref(), Ok(&b"inside"[..]));
        assert_eq!(
            open_member("a.eml", mail.as_bytes(), 2, &Limits::default()),
            Err(Unopened::Missing)
        );
    }

    #[test]
    fn every_message_of_a_mailbox_is_a_page() {
        let mailbox = b"From a@b Mon\nFrom: a@b\nSubject: one\n\nfirst\n\nFrom c@d Tue\nFrom: c@d\nSubject: two\n\nsecond\n";
        let given = extract("a.mbox", mailbox, &Limits::default());
        assert_eq!(given.detected, FileType::Mailbox);
        assert_eq!(given.labels, ["one", "two"]);
        assert!(given.text.contains("first") && given.text.contains("second"));
        let seen: Vec<_> = given
            .members
            .iter()
            .map(|m| (m.path.as_str(), m.name.as_str()))
            .collect();
        assert_eq!(seen, [("1", "one"), ("2", "two")]);
        assert_eq!(given.members[1].letter.as_ref().unwrap().from, "c@d");
        let opened = open_member("a.mbox", mailbox, 2, &Limits::default()).unwrap();
        assert_eq!(opened, b"From: c@d\nSubject: two\n\nsecond\n");
    }

    #[test]
    fn what_is_attached_in_a_mailbox_is_opened_too() {
        let mailbox = b"From a@b Mon\nFrom: a@b\nSubject: one\n\nfirst\n\nFrom c@d Tue\nFrom: c@d\nSubject: two\n\
            Date: Wed, 31 Jan 2024 10:30:00 +0000\nMIME-Version: 1.0\n\
            Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\nbody\n--b\n\
            Content-Type: text/plain; name=\"n.txt\"\nContent-Disposition: attachment; filename=\"n.txt\"\n\ninside\n--b--\n";
        let given = extract("a.mbox", mailbox, &Limits::default());
        let seen: Vec<_> = given.members.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(seen, ["1", "2", "2/n.txt"]);
        let sent = given.members[1].letter.as_ref().unwrap().sent_ms;
        assert_eq!(sent, Some(1_706_697_000_000));
        let text = |at: usize| {
            &given.text[given.members[at].range.0 as usize..given.members[at].range.1 as usize]
        };
        assert!(text(1).contains("body") && !text(1).contains("inside"));
        assert!(text(2).contains("inside"));
        let opened = open_member("a.mbox", mailbox, 3, &Limits::default()).unwrap();
        assert_eq!(opened, b"inside");
    }
}
