//! Where a search looks: the namespaces the account can read, and the folders it is limited to.

use std::collections::HashSet;
use std::sync::Arc;

use storage::meta::{Address, NamespaceId, Place, View};

use crate::error::{Error, Result};

/// Folders that one limit may hold; more are not looked through, and the answer says so.
const MAX_FOLDERS: usize = 20_000;

/// A part of what an account can read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Area {
    /// Everything in these namespaces.
    pub whole: Vec<NamespaceId>,
    /// What lies directly in these folders (their ids), all of one namespace.
    pub folders: Arc<HashSet<u64>>,
    /// The namespace of the folders.
    pub ns: Option<NamespaceId>,
    /// There were more folders than are looked through.
    pub is_cut: bool,
}

/// The namespaces that `root` shows to the account: all mounted ones and the root itself, or one shared folder alone.
pub fn namespaces(view: &View<'_>, root: NamespaceId) -> Result<Vec<NamespaceId>> {
    let access = view.access()?;
    if access.iter().any(|a| a.ns == root && a.home) {
        return Ok(access
            .iter()
            .filter(|a| a.home || a.mount.is_some())
            .map(|a| a.ns)
            .collect());
    }
    Ok(access
        .iter()
        .filter(|a| a.ns == root)
        .map(|a| a.ns)
        .collect())
}

/// What lies below `address`; none when that is everything.
pub fn below(view: &View<'_>, root: NamespaceId, address: &Address) -> Result<Option<Area>> {
    let place = view.resolve(root, address)?;
    if place.node.is_file() {
        return Err(storage::meta::Refusal::NotFolder.into());
    }
    if place.path_lower.is_empty() {
        return Ok(None);
    }
    area(view, &place).map(Some)
}

/// Everything below a folder (or mount): its own subtree, and the shared folders mounted in it as a whole.
pub fn area(view: &View<'_>, place: &Place) -> Result<Area> {
    if let Some(ns) = place.shared_folder {
        return Ok(Area {
            whole: vec![ns],
            ..Area::default()
        });
    }
    let folders = view.subtree_folders(place.node.id, MAX_FOLDERS)?;
    let mut area = Area {
        ns: Some(place.ns),
        is_cut: folders.len() >= MAX_FOLDERS,
        ..Area::default()
    };
    let ids = folders.into_iter().map(|folder| folder.0);
    area.folders = Arc::new(ids.chain([place.node.id.0]).collect());
    let inside = format!("{}/", place.path_lower);
    for access in view.access()? {
        let Some(mount) = access.mount else { continue };
        let mounted = view.place(mount)?;
        if mounted.is_some_and(|mounted| mounted.path_lower.starts_with(&inside)) {
            area.whole.push(access.ns);
        }
    }
    Ok(area)
}

/// The address of `in:…`: a path from the root, with or without its slash.
pub fn address(text: &str) -> Result<Address> {
    let path = text.trim_end_matches('/');
    let slash = if path.is_empty() || path.starts_with('/') {
        ""
    } else {
        "/"
    };
    Address::parse(&format!("{slash}{path}")).map_err(Error::from)
}
