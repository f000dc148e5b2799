//! Disks, and places on other machines, that come and go.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use storage::block::{Place, Target};

use super::Operations;
use crate::node;

/// A target's folder or URL, or its name.
#[derive(Deserialize)]
pub(super) struct Which {
    target: String,
}

/// A folder or URL to add; what fails together with it, where that is not it alone.
#[derive(Deserialize)]
pub(super) struct Add {
    target: String,
    zone: Option<String>,
}

/// Which target goes, and what comes in its place.
#[derive(Deserialize)]
pub(super) struct Replace {
    old: String,
    new: String,
}

/// What an operator got wrong, or has to put right, in words.
pub(super) fn said(error: storage::Error) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}

impl Operations {
    pub(super) fn add_target(&self, wanted: Add) -> Result<Value> {
        let mut target = self.target(&wanted.target)?;
        if let Some(zone) = wanted.zone {
            target.zone = zone;
        }
        let name = target.name.clone();
        self.node.blocks.add_target(target).map_err(said)?;
        Ok(json!({"target": name}))
    }

    pub(super) fn drain_target(&self, which: Which) -> Result<Value> {
        let name = self.target(&which.target)?.name;
        self.node.blocks.drain_target(&name).map_err(said)?;
        Ok(json!({"target": name}))
    }

    pub(super) fn replace_target(&self, which: Replace) -> Result<Value> {
        let added = self.add_target(Add {
            target: which.new,
            zone: None,
        })?;
        self.drain_target(Which { target: which.old })?;
        Ok(added)
    }

    pub(super) fn adopt_target(&self, which: Which) -> Result<Value> {
        let name = self.target(&which.target)?.name;
        self.node.blocks.adopt(&name).map_err(said)?;
        Ok(json!({"target": name}))
    }

    /// By its folder, absolute or counted from the data folder, or by its URL, as the configuration names it.
    fn target(&self, written: &str) -> Result<Target> {
        let place = node::place(&self.node.data, written);
        if let Place::Folder(folder) = &place {
            let parent = folder.parent().unwrap_or(Path::new("/"));
            parent
                .try_exists()
                .with_context(|| format!("folder {}", folder.display()))?;
        }
        Ok(node::target(&self.node.data, &place))
    }
}
