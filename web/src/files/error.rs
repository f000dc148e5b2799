//! The error unions of `files/*`, made from the store's refusals.

use serde_json::{Value, json};
use storage::meta::{Address, ConflictKind, Refusal};

use crate::frame::Failure;

/// Turns a refusal into an endpoint's error union; `None` where the union has no word for it.
pub type Shape = fn(&Refusal) -> Option<Value>;

impl Failure {
    /// A storage error where no refusal is expected.
    pub fn from_storage(error: storage::Error) -> Self {
        Failure::shaped(error, |_| None)
    }

    /// A storage error, with refusals as the endpoint words them.
    pub fn shaped(error: storage::Error, shape: Shape) -> Self {
        match error {
            storage::Error::Refused(refusal) => Failure::of_refusal(&refusal, shape),
            storage::Error::Conflict { .. } => Failure::TooMany("too_many_write_operations", 1),
            storage::Error::Unavailable(what) => {
                tracing::warn!(what, "refused for now");
                Failure::Busy
            }
            storage::Error::NoSpace(what) => match shape(&Refusal::InsufficientSpace) {
                Some(error) => Failure::refused(error),
                None => Failure::Internal(format!("no space left on {what}")),
            },
            other => Failure::Internal(other.to_string()),
        }
    }

    /// A refusal, as the endpoint words it.
    pub fn of_refusal(refusal: &Refusal, shape: Shape) -> Self {
        match (refusal, shape(refusal)) {
            (Refusal::BadPathFormat, _) => Failure::bad(format!("request body: path: {refusal}")),
            (_, Some(error)) => Failure::refused(error),
            (Refusal::TooManyUploads | Refusal::TooManyTokens, None) => {
                Failure::TooMany("too_many_requests", 60)
            }
            (refusal, None) => Failure::Internal(format!("unexpected refusal: {refusal}")),
        }
    }

    /// An error of the transfer and listing layer.
    pub fn of_sync(error: sync::Error, shape: Shape) -> Self {
        match error {
            sync::Error::Storage(error) => Failure::shaped(error, shape),
            sync::Error::Reset => Failure::tag("reset"),
            sync::Error::TooLarge { .. } => Failure::tag("payload_too_large"),
            sync::Error::Body(error) => Failure::bad(format!("the body broke off: {error}")),
            sync::Error::Stopped => Failure::Busy,
            other => Failure::Internal(other.to_string()),
        }
    }
}

/// Parses a path of an argument; a malformed one is the endpoint's refusal, a formless one a 400.
pub fn address(path: &str, shape: Shape) -> Result<Address, Failure> {
    Address::parse(path).map_err(|refusal| Failure::of_refusal(&refusal, shape))
}

/// `LookupError`.
pub fn lookup(refusal: &Refusal) -> Option<Value> {
    let tag = match refusal {
        Refusal::NotFound | Refusal::InvalidRevision | Refusal::NoPermission => "not_found",
        Refusal::NotFile => "not_file",
        Refusal::NotFolder => "not_folder",
        Refusal::MalformedPath(_) => "malformed_path",
        _ => return None,
    };
    Some(json!({ ".tag": tag }))
}

/// `WriteError`.
pub fn write(refusal: &Refusal) -> Option<Value> {
    let tag = match refusal {
        Refusal::Conflict(kind) => return Some(conflict(*kind)),
        Refusal::InvalidParentRev => return Some(conflict(ConflictKind::File)),
        Refusal::NotFolder => return Some(conflict(ConflictKind::FileAncestor)),
        Refusal::NotFile => return Some(conflict(ConflictKind::Folder)),
        Refusal::MalformedPath(_) => "malformed_path",
        // A path that starts in nothing the caller may see.
        Refusal::NotFound | Refusal::NoWritePermission | Refusal::NoPermission => {
            "no_write_permission"
        }
        Refusal::CantMoveRoot => "operation_suppressed",
        Refusal::InsufficientSpace => "insufficient_space",
        Refusal::TooManyFiles => "too_many_write_operations",
        _ => return None,
    };
    Some(json!({ ".tag": tag }))
}

fn conflict(kind: ConflictKind) -> Value {
    let tag = match kind {
        ConflictKind::File => "file",
        ConflictKind::Folder => "folder",
        ConflictKind::FileAncestor => "file_ancestor",
    };
    json!({ ".tag": "conflict", "conflict": { ".tag": tag } })
}

/// A union variant whose value is another union.
pub fn nest(tag: &str, value: Option<Value>) -> Option<Value> {
    value.map(|value| {
        let mut union = serde_json::Map::new();
        union.insert(".tag".into(), tag.into());
        union.insert(tag.into(), value);
        Value::Object(union)
    })
}

/// `{path: LookupError}`: reads.
pub fn path_lookup(refusal: &Refusal) -> Option<Value> {
    nest("path", lookup(refusal))
}

/// `{path: WriteError}`: folders.
pub fn path_write(refusal: &Refusal) -> Option<Value> {
    nest("path", write(refusal))
}

/// `UploadError`, whose path variant is a struct of its own.
pub fn upload(refusal: &Refusal) -> Option<Value> {
    let reason = write(refusal)?;
    Some(json!({ ".tag": "path", "reason": reason, "upload_session_id": "" }))
}

/// `DeleteError`.
pub fn delete(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::TooManyFiles => Some(json!({ ".tag": "too_many_files" })),
        Refusal::NotFound | Refusal::NotFile | Refusal::NotFolder | Refusal::MalformedPath(_) => {
            nest("path_lookup", lookup(refusal))
        }
        _ => nest("path_write", write(refusal)),
    }
}

/// `RelocationError`, for what is about the source or the whole.
pub fn relocation(refusal: &Refusal) -> Option<Value> {
    let tag = match refusal {
        Refusal::CantMoveFolderIntoItself => "cant_move_folder_into_itself",
        Refusal::CantMoveSharedFolder | Refusal::CantMoveRoot => "cant_move_shared_folder",
        Refusal::InsideSharedFolder | Refusal::ContainsSharedFolder => "cant_nest_shared_folder",
        Refusal::DuplicatedOrNestedPaths => "duplicated_or_nested_paths",
        Refusal::TooManyFiles => "too_many_files",
        Refusal::InsufficientSpace => "insufficient_quota",
        Refusal::NotFound => return nest("from_lookup", lookup(refusal)),
        _ => return nest("to", write(refusal)),
    };
    Some(json!({ ".tag": tag }))
}

/// `RelocationError` for a source path that is malformed.
pub fn relocation_from(refusal: &Refusal) -> Option<Value> {
    nest("from_lookup", lookup(refusal))
}

/// `RelocationError` for a source that may not be changed.
pub fn relocation_from_write(refusal: &Refusal) -> Option<Value> {
    nest("from_write", write(refusal))
}

/// `RelocationError` for a target path that is malformed.
pub fn relocation_to(refusal: &Refusal) -> Option<Value> {
    nest("to", write(refusal))
}

/// `RestoreError`.
pub fn restore(refusal: &Refusal) -> Option<Value> {
    match refusal {
        Refusal::InvalidRevision => Some(json!({ ".tag": "invalid_revision" })),
        Refusal::NotFound | Refusal::NotFile | Refusal::MalformedPath(_) => {
            nest("path_lookup", lookup(refusal))
        }
        _ => nest("path_write", write(refusal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::failure::summary;

    fn of(shape: Shape, refusal: Refusal) -> String {
        shape(&refusal).map(|e| summary(&e)).unwrap_or_default()
    }

    #[test]
    fn refusals_in_the_words_of_each_endpoint() {
        assert_eq!(of(path_lookup, Refusal::NotFound), "path/not_found/..");
        assert_eq!(
            of(upload, Refusal::Conflict(ConflictKind::File)),
            "path/conflict/file/.."
        );
        assert_eq!(
            of(upload, Refusal::InsufficientSpace),
            "path/insufficient_space/.."
        );
        assert_eq!(
            of(upload, Refusal::MalformedPath("x".into())),
            "path/malformed_path/.."
        );
        assert_eq!(
            of(path_write, Refusal::Conflict(ConflictKind::Folder)),
            "path/conflict/folder/.."
        );
        assert_eq!(of(delete, Refusal::NotFound), "path_lookup/not_found/..");
        assert_eq!(
            of(relocation, Refusal::NotFound),
            "from_lookup/not_found/.."
        );
        assert_eq!(
            of(relocation, Refusal::CantMoveFolderIntoItself),
            "cant_move_folder_into_itself/.."
        );
        assert_eq!(
            of(relocation, Refusal::Conflict(ConflictKind::File)),
            "to/conflict/file/.."
        );
        assert_eq!(
            of(relocation_to, Refusal::MalformedPath("..".into())),
            "to/malformed_path/.."
        );
        assert_eq!(of(restore, Refusal::InvalidRevision), "invalid_revision/..");
    }

    #[test]
    fn a_path_without_form_is_a_bad_request() {
        assert!(matches!(
            address("no-slash.txt", path_lookup),
            Err(Failure::BadRequest(_))
        ));
        assert!(matches!(
            address("/a/../b", path_lookup),
            Err(Failure::Refused(..))
        ));
        assert!(address("//a//b", path_lookup).is_ok());
    }
}
