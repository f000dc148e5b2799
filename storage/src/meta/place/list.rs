//! Listing folders and walking trees, in the order of folded names.

use std::collections::VecDeque;

use super::Position;
use super::reader::Reader;
use crate::error::{Error, Result};
use crate::keyspace;
use crate::kv::prefix_end;
use crate::meta::ids::FileId;
use crate::meta::keys::{self, Child, ChildKind};
use crate::meta::node::{DeletedEntry, Entry, NodeKind, Place};
use crate::meta::path::fold;
use crate::row;

/// Children read at once by a walk.
const CHUNK: usize = 256;
/// Bytes of a child's or a tombstone's key before the name: table, parent.
const NAME_AT: usize = 9;
/// Bytes of a tombstone's key after the name: end of the name, time, file.
const AFTER_NAME: usize = 17;

/// One line of a listing, before its node was read.
enum Line {
    Live(String, FileId),
    Deleted(String, FileId),
}

impl Line {
    fn name(&self) -> &str {
        match self {
            Line::Live(name, _) | Line::Deleted(name, _) => name,
        }
    }
}

/// A folder that a walk is in.
struct Frame {
    place: Place,
    after: Option<String>,
    lines: VecDeque<Entry>,
    ended: bool,
}

impl Entry {
    /// The entry's folded name.
    pub fn folded_name(&self) -> String {
        match self {
            Entry::Live(place) => fold(&place.node.name),
            Entry::Deleted(entry) => fold(&entry.name),
        }
    }
}

impl Reader<'_> {
    /// See [`super::View::children`].
    pub(crate) fn children(
        &self,
        of: &Place,
        after: Option<&str>,
        limit: usize,
        include_deleted: bool,
    ) -> Result<Vec<Entry>> {
        let Some(folder) = self.inside(of)? else {
            return Ok(Vec::new());
        };
        let dead = self.folder(folder)?.is_none_or(|f| f.dead);
        let (mut entries, mut after) = (Vec::new(), after.map(str::to_owned));
        while entries.len() < limit {
            let lines = self.lines(folder, after.as_deref(), limit, include_deleted || dead)?;
            let more = lines.len() == limit;
            for line in lines {
                after = Some(line.name().to_owned());
                entries.extend(self.entry(of, line, dead)?);
            }
            if !more {
                break;
            }
        }
        entries.truncate(limit);
        Ok(entries)
    }

    /// `None` for what cannot be seen: a Mount without access, a tombstone that is being purged.
    fn entry(&self, of: &Place, line: Line, dead: bool) -> Result<Option<Entry>> {
        let (file, live) = match line {
            Line::Live(_, file) => (file, !dead),
            Line::Deleted(_, file) => (file, false),
        };
        if live {
            return Ok(self.child_place(of, file)?.map(Entry::Live));
        }
        let Some(node) = keys::get_node(self.rows, file)? else {
            return Ok(None);
        };
        Ok(Some(Entry::Deleted(DeletedEntry {
            file,
            path_display: format!("{}/{}", of.path_display, node.name),
            path_lower: format!("{}/{}", of.path_lower, fold(&node.name)),
            at_ms: node.deleted.or(of.node.deleted).map_or(0, |d| d.at_ms),
            name: node.name,
        })))
    }

    /// The first `limit` names after `after`: live ones, and the newest deletion of names where nothing lives.
    fn lines(
        &self,
        folder: FileId,
        after: Option<&str>,
        limit: usize,
        include_deleted: bool,
    ) -> Result<Vec<Line>> {
        let live = self.live_lines(folder, after, limit)?;
        let mut lines: Vec<_> = live
            .into_iter()
            .map(|(name, file)| Line::Live(name, file))
            .collect();
        if include_deleted {
            // Names beyond the last tombstone read here are never among the first `limit` of both together.
            let deleted = self.deleted_lines(folder, after, limit)?;
            lines.extend(
                deleted
                    .into_iter()
                    .map(|(name, file)| Line::Deleted(name, file)),
            );
            lines.sort_by(|a, b| a.name().cmp(b.name()));
            lines.truncate(limit);
        }
        Ok(lines)
    }

    fn live_lines(
        &self,
        folder: FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, FileId)>> {
        let mut start = keys::child(folder, after.unwrap_or(""));
        if after.is_some() {
            start.push(0);
        }
        let end = prefix_end(&keys::child(folder, ""));
        let pairs = self.rows.range(&start, &end, false, limit)?;
        pairs
            .iter()
            .map(|(key, value)| Ok((name_of(&key[NAME_AT..]), Child::decode(value)?.id)))
            .collect()
    }

    /// Of the first `limit` names with tombstones those where nothing lives, with their newest tombstone.
    fn deleted_lines(
        &self,
        folder: FileId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, FileId)>> {
        let mut start = keys::key(
            keyspace::TOMBSTONE,
            &[&folder.0.to_be_bytes(), after.unwrap_or("").as_bytes()],
        );
        let end = prefix_end(&start[..NAME_AT]);
        if after.is_some() {
            start.push(1);
        }
        let (mut lines, mut last) = (Vec::new(), None);
        self.rows.scan(&start, &end, &mut |key, _| {
            let name_end = key.len().saturating_sub(AFTER_NAME).max(NAME_AT);
            let name = name_of(&key[NAME_AT..name_end]);
            if last.as_ref() == Some(&name) {
                return Ok(true);
            }
            last = Some(name.clone());
            let file = FileId(row::u64_at("tombstone", key, key.len().saturating_sub(8))?);
            lines.push((name, file));
            Ok(lines.len() < limit)
        })?;
        let mut free = Vec::with_capacity(lines.len());
        for (name, file) in lines {
            if keys::get_child(self.rows, folder, &name)?.is_none() {
                free.push((name, file));
            }
        }
        Ok(free)
    }

    /// See [`super::View::walk`].
    pub(crate) fn walk(
        &self,
        of: &Place,
        from: Option<&Position>,
        include_deleted: bool,
        visit: &mut dyn FnMut(Entry) -> Result<bool>,
    ) -> Result<Option<Position>> {
        let mut frames = self.frames(of, from)?;
        while let Some(frame) = frames.last_mut() {
            if frame.lines.is_empty() && !frame.ended {
                let after = frame.after.as_deref();
                frame.lines = self
                    .children(&frame.place, after, CHUNK, include_deleted)?
                    .into();
                frame.ended = frame.lines.len() < CHUNK;
            }
            let Some(entry) = frame.lines.pop_front() else {
                frames.pop();
                continue;
            };
            frame.after = Some(entry.folded_name());
            let below = match &entry {
                Entry::Live(place) if !place.node.is_file() => Some(place.clone()),
                _ => None,
            };
            if !visit(entry)? {
                return Ok(Some(Position(
                    frames.into_iter().filter_map(|f| f.after).collect(),
                )));
            }
            if let Some(place) = below {
                // Only rows that are damaged say so; without this a walk would have no end.
                if frames
                    .iter()
                    .any(|above| above.place.node.id == place.node.id)
                {
                    return Err(Error::Corrupt {
                        what: format!("folder {}", place.node.id),
                        detail: "it lies in itself".into(),
                    });
                }
                frames.push(Frame::new(place));
            }
        }
        Ok(None)
    }

    /// The folders that a walk is in when it goes on after `from`.
    fn frames(&self, of: &Place, from: Option<&Position>) -> Result<Vec<Frame>> {
        let (mut frames, mut place) = (Vec::new(), Some(of.clone()));
        for name in from.map_or(&[][..], |from| &from.0) {
            let Some(folder) = place else { break };
            place = self
                .step(&folder, name)?
                .filter(|place| !place.node.is_file());
            frames.push(Frame {
                after: Some(name.clone()),
                ..Frame::new(folder)
            });
        }
        frames.extend(place.map(Frame::new));
        Ok(frames)
    }

    /// See [`super::View::subtree_folders`].
    pub(crate) fn subtree_folders(&self, folder: FileId, limit: usize) -> Result<Vec<FileId>> {
        let top = match self.place(folder, None)? {
            Some(place) => self.inside(&place)?,
            None => None,
        };
        let mut folders: Vec<_> = top.into_iter().take(limit).collect();
        let mut next = 0;
        while let Some(&folder) = folders.get(next) {
            let prefix = keys::child(folder, "");
            let mut mounts = Vec::new();
            self.rows
                .scan(&prefix, &prefix_end(&prefix), &mut |_, value| {
                    let child = Child::decode(value)?;
                    match child.kind {
                        ChildKind::Folder => folders.push(child.id),
                        ChildKind::Mount => mounts.push(child.id),
                        ChildKind::File => {}
                    }
                    Ok(folders.len() < limit)
                })?;
            for mount in mounts {
                if let Some(NodeKind::Mount { ns }) = self.node(mount)?.map(|node| node.kind) {
                    folders.extend(self.joined(ns)?.map(|joined| joined.row.root));
                }
            }
            next += 1;
        }
        folders.truncate(limit);
        Ok(folders)
    }
}

impl Frame {
    fn new(place: Place) -> Self {
        Frame {
            place,
            after: None,
            lines: VecDeque::new(),
            ended: false,
        }
    }
}

fn name_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
