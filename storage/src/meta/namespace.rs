//! Namespace numbers: handed out once, by a log, and never reused.

use super::ids::NamespaceId;
use super::keys::key;
use crate::error::{Error, Result};
use crate::keyspace::NAMESPACE;
use crate::kv::Store;

/// The log's key sorts behind every namespace's row, whose number is below 2^42: `NAMESPACE ff`.
const NUMBERS: u8 = 0xff;

/// A number that was never given out before. Takes a commit of its own; a number that is not used then stays a gap.
pub(super) fn allocate(store: &dyn Store) -> Result<NamespaceId> {
    let commit = store.transact(&mut |txn| {
        txn.append(&key(NAMESPACE, &[&[NUMBERS]]), Vec::new().into());
        Ok(())
    })?;
    match commit.sequences.first() {
        Some(&number) if (1..NamespaceId::END).contains(&number) => Ok(NamespaceId(number)),
        found => Err(Error::Engine(format!(
            "namespace numbers are used up: {found:?}"
        ))),
    }
}
