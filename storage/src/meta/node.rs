//! The tree's nouns: nodes, versions, places, actors.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, FileId, NamespaceId, Rev, RevId};
use crate::chunk::BlockHash;

/// A file or folder, whatever its path is at present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its id, which outlives renames and moves.
    pub id: FileId,
    /// The folder it lies in; `None` for a namespace's root.
    pub parent: Option<FileId>,
    /// The name as displayed, NFC; empty for an account's root.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Set when the node itself was deleted (what lies below a deleted folder is dead without a mark).
    pub deleted: Option<Deletion>,
    /// When it was made.
    pub created_ms: i64,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeKind {
    /// A folder inside a namespace.
    Folder,
    /// The top of a namespace.
    Root {
        /// The namespace.
        ns: NamespaceId,
    },
    /// Stands in a member's tree for a shared folder; what it lists lies below that namespace's root.
    Mount {
        /// The mounted namespace.
        ns: NamespaceId,
    },
    /// A file, with its head version.
    File(Version),
}

/// When and by whom a node was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The time; grows over deletions of the same name.
    pub at_ms: i64,
    /// The account that did it.
    pub by: AccountId,
}

/// One content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Names the version within its file.
    pub rev: Rev,
    /// Bytes.
    pub size: u64,
    /// Dropbox's content_hash.
    pub content_hash: [u8; 32],
    /// The content's blocks, in order.
    pub blocks: Vec<BlockHash>,
    /// What the client said.
    pub client_modified_ms: i64,
    /// When the server took it.
    pub server_modified_ms: i64,
    /// Who wrote it.
    pub author: AccountId,
}

impl Node {
    /// The head version, when the node is a file.
    pub fn head(&self) -> Option<&Version> {
        match &self.kind {
            NodeKind::File(version) => Some(version),
            _ => None,
        }
    }

    /// True for files.
    pub fn is_file(&self) -> bool {
        self.head().is_some()
    }

    /// The head's rev as clients see it, when the node is a file.
    pub fn rev_id(&self) -> Option<RevId> {
        self.head().map(|head| RevId {
            rev: head.rev,
            file: self.id,
        })
    }
}

/// Who acts, and which namespace a path starts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// The account.
    pub account: AccountId,
    /// Where its paths start: its own root, or the path root that a request chose.
    pub root: NamespaceId,
}

/// What a member may do in a namespace; the greater may more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Reads and writes.
    Editor,
    /// Reads, writes, and says who else does.
    Owner,
}

impl Role {
    /// True when the role may change files.
    pub fn can_write(self) -> bool {
        self >= Role::Editor
    }
}

/// A node where an account sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The node. Where a path names a mounted shared folder, this is the Mount, not the Root that it shows.
    pub node: Node,
    /// The namespace the node lies in (for a Mount the one that holds the Mount).
    pub ns: NamespaceId,
    /// `/As/Displayed`, empty for the root; starts with `ns:` and a number inside a namespace that is not mounted.
    pub path_display: String,
    /// The same, folded: what paths are compared by.
    pub path_lower: String,
    /// What the account may do with it.
    pub role: Role,
    /// The namespace that the node mounts (or is the unmounted root of).
    pub shared_folder: Option<NamespaceId>,
    /// The shared folder that holds the node.
    pub parent_shared: Option<NamespaceId>,
}

/// One line of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Something is there.
    Live(Place),
    /// Something was there: the newest of that name that is still kept.
    Deleted(DeletedEntry),
}

/// A deleted name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedEntry {
    /// What was deleted.
    pub file: FileId,
    /// Its name.
    pub name: String,
    /// Its path as displayed.
    pub path_display: String,
    /// Its path, folded.
    pub path_lower: String,
    /// When it was deleted, milliseconds.
    pub at_ms: i64,
}

/// One namespace that an account can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The namespace.
    pub ns: NamespaceId,
    /// What the account may do in it.
    pub role: Role,
    /// The Mount node in the account's own root; `None` where it is not mounted, and for the own root itself.
    pub mount: Option<FileId>,
    /// True for the account's own root.
    pub home: bool,
}

/// How an upload treats what is there already (Dropbox's WriteMode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Never replace another content.
    Add,
    /// Always replace a file.
    Overwrite,
    /// Replace the version that has this rev.
    Update(Rev),
}

/// What [`super::Meta::commit_file`] commits.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// Stored blocks, in order.
    pub blocks: Vec<BlockHash>,
    /// Bytes.
    pub size: u64,
    /// Dropbox's content_hash.
    pub content_hash: [u8; 32],
    /// What to do about what is there.
    pub mode: WriteMode,
    /// Take another name instead of refusing.
    pub autorename: bool,
    /// Same content and deleted files conflict too.
    pub strict_conflict: bool,
    /// The client's own time; the server's when absent.
    pub client_modified_ms: Option<i64>,
}

/// One version of what is or was at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The file that has this version.
    pub file: FileId,
    /// The version.
    pub version: Version,
}

/// Answer of [`super::Meta::revisions`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revisions {
    /// True when the newest file at the path is deleted.
    pub is_deleted: bool,
    /// When it was deleted.
    pub deleted_ms: Option<i64>,
    /// Newest first.
    pub versions: Vec<Revision>,
    /// True when there are more than the limit.
    pub has_more: bool,
    /// Where the file is, or was.
    pub place: Place,
}

/// What one call of [`super::Meta::purge`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PurgeReport {
    /// Nodes removed.
    pub nodes: u64,
    /// Versions removed.
    pub versions: u64,
    /// True when there is more to do now.
    pub more: bool,
}
