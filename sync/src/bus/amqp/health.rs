//! How the connections to the broker are.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The state of every connection, by what it is for.
#[derive(Debug, Default)]
pub struct Health {
    links: Mutex<BTreeMap<&'static str, Option<String>>>,
}

impl Health {
    /// Every connection with its error; `None` where it works.
    pub fn links(&self) -> Vec<(&'static str, Option<String>)> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links
            .iter()
            .map(|(name, error)| (*name, error.clone()))
            .collect()
    }

    /// True when every connection works.
    pub fn is_well(&self) -> bool {
        self.links().iter().all(|(_, error)| error.is_none())
    }

    /// The connection works; said once.
    pub(super) fn connected(&self, name: &'static str) {
        if self.set(name, None) != Some(None) {
            tracing::info!(connection = name, "connected to the broker");
        }
    }

    /// The connection failed; said once until it works again.
    pub(super) fn failed(&self, name: &'static str, error: &str) {
        if self
            .set(name, Some(error.to_owned()))
            .is_none_or(|before| before.is_none())
        {
            tracing::warn!(
                connection = name,
                error,
                "the broker cannot be used; trying again"
            );
        }
    }

    /// The connection is not wanted any more.
    pub(super) fn gone(&self, name: &'static str) {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.remove(name);
    }

    fn set(&self, name: &'static str, error: Option<String>) -> Option<Option<String>> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.insert(name, error)
    }
}
