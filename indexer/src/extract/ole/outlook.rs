//! Outlook messages: the properties that people read, and the attachments.

use storage::extraction::{Letter, MemberKind};

use super::super::job::{Failure, Job};
use super::super::members::{Entry, Turn, windows_ms};
use super::super::{FileType, decode, html, rtf};
use super::{Compound, u16_at, u32_at, wide};

/// Recipients whose addresses are written.
const MAX_RECIPIENTS: usize = 1_000;
/// Attachments that are looked at.
const MAX_ATTACHMENTS: usize = 500;
/// Bytes of names and addresses that are kept to search senders and recipients by.
const MAX_KNOWN_BYTES: usize = 2_000;
/// The dictionary that compressed RTF starts with.
const RTF_START: &[u8] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
    \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Writes the message.
pub(super) fn read(compound: &mut Compound, job: &mut Job) -> Result<(), Failure> {
    if let Some(subject) = text(compound, "", "0037", job) {
        job.set_title(&subject);
    }
    if let Some(sender) = text(compound, "", "0C1A", job) {
        job.set_author(&sender);
    }
    job.letter = Some(letter(compound, "", job));
    job.sink.part("");
    message(compound, "", 0, job);
    Ok(())
}

/// Who wrote what to whom; the message lives in a storage.
fn letter(compound: &mut Compound, storage: &str, job: &mut Job) -> Letter {
    let mut known = |properties: &[&str]| {
        let values = properties.iter();
        let values = values.filter_map(|property| text(compound, storage, property, job));
        let mut values: Vec<_> = values
            .filter(|value| !value.is_empty() && !value.starts_with("/O="))
            .collect();
        values.dedup();
        let all = values.join(", ");
        all[..all.floor_char_boundary(MAX_KNOWN_BYTES)].to_owned()
    };
    let (from, mut to) = (known(&["0C1A", "0C1F", "5D01"]), known(&["0E04", "0E03"]));
    let subject = known(&["0037"]);
    for address in addresses(compound, storage, job) {
        if !to.contains(&address) && to.len() + address.len() < MAX_KNOWN_BYTES {
            to.push_str(", ");
            to.push_str(&address);
        }
    }
    Letter {
        from,
        to,
        subject,
        sent_ms: sent_ms(compound, storage, job),
    }
}

/// When the message was sent, else when it came.
fn sent_ms(compound: &mut Compound, storage: &str, job: &mut Job) -> Option<i64> {
    let properties = compound.stream(&format!("{storage}/__properties_version1.0"), job)?;
    let header = if storage.is_empty() { 32 } else { 24 };
    let rows = || {
        properties
            .get(header..)
            .unwrap_or_default()
            .chunks_exact(16)
    };
    let time = |tag: u32| {
        let row = rows().find(|row| u32_at(row, 0) == Some(tag))?;
        windows_ms(u64::from_le_bytes(*row[8..].first_chunk()?))
    };
    time(0x0039_0040).or_else(|| time(0x0E06_0040))
}

/// Writes the message that lives in a storage.
fn message(compound: &mut Compound, storage: &str, depth: u32, job: &mut Job) {
    for property in ["0037", "0C1A", "0C1F", "5D01", "0E04", "0E03"] {
        if let Some(value) = text(compound, storage, property, job) {
            // Addresses of Exchange directories are no words.
            if !value.starts_with("/O=") {
                job.sink.text(&value);
                job.sink.line();
            }
        }
    }
    recipients(compound, storage, job);
    body(compound, storage, job);
    for attachment in compound
        .storages(&format!("{storage}/"))
        .into_iter()
        .take(MAX_ATTACHMENTS)
    {
        if attachment.starts_with("__attach_version1.0") && job.next_member() {
            self::attachment(compound, &format!("{storage}/{attachment}"), depth, job);
        }
    }
}

/// Writes the mail addresses behind the names in the fields.
fn recipients(compound: &mut Compound, storage: &str, job: &mut Job) {
    for address in addresses(compound, storage, job) {
        job.sink.text(&address);
        job.sink.line();
    }
}

/// The mail addresses of the recipients.
fn addresses(compound: &mut Compound, storage: &str, job: &mut Job) -> Vec<String> {
    let storages = compound.storages(&format!("{storage}/")).into_iter();
    let recipients = storages
        .take(MAX_RECIPIENTS)
        .filter(|name| name.starts_with("__recip_version1.0"));
    let address = |recipient: String| {
        let recipient = format!("{storage}/{recipient}");
        text(compound, &recipient, "39FE", job)
            .or_else(|| text(compound, &recipient, "3003", job))
            .filter(|address| address.contains('@'))
    };
    recipients.filter_map(address).collect()
}

fn body(compound: &mut Compound, storage: &str, job: &mut Job) {
    let from = job.sink.len();
    if let Some(body) = text(compound, storage, "1000", job) {
        job.sink.text(&body);
        job.sink.line();
    }
    if job.sink.has_words_since(from) {
        return;
    }
    if let Some(page) = binary(compound, storage, "1013", job) {
        job.sink.line();
        // A broken page gives what it has.
        drop(html::read(&page, job));
    } else if let Some(page) = text(compound, storage, "1013", job) {
        html::read_text(&page, job);
    } else if let Some(rich) =
        binary(compound, storage, "1009", job).and_then(|packed| unpack(&packed))
    {
        drop(rtf::read(&rich, job));
    }
    job.sink.line();
}

fn attachment(compound: &mut Compound, storage: &str, depth: u32, job: &mut Job) {
    let name = text(compound, storage, "3707", job)
        .or_else(|| text(compound, storage, "3704", job))
        .unwrap_or_default();
    let content = binary(compound, storage, "3701", job);
    let inner = format!("{storage}/__substg1.0_3701000D");
    job.sink.line();
    let mut turn = Turn::Read;
    if depth == 0 {
        turn = enter(compound, &name, content.as_deref(), &inner, job);
        job.sink.part(&name);
    }
    job.sink.text(&name);
    job.sink.line();
    if let Some(content) = content {
        job.take_member(turn, &name, &content);
    } else if turn == Turn::Read && depth < job.limits.depth && compound.file.is_storage(&inner) {
        message(compound, &inner, depth + 1, job);
    }
}

/// An attachment as a member of the file; without content it may be a message.
fn enter(
    compound: &mut Compound,
    name: &str,
    content: Option<&[u8]>,
    inner: &str,
    job: &mut Job,
) -> Turn {
    let is_message = content.is_none() && compound.file.is_storage(inner);
    let letter = is_message.then(|| letter(compound, inner, job));
    let subject = letter
        .as_ref()
        .map_or_else(String::new, |letter| letter.subject.clone());
    let path = match (name, is_message) {
        ("", true) => "message.msg",
        ("", false) => "attachment",
        (name, _) => name,
    };
    job.enter(Entry {
        kind: match is_message {
            true => MemberKind::Message,
            false => MemberKind::Attachment,
        },
        path,
        name: &subject,
        size: content.map(|content| content.len() as u64),
        modified_ms: letter.as_ref().and_then(|letter| letter.sent_ms),
        file_type: is_message.then_some(FileType::Msg),
        letter,
    })
}

/// A string property: UTF-16, or bytes of an unknown code page.
fn text(compound: &mut Compound, storage: &str, property: &str, job: &mut Job) -> Option<String> {
    if let Some(bytes) = compound.stream(&format!("{storage}/__substg1.0_{property}001F"), job) {
        return Some(wide(&bytes).trim_end_matches('\0').to_owned());
    }
    let bytes = compound.stream(&format!("{storage}/__substg1.0_{property}001E"), job)?;
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    Some(decode::to_text(&bytes[..end], None).into_owned())
}

fn binary(
    compound: &mut Compound,
    storage: &str,
    property: &str,
    job: &mut Job,
) -> Option<Vec<u8>> {
    compound.stream(&format!("{storage}/__substg1.0_{property}0102"), job)
}

/// Compressed RTF: references into a ring of 4 KiB.
fn unpack(packed: &[u8]) -> Option<Vec<u8>> {
    const RING: usize = 4096;
    let size = (u32_at(packed, 4)? as usize).min(16 << 20);
    if packed.get(8..12)? == b"MELA" {
        return packed.get(16..).map(<[u8]>::to_vec);
    }
    let (mut ring, mut write) = (vec![b' '; RING], RTF_START.len());
    ring[..write].copy_from_slice(RTF_START);
    let (mut out, mut at) = (Vec::new(), 16);
    while out.len() < size {
        let Some(&flags) = packed.get(at) else { break };
        at += 1;
        for bit in 0..8 {
            if flags >> bit & 1 == 0 {
                let Some(&byte) = packed.get(at) else {
                    return Some(out);
                };
                at += 1;
                ring[write] = byte;
                write = (write + 1) % RING;
                out.push(byte);
                continue;
            }
            let Some(reference) = u16_at(packed, at).map(u16::swap_bytes) else {
                return Some(out);
            };
            at += 2;
            let (from, length) = (
                usize::from(reference >> 4),
                usize::from(reference & 0xF) + 2,
            );
            if from == write {
                return Some(out);
            }
            for step in 0..length {
                let byte = ring[(from + step) % RING];
                ring[write] = byte;
                write = (write + 1) % RING;
                out.push(byte);
            }
        }
    }
    Some(out)
}
