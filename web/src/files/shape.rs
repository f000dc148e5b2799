//! `FileMetadata`, `FolderMetadata`, `DeletedMetadata`: places as clients read them.

use serde::Serialize;
use storage::meta::{FileId, NamespaceId, NodeKind, Place, RevId, Version};

use crate::frame::stamp::Stamp;

/// One entry. Lists want it tagged; an upload's answer has no tag.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shape {
    /// A file.
    File(Box<FileShape>),
    /// A folder.
    Folder(Box<FolderShape>),
    /// Something that is no more.
    Deleted(DeletedShape),
}

/// `FileMetadata`.
#[derive(Serialize)]
pub struct FileShape {
    #[serde(rename = ".tag", skip_serializing_if = "Option::is_none")]
    tag: Option<&'static str>,
    name: String,
    path_lower: String,
    path_display: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shared_folder_id: Option<String>,
    id: String,
    client_modified: Stamp,
    server_modified: Stamp,
    rev: String,
    size: u64,
    is_downloadable: bool,
    content_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharing_info: Option<FileSharing>,
}

#[derive(Serialize)]
struct FileSharing {
    read_only: bool,
    parent_shared_folder_id: String,
    modified_by: String,
}

/// `FolderMetadata`.
#[derive(Serialize)]
pub struct FolderShape {
    #[serde(rename = ".tag", skip_serializing_if = "Option::is_none")]
    tag: Option<&'static str>,
    name: String,
    path_lower: String,
    path_display: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shared_folder_id: Option<String>,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_folder_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sharing_info: Option<FolderSharing>,
}

#[derive(Serialize)]
struct FolderSharing {
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_shared_folder_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_folder_id: Option<String>,
    traverse_only: bool,
    no_access: bool,
}

/// `DeletedMetadata`.
#[derive(Serialize)]
pub struct DeletedShape {
    #[serde(rename = ".tag")]
    tag: &'static str,
    name: String,
    path_lower: String,
    path_display: String,
}

/// Where the paths of an answer start: the names of the path root that the request chose, to be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Start(usize);

impl Start {
    /// Paths as the account sees them, less the path root's own: `root` is the path of the root that was chosen.
    pub fn below(root: &str) -> Self {
        Start(root.split('/').filter(|name| !name.is_empty()).count())
    }

    /// `path` without the root's own names.
    pub fn relative(self, path: &str) -> String {
        if self.0 == 0 {
            return path.to_owned();
        }
        let names = path.split('/').filter(|name| !name.is_empty()).skip(self.0);
        names.fold(String::new(), |path, name| path + "/" + name)
    }
}

impl Shape {
    /// A live place, tagged as in lists.
    pub fn tagged(place: &Place, start: Start) -> Shape {
        match &place.node.kind {
            NodeKind::File(version) => Shape::File(Box::new(FileShape::new(
                place,
                version,
                Some("file"),
                start,
            ))),
            _ => Shape::Folder(Box::new(FolderShape::new(place, Some("folder"), start))),
        }
    }

    /// The head of the file at `place`, or the folder, without a tag.
    pub fn plain(place: &Place, start: Start) -> Shape {
        match &place.node.kind {
            NodeKind::File(version) => {
                Shape::File(Box::new(FileShape::new(place, version, None, start)))
            }
            _ => Shape::Folder(Box::new(FolderShape::new(place, None, start))),
        }
    }

    /// Something that was at this path.
    pub fn deleted(name: &str, path_lower: &str, path_display: &str, start: Start) -> Shape {
        let (name, path_lower) = (name.to_owned(), start.relative(path_lower));
        Shape::Deleted(DeletedShape {
            tag: "deleted",
            name,
            path_lower,
            path_display: start.relative(path_display),
        })
    }
}

impl FileShape {
    /// What the audit log calls it.
    pub fn subject(&self) -> &str {
        &self.path_display
    }

    /// A version of the file at `place`.
    pub fn new(place: &Place, version: &Version, tag: Option<&'static str>, start: Start) -> Self {
        FileShape::of(place, place.node.id, version, tag, start)
    }

    /// A version of a file that is or was at `place`.
    pub fn of(
        place: &Place,
        file: FileId,
        version: &Version,
        tag: Option<&'static str>,
        start: Start,
    ) -> Self {
        let shared = place.parent_shared.map(|ns| ns.to_string());
        FileShape {
            tag,
            name: place.node.name.clone(),
            path_lower: start.relative(&place.path_lower),
            path_display: start.relative(&place.path_display),
            sharing_info: shared.clone().map(|parent_shared_folder_id| FileSharing {
                read_only: !place.role.can_write(),
                parent_shared_folder_id,
                modified_by: version.author.to_string(),
            }),
            parent_shared_folder_id: shared,
            id: file.to_string(),
            client_modified: Stamp(version.client_modified_ms),
            server_modified: Stamp(version.server_modified_ms),
            rev: RevId {
                rev: version.rev,
                file,
            }
            .to_string(),
            size: version.size,
            is_downloadable: true,
            content_hash: hex::encode(version.content_hash),
        }
    }
}

impl FolderShape {
    /// The folder at `place`.
    pub fn new(place: &Place, tag: Option<&'static str>, start: Start) -> Self {
        let text = |ns: Option<NamespaceId>| ns.map(|ns| ns.to_string());
        let is_shared = place.shared_folder.is_some() || place.parent_shared.is_some();
        FolderShape {
            tag,
            name: place.node.name.clone(),
            path_lower: start.relative(&place.path_lower),
            path_display: start.relative(&place.path_display),
            parent_shared_folder_id: text(place.parent_shared),
            id: place.node.id.to_string(),
            shared_folder_id: text(place.shared_folder),
            sharing_info: is_shared.then(|| FolderSharing {
                read_only: !place.role.can_write(),
                parent_shared_folder_id: text(place.parent_shared),
                shared_folder_id: text(place.shared_folder),
                traverse_only: false,
                no_access: false,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_start_at_the_chosen_root() {
        assert_eq!(Start::default().relative("/A/b"), "/A/b");
        assert_eq!(Start::below("/Team").relative("/Team/b/c"), "/b/c");
        assert_eq!(Start::below("ns:7").relative("ns:7/b"), "/b");
        assert_eq!(Start::below("/Team").relative("/Team"), "");
    }
}
