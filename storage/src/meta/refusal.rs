//! Why a rule refuses an operation. The web maps each variant to a Dropbox tag.

use super::ids::NamespaceId;

/// What stands in the way of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictKind {
    /// A file is there.
    File,
    /// A folder is there.
    Folder,
    /// A part of the path is a file.
    FileAncestor,
}

/// Why a rule of the file tree, sharing or accounts refuses an operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing there that the actor may see.
    #[error("not found")]
    NotFound,
    /// The operation is for files.
    #[error("not a file")]
    NotFile,
    /// The operation is for folders.
    #[error("not a folder")]
    NotFolder,
    /// A name that cannot be.
    #[error("malformed path: {0}")]
    MalformedPath(String),
    /// Text that is no path at all (HTTP 400).
    #[error("path does not start with / and is no id:, rev: or ns: either")]
    BadPathFormat,
    /// Something is in the way.
    #[error("conflict with a {0:?}")]
    Conflict(ConflictKind),
    /// The actor may read only.
    #[error("no write permission")]
    NoWritePermission,
    /// The owner's quota is used up.
    #[error("insufficient space")]
    InsufficientSpace,
    /// The operation would touch more than it may.
    #[error("too many files")]
    TooManyFiles,
    /// A folder cannot move below itself.
    #[error("a folder cannot move into itself")]
    CantMoveFolderIntoItself,
    /// Shared folders stay outside other shared folders.
    #[error("a shared folder cannot move into another")]
    CantMoveSharedFolder,
    /// Roots stay where they are.
    #[error("a root cannot be moved or deleted")]
    CantMoveRoot,
    /// Source and target are the same, or one holds the other.
    #[error("duplicated or nested paths")]
    DuplicatedOrNestedPaths,
    /// No such version of that file.
    #[error("invalid revision")]
    InvalidRevision,
    /// The file has another rev than the one given.
    #[error("the file's rev is another one")]
    InvalidParentRev,
    /// Another account has this e-mail.
    #[error("e-mail is taken")]
    EmailTaken,
    /// Not an e-mail.
    #[error("invalid e-mail")]
    InvalidEmail,
    /// Too short, or too well known.
    #[error("weak password: {0}")]
    WeakPassword(String),
    /// The folder is shared already.
    #[error("already shared as {0}")]
    AlreadyShared(NamespaceId),
    /// Shared folders do not nest: the folder lies in one.
    #[error("inside a shared folder")]
    InsideSharedFolder,
    /// Shared folders do not nest: one lies in the folder.
    #[error("contains a shared folder")]
    ContainsSharedFolder,
    /// Roots are not shared, neither with members nor by a link.
    #[error("a root cannot be shared")]
    CantShareRoot,
    /// The shared folder has as many members, or the account as many shared folders, as it may.
    #[error("too many members")]
    TooManyMembers,
    /// The account is no member.
    #[error("not a member")]
    NotMember,
    /// The account is a member by its group only.
    #[error("a member by a group only")]
    MemberByGroup,
    /// An administrator has not approved the invitation yet.
    #[error("the invitation awaits approval")]
    AwaitingApproval,
    /// The team lets administrators alone invite people who have no account.
    #[error("only administrators may invite people who have no account")]
    AdminsOnly,
    /// The shared folder has as many invitations waiting as it may.
    #[error("too many invitations")]
    TooManyInvitations,
    /// Another group has this name.
    #[error("name is taken")]
    NameTaken,
    /// There are as many groups as there may be, or the account is in as many.
    #[error("too many groups")]
    TooManyGroups,
    /// The role does not allow it.
    #[error("no permission")]
    NoPermission,
    /// The shared folder is mounted already.
    #[error("already mounted")]
    AlreadyMounted,
    /// The place has a link already: its key.
    #[error("a shared link exists")]
    LinkExists(String),
    /// A link asks for a password, and this is not it.
    #[error("wrong password")]
    WrongPassword,
    /// Nobody would be left who administers.
    #[error("the last administrator")]
    LastAdmin,
    /// Only a suspended account's files are handed over, and only it is deleted.
    #[error("the account is not suspended")]
    NotSuspended,
    /// The account has files, or owns shared folders.
    #[error("the account has files")]
    HasFiles,
    /// An account is no heir of itself.
    #[error("the same account")]
    SameAccount,
    /// A code of the second factor that is wrong, or was used already.
    #[error("wrong code")]
    WrongCode,
    /// The account has a second factor already.
    #[error("the second factor is in use already")]
    FactorInUse,
    /// The account has no second factor (or none that waits for its first code).
    #[error("no second factor")]
    NoFactor,
    /// The account has as many tokens as it may.
    #[error("too many tokens")]
    TooManyTokens,
    /// The account has as many upload sessions open as it may.
    #[error("too many upload sessions")]
    TooManyUploads,
    /// The upload session is at another offset.
    #[error("the session is at offset {correct}")]
    IncorrectOffset {
        /// Bytes received so far.
        correct: u64,
    },
    /// The upload session was closed.
    #[error("the upload session is closed")]
    UploadClosed,
    /// More bytes than one file may have.
    #[error("too large")]
    TooLarge,
    /// The journal does not say what was there so long ago.
    #[error("the history of this folder does not reach so far back")]
    HistoryTooShort,
    /// A rewind of the same namespace is not through.
    #[error("a rewind runs here already")]
    RewindRuns,
}
