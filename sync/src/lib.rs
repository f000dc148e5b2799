//! Carries bytes and changes: file content to and from blocks, hints that logs have grown (within the process, or over a
//! broker), listings with cursors over
//! the journal, and the import of local folders.
//!
//! Read in this order: [`transfer`], [`bus`], [`relay`], [`notify`], [`listing`], [`import`].

pub mod bus;
pub mod csv;
mod error;
#[cfg(feature = "fuzz")]
pub mod fuzz;
pub mod import;
pub mod listing;
pub mod notify;
pub mod relay;
pub mod transfer;

pub use error::{Error, Result};

/// How long the acknowledgement of a change in a namespace is to be held back, so that one who brings much does not keep others
/// waiting; whoever acknowledges waits that long.
pub type Pace =
    std::sync::Arc<dyn Fn(storage::meta::NamespaceId) -> std::time::Duration + Send + Sync>;
