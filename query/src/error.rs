//! The crate's error type.

/// What can go wrong in a search. What a person types never does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Metadata refused (a folder to search in that is not there) or failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A shard failed.
    #[error(transparent)]
    Indexer(#[from] indexer::Error),
    /// The index could not be read.
    #[error("index: {0}")]
    Index(#[from] tantivy::TantivyError),
    /// A shard does not answer: no process has it at present, or the one that has it cannot be reached in time.
    #[error("shard {shard} does not answer: {why}")]
    Unreachable {
        /// The shard.
        shard: u16,
        /// What happened.
        why: String,
    },
    /// The cursor was not made here, or its search cannot go on: search again.
    #[error("the cursor is no longer valid: search again")]
    Reset,
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl From<storage::meta::Refusal> for Error {
    fn from(refusal: storage::meta::Refusal) -> Self {
        Error::Storage(refusal.into())
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::Index(error.into())
    }
}
