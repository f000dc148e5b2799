//! Rich Text Format: one pass over groups, control words and bytes in the code page of the font at hand.

use std::collections::HashMap;

use encoding_rs::{self as codepages, Encoding};

use super::job::{Failure, Job};

/// Groups open at once; deeper ones are read as if they were at this depth.
const MAX_GROUPS: usize = 10_000;

/// What a group changes until it ends.
#[derive(Clone)]
struct Group {
    kept: Kept,
    encoding: &'static Encoding,
    /// Fallback characters after each `\u`.
    fallback: usize,
    /// Whether `\*` was just seen.
    optional: bool,
}

/// Where the characters of a group go.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Text,
    Nothing,
    Fonts,
    Title,
    Author,
}

struct Reader<'b, 'j, 'l> {
    bytes: &'b [u8],
    at: usize,
    job: &'j mut Job<'l>,
    groups: Vec<Group>,
    group: Group,
    default: &'static Encoding,
    fonts: HashMap<i32, &'static Encoding>,
    font: i32,
    pending: Vec<u8>,
    headline: String,
    skip: usize,
    high: Option<u16>,
}

/// Writes the text of an RTF file.
pub(super) fn read(bytes: &[u8], job: &mut Job) -> Result<(), Failure> {
    let group = Group {
        kept: Kept::Text,
        encoding: codepages::WINDOWS_1252,
        fallback: 1,
        optional: false,
    };
    let mut reader = Reader {
        bytes,
        at: 0,
        job,
        groups: Vec::new(),
        group,
        default: codepages::WINDOWS_1252,
        fonts: HashMap::new(),
        font: 0,
        pending: Vec::new(),
        headline: String::new(),
        skip: 0,
        high: None,
    };
    reader.run();
    reader.flush();
    Ok(())
}

impl Reader<'_, '_, '_> {
    fn run(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'{' => self.open(),
                b'}' => self.close(),
                b'\\' => self.control(),
                b'\r' | b'\n' => {}
                byte => self.byte(byte),
            }
            if self.job.sink.stop() {
                return;
            }
        }
    }

    fn open(&mut self) {
        self.flush();
        self.skip = 0;
        if self.groups.len() < MAX_GROUPS {
            self.groups.push(self.group.clone());
        }
        self.group.optional = false;
    }

    fn close(&mut self) {
        self.flush();
        self.skip = 0;
        let ended = self.group.kept;
        if let Some(outer) = self.groups.pop() {
            self.group = outer;
        }
        if ended != self.group.kept {
            let headline = std::mem::take(&mut self.headline);
            match ended {
                Kept::Title => self.job.set_title(&headline),
                Kept::Author => self.job.set_author(&headline),
                _ => {}
            }
        }
    }

    /// One byte of text.
    fn byte(&mut self, byte: u8) {
        if self.skip > 0 {
            self.skip -= 1;
        } else if self.group.kept != Kept::Nothing {
            self.pending.push(byte);
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let bytes = std::mem::take(&mut self.pending);
        self.write(&self.group.encoding.decode_without_bom_handling(&bytes).0);
    }

    fn write(&mut self, text: &str) {
        match self.group.kept {
            Kept::Text => self.job.sink.text(text),
            Kept::Title | Kept::Author => self.headline.push_str(text),
            Kept::Nothing | Kept::Fonts => {}
        }
    }

    fn control(&mut self) {
        let Some(&first) = self.bytes.get(self.at) else {
            return;
        };
        if !first.is_ascii_alphabetic() {
            self.at += 1;
            return self.symbol(first);
        }
        let rest = &self.bytes[self.at..];
        let length = rest
            .iter()
            .take(32)
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
        let word = String::from_utf8_lossy(&rest[..length]).into_owned();
        self.at += length;
        let number = self.number();
        if self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
        self.word(&word, number);
    }

    fn number(&mut self) -> Option<i32> {
        let rest = &self.bytes[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..]
            .iter()
            .take(10)
            .take_while(|b| b.is_ascii_digit())
            .count();
        if digits == 0 {
            return None;
        }
        self.at += sign + digits;
        std::str::from_utf8(&rest[..sign + digits])
            .ok()?
            .parse()
            .ok()
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'\'' => {
                let hex = self
                    .bytes
                    .get(self.at..self.at + 2)
                    .and_then(|hex| std::str::from_utf8(hex).ok());
                if let Some(byte) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
                    self.at += 2;
                    self.byte(byte);
                }
            }
            b'*' => self.group.optional = true,
            b'\\' | b'{' | b'}' => self.byte(symbol),
            b'~' => self.byte(b' '),
            b'_' => self.byte(b'-'),
            b'\r' | b'\n' => self.line(),
            _ => {}
        }
    }

    fn word(&mut self, word: &str, number: Option<i32>) {
        let optional = std::mem::take(&mut self.group.optional);
        match word {
            "par" | "line" | "row" | "sect" | "nestrow" => self.line(),
            "page" => {
                self.flush();
                if self.group.kept == Kept::Text {
                    self.job.sink.line();
                }
            }
            "tab" | "cell" | "nestcell" => self.gap(),
            "u" => self.unicode(number.unwrap_or(0)),
            "uc" => self.group.fallback = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(64),
            "bin" => {
                self.at = self
                    .at
                    .saturating_add(usize::try_from(number.unwrap_or(0)).unwrap_or(0))
            }
            "f" => self.set_font(number.unwrap_or(0)),
            "plain" => self.set_encoding(self.default),
            "fcharset" => self.font_charset(number.unwrap_or(0)),
            "ansicpg" => self.set_default(codepage(number.unwrap_or(1252))),
            "mac" => self.set_default(codepages::MACINTOSH),
            "emdash" | "endash" => self.literal("-"),
            "lquote" | "rquote" => self.literal("\u{2019}"),
            "ldblquote" | "rdblquote" => self.literal("\""),
            "bullet" | "emspace" | "enspace" | "qmspace" => self.gap(),
            "fonttbl" => self.keep(Kept::Fonts),
            "title" => self.keep(Kept::Title),
            "author" => self.keep(Kept::Author),
            _ if is_skipped(word) || (optional && !is_optional_text(word)) => {
                self.keep(Kept::Nothing)
            }
            _ if is_note(word) => self.line(),
            _ => {}
        }
    }

    fn keep(&mut self, kept: Kept) {
        self.flush();
        let titled = matches!(kept, Kept::Title | Kept::Author);
        // The information group is skipped but for these two.
        if self.group.kept == Kept::Text || titled {
            self.group.kept = kept;
        }
    }

    fn line(&mut self) {
        self.flush();
        if self.group.kept == Kept::Text {
            self.job.sink.line();
        }
    }

    fn gap(&mut self) {
        self.flush();
        if self.group.kept == Kept::Text {
            self.job.sink.gap();
        }
    }

    fn literal(&mut self, text: &str) {
        self.flush();
        self.write(text);
    }

    fn unicode(&mut self, number: i32) {
        self.flush();
        self.skip = self.group.fallback;
        let unit = (number & 0xFFFF) as u16;
        let units = match (self.high.take(), unit) {
            (_, 0xD800..=0xDBFF) => {
                self.high = Some(unit);
                return;
            }
            (Some(high), 0xDC00..=0xDFFF) => vec![high, unit],
            (_, unit) => vec![unit],
        };
        self.write(&String::from_utf16_lossy(&units));
    }

    fn set_font(&mut self, font: i32) {
        self.flush();
        self.font = font;
        if self.group.kept != Kept::Fonts {
            let encoding = self.fonts.get(&font).copied().unwrap_or(self.default);
            self.set_encoding(encoding);
        }
    }

    fn set_encoding(&mut self, encoding: &'static Encoding) {
        self.flush();
        self.group.encoding = encoding;
    }

    fn set_default(&mut self, encoding: &'static Encoding) {
        self.default = encoding;
        self.set_encoding(encoding);
    }

    fn font_charset(&mut self, charset: i32) {
        if self.group.kept == Kept::Fonts && self.fonts.len() < 10_000 {
            let encoding = match charset {
                77 => codepages::MACINTOSH,
                128 => codepages::SHIFT_JIS,
                129 | 130 => codepages::EUC_KR,
                134 => codepages::GBK,
                136 => codepages::BIG5,
                161 => codepages::WINDOWS_1253,
                162 => codepages::WINDOWS_1254,
                163 => codepages::WINDOWS_1258,
                177 => codepages::WINDOWS_1255,
                178 => codepages::WINDOWS_1256,
                186 => codepages::WINDOWS_1257,
                204 => codepages::WINDOWS_1251,
                222 => codepages::WINDOWS_874,
                238 => codepages::WINDOWS_1250,
                _ => self.default,
            };
            self.fonts.insert(self.font, encoding);
        }
    }
}

/// The encoding of a Windows code page.
pub(super) fn codepage(number: i32) -> &'static Encoding {
    match number {
        866 => codepages::IBM866,
        874 => codepages::WINDOWS_874,
        932 => codepages::SHIFT_JIS,
        936 | 54_936 => codepages::GBK,
        949 => codepages::EUC_KR,
        950 => codepages::BIG5,
        1250 => codepages::WINDOWS_1250,
        1251 => codepages::WINDOWS_1251,
        1253 => codepages::WINDOWS_1253,
        1254 => codepages::WINDOWS_1254,
        1255 => codepages::WINDOWS_1255,
        1256 => codepages::WINDOWS_1256,
        1257 => codepages::WINDOWS_1257,
        1258 => codepages::WINDOWS_1258,
        10_000 => codepages::MACINTOSH,
        10_007 => codepages::X_MAC_CYRILLIC,
        20_866 => codepages::KOI8_R,
        28_592 => codepages::ISO_8859_2,
        65_001 => codepages::UTF_8,
        _ => codepages::WINDOWS_1252,
    }
}

/// Groups that hold no text of the document.
fn is_skipped(word: &str) -> bool {
    matches!(
        word,
        "colortbl"
            | "stylesheet"
            | "info"
            | "pict"
            | "objdata"
            | "objclass"
            | "objname"
            | "nonshppict"
            | "listtable"
            | "listoverridetable"
            | "rsidtbl"
            | "generator"
            | "filetbl"
            | "revtbl"
            | "themedata"
            | "datastore"
            | "colorschememapping"
            | "latentstyles"
            | "xmlnstbl"
            | "fldinst"
            | "bkmkstart"
            | "bkmkend"
            | "panose"
            | "falt"
            | "sn"
            | "sv"
            | "pgdsctbl"
            | "wgrffmtfilter"
            | "mmathPr"
            | "atnid"
            | "atnref"
            | "atndate"
            | "pntxta"
            | "pntxtb"
            | "picprop"
            | "blipuid"
            | "xe"
            | "tc"
            | "template"
            | "operator"
            | "company"
    )
}

/// Groups that old readers may skip, but that hold text.
fn is_optional_text(word: &str) -> bool {
    matches!(
        word,
        "shpinst"
            | "shptxt"
            | "annotation"
            | "footnote"
            | "ud"
            | "nesttableprops"
            | "atnauthor"
            | "do"
    )
}

fn is_note(word: &str) -> bool {
    word == "footnote"
        || word == "annotation"
        || word.starts_with("header")
        || word.starts_with("footer")
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, extract};

    #[test]
    fn code_pages_unicode_and_skipped_groups() {
        let rtf = br"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}{\f1\fcharset204 Cyr;}}{\info{\title The Title}}
{\*\unknown junk}\f0 caf\'e9\par{\f1\'ef\'f0\'e8}\tab \uc1\u8364?5{\pict 0badf00d} \{x\}}";
        let given = extract("a.rtf", rtf, &Limits::default());
        assert_eq!(given.text, "café\nпри €5 {x}");
        assert_eq!(given.title.as_deref(), Some("The Title"));
    }
}
