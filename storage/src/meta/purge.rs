//! Trash and old versions go after their retention.

use super::Meta;
use super::node::PurgeReport;
use crate::error::{Error, Result};

impl Meta {
    /// Removes what was deleted or superseded before `older_than_ms`, a bounded piece a call; block references go with it.
    pub fn purge(&self, older_than_ms: i64) -> Result<PurgeReport> {
        let _ = older_than_ms;
        Err(Error::Engine("not built yet".to_owned()))
    }
}
