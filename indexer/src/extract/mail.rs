//! Messages and mailboxes: who, what about, the body, and the attachments as members.

use std::borrow::Cow;

use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};

use super::job::{Failure, Job};
use super::sink::Sink;
use super::{decode, html};

/// Bytes of a header that are checked.
const HEADER_BYTES: usize = 16 << 10;
/// Boundaries of one message that are looked for outside line starts, and their longest length.
const MAX_BOUNDARIES: usize = 20;
const MAX_BOUNDARY_BYTES: usize = 70;
/// Parts of one message that are read.
const MAX_PARTS: usize = 2_000;
/// Addresses that are written per header field.
const MAX_ADDRESSES: usize = 1_000;
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
    job.sink.part("");
    write(&message, true, job);
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

/// Writes the messages of a mailbox; every message is a page with its subject.
pub(super) fn read_mailbox(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    for message in messages(bytes) {
        if !job.next_member() {
            break;
        }
        let message = MessageParser::default().parse(message);
        job.sink.part(
            message
                .as_ref()
                .and_then(Message::subject)
                .unwrap_or_default(),
        );
        if let Some(message) = message {
            write(&message, false, job);
        }
    }
    Ok(())
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

/// Writes one message; its attachments are pages of their own in a file that `is_one` message.
fn write(message: &Message, is_one: bool, job: &mut Job) {
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
    let mut written: Vec<u32> = Vec::new();
    for &id in bodies.chain(&message.attachments).take(MAX_PARTS) {
        if written.contains(&id) || job.sink.is_full() {
            continue;
        }
        written.push(id);
        if let Some(part) = message.part(id) {
            write_part(part, is_one, job);
        }
    }
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

fn write_part(part: &MessagePart, is_one: bool, job: &mut Job) {
    job.sink.line();
    let name = part.attachment_name().unwrap_or_default();
    if !name.is_empty() {
        if is_one {
            job.sink.part(name);
        }
        job.sink.text(name);
        job.sink.line();
    }
    match &part.body {
        PartType::Text(text) => job.sink.text(text),
        PartType::Html(page) => html::read_text(page, job),
        PartType::Message(message) if job.may_descend() && job.next_member() => {
            job.descend(|job| write(message, false, job))
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

#[cfg(test)]
mod tests {
    use super::super::{FileType, Limits, extract};

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
    }

    #[test]
    fn every_message_of_a_mailbox_is_a_page() {
        let mailbox = b"From a@b Mon\nFrom: a@b\nSubject: one\n\nfirst\n\nFrom c@d Tue\nFrom: c@d\nSubject: two\n\nsecond\n";
        let given = extract("a.mbox", mailbox, &Limits::default());
        assert_eq!(given.detected, FileType::Mailbox);
        assert_eq!(given.labels, ["one", "two"]);
        assert!(given.text.contains("first") && given.text.contains("second"));
    }
}
