//! A page's content: a small interpreter that follows the pen, so that gaps between glyphs become gaps between words.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::super::job::Job;
use super::font::{Font, GlyphNames};
use super::lexer::{Lexer, Token};
use super::matrix::Matrix;
use super::pen::Pen;
use super::{MAX_STREAM_BYTES, string};

/// How deep forms may draw forms.
const MAX_FORM_DEPTH: u32 = 12;
/// Forms drawn in one document.
const MAX_FORMS: u32 = 20_000;
/// Operands of one operator, and operands in one array.
const MAX_OPERANDS: usize = 100_000;
/// Saved graphics states.
const MAX_STATES: usize = 1_000;
/// Annotations of one page.
const MAX_ANNOTATIONS: usize = 5_000;
/// Ancestors of a page or a field.
const MAX_ANCESTORS: usize = 32;

/// Reads pages of one document.
pub(super) struct Pages<'d> {
    document: &'d Document,
    fonts: HashMap<ObjectId, Rc<Font>>,
    names: GlyphNames,
    forms: u32,
    images: bool,
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

/// One content stream under way.
struct Run<'d, 'p, 'j, 'l> {
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

/// An operand.
enum Operand {
    Number(f64),
    String(Vec<u8>),
    Name(Vec<u8>),
    Array(Vec<Operand>),
    ActualText(Vec<u8>),
    Other,
}

impl<'d> Pages<'d> {
    pub fn new(document: &'d Document) -> Self {
        Self {
            document,
            fonts: HashMap::new(),
            names: GlyphNames::default(),
            forms: 0,
            images: false,
        }
    }

    /// Whether any page drew a picture.
    pub fn saw_image(&self) -> bool {
        self.images
    }

    /// Writes the words of one page.
    pub fn read(&mut self, id: ObjectId, job: &mut Job) {
        let Ok(page) = self.document.get_dictionary(id) else {
            return;
        };
        let resources =
            inherited(self.document, page, b"Resources").and_then(|object| object.as_dict().ok());
        let content = self.content(page, job);
        self.run(&content, resources, Matrix::IDENTITY, 0, job);
        self.annotations(page, job);
    }

    fn content(&self, page: &Dictionary, job: &mut Job) -> Vec<u8> {
        let document = self.document;
        let Ok(contents) = page.get_deref(b"Contents", document) else {
            return Vec::new();
        };
        let parts = contents
            .as_array()
            .map_or_else(|_| std::slice::from_ref(contents), Vec::as_slice);
        let mut bytes = Vec::new();
        for part in parts {
            let Ok((_, Object::Stream(stream))) = document.dereference(part) else {
                continue;
            };
            let limit =
                MAX_STREAM_BYTES.min(usize::try_from(job.unpacked_left()).unwrap_or(usize::MAX));
            match stream.decompressed_content_with_limit(limit) {
                Ok(unpacked) => {
                    job.spend(unpacked.len() as u64);
                    bytes.extend_from_slice(&unpacked);
                    bytes.push(b'\n');
                }
                Err(lopdf::Error::Decompress(_)) => job.is_cut = true,
                // A stream that cannot be unpacked shows nothing, as in viewers.
                Err(_) => {}
            }
            if bytes.len() > MAX_STREAM_BYTES {
                break;
            }
        }
        bytes
    }

    fn run(
        &mut self,
        content: &[u8],
        resources: Option<&'d Dictionary>,
        matrix: Matrix,
        depth: u32,
        job: &mut Job,
    ) {
        let mut run = Run {
            pages: self,
            job,
            resources,
            state: State::new(matrix),
            saved: Vec::new(),
            text: Matrix::IDENTITY,
            line: Matrix::IDENTITY,
            pen: Pen::default(),
            marks: Vec::new(),
            depth,
        };
        run.execute(content);
    }

    /// Draws a form.
    fn form(
        &mut self,
        form: &'d Object,
        outer: Option<&'d Dictionary>,
        matrix: Matrix,
        depth: u32,
        job: &mut Job,
    ) {
        let Ok(stream) = form.as_stream() else { return };
        self.forms += 1;
        if depth > MAX_FORM_DEPTH || self.forms > MAX_FORMS || job.sink.stop() {
            return;
        }
        let limit =
            MAX_STREAM_BYTES.min(usize::try_from(job.unpacked_left()).unwrap_or(usize::MAX));
        let Ok(content) = stream.decompressed_content_with_limit(limit) else {
            return;
        };
        job.spend(content.len() as u64);
        let own = stream
            .dict
            .get_deref(b"Resources", self.document)
            .and_then(Object::as_dict)
            .ok();
        let placed = form_matrix(self.document, &stream.dict).then(matrix);
        self.run(&content, own.or(outer), placed, depth, job);
    }

    /// What annotations say: their appearance, else a form field's value, and a note's contents.
    fn annotations(&mut self, page: &'d Dictionary, job: &mut Job) {
        let document = self.document;
        let Ok(list) = page
            .get_deref(b"Annots", document)
            .and_then(Object::as_array)
        else {
            return;
        };
        for annotation in list.iter().take(MAX_ANNOTATIONS) {
            let Ok((_, Object::Dictionary(annotation))) = document.dereference(annotation) else {
                continue;
            };
            let kind = annotation
                .get_deref(b"Subtype", document)
                .and_then(Object::as_name)
                .unwrap_or_default();
            let flags = annotation
                .get_deref(b"F", document)
                .and_then(Object::as_i64)
                .unwrap_or(0);
            if flags & 2 != 0 || matches!(kind, b"Link" | b"Popup") || job.sink.stop() {
                continue;
            }
            let from = job.sink.len();
            job.sink.line();
            if let Some(appearance) = appearance(document, annotation) {
                self.form(appearance, None, Matrix::IDENTITY, 1, job);
            }
            if !job.sink.has_words_since(from) {
                let value =
                    inherited(document, annotation, b"V").and_then(|value| value.as_str().ok());
                let text = value
                    .filter(|_| kind == b"Widget")
                    .and_then(|_| field_value(document, annotation));
                job.sink.text(
                    &text
                        .or_else(|| string(document, annotation, b"Contents"))
                        .unwrap_or_default(),
                );
            }
            job.sink.line();
        }
    }

    fn font(&mut self, resources: Option<&'d Dictionary>, name: &[u8]) -> Option<Rc<Font>> {
        let fonts = resources?
            .get_deref(b"Font", self.document)
            .ok()?
            .as_dict()
            .ok()?;
        let (id, font) = self.document.dereference(fonts.get(name).ok()?).ok()?;
        let font = font.as_dict().ok()?;
        if let Some(known) = id.and_then(|id| self.fonts.get(&id)) {
            return Some(Rc::clone(known));
        }
        let read = Rc::new(Font::read(self.document, font, &mut self.names));
        if let Some(id) = id {
            self.fonts.insert(id, Rc::clone(&read));
        }
        Some(read)
    }
}

impl<'d> Run<'d, '_, '_, '_> {
    fn execute(&mut self, content: &[u8]) {
        let mut lexer = Lexer::new(content);
        let mut operands = Vec::new();
        while let Some(token) = lexer.next() {
            match token {
                Token::Word(b"ID") => {
                    self.pages.images = true;
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
            self.pages.images = true;
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

/// The operand that starts with `token`.
fn operand(token: Token, lexer: &mut Lexer) -> Operand {
    match token {
        Token::Number(number) => Operand::Number(number),
        Token::String(bytes) => Operand::String(bytes),
        Token::Name(name) => Operand::Name(name),
        Token::Open => array(lexer),
        Token::DictionaryOpen => dictionary(lexer),
        _ => Operand::Other,
    }
}

/// A flat array; nested ones lend it their elements.
fn array(lexer: &mut Lexer) -> Operand {
    let (mut parts, mut depth) = (Vec::new(), 1u32);
    while let Some(token) = lexer.next() {
        match token {
            Token::Open => depth += 1,
            Token::Close if depth == 1 => break,
            Token::Close => depth -= 1,
            Token::Number(number) => parts.push(Operand::Number(number)),
            Token::String(bytes) => parts.push(Operand::String(bytes)),
            // An array that never closes ends where the next operator stands.
            Token::Word(_) => break,
            _ => {}
        }
        if parts.len() >= MAX_OPERANDS {
            break;
        }
    }
    Operand::Array(parts)
}

/// A property list: only its replacement text matters.
fn dictionary(lexer: &mut Lexer) -> Operand {
    let (mut depth, mut found, mut is_wanted) = (1u32, None, false);
    while let Some(token) = lexer.next() {
        match token {
            Token::DictionaryOpen => depth += 1,
            Token::DictionaryClose if depth == 1 => break,
            Token::DictionaryClose => depth -= 1,
            Token::String(bytes) if is_wanted => found = Some(bytes),
            Token::Name(name) => {
                is_wanted = name == b"ActualText";
                continue;
            }
            _ => {}
        }
        is_wanted = false;
    }
    found.map_or(Operand::Other, Operand::ActualText)
}

fn numeric(operands: &[Operand], index: usize) -> f64 {
    match operands.get(index) {
        Some(Operand::Number(number)) => *number,
        _ => 0.0,
    }
}

fn matrix(operands: &[Operand]) -> Matrix {
    Matrix(std::array::from_fn(|index| numeric(operands, index)))
}

fn form_matrix(document: &Document, form: &Dictionary) -> Matrix {
    let Ok(values) = form
        .get_deref(b"Matrix", document)
        .and_then(Object::as_array)
    else {
        return Matrix::IDENTITY;
    };
    let value = |index: usize| {
        values
            .get(index)
            .and_then(|value| value.as_float().ok())
            .map(f64::from)
    };
    let identity = Matrix::IDENTITY.0;
    Matrix(std::array::from_fn(|index| {
        value(index).unwrap_or(identity[index])
    }))
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

/// A value of the dictionary or of its nearest ancestor that has it.
fn inherited<'d>(
    document: &'d Document,
    dictionary: &'d Dictionary,
    key: &[u8],
) -> Option<&'d Object> {
    let mut node = dictionary;
    for _ in 0..MAX_ANCESTORS {
        if let Ok(value) = node.get_deref(key, document) {
            return Some(value);
        }
        node = node.get_deref(b"Parent", document).ok()?.as_dict().ok()?;
    }
    None
}

fn field_value(document: &Document, field: &Dictionary) -> Option<String> {
    let mut node = field;
    for _ in 0..MAX_ANCESTORS {
        if let Some(value) = string(document, node, b"V") {
            return Some(value);
        }
        node = node.get_deref(b"Parent", document).ok()?.as_dict().ok()?;
    }
    None
}

/// The normal appearance; of several states the one that is set.
fn appearance<'d>(document: &'d Document, annotation: &'d Dictionary) -> Option<&'d Object> {
    let normal = annotation
        .get_deref(b"AP", document)
        .ok()?
        .as_dict()
        .ok()?
        .get_deref(b"N", document)
        .ok()?;
    match normal {
        Object::Stream(_) => Some(normal),
        Object::Dictionary(states) => {
            let state = annotation.get_deref(b"AS", document).ok()?.as_name().ok()?;
            states.get_deref(state, document).ok()
        }
        _ => None,
    }
}
