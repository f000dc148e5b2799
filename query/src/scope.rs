//! Where a search looks: the namespaces the account can read, and the folders it is limited to.

use std::collections::HashSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use storage::meta::{Address, NamespaceId, View};

use crate::error::{Error, Result};

/// A part of what an account can read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Area {
    /// Everything in these namespaces.
    pub whole: Vec<NamespaceId>,
    /// What lies directly in these folders (their ids), all of one namespace.
    #[serde(serialize_with = "write_folders", deserialize_with = "read_folders")]
    pub folders: Arc<HashSet<u64>>,
    /// The namespace of the folders.
    pub ns: Option<NamespaceId>,
    /// There were more folders than are looked through.
    pub is_cut: bool,
    /// These themselves, by id: the mounts of shared folders, which lie in the account's own namespace.
    #[serde(default)]
    pub files: Vec<u64>,
}

fn write_folders<S: Serializer>(
    folders: &Arc<HashSet<u64>>,
    into: S,
) -> std::result::Result<S::Ok, S::Error> {
    folders.as_ref().serialize(into)
}

fn read_folders<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Arc<HashSet<u64>>, D::Error> {
    HashSet::deserialize(from).map(Arc::new)
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

/// An address as text that [`Address::parse`] reads.
pub fn text_of(address: &Address) -> String {
    let (head, names) = match address {
        Address::Path(names) => (String::new(), names.as_slice()),
        Address::Id(file, names) => (file.to_string(), names.as_slice()),
        Address::Namespace(ns, names) => (format!("ns:{ns}"), names.as_slice()),
        Address::Rev(rev) => (format!("rev:{rev}"), &[][..]),
    };
    names.iter().fold(head, |path, name| path + "/" + name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_were_written() {
        for text in [
            "",
            "/a/B c",
            "id:AAAAAAAAAAAAAAAAAAAAAB",
            "id:AAAAAAAAAAAAAAAAAAAAAB/x",
            "ns:7/a",
        ] {
            let parsed = Address::parse(text).expect("an address");
            assert_eq!(text_of(&parsed), text);
        }
    }
}
