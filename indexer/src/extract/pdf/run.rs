//! One content stream: a small interpreter that follows the pen, so that gaps between glyphs become gaps between words.

use std::rc::Rc;

use lopdf::{Dictionary, Object};

use super::super::job::Job;
use super::font::Font;
use super::lexer::{Lexer, Token};
use super::matrix::Matrix;
use super::operand::{MAX_OPERANDS, Operand, matrix, numeric, operand};
use super::page::Pages;
use super::pen::Pen;

/// Saved graphics states.
const MAX_STATES: usize = 1_000;

/// One content stream under way.
pub(super) struct Run<'d, 'p, 'j, 'l> {
    pages: &'p mut Pages<'d>,
    job: &'j mut Job<'l>,
    resources: Option<&'d Dictionary>,
    state: State,
    saved: Vec<State>,
    text: Matrix,
    line: Matrix,
    pen: Pen,
    /// For every open marked content: whether its glyphs are replaced by a text.
    marks: Vec<bool>,
    depth: u32,
}

/// What `q` saves.
#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character_space: f64,
    word_space: f64,
    scale: f64,
    leading: f64,
    rise: f64,
}

impl State {
    fn new(matrix: Matrix) -> Self {
        Self {
            matrix,
            font: None,
            size: 1.0,
            character_space: 0.0,
            word_space: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
        }
    }
}

impl<'d, 'p, 'j, 'l> Run<'d, 'p, 'j, 'l> {
    /// A stream that draws with `resources`, its space placed by `matrix`, `depth` forms deep.
    pub fn new(
        pages: &'p mut Pages<'d>,
        resources: Option<&'d Dictionary>,
        matrix: Matrix,
        depth: u32,
        job: &'j mut Job<'l>,
    ) -> Self {
        Self {
            pages,
            job,
            resources,
            state: State::new(matrix),
            saved: Vec::new(),
            text: Matrix::IDENTITY,
            line: Matrix::IDENTITY,
            pen: Pen::default(),
            marks: Vec::new(),
            depth,
        }
    }

    /// Writes the words that the stream shows.
    pub fn execute(&mut self, content: &[u8]) {
        let mut lexer = Lexer::new(content);
        let mut operands = Vec::new();
        while let Some(token) = lexer.next() {
            match token {
                Token::Word(b"ID") => {
                    self.pages.see_image();
                    lexer.skip_image();
                    operands.clear();
                }
                Token::Word(operator) => {
                    self.operate(operator, &operands);
                    operands.clear();
                    if self.job.sink.stop() {
                        return;
                    }
                }
                token => {
                    let operand = operand(token, &mut lexer);
                    if operands.len() < MAX_OPERANDS {
                        operands.push(operand);
                    }
                }
            }
        }
    }

    fn operate(&mut self, operator: &[u8], operands: &[Operand]) {
        match operator {
            b"q" if self.saved.len() < MAX_STATES => self.saved.push(self.state.clone()),
            b"Q" => self.state = self.saved.pop().unwrap_or_else(|| self.state.clone()),
            b"cm" => self.state.matrix = matrix(operands).then(self.state.matrix),
            b"Do" => self.draw(operands),
            b"BDC" => self.mark(operands.last()),
            b"BMC" => self.mark(None),
            b"EMC" => drop(self.marks.pop()),
            _ => self.operate_text(operator, operands),
        }
    }

    fn operate_text(&mut self, operator: &[u8], operands: &[Operand]) {
        let first = numeric(operands, 0);
        match operator {
            b"BT" => (self.text, self.line) = (Matrix::IDENTITY, Matrix::IDENTITY),
            b"Tc" => self.state.character_space = first,
            b"Tw" => self.state.word_space = first,
            b"Tz" => self.state.scale = first / 100.0,
            b"TL" => self.state.leading = first,
            b"Ts" => self.state.rise = first,
            b"Tf" => self.set_font(operands),
            b"Td" => self.move_line(first, numeric(operands, 1)),
            b"TD" => {
                self.state.leading = -numeric(operands, 1);
                self.move_line(first, numeric(operands, 1));
            }
            b"Tm" => {
                self.line = matrix(operands);
                self.text = self.line;
            }
            b"T*" => self.move_line(0.0, -self.state.leading),
            b"Tj" => self.show(operands.first()),
            b"TJ" => self.show(operands.first()),
            b"'" => {
                self.move_line(0.0, -self.state.leading);
                self.show(operands.first());
            }
            b"\"" => {
                (self.state.word_space, self.state.character_space) = (first, numeric(operands, 1));
                self.move_line(0.0, -self.state.leading);
                self.show(operands.get(2));
            }
            _ => {}
        }
    }

    fn set_font(&mut self, operands: &[Operand]) {
        if let Some(Operand::Name(name)) = operands.first() {
            self.state.font = self.pages.font(self.resources, name);
        }
        self.state.size = numeric(operands, 1);
    }

    fn move_line(&mut self, x: f64, y: f64) {
        self.line = Matrix::translation(x, y).then(self.line);
        self.text = self.line;
    }

    fn show(&mut self, operand: Option<&Operand>) {
        match operand {
            Some(Operand::String(bytes)) => self.show_string(bytes),
            Some(Operand::Array(parts)) => {
                for part in parts {
                    match part {
                        Operand::String(bytes) => self.show_string(bytes),
                        Operand::Number(back) => self.advance(-back / 1000.0 * self.state.size),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn show_string(&mut self, bytes: &[u8]) {
        let Some(font) = self.state.font.clone() else {
            return self.show_unknown(bytes);
        };
        let silent = self.marks.contains(&true);
        font.decode(bytes, |shown| {
            let width = shown.width * self.state.size;
            if !silent && !shown.text.is_empty() {
                self.place(shown.text, width);
            }
            let word_space = if shown.is_space {
                self.state.word_space
            } else {
                0.0
            };
            self.advance(width + self.state.character_space + word_space);
        });
    }

    /// Without a font the codes most likely are characters.
    fn show_unknown(&mut self, bytes: &[u8]) {
        if bytes.iter().all(|byte| (32..127).contains(byte)) && !self.marks.contains(&true) {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let width = 0.5 * self.state.size * bytes.len() as f64;
            self.place(&text, width);
            self.advance(width);
        }
    }

    /// Writes text at the pen, after what the distance to the last glyph asks for.
    fn place(&mut self, text: &str, width: f64) {
        let state = &self.state;
        let [size, scale] = [state.size, state.scale];
        let glyph = Matrix([size * scale, 0.0, 0.0, size, 0.0, state.rise])
            .then(self.text)
            .then(state.matrix);
        let loose = state.character_space * scale / (size * scale).abs().max(1e-9);
        let vertical = state.font.as_ref().is_some_and(|font| font.is_vertical());
        self.pen.place(
            glyph,
            width / size.abs().max(1e-9),
            loose,
            vertical,
            &mut self.job.sink,
        );
        self.job.sink.text(text);
    }

    /// Moves along the line by a distance in text space.
    fn advance(&mut self, distance: f64) {
        let vertical = self
            .state
            .font
            .as_ref()
            .is_some_and(|font| font.is_vertical());
        let step = if vertical {
            (0.0, -distance)
        } else {
            (distance * self.state.scale, 0.0)
        };
        self.text = Matrix::translation(step.0, step.1).then(self.text);
    }

    /// Opens marked content; its replacement text, if it has one, is written now.
    fn mark(&mut self, properties: Option<&Operand>) {
        let named = match properties {
            Some(Operand::Name(name)) => self.property(name),
            _ => None,
        };
        let replacement = match (properties, named) {
            (Some(Operand::ActualText(text)), _) => Some(text.clone()),
            (_, Some(text)) => Some(text),
            _ => None,
        };
        let Some(replacement) = replacement else {
            return self.open_mark(false);
        };
        let text = text_string(&replacement);
        if !self.marks.contains(&true) {
            self.place(&text, 0.0);
        }
        self.open_mark(true);
    }

    fn open_mark(&mut self, silent: bool) {
        if self.marks.len() < MAX_STATES {
            self.marks.push(silent);
        }
    }

    fn property(&self, name: &[u8]) -> Option<Vec<u8>> {
        let document = self.pages.document;
        let properties = self
            .resources?
            .get_deref(b"Properties", document)
            .ok()?
            .as_dict()
            .ok()?;
        let property = properties.get_deref(name, document).ok()?.as_dict().ok()?;
        Some(
            property
                .get_deref(b"ActualText", document)
                .ok()?
                .as_str()
                .ok()?
                .to_vec(),
        )
    }

    fn draw(&mut self, operands: &[Operand]) {
        let document = self.pages.document;
        let Some(Operand::Name(name)) = operands.first() else {
            return;
        };
        let objects = self
            .resources
            .and_then(|r| r.get_deref(b"XObject", document).ok()?.as_dict().ok());
        let Some(object) = objects.and_then(|objects| objects.get_deref(name, document).ok())
        else {
            return;
        };
        let Ok(stream) = object.as_stream() else {
            return;
        };
        if stream
            .dict
            .get_deref(b"Subtype", document)
            .and_then(Object::as_name)
            .is_ok_and(|kind| kind == b"Image")
        {
            self.pages.see_image();
        } else if !self.marks.contains(&true) {
            self.job.sink.gap();
            self.pages.form(
                object,
                self.resources,
                self.state.matrix,
                self.depth + 1,
                self.job,
            );
            self.pen = Pen::default();
        }
    }
}

fn text_string(bytes: &[u8]) -> String {
    match bytes.strip_prefix(b"\xFE\xFF") {
        Some(wide) => encoding_rs::UTF_16BE
            .decode_without_bom_handling(wide)
            .0
            .into_owned(),
        None => encoding_rs::WINDOWS_1252
            .decode_without_bom_handling(bytes)
            .0
            .into_owned(),
    }
}
