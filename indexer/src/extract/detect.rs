//! What a file is: its first bytes decide, a look inside containers refines, its name helps where bytes cannot tell.

use super::FileType;
use super::decode::looks_like_text;
use super::{archive, ole, package};

/// How far into a file a PDF header may be.
const PDF_HEADER_BYTES: usize = 4 << 10;
/// Bytes of a text that show what kind of text it is.
const HEAD_BYTES: usize = 4 << 10;

/// The type of `bytes`, a file called `name`.
#[must_use]
pub fn detect(name: &str, bytes: &[u8]) -> FileType {
    let extension = extension(name);
    if bytes.is_empty() {
        return by_extension(&extension).unwrap_or(FileType::Binary);
    }
    by_signature(bytes, &extension).unwrap_or_else(|| by_text(bytes, &extension))
}

/// The type that a name alone suggests.
pub(super) fn by_name(name: &str) -> FileType {
    by_extension(&extension(name)).unwrap_or(FileType::Binary)
}

/// The lower-case extension of a name, without its dot; empty when there is none.
fn extension(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.rsplit_once('.')
        .map(|(_, e)| e.to_lowercase())
        .filter(|e| e.len() <= 12)
        .unwrap_or_default()
}

fn by_signature(bytes: &[u8], extension: &str) -> Option<FileType> {
    if bytes.starts_with(b"%PDF-") {
        return Some(FileType::Pdf);
    }
    if bytes.starts_with(b"PK\x03\x04")
        || bytes.starts_with(b"PK\x05\x06")
        || bytes.starts_with(b"PK\x07\x08")
    {
        return Some(match package::detect(bytes) {
            // The three are told apart by their names only.
            Some(FileType::Pages) => match by_extension(extension) {
                Some(kind @ (FileType::Numbers | FileType::Keynote)) => kind,
                _ => FileType::Pages,
            },
            found => found.unwrap_or(FileType::Zip),
        });
    }
    if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]) {
        return Some(
            ole::detect(bytes)
                .or_else(|| by_extension(extension))
                .unwrap_or(FileType::Binary),
        );
    }
    if ole::is_bare_workbook(bytes) {
        return Some(FileType::Xls);
    }
    if bytes.trim_ascii_start().starts_with(b"{\\rtf") {
        return Some(FileType::Rtf);
    }
    if let Some(kind) = by_compressor(bytes) {
        return Some(kind);
    }
    if is_tar(bytes) {
        return Some(FileType::Tar);
    }
    if archive::is_other(bytes) {
        return Some(FileType::Archive);
    }
    let head = &bytes[..bytes.len().min(PDF_HEADER_BYTES)];
    if head.windows(5).any(|w| w == b"%PDF-") {
        return Some(FileType::Pdf);
    }
    let found = by_infer(bytes);
    let behind = found.is_none() || found == Some(FileType::Binary);
    if behind && matches!(extension, "zip" | "jar" | "exe") && package::opens(bytes) {
        return Some(FileType::Zip);
    }
    found
}

fn by_compressor(bytes: &[u8]) -> Option<FileType> {
    const SIGNATURES: [(&[u8], FileType); 4] = [
        (&[0x1F, 0x8B], FileType::Gzip),
        (b"7z\xBC\xAF\x27\x1C", FileType::SevenZip),
        (b"\xFD7zXZ\0", FileType::Xz),
        (&[0x28, 0xB5, 0x2F, 0xFD], FileType::Zstandard),
    ];
    // "BZh", the size of its blocks, and either the first block's mark or the end's.
    let is_bzip2 = bytes.starts_with(b"BZh")
        && matches!(
            bytes.get(4..10),
            Some(b"1AY&SY" | b"\x17\x72\x45\x38\x50\x90")
        );
    let known = SIGNATURES
        .iter()
        .find(|(signature, _)| bytes.starts_with(signature));
    known
        .map(|(_, kind)| *kind)
        .or(is_bzip2.then_some(FileType::Bzip2))
}

/// Signatures that no text starts with, whatever follows them.
fn is_image(bytes: &[u8]) -> bool {
    const SIGNATURES: [&[u8]; 5] = [b"\xFF\xD8\xFF", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*"];
    SIGNATURES
        .iter()
        .any(|signature| bytes.starts_with(signature))
}

/// A tar header: its magic (POSIX's or GNU's) and a checksum in octal digits, or without a magic (the first tars) the right checksum.
/// Words of a text may have the magic's letters there.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<512>() else {
        return false;
    };
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'7' | b' ' | 0);
    let sum = &header[148..156];
    if !sum.iter().all(is_digit) {
        return false;
    }
    let digits = str::from_utf8(sum)
        .unwrap_or_default()
        .trim_matches(['\0', ' ']);
    let told = u32::from_str_radix(digits, 8).ok();
    let summed = header.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let counted = summed - sum.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
    matches!(&header[257..263], b"ustar\0" | b"ustar ") || (header[0] != 0 && told == Some(counted))
}

fn by_infer(bytes: &[u8]) -> Option<FileType> {
    use infer::MatcherType as M;
    if looks_like_text(bytes) && !is_image(bytes) && !bytes.starts_with(b"%!PS") {
        return None;
    }
    let found = infer::get(bytes)?;
    Some(match (found.mime_type(), found.matcher_type()) {
        ("image/jpeg", _) => FileType::Jpeg,
        ("image/png", _) => FileType::Png,
        ("image/tiff" | "image/x-canon-cr2", _) => FileType::Tiff,
        ("image/gif", _) => FileType::Gif,
        ("image/webp", _) => FileType::Webp,
        ("image/heif" | "image/avif" | "image/heic", _) => FileType::Heif,
        ("application/postscript", _) => FileType::PostScript,
        (_, M::Image) => FileType::Image,
        (_, M::Audio) => FileType::Audio,
        (_, M::Video) => FileType::Video,
        (_, M::Archive) => FileType::Archive,
        _ => FileType::Binary,
    })
}

fn by_text(bytes: &[u8], extension: &str) -> FileType {
    if !looks_like_text(bytes) {
        return match by_extension(extension) {
            Some(kind) if matches!(kind, FileType::Audio | FileType::Video | FileType::Tar) => kind,
            _ => FileType::Binary,
        };
    }
    let head = super::decode::to_text(&bytes[..bytes.len().min(HEAD_BYTES)], None);
    let head = head.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    by_markup(head, extension)
        .or_else(|| by_mail(head, extension))
        .unwrap_or_else(|| match by_extension(extension) {
            Some(kind)
                if kind.is_plain()
                    || matches!(kind, FileType::Html | FileType::Xml | FileType::Svg) =>
            {
                kind
            }
            _ if matches!(head.as_bytes().first(), Some(b'{' | b'[')) && extension.is_empty() => {
                FileType::Json
            }
            _ => FileType::Text,
        })
}

fn by_markup(head: &str, extension: &str) -> Option<FileType> {
    let lower = head
        .get(..head.floor_char_boundary(1024))
        .unwrap_or(head)
        .to_ascii_lowercase();
    let html = lower.starts_with("<!doctype html")
        || lower.starts_with("<html")
        || lower.contains("<html");
    if by_extension(extension)
        .is_some_and(|kind| matches!(kind, FileType::Code | FileType::Markdown))
    {
        return None;
    }
    if lower.starts_with('<') && html {
        return Some(FileType::Html);
    }
    if lower.starts_with("<?xml") || lower.starts_with("<!doctype") || lower.starts_with("<svg") {
        return Some(if lower.contains("<svg") {
            FileType::Svg
        } else {
            FileType::Xml
        });
    }
    let fragment = [
        "<head", "<body", "<title", "<script", "<table", "<div", "<p>", "<h1", "<meta",
    ];
    (fragment.iter().any(|tag| lower.starts_with(tag))).then_some(FileType::Html)
}

/// Message headers, or a mailbox's `From ` line before them.
fn by_mail(head: &str, extension: &str) -> Option<FileType> {
    let named = matches!(extension, "eml" | "msg" | "mht" | "mhtml" | "mbox" | "mbx");
    let boxed = head.starts_with("From ") && (headers(head.split_once('\n')?.1) >= 1 || named);
    if boxed {
        return Some(FileType::Mailbox);
    }
    let known = headers(head);
    (known >= 3 || (named && known >= 1) || (named && extension != "mbox"))
        .then_some(FileType::Mail)
}

/// How many header fields of messages start the text.
fn headers(head: &str) -> usize {
    const KNOWN: [&str; 14] = [
        "from",
        "to",
        "subject",
        "date",
        "received",
        "return-path",
        "message-id",
        "mime-version",
        "content-type",
        "delivered-to",
        "cc",
        "sender",
        "content-transfer-encoding",
        "reply-to",
    ];
    let mut count = 0;
    for line in head.lines() {
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else {
            break;
        };
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        {
            break;
        }
        count += usize::from(KNOWN.contains(&name.to_ascii_lowercase().as_str()));
    }
    count
}

fn by_extension(extension: &str) -> Option<FileType> {
    use FileType as T;
    Some(match extension {
        "txt" | "text" | "asc" | "srt" | "vtt" | "nfo" => T::Text,
        "md" | "markdown" | "mdown" | "rst" | "adoc" | "asciidoc" | "org" | "textile" | "tex" => {
            T::Markdown
        }
        "log" => T::Log,
        "csv" | "tsv" | "tab" => T::Csv,
        "json" | "jsonl" | "ndjson" | "geojson" | "ipynb" => T::Json,
        "xml" | "xsd" | "xsl" | "xslt" | "rss" | "atom" | "kml" | "gpx" | "plist" | "fodt"
        | "fods" => T::Xml,
        "html" | "htm" | "xhtml" | "xht" => T::Html,
        "svg" => T::Svg,
        "docx" | "docm" | "dotx" => T::Docx,
        "xlsx" | "xlsm" | "xltx" => T::Xlsx,
        "pptx" | "pptm" | "ppsx" | "potx" => T::Pptx,
        "odt" | "ott" => T::Odt,
        "ods" | "ots" => T::Ods,
        "odp" | "otp" | "odg" => T::Odp,
        "doc" | "dot" => T::Doc,
        "xls" | "xlt" => T::Xls,
        "ppt" | "pps" => T::Ppt,
        "rtf" => T::Rtf,
        "epub" => T::Epub,
        "pages" => T::Pages,
        "numbers" => T::Numbers,
        "key" => T::Keynote,
        "pdf" => T::Pdf,
        "ps" | "eps" => T::PostScript,
        "eml" => T::Mail,
        "msg" => T::Msg,
        "mbox" => T::Mailbox,
        "jpg" | "jpeg" => T::Jpeg,
        "png" => T::Png,
        "tif" | "tiff" => T::Tiff,
        "gif" => T::Gif,
        "webp" => T::Webp,
        "heic" | "heif" | "avif" => T::Heif,
        "bmp" | "ico" | "psd" => T::Image,
        "zip" | "jar" => T::Zip,
        "tar" => T::Tar,
        "gz" | "tgz" => T::Gzip,
        "7z" => T::SevenZip,
        "xz" | "txz" => T::Xz,
        "bz2" | "tbz" | "tbz2" => T::Bzip2,
        "zst" | "tzst" => T::Zstandard,
        "rar" | "cpio" | "ar" | "deb" => T::Archive,
        "mp3" | "flac" | "ogg" | "wav" | "m4a" | "opus" | "aac" => T::Audio,
        "mp4" | "mkv" | "avi" | "mov" | "webm" | "mpg" | "mpeg" => T::Video,
        _ if is_code(extension) => T::Code,
        _ => return None,
    })
}

fn is_code(extension: &str) -> bool {
    const CODE: &[&str] = &[
        "ada",
        "asm",
        "awk",
        "bash",
        "bat",
        "bib",
        "c",
        "cc",
        "cfg",
        "clj",
        "cmake",
        "cmd",
        "conf",
        "cpp",
        "cs",
        "css",
        "cxx",
        "d",
        "dart",
        "diff",
        "dockerfile",
        "el",
        "elm",
        "erl",
        "ex",
        "exs",
        "f",
        "f90",
        "fs",
        "go",
        "gradle",
        "graphql",
        "groovy",
        "h",
        "hh",
        "hpp",
        "hrl",
        "hs",
        "hxx",
        "ini",
        "java",
        "js",
        "jsx",
        "jl",
        "kt",
        "kts",
        "less",
        "lisp",
        "lua",
        "m",
        "mak",
        "makefile",
        "mjs",
        "mk",
        "ml",
        "mli",
        "nim",
        "nix",
        "pas",
        "patch",
        "php",
        "pl",
        "pm",
        "po",
        "pro",
        "properties",
        "proto",
        "ps1",
        "py",
        "pyi",
        "pyx",
        "r",
        "rb",
        "rs",
        "s",
        "sass",
        "scala",
        "scm",
        "scss",
        "sh",
        "sol",
        "sql",
        "swift",
        "tcl",
        "tf",
        "thrift",
        "toml",
        "ts",
        "tsx",
        "v",
        "vala",
        "vb",
        "vhd",
        "vim",
        "vue",
        "yaml",
        "yml",
        "zig",
        "zsh",
    ];
    CODE.binary_search(&extension).is_ok() || CODE.contains(&extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_wins_over_the_name() {
        assert_eq!(
            detect("letter.doc", b"<html><body>x</body></html>"),
            FileType::Html
        );
        assert_eq!(detect("a.txt", b"%PDF-1.4\n"), FileType::Pdf);
        assert_eq!(detect("noname", b"{\\rtf1 hi}"), FileType::Rtf);
        assert_eq!(detect("x.msg", b"Subject: hi\n\nbody"), FileType::Mail);
        assert_eq!(
            detect("x", b"From: a@b\nTo: c@d\nSubject: hi\n\nbody"),
            FileType::Mail
        );
        assert_eq!(
            detect("x", b"From a@b Mon\nTo: c@d\nSubject: hi\n\nbody"),
            FileType::Mailbox
        );
    }

    #[test]
    fn a_text_with_a_tars_letters_is_a_text() {
        let mut text = "lantern ".repeat(70).into_bytes();
        text[257..263].copy_from_slice(b"ustar ");
        assert_eq!(detect("letter.txt", &text), FileType::Text);
        text[148..156].copy_from_slice(b"0017245 ");
        assert_eq!(detect("letter.txt", &text), FileType::Tar);
    }

    #[test]
    fn names_tell_texts_apart() {
        assert_eq!(detect("Main.JAVA", b"class Main {}"), FileType::Code);
        assert_eq!(detect("a.csv", b"a,b\n1,2\n"), FileType::Csv);
        assert_eq!(detect("a.md", b"<p>hi</p> # Title"), FileType::Markdown);
        assert_eq!(detect("empty.pdf", b""), FileType::Pdf);
        assert_eq!(detect("noext", b"just words"), FileType::Text);
    }
}
