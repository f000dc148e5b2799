//! Pages, and the forms and fonts that they draw with.

use std::collections::HashMap;
use std::rc::Rc;

use lopdf::{Dictionary, Document, Object, ObjectId};

use super::super::job::Job;
use super::font::{Font, GlyphNames};
use super::matrix::Matrix;
use super::run::Run;
use super::{MAX_ANCESTORS, MAX_STREAM_BYTES, annotation};

/// How deep forms may draw forms.
const MAX_FORM_DEPTH: u32 = 12;
/// Forms drawn in one document.
const MAX_FORMS: u32 = 20_000;

/// Reads pages of one document.
pub(super) struct Pages<'d> {
    pub document: &'d Document,
    fonts: HashMap<ObjectId, Rc<Font>>,
    names: GlyphNames,
    forms: u32,
    images: bool,
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

    /// Whether a picture was drawn since this was asked last.
    pub fn take_image(&mut self) -> bool {
        std::mem::take(&mut self.images)
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
        annotation::read(self, self.document, page, job);
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
        Run::new(self, resources, matrix, depth, job).execute(content);
    }

    /// The page draws a picture.
    pub fn see_image(&mut self) {
        self.images = true;
    }

    /// Draws a form.
    pub fn form(
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

    /// The font that the resources call `name`.
    pub fn font(&mut self, resources: Option<&'d Dictionary>, name: &[u8]) -> Option<Rc<Font>> {
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

/// A value of the dictionary or of its nearest ancestor that has it.
pub(super) fn inherited<'d>(
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
