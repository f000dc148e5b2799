//! Tokens of content streams and character maps, one at a time, so that a huge stream needs no memory.

/// A token. Numbers that are none count as zero, as viewers do.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'b> {
    Number(f64),
    String(Vec<u8>),
    Name(Vec<u8>),
    Open,
    Close,
    DictionaryOpen,
    DictionaryClose,
    /// An operator or keyword.
    Word(&'b [u8]),
}

/// Reads tokens from bytes.
pub(super) struct Lexer<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Lexer<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn next(&mut self) -> Option<Token<'b>> {
        self.skip_space();
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(match byte {
            b'(' => Token::String(self.literal()),
            b'<' if self.take(b'<') => Token::DictionaryOpen,
            b'<' => Token::String(self.hexadecimal()),
            b'>' => {
                self.take(b'>');
                Token::DictionaryClose
            }
            b'[' => Token::Open,
            b']' => Token::Close,
            b'{' | b'}' | b')' => return self.next_after_stray(),
            b'/' => Token::Name(self.name()),
            _ => self.word(),
        })
    }

    /// Skips stray delimiters without recursion.
    fn next_after_stray(&mut self) -> Option<Token<'b>> {
        while self
            .bytes
            .get(self.at)
            .is_some_and(|b| matches!(b, b'{' | b'}' | b')') || is_space(*b))
        {
            self.at += 1;
        }
        if self.at < self.bytes.len() {
            self.next()
        } else {
            None
        }
    }

    fn skip_space(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            if byte == b'%' {
                let rest = &self.bytes[self.at..];
                self.at += rest
                    .iter()
                    .position(|b| matches!(b, b'\r' | b'\n'))
                    .unwrap_or(rest.len());
            } else if is_space(byte) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self) -> Token<'b> {
        let start = self.at - 1;
        while self.bytes.get(self.at).is_some_and(|b| is_regular(*b)) {
            self.at += 1;
        }
        let word = &self.bytes[start..self.at];
        match number(word) {
            Some(number) => Token::Number(number),
            None => Token::Word(word),
        }
    }

    fn name(&mut self) -> Vec<u8> {
        let mut name = Vec::new();
        while let Some(&byte) = self.bytes.get(self.at).filter(|b| is_regular(**b)) {
            self.at += 1;
            let pair = self
                .bytes
                .get(self.at..self.at + 2)
                .filter(|_| byte == b'#');
            match pair.and_then(|pair| Some(hex(pair[0])? << 4 | hex(pair[1])?)) {
                Some(code) => {
                    name.push(code);
                    self.at += 2;
                }
                None => name.push(byte),
            }
        }
        name
    }

    fn literal(&mut self) -> Vec<u8> {
        let (mut string, mut depth) = (Vec::new(), 1u32);
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.escape(&mut string),
                b'(' => {
                    depth += 1;
                    string.push(byte);
                }
                b')' if depth == 1 => break,
                b')' => {
                    depth -= 1;
                    string.push(byte);
                }
                b'\r' => {
                    self.take(b'\n');
                    string.push(b'\n');
                }
                byte => string.push(byte),
            }
        }
        string
    }

    fn escape(&mut self, string: &mut Vec<u8>) {
        let Some(&byte) = self.bytes.get(self.at) else {
            return;
        };
        self.at += 1;
        match byte {
            b'n' => string.push(b'\n'),
            b'r' => string.push(b'\r'),
            b't' => string.push(b'\t'),
            b'b' => string.push(8),
            b'f' => string.push(12),
            b'\r' => drop(self.take(b'\n')),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut code = u32::from(byte - b'0');
                for _ in 0..2 {
                    let Some(&digit @ b'0'..=b'7') = self.bytes.get(self.at) else {
                        break;
                    };
                    code = code * 8 + u32::from(digit - b'0');
                    self.at += 1;
                }
                string.push((code & 0xFF) as u8);
            }
            byte => string.push(byte),
        }
    }

    fn hexadecimal(&mut self) -> Vec<u8> {
        let (mut string, mut high) = (Vec::new(), None);
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            if byte == b'>' {
                break;
            }
            let Some(digit) = hex(byte) else { continue };
            match high.take() {
                Some(high) => string.push(high << 4 | digit),
                None => high = Some(digit),
            }
        }
        string.extend(high.map(|high| high << 4));
        string
    }

    /// Skips the data of an inline image; call after its `ID`.
    pub fn skip_image(&mut self) {
        let mut from = self.at;
        while let Some(at) = self.bytes[from..]
            .iter()
            .position(|b| *b == b'E')
            .map(|at| from + at)
        {
            let before = at == 0 || is_space(self.bytes[at - 1]);
            let after = self.bytes.get(at + 2).is_none_or(|b| is_space(*b));
            if self.bytes.get(at + 1) == Some(&b'I')
                && before
                && after
                && self.looks_like_content(at + 2)
            {
                self.at = at + 2;
                return;
            }
            from = at + 1;
        }
        self.at = self.bytes.len();
    }

    /// Whether operators, not pixels, follow.
    fn looks_like_content(&self, at: usize) -> bool {
        let end = self.bytes.len().min(at + 16);
        self.bytes[at.min(end)..end]
            .iter()
            .all(|b| is_space(*b) || (0x20..0x7F).contains(b))
    }
}

fn number(word: &[u8]) -> Option<f64> {
    if !matches!(word.first()?, b'0'..=b'9' | b'+' | b'-' | b'.') {
        return None;
    }
    let text = std::str::from_utf8(word).ok()?;
    if let Ok(number) = text.parse::<f64>() {
        return Some(number);
    }
    // Writers produce `--5` and `1.2-3`: what stands before the second sign counts.
    let trimmed = text.trim_start_matches('-');
    let end = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let number = trimmed[..end].parse::<f64>().unwrap_or(0.0);
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte)
        && !matches!(
            byte,
            b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%'
        )
}

fn hex(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_every_kind() {
        let mut lexer =
            Lexer::new(b"/F#31 12.5 Tf [(a\\(b\\051\\101) -3 <4 14>] TJ % gone\n<</A 1>> --5");
        let mut tokens = Vec::new();
        while let Some(token) = lexer.next() {
            tokens.push(token);
        }
        let expected = vec![
            Token::Name(b"F1".to_vec()),
            Token::Number(12.5),
            Token::Word(b"Tf"),
            Token::Open,
            Token::String(b"a(b)A".to_vec()),
            Token::Number(-3.0),
            Token::String(b"A\x40".to_vec()),
            Token::Close,
            Token::Word(b"TJ"),
            Token::DictionaryOpen,
            Token::Name(b"A".to_vec()),
            Token::Number(1.0),
            Token::DictionaryClose,
            Token::Number(-5.0),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn pixels_of_inline_images_are_skipped() {
        let mut lexer = Lexer::new(b"ID \x01EI\xFF EI\xFF EI Q");
        lexer.next();
        lexer.skip_image();
        assert_eq!(lexer.next(), Some(Token::Word(b"Q")));
    }
}
