//! Files inside a PDF.

use std::collections::HashSet;

use lopdf::{Dictionary, Document, Object};

use super::super::job::Job;
use super::{MAX_STREAM_BYTES, string};

/// Nodes of the tree of names that are looked at.
const MAX_NODES: usize = 2_000;
/// Files that are read.
const MAX_FILES: usize = 500;

/// Writes the names of all files inside, and the words of those that have some.
pub(super) fn read(document: &Document, job: &mut Job) {
    let names = document
        .catalog()
        .and_then(|catalog| catalog.get_deref(b"Names", document)?.as_dict())
        .and_then(|names| names.get_deref(b"EmbeddedFiles", document)?.as_dict());
    let Ok(root) = names else { return };
    let (mut nodes, mut seen, mut files) = (vec![root], HashSet::new(), 0);
    while let Some(node) = nodes.pop() {
        let list = |key: &[u8]| {
            let list = node.get_deref(key, document).and_then(Object::as_array);
            list.map_or(&[][..], Vec::as_slice)
        };
        for kid in list(b"Kids")
            .iter()
            .filter_map(|kid| kid.as_reference().ok())
        {
            if seen.len() < MAX_NODES
                && seen.insert(kid)
                && let Ok(kid) = document.get_dictionary(kid)
            {
                nodes.push(kid);
            }
        }
        // Names and files in turn.
        for named in list(b"Names").chunks_exact(2) {
            files += 1;
            if files > MAX_FILES || !job.next_member() {
                return;
            }
            let file = document.dereference(&named[1]).ok();
            if let Some(file) = file.and_then(|(_, file)| file.as_dict().ok()) {
                read_file(document, file, job);
            }
        }
    }
}

fn read_file(document: &Document, file: &Dictionary, job: &mut Job) {
    let name = string(document, file, b"UF").or_else(|| string(document, file, b"F"));
    let name = name.unwrap_or_default();
    job.sink.line();
    job.sink.text(&name);
    job.sink.line();
    let streams = file.get_deref(b"EF", document).and_then(Object::as_dict);
    let stream = streams.and_then(|streams| streams.get_deref(b"F", document)?.as_stream());
    if let Ok(stream) = stream
        && job.may_descend()
    {
        let left = usize::try_from(job.unpacked_left()).unwrap_or(usize::MAX);
        if let Ok(content) = stream.decompressed_content_with_limit(left.min(MAX_STREAM_BYTES)) {
            job.spend(content.len() as u64);
            job.read_member(&name, &content);
        }
    }
}
