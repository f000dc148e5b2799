//! The error unions of `sharing/*`, made from the store's refusals.

use serde_json::{Value, json};
use storage::meta::Refusal;

use crate::files::error::{Shape, lookup, nest};
use crate::frame::Failure;
use storage::meta::NamespaceId;

/// A shared folder's id; one that is none is the same refusal as one that is unknown.
pub fn namespace(id: &str) -> Result<NamespaceId, Failure> {
    namespace_or(id, access)
}

/// The same, in another union's words.
pub fn namespace_or(id: &str, shape: Shape) -> Result<NamespaceId, Failure> {
    NamespaceId::parse(id).ok_or_else(|| Failure::of_refusal(&Refusal::NotFound, shape))
}

fn tag(tag: &str) -> Option<Value> {
    Some(json!({ ".tag": tag }))
}

/// `SharedFolderAccessError` and what every folder's error union has beside it.
pub fn access(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotFound => nest("access_error", tag("invalid_id")),
        Refusal::NotMember => nest("access_error", tag("not_a_member")),
        Refusal::NoPermission | Refusal::NoWritePermission => tag("no_permission"),
        _ => None,
    }
}

/// `SharedFolderAccessError` alone, which reads answer with.
pub fn plain_access(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotFound | Refusal::NoPermission => tag("invalid_id"),
        Refusal::NotMember => tag("not_a_member"),
        _ => None,
    }
}

/// `ShareFolderError`.
pub fn share(refusal: &Refusal) -> Option<Value> {
    let bad = match refusal {
        Refusal::NotFolder | Refusal::NotFile => "is_file",
        Refusal::InsideSharedFolder => "inside_shared_folder",
        Refusal::ContainsSharedFolder => "contains_shared_folder",
        Refusal::NotFound
        | Refusal::MalformedPath(_)
        | Refusal::CantShareRoot
        | Refusal::Conflict(_) => "invalid_path",
        Refusal::NoPermission | Refusal::NoWritePermission => return tag("no_permission"),
        _ => return None,
    };
    nest("bad_path", tag(bad))
}

/// `AddFolderMemberError`.
pub fn add(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::TooManyMembers => {
            Some(json!({ ".tag": "too_many_members", "too_many_members": 1000 }))
        }
        _ => access(refusal),
    }
}

/// `RemoveFolderMemberError` and `UpdateFolderMemberError`.
pub fn member(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotMember => nest("member_error", tag("not_a_member")),
        Refusal::MemberByGroup => nest("member_error", tag("no_explicit_access")),
        _ => unshare(refusal),
    }
}

/// `UnshareFolderError`. A copy that has no room is one of too many files: without it, it can be done.
pub fn unshare(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::TooManyFiles | Refusal::InsufficientSpace => tag("too_many_files"),
        _ => access(refusal),
    }
}

/// `MountFolderError`.
pub fn mount(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::AlreadyMounted => tag("already_mounted"),
        Refusal::TooManyMembers => tag("not_mountable"),
        _ => access(refusal),
    }
}

/// `TransferFolderError`.
pub fn transfer(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotMember => tag("new_owner_not_a_member"),
        Refusal::InsufficientSpace => tag("no_permission"),
        _ => access(refusal),
    }
}

/// `RelinquishFolderMembershipError`: an owner cannot leave, and nobody with a copy that is too large.
pub fn leave(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::TooManyFiles | Refusal::InsufficientSpace => tag("no_permission"),
        Refusal::NoPermission => tag("folder_owner"),
        Refusal::MemberByGroup => tag("group_access"),
        _ => access(refusal),
    }
}

/// `CreateSharedLinkWithSettingsError`, but for the link that exists already.
pub fn create_link(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::WeakPassword(_) => nest("settings_error", tag("invalid_settings")),
        Refusal::CantShareRoot | Refusal::NoPermission => tag("access_denied"),
        _ => nest("path", lookup(refusal)),
    }
}

/// `SharedLinkError` and its relatives.
pub fn link(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::NotFile => tag("shared_link_is_directory"),
        Refusal::NoPermission | Refusal::WrongPassword => tag("shared_link_access_denied"),
        Refusal::WeakPassword(_) => nest("settings_error", tag("invalid_settings")),
        Refusal::NotFound | Refusal::NotFolder | Refusal::MalformedPath(_) => {
            tag("shared_link_not_found")
        }
        _ => None,
    }
}
