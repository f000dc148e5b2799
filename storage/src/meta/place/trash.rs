//! Finding what is deleted: by a mark of its own (a tombstone stands for its name), or because a folder above it is.

use super::reader::Reader;
use crate::error::Result;
use crate::kv::prefix_end;
use crate::meta::ids::{FileId, NamespaceId};
use crate::meta::keys;
use crate::meta::node::Place;
use crate::meta::path::{Address, fold};
use crate::meta::refusal::Refusal;
use crate::row;

/// Most tombstones of one name that are looked at.
const TOMBSTONES: usize = 1000;

impl Reader<'_> {
    /// See [`super::View::resolve_deleted`].
    pub(crate) fn resolve_deleted(&self, root: NamespaceId, at: &Address) -> Result<Option<Place>> {
        let (mut place, names) = match at {
            Address::Id(file, names) => (self.dead_or_alive(*file, root)?, &names[..]),
            Address::Rev(rev) => (self.dead_or_alive(rev.file, root)?, &[][..]),
            _ => match self.start(root, at) {
                Ok((place, names)) => (Some(place), names),
                Err(crate::Error::Refused(Refusal::NotFound)) => return Ok(None),
                Err(error) => return Err(error),
            },
        };
        for name in names {
            let Some(folder) = place else { return Ok(None) };
            place = self.step_deleted(&folder, name)?;
        }
        match place {
            Some(place) => self.place_deleted(place.node.id, Some(root)),
            None => Ok(None),
        }
    }

    fn dead_or_alive(&self, file: FileId, root: NamespaceId) -> Result<Option<Place>> {
        match self.place(file, Some(root))? {
            Some(place) => Ok(Some(place)),
            None => self.place_deleted(file, Some(root)),
        }
    }

    /// What lies under the name, or what lay there last.
    fn step_deleted(&self, of: &Place, name: &str) -> Result<Option<Place>> {
        if let Some(place) = self.step(of, name)? {
            return Ok(Some(place));
        }
        let Some(folder) = self.inside(of)? else {
            return Ok(None);
        };
        match self.tombstones(folder, &fold(name), 1)?.first() {
            Some(&file) => self.child_place(of, file),
            None => Ok(None),
        }
    }

    /// The deleted nodes of a name, newest first.
    pub(crate) fn tombstones(
        &self,
        folder: FileId,
        folded: &str,
        limit: usize,
    ) -> Result<Vec<FileId>> {
        let prefix = keys::tombstones_of(folder, folded);
        let rows = self
            .rows
            .range(&prefix, &prefix_end(&prefix), false, limit.min(TOMBSTONES))?;
        rows.iter()
            .map(|(key, _)| {
                Ok(FileId(row::u64_at(
                    "tombstone",
                    key,
                    key.len().saturating_sub(8),
                )?))
            })
            .collect()
    }

    /// See [`super::View::place_deleted`].
    pub(crate) fn place_deleted(
        &self,
        file: FileId,
        root: Option<NamespaceId>,
    ) -> Result<Option<Place>> {
        let Some(node) = self.node(file)? else {
            return Ok(None);
        };
        let above = match node.parent {
            Some(parent) => self.folder(parent)?,
            None => None,
        };
        let Some(above) = above else { return Ok(None) };
        let dead = node.deleted.is_some() || above.dead;
        if !dead || !above.kept || !self.is_kept(&node)? {
            return Ok(None);
        }
        self.locate(node, &above, root)
    }
}
