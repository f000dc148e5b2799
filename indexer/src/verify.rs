//! Compares the index with metadata, file by file: nothing may be missing, and nothing may be there that is not.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use storage::meta::{FileId, NamespaceId, Reader, Standing};

use crate::error::{self, Result};
use crate::look;
use crate::reconcile::Sources;
use crate::shard::Shard;

/// Children read from metadata at a time.
const PAGE: usize = 256;
/// How long the exclusions of one namespace may take.
const VIEW_LIMIT: Duration = Duration::from_secs(30);

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Namespaces compared.
    pub namespaces: u64,
    /// Files and folders that live in them.
    pub nodes: u64,
    /// Those that are still to be indexed, or indexed again: neither right nor wrong.
    pub waiting: u64,
    /// What lives and is not in the index, or with another content.
    pub missing: Vec<FileId>,
    /// What is in the index, is not excluded from searches, and does not live.
    pub extra: Vec<FileId>,
    /// Namespaces that could not be compared, because their shard could not say what has gone.
    pub unknown: Vec<NamespaceId>,
}

impl Verified {
    /// True when everything was compared and nothing is missing or too much.
    pub fn is_right(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty() && self.unknown.is_empty()
    }
}

/// Compares one namespace and adds what it finds to `verified`.
pub fn namespace(
    shard: &Shard,
    sources: &Sources,
    (ns, root): (NamespaceId, FileId),
    verified: &mut Verified,
) -> Result<()> {
    verified.namespaces += 1;
    let view = shard.view(&[ns], Instant::now() + VIEW_LIMIT);
    let Some(view) = view.filter(|view| view.complete) else {
        verified.unknown.push(ns);
        return Ok(());
    };
    let shown = look::live(&view.searcher, &view.fields, ns);
    let shown = shown.map_err(error::index(shard.number))?.into_iter();
    let shown = shown.filter(|shown| !view.exclusions.contains(shown.file.0));
    let mut shown: HashMap<FileId, u64> = shown.map(|shown| (shown.file, shown.rev)).collect();
    for (file, rev) in living(&mut sources.meta.reader()?, ns, root)? {
        verified.nodes += 1;
        let found = shown.remove(&file);
        if found == Some(rev) {
            continue;
        }
        if shard.is_coming(file) || has_changed(sources, ns, file, rev)? {
            verified.waiting += 1;
        } else {
            verified.missing.push(file);
        }
    }
    for file in shown.into_keys() {
        if shard.is_coming(file) || !is_gone(sources, ns, file)? {
            verified.waiting += 1; // it came while the namespace was read
        } else {
            verified.extra.push(file);
        }
    }
    Ok(())
}

/// What lives in a namespace but its root, with the revs of files (0 for folders).
fn living(reader: &mut Reader<'_>, ns: NamespaceId, root: FileId) -> Result<Vec<(FileId, u64)>> {
    let mut living = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        let mut from = None;
        loop {
            let page = reader.below(folder, from.as_deref(), PAGE)?;
            for (file, may_hold) in page.nodes {
                let Some((node, Standing::Live { ns: at })) = reader.look(file)? else {
                    continue;
                };
                if at == ns {
                    living.push((file, node.head().map_or(0, |head| head.rev.0)));
                    folders.extend(may_hold.then_some(file));
                }
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
    }
    Ok(living)
}

/// True when the file is another than it was when its namespace was read.
fn has_changed(sources: &Sources, ns: NamespaceId, file: FileId, rev: u64) -> Result<bool> {
    let looked = sources.meta.reader()?.look(file)?;
    Ok(!looked.is_some_and(|(node, standing)| {
        standing == Standing::Live { ns } && node.head().map_or(0, |head| head.rev.0) == rev
    }))
}

fn is_gone(sources: &Sources, ns: NamespaceId, file: FileId) -> Result<bool> {
    let looked = sources.meta.reader()?.look(file)?;
    Ok(!looked.is_some_and(|(_, standing)| standing == Standing::Live { ns }))
}
