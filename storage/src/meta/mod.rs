//! Metadata: accounts, namespaces, the file tree, versions, sharing.

/// Why a rule of the file tree, sharing or accounts refuses an operation.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing there that the actor may see.
    #[error("not found")]
    NotFound,
}
