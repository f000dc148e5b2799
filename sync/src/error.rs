//! The crate's error type.

/// What can go wrong while bytes and changes are carried.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Storage refused or failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// The cursor does not fit any more (or never did): list again.
    #[error("the cursor is no longer valid: list again")]
    Reset,
    /// The body is longer than the call may be.
    #[error("the body is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The bound, bytes.
        limit_bytes: u64,
    },
    /// The body broke off.
    #[error("the body broke off: {0}")]
    Body(std::io::Error),
    /// A background thread ended before it answered (the process is stopping).
    #[error("the work was stopped")]
    Stopped,
    /// The server that an import goes to cannot be reached.
    #[error("{0}")]
    Unreachable(String),
    /// The broker cannot be reached, or refused; without secrets.
    #[error("the broker: {0}")]
    Broker(String),
    /// A pattern of what is not imported cannot be read.
    #[error("pattern {0}")]
    Pattern(String),
    /// A local file or folder could not be read.
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
            Error::Storage(e) => e.is_retryable(),
            Error::Stopped | Error::Unreachable(_) | Error::Broker(_) => true,
            _ => false,
        }
    }
}

impl From<storage::meta::Refusal> for Error {
    fn from(refusal: storage::meta::Refusal) -> Self {
        Error::Storage(refusal.into())
    }
}
