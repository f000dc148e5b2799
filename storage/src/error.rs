//! The crate's one error type.

/// What can go wrong in storage. A variant exists because some caller acts on it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another transaction won too often; the caller may try again.
    #[error("transaction conflicted {attempts} times")]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// A bounded counter would leave its bounds (a quota, say).
    #[error("counter {counter} would exceed its bound {bound}")]
    CounterBound {
        /// The counter's key, for logs.
        counter: String,
        /// The bound that would be crossed.
        bound: i64,
    },
    /// Stored bytes fail their checksum, do not decode, or a scan ended in an error.
    #[error("corrupt {what}: {detail}")]
    Corrupt {
        /// Which thing (a key, an extent and offset …).
        what: String,
        /// What was wrong with it.
        detail: String,
    },
    /// A block is in no readable replica, or was never stored.
    #[error("block {0} is not available")]
    BlockMissing(crate::chunk::BlockHash),
    /// No room on a target that the write needs.
    #[error("no space left on {0}")]
    NoSpace(String),
    /// The store was written by a newer release.
    #[error("{what} has format {found}, this release reads up to {supported}")]
    NewerFormat {
        /// Which store.
        what: String,
        /// The format found.
        found: u32,
        /// The newest format this release knows.
        supported: u32,
    },
    /// Key material is missing, malformed or does not unwrap.
    #[error("key: {0}")]
    Key(String),
    /// A rule of the file tree, sharing or accounts refuses the operation.
    #[error(transparent)]
    Refused(#[from] crate::meta::Refusal),
    /// Input or output failed.
    #[error("{what}: {source}")]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// What storage stands on is not there: a server does not answer, or too few disks can be written. Of a write to a server it is unknown
    /// whether it was stored; of a block nothing was.
    #[error("{0}")]
    Unavailable(String),
    /// The engine refused for a reason nobody can act on but an operator.
    #[error("{0}")]
    Engine(String),
}

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// True when the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Error::Conflict { .. } | Error::NoSpace(_) | Error::Unavailable(_)
        )
    }

    /// Wraps an io error with what was being done.
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        let what = what.into();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Error::NoSpace(what)
            }
            std::io::ErrorKind::ReadOnlyFilesystem => {
                Error::Unavailable(format!("{what}: the disk is read-only"))
            }
            _ => Error::Io { what, source },
        }
    }
}
