//! Annotations and form fields of a page.

use lopdf::{Dictionary, Document, Object};

use super::super::job::Job;
use super::matrix::Matrix;
use super::page::{Pages, inherited};
use super::{MAX_ANCESTORS, string};

/// Annotations of one page.
const MAX_ANNOTATIONS: usize = 5_000;

/// Writes what the annotations of a page say: their appearance, else a form field's value, and a note's contents.
pub(super) fn read<'d>(
    pages: &mut Pages<'d>,
    document: &'d Document,
    page: &'d Dictionary,
    job: &mut Job,
) {
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
            pages.form(appearance, None, Matrix::IDENTITY, 1, job);
        }
        if !job.sink.has_words_since(from) {
            let value = inherited(document, annotation, b"V").and_then(|value| value.as_str().ok());
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
