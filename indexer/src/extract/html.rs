//! HTML to text in one pass over its tags: no tree is built, so nesting costs nothing.

use super::decode;
use super::job::{Failure, Job};
use super::sink::Sink;

/// Longest tag that is looked into, in bytes; the rest of a longer one is skipped.
const MAX_TAG_BYTES: usize = 1 << 20;
/// Longest character reference, in bytes.
const MAX_REFERENCE_BYTES: usize = 34;

/// Writes the visible text of a page, the texts that stand for its pictures, and keeps its title.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let text = decode::to_text(bytes, decode::declared(bytes).as_deref());
    read_text(&text, job);
    Ok(())
}

/// The same for a page that is decoded already.
pub(super) fn read_text(html: &str, job: &mut Job) {
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        write(&rest[..start], &mut job.sink);
        rest = markup(&rest[start..], job);
        if job.sink.stop() {
            return;
        }
    }
    write(rest, &mut job.sink);
}

/// Handles what starts with `<`, and returns what follows it.
fn markup<'t>(rest: &'t str, job: &mut Job) -> &'t str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    if let Some(data) = rest.strip_prefix("<![CDATA[") {
        let end = data.find("]]>").unwrap_or(data.len());
        job.sink.text(&data[..end]);
        return data.get(end + 3..).unwrap_or_default();
    }
    match rest.as_bytes().get(1) {
        Some(b'!' | b'?') => rest.find('>').map_or("", |end| &rest[end + 1..]),
        Some(b'/') | Some(b'a'..=b'z' | b'A'..=b'Z') => tag(rest, job),
        _ => {
            job.sink.text("<");
            &rest[1..]
        }
    }
}

fn tag<'t>(rest: &'t str, job: &mut Job) -> &'t str {
    let end = tag_end(rest);
    let inside = rest[1..end].trim_end_matches('/');
    let after = rest.get(end + 1..).unwrap_or_default();
    if inside.is_empty() {
        return after; // `</>`
    }
    let name_end = inside[1..]
        .find(|c: char| c.is_ascii_whitespace() || c == '/')
        .map_or(inside.len(), |at| at + 1);
    let name = inside[..name_end].to_ascii_lowercase();
    if !is_inline(name.trim_start_matches('/')) {
        separate(&name, &mut job.sink);
    }
    if inside.len() > name_end && inside.len() < MAX_TAG_BYTES {
        alternative(&name, &inside[name_end..], &mut job.sink);
    }
    match name.as_str() {
        "script" | "style" | "template" => skip_to_end(after, &name).1,
        "title" => {
            let (title, after) = skip_to_end(after, &name);
            let from = job.sink.len();
            write(title, &mut job.sink);
            let title = job.sink.since(from).to_owned();
            job.set_title(&title);
            after
        }
        "textarea" | "xmp" => {
            let (text, after) = skip_to_end(after, &name);
            write(text, &mut job.sink);
            after
        }
        _ => after,
    }
}

/// Where the tag at the start of `rest` ends: at the first `>` outside quotes of attribute values.
fn tag_end(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut quote, mut after_equals) = (None, false);
    for (at, &byte) in bytes.iter().enumerate().skip(1) {
        match (quote, byte) {
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b'>') => return at,
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            (None, b'=') => after_equals = true,
            (None, b) if b.is_ascii_whitespace() => {}
            (None, _) => after_equals = false,
        }
    }
    if quote.is_some() {
        rest.find('>').unwrap_or(rest.len())
    } else {
        rest.len()
    }
}

/// The text up to the closing tag of `name`, and what follows that tag.
fn skip_to_end<'t>(rest: &'t str, name: &str) -> (&'t str, &'t str) {
    let mut from = 0;
    while let Some(at) = rest[from..].find("</").map(|at| from + at) {
        let closing = &rest.as_bytes()[at + 2..];
        if closing
            .get(..name.len())
            .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        {
            let end = rest[at..].find('>').map_or(rest.len(), |end| at + end + 1);
            return (&rest[..at], &rest[end..]);
        }
        from = at + 2;
    }
    if name == "title" {
        ("", rest)
    } else {
        (rest, "")
    }
}

/// Elements that stand inside a word's line without separating words.
fn is_inline(name: &str) -> bool {
    const INLINE: [&str; 26] = [
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "ins",
        "kbd", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
    ];
    INLINE.contains(&name)
}

fn separate(name: &str, sink: &mut Sink) {
    const LINES: [&str; 26] = [
        "p",
        "br",
        "div",
        "tr",
        "li",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "table",
        "title",
        "hr",
        "pre",
        "section",
        "article",
        "header",
        "footer",
        "blockquote",
        "dt",
        "dd",
        "body",
        "form",
    ];
    if LINES.contains(&name.trim_start_matches('/')) {
        sink.line()
    } else {
        sink.gap()
    }
}

/// Writes the attributes that stand for what cannot be shown.
fn alternative(name: &str, attributes: &str, sink: &mut Sink) {
    let shown: &[&str] = match name {
        "img" | "area" => &["alt", "title"],
        "meta" => return description(attributes, sink),
        "input" => &["placeholder", "value"],
        "a" | "abbr" | "acronym" => &["title"],
        _ => return,
    };
    if name == "input"
        && attribute(attributes, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("hidden"))
    {
        return;
    }
    for value in shown.iter().filter_map(|key| attribute(attributes, key)) {
        sink.gap();
        write(value, sink);
        sink.gap();
    }
}

fn description(attributes: &str, sink: &mut Sink) {
    let described = attribute(attributes, "name").is_some_and(|n| {
        n.eq_ignore_ascii_case("description")
            || n.eq_ignore_ascii_case("keywords")
            || n.eq_ignore_ascii_case("author")
    });
    if let (true, Some(content)) = (described, attribute(attributes, "content")) {
        sink.line();
        write(content, sink);
        sink.line();
    }
}

/// The raw value of one attribute.
fn attribute<'t>(attributes: &'t str, wanted: &str) -> Option<&'t str> {
    let mut rest = attributes.trim_start();
    while !rest.is_empty() {
        let name_end = rest
            .find(|c: char| c == '=' || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(value) => attribute_value(value.trim_start()),
            None => ("", after),
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = after.trim_start();
        if name.is_empty() && value.is_empty() {
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    None
}

fn attribute_value(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = rest.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    rest.split_at(
        rest.find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(rest.len()),
    )
}

/// Writes text with its character references decoded.
fn write(text: &str, sink: &mut Sink) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        sink.text(&rest[..at]);
        rest = reference(&rest[at + 1..], sink);
    }
    sink.text(rest);
}

/// Writes the reference that `rest` starts with (after its `&`), and returns what follows it.
fn reference<'t>(rest: &'t str, sink: &mut Sink) -> &'t str {
    let bytes = rest.as_bytes();
    let scan = bytes.len().min(MAX_REFERENCE_BYTES);
    let end = (0..scan)
        .find(|&at| !(bytes[at].is_ascii_alphanumeric() || at == 0 && bytes[at] == b'#'))
        .unwrap_or(scan);
    let (name, after) = rest.split_at(end);
    let after = after.strip_prefix(';').unwrap_or(after);
    if let Some(number) = name.strip_prefix('#') {
        if let Some(character) = numbered(number) {
            sink.char(character);
            return after;
        }
    } else if let Some(value) = quick_xml::escape::resolve_html5_entity(name) {
        sink.text(value);
        return after;
    }
    sink.text("&");
    rest
}

fn numbered(number: &str) -> Option<char> {
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    if (0x80..0xA0).contains(&code) {
        let decoded = encoding_rs::WINDOWS_1252
            .decode_without_bom_handling(&[code as u8])
            .0
            .chars()
            .next();
        return decoded;
    }
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, extract};

    fn text(html: &str) -> String {
        extract("a.html", html.as_bytes(), &Limits::default())
            .text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn only_what_is_seen_is_text() {
        let page = "<html><head><title>T&amp;T</title><style>p{}</style></head><body><p>one</p><p>two&nbsp;caf&eacute;\
            <script>var a='</b>no'</script><img alt='a picture'><!-- hidden --><b>bo</b>ld &#8364;&#x41; 1 < 2</body>";
        assert_eq!(text(page), "T&T one two café a picture bold €A 1 < 2");
    }

    #[test]
    fn a_tag_without_a_name_is_nothing() {
        let text = text("<p>one</>two<//>three</");
        assert_eq!(text.replace(' ', ""), "onetwothree");
    }

    #[test]
    fn the_title_is_kept_and_words_of_cells_stay_apart() {
        let page = b"<html><title> A  page </title><table><tr><td>x</td><td>y</td></tr></table>";
        let given = extract("a.html", page, &Limits::default());
        assert_eq!(given.title.as_deref(), Some("A page"));
        assert!(given.text.contains("x y"));
    }

    #[test]
    fn broken_markup_ends() {
        assert_eq!(
            text("<html><p title=\"never closed>word<p>next"),
            "word next"
        );
        assert_eq!(text("<html><a href=x alt"), "");
        assert_eq!(
            text(&format!("<html>{}deep", "<div>".repeat(50_000))),
            "deep"
        );
        assert_eq!(
            text("<html>a &unknown; b & c &#99999999;"),
            "a &unknown; b & c &#99999999;"
        );
    }
}
