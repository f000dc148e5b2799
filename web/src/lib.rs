//! The only crate that knows HTTP and JSON: Dropbox API v2, Firefly's own routes, shared-link pages, the page, TLS.
//!
//! In reading order: [`serve`] takes connections, [`router`] names the routes, [`frame`] is what every request goes
//! through, and each other module is a family of endpoints.

pub mod app;
pub mod assets;
pub mod blocks;
pub mod files;
pub mod frame;
pub mod metrics;
pub mod oauth;
mod opened;
pub mod own;
pub mod page;
pub mod router;
pub mod serve;
pub mod sharing;
pub mod tls;
pub mod users;

mod audit;
mod blocking;
#[cfg(feature = "fuzz")]
pub mod fuzz;
mod health;
mod line;
mod search;
mod stall;
mod streams;
#[cfg(any(test, feature = "fuzz"))]
#[allow(
    dead_code,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed; the fuzz targets need less of it"
)]
mod testing;
#[cfg(test)]
mod tests;
mod thumbnail;
mod turns;
mod zip;

pub use app::{App, Parts, Settings};
pub use own::admin::{OperationFailure, Operations};
pub use own::member::{Open as OpenMember, Unopened};
pub use own::people::People;
pub use serve::serve;
pub use tls::{Tls, certificate_ends_s};

/// Why the web crate cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Keys or certificates cannot be read, made or used.
    #[error("tls: {0}")]
    Tls(String),
    /// The store failed.
    #[error("{0}")]
    Storage(String),
    /// Input or output failed.
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
    /// Wraps an io error with what was being done.
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Error::Io {
            what: what.into(),
            source,
        }
    }
}
