//! The crate's error.

/// What can go wrong in the indexer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The truth could not be read or written.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The index could not be read or written; the shard is opened again from its last commit.
    #[error("shard {shard}: {source}")]
    Index {
        /// Which shard.
        shard: u16,
        /// The engine's error.
        source: tantivy::TantivyError,
    },
    /// The index on disk cannot be continued: it is rebuilt.
    #[error("shard {shard} must be rebuilt: {reason}")]
    Rebuild {
        /// Which shard.
        shard: u16,
        /// What was found.
        reason: String,
    },
    /// The shard's lease is over: another process may hold it.
    #[error("shard {shard} is not held any more")]
    Lost {
        /// Which shard.
        shard: u16,
    },
    /// A file or thread of the index could not be had.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// True when the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Storage(error) => error.is_retryable(),
            Error::Index { .. } | Error::Io { .. } => true,
            Error::Rebuild { .. } | Error::Lost { .. } => false,
        }
    }
}

/// Names the shard in an engine's error.
pub(crate) fn index<E: Into<tantivy::TantivyError>>(shard: u16) -> impl Fn(E) -> Error {
    move |source| Error::Index {
        shard,
        source: source.into(),
    }
}

/// Names what was being done in a system's error.
pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
    let what = what.into();
    move |source| Error::Io { what, source }
}
