//! A subtree, or all of metadata, on its way into the index: piece by piece, and where it stopped can be written down.

use std::collections::{HashSet, VecDeque};

use serde::{Deserialize, Serialize};
use storage::meta::{FileId, NamespaceId};

use crate::error::{self, Result};
use crate::look;
use crate::reconcile::Scene;

/// Children read from metadata at a time.
const PAGE: usize = if cfg!(test) { 2 } else { 256 };
/// Files of one subtree that are known as done; beyond this some may be done twice.
const MAX_SEEN: usize = 2_000_000;

/// A walk. The checkpoint waits before its entry until it is through.
///
/// Searches find what lies below a folder by the folders that the index has (see `exclusion`), also between two commits of
/// one walk. So a folder's document comes before those below it, and goes after them.
pub struct Walk {
    /// The log entry that asked for it; `None` for the first scan.
    pub entry: Option<(usize, u64)>,
    place: WalkPlace,
    /// What is known as done. Not for the first scan: it sees what is there once, and what is in the index already costs a look.
    seen: HashSet<FileId>,
}

/// Where a walk is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkPlace {
    /// For a scan of all metadata, the last namespace that was taken up.
    after: Option<NamespaceId>,
    folders: Vec<Spot>,
    files: VecDeque<FileId>,
}

/// An open folder of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Spot {
    folder: FileId,
    /// Where its next page starts.
    from: Option<Vec<u8>>,
    entered: bool,
    /// It had a document to stay when it was entered.
    kept: bool,
    listed: bool,
}

impl Spot {
    fn at(folder: FileId) -> Self {
        Spot {
            folder,
            from: None,
            entered: false,
            kept: false,
            listed: false,
        }
    }
}

impl Walk {
    /// Of everything below a folder, for the log entry `(owned index, sequence)`.
    pub fn below(folder: FileId, entry: (usize, u64)) -> Self {
        let place = WalkPlace {
            folders: vec![Spot::at(folder)],
            ..WalkPlace::default()
        };
        Walk {
            entry: Some(entry),
            place,
            seen: HashSet::new(),
        }
    }

    /// Of all metadata, from where a scan stopped ([`WalkPlace::default`]: from the beginning).
    pub fn scan(place: WalkPlace) -> Self {
        let place = WalkPlace {
            after: place.after.or(Some(NamespaceId(0))),
            ..place
        };
        Walk {
            entry: None,
            place,
            seen: HashSet::new(),
        }
    }

    /// Where it is, to go on from there another time.
    pub fn place(&self) -> &WalkPlace {
        &self.place
    }

    /// True when the walk is about `folder` and has not begun.
    pub fn is_fresh(&self, folder: FileId) -> bool {
        matches!(&self.place.folders[..], [spot] if spot.folder == folder && !spot.entered)
    }

    /// Does one node, or reads one page of a folder or of namespaces; false when nothing is left.
    pub fn step(&mut self, scene: &mut Scene<'_>, nodes: &mut usize) -> Result<bool> {
        if let Some(file) = self.place.files.pop_front() {
            self.settle(scene, file, nodes)?;
            return Ok(true);
        }
        let Some(spot) = self.place.folders.last_mut() else {
            return self.next_namespaces(scene);
        };
        let folder = spot.folder;
        if !spot.entered {
            spot.entered = true;
            spot.kept = scene.keeps(folder)?;
            if spot.kept {
                self.settle(scene, folder, nodes)?;
            }
        } else if spot.listed {
            // What was kept and has to go by now has a log entry still to come, which reaches those below through it.
            let kept = spot.kept;
            self.place.folders.pop();
            if !kept {
                self.settle(scene, folder, nodes)?;
            }
        } else {
            let page = scene.reader.below(folder, spot.from.as_deref(), PAGE)?;
            spot.listed = page.next.is_none();
            spot.from = page.next;
            if spot.listed {
                self.index_below(scene, folder)?;
            }
            for (file, may_hold) in page.nodes {
                self.see(file, may_hold);
            }
        }
        Ok(true)
    }

    /// Takes up some more namespaces of a scan; false when there are none.
    fn next_namespaces(&mut self, scene: &mut Scene<'_>) -> Result<bool> {
        let Some(after) = self.place.after else {
            return Ok(false);
        };
        let page = scene.reader.namespaces(after, PAGE)?;
        let Some(&(last, _)) = page.last() else {
            return Ok(false);
        };
        self.place.after = Some(last);
        let owned = page.into_iter().filter(|&(ns, root)| scene.owns(ns, root));
        let spots = owned.map(|(_, root)| Spot::at(root));
        self.place.folders.extend(spots);
        Ok(true)
    }

    fn settle(&self, scene: &mut Scene<'_>, file: FileId, nodes: &mut usize) -> Result<()> {
        *nodes += 1;
        if self.entry.is_none() && scene.writer.has_touched(file) {
            return Ok(()); // the first scan enters and leaves; what changes meanwhile comes through the logs
        }
        if !scene.agrees(file)? {
            scene.reconcile(file)?;
        }
        Ok(())
    }

    /// What the index has below the folder, committed or not, though metadata may not have it there any more.
    fn index_below(&mut self, scene: &Scene<'_>, folder: FileId) -> Result<()> {
        if self.entry.is_none() {
            return Ok(()); // the first scan begins with an empty index
        }
        let committed = look::below(scene.searcher, &scene.fields, folder);
        for shown in committed.map_err(error::index(scene.shard))? {
            self.see(shown.file, shown.is_folder);
        }
        for &file in scene.writer.added_below(folder) {
            self.see(file, true);
        }
        Ok(())
    }

    fn see(&mut self, file: FileId, may_hold: bool) {
        if self.entry.is_some() {
            if self.seen.len() >= MAX_SEEN {
                self.seen.clear();
            }
            if !self.seen.insert(file) {
                return;
            }
        }
        match may_hold {
            true => self.place.folders.push(Spot::at(file)),
            false => self.place.files.push_back(file),
        }
    }
}
